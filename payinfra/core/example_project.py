"""The example of a company's project: extension, function of its own, canary, check, probe and tests.

The function is a copy of payinfra's own with a field more, as a company would begin. It is made from the one
that is installed, so that it is what the stack of that version expects.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from payinfra.core.errors import ToolFailed
from payinfra.core.json_text import parse_json

FILES: Mapping[str, str] = {
    "payinfra.toml": "example/payinfra.toml",
    "acme/__init__.py": "example/acme/__init__.py.txt",
    "acme/infra.py": "example/acme/infra.py.txt",
    "checks/queues.py": "example/checks/queues.py.txt",
    "tests/test_backend.py": "example/tests/test_backend.py.txt",
    "handlers/payments/announce.py": "example/handlers/announce.py.txt",
}
"""File in the project to its template."""

_EDITS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "core.py": (
        ("    payment_method: str\n", "    payment_method: str\n    merchant_id: str\n"),
        (
            '            "payment_method": self.payment_method,\n',
            '            "payment_method": self.payment_method,\n'
            '            "merchant_id": self.merchant_id,\n',
        ),
        (
            '        payment_method=cast(str, document["payment_method"]),\n',
            '        payment_method=cast(str, document["payment_method"]),\n'
            '        merchant_id=cast(str, document["merchant_id"]),\n',
        ),
    ),
    "ledger.py": (
        (
            '        payment_method=item["payment_method"]["S"],\n',
            '        payment_method=item["payment_method"]["S"],\n'
            '        merchant_id=item["merchant_id"]["S"],\n',
        ),
        (
            '        "payment_method": {"S": payment.payment_method},\n',
            '        "payment_method": {"S": payment.payment_method},\n'
            '        "merchant_id": {"S": payment.merchant_id},\n',
        ),
    ),
    "handler.py": (
        ("from .app import Application\n", "from .announce import announce\nfrom .app import Application\n"),
        (
            "    return application().answer(event)\n",
            "    answer = application().answer(event)\n    announce(event, answer)\n    return answer\n",
        ),
    ),
}
"""What makes the shipped function Acme's: the merchant of a payment, and the queue that hears of it."""
_MERCHANT = {
    "description": "Whose shop the payment was made in.",
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$",
    "$comment": "1 to 64 letters, digits and characters of _ . : - and begin with a letter or digit",
}


def function_files(shipped: Path) -> Iterator[tuple[str, str]]:
    """The files of the example's function, by their paths in the project.

    Args:
        shipped: the package of payinfra's own function.

    Raises:
        ToolFailed: it is not the function that this version comes with.
    """
    for path in sorted(shipped.rglob("*")):
        name = path.relative_to(shipped).as_posix()
        if path.suffix not in (".py", ".json"):
            continue
        text = path.read_text(encoding="utf-8")
        for before, after in _EDITS.get(name, ()):
            if text.count(before) != 1:
                raise ToolFailed(f"{path} is not as this version knows it.", "Install payinfra again.")
            text = text.replace(before, after)
        if name == "schemas/payment.json":
            text = _with_merchant(text)
        yield f"handlers/payments/{name}", text


def _with_merchant(text: str) -> str:
    schema = parse_json(text)
    schema["required"].append("merchant_id")
    schema["properties"]["merchant_id"] = _MERCHANT
    return json.dumps(schema, indent=2) + "\n"

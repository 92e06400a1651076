"""Import blocks: resources that exist and that a plan takes into the state.

Terraform's documentation, "Import" (since 1.5): a block names an address of the configuration and the id by
which the provider finds the resource. The plan that sees it shows the import, and what would then be changed,
like any other change; nothing is in the state until that plan is applied.

What is imported may differ from the configuration, and the same plan would then change it. An override file
(Terraform's documentation, "Override Files") that lets Terraform ignore all changes makes it a pure import.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PLACED = "imports.tf.json"
UNCHANGED = "unchanged_override.tf.json"


@dataclass(frozen=True)
class Import:
    """A resource to take into the state: its address in the stack, and the provider's id for it."""

    address: str
    id: str


@contextmanager
def placed(folder: Path, imports: Sequence[Import], unchanged: Sequence[str] = ()) -> Iterator[None]:
    """Keep the import blocks beside the stack while the block runs: a saved plan carries them with it.

    Those that a killed run left behind are removed first.

    Args:
        unchanged: addresses of the stack's resources that the plan must not change.
    """
    overridden: dict[str, dict[str, object]] = {}
    for address in unchanged:
        kind, _, name = address.partition(".")
        overridden.setdefault(kind, {})[name] = {"lifecycle": {"ignore_changes": "all"}}
    blocks = [{"to": one.address, "id": one.id} for one in imports]
    contents: Mapping[str, object] = {PLACED: {"import": blocks}, UNCHANGED: {"resource": overridden}}
    wanted = {PLACED: bool(imports), UNCHANGED: bool(unchanged)}
    try:
        for name, content in contents.items():
            (folder / name).unlink(missing_ok=True)
            if wanted[name]:
                (folder / name).write_text(json.dumps(content))
        yield
    finally:
        for name in contents:
            (folder / name).unlink(missing_ok=True)

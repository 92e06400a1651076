"""What is read of a function's zip, without importing any of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from payinfra.checks.verdicts import Kind, Verdict

if TYPE_CHECKING:
    from tests.unit.checks.policy.conftest import GoodStack

MALFORMED = "malformed input (ValueError)"
Zip = Callable[[Path, dict[str, str]], Path]
CAREFUL = (
    "def handle(event, context):\n    try:\n        return 1\n    except Exception:\n        return 400\n"
)


@pytest.fixture
def judge(world: "GoodStack", zip_of: Zip, tmp_path: Path) -> Callable[..., Verdict]:
    """The verdict on a function with this code."""

    def ask(check: str, sources: dict[str, str], handler: str = "app.handle") -> Verdict:
        zip_of(tmp_path / "code.zip", sources)
        stack = world.spoiled(
            {
                "aws_lambda_function.primary_function.filename": "code.zip",
                "aws_lambda_function.primary_function.handler": handler,
            }
        )
        return world.ask(check, world.manifest(stack, folder=tmp_path))[0]

    return ask


@pytest.mark.parametrize(
    "source",
    [
        "def handle(event, context): ...",
        "async def handle(event, context): ...",
        "class handle: ...",
        "handle = print",
        "handle: object = print",
        "from elsewhere import handle",
        "from elsewhere import other as handle",
        "if True:\n    handle = print\nelse:\n    pass",
        "try:\n    from a import handle\nexcept ImportError:\n    handle = None",
        "try:\n    import a\nexcept ImportError:\n    from b import handle",
        "try:\n    import a\nfinally:\n    handle = print",
        "handle, other = print, 1",
        "with open('x') as handle:\n    pass",
        "match 1:\n    case 1:\n        handle = print",
        "for handle in (print,):\n    pass",
        "(handle := print)",
        "r'\\d'\nx = '\\d'\nhandle = print",
    ],
)
def test_a_handler_may_be_defined_in_many_ways(judge: Callable[..., Verdict], source: str) -> None:
    assert judge("PI-LAM-001", {"app.py": source}).kind is Kind.PASS


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("from elsewhere import *", Kind.UNKNOWN),
        ("def other(): ...", Kind.FAIL),
        ("handle: object", Kind.FAIL),
        ("a.handle = 1\nprint()", Kind.FAIL),
        ("x = [1 for handle in y]", Kind.FAIL),
        ("class Other:\n    def handle(self): ...", Kind.FAIL),
        ("def handle(:", Kind.FAIL),
        ("\x00", Kind.FAIL),
    ],
)
def test_a_handler_that_is_not_there_is_found_out(
    judge: Callable[..., Verdict], source: str, kind: Kind
) -> None:
    assert judge("PI-LAM-001", {"app.py": source}).kind is kind


@pytest.mark.parametrize("handler", ["app/main.handle", "app.main.handle"])
def test_a_handler_in_a_package_is_found(judge: Callable[..., Verdict], handler: str) -> None:
    verdict = judge("PI-LAM-001", {"app/main/__init__.py": CAREFUL}, handler)
    assert verdict == Verdict.passed(
        "app/main/__init__.py has handle", "aws_lambda_function.primary_function"
    )


def test_what_is_no_zip_is_a_failure(world: "GoodStack", tmp_path: Path) -> None:
    (tmp_path / "payments.zip").write_bytes(b"PK\x03\x04 and so on")
    verdict = world.ask("PI-LAM-001", world.manifest(world.good, folder=tmp_path))[0]
    assert verdict.kind is Kind.FAIL
    assert "no zip" in verdict.message


def test_a_module_that_is_too_large_is_not_read(judge: Callable[..., Verdict]) -> None:
    verdict = judge("PI-LAM-001", {"app.py": CAREFUL + "#" * 2_000_001})
    assert verdict.kind is Kind.FAIL
    assert verdict.message == "the zip has no module app"


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("try:\n    pass\nexcept:\n    print()", "BaseException"),
        ("try:\n    pass\nexcept (a.ClientError, ValueError):\n    print()", "ClientError, ValueError"),
        ("@app.exception_handler(Exception)\ndef f(): ...  # except", "Exception"),
        ("@app.exception_handler([KeyError, f()])\ndef f(): ...  # except", "KeyError"),
        ("from a import ClientError as E\ntry:\n    pass\nexcept E:\n    print()", "ClientError"),
        (
            "ERRORS = (a.ClientError, OSError)\ntry:\n    pass\nexcept (*ERRORS, KeyError):\n    print()",
            "ClientError, KeyError, OSError",
        ),
        (
            "N = 1\ntry:\n    pass\nexcept KeyError as e:\n    if e.x:\n        return 1\n    raise",
            "KeyError",
        ),
        ("try:\n    pass\nexcept KeyError as e:\n    raise Other from e", "KeyError"),
    ],
)
def test_what_is_caught_is_shown(judge: Callable[..., Verdict], source: str, caught: str) -> None:
    verdict = judge("PI-LAM-002", {"app.py": f"{source}\ndef handle(): ..."})
    assert (verdict.kind, verdict.message) == (Kind.PASS, f"app.py catches {caught}")


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("import boto3\ntry:\n    pass\nexcept KeyError:\n    print()", "errors of AWS calls (ClientError)"),
        ("json.loads('')\ntry:\n    pass\nexcept ClientError:\n    print()", "malformed input (ValueError)"),
        ("try:\n    pass\nexcept KeyError:\n    pass", "any exception"),
        ("try:\n    pass\nexcept Exception:\n    ...", "any exception"),
        ("try:\n    pass\nexcept Exception:\n    'nothing'", "any exception"),
        ("try:\n    pass\nexcept Exception:\n    raise", "any exception"),
        ("try:\n    pass\nexcept Exception as e:\n    log(e)\n    raise e", "any exception"),
        (
            "import json, boto3\ntry:\n    pass\nexcept BotoCoreError:\n    print()",
            "errors of AWS calls (ClientError)",
        ),
        ("json.loads('')\ntry:\n    pass\nexcept (KeyError, TypeError):\n    print()", MALFORMED),
        ("from json import loads\nloads('')\ntry:\n    pass\nexcept KeyError:\n    print()", MALFORMED),
        ("event.json_body\ntry:\n    pass\nexcept KeyError:\n    print()", MALFORMED),
        ("M.model_validate_json('')\ntry:\n    pass\nexcept KeyError:\n    print()", MALFORMED),
        ("loads('')\ntry:\n    pass\nexcept ValidationError:\n    print()", MALFORMED),
        ("x = 1", "any exception"),
    ],
)
def test_what_is_not_caught_is_shown(judge: Callable[..., Verdict], source: str, missing: str) -> None:
    verdict = judge("PI-LAM-002", {"app.py": f"{source}\ndef handle(): ..."})
    assert (verdict.kind, verdict.message) == (Kind.FAIL, f"app.py does not catch: {missing}")


@pytest.mark.parametrize(
    "statement", ["import app.parts", "from app import parts", "from . import parts", "from .parts import *"]
)
def test_a_handler_may_leave_errors_to_its_own_modules(judge: Callable[..., Verdict], statement: str) -> None:
    sources = {"app/main.py": f"{statement}\ndef handle(): ...", "app/parts.py": CAREFUL}
    assert judge("PI-LAM-002", sources, "app.main.handle").kind is Kind.PASS
    found = judge("PI-LAM-003", sources, "app.main.handle")
    assert (found.kind, found.message) == (Kind.PASS, "app/parts.py:5 answers with 400")


def test_a_relative_import_at_the_root_leads_nowhere(judge: Callable[..., Verdict]) -> None:
    sources = {
        "app.py": "from .parts import x\nfrom ..up import y\ndef handle(): ...",
        "other/parts.py": CAREFUL,
    }
    assert judge("PI-LAM-002", sources).kind is Kind.FAIL


@pytest.mark.parametrize("package", ["vendored-1.0.dist-info/METADATA", "x"])
def test_installed_packages_are_not_the_functions_own(judge: Callable[..., Verdict], package: str) -> None:
    sources = {"app.py": "import vendored\ndef handle(): ...", "vendored/__init__.py": CAREFUL, package: ""}
    installed = package != "x"
    assert judge("PI-LAM-003", sources).kind is (Kind.FAIL if installed else Kind.PASS)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("x = {'statusCode': 422}", "422"),
        ("x = HTTPStatus.CONFLICT", "CONFLICT"),
        ("raise BadRequestError('x')", "BadRequestError"),
        ("raise errors.NotFoundError('x')", "NotFoundError"),
        ("x = {'statusCode': '404'}", "404"),
        ("x = http.HTTPStatus.GONE", "GONE"),
        ("x = HTTPStatus.NOT_FOUND.value", "NOT_FOUND"),
        ("raise HTTPException(status.HTTP_400_BAD_REQUEST)", "HTTP_400_BAD_REQUEST"),
        ("x = answer(409)", "409"),
        ("RATE_LIMIT = 429", "429"),
        ("rate_limit = {'statusCode': 429}", "429"),
    ],
)
def test_a_client_error_has_many_forms(judge: Callable[..., Verdict], source: str, status: str) -> None:
    verdict = judge("PI-LAM-003", {"app.py": f"def handle():\n    {source}"})
    assert (verdict.kind, verdict.message) == (Kind.PASS, f"app.py:2 answers with {status}")


def test_modules_that_import_each_other_or_are_broken_are_no_trouble(judge: Callable[..., Verdict]) -> None:
    sources = {
        "app.py": "import other\nimport broken\ndef handle():\n    return HTTPStatus.OK, 399, NotFoundError",
        "other.py": "import app",
        "broken.py": "def except(:",
    }
    assert judge("PI-LAM-003", sources).kind is Kind.FAIL
    assert judge("PI-LAM-002", sources).kind is Kind.FAIL


@pytest.mark.parametrize(
    "source",
    [
        "if answer.status >= 400: raise RuntimeError",
        "if answer.status in (400, 404): return None",
        "time.sleep(400)",
        "f(timeout=450)",
        "x = {'maxItems': 450}",
        "LIMIT = 499",
        "LIMIT: int = 499",
        "x = y[:450]",
        "x = 4 * 400",
        "for x in range(400): pass",
    ],
)
def test_a_number_that_is_no_status_refuses_nobody(judge: Callable[..., Verdict], source: str) -> None:
    assert judge("PI-LAM-003", {"app.py": f"def handle():\n    {source}"}).kind is Kind.FAIL


def test_a_pattern_of_a_match_refuses_nobody(judge: Callable[..., Verdict]) -> None:
    source = "def handle():\n    match answer.status:\n        case 404:\n            return None"
    assert judge("PI-LAM-003", {"app.py": source}).kind is Kind.FAIL


@pytest.mark.parametrize(
    ("layers", "handler", "kind"),
    [
        (["arn:aws:lambda:us-east-1:1:layer:wrapper:1"], "wrapper.handle", Kind.UNKNOWN),
        ("${var.layers}", "wrapper.handle", Kind.UNKNOWN),
        ([], "wrapper.handle", Kind.FAIL),
        (["arn:aws:lambda:us-east-1:1:layer:wrapper:1"], "app.gone", Kind.FAIL),
    ],
)
def test_a_module_may_be_in_a_layer(
    world: "GoodStack", zip_of: Zip, tmp_path: Path, layers: object, handler: str, kind: Kind
) -> None:
    zip_of(tmp_path / "code.zip", {"app.py": CAREFUL})
    function = "aws_lambda_function.primary_function"
    changes = {
        f"{function}.filename": "code.zip",
        f"{function}.handler": handler,
        f"{function}.layers": layers,
    }
    manifest = world.manifest(world.spoiled(changes), folder=tmp_path)
    assert world.ask("PI-LAM-001", manifest)[0].kind is kind

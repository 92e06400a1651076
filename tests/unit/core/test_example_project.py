"""The example of a company's project is written, and its function is the shipped one with a field more."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from payinfra.core.canary_contract import fits
from payinfra.core.errors import ToolFailed
from payinfra.core.example_project import FILES, function_files
from payinfra.core.project_files import Ci, Deed, template, write
from payinfra.core.settings import Settings
from payinfra.stacks.function_requirements import check_handler
from payinfra.stacks.lambda_zip import handlers_folder

SHIPPED = handlers_folder() / "payments"


def test_everything_is_written_and_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "infra.py").write_text("mine\n")
    steps = {str(one.path.relative_to(tmp_path)): one.deed for one in write(tmp_path, (), example=SHIPPED)}
    assert set(FILES) < set(steps)
    assert steps["acme/infra.py"] is Deed.LEFT
    assert steps["handlers/payments/core.py"] is Deed.WRITTEN
    assert (tmp_path / "acme" / "infra.py").read_text() == "mine\n"
    for path in tmp_path.rglob("*.py"):
        if path.name != "infra.py":
            ast.parse(path.read_text())


def test_a_dry_run_and_a_plain_one_write_none_of_it(tmp_path: Path) -> None:
    write(tmp_path, (), example=SHIPPED, dry_run=True)
    assert not list(tmp_path.iterdir())
    write(tmp_path, (Ci.GITHUB,))
    assert not (tmp_path / "acme").exists()


def test_its_settings_hold_and_its_canary_fits_its_schema(tmp_path: Path) -> None:
    write(tmp_path, (), example=SHIPPED)
    settings = Settings.resolve({"env": "shop"}, folder=tmp_path, environ={})
    assert settings.names.stack == "acme-shop"
    assert settings.handlers is not None
    package = settings.handlers / "payments"
    check_handler(package)
    schema = json.loads((package / "schemas" / "payment.json").read_text())
    assert "merchant_id" in schema["required"]
    fits(settings.canary, schema, "payment.json")
    assert tomllib.loads(template(FILES["payinfra.toml"]))["stack"] == {"extend": "acme.infra:extend"}


def test_another_function_than_the_shipped_one_is_not_half_edited(tmp_path: Path) -> None:
    (tmp_path / "core.py").write_text("nothing of it\n")
    with pytest.raises(ToolFailed, match=r"core\.py is not as this version knows it"):
        dict(function_files(tmp_path))


def test_its_function_asks_for_the_merchant_and_keeps_it(tmp_path: Path) -> None:
    write(tmp_path, (), example=SHIPPED)
    settings = Settings.resolve({"env": "shop"}, folder=tmp_path, environ={})
    body = settings.canary.body_of(
        key="k", customer="customer-1", timestamp_ms=1_800_000_000_000, env="shop", metadata={}
    )
    script = (
        "import json, sys\n"
        "from payments import core, ledger, problems\n"
        "body = json.loads(sys.argv[1])\n"
        "payment = core.read_payment('k', json.dumps(body).encode())\n"
        "kept = ledger.payment_item(payment)\n"
        "assert kept['merchant_id'] == {'S': 'payinfra'} and ledger.payment_of(kept) == payment\n"
        "assert payment.document()['merchant_id'] == 'payinfra'\n"
        "del body['merchant_id']\n"
        "try:\n    core.read_payment('k', json.dumps(body).encode())\n"
        "except problems.Problem as problem:\n    print(problem.errors)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(body)],
        cwd=tmp_path / "handlers",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "merchant_id" in done.stdout

"""What a function's process sees: Lambda's variables, its own, a home of its own, and not the machine."""

import base64
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from payinfra.local.server.patches import function_environment as correction

FUNCTIONS = "/2015-03-31/functions"
CODE = """
import os, tempfile
def f(event, context):
    with open(os.path.expanduser("~/mine"), "w") as mine:
        mine.write("x")
    return {"environ": dict(os.environ), "folder": os.getcwd(), "temporary": tempfile.gettempdir()}
"""
LAMBDAS = {
    *("_HANDLER", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME"),
    *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
    *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY_ID"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT", "LANG", "PATH", "TZ"),
}
"""What Lambda defines (Lambda developer guide, "Defined runtime environment variables")."""

HOUSEKEEPING = {
    *("HOME", "TMPDIR", "AWS_EC2_METADATA_DISABLED", "AWS_DISABLE_HOST_PREFIX_INJECTION", "AWS_ENDPOINT_URL"),
    *("_LAMBDA_FUNCTION_ARN", "_LAMBDA_TIMEOUT", "_MINISTACK_INVOKE_DEPTH", "LC_CTYPE", "_X_AMZN_TRACE_ID"),
}
"""What stands for the sandbox of Lambda's, or belongs to ministack's runner."""


def invoke(world: Any, role: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a function sees, where the server itself has the secrets of a person's shell."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("A_TOKEN", "of-the-user")
    held = BytesIO()
    with ZipFile(held, "w") as archive:
        archive.writestr("f.py", CODE)
    body = {
        "FunctionName": "sees",
        "Role": role.arn,
        "Runtime": "python3.11",
        "Handler": "f.f",
        "Code": {"ZipFile": base64.b64encode(held.getvalue()).decode()},
        "Environment": {"Variables": {"OWN": "value"}},
    }
    world.json("lambda", "POST", FUNCTIONS, body)
    # AWS takes no such variable. If it were there all the same, Lambda's own would come first.
    with world.emulator.scope(role.arn.split(":")[4], "us-east-1"):
        known = world.emulator.service("lambda_svc")._functions["sees"]["config"]
        known["Environment"]["Variables"]["AWS_SECRET_ACCESS_KEY"] = "forged"
    seen: dict[str, Any] = world.json("lambda", "POST", f"{FUNCTIONS}/sees/invocations", {})
    return seen


def test_a_function_sees_lambdas_variables_and_its_own(
    world: Any, role: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = invoke(world, role, monkeypatch)["environ"]
    assert set(environ) - HOUSEKEEPING == LAMBDAS | {"OWN"}
    assert environ["OWN"] == "value"
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.11"
    assert environ["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/sees"
    assert environ["_HANDLER"] == "f.f"
    session = world.emulator.service("sts")._sessions[environ["AWS_ACCESS_KEY_ID"]]
    assert session["Arn"] == f"arn:aws:sts::{role.arn.split(':')[4]}:assumed-role/r/sees"
    assert environ["AWS_SECRET_ACCESS_KEY"] == session["SecretAccessKey"]


def test_a_function_has_a_home_and_a_folder_of_its_own(
    world: Any, role: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = invoke(world, role, monkeypatch)
    home, folder = Path(seen["environ"]["HOME"]), Path(seen["folder"])
    assert home not in (Path.home(), Path("/"))
    assert (home / "mine").read_text() == "x"
    assert home.stat().st_mode & 0o077 == 0
    assert seen["temporary"] == str(home)
    assert folder not in (Path.cwd(), Path.home())
    assert home.parent == folder.parent
    world.emulator.core("lambda_runtime").reset()
    assert not home.exists()


def test_what_every_function_has_is_little() -> None:
    server = {"PATH": "/bin", "HOME": "/home/me", "AWS_PROFILE": "production", "LANG": "de"}
    given = correction.base(server, None)
    assert given == {
        "PATH": "/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert correction.base({}, None)["PATH"] == os.defpath


def test_a_function_finds_boto3_where_it_is_installed_for_one_user() -> None:
    assert correction.base({}, "/home/me/.local")["PYTHONUSERBASE"] == "/home/me/.local"


def test_only_a_process_with_variables_of_its_own_gets_a_home(tmp_path: Path) -> None:
    works_in = tmp_path / "code"
    works_in.mkdir()
    processes = correction.private_processes()
    show = [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"]

    def seen(**more: Any) -> dict[str, str]:
        done: subprocess.CompletedProcess[bytes] = processes.run(
            show, capture_output=True, check=True, **more
        )
        found: dict[str, str] = json.loads(done.stdout)
        return found

    assert seen(cwd=works_in)["HOME"] == os.environ["HOME"]
    assert seen(env={"HOME": "/given", "A": "b"})["HOME"] == "/given"
    assert seen(env={"HOME": "/given"}, cwd=works_in)["HOME"] == "/given"
    first, second = (seen(env={"A": "b"}, cwd=works_in) for _ in range(2))
    assert first["HOME"].startswith(f"{tmp_path}/code-home-")
    assert first["HOME"] != second["HOME"]
    started = processes.Popen(show, env={"A": "b"}, cwd=works_in, stdout=subprocess.PIPE)
    assert json.loads(started.communicate()[0])["A"] == "b"


def test_everything_else_of_the_modules_is_as_it_was() -> None:
    assert correction.os_with({"A": "b"}).environ == {"A": "b"}
    assert correction.os_with({}).path is os.path
    assert correction.private_processes().PIPE == subprocess.PIPE


def test_a_log_group_that_was_chosen_is_told() -> None:
    variables = correction.with_lambdas_variables(lambda _config: {"AWS_ACCESS_KEY_ID": "ASIA"})
    given = variables({"FunctionName": "f", "LoggingConfig": {"LogGroup": "mine"}, "Runtime": "nodejs22.x"})
    assert given["AWS_LAMBDA_LOG_GROUP_NAME"] == "mine"
    assert given["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs22.x"
    assert given["AWS_ACCESS_KEY_ID"] == "ASIA"

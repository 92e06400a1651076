"""A scripted Terraform: a small program that prints what a test tells it to, and hears signals."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from payinfra.terraform import Binary, Engine, EngineVersion

Step = Sequence[str | int]
Script = Mapping[str, Sequence[Step]]

# Signals are blocked from the first line on and taken one by one, so that none can come too early.
PROGRAM = """\
#!{python} -IS
import json, os, pathlib, signal, sys
signals = {{"INT": signal.SIGINT, "TERM": signal.SIGTERM, "USR1": signal.SIGUSR1}}
signal.pthread_sigmask(signal.SIG_BLOCK, signals.values())
signal.alarm(60)  # a test that fails must not hang
here = pathlib.Path({folder!r})
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}}) + "\\n")
steps = json.loads((here / "script.json").read_text())
name = next((name for name in steps if " ".join(sys.argv[1:]).startswith(name)), None)
for verb, *rest in steps.get(name, [["exit", 0]]):
    if verb == "out":
        sys.stdout.write(rest[0] + "\\n")
        sys.stdout.flush()
    elif verb == "raw":
        sys.stdout.write(rest[0])
        sys.stdout.flush()
    elif verb == "err":
        sys.stderr.write(rest[0] + "\\n")
    elif verb == "hear":
        signal.sigwait([signals[rest[0]]])
        (here / ("heard-" + rest[0])).touch()
    elif verb == "write":
        pathlib.Path(rest[0]).write_text(rest[1])
    elif verb == "copy":
        pathlib.Path(rest[1]).write_text(pathlib.Path(rest[0]).read_text())
    elif verb == "absent" and pathlib.Path(rest[0]).exists():
        sys.exit(rest[0] + " is there")
    elif verb == "exit":
        sys.exit(rest[0])
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[[Script], Binary]:
    """Make a Terraform that follows a script; a second call gives it a new script."""
    folder = tmp_path / "fake"

    def make(script: Script) -> Binary:
        folder.mkdir(exist_ok=True)
        program = folder / "terraform"
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        (folder / "script.json").write_text(json.dumps(script))
        return Binary(Engine.TERRAFORM, (str(program),), EngineVersion(1, 11, 4, "1.11.4"))

    return make


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], list[dict[str, object]]]:
    """What the scripted Terraform was started with, in order: argv, env, cwd."""

    def read() -> list[dict[str, object]]:
        file = tmp_path / "fake" / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    return read

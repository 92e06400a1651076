"""Every command's JSON is what its published schema says: `Project.run` holds each real answer against it.

Here are the commands that no other test asks for JSON, and the list of where the others are.
"""

from pathlib import Path

import pytest

from payinfra.report.documents import COMMANDS
from tests.functional.cli.conftest import Project
from tests.support import published_schemas

TESTS = Path(__file__).parents[2]
CLI = "functional/cli"
HERE = f"{CLI}/test_documents.py"
WHERE = {
    "synth": f"{CLI}/test_stages.py",
    "plan": "e2e/test_bad_luck.py",
    "deploy": "e2e/conftest.py",
    "verify": "e2e/verify/test_verify_command.py",
    "status": "e2e/verify/test_verify_command.py",
    "destroy": "e2e/test_destroy.py",
    "adopt": "e2e/test_destroy.py",
    "outputs": "e2e/test_deployment.py",
    "settings": f"{CLI}/test_usage.py",
    "failover-drill": "e2e/test_destroy.py",
    "evacuate": "e2e/evacuation/conftest.py",
    "return": "e2e/evacuation/conftest.py",
    "drills list": f"{CLI}/test_drills.py",
    "drills show": f"{CLI}/test_drills.py",
    "check": f"{CLI}/test_stages.py",
    "checks list": f"{CLI}/test_stages.py",
    "checks explain": f"{CLI}/test_stages.py",
    "explain": f"{CLI}/test_everyday.py",
    "pay": f"{CLI}/test_everyday.py",
    "logs": f"{CLI}/test_everyday.py",
    "audit reconcile": f"{CLI}/test_payments.py",
    "conflicts list": f"{CLI}/test_payments.py",
    "conflicts resolve": "e2e/payments/test_payments_api.py",
    "envs": f"{CLI}/test_team.py",
    "reap": f"{CLI}/test_team.py",
    "rotate-key": "e2e/test_destroy.py",
    "doctor": f"{CLI}/test_stages.py",
    "init": HERE,
    "version": f"{CLI}/test_usage.py",
    "bootstrap": f"{CLI}/test_account.py",
    "ci-role": f"{CLI}/test_account.py",
    "local up": f"{CLI}/test_local.py",
    "local status": f"{CLI}/test_local.py",
    "local env": f"{CLI}/test_local.py",
    "local trust": HERE,
    "local zone": HERE,
    "local rules": HERE,
    "local fault list": f"{CLI}/test_local.py",
    "local fault inject": f"{CLI}/test_local.py",
    "local fault clear": HERE,
}
"""A test that runs the command for its JSON."""


def test_each_command_is_run_for_its_json_by_a_test() -> None:
    assert set(WHERE) == set(COMMANDS)
    for command, file in WHERE.items():
        text = (TESTS / file).read_text(encoding="utf-8")
        assert '"json"' in text, file
        assert command.split()[-1] in text, (command, file)


def test_what_no_other_test_asks_for(project: Project) -> None:
    assert project.run("init", "--dry-run", "--format", "json").returncode == 0
    try:
        for words in (
            ("up",),
            ("zone", "pay.test"),
            ("trust",),
            ("rules", "api-key-delay=0"),
            ("fault", "inject", "region-blackout", "--region", "us-east-1"),
            ("fault", "clear", "--all"),
        ):
            done = project.run("local", *words, "--format", "json")
            assert done.returncode == 0, done.stderr
            assert done.stdout
    finally:
        project.run("local", "down")


@pytest.mark.parametrize(
    "written",
    [
        '{"version": "0.1.0"}',
        '{"schema": "payinfra/version-1", "version": 1}',
        '[{"schema": "payinfra/version-1", "version": "1"}, {"schema": "payinfra/fault-1", "version": 1}]',
        '{"schema": "payinfra/version-1", "version": "1"}\n{"schema": "payinfra/resolution-1"}\n',
    ],
)
def test_a_document_that_is_not_what_its_schema_says_fails_a_test(written: str) -> None:
    with pytest.raises(AssertionError):
        published_schemas.hold(("version", "--format", "json"), written)
    published_schemas.hold(("version",), written)

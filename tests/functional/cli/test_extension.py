"""A project's extension, through the command line."""

import json

import pytest

from tests.functional.cli.conftest import Project

QUEUE = """
from cdktf_cdktf_provider_aws.sqs_queue import SqsQueue

def extend(stack, primary, secondary):
    for region in stack.regions:
        SqsQueue(*region.at("orders"), provider=region.provider, name=region.name("orders"))
"""


def extension(project: Project, text: str) -> None:
    (project.folder / "acme.py").write_text(text)
    (project.folder / "payinfra.toml").write_text('env = "shop"\n[stack]\nextend = "acme:extend"\n')


def test_its_resources_are_counted(project: Project) -> None:
    extension(project, QUEUE)
    below = project.folder / "deeper"
    below.mkdir()
    done = project.run("synth")
    assert done.returncode == 0, done.stderr
    assert "SQS\t1\t1" in done.stdout.splitlines()


def test_ci_role_allows_its_deployment(project: Project) -> None:
    extension(project, QUEUE)
    done = project.run(
        "ci-role", "--local", "--trust", "arn:aws:iam::000000000000:root", "--env", "shop", "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    assert "arn:aws:sqs:*:000000000000:payment-shop-*" in json.dumps(json.loads(done.stdout))


@pytest.mark.parametrize("command", [("deploy", "--local", "--yes"), ("plan", "--local"), ("check",)])
def test_an_error_in_it_names_the_line_and_nothing_is_deployed(
    project: Project, command: tuple[str, ...]
) -> None:
    extension(project, "def extend(stack, primary, secondary):\n    raise ValueError('not today')\n")
    done = project.run(*command)
    assert done.returncode == 2
    assert "acme.py:2: ValueError: not today." in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(project.folder.glob(".payinfra/**/terraform.tfstate"))


def test_a_module_that_is_not_there(project: Project) -> None:
    (project.folder / "payinfra.toml").write_text('env = "shop"\n[stack]\nextend = "acme:extend"\n')
    done = project.run("synth")
    assert done.returncode == 2
    assert "there is no module 'acme' in" in done.stderr

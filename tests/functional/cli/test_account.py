"""The account's commands as a process: what they print, what they change, and whom they refuse."""

import json
from pathlib import Path

import pytest

from payinfra.clients.aws import PREPARES_ACCOUNT
from payinfra.local.lifecycle import RECORD_VARIABLE
from scripts.conformance.permissions import PermissionQuestions
from scripts.conformance.requests import RecordedRequest, RequestRecord
from tests.functional.cli.conftest import Project

ME = "arn:aws:iam::000000000000:root"
BOUNDARY = "arn:aws:iam::000000000000:policy/our-boundary"


def test_bootstrap_says_what_it_would_do_then_does_it_then_has_nothing_to_do(project: Project) -> None:
    command = ("bootstrap", "--local", "--state-bucket", "our-states", "--drills")
    dry = project.run(*command, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "Would: create bucket our-states in us-east-1\n" in dry.stdout
    first = json.loads(project.run(*command, "--format", "json").stdout)
    assert (first["dry_run"], first["account"]) == (False, "000000000000")
    assert "create role payinfra-drill-fis" in first["changes"]
    again = project.run(*command)
    assert again.stdout == "Nothing to change: all is as it should be.\naccount: 000000000000\n"


def test_a_deploy_role_is_printed_and_then_made(project: Project) -> None:
    command = ("ci-role", "--local", "--github", "our-org/our-repo", "--boundary", BOUNDARY)
    shown = project.run(*command, "--format", "json")
    assert shown.returncode == 0, shown.stderr
    role = json.loads(shown.stdout)
    assert role["role_arn"] == "arn:aws:iam::000000000000:role/payinfra-ci"
    assert role["trust_policy"]["Statement"][0]["Action"] == ["sts:AssumeRoleWithWebIdentity"]
    assert BOUNDARY in json.dumps(role["policies"])
    text = project.run(*command).stdout
    assert "Role payinfra-ci may be assumed as this trust policy says:" in text
    assert "Policy payinfra-ci-1:" in text
    assert json.loads(project.run(*command, "--deploy", "--dry-run", "--format", "json").stdout)["dry_run"]
    made = project.run(*command, "--deploy")
    assert "Did: create role payinfra-ci\n" in made.stdout
    assert "role_arn: arn:aws:iam::000000000000:role/payinfra-ci\n" in made.stdout


def test_each_of_these_calls_says_that_it_prepares_the_account(project: Project, tmp_path: Path) -> None:
    """`make conformance` does not ask the role for CI for what it is not to do."""
    project.environ[RECORD_VARIABLE] = str(tmp_path / "record")
    assert project.run("bootstrap", "--local", "--state-bucket", "our-states").returncode == 0
    assert project.run("ci-role", "--local", "--trust", ME, "--deploy").returncode == 0
    made = [RecordedRequest.of_line(line) for line in RequestRecord(tmp_path / "record")]
    assert {one.service for one in made} >= {"iam", "s3", "kms", "apigateway", "xray"}
    assert [one for one in made if PREPARES_ACCOUNT not in one.headers["user-agent"]] == []
    # The zone of a rehearsal is found and made by calls that the role may make.
    assert project.run("local", "zone", "pay.test").returncode == 0
    questions = PermissionQuestions()
    for line in RequestRecord(tmp_path / "record"):
        questions.take(RecordedRequest.of_line(line))
    assert {one["action"] for one in questions.of_root.values()} >= {"route53:CreateHostedZone"}
    assert questions.refused() == []


def test_a_role_for_one_environment_or_one_kind_is_called_by_it(project: Project) -> None:
    for env, name in (("pr1", "payinfra-ci-pr1"), ("pr-*", "payinfra-ci-pr-.any")):
        done = project.run("ci-role", "--local", "--trust", ME, "--env", env, "--format", "json")
        assert json.loads(done.stdout)["role_name"] == name
    gitlab = project.run("ci-role", "--local", "--gitlab", "g/p", "--gitlab-host", "git.example.com")
    assert "git.example.com:sub" in gitlab.stdout


@pytest.mark.parametrize(
    "who",
    [
        (),
        ("--github", "o/r", "--trust", ME),
        ("--trust", ME, "--subject", "environment:x"),
        ("--github", "o/r", "--gitlab", "g/p"),
    ],
)
def test_whom_to_let_in_must_be_one(project: Project, who: tuple[str, ...]) -> None:
    done = project.run("ci-role", "--local", *who)
    assert done.returncode == 2
    assert "No trusted party was given for the role" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("bad", ["Not A Name", "*", "pr_1", "${x}"])
def test_an_environment_that_cannot_be_is_refused(project: Project, bad: str) -> None:
    done = project.run("ci-role", "--local", "--trust", ME, "--env", bad)
    assert done.returncode == 2
    assert not done.stdout


def test_an_account_that_cannot_be_reached_is_no_account(project: Project) -> None:
    keyless = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), "/nowhere")
    project.environ |= {**keyless, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": ""}
    done = project.run("bootstrap", "--aws")
    assert done.returncode == 4
    assert "No AWS credentials found." in done.stderr

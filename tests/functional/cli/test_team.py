"""An account's environments from the command line, on an embedded AWS where nobody deployed anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.naming import tags
from tests.functional.cli.conftest import Project
from tests.support import embedded


def dynamodb(project: Project) -> Any:
    return embedded.client(project.server, "dynamodb", "us-west-2")


def make_table(project: Project, env: str) -> None:
    """The table of an environment, and nothing else of it."""
    dynamodb(project).create_table(
        TableName=f"payment-{env}-payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in tags(env, owner="me").items()],
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("account"))
    up = project.run("local", "up", "--format", "json")
    assert up.returncode == 0, up.stderr
    make_table(project, "pr9")
    yield project
    project.run("local", "down")


def test_what_somebody_left_half_made_is_found(served: Project) -> None:
    done = served.run("envs", "--local", "--format", "json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["environments"]
    assert (found["environment"], found["owner"], found["state"]) == ("pr9", "me", "partial")
    assert "function in us-west-2" in found["lacks"]
    assert "pr9 lacks: function in us-west-2" in " ".join(served.run("envs", "--local").stdout.split())


def test_without_a_state_it_cannot_be_reaped_and_the_exit_code_says_so(served: Project) -> None:
    dry = served.run("reap", "--local", "--older-than", "0m")
    assert (dry.returncode, "1 cannot be destroyed" in dry.stdout) == (0, True), dry.stderr
    done = served.run("reap", "--local", "--older-than", "0m", "--yes", "--format", "json")
    assert done.returncode == 4
    (end,) = json.loads(done.stdout)["environments"]
    assert (end["fate"], "It has no state in" in end["why"]) == ("failed", True)
    assert "Key=Environment,Values=pr9" in end["next"]


def test_settings_protect_what_the_account_does_not(served: Project) -> None:
    (served.folder / "payinfra.toml").write_text("[environments.pr9]\nprotected = true\n")
    try:
        done = served.run("reap", "--local", "--older-than", "0m", "--yes", "--format", "json")
    finally:
        (served.folder / "payinfra.toml").unlink()
    (end,) = json.loads(done.stdout)["environments"]
    assert (done.returncode, end["fate"], end["why"]) == (0, "kept", "it is protected")


def test_what_does_not_answer_is_unknown_and_not_well(served: Project) -> None:
    fault = ("local", "fault", "inject", "region-blackout", "--region", "us-east-1", "--format", "json")
    injected = json.loads(served.run(*fault).stdout)[0]["id"]
    try:
        # Side by side: each waits for what does not answer.
        reap = served.start("reap", "--local", "--format", "json")
        envs = served.run("envs", "--local", "--format", "json")
        reap.communicate(timeout=120)
    finally:
        served.run("local", "fault", "clear", injected)
    assert reap.returncode == 4
    said = json.loads(envs.stdout)
    assert envs.returncode == 4
    assert said["unknown"][0].startswith("us-east-1: ")
    assert (said["environments"][0]["state"], said["environments"][0]["protection"]) == ("unknown", "unknown")


def test_what_payinfra_would_not_name_so_is_protected(served: Project) -> None:
    make_table(served, "Not_Ours")
    try:
        envs = served.run("envs", "--local", "--format", "json")
    finally:
        dynamodb(served).delete_table(TableName="payment-Not_Ours-payments")
    known = {each["environment"]: each["protection"] for each in json.loads(envs.stdout)["environments"]}
    assert known["Not_Ours"] == "protected"


def test_what_may_not_be_asked_of_others_is_no_concern_of_reap(served: Project) -> None:
    """The role of pull requests may not look at staging, and its nightly job is no failure for that."""
    trust = ("--trust", "arn:aws:iam::000000000000:root")
    made = served.run("ci-role", "--local", "--env", "pr*", *trust, "--deploy", "--format", "json")
    role = ("--assume-role", json.loads(made.stdout)["role_arn"])
    make_table(served, "staging")
    try:
        reaped = served.run("reap", "--local", *role, "--pattern", "pr*", "--format", "json")
        envs = served.run("envs", "--local", *role, "--format", "json")
    finally:
        dynamodb(served).delete_table(TableName="payment-staging-payments")
    assert reaped.returncode == 0, reaped.stdout + reaped.stderr
    why = {each["environment"]: each["why"] for each in json.loads(reaped.stdout)["environments"]}
    assert why == {"pr9": "it is younger", "staging": "its name does not match pr*"}
    assert envs.returncode == 4
    known = {each["environment"]: each["protection"] for each in json.loads(envs.stdout)["environments"]}
    assert known["staging"] in ("unknown", "protected")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("envs", "--local"), 4, "payinfra local up"),
        (("reap", "--local", "--older-than", "soon"), 2, "3d"),
        (("rotate-key", "--env", "pr1", "--local", "--finish", "--status"), 2, "do not go together"),
        (("rotate-key", "--env", "pr1", "--local"), 2, "--yes"),
        (("rotate-key", "--env", "pr1", "--local", "--status"), 4, "payinfra deploy --env pr1 --local"),
        (("rotate-key", "--env", "pr1", "--local", "--yes"), 4, "payinfra deploy --env pr1 --local"),
    ],
)
def test_what_cannot_be_done_says_the_next_step(
    project: Project, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = project.run(*arguments)
    assert done.returncode == code
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_account_without_credentials_is_said_to_be_one(project: Project, tmp_path: Path) -> None:
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "none")}
    project.environ |= {**nobody, "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    done = project.run("envs", "--aws")
    assert done.returncode == 4
    assert "AWS_PROFILE" in done.stderr

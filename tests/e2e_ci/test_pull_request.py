"""A pull request's life under the CI role, with IAM enforced: each test is a step, in this order."""

import json

import pytest

from tests.e2e_ci.conftest import ENV, ROLE, Account
from tests.support.project import Done


def test_an_account_is_bootstrapped_once(account: Account) -> None:
    wanted = ("--state-bucket", "our-states", "--with-boundary", "--drills")
    command = ("bootstrap", "--local", *wanted, "--format", "json")
    first = account.project.run(*command)
    assert first.returncode == 0, first.stderr
    assert "create bucket our-states in us-east-1" in json.loads(first.stdout)["changes"]
    again = account.project.run(*command)
    assert json.loads(again.stdout)["changes"] == []


def test_the_deploy_role_is_made_once(account: Account) -> None:
    first = account.ci_role()
    assert first.returncode == 0, first.stderr
    assert "create role payinfra-ci" in json.loads(first.stdout)["changes"]
    assert json.loads(account.ci_role().stdout)["changes"] == []


def test_it_deploys(account: Account) -> None:
    done = account.as_ci("deploy", "--yes")
    assert done.returncode == 0, done.stderr


def test_it_verifies_and_finds_no_drift(account: Account) -> None:
    done = account.as_ci("verify", "--drift", "--format", "json")
    assert done.returncode == 0, done.stdout
    summary = json.loads(done.stdout)["summary"]
    assert summary["PASS"] > 70
    assert summary["FAIL"] == summary["ERROR"] == summary["UNKNOWN"] == 0


def test_it_adopts_an_environment_whose_state_is_lost(account: Account) -> None:
    state = account.project.folder / ".payinfra" / "local" / ENV / "terraform.tfstate"
    state.unlink()
    with account.without("WithoutResource", "tag:GetResources"):
        unknown = account.as_ci("deploy", "--yes")
    assert unknown.returncode == 4, unknown.stderr
    assert f"does not say what exists of environment {ENV}" in unknown.stderr
    assert "tag:GetResources" in unknown.stderr
    refused = account.as_ci("deploy", "--yes")
    assert refused.returncode == 4, refused.stderr
    assert f"payinfra adopt --env {ENV} --local" in refused.stderr
    adopted = account.as_ci("adopt", "--yes", "--format", "json")
    assert adopted.returncode == 0, adopted.stderr + adopted.stdout
    assert not json.loads(adopted.stdout)["plan"]["has_changes"]


@pytest.mark.parametrize(
    ("sid", "action"),
    [("Tables", "dynamodb:Query"), ("HealthChecks", "route53:GetHealthCheckStatus")],
)
def test_verify_misses_a_permission_that_it_has_not(account: Account, sid: str, action: str) -> None:
    with account.without(sid, action):
        done = account.as_ci("verify")
    assert done.returncode == 1
    assert f"the caller lacks {action}" in done.stdout


def test_deploy_misses_a_permission_that_it_has_not(account: Account) -> None:
    with account.without("Functions", "lambda:UpdateFunctionConfiguration"):
        done = account.as_ci("deploy", "--yes", "--lambda-timeout-s", "50")
    assert done.returncode == 3
    assert "AWS denies a permission: lambda:UpdateFunctionConfiguration" in done.stderr


def test_it_deploys_a_change(account: Account) -> None:
    done = account.as_ci("deploy", "--yes", "--lambda-timeout-s", "50")
    assert done.returncode == 0, done.stderr
    assert "0 to add" in done.stdout


def test_it_drills(account: Account) -> None:
    quick = ("--time-scale", "10", "--warm-up", "2", "--hold", "2", "--in-a-row", "5")
    done = account.as_ci(
        "failover-drill", "--yes", "--scenario", "lambda-throttle", *quick, "--format", "json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["resilience"], report["restored"]) == ("PASS", "PASS")


def test_it_gives_the_api_another_key_beside_the_one_in_use_then_removes_that(account: Account) -> None:
    old = account.api_key("us-east-1")
    begun = account.as_ci("rotate-key", "--yes", "--format", "json")
    assert begun.returncode == 0, begun.stderr
    assert json.loads(begun.stdout)["stage"] == "overlap"
    new = account.api_key("us-east-1")
    assert account.api_key("us-west-2") == new != old
    assert (account.answers(old), account.answers(new)) == ([404, 404], [404, 404])
    finished = account.as_ci("rotate-key", "--finish", "--yes", "--format", "json")
    assert finished.returncode == 0, finished.stderr
    assert set(json.loads(finished.stdout)["removed"]) == {"us-east-1", "us-west-2"}
    assert (account.answers(old), account.answers(new)) == ([403, 403], [404, 404])


def test_destroy_that_misses_a_permission_ends_half_way(account: Account) -> None:
    with account.without("Tables", "dynamodb:DeleteTable"):
        done = account.as_ci("destroy", "--yes")
    assert done.returncode == 3
    assert "AWS denies a permission: dynamodb:DeleteTable" in done.stderr
    assert environments(account)[ENV]["state"] == "partial"


def test_reap_throws_away_what_is_left(account: Account) -> None:
    rule = ("--older-than", "0m", "--pattern", "pr*", "--format", "json")
    would = account.project.run("reap", "--local", "--assume-role", ROLE, *rule)
    assert fates(would) == {ENV: "stale"}, would.stderr
    done = account.project.run("reap", "--local", "--assume-role", ROLE, *rule, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert fates(done) == {ENV: "destroyed"}
    assert environments(account) == {}


def environments(account: Account) -> dict[str, dict[str, str]]:
    """What the role sees of the account's environments, by name."""
    done = account.project.run("envs", "--local", "--assume-role", ROLE, "--format", "json")
    assert done.returncode == 0, done.stderr
    return {each["environment"]: each for each in json.loads(done.stdout)["environments"]}


def fates(done: Done) -> dict[str, str]:
    """What became of each environment."""
    return {each["environment"]: each["fate"] for each in json.loads(done.stdout)["environments"]}

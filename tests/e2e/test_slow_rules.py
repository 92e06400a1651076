"""A deployment where AWS takes its time: keys, tags and log lines come late, and the account is new."""

import json
import time
from collections.abc import Iterator

import pytest

from payinfra.core.naming import Names
from tests.e2e.conftest import Project
from tests.support.embedded import client

ENV = "slow"
WHERE = ("--env", ENV, "--local")
LATE_S = 8
REGION = "us-east-1"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """An embedded AWS with every rule on."""
    project = Project(tmp_path_factory.mktemp("slow"), measured=False)
    try:
        assert project.run("local", "up").returncode == 0
        delays = ("api-key-delay=40", "key-tag-delay=60", f"access-log-delay={LATE_S}")
        shown = project.run("local", "rules", *delays, "account-concurrency=10", "--format", "json")
        assert json.loads(shown.stdout)["api-key-delay"] == 40
        yield project
    finally:
        project.run("local", "down")


def groups(project: Project) -> list[str]:
    logs = client(project.server, "logs", REGION)
    return [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]


def test_a_concurrency_that_a_new_account_has_no_room_for_is_refused_before_anything_is_made(
    slow: Project,
) -> None:
    refused = slow.run("deploy", *WHERE, "--yes", "--reserved-concurrency", "5")
    assert refused.returncode == 4, refused.stderr
    assert "reserving 5 would leave 5 unreserved, and Lambda keeps 10" in " ".join(refused.stderr.split())
    assert groups(slow) == []


def test_it_is_deployed_and_destroyed_all_the_same(slow: Project) -> None:
    """Also while nobody has confirmed the address that alarms go to, which is said."""
    client(slow.server, "logs", REGION).create_log_group(logGroupName=Names(ENV).access_log_group)
    done = slow.run("deploy", *WHERE, "--yes", "--alarm-email", "oncall@example.com")
    assert done.returncode == 0, done.stderr
    assert "Removed log groups that late lines had made again" in done.stderr
    assert f"oncall@example.com has not confirmed yet in {REGION}: no alarm reaches it" in done.stdout
    (kept,) = (
        one
        for one in client(slow.server, "logs", REGION).describe_log_groups()["logGroups"]
        if one["logGroupName"] == Names(ENV).access_log_group
    )
    assert kept["retentionInDays"] == 7
    gone = slow.run("destroy", *WHERE, "--yes")
    assert gone.returncode == 0, gone.stderr
    time.sleep(LATE_S)  # the last line has come by now
    assert not [name for name in groups(slow) if ENV in name or "API-Gateway" in name]

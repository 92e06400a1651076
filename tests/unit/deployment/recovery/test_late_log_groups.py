"""Log groups that late lines have made again: known by what they lack, and removed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.deployment.recovery.late_log_groups import LateLogGroups
from tests.support.clocks import SetClock

EAST, WEST = "us-east-1", "us-west-2"
ACCESS = "/aws/apigateway/a/access"


def group(name: str, **more: Any) -> dict[str, Any]:
    return {"logGroupName": name, "arn": f"arn:aws:logs:r:0:log-group:{name}:*", **more}


@dataclass
class Logs:
    """CloudWatch Logs in one region."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    refuses: str = ""

    def get_paginator(self, operation: str) -> "Logs":
        assert operation == "describe_log_groups"
        return self

    def paginate(self, *, logGroupNamePrefix: str) -> Iterator[Mapping[str, Any]]:
        if self.refuses == "list":
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "DescribeLogGroups")
        for one in tuple(self.groups):  # a page each
            if one["logGroupName"].startswith(logGroupNamePrefix):
                yield {"logGroups": [one]}

    def list_tags_for_resource(self, *, resourceArn: str) -> Mapping[str, Any]:
        assert not resourceArn.endswith("*")
        return {"tags": self.tags.get(resourceArn.rpartition(":")[2], {})}

    def delete_log_group(self, *, logGroupName: str) -> None:
        self.deleted.append(logGroupName)
        self.groups = [one for one in self.groups if one["logGroupName"] != logGroupName]
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses}}, "DeleteLogGroup")


class Account(Aws):
    """An account with logs in two regions."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "regions", {EAST: Logs(), WEST: Logs()})

    regions: dict[str, Logs]

    def client(self, service: str, region: str) -> Any:
        assert service == "logs"
        return self.regions[region]


def late(account: Account, clock: SetClock | None = None) -> LateLogGroups:
    time = clock or SetClock()
    names = {EAST: [ACCESS, "/other"], WEST: [ACCESS]}
    return LateLogGroups(account, names, sleep=time.wait, clock=time.elapsed)


def test_only_a_group_without_tags_retention_and_key_goes() -> None:
    account = Account()
    east, west = account.regions.values()
    east.groups = [
        group(f"{ACCESS}-of-another"),
        group(ACCESS),
        group("/other", retentionInDays=7),
    ]
    west.groups = [group(ACCESS)]
    west.tags[ACCESS] = {"Environment": "a"}
    assert late(account).remove() == (f"{ACCESS} in {EAST}",)
    assert (east.deleted, west.deleted) == ([ACCESS], [])
    west.tags.clear()
    west.groups = [group(ACCESS, kmsKeyId="k")]
    assert late(account).remove() == ()


def test_lines_that_come_while_it_waits_are_waited_for() -> None:
    account, clock = Account(), SetClock()
    lines = iter([False, True, False, True])

    def sleep(seconds: float) -> None:
        clock.wait(seconds)
        if next(lines, False):
            account.regions[WEST].groups = [group(ACCESS)]

    groups = LateLogGroups(account, {WEST: [ACCESS]}, sleep=sleep, clock=clock.elapsed)
    assert groups.remove(within_s=9.0) == (f"{ACCESS} in {WEST}",)
    assert account.regions[WEST].deleted == [ACCESS, ACCESS]


def test_a_group_that_somebody_else_deletes_first_is_gone_too() -> None:
    account = Account()
    account.regions[EAST].groups = [group(ACCESS)]
    account.regions[EAST].refuses = "ResourceNotFoundException"
    assert late(account).remove() == (f"{ACCESS} in {EAST}",)


@pytest.mark.parametrize("refused", ["list", "AccessDeniedException"])
def test_what_aws_does_not_let_look_for_or_delete_is_said(refused: str) -> None:
    account = Account()
    account.regions[EAST].groups = [group(ACCESS)]
    account.regions[EAST].refuses = refused
    with pytest.raises(EnvironmentUnusable, match="late lines") as caught:
        late(account).remove()
    assert "logs:DeleteLogGroup" in caught.value.hint

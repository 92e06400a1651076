"""Each replica of the table is protected by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.deployment.deletion_protection import DeletionProtection

REGIONS = ("us-east-1", "us-west-2")


@dataclass
class Table:
    """A replica in one region; what it answers to DescribeTable after a change, before it is active."""

    protected: bool
    updating: int = 0
    changes: list[bool] = field(default_factory=list)
    error: str = ""

    def describe_table(self, **_parameters: str) -> Mapping[str, Any]:
        if self.error:
            raise ClientError({"Error": {"Code": self.error}}, "DescribeTable")
        busy = self.updating > 0
        self.updating -= 1
        status = "UPDATING" if busy else "ACTIVE"
        return {"Table": {"DeletionProtectionEnabled": self.protected, "TableStatus": status}}

    def update_table(self, *, TableName: str, DeletionProtectionEnabled: bool) -> None:
        assert TableName == "payments"
        assert self.updating < 0, "AWS refuses a change of a table that is not active"
        self.changes.append(DeletionProtectionEnabled)
        self.protected, self.updating = DeletionProtectionEnabled, 3


@dataclass(frozen=True)
class Account(Aws):
    """Tables by region."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Any:
        assert service == "dynamodb"
        return self.tables[region]


def protection(*tables: Table) -> DeletionProtection:
    account = Account(tables=dict(zip(REGIONS, tables, strict=True)))
    return DeletionProtection(account, "payments", REGIONS, sleep=lambda _seconds: None)


@pytest.mark.parametrize("wanted", [True, False])
def test_only_the_region_where_it_is_otherwise_is_changed(wanted: bool) -> None:
    here, there = Table(wanted), Table(not wanted, updating=2)
    assert protection(here, there).set(wanted) == ("us-west-2",)
    assert (here.changes, there.changes) == ([], [wanted])
    assert there.updating < 0, "it is waited for"


def test_a_table_that_is_not_there_needs_no_protection() -> None:
    assert protection(Table(True), Table(False, error="ResourceNotFoundException")).set(True) == ()


def test_what_dynamodb_refuses_is_said_with_what_to_allow() -> None:
    with pytest.raises(EnvironmentUnusable, match="turned on in every region") as caught:
        protection(Table(True), Table(False, error="AccessDeniedException")).set(True)
    assert "dynamodb:UpdateTable" in caught.value.hint

"""An account in memory: resources as AWS lists them by tag, and what they say of themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.account.environments.model import (
    Cost,
    Environment,
    EnvironmentInventory,
    Protection,
    State,
    TaggedResource,
)
from payinfra.account.environments.tagged_resources import resource
from payinfra.clients.aws import Aws
from payinfra.core.naming import tags

NOW = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)
ACCOUNT = "123456789012"
REGIONS = ("us-east-1", "us-west-2")


def refused(operation: str = "GetResources") -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, operation)


def arns(env: str, region: str, suffix: str = "") -> tuple[str, ...]:
    """What a deployment makes in a region, and carries tags."""
    return (
        *(f"arn:aws:kms:{region}:{ACCOUNT}:key/{env}{suffix}-{region}-{number}" for number in range(3)),
        f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/payment-{env}-payments",
        f"arn:aws:lambda:{region}:{ACCOUNT}:function:payment-{env}-payments",
        f"arn:aws:apigateway:{region}::/restapis/{env}api",
        f"arn:aws:apigateway:{region}::/restapis/{env}api/stages/prod",
        f"arn:aws:s3:::payment-{env}-audit-{region}-{ACCOUNT}",
        f"arn:aws:sns:{region}:{ACCOUNT}:payment-{env}-alarms",
        f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:payment-{env}-errors",
        f"arn:aws:logs:{region}:{ACCOUNT}:log-group:/aws/lambda/payment-{env}-payments",
        f"arn:aws:ssm:{region}:{ACCOUNT}:parameter/payment-{env}/api-key",
    )


@dataclass
class Client:
    """One service in one region of the account."""

    account: "Account"
    region: str

    def get_paginator(self, operation: str) -> "Client":
        assert operation == "get_resources"
        return self

    def paginate(self, TagFilters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        assert TagFilters == [{"Key": "Project", "Values": ["payment-infrastructure"]}]
        if self.region in self.account.silent:
            raise refused()
        for arn, tagged in self.account.listed.get(self.region, {}).items():
            entries = [{"Key": key, "Value": value} for key, value in tagged.items()]
            yield {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": entries}]}

    def _may_ask(self, name: str) -> None:
        if name in self.account.deleted:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Describe")
        if name in self.account.refusing:
            raise refused("Describe")

    def describe_key(self, KeyId: str) -> dict[str, Any]:
        self._may_ask(KeyId)
        state = "PendingDeletion" if KeyId in self.account.departing else "Enabled"
        return {"KeyMetadata": {"CreationDate": self.account.born, "KeyState": state}}

    def describe_table(self, TableName: str) -> dict[str, Any]:
        self._may_ask(TableName)
        made = self.account.born + timedelta(minutes=1)
        kept = TableName in self.account.protected
        return {"Table": {"CreationDateTime": made, "DeletionProtectionEnabled": kept}}

    def describe_continuous_backups(self, TableName: str) -> dict[str, Any]:
        status = {"PointInTimeRecoveryStatus": "ENABLED"}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": status}}

    def get_rest_api(self, restApiId: str) -> dict[str, Any]:
        return {"id": restApiId}


@dataclass
class Account:
    """What is where.

    Attributes:
        listed: by region, the ARNs that AWS lists there, each with its tags.
        silent: regions that refuse to list anything.
        refusing: names of resources that may not be described.
        deleted: names of resources that are listed and not there any more.
        departing: ids of keys that wait to be deleted.
        protected: names of tables that refuse to be deleted.
    """

    listed: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)
    departing: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    protected: set[str] = field(default_factory=set)
    born: datetime = NOW - timedelta(days=5)

    def add(self, region: str, arn: str, tagged: dict[str, str]) -> None:
        self.listed.setdefault(region, {})[arn] = tagged

    def deploy(self, env: str, regions: tuple[str, ...] = REGIONS, owner: str | None = None) -> None:
        """A whole environment."""
        for region in regions:
            for arn in arns(env, region):
                self.add(region, arn, tags(env, owner=owner))
            check = {**tags(env, owner=owner), "Name": f"payment-{env}-health-{region}"}
            self.add("us-east-1", f"arn:aws:route53:::healthcheck/{env}-{region}", check)
        self.add("us-east-1", f"arn:aws:route53:::hostedzone/Z{env.upper()}", tags(env, owner=owner))

    def remove(self, region: str, part: str) -> None:
        """Everything in a region whose ARN has this in it."""
        self.listed[region] = {arn: tagged for arn, tagged in self.listed[region].items() if part not in arn}


@dataclass(frozen=True)
class FakeAws(Aws):
    """Clients of an account in memory."""

    of: Account = field(default_factory=Account)

    def client(self, service: str, region: str) -> Client:
        return Client(self.of, region)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def aws(account: Account) -> FakeAws:
    return FakeAws(of=account)


def there(arn: str, env: str = "pr1", **more: str) -> TaggedResource:
    """A resource as it is listed in us-east-1."""
    return resource(arn, {**tags(env), **more}, "us-east-1")


def environment(
    name: str = "pr1",
    *,
    protection: Protection = Protection.EPHEMERAL,
    age: timedelta | None = timedelta(days=5),
    unknown: tuple[str, ...] = (),
) -> Environment:
    return Environment(
        name=name,
        owner="team",
        regions=REGIONS,
        state=State.COMPLETE,
        lacks=(),
        protection=protection,
        born=None if age is None else NOW - age,
        resources=75,
        costs=(Cost("keys", 6),),
        unknown=unknown,
    )


def inventory_of(*environments: Environment, unknown: tuple[str, ...] = ()) -> EnvironmentInventory:
    return EnvironmentInventory(ACCOUNT, "aws", REGIONS, environments, 0, unknown)

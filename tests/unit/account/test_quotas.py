"""What an account has room for, before anything is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from payinfra.account.quotas import is_new, require_concurrency, require_room
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import Names
from payinfra.core.settings import Settings, Target
from payinfra.deployment.dependencies import account_is_ready

EAST, WEST = "us-east-1", "us-west-2"
NAMES = Names("pr1")


def error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@dataclass
class Client:
    """Every service in one region."""

    total: int = 1000
    unreserved: int = 1000
    own: int | None = None
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    roles: tuple[int, int] = (10, 1000)
    table: bool = False
    apis: Mapping[str, int] = field(default_factory=dict)
    domains: Mapping[str, int] = field(default_factory=dict)
    quotas: Mapping[str, float] = field(default_factory=lambda: {"L-AA0FF27B": 600.0, "L-A93447B8": 120.0})
    fails: Mapping[str, Exception] = field(default_factory=dict)

    def _said(self, operation: str, answer: Any) -> Any:
        if operation in self.fails:
            raise self.fails[operation]
        return answer

    def get_account_settings(self) -> Any:
        limit = {"ConcurrentExecutions": self.total, "UnreservedConcurrentExecutions": self.unreserved}
        return self._said("GetAccountSettings", {"AccountLimit": limit})

    def get_function_concurrency(self, *, FunctionName: str) -> Any:
        if self.own is None:
            raise error("ResourceNotFoundException", FunctionName)
        return {"ReservedConcurrentExecutions": self.own}

    def get_account(self) -> Any:
        return {"cloudwatchRoleArn": "arn:aws:iam::123456789012:role/logs"}

    def get_account_limit(self, *, Type: str) -> Any:
        used, limit = self.counts.get(Type, (0, 500))
        return self._said("GetAccountLimit", {"Count": used, "Limit": {"Type": Type, "Value": limit}})

    def get_account_summary(self) -> Any:
        return {"SummaryMap": {"Roles": self.roles[0], "RolesQuota": self.roles[1]}}

    def get_paginator(self, operation: str) -> "Pages":
        kinds = self.apis if operation == "get_rest_apis" else self.domains
        found = [{"endpointConfiguration": {"types": [kind]}} for kind, n in kinds.items() for _ in range(n)]
        # In two pages, as AWS answers more than 25.
        return Pages([{"items": found[:25]}, {"items": found[25:]}])

    def get_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> Any:
        if QuotaCode not in self.quotas:
            raise error("NoSuchResourceException", "GetServiceQuota")
        return self._said("GetServiceQuota", {"Quota": {"Value": self.quotas[QuotaCode]}})

    def get_aws_default_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> Any:
        return {"Quota": {"Value": {"L-AA0FF27B": 600.0, "L-A93447B8": 120.0}[QuotaCode]}}

    def describe_table(self, **_table: str) -> None:
        self._said("DescribeTable", None)
        if not self.table:
            raise error("ResourceNotFoundException", "DescribeTable")


@dataclass(frozen=True)
class Pages:
    """A list, page by page."""

    pages: list[Any]

    def paginate(self) -> list[Any]:
        return self.pages


@dataclass(frozen=True)
class Account(Aws):
    """Clients by region."""

    clients: Mapping[str, Client] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Any:
        return self.clients[region]


def account(here: Client, there: Client | None = None) -> Account:
    return Account(clients={EAST: here, WEST: there or Client()})


def concurrency(reserved: int | None, here: Client, there: Client | None = None) -> None:
    require_concurrency(account(here, there), NAMES, (EAST, WEST), reserved)


@pytest.mark.parametrize(
    ("reserved", "client"),
    [
        (None, Client(10, 10)),
        (900, Client()),
        (900, Client(unreserved=100, own=900)),
        (50, Client(unreserved=120, own=40)),
    ],
)
def test_what_the_account_has_room_for_can_be_reserved(reserved: int | None, client: Client) -> None:
    concurrency(reserved, client)


@pytest.mark.parametrize(
    ("reserved", "client", "said"),
    [
        (1, Client(10, 10), "runs 10 Lambda functions at once in us-east-1: reserving 1 would leave 9"),
        (901, Client(), "would leave 99 unreserved, and Lambda keeps 100"),
        (50, Client(unreserved=110, own=39), "would leave 99"),
    ],
)
def test_what_it_has_no_room_for_is_refused_with_a_way_to_have_more(
    reserved: int, client: Client, said: str
) -> None:
    with pytest.raises(EnvironmentUnusable, match=said) as caught:
        concurrency(reserved, client)
    assert "--quota-code L-B99A9384" in caught.value.hint


def test_each_region_has_its_own_concurrency() -> None:
    with pytest.raises(EnvironmentUnusable, match="us-west-2"):
        concurrency(5, Client(), Client(10, 10))


def test_a_concurrency_that_cannot_be_read_is_not_enough() -> None:
    refused = Client(fails={"GetAccountSettings": error("AccessDeniedException", "GetAccountSettings")})
    with pytest.raises(EnvironmentUnusable, match="does not say") as caught:
        concurrency(5, refused)
    assert "lambda:GetAccountSettings" in caught.value.hint


def room(client: Client, *, own_zone: bool = True) -> str:
    return require_room(account(client), NAMES, (EAST, WEST), own_zone=own_zone)


def test_a_new_environment_fits_in_where_there_is_room() -> None:
    assert room(Client()) == ""
    assert is_new(account(Client()), NAMES, EAST)


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (Client(counts={"MAX_HEALTH_CHECKS_BY_OWNER": (195, 200)}), "195 of at most 200 health checks"),
        (Client(counts={"MAX_HOSTED_ZONES_BY_OWNER": (500, 500)}), "500 of at most 500 hosted zones"),
        (Client(roles=(997, 1000)), "997 of at most 1000 IAM roles, and an environment needs 4"),
    ],
)
def test_one_that_does_not_fit_in_is_refused(client: Client, said: str) -> None:
    with pytest.raises(EnvironmentUnusable, match=said) as caught:
        room(client)
    assert "Service Quotas" in caught.value.hint
    client.table = True
    assert room(client) == "", "one that is there already takes no more"


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (Client(roles=(997, 1000)), "997 of at most 1000 IAM roles"),
        (Client(apis={"REGIONAL": 600}), "600 of at most 600 Regional APIs in us-east-1"),
    ],
)
def test_a_deployment_to_aws_asks_for_room_before_anything_is_made(client: Client, said: str) -> None:
    settings = Settings(env="pr1", target=Target.AWS)
    assert account_is_ready(account(Client()), settings) == "API Gateway may write logs"
    with pytest.raises(EnvironmentUnusable, match=said):
        account_is_ready(account(client), settings)


def test_a_zone_of_a_customer_s_own_takes_none_of_the_account_s() -> None:
    assert room(Client(counts={"MAX_HOSTED_ZONES_BY_OWNER": (500, 500)}), own_zone=False) == ""


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (Client(apis={"REGIONAL": 600}), "600 of at most 600 Regional APIs in us-west-2, and .* needs 1"),
        (Client(domains={"REGIONAL": 60, "EDGE": 59}), "119 of at most 120 custom domain names in us-west-2"),
        (Client(domains={"EDGE": 119}, quotas={}), "119 of at most 120 custom domain names in us-west-2"),
        (Client(domains={"EDGE": 4}, quotas={"L-AA0FF27B": 1, "L-A93447B8": 5}), "4 of at most 5 custom"),
    ],
)
def test_api_gateway_has_quotas_in_each_region(client: Client, said: str) -> None:
    with pytest.raises(EnvironmentUnusable, match=said):
        require_room(account(Client(), client), NAMES, (EAST, WEST), own_zone=False)


@pytest.mark.parametrize(
    ("client", "own_zone"),
    [
        (Client(apis={"REGIONAL": 599, "PRIVATE": 30, "EDGE": 30}), False),
        (Client(domains={"REGIONAL": 118, "PRIVATE": 40}), False),
        (Client(domains={"REGIONAL": 120}), True),
    ],
)
def test_what_counts_for_another_quota_takes_none_of_these(client: Client, own_zone: bool) -> None:
    assert room(client, own_zone=own_zone) == ""


def test_quotas_of_api_gateway_that_may_not_be_asked_are_said_once_and_stop_nobody() -> None:
    denied = Client(fails={"GetServiceQuota": error("AccessDeniedException", "GetServiceQuota")})
    both = account(denied, denied)
    said = "API Gateway's quotas are not known (AccessDeniedException)"
    assert require_room(both, NAMES, (EAST, WEST), own_zone=False) == said
    denied.roles = (997, 1000)
    with pytest.raises(EnvironmentUnusable, match="997 of at most 1000 IAM roles"):
        require_room(both, NAMES, (EAST, WEST), own_zone=False)


def test_quotas_that_may_not_be_asked_are_said_and_stop_nobody() -> None:
    denied = Client(fails={"GetAccountLimit": error("AccessDenied", "GetAccountLimit")})
    assert room(denied) == "the account's quotas were not asked (AccessDenied)"


@pytest.mark.parametrize(
    "fails",
    [
        {"GetAccountLimit": error("InternalError", "GetAccountLimit")},
        {"GetServiceQuota": error("ServiceException", "GetServiceQuota")},
        {"DescribeTable": EndpointConnectionError(endpoint_url="https://x")},
    ],
)
def test_an_account_that_does_not_answer_is_said(fails: Mapping[str, Exception]) -> None:
    with pytest.raises(EnvironmentUnusable, match="does not say what the account has room for"):
        room(Client(fails=fails))

"""What exists of an environment is found by tag and by name, and nothing is taken for it that is gone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from payinfra.account.environments.model import TaggedResource
from payinfra.account.environments.tagged_resources import resource
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import tags
from payinfra.deployment.recovery.discovery import (
    LONGEST_PAUSE_S,
    READS,
    Whereabouts,
    existing,
    identifiers,
    only_keys,
    remaining,
)
from tests.support.clocks import SetClock

ACCOUNT = "000000000000"
REGIONS = ("us-east-1", "us-west-2")
WHERE = Whereabouts("a", ACCOUNT, REGIONS)
EMPTY: Mapping[str, Mapping[str, Any]] = {
    "get_resources": {"ResourceTagMappingList": []},
    "list_aliases": {"Aliases": []},
    "describe_log_groups": {"logGroups": []},
    "describe_alarms": {"MetricAlarms": []},
    "get_rest_apis": {"items": []},
    "get_api_keys": {"items": []},
    "get_usage_plans": {"items": []},
    "get_domain_names": {},
    "get_parameters": {"Parameters": []},
    "list_buckets": {"Buckets": []},
    "list_hosted_zones_by_name": {"HostedZones": []},
    "list_certificates": {"CertificateSummaryList": []},
}
"""What AWS answers where there is nothing; everything else it says is absent."""


def error(code: str, operation: str = "Read") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


@dataclass
class Client:
    """One service in one region."""

    account: "Account"
    service: str
    region: str
    operation: str = ""

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            return self.account.answer(self.region, operation, parameters)

        return call

    def get_paginator(self, operation: str) -> "Client":
        return Client(self.account, self.service, self.region, operation)

    def paginate(self, **parameters: Any) -> Iterator[Any]:
        yield self.account.answer(self.region, self.operation, parameters)


@dataclass(frozen=True)
class Account(Aws):
    """An AWS in memory: what it answers, by region and operation."""

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def client(self, service: str, region: str) -> Any:
        return Client(self, service, region)

    def answer(self, region: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        self.asked.append((region, operation))
        found = self.answers.get(
            (region, operation), EMPTY.get(operation, error("ResourceNotFoundException"))
        )
        answer = found(**parameters) if callable(found) else found
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lists(self, region: str, *arns: str, env: str = "a") -> None:
        """Let the tagging API list these."""
        pairs = [{"Key": name, "Value": value} for name, value in tags(env).items()]
        listed = [{"ResourceARN": arn, "Tags": pairs} for arn in arns]
        self.answers[region, "get_resources"] = {"ResourceTagMappingList": listed}


@pytest.fixture
def account() -> Account:
    return Account()


def arns(found: tuple[TaggedResource, ...]) -> list[str]:
    return [one.arn for one in found]


def test_where_there_is_nothing_nothing_is_found(account: Account) -> None:
    assert existing(account, WHERE) == ()


def test_the_tagging_api_is_asked_for_the_environment_only(account: Account) -> None:
    asked: list[Any] = []

    def get_resources(TagFilters: Any) -> Any:
        asked.append(TagFilters)
        return EMPTY["get_resources"]

    account.answers["us-east-1", "get_resources"] = get_resources
    existing(account, WHERE)
    assert asked == [
        [
            {"Key": "Project", "Values": ["payment-infrastructure"]},
            {"Key": "Environment", "Values": ["a"]},
        ]
    ]


def test_where_health_metrics_are_is_asked_by_tag_as_well(account: Account) -> None:
    existing(account, Whereabouts("a", ACCOUNT, ("eu-west-1", "eu-central-1")))
    assert [each for each in account.asked if each[0] == "us-east-1"] == [("us-east-1", "get_resources")]


def test_a_region_that_the_embedded_aws_does_not_serve_has_nothing() -> None:
    served = Account(Endpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:2"))
    existing(served, WHERE)
    assert {region for region, _ in served.asked} == {"us-east-1"}


NAMED: Mapping[str, tuple[str, Any]] = {
    "arn:aws:dynamodb:us-east-1:0:table/payment-a-payments": (
        "describe_table",
        {"Table": {"TableArn": "arn:aws:dynamodb:us-east-1:0:table/payment-a-payments"}},
    ),
    "arn:aws:lambda:us-east-1:0:function:payment-a-payments": (
        "get_function_configuration",
        {"FunctionArn": "arn:aws:lambda:us-east-1:0:function:payment-a-payments"},
    ),
    "arn:aws:ssm:us-east-1:0:parameter/payment-a/api-key": (
        "get_parameters",
        {"Parameters": [{"ARN": "arn:aws:ssm:us-east-1:0:parameter/payment-a/api-key"}]},
    ),
    "arn:aws:kms:us-east-1:0:alias/payment-a-data": (
        "list_aliases",
        {
            "Aliases": [
                {"AliasName": name, "AliasArn": f"arn:aws:kms:us-east-1:0:{name}"}
                for name in ("alias/payment-a-b-data", "alias/payment-a-data")
            ]
        },
    ),
    "arn:aws:logs:us-east-1:0:log-group:/aws/lambda/payment-a-payments": (
        "describe_log_groups",
        {
            "logGroups": [
                {
                    "logGroupName": name,
                    "arn": f"arn:aws:logs:us-east-1:0:log-group:{name}:*",
                    "retentionInDays": 7,
                }
                for name in ("/aws/lambda/payment-a-payments", "/aws/lambda/payment-a-payments-2")
            ]
        },
    ),
    f"arn:aws:sns:us-east-1:{ACCOUNT}:payment-a-alarms": ("get_topic_attributes", {}),
    "arn:aws:apigateway:us-east-1::/restapis/r": (
        "get_rest_apis",
        {"items": [{"id": "r", "name": "payment-a-api"}, {"id": "q", "name": "payment-a-b-api"}]},
    ),
    "arn:aws:apigateway:us-east-1::/apikeys/k": (
        "get_api_keys",
        {"items": [{"id": "k", "name": "payment-a-client-former"}, {"id": "l", "name": "payment-a-clients"}]},
    ),
    "arn:aws:apigateway:us-east-1::/usageplans/p": (
        "get_usage_plans",
        {"items": [{"id": "p", "name": "payment-a-plan"}, {"id": "o", "name": "other"}]},
    ),
    f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/payment-a-overview-us-east-1": ("get_dashboard", {}),
    f"arn:aws:s3:::payment-a-audit-us-west-2-{ACCOUNT}": (
        "list_buckets",
        {"Buckets": [{"Name": f"payment-a-audit-us-west-2-{ACCOUNT}"}, {"Name": "payment-a-audit"}, {}]},
    ),
    "arn:aws:iam::0:role/payment-a-function-us-east-1": (
        "get_role",
        lambda RoleName: (
            {"Role": {"Arn": f"arn:aws:iam::0:role/{RoleName}"}}
            if RoleName == "payment-a-function-us-east-1"
            else error("NoSuchEntity")
        ),
    ),
    "arn:aws:route53:::hostedzone/Z1": (
        "list_hosted_zones_by_name",
        {
            "HostedZones": [
                {"Id": "/hostedzone/Z1", "Name": "payment-a.internal."},
                {"Id": "/hostedzone/Z2", "Name": "payment-b.internal."},
            ]
        },
    ),
}


@pytest.mark.parametrize("arn", NAMED)
def test_what_has_a_derived_name_is_found_without_tags(account: Account, arn: str) -> None:
    operation, answer = NAMED[arn]
    account.answers["us-east-1", operation] = answer
    assert arns(existing(account, WHERE)) == [arn]


@pytest.mark.parametrize("worn", [{}, {"Owner": "us"}])
def test_a_log_group_that_a_late_line_made_again_is_nobody_s(
    account: Account, worn: Mapping[str, str]
) -> None:
    """It has no tags, no retention and no key: nothing by which it would be the environment's."""
    arn = "arn:aws:logs:us-east-1:0:log-group:/aws/apigateway/payment-a-payments"
    name = WHERE.names.access_log_group
    account.answers["us-east-1", "describe_log_groups"] = {
        "logGroups": [{"logGroupName": name, "arn": f"{arn}:*"}]
    }
    account.answers["us-east-1", "list_tags_for_resource"] = {"tags": worn}
    assert arns(existing(account, WHERE)) == ([arn] if worn else [])


def test_records_in_the_zone_of_a_domain_are_found_by_name(account: Account) -> None:
    names = ("payment-a-failover.pay.example.com.", "www.pay.example.com.")
    records = [{"Name": name, "Type": "A", "SetIdentifier": "us-east-1"} for name in names]
    account.answers["us-east-1", "list_resource_record_sets"] = {"ResourceRecordSets": records}
    (found,) = existing(account, Whereabouts("a", ACCOUNT, REGIONS, "pay.example.com", "Z9"))
    assert found.arn == "A record payment-a-failover.pay.example.com us-east-1 in hosted zone Z9"
    state = {"zone_id": "Z9", "name": "payment-a-failover.pay.example.com", "type": "A"}
    assert identifiers("aws_route53_record", {**state, "set_identifier": "us-east-1"}) == {found.arn}


# -- by tag, with a read of the resource itself ------------------------------------------------------

HERE = "us-east-1"
TAGGED: Mapping[str, tuple[str, Any]] = {
    f"arn:aws:acm:{HERE}:0:certificate/c": (
        "list_certificates",
        {"CertificateSummaryList": [{"CertificateArn": f"arn:aws:acm:{HERE}:0:certificate/c"}]},
    ),
    f"arn:aws:apigateway:{HERE}::/apikeys/k": ("get_api_keys", {"items": [{"id": "k"}]}),
    f"arn:aws:apigateway:{HERE}::/domainnames/d.example.com": (
        "get_domain_names",
        {"items": [{"domainName": "d.example.com"}]},
    ),
    f"arn:aws:apigateway:{HERE}::/restapis/r": ("get_rest_apis", {"items": [{"id": "r"}]}),
    f"arn:aws:apigateway:{HERE}::/usageplans/p": ("get_usage_plans", {"items": [{"id": "p"}]}),
    f"arn:aws:cloudwatch:{HERE}:0:alarm:n": ("describe_alarms", {"MetricAlarms": [{}]}),
    f"arn:aws:dynamodb:{HERE}:0:table/other": ("describe_table", {"Table": {"TableArn": ""}}),
    f"arn:aws:kms:{HERE}:0:key/k": ("describe_key", {"KeyMetadata": {"KeyState": "Disabled"}}),
    f"arn:aws:lambda:{HERE}:0:event-source-mapping:u": ("get_event_source_mapping", {}),
    f"arn:aws:lambda:{HERE}:0:function:f": ("get_function_configuration", {"FunctionArn": ""}),
    f"arn:aws:logs:{HERE}:0:log-group:/g": ("describe_log_groups", {"logGroups": [{"logGroupName": "/g"}]}),
    "arn:aws:route53:::healthcheck/h": ("get_health_check", {}),
    "arn:aws:route53:::hostedzone/Z": ("get_hosted_zone", {}),
    "arn:aws:s3:::bucket": ("head_bucket", {}),
    f"arn:aws:sns:{HERE}:0:topic": ("get_topic_attributes", {}),
    f"arn:aws:sqs:{HERE}:0:queue": ("get_queue_url", {"QueueUrl": ""}),
    f"arn:aws:ssm:{HERE}:0:parameter/p": ("get_parameter", {}),
}


@pytest.mark.parametrize("arn", TAGGED)
def test_what_is_listed_counts_if_it_answers_itself(account: Account, arn: str) -> None:
    operation, answer = TAGGED[arn]
    account.lists(HERE, arn)
    assert arns(existing(account, WHERE)) == [], "AWS still lists what was deleted"
    account.answers[HERE, operation] = answer
    assert arn in arns(existing(account, WHERE))


def test_every_type_that_can_be_read_is_tried() -> None:
    tried = {
        next(kind for kind in READS if kind[0] == service and path.removeprefix("/").startswith(kind[1]))
        for service, path in ((arn.split(":")[2], arn.split(":", 5)[-1]) for arn in TAGGED)
    }
    assert tried == set(READS)


@pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
def test_a_key_that_waits_to_be_deleted_does_not_count(account: Account, state: str) -> None:
    account.lists(HERE, f"arn:aws:kms:{HERE}:0:key/k")
    account.answers[HERE, "describe_key"] = {"KeyMetadata": {"KeyState": state}}
    assert existing(account, WHERE) == ()


def test_a_stage_goes_with_its_api(account: Account) -> None:
    stage = f"arn:aws:apigateway:{HERE}::/restapis/r/stages/prod"
    account.lists(HERE, stage)
    account.answers[HERE, "get_stage"] = {}
    assert existing(account, WHERE) == ()
    account.answers[HERE, "get_rest_apis"] = {"items": [{"id": "r"}]}
    assert arns(existing(account, WHERE)) == [stage]


def test_what_cannot_be_read_is_taken_to_be_there(account: Account) -> None:
    account.lists(HERE, "arn:aws:new:us-east-1:0:thing/x")
    assert arns(existing(account, WHERE)) == ["arn:aws:new:us-east-1:0:thing/x"]


def test_what_is_found_twice_is_one(account: Account) -> None:
    arn = NAMED_TABLE
    account.lists(HERE, arn)
    account.answers[HERE, "describe_table"] = {"Table": {"TableArn": arn}}
    assert arns(existing(account, WHERE)) == [arn]


NAMED_TABLE = "arn:aws:dynamodb:us-east-1:0:table/payment-a-payments"


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        ("get_resources", error("AccessDenied")),
        ("describe_table", error("ThrottlingException")),
        ("list_aliases", EndpointConnectionError(endpoint_url="https://kms")),
    ],
)
def test_not_knowing_is_not_absence(account: Account, operation: str, problem: Exception) -> None:
    account.answers[HERE, operation] = problem
    with pytest.raises(EnvironmentUnusable, match="does not say what exists of environment a") as caught:
        existing(account, WHERE)
    assert caught.value.hint


# -- afterwards --------------------------------------------------------------------------------------

TABLE = resource(NAMED_TABLE, {}, HERE)


def test_what_is_gone_at_once_is_looked_for_once() -> None:
    clock = SetClock()
    assert remaining(lambda: (), 60, clock.wait, clock.elapsed) == ()
    assert clock.at == 0


def test_aws_is_given_time_to_forget() -> None:
    clock = SetClock()
    left = remaining(lambda: () if clock.at >= 7 else (TABLE,), 60, clock.wait, clock.elapsed)
    assert left == ()


def test_what_stays_is_left_within_the_bound() -> None:
    clock = SetClock()
    looks = [0]

    def look() -> tuple[TaggedResource, ...]:
        looks[0] += 1
        return (TABLE,)

    assert remaining(look, 60, clock.wait, clock.elapsed) == (TABLE,)
    assert 60 - LONGEST_PAUSE_S <= clock.at <= 60
    assert looks[0] > 10
    assert remaining(look, 0, clock.wait, clock.elapsed) == (TABLE,)


# -- against a state ---------------------------------------------------------------------------------


def test_a_resource_of_a_state_is_known_by_its_arns() -> None:
    replica = {"arn": "arn:replica"}
    assert identifiers("aws_dynamodb_table", {"arn": "arn:t", "replica": [replica]}) == {
        "arn:t",
        "arn:replica",
    }
    assert identifiers("aws_cloudwatch_dashboard", {"dashboard_arn": "arn:d"}) == {"arn:d"}
    assert identifiers("aws_iam_role_policy", {"id": "r:p"}) == frozenset()


def test_nothing_but_api_keys() -> None:
    key = resource("arn:aws:apigateway:us-east-1::/apikeys/k", {}, HERE)
    assert only_keys(())
    assert only_keys((key,))
    assert not only_keys((key, TABLE))

"""Names are legal at their longest, carry the environment, and are never shared by two environments."""

import re
from collections.abc import Callable
from itertools import product

import boto3
import pytest

from payinfra.core.naming import (
    API_LOGS_ROLE,
    CI_ROLE,
    DRILL_FIS_ROLE,
    DRILL_SCHEDULER_ROLE,
    HEALTH_METRICS_REGION,
    STATE_REPLICATION_ROLE,
    KeyPurpose,
    Names,
    Parameter,
    ci_role,
    execute_api_host,
    payments_url,
    regions_used,
    state_replica,
    tags,
)
from payinfra.core.setting_declarations import ENV_MAX, REGIONS

LONGEST_ENV = "e" * ENV_MAX
LONGEST_REGION = max(REGIONS, key=len)
ACCOUNT = "123456789012"
REST_API_ID = "a1b2c3d4e5"

# Each namespace of AWS: all names in it, what AWS allows there, and how many characters.
NAMESPACES: dict[str, tuple[Callable[[Names], list[str]], str, int]] = {
    "DynamoDB table": (lambda n: [n.table], r"[a-zA-Z0-9_.-]{3,}", 255),
    "Lambda function": (lambda n: [n.function], r"[a-zA-Z0-9-_]+", 64),
    "IAM role": (
        lambda n: [
            name(region) for name, region in product((n.function_role, n.replication_role), sorted(REGIONS))
        ],
        r"[\w+=,.@-]+",
        64,
    ),
    "IAM inline policy": (lambda n: [n.function_policy, n.replication_policy], r"[\w+=,.@-]+", 128),
    "S3 bucket": (
        lambda n: [n.audit_bucket(region, ACCOUNT) for region in sorted(REGIONS)],
        r"[a-z0-9][a-z0-9-]+[a-z0-9]",
        63,
    ),
    "KMS alias": (
        lambda n: [n.key_alias(purpose) for purpose in KeyPurpose],
        r"alias/(?!aws/)[a-zA-Z0-9/_-]+",
        256,
    ),
    "log group": (
        lambda n: [n.function_log_group, n.access_log_group],
        r"[.\-_/#A-Za-z0-9]+",
        512,
    ),
    "REST API": (lambda n: [n.api], r".+", 1024),
    "API key": (lambda n: [n.api_key, n.next_api_key, n.former_api_key], r".+", 1024),
    "usage plan": (lambda n: [n.usage_plan], r".+", 1024),
    "SNS topic": (lambda n: [n.topic], r"[a-zA-Z0-9_-]+", 100),
    "CloudWatch alarm": (
        lambda n: [n.alarm("function-errors"), *(n.health(region) for region in sorted(REGIONS))],
        r"[ -~]+",
        255,
    ),
    "CloudWatch dashboard": (
        lambda n: [n.dashboard(region) for region in sorted(REGIONS)],
        r"[a-zA-Z0-9_-]+",
        255,
    ),
    "metric namespace": (lambda n: [n.metric_namespace], r"[a-zA-Z0-9.\-_/#:]+", 255),
    "SSM parameter": (
        lambda n: [n.parameter(what) for what in Parameter],
        r"/(?!aws|ssm)[a-zA-Z0-9_.\-/]+",
        1011,
    ),
    "hosted zone": (lambda n: [n.own_zone], r"([a-z0-9-]{1,63}\.)+internal", 255),
    "record": (
        lambda n: [
            name(domain)
            for name, domain in product((n.failover_domain, n.latency_domain), (None, "a.example.com"))
        ],
        r"([a-z0-9-]{1,63}\.)+[a-z]+",
        255,
    ),
}


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("env", ["a", "pr123", LONGEST_ENV])
def test_names_are_legal_and_carry_the_environment(namespace: str, env: str) -> None:
    names_of, allowed, limit = NAMESPACES[namespace]
    for name in names_of(Names(env)):
        assert re.fullmatch(allowed, name), name
        assert len(name) <= limit, name
        assert f"payment-{env}" in name


def test_the_longest_bucket_name_leaves_no_room_for_a_longer_environment() -> None:
    # 63 is S3's limit; the regions that AWS has today leave one character, which is not given away.
    assert len(Names(LONGEST_ENV).audit_bucket(LONGEST_REGION, ACCOUNT)) in (62, 63)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_no_name_of_one_environment_is_a_name_of_another(namespace: str) -> None:
    # `a` with the thing `b-x` would be `a-b` with the thing `x`: no thing may end in another.
    names_of, _, _ = NAMESPACES[namespace]
    parts = [name.partition("payment-a") for name in names_of(Names("a"))]
    assert len(set(parts)) == len(parts)
    clashes = [
        (thing, shorter)
        for before, _, thing in parts
        for also_before, _, shorter in parts
        if before == also_before and thing != shorter and shorter.startswith("-") and thing.endswith(shorter)
    ]
    assert not clashes


def test_names_that_span_regions_carry_the_region() -> None:
    names = Names("pr1")
    for name in (names.function_role, names.replication_role, names.dashboard, names.health):
        assert name("eu-west-1").endswith("-eu-west-1")
        assert name("eu-west-1") != name("eu-west-2")
    assert names.audit_bucket("eu-west-1", ACCOUNT) == "payment-pr1-audit-eu-west-1-123456789012"


def test_the_names_that_others_rely_on() -> None:
    names = Names("pr1")
    assert names.stack == "payment-pr1"
    assert names.table == names.function == "payment-pr1-payments"
    assert names.function_log_group == "/aws/lambda/payment-pr1-payments"
    assert names.execution_log_group(REST_API_ID) == f"API-Gateway-Execution-Logs_{REST_API_ID}/prod"
    assert names.parameter(Parameter.API_KEY) == "/payment-pr1/api-key"
    assert names.state_key == "payinfra/payment-pr1/terraform.tfstate"
    assert names.validator == "payment-pr1-body"


def test_dns_names_are_in_the_own_zone_or_in_the_domain() -> None:
    names = Names("pr1")
    assert names.failover_domain(None) == "failover.payment-pr1.internal"
    assert names.latency_domain(None) == "latency.payment-pr1.internal"
    assert names.failover_domain("example.com") == "payment-pr1-failover.example.com"
    assert names.latency_domain("example.com") == "payment-pr1-latency.example.com"


def test_tags_leave_out_what_was_not_given() -> None:
    required = {
        "Environment": "pr1",
        "EnvironmentSuffix": "pr1",
        "Project": "payment-infrastructure",
        "ManagedBy": "cdktf",
    }
    assert tags("pr1") == required
    assert tags("pr1", owner="payments", cost_center="42") == required | {
        "Owner": "payments",
        "CostCenter": "42",
    }


@pytest.mark.parametrize(
    ("regions", "used"),
    [
        (("us-east-1", "us-west-2"), ("us-east-1", "us-west-2")),
        (("eu-west-1", "us-east-1"), ("eu-west-1", "us-east-1")),
        (("eu-west-1", "eu-west-2"), ("eu-west-1", "eu-west-2", "us-east-1")),
    ],
)
def test_the_health_metrics_region_is_always_used(regions: tuple[str, str], used: tuple[str, ...]) -> None:
    assert HEALTH_METRICS_REGION == "us-east-1"
    assert regions_used(regions) == used


def test_payments_url_is_what_a_client_calls() -> None:
    assert execute_api_host("abc", "eu-west-1") == "abc.execute-api.eu-west-1.amazonaws.com"
    assert payments_url("abc", "eu-west-1") == "https://abc.execute-api.eu-west-1.amazonaws.com/prod/payments"
    local = {"eu-west-1": "http://127.0.0.1:4566"}
    assert (
        payments_url("abc", "eu-west-1", local) == "http://127.0.0.1:4566/_aws/execute-api/abc/prod/payments"
    )


@pytest.mark.parametrize(
    ("env", "name"), [(None, "payinfra-ci"), ("pr1", "payinfra-ci-pr1"), ("pr*", "payinfra-ci-pr.any")]
)
def test_a_deploy_role_is_called_by_what_it_reaches(env: str | None, name: str) -> None:
    assert ci_role(env) == name
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", name)


def test_what_the_account_has_once_is_no_environments() -> None:
    once = (DRILL_FIS_ROLE, DRILL_SCHEDULER_ROLE, API_LOGS_ROLE, STATE_REPLICATION_ROLE, CI_ROLE)
    assert not [name for name in once if name.startswith("payment-")]
    assert state_replica("our-states") == "our-states-replica"


def test_every_commercial_region_with_the_services_of_the_stack_can_be_chosen() -> None:
    session = boto3.session.Session()
    offered = [set(session.get_available_regions(name)) for name in ("dynamodb", "lambda", "apigateway")]
    assert set.intersection(*offered) == REGIONS

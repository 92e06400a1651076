"""Known ways to weaken the stack so that the gate has less to judge: each gets a verdict of its own."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.checks.verdicts import Kind

if TYPE_CHECKING:
    from tests.synth.checks.conftest import RealStack

Body = dict[str, Any]
LOUD = {Kind.FAIL, Kind.WARN, Kind.UNKNOWN}


def each(body: Body, *kinds: str) -> Iterator[Body]:
    """The resources of some types, of all regions."""
    for kind in kinds:
        yield from body["resource"].get(kind, {}).values()


def every(kind: str, **values: Any) -> Callable[[Body], None]:
    """Other values in every resource of a type; an Ellipsis takes one away."""

    def change(body: Body) -> None:
        for one in each(body, kind):
            for name, value in values.items():
                if value is ...:
                    one.pop(name, None)
                else:
                    one[name] = value

    return change


def added(kind: str, section: str = "resource", **values: Any) -> Callable[[Body], None]:
    """One more resource."""

    def change(body: Body) -> None:
        body.setdefault(section, {}).setdefault(kind, {})["extra"] = values

    return change


def without(*kinds: str) -> Callable[[Body], None]:
    """All resources of these types gone."""

    def change(body: Body) -> None:
        for kind in kinds:
            del body["resource"][kind]

    return change


def alarms(namespace: str, **values: Any) -> Callable[[Body], None]:
    """Other values in the alarms on a namespace."""

    def change(body: Body) -> None:
        for one in each(body, "aws_cloudwatch_metric_alarm"):
            if one["namespace"] == namespace:
                one.update(values)

    return change


def providers(**values: Any) -> Callable[[Body], None]:
    """Other settings of every provider."""

    def change(body: Body) -> None:
        for one in body["provider"]["aws"]:
            one.update(values)

    return change


def lifecycle(**values: Any) -> Callable[[Body], None]:
    """Another lifecycle of the table."""

    def change(body: Body) -> None:
        for one in each(body, "aws_dynamodb_table"):
            one["lifecycle"] = values

    return change


def backend(**values: Any) -> Callable[[Body], None]:
    """Another backend."""
    return lambda body: body["terraform"].update(backend=values)


def traced(body: Body) -> None:
    """Bodies go into the log."""
    for one in each(body, "aws_api_gateway_method_settings"):
        one["settings"]["data_trace_enabled"] = True


def expiring(body: Body) -> None:
    """Audit objects are gone after a day."""
    for one in each(body, "aws_s3_bucket_lifecycle_configuration"):
        one["rule"][0]["expiration"] = [{"days": 1}]


def open_origins(body: Body) -> None:
    """Any page may call."""
    for one in each(body, "aws_api_gateway_gateway_response"):
        one["response_parameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] = "'*'"


def foreign_key_service(body: Body) -> None:
    """One service of the embedded AWS is somebody else's."""
    for one in body["provider"]["aws"]:
        one["endpoints"] = [{"kms": "http://10.1.2.3:80"}]


def tagged_away(body: Body) -> None:
    """A tag says that nothing here needs protection."""
    for one in body["provider"]["aws"]:
        one["default_tags"][0]["tags"]["Protected"] = "false"
    for one in each(body, "aws_dynamodb_table"):
        one["deletion_protection_enabled"] = False


WEAKENED: dict[str, tuple[str, Callable[[Body], None], str]] = {
    "no block of public access by count": (
        "demo",
        every("aws_s3_bucket_public_access_block", count=0),
        "PI-S3-001",
    ),
    "none by an empty for_each": (
        "demo",
        every("aws_s3_bucket_public_access_block", for_each={}),
        "PI-S3-001",
    ),
    "all audit buckets removed": ("demo", without("aws_s3_bucket"), "PI-ENG-002"),
    "data trace": ("demo", traced, "PI-API-005"),
    "payments that expire": (
        "demo",
        every("aws_dynamodb_table", ttl={"enabled": True, "attribute_name": "at"}),
        "PI-DDB-006",
    ),
    "audit that expires after a day": ("demo", expiring, "PI-S3-006"),
    "thresholds that nothing reaches": ("demo", alarms("AWS/Lambda", threshold=1e12), "PI-CW-002"),
    "custom thresholds that nothing reaches": ("demo", alarms("payment-demo", threshold=1e12), "PI-CW-002"),
    "health alarms without dimension": ("demo", alarms("AWS/Route53", dimensions={}), "PI-CW-002"),
    "health alarms that take silence for health": (
        "demo",
        alarms("AWS/Route53", treat_missing_data="notBreaching"),
        "PI-CW-002",
    ),
    "health alarms upside down": (
        "demo",
        alarms("AWS/Route53", comparison_operator="GreaterThanOrEqualToThreshold"),
        "PI-CW-002",
    ),
    "alarms without actions": ("demo", alarms("AWS/Lambda", alarm_actions=[]), "PI-CW-001"),
    "health checks off": ("demo", every("aws_route53_health_check", disabled=True), "PI-DNS-004"),
    "health checks inverted": (
        "demo",
        every("aws_route53_health_check", invert_healthcheck=True),
        "PI-DNS-004",
    ),
    "health checks over HTTP": ("demo", every("aws_route53_health_check", type="HTTP"), "PI-DNS-004"),
    "health checks over TCP": ("demo", every("aws_route53_health_check", type="TCP"), "PI-DNS-004"),
    "TLS 1.0": ("prod", every("aws_api_gateway_domain_name", security_policy="TLS_1_0"), "PI-TLS-001"),
    "literal keys": ("demo", providers(access_key="AKIAABCDEFGHIJKLMNOP", secret_key="x" * 40), "PI-TF-001"),
    "a literal API key": (
        "demo",
        every("aws_api_gateway_api_key", value="0123456789abcdef0123456789"),
        "PI-SEC-003",
    ),
    "foreign endpoints": (
        "demo",
        providers(endpoints=[{"dynamodb": "https://collector.example.com"}]),
        "PI-TF-001",
    ),
    "foreign endpoints beside the embedded AWS": (
        "pr8",
        foreign_key_service,
        "PI-TF-001",
    ),
    "validation skipped": ("demo", providers(skip_credentials_validation=True), "PI-TF-001"),
    "any certificate accepted": ("demo", providers(insecure=True), "PI-TF-001"),
    "any origin": ("demo", open_origins, "PI-TLS-002"),
    "state over plain HTTP": ("demo", backend(http={"address": "http://state.example.com/x"}), "PI-TF-002"),
    "state that is not encrypted": (
        "demo",
        backend(s3={"bucket": "b", "key": "k", "encrypt": False, "use_lockfile": True}),
        "PI-TF-002",
    ),
    "state without a lock": ("demo", backend(s3={"bucket": "b", "key": "k", "encrypt": True}), "PI-TF-002"),
    "a table that may be destroyed": ("demo", lifecycle(prevent_destroy=False), "PI-TF-003"),
    "buckets that are emptied": ("demo", every("aws_s3_bucket", force_destroy=True), "PI-TF-003"),
    "all changes ignored": (
        "demo",
        lifecycle(prevent_destroy=True, ignore_changes="all"),
        "PI-TF-004",
    ),
    "a table that is forgotten": (
        "demo",
        lambda body: body.update(
            removed=[{"from": "aws_dynamodb_table.ledger_table", "lifecycle": {"destroy": False}}]
        ),
        "PI-TF-005",
    ),
    "an external program": ("demo", added("external", "data", program=["sh", "-c", "id"]), "PI-TF-006"),
    "a foreign page": ("demo", added("http", "data", url="https://example.com"), "PI-TF-006"),
    "a null resource": (
        "demo",
        added("null_resource", provisioner=[{"local-exec": {"command": "id"}}]),
        "PI-TF-006",
    ),
    "a foreign AWS provider": (
        "demo",
        lambda body: body["terraform"]["required_providers"]["aws"].update(source="someone/aws"),
        "PI-TF-006",
    ),
    "a user with keys": ("demo", added("aws_iam_access_key", user="ci"), "PI-IAM-008"),
    "an administrator": (
        "demo",
        added(
            "aws_iam_user_policy_attachment",
            user="ci",
            policy_arn="arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        "PI-IAM-001",
    ),
    "a function URL for everybody": (
        "demo",
        added("aws_lambda_function_url", function_name="x", authorization_type="NONE"),
        "PI-API-003",
    ),
    "a tag that unprotects": ("demo", tagged_away, "PI-TF-007"),
    "ACLs": (
        "demo",
        every("aws_s3_bucket_ownership_controls", rule={"object_ownership": "ObjectWriter"}),
        "PI-S3-007",
    ),
}


@pytest.mark.parametrize("name", WEAKENED)
def test_a_weakening_gets_a_verdict(real: "dict[str, RealStack]", name: str) -> None:
    env, weaken, check_id = WEAKENED[name]
    stack = real[env]
    body = stack.copy()
    weaken(body)
    assert body != stack.body

    found = stack.ask(check_id, stack.manifest(body))

    assert {one.kind for one in found} & LOUD

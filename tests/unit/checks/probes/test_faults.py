"""Each probe's faults: one change of a healthy environment, and the one thing that is said about it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from payinfra.checks.probes import monitoring
from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Kind
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.dns import DnsResponse
from payinfra.core.canary_contract import PAYMENTS
from payinfra.core.evacuation import FAILOVER_METRIC
from payinfra.core.naming import canary_domain
from payinfra.core.outputs import DeclaredAlarm, DeclaredEvacuation
from tests.unit.checks.probes.conftest import (
    API_KEY,
    EAST,
    FAILOVER,
    HOSTS,
    LATENCY,
    WEST,
    FakeEnv,
    bucket,
    declared,
    error,
    key_policy,
    lifecycle,
    mapping,
    metric_filter,
    observation,
    record,
    replication,
    resources,
    tls_policy,
    topic_policy,
    trust_policy,
    variables,
)

FAIL, ERROR, WARN, PASS, NONE = Kind.FAIL, Kind.ERROR, Kind.WARN, Kind.PASS, Kind.NOT_APPLICABLE
Change = Callable[[FakeEnv], object]


def says(service: str, operation: str, answer: Any) -> Change:
    return lambda fake: fake.say(service, operation, answer)


def has(service: str, operation: str, **fields: Any) -> Change:
    return lambda fake: fake.change(service, operation, **fields)


def sets(**fields: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        for name, value in fields.items():
            setattr(fake, name, value)

    return change


def both(*changes: Change) -> Change:
    def change(fake: FakeEnv) -> None:
        for one in changes:
            one(fake)

    return change


def table(**fields: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        before = fake.answers["dynamodb", "describe_table"]
        fake.answers["dynamodb", "describe_table"] = lambda region, call: {
            "Table": {**before(region, call)["Table"], **fields}
        }

    return change


def alarm(**fields: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        before = fake.answers["cloudwatch", "describe_alarms"]
        fake.answers["cloudwatch", "describe_alarms"] = lambda region, call: {
            "MetricAlarms": [{**one, **fields} for one in before(region, call)["MetricAlarms"]]
        }

    return change


def check(**fields: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        before = fake.answers["route53", "get_health_check"]

        def reply(region: str, call: Any) -> Any:
            config = before(region, call)["HealthCheck"]["HealthCheckConfig"]
            return {"HealthCheck": {"HealthCheckConfig": {**config, **fields}}}

        fake.answers["route53", "get_health_check"] = reply

    return change


def switch(which: str = "", **fields: Any) -> Change:
    """An environment that can evacuate, with one of its two health checks changed."""

    def change(fake: FakeEnv) -> None:
        ids = {region: (f"serving-{region}", f"flag-{region}") for region in (EAST, WEST)}
        fake.declared = declared(
            evacuation=DeclaredEvacuation(
                page="/prod/evacuation",
                parameter="/payment-demo/evacuated",
                interval_s=30,
                threshold=2,
                serving_checks=(ids[EAST][0], ids[WEST][0]),
                flag_checks=(ids[EAST][1], ids[WEST][1]),
                name_servers="ns-1.example",
            )
        )
        before = fake.answers["route53", "get_health_check"]

        def reply(region: str, call: Any) -> Any:
            kind, own = call["HealthCheckId"].partition("-")[0], before(region, call)
            config: dict[str, Any] = own["HealthCheck"]["HealthCheckConfig"]
            peer = WEST if region == EAST else EAST
            if kind == "serving":
                children = [f"check-{region}", ids[region][1]]
                config = {"Type": "CALCULATED", "ChildHealthChecks": children, "HealthThreshold": 2}
            elif kind == "flag":
                page = {"ResourcePath": "/prod/evacuation", "RequestInterval": 30, "FailureThreshold": 2}
                config = {**config, **page, "FullyQualifiedDomainName": HOSTS[peer], "Inverted": True}
            return {"HealthCheck": {"HealthCheckConfig": {**config, **(fields if kind == which else {})}}}

        fake.answers["route53", "get_health_check"] = reply

    return change


def differs(service: str, operation: str, answer: Any) -> Change:
    """Only in the secondary region."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers[service, operation]
        fake.answers[service, operation] = lambda region, call: (
            answer if region == WEST else before(region, call)
        )

    return change


def copied(*, twice: bool = False, **rule: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        def reply(region: str, _call: Any) -> Any:
            found = replication(region)["ReplicationConfiguration"]
            changed = {**found["Rules"][0], **rule}
            rules = [changed, {**changed, "ID": "second"}] if twice else [changed]
            return {"ReplicationConfiguration": {**found, "Rules": rules}}

        fake.answers["s3", "get_bucket_replication"] = reply

    return change


def policy(**statement: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        def reply(region: str, _call: Any) -> Any:
            return {"Policy": json.dumps({"Statement": {**tls_policy(region)["Statement"][0], **statement}})}

        fake.answers["s3", "get_bucket_policy"] = reply

    return change


def decides(decision: str, *missing: str) -> Change:
    """IAM decides so, whatever it is asked, and says which condition keys it had no value of."""

    def change(fake: FakeEnv) -> None:
        fake.answers["iam", "simulate_principal_policy"] = lambda _region, call: {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": decision, "MissingContextValues": list(missing)}
                for action in call["ActionNames"]
            ]
        }

    return change


def on_the_second_page(service: str, operation: str, name: str) -> Change:
    """What is listed under a name is on the second page; the first one is empty."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers[service, operation]
        fake.answers[service, operation] = lambda region, call: [{name: []}, before(region, call)]

    return change


def records(*extra: dict[str, Any]) -> Change:
    def change(fake: FakeEnv) -> None:
        before = fake.answers["route53", "list_resource_record_sets"]
        fake.answers["route53", "list_resource_record_sets"] = lambda region, call: {
            "ResourceRecordSets": [*before(region, call)["ResourceRecordSets"], *extra]
        }

    return change


def only(name: str, **fields: Any) -> Change:
    """A record set in which every record of a name has these fields."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["route53", "list_resource_record_sets"]
        fake.answers["route53", "list_resource_record_sets"] = lambda region, call: {
            "ResourceRecordSets": [
                {**one, **fields} if one["Name"] == f"{name}." else one
                for one in before(region, call)["ResourceRecordSets"]
            ]
        }

    return change


def no_alias(fake: FakeEnv) -> None:
    """Plain records where aliases were declared."""
    plain = [record(FAILOVER, EAST, Failover="PRIMARY")]
    fake.say("route53", "list_resource_record_sets", {"ResourceRecordSets": plain})


def declares(**fields: Any) -> Change:
    return sets(declared=declared(**fields))


DELEGATED = declares(dns=replace(declared().dns, delegated=True, payments_path="/payments"))
CERTIFIED = declares(
    dns=replace(
        declared().dns, delegated=True, certificates=tuple(f"certificate-{region}" for region in (EAST, WEST))
    )
)
ON_ARM = declares(
    regions=tuple(
        replace(region, function=replace(region.function, architecture="arm64"))
        for region in declared().regions
    )
)
EMAIL = declares(alarm_email="ops@example.com")


def on_aws(fake: FakeEnv) -> None:
    fake.endpoints = None


def nothing_replicates(fake: FakeEnv) -> None:
    fake.say("dynamodb", "get_item", {})


PAYMENT = {
    "payment_id": {"S": "pay_1"},
    "timestamp": {"N": "1800000000000"},
    "fingerprint": {"S": "f" * 64},
    "status": {"S": "settled"},
    "change": {"M": {}},
}
AUDITED = "audit/2027/01/15/pay_1-ffffffffffffffff"


def has_a_payment(*audited: tuple[str, str]) -> Change:
    """A settled payment, and those of its audit objects that are in a region's bucket."""

    def change(world: FakeEnv) -> None:
        world.items["pay_1"] = PAYMENT
        world.objects.update({(region, f"{AUDITED}{end}"): {} for region, end in audited})

    return change


def copy_says(answer: Any) -> Change:
    def change(fake: FakeEnv) -> None:
        before = fake.answers["s3", "head_object"]

        def reply(region: str, call: Any) -> Any:
            if region == EAST:
                return before(region, call)
            if isinstance(answer, Exception):
                raise answer
            return answer

        fake.answers["s3", "head_object"] = reply

    return change


def subscribed(*subscriptions: dict[str, str]) -> Change:
    return both(EMAIL, says("sns", "list_subscriptions_by_topic", {"Subscriptions": list(subscriptions)}))


ELSEWHERE = {"HostedZoneId": "Z9", "DNSName": "d-other.", "EvaluateTargetHealth": False}
CANARY_RECORD = canary_domain(FAILOVER, "run1")
THIRD_REGION = declares(health=replace(declared().health, metrics_region="ap-south-1"))


def in_third_region(operation: str, answer: Any) -> Change:
    """Only of the topic that is in neither of the two regions."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["sns", operation]
        fake.answers["sns", operation] = lambda region, call: (
            answer if region == "ap-south-1" else before(region, call)
        )

    return change


def stage(**fields: Any) -> Change:
    return has("apigateway", "get_stage", **fields)


def method(name: str, **fields: Any) -> Change:
    """Settings of a stage for a method."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["apigateway", "get_stage"]

        def reply(region: str, call: Any) -> Any:
            found = before(region, call)
            every = found["methodSettings"]
            return {**found, "methodSettings": {**every, name: {**every["*/*"], **fields}}}

        fake.answers["apigateway", "get_stage"] = reply

    return change


def keyed(other: dict[str, str]) -> Change:
    """Another API key is in the plan."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["apigateway", "get_usage_plan_keys"]
        fake.answers["apigateway", "get_usage_plan_keys"] = lambda region, call: {
            "items": [*before(region, call)["items"], other]
        }

    return change


def served(verb: str, path: str, changed: dict[str, Any] | None) -> Change:
    """The API's method has this changed; None for no such method."""

    def change(fake: FakeEnv) -> None:
        def reply(region: str, _call: Any) -> Any:
            found = resources(region)
            methods = next(one["resourceMethods"] for one in found if one["path"] == path)
            before = methods.pop(verb)
            if changed is not None:
                methods[verb] = {**before, **changed}
            return {"items": found}

        fake.answers["apigateway", "get_resources"] = reply

    return change


def told(**changed: str) -> Change:
    """The function is told something else."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["lambda", "get_function_configuration"]
        fake.answers["lambda", "get_function_configuration"] = lambda region, call: {
            **before(region, call),
            "Environment": {"Variables": {**variables(region), **changed}},
        }

    return change


def told_in_west(**changed: str) -> Change:
    def change(fake: FakeEnv) -> None:
        before = fake.answers["lambda", "get_function_configuration"]
        fake.answers["lambda", "get_function_configuration"] = lambda region, call: {
            **before(region, call),
            "Environment": {"Variables": {**variables(region), **(changed if region == WEST else {})}},
        }

    return change


def layered(*regions: str) -> Change:
    """The function has a layer in these regions."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["lambda", "get_function_configuration"]
        fake.answers["lambda", "get_function_configuration"] = lambda region, call: {
            **before(region, call),
            "Layers": [{"Arn": f"arn:aws:lambda:{region}:1:layer:x:1"}] if region in regions else [],
        }

    return change


def permits(statement: dict[str, Any]) -> Change:
    """The function's policy has one more statement."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["lambda", "get_policy"]

        def reply(region: str, call: Any) -> Any:
            more = {"Sid": "damage", "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
            policy = json.loads(before(region, call)["Policy"])
            return {"Policy": json.dumps({"Statement": [*policy["Statement"], {**more, **statement}]})}

        fake.answers["lambda", "get_policy"] = reply

    return change


def read(**changed: Any) -> Change:
    """The table's stream is read otherwise."""
    return lambda fake: fake.answers.update(
        {
            ("lambda", "list_event_source_mappings"): lambda region, _call: {
                "EventSourceMappings": [{**mapping(region), **changed}]
            }
        }
    )


def recovers(**fields: Any) -> Change:
    recovery = {"PointInTimeRecoveryStatus": "ENABLED", **fields}
    description = {"PointInTimeRecoveryDescription": recovery}
    return says("dynamodb", "describe_continuous_backups", {"ContinuousBackupsDescription": description})


def policy_with(statement: dict[str, Any]) -> Change:
    """The bucket's policy has one more statement."""
    return lambda fake: fake.answers.update(
        {
            ("s3", "get_bucket_policy"): lambda region, _call: {
                "Policy": json.dumps({"Statement": [*tls_policy(region)["Statement"], statement]})
            }
        }
    )


def keeps(**changed: Any) -> Change:
    return says("s3", "get_bucket_lifecycle_configuration", {"Rules": [{**lifecycle(), **changed}]})


def filtered(**changed: Any) -> Change:
    found = [{**metric_filter("accepted"), **changed}, metric_filter("refused")]
    return says("logs", "describe_metric_filters", {"metricFilters": found})


def trusts(statement: dict[str, Any]) -> Change:
    """Roles trust somebody else as well."""
    return lambda fake: fake.answers.update(
        {
            ("iam", "get_role"): lambda _region, call: {
                "Role": {
                    "AssumeRolePolicyDocument": {
                        "Statement": [
                            *trust_policy(call["RoleName"])["Statement"],
                            {**statement, "Action": "sts:AssumeRole"},
                        ]
                    }
                }
            }
        }
    )


def key_says(*more: dict[str, Any], only: str = "") -> Change:
    """Keys' policies have more statements, or only one of theirs."""

    def reply(region: str, call: Any) -> Any:
        found = key_policy(region, call["KeyId"])["Statement"]
        kept = [one for one in found if not only or one["Sid"] == only]
        return {"Policy": json.dumps({"Statement": [*kept, *more]})}

    return lambda fake: fake.answers.update({("kms", "get_key_policy"): reply})


def topic_without(sid: str) -> Change:
    """The topic's policy lacks a statement."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["sns", "get_topic_attributes"]

        def reply(region: str, call: Any) -> Any:
            kept = [one for one in topic_policy(region)["Statement"] if one["Sid"] != sid]
            attributes = before(region, call)["Attributes"]
            return {"Attributes": {**attributes, "Policy": json.dumps({"Statement": kept})}}

        fake.answers["sns", "get_topic_attributes"] = reply

    return change


def published(value: str) -> Change:
    """What a deployment says of itself is something else."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["ssm", "get_parameter"]
        fake.answers["ssm", "get_parameter"] = lambda region, call: (
            {"Parameter": {"Type": "String", "Value": value}}
            if call["Name"].endswith("/deployment")
            else before(region, call)
        )

    return change


def topic_says(*statements: dict[str, Any]) -> Change:
    """The topic's policy has these statements instead of its own, or beside them."""

    def change(fake: FakeEnv) -> None:
        before = fake.answers["sns", "get_topic_attributes"]

        def reply(region: str, call: Any) -> Any:
            found = before(region, call)["Attributes"]
            own = topic_policy(region)["Statement"] if statements else []
            return {"Attributes": {**found, "Policy": json.dumps({"Statement": [*own, *statements]})}}

        fake.answers["sns", "get_topic_attributes"] = reply

    return change


CONFIGURATION = ("lambda", "get_function_configuration")
OWN = replace(PAYMENTS, refused=("400-498",))
"""The contract of a function of one's own."""
OTHER_PLAN = {"items": [{"id": "p2", "apiStages": [{"apiId": "api1", "stage": "prod"}]}]}
A_STRANGER = {
    "Sid": "stranger",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "*",
    "Resource": "*",
}
DENY_ALL = {**A_STRANGER, "Effect": "Deny", "Principal": "*"}
OWNED_BY_WRITERS = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}
METHODS = {"*/*": {"throttlingRateLimit": 1.0, "throttlingBurstLimit": 200, "dataTraceEnabled": True}}
DOMAIN = ("apigateway", "get_domain_name")
ENCRYPTION = "get_bucket_encryption"
SSE = "ServerSideEncryptionConfiguration"

CASES: tuple[tuple[str, Change, Kind, str], ...] = (
    ("LIVE-API-001", has("apigateway", "get_stage", tracingEnabled=False), FAIL, "tracing is off"),
    ("LIVE-API-001", has("apigateway", "get_stage", accessLogSettings={}), FAIL, "access logs go to nowhere"),
    ("LIVE-API-001", has("apigateway", "get_stage", methodSettings={}), FAIL, "no settings for all methods"),
    (
        "LIVE-API-001",
        has("apigateway", "get_stage", methodSettings=METHODS),
        FAIL,
        "logging of bodies is True",
    ),
    ("LIVE-API-002", sets(health_status=503), FAIL, "the health page answered 503"),
    ("LIVE-API-002", sets(health_s=2.5), FAIL, "the health page took 2.5 s"),
    ("LIVE-API-002", sets(health={"region": "eu-west-1"}), FAIL, "declared is 'us-east-1'"),
    ("LIVE-API-002", sets(health={"version": ""}), FAIL, "it names no version"),
    ("LIVE-API-003", sets(without_key=422), FAIL, "POST /payments answered 422"),
    ("LIVE-API-003", sets(without_key=429), FAIL, "POST /payments answered 429"),
    ("LIVE-API-003", sets(without_key=502), FAIL, "POST /payments answered 502"),
    ("LIVE-API-004", sets(payment_status=(403, 403)), FAIL, "with the key answered 403"),
    ("LIVE-API-004", sets(payment_status=(201, 201)), FAIL, "the replay's status is 201"),
    ("LIVE-API-004", sets(payment_status=(200, 200)), FAIL, "the status is 200, declared is 201"),
    ("LIVE-API-004", sets(first_answer_is_lost=True), PASS, "200 in"),
    ("LIVE-API-004", sets(replay_id="pay-other"), FAIL, "the replay is another payment"),
    ("LIVE-API-005", says("apigateway", "get_usage_plan_keys", {"items": []}), FAIL, "is not in the plan"),
    ("LIVE-API-005", on_the_second_page("apigateway", "get_usage_plan_keys", "items"), PASS, ""),
    ("LIVE-API-005", has("apigateway", "get_usage_plan", quota={}), FAIL, "quota is None"),
    ("LIVE-API-005", has("apigateway", "get_usage_plan", apiStages=[]), FAIL, "does not cover stage prod"),
    (
        "LIVE-API-006",
        differs("apigateway", "get_api_key", {"enabled": True, "value": "x"}),
        FAIL,
        "values differ",
    ),
    ("LIVE-API-006", has("apigateway", "get_api_key", enabled=False), FAIL, "key in us-east-1 is disabled"),
    ("LIVE-API-007", both(DELEGATED, has(*DOMAIN, domainNameStatus="FAILED")), FAIL, "is FAILED"),
    ("LIVE-API-007", both(DELEGATED, has(*DOMAIN, domainNameStatus="UPDATING")), FAIL, "is UPDATING"),
    (
        "LIVE-API-007",
        both(DELEGATED, says("apigateway", "get_base_path_mappings", {})),
        FAIL,
        "does not lead to stage prod",
    ),
    ("LIVE-API-007", DELEGATED, PASS, ""),
    (
        "LIVE-API-007",
        both(DELEGATED, on_the_second_page("apigateway", "get_base_path_mappings", "items")),
        PASS,
        "",
    ),
    ("LIVE-API-008", both(on_aws, says("apigateway", "get_account", {})), WARN, "no CloudWatch role"),
    ("LIVE-FN-001", has("lambda", "get_function_configuration", MemorySize=128), FAIL, "memory in MB is 128"),
    ("LIVE-FN-001", has("lambda", "get_function_configuration", Runtime="python3.12"), FAIL, "runtime is"),
    (
        "LIVE-FN-001",
        both(ON_ARM, has("lambda", "get_function_configuration", Architectures=["x86_64"])),
        FAIL,
        "architecture is",
    ),
    (
        "LIVE-FN-001",
        both(ON_ARM, has("lambda", "get_function_configuration", Architectures=["arm64"])),
        PASS,
        "",
    ),
    ("LIVE-FN-001", has("lambda", "get_function_configuration", State="Pending"), FAIL, "is Pending"),
    (
        "LIVE-FN-001",
        has("lambda", "get_function_configuration", LastUpdateStatus="InProgress"),
        FAIL,
        "last update InProgress",
    ),
    (
        "LIVE-FN-002",
        says("lambda", "get_function_concurrency", {"ReservedConcurrentExecutions": 0}),
        FAIL,
        "reserved concurrency is 0, declared is None",
    ),
    (
        "LIVE-FN-003",
        differs("lambda", "get_function_configuration", {"CodeSha256": "other"}),
        FAIL,
        "the code's SHA-256 in us-west-2 is 'other'",
    ),
    ("LIVE-DDB-001", table(Replicas=[]), FAIL, "replica in us-west-2 is None, declared is 'ACTIVE'"),
    ("LIVE-DDB-001", table(TableStatus="UPDATING"), FAIL, "is UPDATING (asked for"),
    (
        "LIVE-DDB-001",
        table(GlobalTableVersion="2017.11.29"),
        FAIL,
        "version of the global table is '2017.11.29'",
    ),
    ("LIVE-DDB-001", table(StreamSpecification={}), FAIL, "stream is None"),
    ("LIVE-DDB-002", table(SSEDescription={}), FAIL, "encryption is None"),
    (
        "LIVE-DDB-003",
        says("dynamodb", "describe_continuous_backups", {"ContinuousBackupsDescription": {}}),
        FAIL,
        "point-in-time recovery is None",
    ),
    ("LIVE-DDB-004", table(GlobalSecondaryIndexes=[]), FAIL, "index status-index is None"),
    (
        "LIVE-DDB-004",
        table(GlobalSecondaryIndexes=[{"IndexName": "status-index", "IndexStatus": "CREATING"}]),
        FAIL,
        "status-index is CREATING",
    ),
    ("LIVE-DDB-005", table(DeletionProtectionEnabled=True), FAIL, "deletion protection is True"),
    ("LIVE-DDB-006", nothing_replicates, FAIL, "written in us-east-1 is not there in us-west-2"),
    ("LIVE-R53-001", check(Inverted=True), FAIL, "Inverted is True"),
    ("LIVE-R53-001", check(Disabled=True), FAIL, "Disabled is True"),
    ("LIVE-R53-001", check(RequestInterval=30), FAIL, "interval in s is 30, declared is 10"),
    ("LIVE-R53-008", switch(), PASS, ""),
    ("LIVE-R53-008", sets(), NONE, "could not evacuate"),
    ("LIVE-R53-008", switch("serving", ChildHealthChecks=["check-us-east-1"]), FAIL, "counted health checks"),
    ("LIVE-R53-008", switch("serving", HealthThreshold=1), FAIL, "wanted of them is 1, declared is 2"),
    ("LIVE-R53-008", switch("serving", Inverted=True), FAIL, "Inverted is True"),
    ("LIVE-R53-008", switch("flag", Inverted=False), FAIL, "page's Inverted is False"),
    ("LIVE-R53-008", switch("flag", Disabled=True), FAIL, "page's Disabled is True"),
    ("LIVE-R53-008", switch("flag", ResourcePath="/prod/nothing"), FAIL, "page's path"),
    ("LIVE-R53-008", switch("flag", FullyQualifiedDomainName=HOSTS[EAST]), FAIL, "page's name"),
    (
        "LIVE-R53-002",
        says("route53", "get_health_check_status", {"HealthCheckObservations": []}),
        ERROR,
        "none of 0 checkers",
    ),
    (
        "LIVE-R53-002",
        says(
            "route53",
            "get_health_check_status",
            {"HealthCheckObservations": [observation("Success", timedelta(hours=1))] * 8},
        ),
        ERROR,
        "none of 8 checkers has asked within 5 minutes",
    ),
    (
        "LIVE-R53-002",
        says(
            "route53",
            "get_health_check_status",
            {"HealthCheckObservations": [observation("Success")] + [observation("Failure")] * 7},
        ),
        FAIL,
        "1 of 8 checkers say healthy",
    ),
    ("LIVE-R53-003", only(FAILOVER, HealthCheckId=""), FAIL, f"{FAILOVER} us-east-1: health check is ''"),
    ("LIVE-R53-003", only(LATENCY, TTL=300), FAIL, f"{LATENCY} us-west-2: TTL is 300"),
    ("LIVE-R53-003", only(LATENCY, SetIdentifier="x"), FAIL, f"{LATENCY} has no record us-east-1"),
    ("LIVE-R53-003", records(record(FAILOVER, EAST) | {"SetIdentifier": "third"}), FAIL, "record third"),
    ("LIVE-R53-003", only(FAILOVER, Type="TXT"), FAIL, "type is 'TXT', declared is 'CNAME'"),
    ("LIVE-R53-003", DELEGATED, PASS, ""),
    ("LIVE-R53-003", both(DELEGATED, only(LATENCY, AliasTarget=ELSEWHERE)), FAIL, "target is 'd-other'"),
    ("LIVE-R53-003", both(DELEGATED, only(LATENCY, AliasTarget=ELSEWHERE)), FAIL, "target's zone is 'Z9'"),
    (
        "LIVE-R53-003",
        both(DELEGATED, only(LATENCY, AliasTarget=ELSEWHERE)),
        FAIL,
        "following its target's health is False",
    ),
    (
        "LIVE-R53-003",
        both(DELEGATED, no_alias),
        FAIL,
        f"{FAILOVER} us-east-1: type is 'CNAME', declared is 'A'",
    ),
    (
        "LIVE-R53-004",
        lambda fake: fake.dns_answers.update({FAILOVER: DnsResponse("NOERROR", (HOSTS[WEST],), 60)}),
        FAIL,
        f"{FAILOVER} leads to {HOSTS[WEST]}, not to us-east-1",
    ),
    (
        "LIVE-R53-004",
        lambda fake: fake.dns_answers.update({LATENCY: DnsResponse("NXDOMAIN", (), 0)}),
        FAIL,
        "has no answer (NXDOMAIN)",
    ),
    ("LIVE-R53-005", both(DELEGATED, on_aws), PASS, ""),
    (
        "LIVE-R53-005",
        both(
            DELEGATED, on_aws, lambda fake: fake.resolved.update({FAILOVER: DnsResponse("NXDOMAIN", (), 0)})
        ),
        FAIL,
        "the resolver gives NXDOMAIN",
    ),
    ("LIVE-R53-006", sets(health_status=500), FAIL, f"{FAILOVER}: the health page answered 500"),
    (
        "LIVE-R53-006",
        sets(payment_status=(403, 403)),
        FAIL,
        f"{FAILOVER}: POST /payments with the key answered 403",
    ),
    ("LIVE-R53-006", sets(payment_status=(201, 201)), FAIL, f"{LATENCY}: the replay's status is 201"),
    ("LIVE-R53-006", on_aws, PASS, "with the name itself as Host it answers 403"),
    ("LIVE-R53-006", on_aws, PASS, f"{FAILOVER} by us-east-1, asked with Host {HOSTS[EAST]}"),
    ("LIVE-R53-006", on_aws, PASS, "without --domain the names serve rehearsals, not clients"),
    ("LIVE-R53-006", sets(health={"region": WEST}), FAIL, f"{FAILOVER} is served by us-west-2"),
    (
        "LIVE-R53-006",
        lambda fake: fake.dns_answers.update({LATENCY: DnsResponse("SERVFAIL", (), 0)}),
        FAIL,
        f"{LATENCY} has no answer (SERVFAIL)",
    ),
    ("LIVE-R53-007", has("route53", "get_change", ChangeInfo={"Status": "PENDING"}), FAIL, "is PENDING"),
    (
        "LIVE-R53-007",
        lambda fake: fake.dns_answers.update({CANARY_RECORD: DnsResponse("NXDOMAIN", (), 0)}),
        FAIL,
        f"192.0.2.1 gives nothing for {CANARY_RECORD} (NXDOMAIN)",
    ),
    (
        "LIVE-R53-007",
        lambda fake: fake.dns_answers.update({CANARY_RECORD: DnsResponse("NOERROR", ('"another"',), 60)}),
        FAIL,
        '192.0.2.1 gives "another"',
    ),
    ("LIVE-R53-007", both(DELEGATED, on_aws), PASS, "and known to 1 name servers"),
    ("LIVE-R53-005", DELEGATED, NONE, "nobody delegates a zone to the embedded AWS"),
    ("LIVE-R53-006", DELEGATED, PASS, f"{FAILOVER} by us-east-1, asked with Host {FAILOVER}"),
    ("LIVE-R53-006", both(DELEGATED, on_aws), PASS, f"{FAILOVER} by us-east-1"),
    ("LIVE-TLS-001", both(on_aws, sets(days_left=30)), WARN, f"the certificate of {HOSTS[EAST]} has 30 days"),
    ("LIVE-TLS-001", both(on_aws, sets(days_left=0)), FAIL, f"the certificate of {HOSTS[EAST]} has 0 days"),
    ("LIVE-TLS-001", both(on_aws, DELEGATED), PASS, ""),
    ("LIVE-TLS-001", sets(days_left=30), NONE, "for a domain of one's own only"),
    ("LIVE-TLS-001", both(DELEGATED, sets(days_left=30)), FAIL, f"the certificate of {FAILOVER} has 30 days"),
    ("LIVE-S3-001", says("s3", "get_bucket_versioning", {}), FAIL, "versioning is None"),
    (
        "LIVE-S3-002",
        says("s3", ENCRYPTION, {SSE: {"Rules": [{}]}}),
        FAIL,
        "encryption is 'AES256', declared is 'aws:kms'",
    ),
    (
        "LIVE-S3-003",
        says("s3", "get_public_access_block", error("NoSuchPublicAccessBlockConfiguration", "none", "Get")),
        FAIL,
        "Get: none",
    ),
    (
        "LIVE-S3-003",
        says("s3", "get_public_access_block", {"PublicAccessBlockConfiguration": {}}),
        FAIL,
        "BlockPublicAcls is None",
    ),
    ("LIVE-S3-004", policy(Effect="Allow"), FAIL, "no statement denies"),
    ("LIVE-S3-004", policy(Resource=["arn:aws:s3:::another"]), FAIL, "no statement denies"),
    ("LIVE-S3-004", policy(), PASS, ""),
    ("LIVE-S3-004", says("s3", "get_bucket_policy", {"Policy": "{}"}), ERROR, "the policy cannot be read"),
    ("LIVE-S3-005", both(on_aws, says("s3-plain", "list_objects_v2", {})), FAIL, "was answered"),
    (
        "LIVE-S3-005",
        both(on_aws, says("s3-plain", "list_objects_v2", error("InvalidRequest", "no", "List"))),
        ERROR,
        "List answered InvalidRequest: no",
    ),
    ("LIVE-S3-006", copied(Status="Disabled"), FAIL, "rule is 'Disabled'"),
    ("LIVE-S3-006", copied(SourceSelectionCriteria={}), FAIL, "copying of encrypted objects is None"),
    ("LIVE-S3-006", copied(Destination={"Bucket": "arn:aws:s3:::x"}), FAIL, "no rule copies to"),
    ("LIVE-S3-007", copy_says(error("404", "", "HeadObject")), WARN, "the copy in us-west-2 answers 404"),
    (
        "LIVE-S3-007",
        copy_says(error("403", "Forbidden", "HeadObject")),
        ERROR,
        "lacks HeadObject (403)",
    ),
    ("LIVE-S3-007", copy_says({}), WARN, "the copy in us-west-2 is no replica"),
    ("LIVE-S3-007", says("s3", "head_object", {}), WARN, "the object's replication is not begun"),
    (
        "LIVE-S3-007",
        declares(retention=replace(declared().retention, object_lock=7)),
        PASS,
        "copied to us-west-2",
    ),
    ("LIVE-S3-008", has_a_payment(), FAIL, f"2 audit objects are in neither bucket: {AUDITED}-settled.json"),
    (
        "LIVE-S3-008",
        has_a_payment((EAST, ".json")),
        FAIL,
        f"1 audit objects are in neither bucket: {AUDITED}-s",
    ),
    ("LIVE-S3-008", has_a_payment((EAST, ".json"), (WEST, "-settled.json")), PASS, "and 1 others looked at"),
    ("LIVE-S3-008", lambda fake: setattr(fake, "audits", False), FAIL, "just made left no audit object"),
    ("LIVE-S3-008", both(has_a_payment(), copy_says(error("403", "Forbidden", "HeadObject"))), ERROR, "403"),
    ("LIVE-CW-001", alarm(ActionsEnabled=False), FAIL, "errors: actions enabled is False"),
    ("LIVE-CW-001", says("cloudwatch", "describe_alarms", {"MetricAlarms": []}), FAIL, "errors is not there"),
    ("LIVE-CW-001", alarm(AlarmActions=[]), FAIL, "errors: telling its topic is False"),
    ("LIVE-CW-002", alarm(StateValue="ALARM"), FAIL, "in ALARM: errors"),
    ("LIVE-CW-003", alarm(Threshold=5.0), FAIL, "health-us-east-1: threshold is 5.0"),
    ("LIVE-CW-003", alarm(StateValue="ALARM"), FAIL, "in ALARM: health-us-east-1, health-us-west-2"),
    ("LIVE-CW-004", says("cloudwatch", "get_dashboard", {}), FAIL, "overview-us-east-1 is empty"),
    (
        "LIVE-CW-004",
        says("cloudwatch", "get_dashboard", error("ResourceNotFound", "it is gone", "GetDashboard")),
        FAIL,
        "GetDashboard: it is gone",
    ),
    ("LIVE-LOG-001", says("logs", "describe_log_groups", {"logGroups": []}), FAIL, "execution is not there"),
    (
        "LIVE-LOG-001",
        says("logs", "describe_log_groups", {"logGroups": [{"logGroupName": "execution"}]}),
        FAIL,
        "execution: retention in days is None, declared is 7",
    ),
    ("LIVE-LOG-002", says("logs", "filter_log_events", {}), FAIL, "is not in /aws/lambda/"),
    (
        "LIVE-LOG-003",
        says("logs", "describe_metric_filters", {"metricFilters": []}),
        FAIL,
        "accepted is not there",
    ),
    ("LIVE-IAM-001", on_the_second_page("iam", "simulate_principal_policy", "EvaluationResults"), PASS, ""),
    ("LIVE-IAM-001", decides("explicitDeny"), FAIL, "dynamodb:Query on arn:aws:dynamodb:us-east-1"),
    ("LIVE-IAM-001", decides("explicitDeny"), FAIL, "/stream/2026 is explicitDeny, needed is allowed"),
    ("LIVE-IAM-001", decides("implicitDeny"), FAIL, "/index/customer-index is implicitDeny"),
    (
        "LIVE-IAM-001",
        says("iam", "simulate_principal_policy", {}),
        ERROR,
        "SimulatePrincipalPolicy says nothing of dynamodb:PutItem on",
    ),
    (
        "LIVE-IAM-001",
        says("kms", "list_resource_tags", {"Tags": []}),
        FAIL,
        "kms:Decrypt on arn:aws:kms:us-east-1:123456789012:key/audit is implicitDeny",
    ),
    (
        "LIVE-IAM-001",
        decides("implicitDeny", "aws:ResourceTag/Team"),
        ERROR,
        "depends on aws:ResourceTag/Team, which SimulatePrincipalPolicy does not look up",
    ),
    ("LIVE-IAM-001", decides("explicitDeny", "aws:ResourceTag/Team"), FAIL, "is explicitDeny"),
    ("LIVE-IAM-002", decides("allowed"), FAIL, "dynamodb:DeleteItem on"),
    (
        "LIVE-IAM-002",
        decides("allowed"),
        FAIL,
        f"s3:PutObject on arn:aws:s3:::{bucket(WEST)}/audit/x is allowed",
    ),
    (
        "LIVE-IAM-002",
        says("iam", "simulate_principal_policy", {"EvaluationResults": []}),
        ERROR,
        "SimulatePrincipalPolicy says nothing of dynamodb:BatchWriteItem on",
    ),
    (
        "LIVE-KMS-001",
        says("kms", "describe_key", {"KeyMetadata": {"KeyState": "PendingDeletion"}}),
        FAIL,
        "data key is 'PendingDeletion'",
    ),
    (
        "LIVE-KMS-002",
        says("kms", "get_key_rotation_status", {"KeyRotationEnabled": False}),
        FAIL,
        "the audit key does not rotate",
    ),
    ("LIVE-KMS-003", says("kms", "decrypt", {"Plaintext": b"x"}), FAIL, "gives back something else"),
    (
        "LIVE-SSM-001",
        differs("ssm", "get_parameter", {"Parameter": {"Type": "String", "Value": "wrong"}}),
        PASS,
        "",
    ),
    (
        "LIVE-SSM-001",
        says("ssm", "get_parameter", {"Parameter": {"Type": "String", "Value": "wrong"}}),
        FAIL,
        "/table is 'wrong'",
    ),
    (
        "LIVE-SSM-002",
        differs("ssm", "get_parameter", {"Parameter": {"Type": "String", "Value": "wrong"}}),
        FAIL,
        "/payment-demo/api-key in us-west-2 is not the API's key",
    ),
    (
        "LIVE-SSM-003",
        differs("ssm", "get_parameter", {"Parameter": {"Type": "SecureString", "Value": "another"}}),
        FAIL,
        "/payment-demo/cursor-secret differs between the regions",
    ),
    (
        "LIVE-SSM-003",
        differs("ssm", "get_parameter", {"Parameter": {"Type": "String", "Value": API_KEY}}),
        FAIL,
        "type of /payment-demo/cursor-secret in us-west-2 is 'String'",
    ),
    ("LIVE-SNS-001", says("sns", "get_topic_attributes", {"Attributes": {}}), FAIL, "key is None"),
    ("LIVE-SNS-001", THIRD_REGION, PASS, ""),
    (
        "LIVE-SNS-001",
        both(THIRD_REGION, in_third_region("get_topic_attributes", {"Attributes": {}})),
        FAIL,
        "the topic in ap-south-1 has key None, which is no customer key",
    ),
    ("LIVE-SNS-002", EMAIL, PASS, ""),
    ("LIVE-SNS-002", subscribed(), FAIL, "ops@example.com is not subscribed in us-east-1"),
    (
        "LIVE-SNS-002",
        both(
            declares(
                alarm_email="ops@example.com", health=replace(declared().health, metrics_region="ap-south-1")
            ),
            in_third_region("list_subscriptions_by_topic", {"Subscriptions": []}),
        ),
        FAIL,
        "ops@example.com is not subscribed in ap-south-1",
    ),
    (
        "LIVE-SNS-002",
        subscribed({"Endpoint": "ops@example.com", "SubscriptionArn": "PendingConfirmation"}),
        WARN,
        "has not confirmed yet in us-east-1",
    ),
    ("LIVE-API-001", stage(cacheClusterEnabled=True), FAIL, "it has a cache"),
    ("LIVE-API-001", stage(canarySettings={"percentTraffic": 50.0}), FAIL, "50 % of requests go to another"),
    (
        "LIVE-API-001",
        method("~1payments/POST", throttlingRateLimit=1.0),
        FAIL,
        "POST: requests a second is 1.0",
    ),
    ("LIVE-API-001", method("payments/POST", dataTraceEnabled=True), FAIL, "POST: logging of bodies is True"),
    ("LIVE-API-001", method("payments/GET", cachingEnabled=True), FAIL, "payments/GET: caching is True"),
    ("LIVE-API-001", method("*/*", loggingLevel="OFF"), FAIL, "log level is 'OFF'"),
    ("LIVE-API-001", method("*/*", metricsEnabled=False), FAIL, "metrics is False"),
    ("LIVE-API-001", method("orders/POST", throttlingRateLimit=1.0), PASS, ""),
    ("LIVE-API-003", sets(reading_without_key=200), FAIL, "GET /payments answered 200"),
    ("LIVE-API-003", sets(reading_without_key=404), FAIL, "GET /payments/{payment_id} answered 404"),
    ("LIVE-API-004", sets(read_status=500), FAIL, "GET /payments/pay-"),
    (
        "LIVE-API-004",
        both(declares(own_canary=OWN), sets(read_status=500)),
        FAIL,
        "GET /payments/pay-",
    ),
    ("LIVE-API-005", keyed({"id": "k2", "name": "somebody"}), FAIL, "API key k2 (somebody), which was not"),
    ("LIVE-API-005", keyed({"id": "k2", "name": "payment-demo-client-former"}), PASS, ""),
    ("LIVE-API-005", says("apigateway", "get_usage_plans", OTHER_PLAN), FAIL, "plan p2 covers the stage as"),
    (
        "LIVE-API-005",
        has("apigateway", "get_usage_plan", apiStages=[{"throttle": {"/payments/POST": {"rateLimit": 1}}}]),
        FAIL,
        "the plan has limits for single methods",
    ),
    ("LIVE-API-009", sets(), PASS, ""),
    (
        "LIVE-API-009",
        has("apigateway", "get_rest_api", disableExecuteApiEndpoint=True),
        FAIL,
        "us-east-1: endpoint's disabling is True",
    ),
    ("LIVE-API-009", has("apigateway", "get_rest_api", policy="{}"), FAIL, "resource policy is '{}'"),
    (
        "LIVE-API-009",
        has("apigateway", "get_rest_api", apiKeySource="AUTHORIZER"),
        FAIL,
        "source of API keys is 'AUTHORIZER'",
    ),
    (
        "LIVE-API-009",
        differs("apigateway", "get_deployment", {"description": "old"}),
        FAIL,
        "the stages serve different deployments: 'contract 1' and 'old'",
    ),
    (
        "LIVE-API-009",
        says("apigateway", "get_deployment", {}),
        FAIL,
        "the stages serve deployments that Terraform did not make: '' and ''",
    ),
    ("LIVE-API-009", served("GET", "/payments", None), FAIL, "there is no GET /payments"),
    ("LIVE-API-009", served("GET", "/payments", {"apiKeyRequired": False}), FAIL, "need of a key is False"),
    ("LIVE-API-009", served("POST", "/payments", {"authorizationType": "AWS_IAM"}), FAIL, "is 'AWS_IAM'"),
    (
        "LIVE-API-009",
        served("GET", "/evacuation", {"methodIntegration": {"uri": "other/invocations"}}),
        FAIL,
        "GET /evacuation leads to other/invocations",
    ),
    ("LIVE-FN-001", has(*CONFIGURATION, TracingConfig={"Mode": "PassThrough"}), FAIL, "tracing is 'PassT"),
    ("LIVE-FN-001", has(*CONFIGURATION, Version="$LATEST"), FAIL, "alias leading to $LATEST is True"),
    ("LIVE-FN-001", has(*CONFIGURATION, VpcConfig={"SubnetIds": ["s"]}), FAIL, "subnets is ['s']"),
    ("LIVE-FN-001", has(*CONFIGURATION, LoggingConfig={"LogGroup": "/x"}), FAIL, "log group is '/x'"),
    (
        "LIVE-FN-001",
        has("lambda", "get_alias", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}),
        FAIL,
        "versions beside the alias's is {'2': 0.5}",
    ),
    ("LIVE-FN-001", told(AUDIT_BUCKET="other"), FAIL, "AUDIT_BUCKET is 'other'"),
    ("LIVE-FN-001", told(POWERTOOLS_SERVICE_NAME="x"), FAIL, "POWERTOOLS_SERVICE_NAME is 'x'"),
    ("LIVE-FN-001", both(switch(), told(EVACUATED_PARAMETER="/x")), FAIL, "EVACUATED_PARAMETER is '/x'"),
    (
        "LIVE-FN-001",
        has(*CONFIGURATION, Environment={"Error": {"Message": "KMS denied"}}),
        ERROR,
        "Lambda does not show the function's variables: KMS denied",
    ),
    ("LIVE-FN-003", told_in_west(KEEP_SOURCE_IP="true"), FAIL, "the variable KEEP_SOURCE_IP differs"),
    ("LIVE-FN-003", layered(EAST), FAIL, "the layers differ between the regions"),
    ("LIVE-FN-003", layered(EAST, WEST), PASS, ""),
    ("LIVE-FN-004", permits({"Principal": "*"}), FAIL, "damage lets anybody in"),
    (
        "LIVE-FN-004",
        permits({"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}),
        FAIL,
        "damage lets arn:aws:iam::111122223333:root in",
    ),
    ("LIVE-FN-004", permits({"Principal": {"AWS": "arn:aws:iam::123456789012:role/x"}}), PASS, ""),
    (
        "LIVE-FN-004",
        permits({"Principal": {"Service": "s3.amazonaws.com"}}),
        FAIL,
        "damage lets s3.amazonaws.com in for any account",
    ),
    (
        "LIVE-FN-004",
        says("lambda", "get_policy", error("ResourceNotFoundException", "none", "GetPolicy")),
        FAIL,
        "apigateway.amazonaws.com may not lambda:InvokeFunction",
    ),
    (
        "LIVE-FN-004",
        says("lambda", "get_policy", error("AccessDeniedException", "no", "GetPolicy")),
        ERROR,
        "access denied",
    ),
    ("LIVE-FN-005", read(State="Disabled"), FAIL, "state is 'Disabled'"),
    ("LIVE-FN-005", read(State="Enabling"), FAIL, "the event source mapping is Enabling"),
    ("LIVE-FN-005", read(MaximumRetryAttempts=0), FAIL, "retries is 0"),
    ("LIVE-FN-005", read(MaximumRecordAgeInSeconds=60), FAIL, "age of a record in s is 60"),
    ("LIVE-FN-005", read(DestinationConfig={}), FAIL, "given-up records' topic is None"),
    ("LIVE-FN-005", read(FunctionResponseTypes=[]), FAIL, "answers is []"),
    ("LIVE-FN-005", read(FilterCriteria={"Filters": []}), FAIL, "the filter leaves records out"),
    ("LIVE-FN-005", read(EventSourceArn="another"), FAIL, "nothing hands the stream's records"),
    ("LIVE-DDB-003", recovers(RecoveryPeriodInDays=1), FAIL, "its days is 1, declared is 35"),
    (
        "LIVE-DDB-004",
        table(
            GlobalSecondaryIndexes=[
                {"IndexName": name, "IndexStatus": "ACTIVE", "Projection": {"ProjectionType": "KEYS_ONLY"}}
                for name in ("status-index", "customer-index")
            ]
        ),
        FAIL,
        "projection of index status-index is 'KEYS_ONLY'",
    ),
    (
        "LIVE-DDB-007",
        says(
            "dynamodb",
            "describe_time_to_live",
            {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}},
        ),
        FAIL,
        "items expire by their attribute expires",
    ),
    ("LIVE-DDB-007", table(BillingModeSummary={}), FAIL, "billing mode is 'PROVISIONED'"),
    (
        "LIVE-DDB-007",
        table(OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 1}),
        FAIL,
        "the table takes -1 reads and 1 writes a second at most",
    ),
    (
        "LIVE-DDB-007",
        table(OnDemandThroughput={"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}),
        PASS,
        "",
    ),
    (
        "LIVE-DDB-008",
        table(Replicas=[{"RegionName": name} for name in (EAST, WEST, "eu-west-1")]),
        FAIL,
        "it has a replica in eu-west-1",
    ),
    (
        "LIVE-DDB-008",
        says("dynamodb", "get_resource_policy", {"Policy": json.dumps({"Statement": [A_STRANGER]})}),
        FAIL,
        "stranger lets arn:aws:iam::111122223333:root in",
    ),
    (
        "LIVE-DDB-008",
        says("dynamodb", "get_resource_policy", error("AccessDeniedException", "no", "GetResourcePolicy")),
        ERROR,
        "access denied",
    ),
    ("LIVE-R53-001", check(Port=80), FAIL, "port is 80"),
    ("LIVE-R53-001", check(EnableSNI=False), FAIL, "SNI is False"),
    ("LIVE-R53-008", switch("flag", Port=80), FAIL, "page's port is 80"),
    (
        "LIVE-S3-003",
        says("s3", "get_bucket_ownership_controls", OWNED_BY_WRITERS),
        FAIL,
        "object ownership is ['ObjectWriter']",
    ),
    ("LIVE-S3-004", policy_with(A_STRANGER), FAIL, "stranger lets arn:aws:iam::111122223333:root in"),
    (
        "LIVE-S3-004",
        policy_with({**A_STRANGER, "Effect": "Deny", "Action": "s3:ReplicateObject"}),
        FAIL,
        "stranger denies s3:ReplicateObject, which was not declared",
    ),
    ("LIVE-S3-006", copied(Filter={"Prefix": "test/"}), FAIL, "objects that it is about is 'Prefix test/'"),
    ("LIVE-S3-006", copied(DeleteMarkerReplication={}), FAIL, "copying of delete markers is None"),
    ("LIVE-S3-006", copied(twice=True), FAIL, "there is a rule second that was not declared"),
    ("LIVE-S3-009", sets(), PASS, ""),
    ("LIVE-S3-009", keeps(Expiration={"Days": 1}), FAIL, "days until an object expires is 1"),
    ("LIVE-S3-009", keeps(Status="Disabled"), FAIL, "lifecycle rule is 'Disabled'"),
    ("LIVE-S3-009", keeps(Filter={"Prefix": "x"}), FAIL, "objects that it is about is 'Prefix x'"),
    (
        "LIVE-S3-009",
        says("s3", "get_bucket_lifecycle_configuration", {"Rules": [lifecycle(), lifecycle()]}),
        FAIL,
        "2 lifecycle rules, declared is 1",
    ),
    (
        "LIVE-S3-009",
        declares(retention=replace(declared().retention, object_lock=30)),
        FAIL,
        "lock's days is 7, declared is 30",
    ),
    ("LIVE-CW-001", alarm(ComparisonOperator="LessThanThreshold"), FAIL, "rule is 'Sum< 1/1x60s notBr"),
    ("LIVE-CW-001", alarm(Period=86400), FAIL, "rule is 'Sum>= 1/1x86400s notBreaching'"),
    ("LIVE-CW-001", alarm(Dimensions=[]), FAIL, "errors: FunctionName is None"),
    ("LIVE-CW-001", alarm(OKActions=[]), FAIL, "errors: telling it of the end is False"),
    (
        "LIVE-CW-002",
        says("cloudwatch", "describe_alarms", {"MetricAlarms": []}),
        FAIL,
        "not there, so that nothing is known: errors",
    ),
    ("LIVE-CW-003", alarm(Dimensions=[]), FAIL, "health-us-west-2: HealthCheckId is None"),
    (
        "LIVE-CW-004",
        says("cloudwatch", "get_dashboard", {"DashboardBody": "{}"}),
        FAIL,
        "shows nothing of the function",
    ),
    ("LIVE-LOG-002", declares(own_canary=replace(OWN, id_field="id")), FAIL, "names no payment in id"),
    ("LIVE-S3-008", declares(own_canary=replace(OWN, id_field="id")), FAIL, "names no payment in id"),
    ("LIVE-LOG-003", filtered(filterPattern="x"), FAIL, "accepted: pattern is 'x'"),
    ("LIVE-LOG-003", filtered(metricTransformations=[]), FAIL, "accepted: namespace is ''"),
    ("LIVE-IAM-003", trusts(A_STRANGER), FAIL, "stranger lets arn:aws:iam::111122223333:root in"),
    (
        "LIVE-IAM-003",
        trusts({**A_STRANGER, "Principal": {"Service": "ec2.amazonaws.com"}}),
        FAIL,
        "ec2.amazonaws.com may take it on",
    ),
    (
        "LIVE-IAM-003",
        says("iam", "get_role", {"Role": {"AssumeRolePolicyDocument": {"Statement": []}}}),
        FAIL,
        "lambda.amazonaws.com may not sts:AssumeRole",
    ),
    ("LIVE-IAM-004", decides("implicitDeny"), FAIL, "s3:ReplicateObject on"),
    (
        "LIVE-IAM-004",
        says("iam", "list_attached_role_policies", {"AttachedPolicies": [{"PolicyName": "Admin"}]}),
        FAIL,
        "it has the policy Admin, which was not declared",
    ),
    (
        "LIVE-IAM-004",
        decides("implicitDeny", "aws:ResourceTag/Team"),
        ERROR,
        "depends on aws:ResourceTag/Team",
    ),
    (
        "LIVE-KMS-002",
        says("kms", "get_key_rotation_status", {"KeyRotationEnabled": True, "RotationPeriodInDays": 2560}),
        FAIL,
        "the audit key rotates every 2560 days only",
    ),
    ("LIVE-KMS-004", key_says(A_STRANGER), FAIL, "data key: stranger lets arn:aws:iam::111122223333:root in"),
    ("LIVE-KMS-004", key_says(only="Account"), FAIL, "audit key: cloudwatch.amazonaws.com may not kms:Dec"),
    ("LIVE-KMS-004", key_says(only="Account"), FAIL, "audit key: logs.us-east-1.amazonaws.com may not kms:E"),
    ("LIVE-KMS-004", key_says(DENY_ALL), FAIL, "application key: arn:aws:iam::123456789012:root may not"),
    (
        "LIVE-KMS-004",
        says("kms", "list_grants", {"Grants": [{"GranteePrincipal": "arn:aws:iam::111122223333:root"}]}),
        FAIL,
        "data key: a grant lets arn:aws:iam::111122223333:root in",
    ),
    (
        "LIVE-KMS-004",
        says("kms", "list_grants", {"Grants": [{"GranteePrincipal": "dynamodb.us-east-1.amazonaws.com"}]}),
        PASS,
        "",
    ),
    (
        "LIVE-SSM-002",
        says("ssm", "describe_parameters", {"Parameters": [{"KeyId": "alias/aws/ssm"}]}),
        FAIL,
        "in us-east-1 is encrypted with alias/aws/ssm",
    ),
    (
        "LIVE-SSM-003",
        says("ssm", "describe_parameters", {"Parameters": [{"KeyId": "alias/aws/ssm"}]}),
        FAIL,
        "in us-west-2 is encrypted with alias/aws/ssm",
    ),
    ("LIVE-SSM-003", says("ssm", "describe_parameters", {"Parameters": []}), ERROR, "says nothing of"),
    ("LIVE-SSM-001", both(switch(), published("{}")), FAIL, "/payment-demo/deployment: The published"),
    ("LIVE-SSM-001", switch(), PASS, ""),
    ("LIVE-TAG-001", sets(), PASS, ""),
    (
        "LIVE-TAG-001",
        says("s3", "get_bucket_tagging", error("NoSuchTagSet", "there are none", "GetBucketTagging")),
        FAIL,
        "GetBucketTagging: there are none",
    ),
    (
        "LIVE-TAG-001",
        says("lambda", "list_tags", {"Tags": {"Environment": "x", "Project": "payments"}}),
        FAIL,
        "the function lacks the tag Environment = demo, or has another value",
    ),
    ("LIVE-API-007", both(CERTIFIED, has(*DOMAIN, securityPolicy="TLS_1_0")), FAIL, "TLS is 'TLS_1_0'"),
    (
        "LIVE-API-007",
        both(CERTIFIED, has(*DOMAIN, regionalCertificateArn="other")),
        FAIL,
        "certificate is 'other', declared is 'certificate-us-east-1'",
    ),
    (
        "LIVE-API-007",
        both(CERTIFIED, has(*DOMAIN, mutualTlsAuthentication={"truststoreUri": "s3://x"})),
        FAIL,
        "client certificates' store is 's3://x'",
    ),
    ("LIVE-API-007", CERTIFIED, PASS, ""),
    ("LIVE-SNS-003", topic_says(), FAIL, "cloudwatch.amazonaws.com may not sns:Publish"),
    ("LIVE-SNS-003", topic_without("TlsOnly"), FAIL, "it takes what does not come over TLS"),
    (
        "LIVE-S3-004",
        policy_with({**A_STRANGER, "Principal": {"AWS": "arn:aws:iam::123456789012:role/x"}}),
        FAIL,
        "stranger allows *, which was not declared",
    ),
    ("LIVE-SNS-003", topic_says(A_STRANGER), FAIL, "in us-east-1: stranger lets arn:aws:iam::111122223333"),
    ("LIVE-SNS-003", THIRD_REGION, FAIL, "the topic in ap-south-1: cloudwatch.amazonaws.com may not"),
)


@pytest.mark.parametrize(
    ("id", "change", "kind", "said"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)]
)
def test_a_fault_is_named(fake: FakeEnv, id: str, change: Change, kind: Kind, said: str) -> None:
    change(fake)
    (verdict,) = fake.result(id).verdicts
    assert (verdict.kind, said in verdict.message) == (kind, True), verdict


def test_the_deletion_protection_of_each_replica_is_looked_at(fake: FakeEnv) -> None:
    """It is each replica's own: that of one region says nothing of the other's."""
    before = fake.answers["dynamodb", "describe_table"]
    fake.answers["dynamodb", "describe_table"] = lambda region, call: {
        "Table": {**before(region, call)["Table"], "DeletionProtectionEnabled": region == WEST}
    }
    assert [fake.result("LIVE-DDB-005", region).verdicts[0].kind for region in (EAST, WEST)] == [PASS, FAIL]


def test_one_dashboard_may_show_both_regions(fake: FakeEnv) -> None:
    """It is looked for in the region that made it, and the other region's probe does not ask."""
    regions = tuple(replace(one, dashboard=f"overview-{EAST}") for one in fake.declared.regions)
    declares(regions=regions)(fake)
    assert [fake.result("LIVE-CW-004", region).verdicts[0].kind for region in (EAST, WEST)] == [PASS, NONE]
    says("cloudwatch", "get_dashboard", {})(fake)
    assert fake.result("LIVE-CW-004", EAST).verdicts[0].kind is FAIL


def test_every_probe_has_a_fault() -> None:
    assert {probe.rule.id for probe in load()} == {case[0] for case in CASES}


def test_no_message_holds_the_api_key(fake: FakeEnv) -> None:
    fake.change("apigateway", "get_api_key", value="another-secret")
    for id in ("LIVE-API-006", "LIVE-SSM-002"):
        for verdict in fake.result(id).verdicts:
            assert "secret" not in verdict.message


def test_an_alarm_that_tells_of_a_failover_says_so_and_is_no_failure() -> None:
    told, fails = (
        DeclaredAlarm("told", "Payments", FAILOVER_METRIC, 1),
        DeclaredAlarm("fails", "Payments", "Errors", 1),
    )
    found: Any = {"told": {"StateValue": "ALARM"}, "fails": {"StateValue": "OK"}}
    verdict = monitoring._not_in_alarm(found, (told, fails))
    assert (verdict.kind, verdict.message) == (PASS, "2 alarms; told rings: see where the names lead")
    found["fails"]["StateValue"] = "ALARM"
    with pytest.raises(NotYet, match=r"in ALARM: fails$"):
        monitoring._not_in_alarm(found, (told, fails))


def test_a_canary_is_removed_even_where_the_probe_fails(fake: FakeEnv) -> None:
    nothing_replicates(fake)
    fake.say("s3", "list_object_versions", {})
    fake.result("LIVE-DDB-006")
    assert fake.items == {}
    fake.change("route53", "get_change", ChangeInfo={"Status": "PENDING"})
    fake.result("LIVE-R53-007")
    assert ("route53", "change_resource_record_sets", EAST) in fake.calls
    assert fake.written_records == {}

"""A healthy environment made of answers, of which a test changes one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import local
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from payinfra.checks.probes import canaries
from payinfra.checks.probes.apigateway import ROUTES
from payinfra.checks.probes.model import ProbeContext
from payinfra.checks.probes.results import ProbeResult
from payinfra.checks.probes.runner import ProbeClock, run
from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Kind
from payinfra.clients.aws import Endpoints
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.clients.http import HttpResponse
from payinfra.clients.retry import Deadline
from payinfra.core.naming import objects_of_tests
from payinfra.core.outputs import (
    Declared,
    DeclaredAlarm,
    DeclaredApi,
    DeclaredDns,
    DeclaredFunction,
    DeclaredHealth,
    DeclaredKeys,
    DeclaredLimits,
    DeclaredLogGroups,
    DeclaredParameters,
    DeclaredRegion,
    DeclaredRetention,
    DeclaredTable,
    Outputs,
    RegionOutputs,
)
from payinfra.core.published import PublishedDeployment
from tests.support.answering_clients import AnsweringAws

EAST, WEST = "us-east-1", "us-west-2"
PEERS = {EAST: WEST, WEST: EAST}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OF_CANARIES = objects_of_tests("payinfra-canary-demo")
FAILOVER, LATENCY = "failover.payment-demo.internal", "latency.payment-demo.internal"
API_KEY = "the-secret-key"
HOSTS = {EAST: "api1.execute-api.us-east-1.amazonaws.com", WEST: "api2.execute-api.us-west-2.amazonaws.com"}
API_IDS = {EAST: "api1", WEST: "api2"}
ENDPOINTS = Endpoints(
    {EAST: "http://127.0.0.1:1", WEST: "http://127.0.0.1:2"}, "http://127.0.0.1:3", "127.0.0.1:5353"
)

TAGS = {"Environment": "demo", "Project": "payments"}
AS_TAGS = [{"Key": name, "Value": value} for name, value in TAGS.items()]

Call = Mapping[str, Any]
Reply = Callable[[str, Call], Any]


def error(code: str, message: str = "", operation: str = "Operation", status: int = 400) -> ClientError:
    """An error of AWS's."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        operation,
    )


def bucket(region: str) -> str:
    return f"payment-demo-audit-{region}-123456789012"


def key_arn(region: str, purpose: str) -> str:
    return f"arn:aws:kms:{region}:123456789012:key/{purpose}"


def region_outputs(region: str) -> RegionOutputs:
    return RegionOutputs(
        region=region,
        api_endpoint=f"http://{region}/prod/payments",
        api_key_id=f"key-{region}",
        api_key_parameter="/payment-demo/api-key",
        dynamodb_table_name="payment-demo-payments",
        dynamodb_table_arn=f"arn:aws:dynamodb:{region}:123456789012:table/payment-demo-payments",
        s3_bucket_name=bucket(region),
        lambda_function_name="payment-demo-payments",
        lambda_function_arn=f"arn:aws:lambda:{region}:123456789012:function:payment-demo-payments",
        lambda_log_group_name="/aws/lambda/payment-demo-payments",
        kms_key_id="data",
        sns_topic_arn=f"arn:aws:sns:{region}:123456789012:payment-demo-alarms",
        health_check_id=f"check-{region}",
    )


def declared_region(region: str) -> DeclaredRegion:
    role = f"payment-demo-function-{region}"
    return DeclaredRegion(
        region=region,
        function=DeclaredFunction(
            name="payment-demo-payments",
            alias="live",
            code_sha256="sha",
            runtime="python3.11",
            handler="payments.handler.handle",
            memory_mb=512,
            timeout_s=60,
            reserved_concurrency=None,
            role_name=role,
            role_arn=f"arn:aws:iam::123456789012:role/{role}",
        ),
        api=DeclaredApi(API_IDS[region], "payment-demo-api", "prod", f"plan-{region}", HOSTS[region]),
        keys=DeclaredKeys(*(key_arn(region, purpose) for purpose in ("data", "audit", "application"))),
        log_groups=DeclaredLogGroups("/aws/lambda/payment-demo-payments", "/aws/apigateway/api", "execution"),
        parameters=DeclaredParameters("/table", "/bucket", "/endpoint", "/payment-demo/api-key"),
        alarms=(DeclaredAlarm("errors", "AWS/Lambda", "Errors", 1.0, "Sum>= 1/1x60s notBreaching"),),
        metric_filters=("accepted", "refused"),
        dashboard=f"overview-{region}",
        replication_role_arn=f"arn:aws:iam::123456789012:role/replication-{region}",
    )


def declared(**changes: Any) -> Declared:
    whole: dict[str, Any] = {
        "version": 1,
        "protected": False,
        "regions": (declared_region(EAST), declared_region(WEST)),
        "table": DeclaredTable("payment-demo-payments", ("status-index", "customer-index"), False),
        "health": DeclaredHealth(
            "/prod/health",
            10,
            3,
            EAST,
            region_outputs(EAST).sns_topic_arn,
            tuple(
                DeclaredAlarm(f"health-{region}", "AWS/Route53", "HealthCheckStatus", 1.0) for region in PEERS
            ),
        ),
        "dns": DeclaredDns(
            "payment-demo.internal", False, 60, "/prod/payments", "/prod/health", (EAST, WEST), ()
        ),
        "retention": DeclaredRetention(7, 7, 31, 30, None),
        "limits": DeclaredLimits(100.0, 200, 1000),
        "tags": TAGS,
        "alarm_email": None,
    }
    return Declared(**{**whole, **changes})


def outputs() -> Outputs:
    return Outputs(
        primary=region_outputs(EAST),
        secondary=region_outputs(WEST),
        failover_domain=FAILOVER,
        latency_domain=LATENCY,
        hosted_zone_id="Z1",
        environment_suffix="demo",
        declared_json=declared().to_json(),
    )


class FakeTime(local):
    """A clock that only moves when somebody sleeps: for each thread its own, so that none moves another's."""

    at: float = 1000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += max(seconds, 0.01)


@dataclass
class FakeEnv:
    """The environment's answers, by service and operation. Tests put others in their place."""

    answers: dict[tuple[str, str], Reply]
    time: FakeTime = field(default_factory=FakeTime)
    endpoints: Endpoints | None = ENDPOINTS
    declared: Declared = field(default_factory=declared)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    parameters: list[tuple[str, str, Call]] = field(default_factory=list)
    items: dict[str, Call] = field(default_factory=dict)
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    health_s: float = 0.1
    payment_status: tuple[int, int] = (201, 200)
    first_answer_is_lost: bool = False
    audits: bool = True
    replay_id: str = ""
    without_key: int = 403
    reading_without_key: int = 403
    read_status: int = 200
    health: dict[str, Any] = field(default_factory=dict)
    health_status: int = 200
    dns_answers: dict[str, DnsResponse] = field(default_factory=dict)
    written_records: dict[str, dict[str, Any]] = field(default_factory=dict)
    resolved: dict[str, DnsResponse] = field(default_factory=dict)
    days_left: int = 200

    # -- what probes ask with ------------------------------------------------------------------

    def answer(self, service: str, operation: str, region: str, call: Call) -> Any:
        self.calls.append((service, operation, region))
        self.parameters.append((service.partition("-")[0], operation, call))
        return self.answers[service, operation](region, call)

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: object = None
    ) -> HttpResponse:
        """HTTP."""
        given = dict(headers or {})
        region = WEST if WEST in url or url.startswith("http://127.0.0.1:2") else EAST
        as_host = given.get("Host") in (FAILOVER, LATENCY) and not self.declared.dns.delegated
        if url.endswith("/health") and as_host:
            return HttpResponse(403, {}, '{"message":"Forbidden"}', 0.1)
        if method == "GET" and "/payments" in url and "x-api-key" in given:
            return HttpResponse(self.read_status, {}, "{}", 0.1)
        if method == "GET" and "/payments" in url:
            return HttpResponse(self.reading_without_key, {}, "{}", 0.1)
        if url.endswith("/health"):
            said = {"status": "ok", "region": region, "version": "1.0", **self.health}
            return HttpResponse(self.health_status, {}, json.dumps(said), self.health_s)
        if "x-api-key" not in given:
            return HttpResponse(self.without_key, {}, "{}", 0.1)
        assert given["x-api-key"] == API_KEY
        key = given["Idempotency-Key"]
        again = key in self.paid
        self.paid.add(key)
        if self.first_answer_is_lost and not again:
            raise httpx.ReadTimeout("the answer was lost")
        id = f"pay-{key}" if not again or not self.replay_id else self.replay_id
        self.items[id] = {"payment_id": {"S": id}, "timestamp": {"N": "0"}}
        if self.audits:
            made = canaries.milliseconds(NOW)
            for where in (region, PEERS[region]):
                self.objects[where, f"{OF_CANARIES}{made}/{id}-ffff.json"] = {}
        return HttpResponse(self.payment_status[again], {}, json.dumps({"payment_id": id}), 0.1)

    def servers(self, names: Any) -> tuple[NameServer, ...]:
        assert names == ("ns-1.example",)
        return (NameServer("192.0.2.1"),)

    def dns_ask(self, _server: NameServer, name: str, kind: str) -> DnsResponse:
        if kind != "TXT" or name in self.dns_answers:
            return self.dns_answers[name]
        values = tuple(one["Value"] for one in self.written_records[name]["ResourceRecords"])
        return DnsResponse("NOERROR", values, 60)

    # -- how tests use it ------------------------------------------------------------------------

    def live(self) -> ProbeContext:
        return ProbeContext(
            aws=AnsweringAws(self.endpoints, fake=self),
            outputs=outputs(),
            declared=self.declared,
            http=self,
            dns=FakeDns(self),
            tls=FakeTls(self),
            run="run1",
            began=NOW,
            patience=Deadline(self.time.at + 30, self.time.now, self.time.sleep),
            now=lambda: NOW,
        )

    def result(self, id: str, region: str = EAST) -> ProbeResult:
        """What one probe says of one region, or of the pair."""
        probes = [probe for probe in load() if probe.rule.id == id]
        results = run(probes, self.live(), clock=ProbeClock(self.time.now, self.time.sleep))
        return next(one for one in results if region in one.where)

    def failing(self) -> dict[str, Kind]:
        """Every probe that does not pass, and how."""
        results = run(load(), self.live(), clock=ProbeClock(self.time.now, self.time.sleep))
        return {
            result.rule.id: verdict.kind
            for result in results
            for verdict in result.verdicts
            if verdict.kind not in (Kind.PASS, Kind.NOT_APPLICABLE)
        }

    def say(self, service: str, operation: str, answer: Any) -> None:
        """Answer so, whatever is asked; an exception is raised."""

        def reply(_region: str, _call: Call) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.answers[service, operation] = reply

    def change(self, service: str, operation: str, **fields: Any) -> None:
        """Answer as before, but for these fields."""
        before = self.answers[service, operation]
        self.answers[service, operation] = lambda region, call: {**before(region, call), **fields}


@dataclass(frozen=True)
class FakeDns:
    fake: FakeEnv

    def servers(self, names: Any) -> tuple[NameServer, ...]:
        return self.fake.servers(names)

    def ask(self, server: NameServer, name: str, kind: str) -> DnsResponse:
        return self.fake.dns_ask(server, name, kind)

    def resolve(self, name: str, _kind: str) -> DnsResponse:
        return self.fake.resolved[name]


@dataclass(frozen=True)
class FakeTls:
    fake: FakeEnv

    def days_left(self, _host: str, _now: datetime) -> int:
        return self.fake.days_left


def fixed(build: Callable[[str], Any]) -> Reply:
    return lambda region, _call: build(region)


def healthy_answers(world_of: Callable[[], FakeEnv]) -> dict[tuple[str, str], Reply]:
    """Every call that the probes make, answered as a healthy environment does."""
    table = {
        "TableStatus": "ACTIVE",
        "GlobalTableVersion": "2019.11.21",
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "GlobalSecondaryIndexes": [
            {"IndexName": name, "IndexStatus": "ACTIVE", "Projection": {"ProjectionType": "ALL"}}
            for name in ("status-index", "customer-index")
        ],
        "DeletionProtectionEnabled": False,
    }

    def describe_table(region: str, _call: Call) -> Any:
        replicas = [{"RegionName": PEERS[region], "ReplicaStatus": "ACTIVE"}]
        sse = {"Status": "ENABLED", "KMSMasterKeyArn": key_arn(region, "data")}
        stream = f"{region_outputs(region).dynamodb_table_arn}/stream/2026"
        more = {"Replicas": replicas, "SSEDescription": sse, "LatestStreamArn": stream}
        return {"Table": {**table, **more}}

    def put_item(_region: str, call: Call) -> Any:
        world_of().items[call["Item"]["payment_id"]["S"]] = call["Item"]
        return {}

    def get_item(_region: str, call: Call) -> Any:
        found = world_of().items.get(call["Key"]["payment_id"]["S"])
        return {"Item": found} if found else {}

    def delete_item(_region: str, call: Call) -> Any:
        world_of().items.pop(call["Key"]["payment_id"]["S"], None)
        return {}

    def query(_region: str, call: Call) -> Any:
        items = list(world_of().items.values())
        values = call["ExpressionAttributeValues"]
        if call.get("IndexName") == "status-index":
            return {"Items": [item for item in items if item.get("status") == values[":status"]]}
        if "IndexName" in call:
            return {"Items": [item for item in items if "customer_id" in item]}
        wanted = call["ExpressionAttributeValues"][":id"]["S"]
        return {"Items": [item for item in items if item["payment_id"]["S"] == wanted]}

    def put_object(region: str, call: Call) -> Any:
        objects = world_of().objects
        objects[region, call["Key"]] = {"ReplicationStatus": "COMPLETED"}
        objects[PEERS[region], call["Key"]] = {"ReplicationStatus": "REPLICA"}
        return {}

    def head_object(region: str, call: Call) -> Any:
        found = world_of().objects.get((region, call["Key"]))
        if found is None:
            raise error("404", "Not Found", "HeadObject")
        return found

    def list_versions(region: str, call: Call) -> Any:
        keys = [
            key for where, key in world_of().objects if where == region and key.startswith(call["Prefix"])
        ]
        return {"Versions": [{"Key": key, "VersionId": "1", "LastModified": NOW} for key in keys]}

    def delete_object(region: str, call: Call) -> Any:
        del world_of().objects[region, call["Key"]]
        return {}

    def change_records(_region: str, call: Call) -> Any:
        (change,) = call["ChangeBatch"]["Changes"]
        name, written = change["ResourceRecordSet"]["Name"].rstrip("."), world_of().written_records
        if change["Action"] == "UPSERT":
            written[name] = change["ResourceRecordSet"]
        elif written.pop(name, None) is None:
            raise error("InvalidChangeBatch", "it was not found", "ChangeResourceRecordSets")
        return {"ChangeInfo": {"Id": "C1", "Status": "PENDING"}}

    def records(_region: str, call: Call) -> Any:
        if "StartRecordName" in call:
            found = [{**one, "Name": f"{name}."} for name, one in world_of().written_records.items()]
            return {"ResourceRecordSets": [*found, record(LATENCY, EAST)]}
        made = alias if world_of().declared.dns.delegated else record
        return {
            "ResourceRecordSets": [
                {"Name": "payment-demo.internal.", "Type": "NS"},
                *(made(FAILOVER, region, Failover=role) for region, role in ROLES.items()),
                *(made(LATENCY, region, Region=region) for region in PEERS),
            ]
        }

    def groups(region: str, call: Call) -> Any:
        name = call["logGroupNamePrefix"]
        group = {"logGroupName": name, "retentionInDays": 7, "kmsKeyId": key_arn(region, "audit")}
        return {"logGroups": [{**group, "logGroupName": f"{name}-older"}, group]}

    def alarms(region: str, call: Call) -> Any:
        known = {one.name: one for one in (*declared_region(region).alarms, *declared().health.alarms)}
        return {
            "MetricAlarms": [
                {
                    "AlarmName": name,
                    "ActionsEnabled": True,
                    "Namespace": known[name].namespace,
                    "MetricName": known[name].metric,
                    "Threshold": known[name].threshold,
                    "Dimensions": dimensions(region, name),
                    "AlarmActions": [region_outputs(region).sns_topic_arn],
                    "OKActions": [region_outputs(region).sns_topic_arn],
                    "Statistic": "Sum",
                    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                    "Period": 60,
                    "EvaluationPeriods": 1,
                    "TreatMissingData": "notBreaching",
                    "StateValue": "OK",
                }
                for name in call["AlarmNames"]
            ]
        }

    def parameter(region: str, call: Call) -> Any:
        own = region_outputs(region)
        plain = {"/table": own.dynamodb_table_name, "/bucket": own.s3_bucket_name}
        plain["/endpoint"] = own.api_endpoint
        if call["Name"] in plain:
            return {"Parameter": {"Type": "String", "Value": plain[call["Name"]]}}
        if call["Name"] == "/payment-demo/evacuated":
            return {"Parameter": {"Type": "String", "Value": "{}"}}
        if call["Name"] == "/payment-demo/deployment":
            value = PublishedDeployment("demo", region, outputs()).to_json()
            return {"Parameter": {"Type": "String", "Value": value}}
        assert call["WithDecryption"]
        return {"Parameter": {"Type": "SecureString", "Value": API_KEY}}

    def simulate(_region: str, call: Call) -> Any:
        (resource,) = call["ResourceArns"]
        told = {one["ContextKeyName"]: one["ContextKeyValues"] for one in call["ContextEntries"]}
        via = "kms:ViaService" in told
        bound = told.get("aws:ResourceTag/Project") == ["payments"]
        if "role/replication-" in call["PolicySourceArn"]:
            return {
                "EvaluationResults": [
                    {"EvalActionName": one, "EvalDecision": "allowed"} for one in call["ActionNames"]
                ]
            }
        region = call["PolicySourceArn"].rsplit("function-", 1)[1]
        there = f":{PEERS[region]}:" in resource or bucket(PEERS[region]) in resource

        def decision(action: str) -> str:
            key = action in ("kms:Decrypt", "kms:GenerateDataKey") and via and bound
            ours = action in NEEDED and not (resource.endswith("/api-key") or there)
            return "allowed" if ours or (key and not there) else "implicitDeny"

        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": decision(action)} for action in call["ActionNames"]
            ]
        }

    return {
        ("apigateway", "get_stage"): fixed(
            lambda _region: {
                "deploymentId": "d1",
                "accessLogSettings": {"destinationArn": "arn:aws:logs:r:1:log-group:/aws/apigateway/api"},
                "tracingEnabled": True,
                "methodSettings": {
                    "*/*": {
                        "throttlingRateLimit": 100.0,
                        "throttlingBurstLimit": 200,
                        "dataTraceEnabled": False,
                        "loggingLevel": "INFO",
                        "metricsEnabled": True,
                    }
                },
            }
        ),
        ("apigateway", "get_usage_plan"): fixed(
            lambda region: {
                "throttle": {"rateLimit": 100.0, "burstLimit": 200},
                "quota": {"limit": 1000, "period": "DAY"},
                "apiStages": [{"apiId": API_IDS[region], "stage": "prod"}],
            }
        ),
        ("apigateway", "get_usage_plans"): fixed(
            lambda region: {
                "items": [
                    {"id": f"plan-{region}", "apiStages": [{"apiId": API_IDS[region], "stage": "prod"}]}
                ]
            }
        ),
        ("apigateway", "get_rest_api"): fixed(lambda _region: {"apiKeySource": "HEADER"}),
        ("apigateway", "get_deployment"): fixed(lambda _region: {"description": "contract 1"}),
        ("apigateway", "get_resources"): fixed(lambda region: {"items": resources(region)}),
        ("apigateway", "get_usage_plan_keys"): fixed(lambda region: {"items": [{"id": f"key-{region}"}]}),
        ("apigateway", "get_api_key"): fixed(lambda _region: {"enabled": True, "value": API_KEY}),
        ("apigateway", "get_account"): fixed(lambda _region: {"cloudwatchRoleArn": "role"}),
        ("apigateway", "get_domain_name"): lambda region, call: {
            "domainNameStatus": "AVAILABLE",
            "securityPolicy": "TLS_1_2",
            "regionalCertificateArn": f"certificate-{region}",
            "regionalDomainName": custom_domain(call["domainName"], region),
            "regionalHostedZoneId": f"Z-{region}",
        },
        ("apigateway", "get_base_path_mappings"): fixed(
            lambda region: {"items": [{"basePath": "(none)", "restApiId": API_IDS[region], "stage": "prod"}]}
        ),
        ("lambda", "get_function_configuration"): fixed(
            lambda region: {
                "State": "Active",
                "LastUpdateStatus": "Successful",
                "Runtime": "python3.11",
                "Handler": "payments.handler.handle",
                "MemorySize": 512,
                "Timeout": 60,
                "KMSKeyArn": key_arn(region, "application"),
                "Role": declared_region(region).function.role_arn,
                "CodeSha256": "sha",
                "TracingConfig": {"Mode": "Active"},
                "Environment": {"Variables": variables(region)},
            }
        ),
        ("lambda", "list_tags"): fixed(lambda _region: {"Tags": TAGS}),
        ("sns", "list_tags_for_resource"): fixed(lambda _region: {"Tags": AS_TAGS}),
        ("s3", "get_bucket_tagging"): fixed(lambda _region: {"TagSet": AS_TAGS}),
        ("dynamodb", "list_tags_of_resource"): fixed(lambda _region: {"Tags": AS_TAGS}),
        ("lambda", "get_alias"): fixed(lambda _region: {"FunctionVersion": "1"}),
        ("lambda", "get_policy"): function_policy,
        ("lambda", "list_event_source_mappings"): fixed(
            lambda region: {"EventSourceMappings": [mapping(region)]}
        ),
        ("lambda", "get_function_concurrency"): fixed(lambda _region: {}),
        ("dynamodb", "describe_table"): describe_table,
        ("dynamodb", "describe_continuous_backups"): fixed(
            lambda _region: {
                "ContinuousBackupsDescription": {
                    "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}
                }
            }
        ),
        ("dynamodb", "describe_time_to_live"): fixed(
            lambda _region: {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
        ),
        ("dynamodb", "get_resource_policy"): no_policy,
        ("dynamodb", "put_item"): put_item,
        ("dynamodb", "get_item"): get_item,
        ("dynamodb", "delete_item"): delete_item,
        ("dynamodb", "query"): query,
        ("route53", "get_health_check"): fixed(
            lambda region: {
                "HealthCheck": {
                    "HealthCheckConfig": {
                        "Type": "HTTPS",
                        "FullyQualifiedDomainName": HOSTS[region],
                        "Port": 443,
                        "EnableSNI": True,
                        "ResourcePath": "/prod/health",
                        "RequestInterval": 10,
                        "FailureThreshold": 3,
                    }
                }
            }
        ),
        ("route53", "get_health_check_status"): fixed(
            lambda _region: {"HealthCheckObservations": [observation("Success: HTTP 200")] * 8}
        ),
        ("route53", "list_resource_record_sets"): records,
        ("route53", "change_resource_record_sets"): change_records,
        ("route53", "get_change"): fixed(lambda _region: {"ChangeInfo": {"Id": "C1", "Status": "INSYNC"}}),
        ("route53", "get_hosted_zone"): fixed(
            lambda _region: {"DelegationSet": {"NameServers": ["ns-1.example"]}}
        ),
        ("s3", "get_bucket_versioning"): fixed(lambda _region: {"Status": "Enabled"}),
        ("s3", "get_bucket_encryption"): fixed(
            lambda region: {
                "ServerSideEncryptionConfiguration": {
                    "Rules": [
                        {
                            "ApplyServerSideEncryptionByDefault": {
                                "SSEAlgorithm": "aws:kms",
                                "KMSMasterKeyID": key_arn(region, "audit"),
                            },
                            "BucketKeyEnabled": True,
                        }
                    ]
                }
            }
        ),
        ("s3", "get_public_access_block"): fixed(
            lambda _region: {
                "PublicAccessBlockConfiguration": dict.fromkeys(
                    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"),
                    True,
                )
            }
        ),
        ("s3", "get_bucket_ownership_controls"): fixed(
            lambda _region: {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
        ),
        ("s3", "get_bucket_lifecycle_configuration"): fixed(lambda _region: {"Rules": [lifecycle()]}),
        ("s3", "get_object_lock_configuration"): fixed(
            lambda _region: {
                "ObjectLockConfiguration": {
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 7}},
                }
            }
        ),
        ("s3", "get_bucket_policy"): fixed(lambda region: {"Policy": json.dumps(tls_policy(region))}),
        ("s3", "get_bucket_replication"): fixed(lambda region: replication(region)),
        ("s3", "put_object"): put_object,
        ("s3", "head_object"): head_object,
        ("s3", "list_object_versions"): list_versions,
        ("s3", "delete_object"): delete_object,
        ("s3-plain", "list_objects_v2"): _denied,
        ("cloudwatch", "describe_alarms"): alarms,
        ("cloudwatch", "get_dashboard"): fixed(
            lambda _region: {"DashboardBody": '["payment-demo-payments"]'}
        ),
        ("logs", "describe_log_groups"): groups,
        ("logs", "filter_log_events"): fixed(lambda _region: {"events": [{"message": "x"}]}),
        ("logs", "describe_metric_filters"): fixed(
            lambda _region: {"metricFilters": [metric_filter("accepted"), metric_filter("refused")]}
        ),
        ("iam", "simulate_principal_policy"): simulate,
        ("iam", "get_role"): lambda _region, call: {
            "Role": {"AssumeRolePolicyDocument": trust_policy(call["RoleName"])}
        },
        ("iam", "list_role_policies"): fixed(lambda _region: {"PolicyNames": ["payment-demo-replication"]}),
        ("iam", "list_attached_role_policies"): fixed(lambda _region: {"AttachedPolicies": []}),
        ("kms", "describe_key"): fixed(lambda _region: {"KeyMetadata": {"KeyState": "Enabled"}}),
        ("kms", "list_resource_tags"): fixed(
            lambda _region: {"Tags": [{"TagKey": name, "TagValue": value} for name, value in TAGS.items()]}
        ),
        ("kms", "get_key_policy"): lambda region, call: {
            "Policy": json.dumps(key_policy(region, call["KeyId"]))
        },
        ("kms", "list_grants"): fixed(lambda _region: {"Grants": []}),
        ("kms", "get_key_rotation_status"): fixed(lambda _region: {"KeyRotationEnabled": True}),
        ("kms", "encrypt"): lambda _region, call: {"CiphertextBlob": call["Plaintext"][::-1]},
        ("kms", "decrypt"): lambda _region, call: {"Plaintext": call["CiphertextBlob"][::-1]},
        ("ssm", "get_parameter"): parameter,
        ("ssm", "describe_parameters"): lambda region, call: {
            "Parameters": [{"Name": "x", "KeyId": key_arn(region, "application")}]
        },
        ("sns", "get_topic_attributes"): fixed(
            lambda region: {
                "Attributes": {
                    "KmsMasterKeyId": key_arn(region, "audit"),
                    "Policy": json.dumps(topic_policy(region)),
                }
            }
        ),
        ("sns", "list_subscriptions_by_topic"): fixed(
            lambda _region: {"Subscriptions": [{"Endpoint": "ops@example.com", "SubscriptionArn": "arn"}]}
        ),
    }


def no_policy(_region: str, _call: Call) -> Any:
    raise error("PolicyNotFoundException", "no policy", "GetResourcePolicy")


def function_policy(region: str, call: Call) -> Any:
    """Only the alias has one."""
    if "Qualifier" not in call:
        raise error("ResourceNotFoundException", "no policy", "GetPolicy")
    source = f"arn:aws:execute-api:{region}:123456789012:{API_IDS[region]}/prod"
    function = f"arn:aws:lambda:{region}:123456789012:function:payment-demo-payments:live"
    return {
        "Policy": json.dumps(
            {
                "Statement": [
                    {
                        "Sid": f"api-{method}-{at}",
                        "Effect": "Allow",
                        "Principal": {"Service": "apigateway.amazonaws.com"},
                        "Action": "lambda:InvokeFunction",
                        "Resource": function,
                        "Condition": {"ArnLike": {"AWS:SourceArn": f"{source}/{method}{path}"}},
                    }
                    for at, (method, path) in enumerate(
                        (route.method, route.path.replace("{payment_id}", "*")) for route in ROUTES
                    )
                ]
            }
        )
    }


def resources(region: str) -> list[dict[str, Any]]:
    """The API's paths with their methods."""
    function = f"arn:aws:lambda:{region}:123456789012:function:payment-demo-payments:live"
    found: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        found.setdefault(route.path, {})[route.method] = {
            "authorizationType": "NONE",
            "apiKeyRequired": route.method != "OPTIONS" and "payments" in route.path,
            "methodIntegration": {"uri": f"arn:aws:apigateway:{region}:lambda:path/x/{function}/invocations"},
        }
    return [{"path": path, "resourceMethods": methods} for path, methods in found.items()]


def variables(region: str) -> dict[str, str]:
    """What the function is told."""
    return {
        "ENVIRONMENT": "demo",
        "TABLE_NAME": "payment-demo-payments",
        "AUDIT_BUCKET": bucket(region),
        "AUDIT_KEY_ARN": key_arn(region, "audit"),
        "CURSOR_SECRET_PARAMETER": "/payment-demo/cursor-secret",
        "EVACUATED_PARAMETER": "/payment-demo/evacuated",
        "PEER_REGION": PEERS[region],
        "PRIMARY_REGION": EAST,
        "POWERTOOLS_SERVICE_NAME": "payments",
        "POWERTOOLS_METRICS_NAMESPACE": "payment-demo",
        "LOG_LEVEL": "INFO",
    }


def mapping(region: str) -> dict[str, Any]:
    """How the function is handed the table's stream."""
    recorded = {"receipt": {"M": {"region": {"S": [region]}}}}
    return {
        "EventSourceArn": f"{region_outputs(region).dynamodb_table_arn}/stream/2026",
        "State": "Enabled",
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 79200,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": region_outputs(region).sns_topic_arn}},
        "FilterCriteria": {
            "Filters": [
                {"Pattern": json.dumps({"eventName": ["MODIFY"]})},
                {"Pattern": json.dumps({"eventName": ["INSERT"], "dynamodb": {"NewImage": recorded}})},
            ]
        },
    }


def lifecycle() -> dict[str, Any]:
    """How long audit objects are kept."""
    return {
        "ID": "audit",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
        "Expiration": {"Days": 31},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
    }


def metric_filter(outcome: str) -> dict[str, Any]:
    """A count of log lines."""
    counted = {
        "metricName": f"LoggedPayments{outcome.capitalize()}",
        "metricNamespace": "payment-demo",
        "metricValue": "1",
    }
    return {
        "filterName": outcome,
        "filterPattern": f'{{ $.outcome = "{outcome}" }}',
        "metricTransformations": [counted],
    }


def dimensions(region: str, alarm: str) -> list[dict[str, str]]:
    """What an alarm watches."""
    if alarm.startswith("health-"):
        return [{"Name": "HealthCheckId", "Value": alarm.replace("health-", "check-")}]
    return [{"Name": "FunctionName", "Value": region_outputs(region).lambda_function_name}]


def key_policy(region: str, key: str) -> dict[str, Any]:
    """What a customer key's policy says."""
    alarm = f"arn:aws:cloudwatch:{region}:123456789012:alarm:payment-demo-*"
    group = f"arn:aws:logs:{region}:123456789012:log-group:/aws/lambda/payment-demo-payments"
    every: dict[str, Any] = {"Effect": "Allow", "Resource": "*"}
    services: list[dict[str, Any]] = [
        {
            "Sid": "Alarms",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "123456789012"},
                "ArnLike": {"aws:SourceArn": alarm},
            },
        },
        {
            "Sid": "Logs",
            "Action": ["kms:Encrypt", "kms:GenerateDataKey*"],
            "Principal": {"Service": f"logs.{region}.amazonaws.com"},
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": [group]}},
        },
    ]
    look_up = {
        "Sid": "TableLookUp",
        "Action": "kms:DescribeKey",
        "Principal": {"Service": "dynamodb.amazonaws.com"},
        "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    }
    account = {
        "Sid": "Account",
        "Action": "kms:*",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    }
    more = {"audit": services, "data": [look_up]}.get(key.rpartition("/")[2], [])
    return {"Statement": [{**every, **one} for one in (account, *more)]}


def topic_policy(region: str) -> dict[str, Any]:
    """What the alarm topic's policy says."""
    alarm = f"arn:aws:cloudwatch:{region}:123456789012:alarm:payment-demo-*"
    return {
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Action": "sns:Publish",
                "Resource": f"arn:aws:sns:{region}:123456789012:payment-demo-alarms",
                "Principal": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Sid": "Alarms",
                "Effect": "Allow",
                "Action": "sns:Publish",
                "Resource": f"arn:aws:sns:{region}:123456789012:payment-demo-alarms",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                    "ArnLike": {"aws:SourceArn": alarm},
                },
            },
        ]
    }


def trust_policy(role: str) -> dict[str, Any]:
    """Whom a role trusts."""
    service = "s3" if "replication" in role else "lambda"
    return {
        "Statement": [
            {
                "Sid": "Assume",
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            }
        ]
    }


ROLES = {EAST: "PRIMARY", WEST: "SECONDARY"}
NEEDED = frozenset(
    {
        *("dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("s3:PutObject", "sns:Publish", "ssm:GetParameter"),
        *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
        *("dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"),
        *("logs:CreateLogStream", "logs:PutLogEvents"),
    }
)
"""What the function's role allows, besides the use of keys through services."""


def record(name: str, region: str, **policy: str) -> dict[str, Any]:
    return {
        "Name": f"{name}.",
        "Type": "CNAME",
        "SetIdentifier": region,
        "TTL": 60,
        "ResourceRecords": [{"Value": f"{HOSTS[region]}."}],
        "HealthCheckId": f"check-{region}",
        **policy,
    }


def custom_domain(name: str, region: str) -> str:
    """Where API Gateway serves a name of one's own in a region."""
    return f"d-{name.partition('.')[0]}.execute-api.{region}.amazonaws.com"


def alias(name: str, region: str, **policy: str) -> dict[str, Any]:
    target = {
        "HostedZoneId": f"Z-{region}",
        "DNSName": f"{custom_domain(name, region)}.",
        "EvaluateTargetHealth": True,
    }
    kept = ("Name", "SetIdentifier", "HealthCheckId")
    plain = {part: value for part, value in record(name, region).items() if part in kept}
    return {**plain, "Type": "A", "AliasTarget": target, **policy}


def observation(status: str, age: timedelta = timedelta()) -> dict[str, Any]:
    return {"StatusReport": {"Status": status, "CheckedTime": NOW - age}}


def tls_policy(region: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{bucket(region)}"
    return {
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ]
    }


def replication(region: str) -> dict[str, Any]:
    peer = PEERS[region]
    return {
        "ReplicationConfiguration": {
            "Role": declared_region(region).replication_role_arn,
            "Rules": [
                {
                    "Status": "Enabled",
                    "DeleteMarkerReplication": {"Status": "Enabled"},
                    "Destination": {
                        "Bucket": f"arn:aws:s3:::{bucket(peer)}",
                        "EncryptionConfiguration": {"ReplicaKmsKeyID": key_arn(peer, "audit")},
                    },
                    "SourceSelectionCriteria": {
                        "SseKmsEncryptedObjects": {"Status": "Enabled"},
                        "ReplicaModifications": {"Status": "Enabled"},
                    },
                }
            ],
        }
    }


def _denied(_region: str, _call: Call) -> Any:
    raise error("AccessDenied", "no TLS", "ListObjectsV2")


def healthy() -> FakeEnv:
    """A healthy environment on the embedded AWS."""
    made: list[FakeEnv] = []
    fake = FakeEnv(
        healthy_answers(lambda: made[0]),
        dns_answers={name: DnsResponse("NOERROR", (HOSTS[EAST],), 60) for name in (FAILOVER, LATENCY)},
        resolved={name: DnsResponse("NOERROR", (HOSTS[EAST],), 60) for name in (FAILOVER, LATENCY)},
    )
    made.append(fake)
    return fake


@pytest.fixture
def fake() -> FakeEnv:
    """A healthy environment on the embedded AWS."""
    return healthy()


@pytest.fixture
def aws_error() -> Callable[..., ClientError]:
    """Makes an error of AWS's."""
    return error

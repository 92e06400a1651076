"""Each correction, asked of ministack itself as Terraform's provider or an SDK asks."""

import asyncio
import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from payinfra.local.server.patches import api_gateway, cloudwatch_metrics, lambda_integration
from payinfra.local.server.patches.lambda_integration import Refused
from tests.unit.local.conftest import ANYBODY

CODE = "payments"


@pytest.fixture
def api(world: Any) -> str:
    made = world.json("apigateway", "POST", "/restapis", {"name": "payments"})
    return str(made["id"])


# ---- API Gateway ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [{"name": "k", "value": ""}, {"name": "k"}])
def test_an_empty_key_value_asks_for_one(world: Any, wanted: dict[str, str]) -> None:
    assert len(world.json("apigateway", "POST", "/apikeys", wanted)["value"]) >= 20


def test_a_key_value_that_is_given_is_kept(world: Any) -> None:
    value = "a-value-of-twenty-characters"
    assert world.json("apigateway", "POST", "/apikeys", {"name": "k", "value": value})["value"] == value


@pytest.mark.parametrize(("text", "enabled"), [("false", False), ("true", True), ("True", True)])
def test_a_key_is_enabled_or_not_however_it_was_patched(world: Any, text: str, enabled: bool) -> None:
    key = world.json("apigateway", "POST", "/apikeys", {"name": "k"})["id"]
    operations = [
        {"op": "replace", "path": "/name", "value": "true"},
        {"op": "replace", "path": "/enabled", "value": text},
    ]
    patched = world.json("apigateway", "PATCH", f"/apikeys/{key}", {"patchOperations": operations})
    assert (patched["enabled"], patched["name"]) == (enabled, "true")


def test_an_empty_base_path_is_the_root(world: Any, api: str) -> None:
    domain = {"domainName": "pay.example.com", "regionalCertificateArn": world.certificate()}
    world.json("apigateway", "POST", "/domainnames", domain)
    mappings = "/domainnames/pay.example.com/basepathmappings"
    world.json("apigateway", "POST", mappings, {"basePath": "", "restApiId": api, "stage": "prod"})
    world.json("apigateway", "POST", mappings, {"basePath": "v2", "restApiId": api, "stage": "prod"})
    assert world.json("apigateway", "GET", f"{mappings}/%28none%29")["restApiId"] == api
    assert world.json("apigateway", "GET", f"{mappings}/v2")["basePath"] == "v2"


def test_a_stage_without_access_log_is_described_without(world: Any, api: str) -> None:
    deployment = world.deployment(api)
    plain = {"stageName": "plain", "deploymentId": deployment}
    world.json("apigateway", "POST", f"/restapis/{api}/stages", plain)
    logged = {"stageName": "logged", "deploymentId": deployment, "accessLogSettings": {"format": "x"}}
    world.json("apigateway", "POST", f"/restapis/{api}/stages", logged)
    assert "accessLogSettings" not in world.json("apigateway", "GET", f"/restapis/{api}/stages/plain")
    both = world.json("apigateway", "GET", f"/restapis/{api}/stages")["item"]
    assert [stage.get("accessLogSettings") for stage in both] == [None, {"format": "x"}]


def test_a_usage_plan_without_limits_is_described_without(world: Any) -> None:
    made = world.json("apigateway", "POST", "/usageplans", {"name": "bare"})
    assert not {"quota", "throttle"} & made.keys()
    limited = {"name": "limited", "quota": {"limit": 5, "period": "DAY"}, "throttle": {"rateLimit": 1.0}}
    shown = world.json("apigateway", "POST", "/usageplans", limited)
    assert (shown["quota"], shown["throttle"]) == (limited["quota"], limited["throttle"])


@pytest.mark.parametrize("kind", ["restapis", "apikeys", "usageplans", "domainnames"])
def test_what_was_tagged_later_is_described_with_all_its_tags(world: Any, kind: str) -> None:
    wanted = {"name": "a", "domainName": "pay.example.com", "tags": {"Made": "1", "Gone": "2"}}
    wanted |= {"regionalCertificateArn": world.certificate()}
    made = world.json("apigateway", "POST", f"/{kind}", wanted)
    name = made.get("id", "pay.example.com")
    tags = f"/tags/{quote(f'arn:aws:apigateway:us-east-1::/{kind}/{name}', safe='')}"
    assert world.call("apigateway", "PUT", tags, {"tags": {"Owner": "us"}}).status == 204
    assert world.call("apigateway", "DELETE", f"{tags}?tagKeys=Gone").status == 204
    shown = world.json("apigateway", "GET", f"/{kind}/{name}")
    assert shown["tags"] == world.json("apigateway", "GET", tags)["tags"] == {"Made": "1", "Owner": "us"}


def test_a_stage_has_tags_of_its_own(world: Any, api: str) -> None:
    stage = {"stageName": "prod", "deploymentId": world.deployment(api)}
    world.json("apigateway", "POST", f"/restapis/{api}/stages", stage)
    tags = f"/tags/{quote(f'arn:aws:apigateway:us-east-1::/restapis/{api}/stages/prod', safe='')}"
    assert world.call("apigateway", "PUT", tags, {"tags": {"Owner": "us"}}).status == 204
    assert world.json("apigateway", "GET", f"/restapis/{api}/stages/prod")["tags"] == {"Owner": "us"}
    assert not world.json("apigateway", "GET", f"/restapis/{api}").get("tags")


def test_what_is_not_there_cannot_be_tagged(world: Any) -> None:
    for resource in ("/restapis/none", "/unheard/of", "/restapis/none/stages/prod"):
        tags = f"/tags/{quote(f'arn:aws:apigateway:us-east-1::{resource}', safe='')}"
        assert world.call("apigateway", "PUT", tags, {"tags": {"Owner": "us"}}).status >= 400


def test_the_limits_of_a_usage_plan_stay_numbers_however_they_were_patched(world: Any) -> None:
    limits = {"quota": {"limit": 5, "period": "DAY"}, "throttle": {"rateLimit": 1.0, "burstLimit": 2}}
    plan = world.json("apigateway", "POST", "/usageplans", {"name": "p", **limits})["id"]
    operations = [
        {"op": "replace", "path": "/quota/limit", "value": "777"},
        {"op": "replace", "path": "/throttle/rateLimit", "value": "2.5"},
        {"op": "replace", "path": "/throttle/burstLimit", "value": "9"},
        {"op": "replace", "path": "/name", "value": "12"},
    ]
    shown = world.json("apigateway", "PATCH", f"/usageplans/{plan}", {"patchOperations": operations})
    assert shown["quota"] == {"limit": 777, "period": "DAY"}
    assert shown["throttle"] == {"rateLimit": 2.5, "burstLimit": 9}
    assert shown["name"] == "12"


def test_a_domain_without_mutual_tls_is_described_without(world: Any) -> None:
    domain = {"domainName": "pay.example.com", "regionalCertificateArn": world.certificate()}
    made = world.json("apigateway", "POST", "/domainnames", domain)
    assert "mutualTlsAuthentication" not in made


def test_an_integration_that_calls_nothing_is_described_without_a_method(world: Any, api: str) -> None:
    root = world.json("apigateway", "GET", f"/restapis/{api}/resources")["item"][0]["id"]
    method = f"/restapis/{api}/resources/{root}/methods/OPTIONS"
    world.json("apigateway", "PUT", method, {"authorizationType": "NONE"})
    world.json("apigateway", "PUT", f"{method}/integration", {"type": "MOCK"})
    assert "httpMethod" not in world.json("apigateway", "GET", f"{method}/integration")
    world.json(
        "apigateway", "PUT", f"{method}/integration", {"type": "HTTP", "httpMethod": "GET", "uri": "http://x"}
    )
    assert world.json("apigateway", "GET", f"{method}/integration")["httpMethod"] == "GET"


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"name": "x"}'])
def test_what_needs_no_correction_is_left_as_it_is(body: bytes) -> None:
    given = AsgiResponse(200, (), body)
    for path in ("/usageplans", "/restapis/a/resources/b/methods/GET/integration", "/restapis"):
        request = HttpRequest("GET", path)
        assert api_gateway.what_was_not_set_is_not_described(request, given, "r") is given
        assert api_gateway.mock_integration_has_no_method(request, given, "r") is given


def test_two_regions_may_have_keys_of_one_value(world: Any) -> None:
    value = "one-value-for-two-regions"
    wanted = {"name": "k", "value": value}
    east = world.json("apigateway", "POST", "/apikeys", wanted)["id"]
    west = world.json("apigateway", "POST", "/apikeys", wanted, region="us-west-2")["id"]
    gateway = world.emulator.service("apigateway_v1")
    for region, key_id in (("us-east-1", east), ("us-west-2", west)):
        with world.emulator.scope("000000000000", region):
            assert gateway._resolve_api_key(value)["id"] == key_id
            assert gateway._resolve_api_key("") is None
            assert gateway._resolve_api_key("another") is None


def test_two_regions_may_serve_one_domain(world: Any) -> None:
    gateway = world.emulator.service("apigateway_v1")
    for region in ("us-east-1", "us-west-2"):
        certificate = world.certificate(region=region)
        domain = {"domainName": "Pay.example.com", "regionalCertificateArn": certificate}
        world.json("apigateway", "POST", "/domainnames", domain, region=region)
    for region in ("us-east-1", "us-west-2"):
        with world.emulator.scope("000000000000", region):
            assert gateway.find_domain_scope("pay.EXAMPLE.com") == ("000000000000", region, "Pay.example.com")
    with world.emulator.scope("000000000000", "eu-west-1"):
        assert gateway.find_domain_scope("pay.example.com") is None


# ---- CloudWatch -----------------------------------------------------------------------------------------

ALARM = (
    "Action=PutMetricAlarm&AlarmName=slow%20%26%20steady&Namespace=AWS/Lambda&MetricName=Duration&Period=60"
    "&EvaluationPeriods=3&DatapointsToAlarm=2&Threshold=5&ComparisonOperator=GreaterThanThreshold"
    "&TreatMissingData=notBreaching&Dimensions.member.1.Name=FunctionName&Dimensions.member.1.Value=f"
    "&AlarmActions.member.1=arn:aws:a:::a&OKActions.member.1=arn:aws:o:::o"
    "&InsufficientDataActions.member.1=arn:aws:i:::i"
    "&ActionsEnabled=true"
)


def element(document: str, name: str) -> str:
    found = re.search(f"<{name}>(.*?)</{name}>", document, re.DOTALL)
    assert found, document
    return found.group(1)


def test_an_alarm_is_described_in_full_in_the_query_protocol(world: Any) -> None:
    world.query("monitoring", f"{ALARM}&Statistic=Maximum")
    shown = world.query("monitoring", "Action=DescribeAlarms&AlarmNames.member.1=slow%20%26%20steady")
    assert element(shown, "AlarmName") == "slow &amp; steady"
    assert element(shown, "Period") == "60"
    assert element(shown, "Statistic") == "Maximum"
    assert element(shown, "ActionsEnabled") == "true"
    assert element(shown, "TreatMissingData") == "notBreaching"
    assert element(shown, "AlarmActions") == "<member>arn:aws:a:::a</member>"
    assert element(shown, "OKActions") == "<member>arn:aws:o:::o</member>"
    assert element(shown, "InsufficientDataActions") == "<member>arn:aws:i:::i</member>"
    assert element(shown, "Dimensions") == "<member><Name>FunctionName</Name><Value>f</Value></member>"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", element(shown, "StateUpdatedTimestamp"))
    assert "<Unit>" not in shown
    assert "<AlarmName>" not in world.query("monitoring", "Action=DescribeAlarms&AlarmNames.member.1=other")


def test_alarms_on_a_metric_are_described_in_full(world: Any) -> None:
    world.query("monitoring", f"{ALARM}&Statistic=Maximum")
    asked = "Action=DescribeAlarmsForMetric&Namespace=AWS/Lambda&MetricName=Duration"
    assert element(world.query("monitoring", asked), "Period") == "60"


def test_a_percentile_is_an_alarms_only_statistic(world: Any) -> None:
    world.query("monitoring", f"{ALARM}&ExtendedStatistic=p99&EvaluateLowSampleCountPercentile=ignore")
    shown = world.query("monitoring", "Action=DescribeAlarms")
    assert element(shown, "ExtendedStatistic") == "p99"
    assert element(shown, "EvaluateLowSampleCountPercentile") == "ignore"
    assert "<Statistic>" not in shown


def test_an_alarms_metric_math_is_kept(world: Any) -> None:
    metrics = "&".join(
        (
            "Metrics.member.1.Id=rate&Metrics.member.1.Expression=100*e&Metrics.member.1.ReturnData=true",
            "Metrics.member.2.Id=e&Metrics.member.2.MetricStat.Period=60&Metrics.member.2.MetricStat.Stat=Sum",
            "Metrics.member.2.MetricStat.Metric.MetricName=Errors&Metrics.member.2.ReturnData=false",
            "Metrics.member.2.MetricStat.Metric.Dimensions.member.1.Name=n",
            "Metrics.member.2.MetricStat.Metric.Dimensions.member.1.Value=v",
        )
    )
    common = "EvaluationPeriods=1&ComparisonOperator=GreaterThanUpperThreshold&ThresholdMetricId=rate"
    world.query("monitoring", f"Action=PutMetricAlarm&AlarmName=math&{common}&{metrics}")
    shown = world.query("monitoring", "Action=DescribeAlarms")
    assert element(shown, "Expression") == "100*e"
    assert element(shown, "ReturnData") == "true"
    assert element(shown, "MetricStat") == (
        "<Period>60</Period><Stat>Sum</Stat><Metric><MetricName>Errors</MetricName>"
        "<Dimensions><member><Name>n</Name><Value>v</Value></member></Dimensions></Metric>"
    )
    assert element(shown, "ThresholdMetricId") == "rate"
    assert "<Threshold>" not in shown


def test_the_json_protocol_is_left_as_it_is(world: Any) -> None:
    headers = {"content-type": "application/x-amz-json-1.0"}
    target = "GraniteServiceVersion20100801"
    alarm = {
        "AlarmName": "a",
        "Namespace": "n",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "InsufficientDataActions": ["arn:aws:i:::i"],
    }
    put = world.call(
        "monitoring", "POST", "/", alarm, {**headers, "x-amz-target": f"{target}.PutMetricAlarm"}
    )
    assert put.status == 200
    got = world.call("monitoring", "POST", "/", {}, {**headers, "x-amz-target": f"{target}.DescribeAlarms"})
    assert json.loads(got.body)["MetricAlarms"][0]["InsufficientDataActions"] == ["arn:aws:i:::i"]


def test_a_refused_alarm_or_listing_is_refused_as_before(world: Any) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    listing = world.call("monitoring", "POST", "/", b"Action=DescribeAlarms&MaxRecords=999", headers)
    assert (listing.status, b"<Code>" in listing.body) == (400, True)

    def refuse(*_given: object) -> cloudwatch_metrics.Answer:
        return 400, {}, b""

    alarms = {"a": {"AlarmName": "a"}}
    assert cloudwatch_metrics.keep_whole_alarm(refuse, alarms)({"AlarmName": "a"}, {}, False)[0] == 400
    assert alarms == {"a": {"AlarmName": "a"}}


# ---- DynamoDB -------------------------------------------------------------------------------------------

TABLE: dict[str, object] = {
    "TableName": "payments",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def replicas(world: Any) -> list[dict[str, Any]]:
    found = world.dynamodb("DescribeTable", TableName="payments")["Table"]["Replicas"]
    assert isinstance(found, list)
    return found


def test_a_replica_is_described_with_its_own_key(world: Any) -> None:
    here, there_key = world.kms_key(), world.kms_key("us-west-2")
    world.dynamodb("CreateTable", **TABLE, SSESpecification={"Enabled": True, "KMSMasterKeyId": here})
    create = {"RegionName": "us-west-2", "KMSMasterKeyId": there_key}
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Create": create}])
    assert [replica["KMSMasterKeyId"] for replica in replicas(world)] == [there_key]
    there = world.dynamodb("DescribeTable", region="us-west-2", TableName="payments")["Table"]
    assert there["SSEDescription"]["KMSMasterKeyArn"] == there_key
    assert there["Replicas"][0]["KMSMasterKeyId"] == here


def test_a_replica_that_names_no_key_has_the_regions_default(world: Any) -> None:
    here = world.kms_key()
    world.dynamodb("CreateTable", **TABLE, SSESpecification={"Enabled": True, "KMSMasterKeyId": here})
    create = {"Create": {"RegionName": "us-west-2"}}
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[create])
    assert replicas(world)[0]["KMSMasterKeyId"] == "arn:aws:kms:us-west-2:000000000000:alias/aws/dynamodb"


def test_a_replica_takes_another_key(world: Any) -> None:
    other = world.kms_key("us-west-2")
    world.dynamodb("CreateTable", **TABLE)
    world.dynamodb(
        "UpdateTable", TableName="payments", ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}]
    )
    assert "KMSMasterKeyId" not in replicas(world)[0]
    update = {"RegionName": "us-west-2", "KMSMasterKeyId": other}
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Update": update}])
    assert replicas(world)[0]["KMSMasterKeyId"] == other
    world.dynamodb(
        "UpdateTable", TableName="payments", ReplicaUpdates=[{"Delete": {"RegionName": "us-west-2"}}]
    )
    assert "Replicas" not in world.dynamodb("DescribeTable", TableName="payments")["Table"]


def test_a_replica_is_protected_against_deletion_by_itself(world: Any) -> None:
    world.dynamodb("CreateTable", **TABLE, DeletionProtectionEnabled=True)
    create = {"Create": {"RegionName": "us-west-2"}}
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[create])

    def protected(region: str) -> bool:
        found = world.dynamodb("DescribeTable", region=region, TableName="payments")["Table"]
        return bool(found["DeletionProtectionEnabled"])

    def protect(on: bool) -> None:
        world.dynamodb("UpdateTable", region="us-west-2", TableName="payments", DeletionProtectionEnabled=on)

    assert (protected("us-east-1"), protected("us-west-2")) == (True, False)
    protect(True)
    headers = {"x-amz-target": "DynamoDB_20120810.UpdateTable", "content-type": "application/x-amz-json-1.0"}
    leave = {"TableName": "payments", "ReplicaUpdates": [{"Delete": {"RegionName": "us-west-2"}}]}
    refused = world.call("dynamodb", "POST", "/", leave, headers)
    assert refused.status == 400
    assert b"protected against deletion" in refused.body
    assert protected("us-west-2")
    protect(False)
    assert world.call("dynamodb", "POST", "/", leave, headers).status == 200


def test_a_refused_replica_is_refused_as_before(world: Any) -> None:
    world.dynamodb("CreateTable", **TABLE)
    headers = {"x-amz-target": "DynamoDB_20120810.UpdateTable", "content-type": "application/x-amz-json-1.0"}
    home = {"TableName": "payments", "ReplicaUpdates": [{"Create": {"RegionName": "us-east-1"}}]}
    assert world.call("dynamodb", "POST", "/", home, headers).status == 400


# ---- Route 53 -------------------------------------------------------------------------------------------


def health_check(regions: str) -> bytes:
    return (
        '<CreateHealthCheckRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
        "<CallerReference>one</CallerReference><HealthCheckConfig><Type>HTTPS</Type>"
        f"<FullyQualifiedDomainName>a</FullyQualifiedDomainName>{regions}</HealthCheckConfig>"
        "</CreateHealthCheckRequest>"
    ).encode()


def test_a_health_check_keeps_the_regions_it_is_made_from(world: Any) -> None:
    wanted = (
        "<Regions><Region>us-east-1</Region><Region>eu-west-1</Region><Region>us-west-2</Region></Regions>"
    )
    made = world.call("route53", "POST", "/2013-04-01/healthcheck", health_check(wanted))
    assert re.findall(r"<Region>(.*?)</Region>", made.body.decode()) == [
        "us-east-1",
        "eu-west-1",
        "us-west-2",
    ]


def test_a_health_check_without_regions_has_none(world: Any) -> None:
    made = world.call("route53", "POST", "/2013-04-01/healthcheck", health_check(""))
    assert made.status == 201
    assert b"Region>" not in made.body


def test_a_zone_without_dnssec_is_not_signed(world: Any) -> None:
    said = world.call("route53", "GET", "/2013-04-01/hostedzone/Z1/dnssec")
    assert (said.status, element(said.body.decode(), "ServeSignature")) == (200, "NOT_SIGNING")
    assert world.call("route53", "GET", "/2013-04-01/hostedzone/Z1").status == 404


# ---- IAM ------------------------------------------------------------------------------------------------


def simulated(world: Any, *values: str) -> str:
    """The decision on `kms:Decrypt` under a policy that asks through which service the key is used."""
    asked = {
        "Action": "SimulatePrincipalPolicy",
        "PolicySourceArn": "arn:aws:iam::000000000000:role/pay",
        "ActionNames.member.1": "kms:Decrypt",
        "ContextEntries.member.1.ContextKeyName": "kms:ViaService",
        "ContextEntries.member.1.ContextKeyType": "string",
    }
    for number, value in enumerate(values, 1):
        asked[f"ContextEntries.member.1.ContextKeyValues.member.{number}"] = value
    return element(world.query("iam", urlencode(asked)), "EvalDecision")


def test_a_simulation_judges_conditions_by_the_calls_context(world: Any) -> None:
    condition = {"ForAnyValue:StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
    statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = {"RoleName": "pay", "AssumeRolePolicyDocument": json.dumps(ANYBODY)}
    world.query("iam", urlencode({"Action": "CreateRole", **role}))
    put = {"Action": "PutRolePolicy", "RoleName": "pay", "PolicyName": "p", "PolicyDocument": policy}
    world.query("iam", urlencode(put))
    assert simulated(world, "dynamodb.us-east-1.amazonaws.com") == "allowed"
    assert simulated(world, "s3.us-east-1.amazonaws.com") == "implicitDeny"
    assert simulated(world, "s3.us-east-1.amazonaws.com", "dynamodb.us-east-1.amazonaws.com") == "allowed"
    assert simulated(world) == "implicitDeny"


# ---- functions ------------------------------------------------------------------------------------------

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:pay:live"


def context(method: str = "GET", path: str = "/health") -> dict[str, Any]:
    request = {"accountId": "000000000000", "apiId": "a1", "stage": "prod", "httpMethod": method}
    return {"requestContext": {**request, "resourcePath": path}}


def statement(**changes: object) -> dict[str, object]:
    source = "arn:aws:execute-api:us-east-1:000000000000:a1/*/GET/health"
    return {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": FUNCTION,
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        **changes,
    }


@pytest.mark.parametrize(
    ("policy", "event", "allowed"),
    [
        ([statement()], context(), True),
        ([], context(), False),
        ([statement()], context("POST"), False),
        ([statement()], context(path="/payments"), False),
        ([statement(Principal={"Service": "s3.amazonaws.com"})], context(), False),
        ([statement(Resource=FUNCTION.removesuffix(":live"))], context(), False),
        ([statement(), statement(Effect="Deny")], context(), False),
    ],
)
def test_an_api_calls_a_function_only_by_its_policy(
    world: Any, policy: list[object], event: dict[str, Any], allowed: bool
) -> None:
    service = world.emulator.service("lambda_svc")
    may = lambda_integration.may_invoke(service, world.emulator.core("iam_evaluator"))
    with world.emulator.scope("000000000000", "us-east-1"):
        assert not may(FUNCTION, event)
        service._functions["pay"] = {"policy": {"Version": "2012-10-17", "Statement": policy}, "config": {}}
        assert may(FUNCTION, event) is allowed


def test_a_function_that_may_not_be_called_is_not_called() -> None:
    called: list[object] = []

    async def call(*given: object, **scope: object) -> str:
        called.append((given, scope))
        return "answer"

    asking = lambda_integration.only_with_permission(call, lambda function, _event: function == "allowed")
    assert asyncio.run(asking("allowed", {"e": 1}, region="r")) == "answer"
    with pytest.raises(Refused) as refused:
        asyncio.run(asking("refused", {}))
    assert (refused.value.kind, refused.value.status) == ("API_CONFIGURATION_ERROR", 500)
    assert called == [(("allowed", {"e": 1}), {"region": "r"})]


@pytest.mark.parametrize(("limit", "reserved"), [(0, 0), (5, 5), (None, None)])
def test_reserved_concurrency_holds_for_every_version(
    world: Any, limit: int | None, reserved: int | None
) -> None:
    service = world.emulator.service("lambda_svc")
    version = {"config": {"FunctionName": "pay", "Version": "3"}}
    with world.emulator.scope("000000000000", "us-east-1"):
        service._functions["pay"] = {"concurrency": limit, "config": {}, "policy": {}}
        assert service._reserved_concurrency(version, version["config"]) == reserved
        assert service._reserved_concurrency({}, {"FunctionName": "other"}) is None


@pytest.mark.parametrize(
    ("host", "domain", "prefix"),
    [
        ("127.0.0.1:4566", "a1.execute-api.us-east-1.amazonaws.com", "a1"),
        ("a1.execute-api.us-east-1.amazonaws.com", "a1.execute-api.us-east-1.amazonaws.com", "a1"),
        ("Pay.Example.com:443", "pay.example.com", "pay"),
    ],
)
def test_the_event_names_the_domain_that_was_called(world: Any, host: str, domain: str, prefix: str) -> None:
    gateway = world.emulator.service("apigateway_v1")
    resource = {"id": "r", "path": "/health"}
    with world.emulator.scope("000000000000", "us-east-1"):
        event = gateway._build_lambda_event_v1(
            "a1", "prod", {}, resource, "/health", "GET", {"host": host}, b"", {}, {}
        )
    assert (event["requestContext"]["domainName"], event["requestContext"]["domainPrefix"]) == (
        domain,
        prefix,
    )


@pytest.mark.parametrize(
    ("result", "shaped", "status"),
    [
        ({"throttle": True, "error": True}, (None, None), 500),
        ({"error": True}, (None, "KeyError: at line 3"), 502),
        ({"error": True}, ({"statusCode": 200}, None), 502),
    ],
)
def test_a_failure_tells_the_caller_nothing(result: Any, shaped: Any, status: int) -> None:
    with pytest.raises(Refused) as refused:
        lambda_integration.failures_are_the_gateways(lambda _result: shaped)(result)
    assert (refused.value.kind, refused.value.status) == ("DEFAULT_5XX", status)
    assert str(refused.value) == "Internal server error"


def test_an_answer_is_no_failure() -> None:
    shaped = ({"statusCode": 404}, None)
    assert lambda_integration.failures_are_the_gateways(lambda _result: shaped)({}) == shaped


def gateway_answer(
    world: Any, kind: str, status: int, configured: dict[str, Any] | None = None
) -> tuple[int, bytes]:
    """What a caller gets when the function's call ends in that refusal."""
    gateway = world.emulator.service("apigateway_v1")

    async def fail(*_given: object) -> object:
        raise Refused(kind, "Internal server error", status)

    request = {"api_id": "a1", "stage": {"deploymentId": "d"}, "stage_name": "prod", "resource_path": "/"}
    request |= {"request_id": "1", "headers": {}, "query_params": {}, "path_params": {}}
    with world.emulator.scope("000000000000", "us-east-1"):
        gateway._deployed_gateway_responses["a1"] = {"d": configured or {}}
        error = asyncio.run(lambda_integration.gateway_answers_failures(gateway, fail)({}))
        answered, _headers, body = gateway._gateway_error_response(error, request)
    return answered, body


def test_a_failed_call_is_answered_through_the_apis_gateway_responses(world: Any) -> None:
    status, body = gateway_answer(world, "DEFAULT_5XX", 502)
    assert status == 502
    assert json.loads(body) == {"message": "Internal server error"}
    problem = {"responseTemplates": {"application/json": '{"title":$context.error.messageString}'}}
    status, body = gateway_answer(world, "DEFAULT_5XX", 502, {"DEFAULT_5XX": problem})
    assert status == 502
    assert json.loads(body) == {"title": "Internal server error"}
    status, _ = gateway_answer(world, "DEFAULT_5XX", 502, {"DEFAULT_5XX": {**problem, "statusCode": "503"}})
    assert status == 503


def test_other_gateway_responses_keep_their_status(world: Any) -> None:
    gateway = world.emulator.service("apigateway_v1")
    respond = lambda_integration.status_of_the_failure(lambda _error, _request: (403, {}, b""))
    assert respond(gateway._gw_error("INVALID_API_KEY", "Forbidden"), {}) == (403, {}, b"")


@pytest.mark.parametrize("late_end", ["answer", "failure", "cancelled"])
def test_a_function_that_takes_too_long_is_a_timeout(world: Any, late_end: str) -> None:
    gateway = world.emulator.service("apigateway_v1")

    async def run() -> object:
        going_on: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def slow(*_given: object) -> str:
            return await going_on

        error = await lambda_integration.gateway_answers_failures(gateway, slow)({"timeoutInMillis": 1})
        match late_end:
            case "answer":
                going_on.set_result("late")
            case "failure":
                going_on.set_exception(RuntimeError("late"))
            case _:
                going_on.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return error

    error = asyncio.run(run())
    assert isinstance(error, gateway._GatewayError)
    assert (error.response_type, error.message) == ("INTEGRATION_TIMEOUT", "Endpoint request timed out")


def test_an_answer_in_time_is_passed_on(world: Any) -> None:
    async def quick(*given: object) -> object:
        return given

    call = lambda_integration.gateway_answers_failures(world.emulator.service("apigateway_v1"), quick)
    assert asyncio.run(call({"timeoutInMillis": 29000}, "a1")) == ({"timeoutInMillis": 29000}, "a1")

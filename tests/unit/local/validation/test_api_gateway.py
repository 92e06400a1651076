"""What API Gateway refuses."""

from typing import Any

import pytest

from payinfra.local.aws_rules import DOMAIN_NAMES
from tests.unit.local.validation.conftest import Sdk, trust

BAD, CONFLICT, MISSING = "BadRequestException", "ConflictException", "NotFoundException"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
CALL = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}"


class Api:
    """An API with `/pay`, whose GET is served by nobody."""

    def __init__(self, sdk: Sdk) -> None:
        self.sdk, self.client = sdk, sdk.client("apigateway")
        self.id = self.client.create_rest_api(name="payments")["id"]
        self.root = self.client.get_resources(restApiId=self.id)["items"][0]["id"]
        made = self.client.create_resource(restApiId=self.id, parentId=self.root, pathPart="pay")
        self.at = {"restApiId": self.id, "resourceId": made["id"], "httpMethod": "GET"}
        self.client.put_method(**self.at, authorizationType="NONE")

    def said(self, operation: str, **wanted: Any) -> str:
        return self.sdk.refusal("apigateway", operation, **{"restApiId": self.id, **wanted})

    def deployed(self, stage: str = "prod") -> str:
        self.client.put_integration(**self.at, type="MOCK")
        made = self.client.create_deployment(restApiId=self.id)["id"]
        self.client.create_stage(restApiId=self.id, stageName=stage, deploymentId=made)
        return str(made)


@pytest.fixture
def api(sdk: Sdk) -> Api:
    return Api(sdk)


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": ""},
        {"name": "a", "minimumCompressionSize": -1},
        {"name": "a", "policy": "no json"},
        {"name": "a", "tags": {"aws:a": "b"}},
        {"name": "a", "endpointConfiguration": {"types": ["NOWHERE"]}},
    ],
)
def test_such_an_api_is_not_made(sdk: Sdk, wanted: dict[str, Any]) -> None:
    assert sdk.refusal("apigateway", "create_rest_api", **wanted) == BAD


def test_a_path_has_parts_and_one_variable(api: Api) -> None:
    assert api.said("create_resource", parentId=api.root, pathPart="a b") == BAD
    assert api.said("create_resource", parentId=api.root, pathPart="{id}") == ""
    assert api.said("create_resource", parentId=api.root, pathPart="{other}") == BAD
    assert api.said("delete_resource", resourceId=api.root) == BAD


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"httpMethod": "GET"}, CONFLICT),
        ({"httpMethod": "FOO"}, BAD),
        ({"authorizationType": "FOO"}, BAD),
        ({"authorizationType": "CUSTOM", "authorizerId": "none"}, BAD),
        ({"requestValidatorId": "none"}, BAD),
        ({"requestModels": {"application/json": "None"}}, BAD),
        ({"requestParameters": {"foo": True}}, BAD),
        ({"requestParameters": {"method.request.header.Idempotency-Key": True}}, ""),
    ],
)
def test_a_method_names_what_is_there(api: Api, wanted: dict[str, Any], code: str) -> None:
    assert (
        api.said("put_method", **{**api.at, "httpMethod": "PUT", "authorizationType": "NONE", **wanted})
        == code
    )


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": "arn:aws:lambda:x"}, BAD),
        ({"type": "AWS_PROXY", "uri": f"{CALL}/invocations"}, BAD),
        ({"type": "HTTP_PROXY", "integrationHttpMethod": "GET", "uri": "nonsense"}, BAD),
        ({"type": "MOCK", "timeoutInMillis": 29_001}, BAD),
        ({"type": "MOCK", "passthroughBehavior": "FOO"}, BAD),
        ({"type": "MOCK", "requestParameters": {"foo": "bar"}}, BAD),
        ({"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": f"{CALL}/invocations"}, ""),
    ],
)
def test_an_integration_calls_what_can_be_called(api: Api, wanted: dict[str, Any], code: str) -> None:
    assert api.said("put_integration", **api.at, **wanted) == code


def test_a_response_is_declared_first(api: Api) -> None:
    api.client.put_integration(**api.at, type="MOCK")
    status = {**api.at, "statusCode": "200"}
    assert api.said("put_integration_response", **status) == MISSING
    assert api.said("put_method_response", **{**status, "statusCode": "99"}) == BAD
    assert api.said("put_method_response", **status) == ""
    assert api.said("put_method_response", **status) == CONFLICT
    header = {"method.response.header.X": "'a'"}
    assert api.said("put_integration_response", **status, responseParameters=header) == BAD
    assert api.said("put_integration_response", **status, selectionPattern="(") == BAD
    assert api.said("put_integration_response", **status) == ""


def test_only_what_is_whole_is_deployed(api: Api) -> None:
    empty = api.client.create_rest_api(name="empty")["id"]
    assert api.said("create_deployment", restApiId=empty) == BAD
    assert api.said("create_deployment") == BAD
    deployment = api.deployed()
    assert api.said("create_stage", stageName="prod", deploymentId=deployment) == CONFLICT
    assert api.said("create_stage", stageName="a b", deploymentId=deployment) == BAD
    assert api.said("create_stage", stageName="test", deploymentId="none") == BAD
    assert api.said("create_stage", stageName="test", deploymentId=deployment, variables={"a": "x y"}) == BAD
    assert api.said("delete_deployment", deploymentId=deployment) == BAD


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("/foo", "x", BAD),
        ("/deploymentId", "none", BAD),
        ("/accessLogSettings/destinationArn", "x", BAD),
        ("/cacheClusterSize", "7", BAD),
        ("/*/*/logging/loglevel", "LOUD", BAD),
        ("/*/*/throttling/rateLimit", "many", BAD),
        ("/~1pay/GET/throttling/rateLimit", "10", ""),
    ],
)
def test_a_stage_is_changed_to_what_it_can_be(api: Api, path: str, value: str, code: str) -> None:
    api.deployed()
    change = {"op": "replace", "path": path, "value": value}
    assert api.said("update_stage", stageName="prod", patchOperations=[change]) == code


def test_a_methods_settings_go_together(api: Api) -> None:
    api.deployed()
    gone = [{"op": "remove", "path": "/*/*"}]
    assert api.said("update_stage", stageName="prod", patchOperations=gone) == ""


def test_a_key_has_a_value_of_its_own(sdk: Sdk) -> None:
    assert sdk.refusal("apigateway", "create_api_key", name="k", value="x" * 129) == BAD
    assert sdk.refusal("apigateway", "create_api_key", name="k", value="x" * 20) == ""
    assert sdk.refusal("apigateway", "create_api_key", name="l", value="x" * 20) == CONFLICT


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"name": ""}, BAD),
        ({"quota": {"limit": 0, "period": "DAY"}}, BAD),
        ({"quota": {"limit": 1}}, BAD),
        ({"quota": {"limit": 1, "period": "WEEK", "offset": 7}}, BAD),
        ({"throttle": {"rateLimit": -1.0}}, BAD),
        ({"apiStages": [{"apiId": "none", "stage": "prod"}]}, MISSING),
        ({"quota": {"limit": 1, "period": "WEEK", "offset": 6}, "throttle": {"rateLimit": 1.0}}, ""),
    ],
)
def test_a_plan_has_limits_that_it_can_have(sdk: Sdk, wanted: dict[str, Any], code: str) -> None:
    assert sdk.refusal("apigateway", "create_usage_plan", **{"name": "p", **wanted}) == code


def test_a_key_is_in_one_plan_of_a_stage(api: Api) -> None:
    api.deployed()
    stages = [{"apiId": api.id, "stage": "prod"}]
    one, two = (api.client.create_usage_plan(name=name, apiStages=stages)["id"] for name in ("one", "two"))
    key = {"keyId": api.client.create_api_key(name="k")["id"], "keyType": "API_KEY"}
    said = api.sdk.refusal
    assert (
        said("apigateway", "create_usage_plan_key", usagePlanId=one, keyId="none", keyType="API_KEY")
        == MISSING
    )
    assert said("apigateway", "create_usage_plan_key", usagePlanId=one, **{**key, "keyType": "FOO"}) == BAD
    assert said("apigateway", "create_usage_plan_key", usagePlanId=one, **key) == ""
    assert said("apigateway", "create_usage_plan_key", usagePlanId=one, **key) == CONFLICT
    assert said("apigateway", "create_usage_plan_key", usagePlanId=two, **key) == CONFLICT


def test_what_is_in_a_plan_stays(api: Api) -> None:
    api.deployed()
    stages = [{"apiId": api.id, "stage": "prod"}]
    plan = api.client.create_usage_plan(name="p", apiStages=stages)["id"]
    for value, code in ((f"{api.id}:prod", CONFLICT), (f"{api.id}:none", MISSING)):
        change = [{"op": "add", "path": "/apiStages", "value": value}]
        assert (
            api.sdk.refusal("apigateway", "update_usage_plan", usagePlanId=plan, patchOperations=change)
            == code
        )
    assert api.sdk.refusal("apigateway", "delete_usage_plan", usagePlanId=plan) == BAD
    assert api.said("delete_stage", stageName="prod") == BAD
    assert api.said("delete_rest_api") == BAD
    change = [{"op": "remove", "path": "/apiStages", "value": f"{api.id}:prod"}]
    api.client.update_usage_plan(usagePlanId=plan, patchOperations=change)
    assert api.said("delete_rest_api") == ""


def test_what_methods_name_stays(api: Api) -> None:
    model = {"name": "Payment", "contentType": "application/json", "schema": "{}"}
    assert api.said("create_model", **{**model, "schema": "no json"}) == BAD
    assert api.said("create_model", **{**model, "name": "a b"}) == BAD
    assert api.said("create_model", **model) == ""
    assert api.said("create_model", **model) == CONFLICT
    validator = api.client.create_request_validator(restApiId=api.id, name="v")["id"]
    named = {"requestModels": {"application/json": "Payment"}, "requestValidatorId": validator}
    api.client.put_method(**{**api.at, "httpMethod": "POST"}, authorizationType="NONE", **named)
    assert api.said("delete_model", modelName="Payment") == CONFLICT
    assert api.said("delete_request_validator", requestValidatorId=validator) == CONFLICT


@pytest.mark.parametrize(
    "wanted",
    [
        {"authorizerUri": "x", "identitySource": "method.request.header.Auth"},
        {"authorizerUri": f"{CALL}/invocations"},
        {
            "authorizerUri": f"{CALL}/invocations",
            "identitySource": "method.request.header.Auth",
            "authorizerResultTtlInSeconds": 3601,
        },
    ],
)
def test_an_authorizer_calls_a_function(api: Api, wanted: dict[str, Any]) -> None:
    assert api.said("create_authorizer", name="a", type="TOKEN", **wanted) == BAD


def test_a_gateway_response_is_one_of_http(api: Api) -> None:
    assert api.said("put_gateway_response", responseType="DEFAULT_4XX", statusCode="99") == BAD
    wrong = {"foo": "'x'"}
    assert api.said("put_gateway_response", responseType="DEFAULT_4XX", responseParameters=wrong) == BAD


def test_a_domain_has_a_certificate_that_is_issued(sdk: Sdk) -> None:
    sdk.world.emulator.rules.set({DOMAIN_NAMES.name: 0})
    wanted = {"domainName": "pay.example.com"}
    assert sdk.refusal("apigateway", "create_domain_name", **wanted) == BAD
    arn = sdk.client("acm").request_certificate(DomainName="pay.example.com", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    assert sdk.refusal("apigateway", "create_domain_name", **wanted, regionalCertificateArn=arn) == BAD
    issued = sdk.world.certificate()
    assert sdk.refusal("apigateway", "create_domain_name", **wanted, regionalCertificateArn=issued) == ""


def test_the_role_for_logs_is_one_of_api_gateways(sdk: Sdk) -> None:
    sdk.client("iam").create_role(RoleName="logs", AssumeRolePolicyDocument=trust())
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::000000000000:role/logs"}
    assert sdk.refusal("apigateway", "update_account", patchOperations=[change]) == BAD

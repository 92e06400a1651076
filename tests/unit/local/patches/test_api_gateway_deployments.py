"""What an API answers follows from the deployment that its stage serves; patches keep what they patch."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.unit.local.conftest import KEY

SCHEMA = {"type": "object", "required": ["amount"]}


def mocking(status: int) -> dict[str, object]:
    """An integration that answers with a status."""
    return {"type": "MOCK", "requestTemplates": {"application/json": json.dumps({"statusCode": status})}}


@dataclass(frozen=True)
class Api:
    """An API whose POST on its root answers 201 by itself, asked as its clients ask it."""

    world: Any
    id: str
    root: str

    @property
    def method(self) -> str:
        return f"/restapis/{self.id}/resources/{self.root}/methods/POST"

    def set_up(self, method: str, path: str, body: object = b"") -> Any:
        return self.world.json("apigateway", method, path, body)

    def patch(self, path: str, **values: object) -> Any:
        operations = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in values.items()]
        return self.set_up("PATCH", path, {"patchOperations": operations})

    def answers(self, method: str, status: int) -> None:
        self.set_up("PUT", f"{method}/responses/{status}", {})
        self.set_up("PUT", f"{method}/integration/responses/{status}", {})

    def deploy(self, stage: str = "prod") -> str:
        return str(self.set_up("POST", f"/restapis/{self.id}/deployments", {"stageName": stage})["id"])

    def post(self, body: object = b"{}", stage: str = "prod") -> int:
        path = f"/_aws/execute-api/{self.id}/{stage}/"
        return int(self.world.call("execute-api", "POST", path, body).status)


@pytest.fixture
def api(world: Any) -> Api:
    made = world.json("apigateway", "POST", "/restapis", {"name": "payments"})
    api = Api(world, made["id"], made["rootResourceId"])
    api.set_up("PUT", api.method, {"authorizationType": "NONE", "apiKeyRequired": True})
    api.set_up("PUT", f"{api.method}/integration", mocking(201))
    api.answers(api.method, 201)
    return api


def test_a_change_of_a_method_takes_effect_with_the_next_deployment(api: Api) -> None:
    first = api.deploy()
    assert api.post() == 403
    api.patch(api.method, apiKeyRequired="false")
    assert api.post() == 403
    second = api.deploy()
    assert second != first
    assert api.post() == 201


def test_a_stage_goes_back_to_a_former_deployment(api: Api) -> None:
    first = api.deploy()
    api.patch(api.method, apiKeyRequired="false")
    second = api.deploy()
    api.patch(f"/restapis/{api.id}/stages/prod", deploymentId=first)
    assert api.post() == 403
    api.patch(f"/restapis/{api.id}/stages/prod", deploymentId=second)
    assert api.post() == 201


def test_each_stage_answers_with_its_own_deployment(api: Api) -> None:
    api.deploy("closed")
    api.patch(api.method, apiKeyRequired="false")
    api.deploy("open")
    assert (api.post(stage="closed"), api.post(stage="open")) == (403, 201)


def test_a_model_and_a_validator_are_the_deployments(api: Api) -> None:
    model = {"name": "Payment", "contentType": "application/json", "schema": json.dumps(SCHEMA)}
    api.set_up("POST", f"/restapis/{api.id}/models", model)
    validators = f"/restapis/{api.id}/requestvalidators"
    validator = api.set_up("POST", validators, {"name": "body", "validateRequestBody": True})["id"]
    models = {"application/json": "Payment"}
    api.set_up("DELETE", api.method)
    method = {"authorizationType": "NONE", "requestValidatorId": validator, "requestModels": models}
    api.set_up("PUT", api.method, method)
    api.set_up("PUT", f"{api.method}/integration", mocking(200))
    api.answers(api.method, 200)
    api.deploy()
    assert (api.post({"amount": 1}), api.post({})) == (200, 400)
    api.patch(f"/restapis/{api.id}/models/Payment", schema="{}")
    api.patch(f"{validators}/{validator}", validateRequestBody="false")
    assert api.post({}) == 400
    api.deploy()
    assert api.post({}) == 200


def test_a_resource_that_was_added_is_not_there_before_it_is_deployed(api: Api) -> None:
    api.deploy()
    more = api.set_up("POST", f"/restapis/{api.id}/resources/{api.root}", {"pathPart": "{proxy+}"})["id"]
    method = f"/restapis/{api.id}/resources/{more}/methods/ANY"
    api.set_up("PUT", method, {"authorizationType": "NONE"})
    api.set_up("PUT", f"{method}/integration", mocking(200))
    api.answers(method, 200)
    path = f"/_aws/execute-api/{api.id}/prod/below"
    assert api.world.call("execute-api", "GET", path).status == 403
    api.deploy()
    assert api.world.call("execute-api", "GET", path).status == 200


def test_who_may_call_is_up_to_the_deployment(api: Api) -> None:
    gateway = api.world.emulator.service("apigateway_v1")
    api.deploy()
    api.patch(api.method, authorizationType="AWS_IAM")
    assert gateway.method_authorization_type(api.id, "prod", "POST", "/") == "NONE"
    api.deploy()
    assert gateway.method_authorization_type(api.id, "prod", "POST", "/") == "AWS_IAM"
    assert gateway.method_authorization_type("none", "prod", "POST", "/") is None


def test_a_deployment_that_is_gone_leaves_the_stage_with_what_the_api_has_now(api: Api) -> None:
    api.patch(api.method, apiKeyRequired="false")
    deployment = api.deploy()
    # AWS deletes none that a stage serves; what an earlier version left has none any more.
    with api.world.emulator.scope(KEY, api.world.region):
        api.world.emulator.service("apigateway_v1")._delete_deployment(api.id, deployment)
    assert api.post() == 201
    api.patch(api.method, apiKeyRequired="true")
    assert api.post() == 403


def test_nothing_is_left_of_an_api_that_is_gone(api: Api) -> None:
    gateway = api.world.emulator.service("apigateway_v1")
    api.deploy()
    api.deploy()
    assert len(list(gateway._resources.all_items())) == 3
    api.set_up("DELETE", f"/restapis/{api.id}")
    assert list(gateway._resources.all_items()) == []


def test_what_an_api_that_is_not_there_would_be_deployed_with_is_not_kept(world: Any) -> None:
    refused = world.call("apigateway", "POST", "/restapis/none/deployments", {"stageName": "prod"})
    assert refused.status == 404
    assert list(world.emulator.service("apigateway_v1")._resources.all_items()) == []


def test_a_deployment_is_known_again_after_a_restart(api: Api) -> None:
    gateway = api.world.emulator.service("apigateway_v1")
    api.deploy()
    api.patch(api.method, apiKeyRequired="false")
    written = gateway.get_state()
    gateway.reset()
    gateway.load_persisted_state(written)
    assert api.post() == 403


@pytest.mark.parametrize(("text", "truth"), [("false", False), ("true", True), ("True", True)])
def test_a_truth_is_one_however_it_was_patched(api: Api, text: str, truth: bool) -> None:
    parameter = "requestParameters/method.request.querystring.page"
    method = api.patch(api.method, apiKeyRequired=text, operationName="true", **{parameter: text})
    assert method["apiKeyRequired"] is truth
    assert method["requestParameters"] == {"method.request.querystring.page": truth}
    assert method["operationName"] == "true"
    tls = api.patch(f"{api.method}/integration", **{"tlsConfig/insecureSkipVerification": text})["tlsConfig"]
    assert tls == {"insecureSkipVerification": truth}
    whole = api.patch(f"/restapis/{api.id}", disableExecuteApiEndpoint=text)
    assert whole["disableExecuteApiEndpoint"] is truth
    api.deploy()
    switches = {"tracingEnabled": text, "cacheClusterEnabled": text, "canarySettings/useStageCache": text}
    throttled = {"*/*/metrics/enabled": text, "*/*/logging/dataTrace": text}
    stage = api.patch(f"/restapis/{api.id}/stages/prod", **switches, **throttled)
    assert (stage["tracingEnabled"], stage["cacheClusterEnabled"]) == (truth, truth)
    assert stage["canarySettings"] == {"useStageCache": truth}
    every = stage["methodSettings"]["*/*"]
    assert (every["metricsEnabled"], every["dataTraceEnabled"]) == (truth, truth)


def test_a_number_is_one_however_it_was_patched(api: Api) -> None:
    integration = api.patch(f"{api.method}/integration", timeoutInMillis="5000")
    assert integration["timeoutInMillis"] == 5000
    assert api.patch(f"/restapis/{api.id}", minimumCompressionSize="10")["minimumCompressionSize"] == 10
    api.deploy()
    stage = api.patch(f"/restapis/{api.id}/stages/prod", **{"canarySettings/percentTraffic": "2.5"})
    assert stage["canarySettings"] == {"percentTraffic": 2.5}


def test_what_is_removed_has_no_value_to_read(api: Api) -> None:
    removal = {"op": "remove", "path": "/requestParameters/method.request.querystring.page"}
    api.patch(api.method, **{"requestParameters/method.request.querystring.page": "true"})
    shown = api.set_up("PATCH", api.method, {"patchOperations": [removal]})
    assert shown["requestParameters"] == {}

"""The REST API, row by row, and the contract that is behind it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from handlers.payments.problems import wrong_method
from payinfra.stacks import rest_api_contract as contract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.synth.stacks.conftest import Synthesized

PLACES = ("primary", "secondary")
ROUTES = {
    "create": ("POST", "payments", True),
    "list": ("GET", "payments", True),
    "read": ("GET", "payment", True),
    "health": ("GET", "health", False),
    "preflight": ("OPTIONS", "payments", False),
    "preflight_one": ("OPTIONS", "payment", False),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_api_is_regional_and_keeps_its_own_endpoint(local: "Synthesized", place: str) -> None:
    api = local.of("api_gateway_rest_api")[f"{place}_api_api"]
    assert api["name"] == "payment-pr123-api"
    assert api["endpoint_configuration"] == {"types": ["REGIONAL"]}
    assert api["disable_execute_api_endpoint"] is False
    assert api["api_key_source"] == "HEADER"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("route", ROUTES)
def test_each_route_reaches_the_alias_and_asks_for_the_key(
    local: "Synthesized", place: str, route: str
) -> None:
    http_method, path, needs_key = ROUTES[route]
    method = local.of("api_gateway_method")[f"{place}_api_method_{route}"]
    assert method["http_method"] == http_method
    assert method["resource_id"] == f"${{aws_api_gateway_resource.{place}_api_path_{path}.id}}"
    assert method["api_key_required"] is needs_key
    assert method["authorization"] == "NONE"
    validator = f"${{aws_api_gateway_request_validator.{place}_api_validator.id}}"
    assert method["request_validator_id"] == validator
    integration = local.of("api_gateway_integration")[f"{place}_api_integration_{route}"]
    assert (integration["type"], integration["integration_http_method"]) == ("AWS_PROXY", "POST")
    assert integration["uri"] == f"${{aws_lambda_alias.{place}_service_alias.invoke_arn}}"
    assert integration["resource_id"] == method["resource_id"]
    assert integration["timeout_milliseconds"] == 29_000


OTHER_METHODS = {
    "other": ("payments", True, "GET, POST"),
    "other_one": ("payment", True, "GET"),
    "other_health": ("health", False, "GET"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("other", OTHER_METHODS)
def test_a_method_that_a_path_does_not_offer_is_refused_by_the_gateway(
    local: "Synthesized", place: str, other: str
) -> None:
    path, needs_key, allowed = OTHER_METHODS[other]

    def of(kind: str, part: str) -> "Mapping[str, Any]":
        block = local.of(f"api_gateway_{kind}")[f"{place}_api_{part}_{other}"]
        assert block["resource_id"] == f"${{aws_api_gateway_resource.{place}_api_path_{path}.id}}"
        return block

    method = of("method", "method")
    assert (method["http_method"], method["api_key_required"]) == ("ANY", needs_key)
    integration = of("integration", "integration")
    assert (integration["type"], integration["passthrough_behavior"]) == ("MOCK", "WHEN_NO_TEMPLATES")
    for template in integration["request_templates"].values():
        assert json.loads(template) == {"statusCode": 405}
    declared, answer = (
        of("method_response", "method_response"),
        of("integration_response", "integration_response"),
    )
    assert declared["status_code"] == "405"
    assert answer["status_code"] == (
        f"${{aws_api_gateway_method_response.{place}_api_method_response_{other}.status_code}}"
    )
    headers = answer["response_parameters"]
    assert declared["response_parameters"] == dict.fromkeys(headers, True)
    assert headers == {
        "method.response.header.Allow": f"'{allowed}'",
        "method.response.header.Cache-Control": "'no-store'",
        "method.response.header.Content-Type": "'application/problem+json'",
    }
    body = json.loads(answer["response_templates"]["application/json"])
    said = wrong_method(tuple(allowed.split(", "))).document("$context.requestId")
    assert body == said, "in the words of the function"


@pytest.mark.parametrize(
    ("origins", "sent"),
    [
        ((), {}),
        (
            ("https://a.example.com",),
            {"Access-Control-Allow-Origin": "'https://a.example.com'", "Vary": "'Origin'"},
        ),
        (("https://a.example.com", "https://b.example.com"), {}),
    ],
)
def test_a_page_may_read_that_a_method_is_wrong_where_its_origin_is_the_only_one(
    origins: tuple[str, ...], sent: dict[str, str]
) -> None:
    headers = contract.wrong_method_headers(origins, contract.OTHER_METHODS[0])
    for name in ("Access-Control-Allow-Origin", "Vary"):
        assert headers.get(f"method.response.header.{name}") == sent.get(name)


@pytest.mark.parametrize("place", PLACES)
def test_paths_hang_together(local: "Synthesized", place: str) -> None:
    paths = local.of("api_gateway_resource")
    root = f"${{aws_api_gateway_rest_api.{place}_api_api.root_resource_id}}"
    parts = {
        name: (paths[f"{place}_api_path_{name}"]["path_part"], paths[f"{place}_api_path_{name}"]["parent_id"])
        for name in ("payments", "payment", "health")
    }
    assert parts == {
        "payments": ("payments", root),
        "payment": ("{payment_id}", f"${{aws_api_gateway_resource.{place}_api_path_payments.id}}"),
        "health": ("health", root),
    }


def test_the_api_may_call_the_alias_on_each_route_and_nothing_else(local: "Synthesized") -> None:
    permissions = {
        name.removeprefix("primary_api_permission_"): block
        for name, block in local.of("lambda_permission").items()
        if name.startswith("primary_")
    }
    arn = "${aws_api_gateway_rest_api.primary_api_api.execution_arn}"
    assert {name: block["source_arn"] for name, block in permissions.items()} == {
        "create": f"{arn}/prod/POST/payments",
        "list": f"{arn}/prod/GET/payments",
        "read": f"{arn}/prod/GET/payments/*",
        "health": f"{arn}/prod/GET/health",
        "evacuation": f"{arn}/prod/GET/evacuation",
        "preflight": f"{arn}/prod/OPTIONS/payments",
        "preflight_one": f"{arn}/prod/OPTIONS/payments/*",
    }
    for block in permissions.values():
        assert block["qualifier"] == "${aws_lambda_alias.primary_service_alias.name}"
        assert (block["principal"], block["action"]) == ("apigateway.amazonaws.com", "lambda:InvokeFunction")


def test_a_body_is_validated_by_its_model(local: "Synthesized") -> None:
    validator, _ = local.pair("api_gateway_request_validator", "api_validator")
    assert (validator["validate_request_body"], validator["validate_request_parameters"]) == (True, True)
    create, _ = local.pair("api_gateway_method", "api_method_create")
    assert create["request_models"] == {
        "application/json": "${aws_api_gateway_model.primary_api_model_PaymentRequest.name}"
    }
    model, _ = local.pair("api_gateway_model", "api_model_PaymentRequest")
    schema = json.loads(model["schema"])
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert schema["type"] == "object"


@pytest.mark.parametrize("place", PLACES)
def test_the_stage_logs_traces_and_throttles(protected: "Synthesized", place: str) -> None:
    stage = protected.of("api_gateway_stage")[f"{place}_api_stage"]
    assert stage["stage_name"] == "prod"
    assert stage["xray_tracing_enabled"] is True
    access = f"${{aws_cloudwatch_log_group.{place}_api_access_log.arn}}"
    assert stage["access_log_settings"]["destination_arn"] == access
    assert stage["depends_on"] == [f"aws_cloudwatch_log_group.{place}_api_execution_log"]
    settings = protected.of("api_gateway_method_settings")[f"{place}_api_method_settings"]
    assert settings["method_path"] == "*/*"
    assert settings["settings"] == {
        "logging_level": "INFO",
        "data_trace_enabled": False,
        "metrics_enabled": True,
        "throttling_rate_limit": 10.5,
        "throttling_burst_limit": 20,
    }


@pytest.mark.parametrize("page", ["health", "evacuation"])
def test_what_checkers_ask_for_leaves_no_execution_log_and_no_metrics(
    every: "Synthesized", page: str
) -> None:
    for place in PLACES:
        settings = every.of("api_gateway_method_settings")[f"{place}_api_method_settings_{page}"]
        assert settings["method_path"] == f"{page}/GET"
        wanted = {"logging_level": "ERROR", "data_trace_enabled": False, "metrics_enabled": False}
        assert wanted.items() <= settings["settings"].items()
        limits = every.settings.api_rate_limit, every.settings.api_burst_limit
        throttling = settings["settings"]
        assert (throttling["throttling_rate_limit"], throttling["throttling_burst_limit"]) == limits


def test_access_lines_name_no_customer(local: "Synthesized") -> None:
    stage, _ = local.pair("api_gateway_stage", "api_stage")
    line = json.loads(stage["access_log_settings"]["format"])
    assert {"request_id", "status", "latency_ms", "error_type"} <= set(line)
    assert not {"$context.path", "$context.identity.apiKey"} & set(line.values())


@pytest.mark.parametrize("place", PLACES)
def test_both_logs_of_the_api_have_retention_and_key(protected: "Synthesized", place: str) -> None:
    groups = protected.of("cloudwatch_log_group")
    names = {
        "access": "/aws/apigateway/payment-prod-api",
        "execution": f"API-Gateway-Execution-Logs_${{aws_api_gateway_rest_api.{place}_api_api.id}}/prod",
    }
    for kind, name in names.items():
        group = groups[f"{place}_api_{kind}_log"]
        assert group["name"] == name
        assert group["retention_in_days"] == 731
        assert group["kms_key_id"] == f"${{aws_kms_key.{place}_keys_audit_key.arn}}"


def test_one_key_value_in_both_regions_in_a_plan_with_limits(protected: "Synthesized") -> None:
    first, second = protected.pair("api_gateway_api_key", "api_key")
    assert "value" not in first
    assert second["value"] == "${aws_api_gateway_api_key.primary_api_key.value}"
    for place in PLACES:
        plan = protected.of("api_gateway_usage_plan")[f"{place}_api_plan"]
        assert plan["throttle_settings"] == {"rate_limit": 10.5, "burst_limit": 20}
        assert plan["quota_settings"] == {"limit": 5000, "period": "DAY"}
        assert plan["api_stages"] == [
            {
                "api_id": f"${{aws_api_gateway_rest_api.{place}_api_api.id}}",
                "stage": f"${{aws_api_gateway_stage.{place}_api_stage.stage_name}}",
            }
        ]
        joined = protected.of("api_gateway_usage_plan_key")[f"{place}_api_plan_key"]
        assert joined["key_id"] == f"${{aws_api_gateway_api_key.{place}_api_key.id}}"
        assert joined["usage_plan_id"] == f"${{aws_api_gateway_usage_plan.{place}_api_plan.id}}"


@pytest.mark.parametrize("answer", contract.ANSWERS, ids=lambda answer: answer.type)
def test_what_the_gateway_refuses_is_problem_json(
    local: "Synthesized", answer: contract.GatewayAnswer
) -> None:
    for block in local.pair("api_gateway_gateway_response", f"api_answer_{answer.type.lower()}"):
        assert block["response_type"] == answer.type
        assert block.get("status_code") == (str(answer.status) if answer.status else None)
        template = block["response_templates"]["application/json"]
        body = json.loads(template.replace("$context.error.messageString", '"why"'))
        assert body["title"] == answer.title
        assert body["detail"] == (answer.detail or "why")
        assert body["type"] == f"urn:problem:payments:{contract.kind(answer)}"
        assert body["request_id"] == "$context.requestId"
        assert body.get("status", 0) == answer.status
        headers = {
            "gatewayresponse.header.Content-Type": "'application/problem+json'",
            "gatewayresponse.header.Cache-Control": "'no-store'",
        }
        if answer.status in (429, 504) and answer.type != "QUOTA_EXCEEDED":
            headers["gatewayresponse.header.Retry-After"] = f"'{answer.retry_after_s}'"
        if answer.type == "DEFAULT_5XX":
            headers["gatewayresponse.header.Retry-After"] = "'2'"
        assert block["response_parameters"] == headers


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        ("MISSING_AUTHENTICATION_TOKEN", 404),  # an unknown path
        ("INVALID_API_KEY", 403),
        ("THROTTLED", 429),
        ("INTEGRATION_TIMEOUT", 504),
    ],
)
def test_what_a_client_sees_of_the_gateway(type_: str, status: int) -> None:
    (answer,) = (one for one in contract.ANSWERS if one.type == type_)
    assert answer.status == status
    # In its own words: the gateway's are "Missing Authentication Token", "Forbidden", "null".
    assert answer.detail


def test_every_path_has_a_method_for_all_that_it_does_not_know(local: "Synthesized") -> None:
    """So that the function answers 405 with Allow, where the gateway would say that the path is not there."""
    for name in ("other", "other_one", "other_health"):
        for method in local.pair("api_gateway_method", f"api_method_{name}"):
            assert method["http_method"] == "ANY"
            assert method["api_key_required"] is (name != "other_health")


@pytest.mark.parametrize(
    ("variant", "allowed"),
    [
        ("protected", "'https://shop.example.com'"),
        # The gateway cannot compare; it gives the asking origin back.
        ("reversed", "method.request.header.Origin"),
    ],
)
def test_pages_of_allowed_origins_can_read_refusals(
    variant: str, allowed: str, request: pytest.FixtureRequest
) -> None:
    stack: Synthesized = request.getfixturevalue("synthesized")(variant)
    for block in stack.of("api_gateway_gateway_response").values():
        assert block["response_parameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == allowed
        assert block["response_parameters"]["gatewayresponse.header.Vary"] == "'Origin'"


@pytest.mark.parametrize("place", PLACES)
def test_a_new_deployment_is_there_before_the_old_one_goes(local: "Synthesized", place: str) -> None:
    deployment = local.of("api_gateway_deployment")[f"{place}_api_deployment"]
    assert deployment["lifecycle"] == {"create_before_destroy": True}
    assert deployment["triggers"] == {"contract": contract.fingerprint((), contract.models())}
    awaited = {
        f"{type_}.{name}"
        for type_, named in local.content["resource"].items()
        for name in named
        if name.startswith(f"{place}_api_")
        and type_
        in (
            "aws_api_gateway_method",
            "aws_api_gateway_method_response",
            "aws_api_gateway_integration",
            "aws_api_gateway_integration_response",
            "aws_api_gateway_model",
            "aws_api_gateway_gateway_response",
        )
    }
    assert set(deployment["depends_on"]) == awaited


def test_whatever_a_client_could_notice_is_deployed() -> None:
    models = contract.models()
    before = contract.fingerprint((), models)
    assert contract.fingerprint((), models) == before
    assert contract.fingerprint(("https://a.example.com",), models) != before
    assert contract.fingerprint((), {"PaymentRequest": "{}"}) != before
    keyless = tuple(replace(route, needs_key=False) for route in contract.ROUTES)
    assert contract.fingerprint((), models, routes=keyless) != before
    reworded = tuple(replace(answer, title="No") for answer in contract.ANSWERS)
    assert contract.fingerprint((), models, answers=reworded) != before


def test_the_model_is_what_the_gateway_can_report_of_the_function_s_schema(tmp_path: Path) -> None:
    schema = {"title": "PaymentRequest", "type": "object", "required": ["amount"], "properties": {}}
    (tmp_path / "payment.json").write_text(json.dumps(schema), encoding="utf-8")
    assert json.loads(contract.models(tmp_path)["PaymentRequest"]) == {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": "PaymentRequest",
        "type": "object",
    }

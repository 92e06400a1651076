"""APIs that are defined by an OpenAPI document: who may call each operation, and what looks at its body."""

import json
from typing import Any

import pytest

from payinfra.checks import catalogue
from payinfra.checks.manifest import Manifest
from payinfra.checks.runner import run
from payinfra.checks.verdicts import Kind

ENTRANCES, BODIES, HEALTH = "PI-API-003", "PI-API-006", "PI-DNS-004"
REST, HTTP = "aws_api_gateway_rest_api", "aws_apigatewayv2_api"
CHECKS = {one.rule.id: one for one in catalogue.load().policy}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
JWT = {"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "jwt"}}
SIGNED = {"type": "apiKey", "name": "Authorization", "x-amazon-apigateway-authtype": "awsSigv4"}
BEARER = {"type": "http", "scheme": "bearer"}
POLICY: dict[str, Any] = {"x-amazon-apigateway-policy": {}}
SCHEMES = {"key": KEY, "jwt": JWT, "signed": SIGNED, "bearer": BEARER}
VALIDATOR = "x-amazon-apigateway-request-validator"
VALIDATORS: dict[str, Any] = {f"{VALIDATOR}s": {"all": {"validateRequestBody": True}}, VALIDATOR: "all"}


def document(operation: dict[str, Any], verb: str = "post", path: str = "/payments", **more: Any) -> str:
    """A document of OpenAPI 3 with one operation."""
    return json.dumps(
        {"openapi": "3.0.1", "paths": {path: {verb: operation}}, "components": {"securitySchemes": SCHEMES}}
        | more
    )


def said(id_: str, resources: dict[str, Any]) -> list[tuple[Kind, str]]:
    """What one check finds."""
    (judged,) = run([CHECKS[id_]], [Manifest.from_json({"resource": resources})])
    return [(one.verdict, one.message) for one in judged.findings]


def kinds(id_: str, body: Any, type_: str = REST, **more: Any) -> set[Kind]:
    """The kinds of what it finds of an API with a body."""
    return {kind for kind, _ in said(id_, {type_: {"api": {"body": body, **more}}})}


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ({"security": [{"key": []}]}, {}),
        ({"security": [{"jwt": ["pay/write"]}]}, {}),
        ({"security": [{"bearer": [], "signed": []}]}, {}),
        ({}, {"security": [{"signed": []}]}),
        ({"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}, {}),
        (
            {"security": [{"old": []}]},
            {
                "swagger": "2.0",
                "securityDefinitions": {"old": {"x-amazon-apigateway-authorizer": {"type": "x"}}},
            },
        ),
    ],
)
def test_an_operation_that_somebody_authorizes_is_no_open_entrance(
    operation: dict[str, Any], more: dict[str, Any]
) -> None:
    assert kinds(ENTRANCES, document(operation, **more)) == set()


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ({}, {}),
        ({"security": []}, {"security": [{"key": []}]}),
        ({"security": [{}]}, {}),
        ({"security": [{"key": []}, {}]}, {}),
        ({"security": [{"bearer": []}]}, {}),
        ({"security": [{"unheard-of": []}]}, {}),
        ({"x-amazon-apigateway-auth": {"type": "NONE"}}, {}),
    ],
)
def test_an_operation_that_nobody_authorizes_is_an_open_entrance(
    operation: dict[str, Any], more: dict[str, Any]
) -> None:
    assert said(ENTRANCES, {REST: {"api": {"body": document(operation, **more)}}}) == [
        (Kind.FAIL, "POST /payments requires neither a key nor an authorizer")
    ]


def test_an_api_of_http_checks_no_keys() -> None:
    body = document({"security": [{"key": []}]})
    assert kinds(ENTRANCES, body, HTTP, protocol_type="HTTP") == {Kind.FAIL}
    assert kinds(ENTRANCES, document({"security": [{"jwt": []}]}), HTTP, protocol_type="HTTP") == set()


def test_cors_and_health_need_no_key_and_any_does() -> None:
    assert kinds(ENTRANCES, document({}, "options")) == set()
    assert kinds(ENTRANCES, document({}, "get", "/health")) == set()
    assert kinds(ENTRANCES, document({}, "x-amazon-apigateway-any-method")) == {Kind.FAIL}
    assert kinds(ENTRANCES, document({}, "parameters")) == set()


def test_a_private_api_is_a_warning_and_a_policy_in_the_document_is_not_known() -> None:
    private: dict[str, Any] = {"endpoint_configuration": [{"types": ["PRIVATE"]}]}
    assert kinds(ENTRANCES, document({}), **private) == {Kind.WARN}
    assert kinds(ENTRANCES, document({}, **POLICY)) == {Kind.UNKNOWN}


@pytest.mark.parametrize(
    "body",
    ["openapi: 3.0.1\npaths: {}\n", "[]", '{"paths": []}', "${var.body}", '"${var.body}"', "${file(var.x)}"],
)
def test_a_document_that_cannot_be_read_is_not_known(body: str) -> None:
    assert kinds(ENTRANCES, body) == {Kind.UNKNOWN}
    assert kinds(BODIES, body) == {Kind.UNKNOWN}


@pytest.mark.parametrize("body", [None, ""])
def test_without_a_document_there_is_nothing_to_judge(body: str | None) -> None:
    assert kinds(ENTRANCES, body) == set()
    assert kinds(BODIES, body) == set()


def test_expressions_in_a_document_may_have_quotes() -> None:
    uri = '${aws_lambda_function.pay["a"].invoke_arn}'
    written = document({"security": [{"key": []}], "x-amazon-apigateway-integration": {"uri": "URI"}})
    assert kinds(ENTRANCES, written.replace("URI", uri)) == set()


PAYMENT: dict[str, Any] = {"type": "object", "required": ["amount"]}


def operation(schema: Any = None, **more: Any) -> dict[str, Any]:
    """One that takes a body."""
    content = {"application/json": {"schema": schema}} if schema is not None else {"text/plain": {}}
    return {"requestBody": {"content": content}, **more}


def test_a_body_that_is_validated_passes_wherever_its_schema_stands() -> None:
    assert kinds(BODIES, document(operation(PAYMENT), **VALIDATORS)) == set()
    referring = operation({"$ref": "#/components/schemas/Payment"})
    assert (
        kinds(BODIES, document(referring, **VALIDATORS, components={"schemas": {"Payment": PAYMENT}}))
        == set()
    )
    old = {"parameters": [{"in": "header"}, {"in": "body", "schema": {"$ref": "#/definitions/Payment"}}]}
    assert kinds(BODIES, document(old, **VALIDATORS, definitions={"Payment": PAYMENT})) == set()
    assert kinds(BODIES, document({}, "get")) == set()
    mocked = {"x-amazon-apigateway-integration": {"type": "mock"}}
    assert kinds(BODIES, document(mocked)) == set()


@pytest.mark.parametrize(
    ("of", "more", "why"),
    [
        (operation(PAYMENT), {}, "no request validator"),
        (operation(PAYMENT), VALIDATORS | {VALIDATOR: "none"}, "no request validator"),
        (operation(), VALIDATORS, "no schema for application/json"),
        (operation({}), VALIDATORS, "takes every body"),
        (operation({"$ref": "#/definitions/Any"}), VALIDATORS | {"definitions": {"Any": {}}}, "takes every"),
        (operation(PAYMENT, **{VALIDATOR: "no"}), VALIDATORS, "no request validator"),
    ],
)
def test_a_body_that_nothing_looks_at_fails(of: dict[str, Any], more: dict[str, Any], why: str) -> None:
    ((kind, message),) = said(BODIES, {REST: {"api": {"body": document(of, **more)}}})
    assert kind is Kind.FAIL
    assert why in message


def test_what_api_gateway_answers_itself_needs_no_validation() -> None:
    method = {"http_method": "POST", "resource_id": "abc"}
    mock = {**method, "type": "MOCK"}
    assert said(BODIES, {"aws_api_gateway_method": {"m": method}})
    assert not said(
        BODIES, {"aws_api_gateway_method": {"m": method}, "aws_api_gateway_integration": {"i": mock}}
    )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (document({}, "get", "/health"), set()),
        (document({"security": [{"key": []}]}, "get", "/health"), {Kind.FAIL}),
        (document({}, "post", "/health"), {Kind.FAIL}),
        ("${var.body}", set()),
    ],
)
def test_the_route_of_a_health_check_is_looked_up_in_the_document(body: str, found: set[Kind]) -> None:
    check = {
        "fqdn": "${aws_api_gateway_rest_api.api.id}.execute-api.eu-west-1.amazonaws.com",
        "type": "HTTPS",
        "resource_path": "/live/health",
    }
    one = {REST: {"api": {"body": body}}, "aws_route53_health_check": {"h": check}}
    assert {
        kind for kind, message in said(HEALTH, one) if "health is" in message or "whether /" in message
    } == found

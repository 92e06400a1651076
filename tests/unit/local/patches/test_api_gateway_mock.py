"""A mock answers by the template that the request's content type has."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from payinfra.local.server.patches.api_gateway import unknown_route_is_the_gateways_to_refuse
from payinfra.local.server.patches.api_gateway_mock import mocks_read_the_request, with_the_request

TEMPLATES = {"application/json": '{"statusCode":405}', "text/plain": '{"statusCode":410}'}
REFUSED, BROKEN = ("UNSUPPORTED_MEDIA_TYPE", "no type"), ("DEFAULT_5XX", "broken")


def _emulated(integration: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """ministack's: the status of the JSON template, and the body with its variables as they stand."""
    status = json.loads(integration["requestTemplates"]["application/json"])["statusCode"]
    return status, {}, b'{"id":"$context.requestId","verb":"${context.httpMethod}","x":"$context.other"}'


GATEWAY = SimpleNamespace(
    _invoke_mock_v1=_emulated,
    _gw_error=lambda kind, message: (kind, message),
    _GATEWAY_ERROR_MESSAGES=dict((REFUSED, BROKEN)),
)


def answer(integration: dict[str, Any], headers: dict[str, str], body: bytes = b"") -> Any:
    invoke = mocks_read_the_request(GATEWAY)

    async def original(*_request: object) -> Any:
        return invoke(integration)

    asked = with_the_request(original)(
        {"request_id": "r-1"}, "api", "prod", "PUT", "/x", headers, body, "more"
    )
    return asyncio.run(_awaited(asked))


async def _awaited(asked: Any) -> Any:
    return await asked


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 405),
        ({"content-type": "application/json; charset=utf-8"}, 405),
        ({"Content-Type": "Text/Plain"}, 410),
    ],
)
def test_the_type_of_the_body_chooses_the_template(sent: dict[str, str], status: int) -> None:
    found, _, body = answer({"requestTemplates": TEMPLATES}, sent)
    assert found == status
    assert json.loads(body) == {"id": "r-1", "verb": "PUT", "x": "$context.other"}


@pytest.mark.parametrize(
    ("behavior", "templates", "expected"),
    [
        ("NEVER", TEMPLATES, REFUSED),
        ("NEVER", None, REFUSED),
        ("WHEN_NO_TEMPLATES", TEMPLATES, REFUSED),
        ("WHEN_NO_TEMPLATES", None, BROKEN),
        ("WHEN_NO_MATCH", TEMPLATES, BROKEN),
        (None, TEMPLATES, BROKEN),
    ],
)
def test_a_type_without_a_template_is_refused_or_passed_on(
    behavior: str | None, templates: dict[str, str] | None, expected: object
) -> None:
    integration = {"requestTemplates": templates, "passthroughBehavior": behavior}
    assert answer(integration, {"content-type": "image/png"}, b"a picture") == expected


def test_what_is_passed_on_may_hold_the_status() -> None:
    status, _, _ = answer({"requestTemplates": TEMPLATES}, {"content-type": "a/b"}, b'{"statusCode": 202}')
    assert status == 202


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [(True, None, "NONE"), (True, "AWS_IAM", "AWS_IAM"), (False, None, None), (True, "NONE", "NONE")],
)
def test_iam_is_not_asked_about_a_route_that_an_api_does_not_have(
    known: bool, found: str | None, expected: str | None
) -> None:
    authorization_of = unknown_route_is_the_gateways_to_refuse(
        lambda _api: ("account", "region") if known else None, lambda *_route: found
    )
    assert authorization_of("api", "prod", "GET", "/nowhere") == expected

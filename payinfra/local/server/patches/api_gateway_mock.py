"""Integrations of type MOCK, as AWS runs them: by the template for the request's content type."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from payinfra.local.server.ministack import Emulator

Described = Mapping[str, Any]
"""Something of API Gateway's as its control plane describes it."""
Answer = Any
"""What ministack answers with: status, headers and body, or an error that the gateway words."""

JSON = "application/json"
_STATUS = re.compile(r'"statusCode"\s*:\s*\d{3}\b')
_VARIABLE = re.compile(r"\$context\.(\w+)|\$\{context\.(\w+)\}")


@dataclass(frozen=True)
class RequestInHand:
    """The request that a mock answers.

    Attributes:
        content_type: without parameters, in lower case; JSON where none was sent.
        context: what templates know as `$context.…`.
    """

    content_type: str
    body: str
    context: Mapping[str, str]


in_hand: ContextVar[RequestInHand] = ContextVar("payinfra_mocked_request")


def install(emulator: Emulator) -> None:
    """Let mocks read the current request."""
    gateway = emulator.service("apigateway_v1")
    emulator.replace(gateway, "_execute_in_scope", with_the_request(gateway._execute_in_scope))
    emulator.replace(gateway, "_invoke_mock_v1", mocks_read_the_request(gateway))


def with_the_request(original: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
    """Remember what `mocks_read_the_request` needs to know, while a request is worked on."""

    async def execute(  # noqa: PLR0917 - as it is called by the one it stands for
        request: Described,
        api: str,
        stage: str,
        method: str,
        path: str,
        headers: Described,
        body: bytes,
        *more: Any,
    ) -> Answer:
        token = in_hand.set(
            RequestInHand(
                _media_type(headers),
                (body or b"").decode("utf-8", "replace"),
                {"requestId": str(request["request_id"]), "httpMethod": method, "stage": stage, "apiId": api},
            )
        )
        try:
            return await original(request, api, stage, method, path, headers, body, *more)
        finally:
            in_hand.reset(token)

    return execute


def mocks_read_the_request(gateway: Any) -> Callable[[Described], Answer]:
    """AWS: a mock answers by the status code in what the request's template gives.

    A content type without a template is refused with 415, or its body is taken as it is where
    `passthroughBehavior` says so; what holds no status code ends in 500 (API Gateway developer guide, "Mock
    integrations" and "Integration passthrough behaviors"). ministack takes the JSON template in any case.
    """
    original: Callable[[Described], Answer] = gateway._invoke_mock_v1

    def invoke(integration: Described) -> Answer:
        request = in_hand.get()
        by_type: Mapping[str, str] = integration.get("requestTemplates") or {}
        templates = {name.partition(";")[0].strip().lower(): text for name, text in by_type.items()}
        given = templates.get(request.content_type)
        if given is None:
            behavior = str(integration.get("passthroughBehavior") or "WHEN_NO_MATCH").upper()
            if behavior == "NEVER" or (behavior == "WHEN_NO_TEMPLATES" and templates):
                return gateway._gw_error(
                    "UNSUPPORTED_MEDIA_TYPE", gateway._GATEWAY_ERROR_MESSAGES["UNSUPPORTED_MEDIA_TYPE"]
                )
            given = request.body
        if not _STATUS.search(given):
            return gateway._gw_error("DEFAULT_5XX", gateway._GATEWAY_ERROR_MESSAGES["DEFAULT_5XX"])
        status, headers, body = original({**integration, "requestTemplates": {JSON: given}})
        return status, headers, _filled_in(body.decode(), request.context).encode()

    return invoke


def _media_type(headers: Described) -> str:
    sent = next((str(value) for name, value in headers.items() if name.lower() == "content-type"), "")
    return sent.partition(";")[0].strip().lower() or JSON


def _filled_in(template: str, context: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: context.get(found[1] or found[2], found[0]), template)

"""What the API looks like from outside, as data: routes, models, the gateway's own answers.

`fingerprint` is taken of all of it, and a deployment of the API follows from the fingerprint, so nothing
that is written here can change without being deployed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from payinfra.stacks.lambda_zip import HANDLER_PACKAGE, handlers_folder

PAYMENT_MODEL = "PaymentRequest"
INTEGRATION_TIMEOUT_MS = 29_000
"""The longest that API Gateway waits for a function without a raised quota."""


@dataclass(frozen=True)
class ApiRoute:
    """One method of one path.

    Attributes:
        id: what its resources are called in the stack.
        method: the HTTP method.
        path: below the stage, with path parameters in braces.
        needs_key: whether the API key is required.
        model: the model that the body must meet, if any.
    """

    id: str
    method: str
    path: str
    needs_key: bool = True
    model: str | None = None

    @property
    def permission_path(self) -> str:
        """The path as the ARN of an execution has it, where each parameter is a wildcard."""
        return "/".join("*" if part.startswith("{") else part for part in self.path.split("/"))


ROUTES = (
    ApiRoute("create", "POST", "/payments", model=PAYMENT_MODEL),
    ApiRoute("list", "GET", "/payments"),
    ApiRoute("read", "GET", "/payments/{payment_id}"),
    ApiRoute("health", "GET", "/health", needs_key=False),
    # A browser sends no key with its preflight.
    ApiRoute("preflight", "OPTIONS", "/payments", needs_key=False),
    ApiRoute("preflight-one", "OPTIONS", "/payments/{payment_id}", needs_key=False),
)


@dataclass(frozen=True)
class GatewayAnswer:
    """What the gateway says when it refuses by itself. `status` 0 keeps what it would have been."""

    type: str
    title: str
    status: int = 0


ANSWERS = (
    GatewayAnswer("DEFAULT_4XX", "Request refused"),
    GatewayAnswer("DEFAULT_5XX", "Service unavailable"),
    GatewayAnswer("BAD_REQUEST_BODY", "Bad Request", 400),
    GatewayAnswer("BAD_REQUEST_PARAMETERS", "Bad Request", 400),
    GatewayAnswer("INVALID_API_KEY", "Forbidden", 403),
    GatewayAnswer("MISSING_AUTHENTICATION_TOKEN", "Forbidden", 403),
    GatewayAnswer("ACCESS_DENIED", "Forbidden", 403),
    GatewayAnswer("RESOURCE_NOT_FOUND", "Not Found", 404),
    GatewayAnswer("REQUEST_TOO_LARGE", "Content Too Large", 413),
    GatewayAnswer("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type", 415),
    GatewayAnswer("THROTTLED", "Too Many Requests", 429),
    GatewayAnswer("QUOTA_EXCEEDED", "Too Many Requests", 429),
    GatewayAnswer("INTEGRATION_FAILURE", "Gateway Timeout", 504),
    GatewayAnswer("INTEGRATION_TIMEOUT", "Gateway Timeout", 504),
)


def answer_template(answer: GatewayAnswer) -> str:
    """The body of a gateway's own answer, as RFC 9457 has it. The gateway quotes `messageString`."""
    status = f'"status":{answer.status},' if answer.status else ""
    kind = f"urn:problem:payments:gateway-{answer.type.lower().replace('_', '-')}"
    return (
        f'{{"type":"{kind}","title":"{answer.title}",{status}'
        '"detail":$context.error.messageString,"request_id":"$context.requestId"}'
    )


def answer_headers(origins: tuple[str, ...]) -> dict[str, str]:
    """The headers of a gateway's own answer.

    With several origins the asking one is given back: the gateway cannot compare, and these bodies hold
    nothing but the refusal. With none, a page of another origin may not read it.
    """
    headers = {"Content-Type": "'application/problem+json'"}
    if origins:
        headers["Vary"] = "'Origin'"
        headers["Access-Control-Allow-Origin"] = (
            f"'{origins[0]}'" if len(origins) == 1 else "method.request.header.Origin"
        )
    return {f"gatewayresponse.header.{name}": value for name, value in headers.items()}


def models(folder: Path | None = None) -> Mapping[str, str]:
    """The models by name, each a JSON Schema of draft-04 as compact text.

    Args:
        folder: where the function's schemas are; by default those of the payments function.
    """
    schemas = folder or handlers_folder() / HANDLER_PACKAGE / "schemas"
    payment = json.loads((schemas / "payment.json").read_text(encoding="utf-8"))
    return {PAYMENT_MODEL: json.dumps(gateway_model(payment), separators=(",", ":"))}


def gateway_model(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The part of a schema of the function's that the gateway can report faithfully.

    The gateway says "Invalid request body" and no more, so it refuses what is no JSON object; which field
    misses which rule is the function's to say.
    """
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": schema["title"],
        "type": schema["type"],
    }


def fingerprint(
    origins: tuple[str, ...],
    schemas: Mapping[str, str],
    *,
    routes: Sequence[ApiRoute] = ROUTES,
    answers: Sequence[GatewayAnswer] = ANSWERS,
) -> str:
    """A hash of everything here that a client could notice."""
    everything = {
        "routes": [asdict(route) for route in routes],
        "models": dict(schemas),
        "answers": [[answer.type, answer.status, answer_template(answer)] for answer in answers],
        "headers": answer_headers(origins),
        "timeout": INTEGRATION_TIMEOUT_MS,
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

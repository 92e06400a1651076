"""What the API looks like from outside, as data: routes, models, the gateway's own answers.

`fingerprint` is taken of all of it, and a deployment of the API follows from the fingerprint, so nothing
that is written here can change without being deployed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from payinfra.core.json_text import parse_json
from payinfra.stacks.lambda_zip import HANDLER_PACKAGE, handlers_folder

PAYMENT_MODEL = "PaymentRequest"
_DRAFT = "http://json-schema.org/draft-04/schema#"
"""The only dialect that API Gateway's models know."""
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
    ApiRoute("evacuation", "GET", "/evacuation", needs_key=False),
    # A browser sends no key with its preflight.
    ApiRoute("preflight", "OPTIONS", "/payments", needs_key=False),
    ApiRoute("preflight-one", "OPTIONS", "/payments/{payment_id}", needs_key=False),
)


@dataclass(frozen=True)
class OtherMethods:
    """The methods that a path does not offer: without them the gateway would say that it has no such path.

    The gateway answers them by itself. A function that did would be callable with every method, so that the
    permission of each route would grant nothing.

    Attributes:
        id: what its resources are called in the stack.
        path: below the stage.
        needs_key: whether the API key is required.
    """

    id: str
    path: str
    needs_key: bool = True

    @property
    def allowed(self) -> tuple[str, ...]:
        """The methods that the path offers, as clients are told."""
        return tuple(
            sorted(route.method for route in ROUTES if route.path == self.path and route.method != "OPTIONS")
        )


OTHER_METHODS = (
    OtherMethods("other", "/payments"),
    OtherMethods("other-one", "/payments/{payment_id}"),
    OtherMethods("other-health", "/health", needs_key=False),
    OtherMethods("other-evacuation", "/evacuation", needs_key=False),
)
WRONG_METHOD_STATUS = "405"
WRONG_METHOD_KIND = "method-not-allowed"
WRONG_METHOD_REQUESTS = dict.fromkeys(
    (
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/xml",
        "multipart/form-data",
        "text/plain",
    ),
    f'{{"statusCode":{WRONG_METHOD_STATUS}}}',
)
"""What a body of each type comes to: its content is read by nobody. A type that is not here gets 415."""


@dataclass(frozen=True)
class GatewayAnswer:
    """What the gateway says when it refuses by itself.

    Attributes:
        type: as API Gateway calls it (developer guide, "Gateway response types").
        status: 0 keeps what it would have been.
        detail: what is wrong and what to do; "" for the gateway's own words.
        retry_after_s: in how many seconds to send the request again; None where that does not help.
    """

    type: str
    title: str
    status: int = 0
    detail: str = ""
    retry_after_s: int | None = None


_NO_KEY = "Send a valid API key in the header x-api-key. None was sent, or it is not known here."
_SAFE = "Whether the payment was recorded is not known. Send the request again with the same Idempotency-Key."
ANSWERS = (
    GatewayAnswer("DEFAULT_4XX", "The request is refused."),
    GatewayAnswer("DEFAULT_5XX", "The service cannot answer right now.", detail=_SAFE, retry_after_s=2),
    GatewayAnswer("BAD_REQUEST_BODY", "The body is not usable JSON.", 400, "The body must be a JSON object."),
    GatewayAnswer("BAD_REQUEST_PARAMETERS", "The request is not valid.", 400),
    GatewayAnswer("INVALID_API_KEY", "The API key is missing or wrong.", 403, _NO_KEY),
    # Where no authorizer is, this is what the gateway says of a path that it does not have.
    GatewayAnswer(
        "MISSING_AUTHENTICATION_TOKEN", "There is nothing here.", 404, "No resource has this path."
    ),
    GatewayAnswer("ACCESS_DENIED", "The request is not allowed.", 403),
    GatewayAnswer("RESOURCE_NOT_FOUND", "There is nothing here.", 404, "No resource has this path."),
    GatewayAnswer("REQUEST_TOO_LARGE", "The body is too large.", 413, "A body has at most 65536 bytes."),
    GatewayAnswer(
        "UNSUPPORTED_MEDIA_TYPE",
        "The body is not declared as JSON.",
        415,
        "Send the body in UTF-8 with Content-Type: application/json.",
    ),
    GatewayAnswer("THROTTLED", "Too many requests.", 429, "Send fewer requests a second.", retry_after_s=1),
    GatewayAnswer("QUOTA_EXCEEDED", "Too many requests.", 429, "The API key's quota of this day is used up."),
    GatewayAnswer("INTEGRATION_FAILURE", "The service did not answer.", 504, _SAFE, retry_after_s=2),
    GatewayAnswer("INTEGRATION_TIMEOUT", "The service did not answer in time.", 504, _SAFE, retry_after_s=2),
)


def kind(answer: GatewayAnswer) -> str:
    """The last part of the type of the problem that an answer is."""
    return f"gateway-{answer.type.lower().replace('_', '-')}"


def answer_template(answer: GatewayAnswer) -> str:
    """The body of a gateway's own answer, as RFC 9457 has it. The gateway quotes `messageString`."""
    status = f'"status":{answer.status},' if answer.status else ""
    detail = json.dumps(answer.detail) if answer.detail else "$context.error.messageString"
    return (
        f'{{"type":"urn:problem:payments:{kind(answer)}","title":"{answer.title}",{status}'
        f'"detail":{detail},"request_id":"$context.requestId"}}'
    )


def wrong_method_template(other: OtherMethods) -> str:
    """The body of the answer to a method that a path does not offer, in the words of the function."""
    return (
        f'{{"type":"urn:problem:payments:{WRONG_METHOD_KIND}",'
        '"title":"The resource does not know this method.",'
        f'"status":{WRONG_METHOD_STATUS},"detail":"Methods that it knows: {", ".join(other.allowed)}.",'
        '"request_id":"$context.requestId"}'
    )


def wrong_method_headers(origins: tuple[str, ...], other: OtherMethods) -> dict[str, str]:
    """The headers of the answer to a method that a path does not offer.

    Of several origins none is named: the gateway cannot give back the asking one here.
    """
    headers = {
        "Allow": f"'{', '.join(other.allowed)}'",
        "Cache-Control": "'no-store'",
        "Content-Type": "'application/problem+json'",
    }
    if len(origins) == 1:
        headers |= {"Access-Control-Allow-Origin": f"'{origins[0]}'", "Vary": "'Origin'"}
    return {f"method.response.header.{name}": value for name, value in headers.items()}


def answer_headers(origins: tuple[str, ...], answer: GatewayAnswer) -> dict[str, str]:
    """The headers of a gateway's own answer.

    With several origins the asking one is given back: the gateway cannot compare, and these bodies hold
    nothing but the refusal. With none, a page of another origin may not read it.
    """
    headers = {"Content-Type": "'application/problem+json'", "Cache-Control": "'no-store'"}
    if answer.retry_after_s is not None:
        headers["Retry-After"] = f"'{answer.retry_after_s}'"
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
    payment = parse_json((schemas / "payment.json").read_text(encoding="utf-8"))
    return {PAYMENT_MODEL: json.dumps(gateway_model(payment), separators=(",", ":"))}


def gateway_model(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The part of a schema of the function's that the gateway can report faithfully.

    The gateway says "Invalid request body" and no more, so it refuses what is no JSON object; which field
    misses which rule is the function's to say.
    """
    return {
        "$schema": _DRAFT,
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
        "answers": [
            [answer.type, answer.status, answer_template(answer), answer_headers(origins, answer)]
            for answer in answers
        ],
        "others": [
            [asdict(other), wrong_method_template(other), wrong_method_headers(origins, other)]
            for other in OTHER_METHODS
        ],
        "other_requests": WRONG_METHOD_REQUESTS,
        "timeout": INTEGRATION_TIMEOUT_MS,
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()

"""Writes docs/openapi.json from the schemas that the function validates with.

`python -m handlers.openapi` writes the document; with `--check` it only says whether the file is up to date.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from handlers.payments import __version__, core, validation
from handlers.payments.app import REGION_HEADER
from handlers.payments.audit import AuditState
from handlers.payments.problems import MEDIA_TYPE, TYPE
from handlers.payments.request import MAX_BODY_BYTES

Json = Mapping[str, object]

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"
PAGE = "payments-api.md"
"""The page's name, beside the document."""


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem.

    Attributes:
        statuses: with which it comes; the gateway's own defaults keep theirs.
        meaning: what happened.
        advice: what a client does.
    """

    statuses: tuple[int, ...]
    meaning: str
    advice: str


_SAFE = "Send the same request again, with the same Idempotency-Key: a payment is recorded once."
_GIVE_UP = "Do not send it again as it is."
KINDS: Mapping[str, ProblemKind] = {
    "malformed-body": ProblemKind(
        (400,), "The body is not a JSON object in UTF-8, or says something twice.", _GIVE_UP
    ),
    "idempotency-key": ProblemKind(
        (400,), "The Idempotency-Key is missing, repeated, malformed or looks like a card number.", _GIVE_UP
    ),
    "payment-not-found": ProblemKind(
        (404,), "No payment has this payment_id in this region, yet or at all.", _GIVE_UP
    ),
    "not-found": ProblemKind((404,), "No resource has this path.", _GIVE_UP),
    "not-evacuated": ProblemKind((404,), "The other region is not evacuated.", "Health checkers ask again."),
    "held-back": ProblemKind(
        (503,),
        "The region works, and its health page fails for two minutes: the failover name has just moved to "
        "the other region and stays there. Payments never get this answer.",
        "Health checkers ask again.",
    ),
    "method-not-allowed": ProblemKind(
        (405,), "The resource does not know this method; Allow lists those it knows.", _GIVE_UP
    ),
    "in-flight": ProblemKind((409,), "Another request with this key has not finished.", _SAFE),
    "conflicting-records": ProblemKind(
        (409,),
        "Two regions accepted the key with different bodies while they could not reach each other. "
        "`payment_id` names the payment, `fingerprints` the bodies.",
        "Neither send it again nor use a new key. Operators decide, with `payinfra conflicts`; "
        "`GET payments/{payment_id}` shows what they decided.",
    ),
    "too-large": ProblemKind((413,), f"The body has more than {MAX_BODY_BYTES} bytes.", _GIVE_UP),
    "unsupported-media-type": ProblemKind((415,), "The body is not declared as JSON in UTF-8.", _GIVE_UP),
    "unsupported-content-encoding": ProblemKind(
        (415,), "The body is compressed or otherwise encoded.", _GIVE_UP
    ),
    "validation": ProblemKind(
        (422,),
        f"Fields or parameters are not valid; `errors` names {validation.MOST_ERRORS} of them at most. "
        "It never repeats what was sent: what the document does not name is told by its place.",
        _GIVE_UP,
    ),
    "idempotency-key-reused": ProblemKind(
        (422,),
        "The key belongs to a payment with another body, which `payment_id` names. The detail says so when "
        "only the timestamp differs: a retry has to send the first one again.",
        "Look at `GET payments/{payment_id}`. A new key makes a second payment.",
    ),
    "unexpected": ProblemKind((500,), "The function met what it does not expect. It has been logged.", _SAFE),
    "unavailable": ProblemKind((503,), "A service behind the API does not answer.", _SAFE),
    "gateway-bad-request-body": ProblemKind((400,), "The body is not a JSON object.", _GIVE_UP),
    "gateway-bad-request-parameters": ProblemKind((400,), "The gateway misses a parameter.", _GIVE_UP),
    "gateway-invalid-api-key": ProblemKind(
        (403,), "The API key is missing or wrong.", "Send the key in x-api-key."
    ),
    "gateway-access-denied": ProblemKind((403,), "The request is not allowed.", _GIVE_UP),
    "gateway-missing-authentication-token": ProblemKind((404,), "No resource has this path.", _GIVE_UP),
    "gateway-resource-not-found": ProblemKind((404,), "No resource has this path.", _GIVE_UP),
    "gateway-request-too-large": ProblemKind((413,), "The request is too large for the gateway.", _GIVE_UP),
    "gateway-unsupported-media-type": ProblemKind((415,), "The gateway does not take this type.", _GIVE_UP),
    "gateway-throttled": ProblemKind((429,), "Too many requests a second.", "Wait as Retry-After says."),
    "gateway-quota-exceeded": ProblemKind(
        (429,), "The API key's quota of the day is used up.", "Wait for the next day."
    ),
    "gateway-integration-failure": ProblemKind((504,), "The function did not answer.", _SAFE),
    "gateway-integration-timeout": ProblemKind((504,), "The function did not answer in time.", _SAFE),
    "gateway-default-4xx": ProblemKind(
        (400, 403), "The gateway refuses the request for another reason.", _GIVE_UP
    ),
    "gateway-default-5xx": ProblemKind(
        (500, 502, 503), "The gateway could not get an answer of the function.", _SAFE
    ),
}
"""Every kind of problem that the API answers with. Those that begin with `gateway-` are API Gateway's own."""

_DESCRIPTIONS = {
    "400": "The body is not usable JSON, or the Idempotency-Key is missing or unusable.",
    "403": "The API key is missing or wrong. The gateway says so.",
    "404": "There is no such payment, or no such path.",
    "405": "The resource does not know this method.",
    "409": "The same payment is being made now; or, without Retry-After, the key stands for two payments.",
    "413": f"The body has more than {MAX_BODY_BYTES} bytes.",
    "415": "The body is not declared as JSON in UTF-8, or it is compressed.",
    "422": "The request is understood and not valid; or the Idempotency-Key belongs to another body.",
    "429": "Too many requests. The gateway says so.",
    "500": "Something went wrong. It has been logged.",
    "502": "The function failed. The gateway says so.",
    "503": "A service behind the API does not answer. Send the request again.",
    "504": "The function did not answer in time. The gateway says so. Send the request again.",
}
_RETRIES = ("409", "429", "502", "503", "504")
_OF_ANY = ("403", "404", "405", "429", "500", "502", "503", "504")

EXAMPLE_KEY = "order-17-payment"
EXAMPLE_REQUEST = {
    "amount": 1250,
    "currency": "EUR",
    "customer_id": "customer-7",
    "payment_method": "card",
    "timestamp": 1800000000000,
    "description": "A book",
    "metadata": {"order": "17"},
}
_EXAMPLE_ID = core.payment_id(EXAMPLE_KEY)
_EXAMPLE_PAYMENT = {"payment_id": _EXAMPLE_ID, "status": "accepted", **EXAMPLE_REQUEST}


def document() -> Json:
    """The API as an OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Payments",
            "version": __version__,
            "description": "A payment is recorded once, however often and wherever its request is sent. "
            f"What a client has to know is in {PAGE}.",
        },
        "servers": [
            {
                "url": "https://{api_id}.execute-api.{region}.amazonaws.com/prod",
                "description": "One region's own endpoint. Both take every request.",
                "variables": {
                    "api_id": {"default": "api", "description": "The API's id in the region."},
                    "region": {"default": "us-east-1", "description": "The primary or the secondary region."},
                },
            },
            {
                "url": "https://{failover_domain}",
                "description": "The name that leads to the region that serves, where a domain was given.",
                "variables": {"failover_domain": {"default": "payments.example.com"}},
            },
        ],
        "paths": {
            "/payments": {"post": _make(), "get": _list()},
            "/payments/{payment_id}": {"get": _get()},
            "/health": {"get": _health()},
            "/evacuation": {"get": _evacuation()},
        },
        "components": {
            "schemas": {
                "PaymentRequest": plain("payment"),
                "Payment": _payment(),
                "PaymentPage": _page(),
                "Health": _health_schema(),
                "Evacuation": _evacuation_schema(),
                "Problem": _problem(),
            },
            "securitySchemes": {"api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


def main(arguments: Sequence[str], out: Path = DOCUMENT) -> int:
    """Write the document, or check it; the exit code."""
    text = json.dumps(document(), indent=2) + "\n"
    if "--check" not in arguments:
        out.write_text(text, encoding="utf-8")
        return 0
    return 0 if out.is_file() and out.read_text(encoding="utf-8") == text else 1


def _make() -> Json:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "Names the payment, for ever. Send the same one with every retry. In double quotes, "
        "as the IETF's draft of the header has it, it is the same key. Card numbers are refused.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255},
        "example": EXAMPLE_KEY,
    }
    replayed = {"description": "There on a replay.", "schema": {"const": "true"}}
    location = {"required": True, "description": "Where the payment is.", "schema": {"type": "string"}}
    return {
        "operationId": "makePayment",
        "summary": "Make a payment",
        "security": [{"api_key": []}],
        "parameters": [key],
        "requestBody": {"required": True, "content": _json("PaymentRequest", EXAMPLE_REQUEST)},
        "responses": {
            "201": _answer("The payment is recorded.", "Payment", _EXAMPLE_PAYMENT, {"Location": location}),
            "200": _answer(
                "It was recorded before; this is the payment as it stands now.",
                "Payment",
                _EXAMPLE_PAYMENT,
                {"Location": location, "Idempotent-Replayed": {**replayed, "required": True}},
            ),
            **_refusals("400", "409", "413", "415", "422"),
        },
    }


def _list() -> Json:
    query = plain("query")
    parameters = [
        {
            "name": name,
            "in": "query",
            "description": cast(Json, schema)["description"],
            "schema": {rule: value for rule, value in cast(Json, schema).items() if rule != "description"},
        }
        for name, schema in cast(Json, query["properties"]).items()
    ]
    return {
        "operationId": "listPayments",
        "summary": "List payments in a state, or of a customer, in order of their timestamps",
        "description": query["description"],
        "security": [{"api_key": []}],
        "parameters": parameters,
        "responses": {
            "200": _answer("A page of the list.", "PaymentPage", {"payments": [_EXAMPLE_PAYMENT]}),
            **_refusals("422"),
        },
    }


def _get() -> Json:
    return {
        "operationId": "getPayment",
        "summary": "Show a payment",
        "security": [{"api_key": []}],
        "parameters": [
            {
                "name": "payment_id",
                "in": "path",
                "required": True,
                "schema": _PAYMENT_ID,
                "example": _EXAMPLE_ID,
            }
        ],
        "responses": {"200": _answer("The payment.", "Payment", _EXAMPLE_PAYMENT), **_refusals("409")},
    }


def _health() -> Json:
    example = {
        "status": "ok",
        "region": "us-east-1",
        "version": __version__,
        "checks": {"table": "ok", "write": "ok", "audit": "ok"},
    }
    return {
        "operationId": "getHealth",
        "summary": "Say whether this region can take payments; needs no key",
        "security": [],
        "responses": {"200": _answer("It can.", "Health", example), **_refusals()},
    }


def _evacuation() -> Json:
    example = {"evacuated": "us-east-1", "since": "2026-03-01T03:12:45+00:00"}
    return {
        "operationId": "getEvacuation",
        "summary": "Say whether the other region is evacuated, for health checkers; needs no key",
        "security": [],
        "responses": {"200": _answer("It is.", "Evacuation", example), **_refusals()},
    }


def _answer(description: str, schema: str, example: Json, headers: Json | None = None) -> Json:
    region = {REGION_HEADER: {"required": True, **_REGION}, "Cache-Control": _NO_STORE}
    return {
        "description": description,
        "content": _json(schema, example),
        "headers": {**(headers or {}), **region},
    }


def _json(schema: str, example: Json) -> Json:
    return {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{schema}"},
            "examples": {"example": {"value": example}},
        }
    }


def _refusals(*statuses: str) -> Json:
    return {status: _refusal(status) for status in sorted((*statuses, *_OF_ANY))}


def _refusal(status: str) -> Json:
    headers: dict[str, object] = {REGION_HEADER: _REGION, "Cache-Control": _NO_STORE}
    if status in _RETRIES:
        wait = {
            "description": "Seconds to wait before the request is sent again.",
            "schema": {"type": "string"},
        }
        headers["Retry-After"] = wait
    if status == "405":
        headers["Allow"] = {"description": "The methods that it knows.", "schema": {"type": "string"}}
    return {
        "description": _DESCRIPTIONS[status],
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {kind: {"value": _example(kind, int(status))} for kind in _kinds(int(status))},
            }
        },
        "headers": headers,
    }


def _kinds(status: int) -> Iterator[str]:
    return (kind for kind, one in KINDS.items() if status in one.statuses)


def _example(kind: str, status: int) -> Json:
    example: dict[str, object] = {
        "type": f"{TYPE}{kind}",
        "title": KINDS[kind].meaning.partition(".")[0] + ".",
        "status": status,
        "detail": KINDS[kind].advice,
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    }
    if kind in ("conflicting-records", "idempotency-key-reused"):
        example["payment_id"] = _EXAMPLE_ID
    if kind == "conflicting-records":
        example["fingerprints"] = ["1f" * 32, "e0" * 32]
    if kind == "validation":
        example["errors"] = [{"field": "/amount", "detail": "must be at least 1"}]
    return example


_REGION: Json = {
    "description": "The region that served the request. The gateway's own answers name none.",
    "schema": {"type": "string"},
}
_NO_STORE: Json = {"description": "Payments are nobody's to keep.", "schema": {"const": "no-store"}}
_DERIVATION = (
    "Follows from the Idempotency-Key: `pay_` and the first 40 hexadecimal digits of the SHA-256 of "
    "`payment`, a zero byte and the key without quotes. A client that lost the answer can ask for it by this."
)
_PAYMENT_ID: Json = {"type": "string", "pattern": "^pay_[0-9a-f]{40}$"}


def _payment() -> Json:
    asked = plain("payment")
    states = cast(Json, cast(Json, plain("query")["properties"])["status"])
    properties = {
        "payment_id": {"description": _DERIVATION, **_PAYMENT_ID},
        "status": {**states, "description": "Where the payment stands. It is accepted first."},
        **cast(Json, asked["properties"]),
        "conflict": {
            "description": "There when the key stands for two payments, of which this is one.",
            "const": True,
        },
    }
    return {
        "title": "Payment",
        "description": "A recorded payment.",
        "type": "object",
        "additionalProperties": False,
        "required": ["payment_id", "status", *cast(list[str], asked["required"])],
        "properties": properties,
    }


def _page() -> Json:
    payments = {"type": "array", "items": {"$ref": "#/components/schemas/Payment"}}
    following = {"description": "There while the list goes on.", "type": "string"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["payments"],
        "properties": {"payments": payments, "next_cursor": following},
    }


def _health_schema() -> Json:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["status", "region", "version", "checks"],
        "properties": {
            "status": {"const": "ok"},
            "region": {"type": "string"},
            "version": {"type": "string"},
            "checks": {
                "description": "What was looked at. `audit` says how the latest write of an audit object "
                "ended in the container that answers: payments are taken without it, and audited later.",
                "type": "object",
                "required": ["table", "write", "audit"],
                "properties": {"audit": {"enum": [state.value for state in AuditState]}},
                "additionalProperties": {"const": "ok"},
            },
        },
    }


def _evacuation_schema() -> Json:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["evacuated", "since"],
        "properties": {"evacuated": {"type": "string"}, "since": {"type": "string"}},
    }


def _problem() -> Json:
    text = {"type": "string"}
    error = {"type": "object", "required": ["field", "detail"], "properties": {"field": text, "detail": text}}
    return {
        "description": "What went wrong, as RFC 9457 has it.",
        "type": "object",
        "required": ["type", "title", "detail", "request_id"],
        "properties": {
            "type": {
                "description": f"`{TYPE}` and a kind that programs may rely on; {PAGE} explains each.",
                "type": "string",
                "pattern": f"^{TYPE}[a-z0-9-]+$",
            },
            "title": text,
            "status": {
                "description": "The HTTP status; the gateway's defaults leave it out.",
                "type": "integer",
            },
            "detail": text,
            "request_id": {
                "description": "What the logs call the request. `unknown` where the gateway gave none.",
                "type": "string",
            },
            "errors": {
                "description": f"Failing fields, {validation.MOST_ERRORS} at most.",
                "type": "array",
                "maxItems": validation.MOST_ERRORS,
                "items": error,
            },
            "payment_id": {"description": "The payment that the problem is about.", **_PAYMENT_ID},
            "fingerprints": {
                "description": "The bodies in conflict: SHA-256 of each in canonical form, which is JSON in "
                "ASCII with members in order of their names and no white space.",
                "type": "array",
                "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            },
        },
    }


def plain(name: str) -> dict[str, object]:
    """A schema as a part of the document, which says itself which dialect it is in."""
    return {rule: value for rule, value in validation.load(name).items() if rule != "$schema"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Writes docs/openapi.json from the schemas that the function validates with.

`python -m handlers.openapi` writes it; with `--check` it only says whether the file is up to date.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from handlers.payments import __version__, validation
from handlers.payments.app import REGION_HEADER
from handlers.payments.problems import MEDIA_TYPE
from handlers.payments.request import MAX_BODY_BYTES

Json = Mapping[str, object]

DOCUMENT = Path(__file__).parents[1] / "docs" / "openapi.json"

_PROBLEMS = {
    "400": "The body is not usable JSON, or the Idempotency-Key is missing or unusable.",
    "403": "The API key is missing or wrong. The gateway says so.",
    "404": "There is no such payment.",
    "405": "The resource does not know this method.",
    "409": "The same payment is being made now; or, without Retry-After, the key stands for two payments.",
    "413": f"The body has more than {MAX_BODY_BYTES} bytes.",
    "415": "The body is not declared as JSON in UTF-8.",
    "422": "The request is understood and not valid; or the Idempotency-Key belongs to another body.",
    "429": "Too many requests. The gateway says so.",
    "500": "Something went wrong. It has been logged.",
    "503": "A service behind the API does not answer. Send the request again.",
}
_RETRIES = ("409", "503")
_OF_ANY = ("403", "405", "429", "500", "503")


def document() -> Json:
    """The API as an OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Payments",
            "version": __version__,
            "description": "A payment is recorded once, however often and wherever its request is sent.",
        },
        "paths": {
            "/payments": {"post": _make(), "get": _list()},
            "/payments/{payment_id}": {"get": _get()},
            "/health": {"get": _health()},
        },
        "components": {
            "schemas": {
                "PaymentRequest": _plain("payment"),
                "Payment": _payment(),
                "PaymentPage": _page(),
                "Health": _health_schema(),
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
        "description": "Names the payment, for ever. Send the same one with every retry.",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$", "minLength": 1, "maxLength": 255},
    }
    replayed = {"description": "There on a replay.", "schema": {"const": "true"}}
    location = {"required": True, "description": "Where the payment is.", "schema": {"type": "string"}}
    return {
        "operationId": "makePayment",
        "summary": "Make a payment",
        "security": [{"api_key": []}],
        "parameters": [key],
        "requestBody": {"required": True, "content": _json("PaymentRequest")},
        "responses": {
            "201": _answer("The payment is recorded.", "Payment", {"Location": location}),
            "200": _answer(
                "It was recorded before; this is the first answer.",
                "Payment",
                {"Location": location, "Idempotent-Replayed": {**replayed, "required": True}},
            ),
            **_refusals("400", "409", "413", "415", "422"),
        },
    }


def _list() -> Json:
    query = _plain("query")
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
        "responses": {"200": _answer("A page of the list.", "PaymentPage"), **_refusals("422")},
    }


def _get() -> Json:
    return {
        "operationId": "getPayment",
        "summary": "Show a payment",
        "security": [{"api_key": []}],
        "parameters": [{"name": "payment_id", "in": "path", "required": True, "schema": _PAYMENT_ID}],
        "responses": {"200": _answer("The payment.", "Payment"), **_refusals("404")},
    }


def _health() -> Json:
    return {
        "operationId": "getHealth",
        "summary": "Say whether this region can take payments; needs no key",
        "security": [],
        "responses": {"200": _answer("It can.", "Health"), **_refusals()},
    }


def _answer(description: str, schema: str, headers: Json | None = None) -> Json:
    region = {REGION_HEADER: {"required": True, **_REGION}}
    return {"description": description, "content": _json(schema), "headers": {**(headers or {}), **region}}


def _json(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _refusals(*statuses: str) -> Json:
    return {status: _refusal(status) for status in sorted((*statuses, *_OF_ANY))}


def _refusal(status: str) -> Json:
    headers: dict[str, object] = {REGION_HEADER: _REGION}
    if status in _RETRIES:
        wait = {
            "description": "Seconds to wait before the request is sent again.",
            "schema": {"type": "string"},
        }
        headers["Retry-After"] = wait
    return {
        "description": _PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        "headers": headers,
    }


_REGION: Json = {
    "description": "The region that served the request. The gateway's own answers name none.",
    "schema": {"type": "string"},
}
_DERIVATION = (
    "Follows from the Idempotency-Key: `pay_` and the first 40 hexadecimal digits of the SHA-256 of "
    "`payment`, a zero byte and the key. A client that lost the answer can ask for it by this."
)
_PAYMENT_ID: Json = {"type": "string", "pattern": "^pay_[0-9a-f]{40}$"}


def _payment() -> Json:
    asked = _plain("payment")
    properties = {
        "payment_id": {"description": _DERIVATION, **_PAYMENT_ID},
        "status": cast(Json, _plain("query")["properties"])["status"],
        **cast(Json, asked["properties"]),
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
            "checks": {"type": "object", "additionalProperties": {"const": "ok"}},
        },
    }


def _problem() -> Json:
    text = {"type": "string"}
    error = {"type": "object", "required": ["field", "detail"], "properties": {"field": text, "detail": text}}
    return {
        "description": "What went wrong, as RFC 9457 has it.",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"description": "A name that programs may rely on.", "type": "string"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "errors": {"description": "Every failing field.", "type": "array", "items": error},
        },
    }


def _plain(name: str) -> dict[str, object]:
    """A schema as a part of the document, which says itself which dialect it is in."""
    return {rule: value for rule, value in validation.load(name).items() if rule != "$schema"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a request can be refused with: one shape for every error, RFC 9457's `application/problem+json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is not as it has to be.

    Attributes:
        field: JSON pointer into the body (`/amount`), or the name of a header or of a query parameter.
        detail: what it has to be; never what it was.
    """

    field: str
    detail: str


@dataclass(eq=False)
class Problem(Exception):
    """A request that is answered with an error.

    Attributes:
        status: the HTTP status.
        kind: the last part of the problem's type; a name that clients may rely on.
        title: one sentence that is the same each time.
        detail: what is wrong this time; names nothing of the inside and repeats nothing of the body.
        errors: every failing field, for a validation.
        headers: what the answer carries besides, `Retry-After` for one.
    """

    status: int
    kind: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> str:
        document: dict[str, object] = {
            "type": f"urn:problem:payments:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [{"field": error.field, "detail": error.detail} for error in self.errors]
        return json.dumps(document)


@dataclass(eq=False)
class Unavailable(Exception):
    """A service that the function depends on does not answer, or answers with an error.

    Attributes:
        dependency: which one: `table`, `audit` or `parameter`.
        reason: the error's code or class, for the log only.
    """

    dependency: str
    reason: str


def malformed(detail: str) -> Problem:
    return Problem(400, "malformed-body", "The body is not usable JSON.", detail)


def bad_key(detail: str) -> Problem:
    where = FieldError("Idempotency-Key", detail)
    return Problem(400, "idempotency-key", "The request needs an Idempotency-Key.", detail, (where,))


def invalid(errors: tuple[FieldError, ...]) -> Problem:
    fields = "One field is" if len(errors) == 1 else f"{len(errors)} fields are"
    return Problem(422, "validation", "The request is not valid.", f"{fields} not valid.", errors)


def key_reused() -> Problem:
    return Problem(
        422,
        "idempotency-key-reused",
        "The Idempotency-Key belongs to another payment.",
        "This Idempotency-Key was used with a different body. Use a new key for a new payment.",
    )


def in_flight() -> Problem:
    return Problem(
        409,
        "in-flight",
        "The same payment is being made right now.",
        "Another request with this Idempotency-Key has not finished. Send the same request again.",
        headers={"Retry-After": "1"},
    )


def conflicting() -> Problem:
    return Problem(
        409,
        "conflicting-records",
        "The Idempotency-Key stands for two different payments.",
        "Two regions accepted this Idempotency-Key with different bodies while they could not reach each "
        "other. The operators have been told; do not send the request again.",
    )


def payment_not_found() -> Problem:
    return Problem(404, "payment-not-found", "There is no such payment.", "No payment has this payment_id.")


def no_route() -> Problem:
    return Problem(404, "not-found", "There is nothing here.", "No resource has this path.")


def wrong_method(allowed: tuple[str, ...]) -> Problem:
    listed = ", ".join(allowed)
    return Problem(
        405,
        "method-not-allowed",
        "The resource does not know this method.",
        f"Methods that it knows: {listed}.",
        headers={"Allow": listed},
    )


def too_large(limit: int) -> Problem:
    return Problem(413, "too-large", "The body is too large.", f"A body has at most {limit} bytes.")


def wrong_type() -> Problem:
    return Problem(
        415,
        "unsupported-media-type",
        "The body is not declared as JSON.",
        "Send the body in UTF-8 with Content-Type: application/json.",
        headers={"Accept-Post": "application/json"},
    )


def unavailable() -> Problem:
    return Problem(
        503,
        "unavailable",
        "The service cannot answer right now.",
        "Send the request again, a payment with the same Idempotency-Key: it is recorded once.",
        headers={"Retry-After": "2"},
    )


def unexpected() -> Problem:
    return Problem(
        500,
        "unexpected",
        "Something went wrong.",
        "It has been logged. Sending the request again with the same Idempotency-Key is safe.",
    )

"""What a request can be refused with: one shape for every error, RFC 9457's `application/problem+json`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:problem:payments:"
"""What the type of every problem begins with; the page docs/payments-api.md explains each."""


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
        more: members of this kind of problem, `payment_id` for one.
    """

    status: int
    kind: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)

    def document(self, request_id: str) -> dict[str, object]:
        """The problem as the answer's body; `request_id` is what the gateway calls the request."""
        document: dict[str, object] = {
            "type": f"{TYPE}{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            **self.more,
        }
        if self.errors:
            document["errors"] = [{"field": error.field, "detail": error.detail} for error in self.errors]
        return document


@dataclass(eq=False)
class Unavailable(Exception):
    """A service that the function depends on does not answer, or answers with an error.

    Attributes:
        dependency: which one: `table`, `audit` or `parameter`; `write` for a table that takes no writes.
        reason: the error's code or class, for the log only.
    """

    dependency: str
    reason: str


def malformed(detail: str) -> Problem:
    """400: the body cannot be read; `detail` says why."""
    return Problem(400, "malformed-body", "The body is not usable JSON.", detail)


def bad_key(detail: str) -> Problem:
    """400: the Idempotency-Key is missing or not valid; `detail` says what it has to be."""
    where = FieldError("Idempotency-Key", detail)
    return Problem(400, "idempotency-key", "The request needs an Idempotency-Key.", detail, (where,))


def invalid(errors: tuple[FieldError, ...], *, most: int = 20) -> Problem:
    """Failing fields, `most` of which are named at most."""
    if len(errors) >= most:
        detail = f"{most} fields or more are not valid; {most} of them are named."
    else:
        detail = "One field is not valid." if len(errors) == 1 else f"{len(errors)} fields are not valid."
    return Problem(422, "validation", "The request is not valid.", detail, errors[:most])


def key_reused(payment_id: str, *, only_timestamp: bool) -> Problem:
    """The key belongs to another body. Whoever has the key may know that the payment exists."""
    why = (
        "The recorded payment differs in its timestamp only: a retry must send the first one again."
        if only_timestamp
        else "The recorded payment has another body."
    )
    return Problem(
        422,
        "idempotency-key-reused",
        "The Idempotency-Key belongs to another payment.",
        f"{why} Look at it with GET payments/{payment_id}. Only if that is not the payment you mean to make, "
        "use a new key: a new key makes a second payment.",
        more={"payment_id": payment_id},
    )


def in_flight() -> Problem:
    """409: another request makes the same payment now. The client waits a second and repeats it."""
    return Problem(
        409,
        "in-flight",
        "The same payment is being made right now.",
        "Another request with this Idempotency-Key has not finished. Send the same request again.",
        headers={"Retry-After": "1"},
    )


def conflicting(payment_id: str, fingerprints: tuple[str, ...]) -> Problem:
    """409: two regions recorded two bodies under one key; `fingerprints` is the SHA-256 of each body."""
    return Problem(
        409,
        "conflicting-records",
        "The Idempotency-Key stands for two different payments.",
        "Two regions accepted this Idempotency-Key with different bodies while they could not reach each "
        "other. The operators have been told and decide which one stands. Neither send the request again nor "
        f"use a new key; GET payments/{payment_id} shows the payment when it is decided. Each fingerprint is "
        "the SHA-256 of one body in canonical form.",
        more={"payment_id": payment_id, "fingerprints": list(fingerprints)},
    )


def no_transition(status: str, wanted: str) -> Problem:
    """422: a payment of this status cannot become `wanted`."""
    return Problem(
        422,
        "no-transition",
        "The payment cannot take this status.",
        f"A payment that is {status} does not become {wanted}.",
    )


def payment_not_found() -> Problem:
    """404: there is no payment of this id."""
    return Problem(404, "payment-not-found", "There is no such payment.", "No payment has this payment_id.")


def not_evacuated() -> Problem:
    """404: the flag that Route 53's health checkers ask for is not set."""
    return Problem(
        404, "not-evacuated", "No region is evacuated.", "Health checkers of Route 53 ask for this."
    )


def no_route() -> Problem:
    """404: no resource has the path."""
    return Problem(404, "not-found", "There is nothing here.", "No resource has this path.")


def wrong_method(allowed: tuple[str, ...]) -> Problem:
    """405: the resource has other methods, which `Allow` lists (RFC 9110, section 15.5.6)."""
    listed = ", ".join(allowed)
    return Problem(
        405,
        "method-not-allowed",
        "The resource does not know this method.",
        f"Methods that it knows: {listed}.",
        headers={"Allow": listed},
    )


def wrong_encoding() -> Problem:
    """415: the body is encoded. `Accept-Encoding` says what is accepted (RFC 9110, section 15.5.16)."""
    return Problem(
        415,
        "unsupported-content-encoding",
        "The body is compressed or otherwise encoded.",
        "Send the body as it is, without Content-Encoding.",
        headers={"Accept-Encoding": "identity"},
    )


def too_large(limit: int) -> Problem:
    """413: the body has more than `limit` bytes."""
    return Problem(413, "too-large", "The body is too large.", f"A body has at most {limit} bytes.")


def wrong_type() -> Problem:
    """415: the body is not declared as JSON."""
    return Problem(
        415,
        "unsupported-media-type",
        "The body is not declared as JSON.",
        "Send the body in UTF-8 with Content-Type: application/json.",
        headers={"Accept-Post": "application/json"},
    )


def unavailable() -> Problem:
    """503: a service that the function needs does not answer. The client waits two seconds."""
    return Problem(
        503,
        "unavailable",
        "The service cannot answer right now.",
        "Send the request again, a payment with the same Idempotency-Key: it is recorded once.",
        headers={"Retry-After": "2"},
    )


def held_back() -> Problem:
    """503 of the health page, which keeps the failover name away from a region that works."""
    return Problem(
        503,
        "held-back",
        "The region works, and the failover name is kept away from it.",
        "The failover name has just moved to the other region, and stays there until an operator returns it.",
    )


def unexpected() -> Problem:
    """500: a bug, which is logged."""
    return Problem(
        500,
        "unexpected",
        "Something went wrong.",
        "It has been logged. Sending the request again with the same Idempotency-Key is safe.",
    )

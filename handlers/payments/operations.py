"""What operators and a settlement worker ask of the function, by invoking it; not reachable through the API.

An event of this kind has an `operation` and nothing of a proxy event's. Who may send it is up to IAM
(`lambda:InvokeFunction`).

| operation | takes | answers |
|---|---|---|
| `move` | `payment_id`, `status`, `reference` | `payment` |
| `audit` | `payment_ids`, at most 100 | `written`, `present`, `failed`: those ids |
| `resolve` | `payment_id`, `fingerprint` | `payment` |

A refusal has `problem` in its answer, as the API's problems are; `unavailable` is safe to ask again.
"""

from collections.abc import Mapping

from . import problems
from .problems import Problem, Unavailable
from .service import Payments

MOST_IDS = 100
MOST_REFERENCE = 128


def is_operation(event: Mapping[str, object]) -> bool:
    """Whether an event is one of these: the gateway's have a method, the stream's have records."""
    return "operation" in event and "httpMethod" not in event and "Records" not in event


def perform(payments: Payments, event: Mapping[str, object]) -> dict[str, object]:
    """Do what an event asks for.

    Raises:
        Problem: it cannot be done, or the event is malformed.
        Unavailable: a service does not answer.
    """
    match event:
        case {
            "operation": "move",
            "payment_id": str(payment_id),
            "status": str(status),
            "reference": str(reference),
        } if 0 < len(reference) <= MOST_REFERENCE:
            return {"payment": payments.move(payment_id, status, reference).document()}
        case {"operation": "audit", "payment_ids": list(ids)} if len(ids) <= MOST_IDS:
            return _audit(payments, [str(payment_id) for payment_id in ids])
        case {"operation": "resolve", "payment_id": str(payment_id), "fingerprint": str(fingerprint)}:
            return {"payment": payments.resolve(payment_id, fingerprint).document()}
        case _:
            raise problems.malformed("No operation looks like this.")


def refusal(problem: Problem, request_id: str) -> dict[str, object]:
    """The answer to an operation that was refused."""
    return {"problem": problem.document(request_id)}


def _audit(payments: Payments, ids: list[str]) -> dict[str, object]:
    answer: dict[str, list[str]] = {"written": [], "present": [], "failed": []}
    for payment_id in ids:
        try:
            outcome = "written" if payments.audit(payment_id) else "present"
        except Unavailable:
            outcome = "failed"
        answer[outcome].append(payment_id)
    return dict(answer)

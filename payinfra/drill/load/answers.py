"""What an answer of the payments API means for the payment that was sent, whatever sent it."""

from collections.abc import Callable
from dataclasses import dataclass

from payinfra.clients.payments_api import REPLAYED_HEADER
from payinfra.core.json_text import parse_json
from payinfra.drill.load.payments import Payment
from payinfra.drill.model import Result


@dataclass(frozen=True)
class JudgedAnswer:
    """An answer, judged.

    Attributes:
        pause_s: the least pause that it asks for, in seconds; 0 where it asks for none, or gives a date.
        payment_id: what the API calls the payment; empty where nothing was acknowledged.
    """

    result: Result
    pause_s: float = 0.0
    payment_id: str = ""


def judge_answer(status: int, header: Callable[[str], str | None], body: bytes) -> JudgedAnswer:
    """Judge an answer: docs/openapi.json says which statuses there are.

    Args:
        header: gives a header of the answer by its name; None where it has none.
    """
    said = header("Retry-After") or ""
    pause_s = float(said) if said.isdecimal() else 0.0
    match status:
        case 200 | 201:
            payment_id = _payment_id(body)
            if not payment_id:  # Only what names its payment is the API's acknowledgement.
                return JudgedAnswer(Result.FAILED, pause_s)
            replayed = header(REPLAYED_HEADER) is not None
            return JudgedAnswer(Result.REPLAYED if replayed else Result.ACKNOWLEDGED, pause_s, payment_id)
        case 408 | 429:
            return JudgedAnswer(Result.FAILED, pause_s)
        case 409 if said:
            return JudgedAnswer(Result.FAILED, pause_s)
        case _ if 400 <= status < 500:
            return JudgedAnswer(Result.REFUSED, pause_s)
        case _:
            return JudgedAnswer(Result.FAILED, pause_s)


def _payment_id(body: bytes) -> str:
    try:
        return str(parse_json(body)["payment_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def request_headers(payment: Payment, api_key: str) -> dict[str, str]:
    """The headers that every attempt at a payment has."""
    return {"Content-Type": "application/json", "Idempotency-Key": payment.key, "x-api-key": api_key}

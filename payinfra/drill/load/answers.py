"""What an answer of the payments API means for the payment that was sent, whatever sent it."""

from collections.abc import Callable
from dataclasses import dataclass

from payinfra.clients.payments_api import REPLAYED_HEADER
from payinfra.core.canary_contract import PAYMENTS, CanaryContract
from payinfra.core.json_text import parse_json
from payinfra.drill.load.counters import STILL_UNDER_WAY
from payinfra.drill.load.payments import DrillPayment
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


def judge_answer(
    status: int, header: Callable[[str], str | None], body: bytes, contract: CanaryContract = PAYMENTS
) -> JudgedAnswer:
    """Judge an answer: `[canary]`, or docs/openapi.json, says which statuses there are.

    Args:
        header: gives a header of the answer by its name; None where it has none.
        contract: what the answers to a payment mean.
    """
    said = header("Retry-After") or ""
    pause_s = float(said) if said.isdecimal() else 0.0
    if contract.is_recorded(status):
        payment_id = _payment_id(body, contract)
        if not payment_id:  # Only what names its payment is the API's acknowledgement.
            return JudgedAnswer(Result.FAILED, pause_s)
        # The shipped API says so in a header; any other says it by its status alone.
        replayed = header(REPLAYED_HEADER) is not None or (
            contract.is_own and not contract.is_accepted(status)
        )
        return JudgedAnswer(Result.REPLAYED if replayed else Result.ACKNOWLEDGED, pause_s, payment_id)
    refused = contract.is_refused(status) and not (status == STILL_UNDER_WAY and said)
    return JudgedAnswer(Result.REFUSED if refused else Result.FAILED, pause_s)


def _payment_id(body: bytes, contract: CanaryContract) -> str:
    try:
        return str(parse_json(body)[contract.id_field])
    except (ValueError, KeyError, TypeError):
        return ""


def request_headers(
    payment: DrillPayment, api_key: str, contract: CanaryContract = PAYMENTS
) -> dict[str, str]:
    """The headers that every attempt at a payment has."""
    return {"Content-Type": "application/json", "x-api-key": api_key, **contract.headers_of(payment.key)}

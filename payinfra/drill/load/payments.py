"""The payments that a drill makes: marked as its own, the same to the letter however often they are sent."""

import hashlib
import json
import re
from dataclasses import dataclass

DRILL = "payinfra-drill"
AMOUNT = 1
_LIKE_A_CARD = re.compile(r"(?:\d\W*){13}")


@dataclass(frozen=True)
class Payment:
    """A payment as its client makes it.

    Attributes:
        key: its Idempotency-Key.
        payment_id: what the API calls it.
        body: the JSON text of every attempt.
        at_s: when it was made, in seconds since the drill began.
    """

    key: str
    payment_id: str
    body: str
    at_s: float


def customer(env: str) -> str:
    """The customer of all payments of an environment's drills."""
    return f"{DRILL}-{env}"


def payment_id(key: str) -> str:
    """The id that the API gives a payment: docs/openapi.json says how it follows from the Idempotency-Key."""
    return "pay_" + hashlib.sha256(b"payment\x00" + key.encode("ascii")).hexdigest()[:40]


@dataclass(frozen=True)
class Maker:
    """Makes the payments of one drill, of one minor unit each.

    Attributes:
        drill: its id; every payment carries it in its metadata.

    Raises:
        ValueError: the API would take the id for a card number, and refuse it.
    """

    env: str
    drill: str

    def __post_init__(self) -> None:
        if _LIKE_A_CARD.search(self.drill):
            raise ValueError(f"{self.drill} has 13 digits in a row, as card numbers have")

    def make(self, number: int, timestamp_ms: int, at_s: float) -> Payment:
        """The drill's payment with this number, created at `timestamp_ms` since the epoch."""
        key = f"{DRILL}-{self.drill}-{number}"
        body = {
            "amount": AMOUNT,
            "currency": "USD",
            "customer_id": customer(self.env),
            "payment_method": "wallet",
            "timestamp": timestamp_ms,
            "metadata": {"drill": self.drill},
        }
        return Payment(key, payment_id(key), json.dumps(body, separators=(",", ":")), round(at_s, 6))

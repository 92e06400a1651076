"""The payments that a drill makes: marked as its own, the same to the letter however often they are sent."""

import json
import re
from dataclasses import dataclass

from payinfra.core.canary_contract import PAYMENTS, CanaryContract

DRILL = "payinfra-drill"
_LIKE_A_CARD = re.compile(r"(?:\d\W*){13}")


@dataclass(frozen=True)
class DrillPayment:
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


def payment_id(key: str, contract: CanaryContract = PAYMENTS) -> str:
    """The id that the API gives the payment with this key."""
    return contract.id_of(key)


@dataclass(frozen=True)
class Maker:
    """Makes the payments of one drill, of one minor unit each.

    Attributes:
        drill: its id; every payment carries it in its metadata.
        contract: what a payment of the environment looks like.

    Raises:
        ValueError: the API would take the id for a card number, and refuse it.
    """

    env: str
    drill: str
    contract: CanaryContract = PAYMENTS

    def __post_init__(self) -> None:
        if _LIKE_A_CARD.search(self.drill):
            raise ValueError(f"{self.drill} has 13 digits in a row, as card numbers have")

    def make(self, number: int, timestamp_ms: int, at_s: float) -> DrillPayment:
        """The drill's payment with this number, created at `timestamp_ms` since the epoch."""
        key = f"{DRILL}-{self.drill}-{number}"
        body = self.contract.body_of(
            key=key,
            customer=customer(self.env),
            timestamp_ms=timestamp_ms,
            env=self.env,
            metadata={"drill": self.drill},
        )
        return DrillPayment(
            key, self.contract.id_of(key), json.dumps(body, separators=(",", ":")), round(at_s, 6)
        )

"""What the two regions have of an outage's payments: what only one has, what differs, what is not audited."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from payinfra.checks.probes.model import ProbeContext
from payinfra.clients.retry import Deadline
from payinfra.payments import audit
from payinfra.payments.records import RecordedPayment, payments

CLOCKS_APART = timedelta(hours=24)
"""How far a payment's timestamp, its client's, may be from its acceptance (docs/payments-api.md)."""
UNDER_WAY = timedelta(minutes=1)
"""A payment that is younger may be on its way to the other region, or without its audit object."""
SETTLE_S = 60.0
"""What only one region has is read again for so long: it may have been recorded just now."""
PAUSE_S = 1.0
_AGAIN = "Wait, and run the command again: replication may bring it."

Copies: TypeAlias = dict[tuple[str, str], RecordedPayment]
"""A region's payments by id and fingerprint."""


@dataclass(frozen=True)
class OpenPayment:
    """A payment that the regions do not agree on.

    Attributes:
        what: what is wrong, in a phrase.
        next_step: what to do about it, where there is something to do.
    """

    payment_id: str
    what: str
    next_step: str


@dataclass(frozen=True)
class OutageReconciliation:
    """What came of it.

    Attributes:
        payments: how many payments were compared.
        open: those that the regions do not agree on, by id.
        not_copied: audit objects that only one region's bucket has: S3 still copies them.
    """

    payments: int
    open: tuple[OpenPayment, ...]
    not_copied: int


def reconcile(
    live: ProbeContext,
    since: datetime,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> OutageReconciliation:
    """Compare the payments of both regions since a moment. Changes nothing.

    Raises:
        EnvironmentUnusable: the outputs are of another version.
        ClientError, BotoCoreError: a region does not answer, or refuses.
    """
    from_ms, to_ms = _milliseconds(since - CLOCKS_APART), _milliseconds(live.now() + CLOCKS_APART)
    here, there = _both(live, from_ms, to_ms)

    def agree() -> bool:
        nonlocal here, there
        if here == there:
            return True
        here, there = _both(live, from_ms, to_ms)
        return here == there

    Deadline.within(SETTLE_S, clock=clock, sleep=sleep).until(agree, pause_s=PAUSE_S)
    regions = tuple(one.region for one in live.outputs.regions)
    audited = audit.reconcile(
        live.outputs, live.aws, from_ms, _milliseconds(live.now() - UNDER_WAY), write=False
    )
    found = {one.payment_id: one for one in _unaudited(audited.missing)}
    found |= {one.payment_id: one for one in differences(here, there, regions)}
    return OutageReconciliation(
        payments=len(here.keys() | there.keys()),
        open=tuple(found[payment_id] for payment_id in sorted(found)),
        not_copied=len({key for keys in audited.not_copied.values() for key in keys}),
    )


def differences(here: Copies, there: Copies, regions: tuple[str, ...]) -> tuple[OpenPayment, ...]:
    """What the two regions do not agree on.

    Args:
        regions: what the one and the other are called.
    """
    found: dict[str, OpenPayment] = {}
    for payment_id, fingerprint in here.keys() | there.keys():
        one, other = here.get((payment_id, fingerprint)), there.get((payment_id, fingerprint))
        if one is None or other is None:
            where = regions[0] if other is None else regions[1]
            found[payment_id] = OpenPayment(
                payment_id,
                f"only {where} has it",
                "Wait, and run the command again: replication may bring it.",
            )
        elif one.status != other.status:
            found[payment_id] = OpenPayment(
                payment_id,
                f"it is {one.status} in {regions[0]} and {other.status} in {regions[1]}",
                _AGAIN,
            )
    for payment_id in _twice(here) | _twice(there):
        found[payment_id] = OpenPayment(
            payment_id,
            "its key was accepted twice, with different bodies",
            f"Decide which one stands: payinfra conflicts resolve {payment_id} --keep FINGERPRINT.",
        )
    return tuple(found.values())


def _twice(copies: Copies) -> set[str]:
    """The ids that stand for two payments and that nobody has decided."""
    count = Counter(payment_id for payment_id, _ in copies)
    decided = {one.payment_id for one in copies.values() if one.resolved}
    several = {payment_id for payment_id in count if count[payment_id] > 1} - decided
    return several | {one.payment_id for one in copies.values() if one.in_conflict}


def _unaudited(missing: tuple[str, ...]) -> tuple[OpenPayment, ...]:
    return tuple(
        OpenPayment(
            payment_id,
            "neither region's audit bucket has its object",
            "Have it written: payinfra audit reconcile.",
        )
        for payment_id in missing
    )


def _both(live: ProbeContext, from_ms: int, to_ms: int) -> tuple[Copies, Copies]:
    here, there = (
        {
            (one.payment_id, one.fingerprint): one
            for one in payments(live.aws.dynamodb(region.region), region.dynamodb_table_name, from_ms, to_ms)
        }
        for region in live.outputs.regions
    )
    return here, there


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)

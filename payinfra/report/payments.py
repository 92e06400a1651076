"""What operators are told of recorded payments: missing audit objects, and keys in conflict."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.payments.audit import AuditReconciliation
    from payinfra.payments.conflicts import Conflict

_SHOWN = 20


def reconciled(console: Console, outcome: "AuditReconciliation", fmt: Format) -> None:
    """How many payments there are, which lacked an audit object, and which have theirs now."""
    if fmt is Format.JSON:
        write_json(console, _reconciled_json(outcome))
        return
    left = sorted(set(outcome.missing) - set(outcome.written))
    lines = [
        f"{outcome.payments} payments from {_time(outcome.from_ms)} to {_time(outcome.to_ms)}.",
        f"{len(outcome.missing)} lacked an audit object; {len(outcome.written)} have theirs now.",
        *(f"Missing: {payment_id}" for payment_id in left[:_SHOWN]),
        *([f"… and {len(left) - _SHOWN} more."] if len(left) > _SHOWN else []),
        *(
            f"{len(keys)} objects are not copied to {region} yet."
            for region, keys in outcome.not_copied.items()
            if keys
        ),
    ]
    write(console, *(Text(line) for line in lines))


def _reconciled_json(outcome: "AuditReconciliation") -> Mapping[str, object]:
    fields = {
        "environment": outcome.env,
        "from": _time(outcome.from_ms),
        "to": _time(outcome.to_ms),
        "payments": outcome.payments,
        "missing": list(outcome.missing),
        "written": list(outcome.written),
        "not_copied": {region: list(keys) for region, keys in outcome.not_copied.items()},
    }
    return document("reconciliation", fields)


def conflicts(console: Console, found: tuple["Conflict", ...], command: str, fmt: Format) -> None:
    """Every key in conflict with its payments. `command` is what decides."""
    if fmt is Format.JSON:
        write_json(console, document("conflicts", {"conflicts": [_conflict_json(one) for one in found]}))
        return
    if not found:
        write(console, Text("No key is in conflict."))
        return
    rows = [
        (
            one.payment_id,
            payment.fingerprint[:16],
            _time(payment.timestamp_ms),
            f"{payment.amount} {payment.currency}",
            payment.customer_id,
            payment.status,
            payment.region,
            "yes" if payment.holds_key else "",
        )
        for one in found
        for payment in one.payments
    ]
    columns = (
        "payment",
        "fingerprint",
        "timestamp",
        "amount",
        "customer",
        "status",
        "region",
        "holds the key",
    )
    write(console, table(columns, rows), Text(f"Decide with: {command} PAYMENT_ID --keep FINGERPRINT"))


def resolved(console: Console, payment_id: str, fingerprint: str, fmt: Format) -> None:
    """Which payment the key stands for now."""
    if fmt is Format.JSON:
        write_json(console, document("resolution", {"payment_id": payment_id, "kept": fingerprint}))
        return
    write(console, Text(f"The key of {payment_id} stands for the payment with fingerprint {fingerprint}."))


def _conflict_json(one: "Conflict") -> Mapping[str, object]:
    return {
        "payment_id": one.payment_id,
        "payments": [
            {
                "fingerprint": payment.fingerprint,
                "timestamp": payment.timestamp_ms,
                "amount": payment.amount,
                "currency": payment.currency,
                "customer_id": payment.customer_id,
                "status": payment.status,
                "region": payment.region,
                "holds_key": payment.holds_key,
            }
            for payment in one.payments
        ],
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

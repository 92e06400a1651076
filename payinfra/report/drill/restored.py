"""What the restoration of drills that did not end came to."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from payinfra.drill.model import PaymentOutcome, Restored
from payinfra.report.documents import document
from payinfra.report.formats import DrillFormat
from payinfra.report.printable import visible
from payinfra.report.results import write, write_json


def write_restored(console: Console, found: Sequence[Restored], fmt: DrillFormat) -> None:
    """What was put back and what is left, for each drill."""
    if fmt is DrillFormat.JSON:
        write_json(console, document("restored", {"restored": [_json(one) for one in found]}))
    elif not found:
        write(console, Text("Nothing to restore: every drill ended."))
    else:
        write(console, *(line for one in found for line in _lines(one)))


def _lines(one: Restored) -> Iterator[Text]:
    yield Text(f"{one.drill}: {'restored' if one.whole else 'NOT restored'}", style="bold")
    for undone in one.restoration.undone:
        yield Text(visible(f"  put back: {undone}"))
    for left in one.restoration.left:
        yield Text(visible(f"  left: {left}"), style="bold red")
    if one.problem:
        yield Text(visible(f"  payments: {one.problem}"), style="red")
    if one.reconciliation is not None:
        counts = ", ".join(
            f"{one.reconciliation.count(fate)} {fate}"
            for fate in PaymentOutcome
            if one.reconciliation.count(fate)
        )
        removed = f"{one.reconciliation.removed} removed from the table"
        yield Text(f"  payments: {one.reconciliation.sent} sent ({counts or 'none'}), {removed}")
        if one.reconciliation.not_removed:
            yield Text(visible(f"  not removed: {', '.join(one.reconciliation.not_removed)}"), style="red")


def _json(one: Restored) -> dict[str, object]:
    counted = one.reconciliation
    return {
        "drill": one.drill,
        "whole": one.whole,
        "undone": list(one.restoration.undone),
        "left": list(one.restoration.left),
        "problem": one.problem,
        "payments": None
        if counted is None
        else {
            "sent": counted.sent,
            "acknowledged": counted.acknowledged,
            "removed": counted.removed,
            "not_removed": list(counted.not_removed),
            "fates": {fate.value: counted.count(fate) for fate in PaymentOutcome},
        },
    }

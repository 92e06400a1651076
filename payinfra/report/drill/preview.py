"""What a drill is about to do, before a person says yes to it."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from payinfra.drill.faults.journal import Header
from payinfra.drill.model import Phase
from payinfra.drill.prediction import Prediction
from payinfra.report.printable import visible
from payinfra.report.results import table, write


def write_preview(console: Console, header: Header, calls: Sequence[str], prediction: Prediction) -> None:
    """Every call that changes the environment, and how long each phase should take."""
    scenarios = " and ".join(header.scenarios)
    write(
        console,
        Text(visible(f"Drill {scenarios} of {header.env} ({header.target}, account {header.account}).")),
        Text("\nCalls that change something; each is undone at the end:", style="bold"),
        *(Text(visible(f"  {call}")) for call in calls),
        Text("\nPredicted:", style="bold"),
        table(
            ("phase", "seconds"),
            [
                (phase.value, f"{prediction.phases[phase]:.1f}")
                for phase in Phase
                if phase in prediction.phases
            ],
        ),
        Text(_summary(prediction)),
    )


def _summary(prediction: Prediction) -> str:
    if not prediction.recovers:
        return f"No client has to recover. The whole drill: {prediction.whole_s:.0f} s at the most."
    return (
        f"Recovery: {prediction.recovery_s:.1f} s. The whole drill: {prediction.whole_s:.0f} s at the most."
    )

"""Past drills, as a table and as JSON, with what their recovery times come to over time."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from payinfra.drill.model import DrillReport
from payinfra.drill.report_store import Past, Trend, kind_of, trends
from payinfra.report.documents import document
from payinfra.report.drill import content
from payinfra.report.formats import Format
from payinfra.report.printable import visible
from payinfra.report.results import table, write, write_json

LISTED = 5
"""How many of the latest recovery times a trend names; the bars show all."""

_BARS = "▁▂▃▄▅▆▇█"


def write_history(console: Console, found: Past, fmt: Format) -> None:
    """The drills, oldest first, so that the latest stands where a terminal does; then the trends."""
    if fmt is Format.JSON:
        write_json(console, _json(found))
        return
    if found.drills:
        drawn = table(
            ("drill", "scenario", "verdicts", "RTO", "predicted", "lost"),
            [_row(report) for report in found.drills],
        )
        # An id is copied into the next command: it is never folded.
        drawn.columns[0].no_wrap = True
        write(console, drawn, Text("Verdicts: resilience, restoration.", style="dim"))
    for trend in trends(found.drills):
        write(console, Text(visible(told(trend))))
    for skipped in found.skipped:
        write(console, Text(visible(f"{skipped.id}: not read, {skipped.reason}"), style="yellow"))


def told(trend: Trend) -> str:
    """A trend in one line: the recovery times as bars, and how the latest differs from what is usual."""
    values = ", ".join(f"{value:.1f}" for value in trend.measured_s[-LISTED:])
    latest = f"RTO of {trend.kind}: {sparkline(trend.measured_s)} {values} s"
    beside = f"predicted {content.seconds(trend.predicted_s)}"
    if trend.usual_s is None:
        return f"{latest} ({beside}; the first of its kind)"
    change = trend.latest_s - trend.usual_s
    before = len(trend.measured_s) - 1
    usual = f"{change:+.1f} s against {f'the median of {before}' if before > 1 else 'the one'} before"
    return f"{latest} ({beside}; {usual})"


def summary(report: DrillReport) -> str:
    """A drill in one line."""
    rto = ""
    if content.recovers(report):
        time = report.recovery
        served = "never" if time.measured_s is None else content.seconds(time.measured_s)
        rto = f", RTO {served} (predicted {content.seconds(time.predicted_s)})"
    when = f"{report.began:%Y-%m-%d %H:%M} UTC"
    return f"{when}, {kind_of(report)}: {content.headline(report)}{rto}"


def entry(report: DrillReport) -> dict[str, object]:
    """A drill in short, for scripts. Times of recovery are in seconds."""
    return {
        "id": report.id,
        "began": report.began.isoformat(),
        "scenarios": list(report.scenarios),
        "reverse": report.reverse,
        "time_scale": report.time_scale,
        "passed": report.passed,
        "resilience": report.resilience.value,
        "restored": report.restored.value,
        "measured_s": report.recovery.measured_s,
        "predicted_s": report.recovery.predicted_s,
        "objective_s": report.recovery.objective_s,
    }


def _row(report: DrillReport) -> tuple[str, ...]:
    asked = content.recovers(report)
    return (
        visible(report.id),
        visible(kind_of(report)),
        f"{report.resilience.value}, {report.restored.value}",
        content.maybe(report.recovery.measured_s),
        content.seconds(report.recovery.predicted_s) if asked else content.NOTHING,
        content.lost(report),
    )


def _json(found: Past) -> dict[str, object]:
    fields: dict[str, object] = {
        "drills": [entry(report) for report in found.drills],
        "trends": [
            {
                "kind": trend.kind,
                "measured_s": list(trend.measured_s),
                "latest_s": trend.latest_s,
                "usual_s": trend.usual_s,
                "predicted_s": trend.predicted_s,
            }
            for trend in trends(found.drills)
        ],
        "skipped": [{"id": skipped.id, "reason": skipped.reason} for skipped in found.skipped],
    }
    return document("drills", fields)


def sparkline(values: Sequence[float], most: float | None = None) -> str:
    """A bar for each value, the whole height standing for `most`, by default the greatest of them.

    Nothing is a blank, and whatever is more than nothing can be seen.
    """
    top = max(values, default=0) if most is None else most
    return "".join(_bar(value, top) for value in values)


def _bar(value: float, top: float) -> str:
    if value <= 0 or top <= 0:
        return " "
    return _BARS[min(int(value / top * len(_BARS)), len(_BARS) - 1)]

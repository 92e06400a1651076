"""What every report of a drill for people says, in words and figures, before anything lays it out."""

from dataclasses import dataclass
from math import floor

from payinfra.drill.faults.journal import restore_command
from payinfra.drill.faults.registry import switches_names
from payinfra.drill.model import (
    DrillReport,
    Judgement,
    Latency,
    Mark,
    PaymentOutcome,
    PhaseTiming,
    RecoveryTime,
)
from payinfra.drill.report_store import kind_of

Numbered = tuple[int, Mark]
NOTHING = "-"
"""Stands where there is no value."""

_OUTCOMES = {
    PaymentOutcome.RECORDED: "recorded once, identical in both regions",
    PaymentOutcome.DELAYED: "recorded, but late in one region",
    PaymentOutcome.LOST: "lost: acknowledged, and in no region",
    PaymentOutcome.DUPLICATED: "duplicated: more than once in a region",
    PaymentOutcome.DIVERGED: "diverged: not the same in both regions",
    PaymentOutcome.UNACKNOWLEDGED: "never acknowledged",
}


@dataclass(frozen=True)
class Section:
    """A heading, a table below it, and sentences below that; each of the last two may be empty.

    Attributes:
        figures: the columns, by number, that hold figures and are set flush right.
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    sentences: tuple[str, ...] = ()
    figures: frozenset[int] = frozenset()


def headline(report: DrillReport) -> str:
    """Both verdicts on one line."""
    return f"resilience {report.resilience.value}, restoration {report.restored.value}"


def why(report: DrillReport) -> tuple[str, ...]:
    """Why a verdict is FAIL, a sentence each; why it was broken off comes first."""
    broken_off = (f"Broken off: {report.aborted}",) if report.aborted else ()
    return (*broken_off, *(reason for reason in report.reasons if reason != report.aborted))


def next_steps(report: DrillReport) -> tuple[tuple[str, str], ...]:
    """Commands that a person may want to try next, each with what it does."""
    where = f"--env {report.env}{' --local' if report.target == 'local' else ''}"
    if report.restored is Judgement.FAILED:
        return (
            (restore_command(report.env, report.target), "put back what is left of the drill"),
            (f"payinfra verify {where}", "then see that everything works"),
        )
    return (
        (f"payinfra drills show {report.id} {where} --format html --out drill.html", "the timeline, drawn"),
        (report.command, "the same drill again"),
    )


def sections(report: DrillReport) -> tuple[Section, ...]:
    """Everything but what happened moment by moment."""
    return (
        about(report),
        recovery(report),
        phases(report),
        payments(report),
        load(report),
        latencies(report),
        restoration(report),
    )


def numbered(report: DrillReport) -> tuple[tuple[Numbered, ...], tuple[Numbered, ...]]:
    """What happened, and what the name servers said: in the order of time, numbered through."""
    marks, answers = (sorted(some, key=lambda mark: mark.at_s) for some in (report.marks, report.answers))
    return tuple(enumerate(marks, 1)), tuple(enumerate(answers, len(marks) + 1))


def moments(report: DrillReport) -> tuple[Section, ...]:
    """What happened when, with the numbers by which a drawing names each."""
    marks, answers = numbered(report)
    return (
        _moments("What happened", "what", marks),
        _moments("What the name servers said", "answer", answers),
    )


# -- the parts ---------------------------------------------------------------------------------------------


def about(report: DrillReport) -> Section:
    """What was drilled, where and when."""
    scaled = f"{report.time_scale:g} times faster than real; every figure is in real seconds"
    return Section(
        "The drill",
        ("", ""),
        (
            ("drill", report.id),
            ("environment", f"{report.env} on {report.target}"),
            ("scenario", kind_of(report)),
            ("region made to fail", report.lost_region),
            ("region to serve", report.took_over),
            ("began", f"{report.began:%Y-%m-%d %H:%M:%S} UTC"),
            ("took", seconds(report.seconds)),
            ("time ran", "at its real speed (time scale 1)" if report.time_scale == 1 else scaled),
            ("command", report.command),
        ),
    )


def moves(report: DrillReport) -> bool:
    """Whether the drill makes the name's clients move to the other region, so that a recovery time exists."""
    return not report.reverse and switches_names(report.scenarios)


def recovery(report: DrillReport) -> Section:
    """Recovery time and lost payments beside what is predicted and allowed."""
    time, found, asked = report.recovery, report.reckoning, moves(report)
    return Section(
        "Recovery",
        ("", "measured", "predicted", "objective", ""),
        (
            (
                "time until the other region served (RTO)",
                maybe(time.measured_s),
                seconds(time.predicted_s) if asked else NOTHING,
                seconds(time.objective_s) if asked else NOTHING,
                _kept(time) if asked else "nobody has to move in this drill",
            ),
            (
                "acknowledged payments lost (RPO)",
                lost(report),
                "0",
                str(report.rpo),
                "not known" if found is None else _met(found.count(PaymentOutcome.LOST) <= report.rpo),
            ),
        ),
        figures=frozenset({1, 2, 3}),
    )


def phases(report: DrillReport) -> Section:
    """Each phase beside its prediction."""
    return Section(
        "Phases",
        ("phase", "began at", "took", "predicted", "difference", ""),
        tuple(_phase(timing) for timing in report.phases),
        figures=frozenset({1, 2, 3, 4}),
    )


def payments(report: DrillReport) -> Section:
    """What became of the payments."""
    found = report.reckoning
    if found is None:
        return Section("Payments", sentences=("They were not read back: what became of them is not known.",))
    rows = [
        ("sent", str(found.sent)),
        ("acknowledged", str(found.acknowledged)),
        *((words, str(found.count(outcome))) for outcome, words in _OUTCOMES.items()),
        ("sent once more after they were acknowledged", str(found.resent)),
        ("removed afterwards", str(found.removed)),
        ("that could not be removed", str(len(found.not_removed))),
    ]
    sentences = []
    if found.examples:
        sentences.append(f"Look at: {', '.join(found.examples)}.")
    if found.not_removed:
        sentences.append(f"Still in the table: {', '.join(found.not_removed)}.")
    return Section("Payments", ("", ""), tuple(rows), tuple(sentences), frozenset({1}))


def load(report: DrillReport) -> Section:
    """Availability and the rest of the load's figures."""
    figures = report.load
    return Section(
        "Availability",
        ("", ""),
        (
            ("payments acknowledged at the first attempt, fault to restoration", share(figures.availability)),
            ("longest time in which nothing was acknowledged", seconds(figures.longest_gap_s)),
            ("payments begun", f"{figures.rate:.2f} a second"),
            ("attempts", str(figures.attempts)),
        ),
        figures=frozenset({1}),
    )


def latencies(report: DrillReport) -> Section:
    """Latency before, during and after."""
    times = (
        ("before the fault", report.load.before),
        ("while it was in place", report.load.during),
        ("after it was gone", report.load.after),
    )
    return Section(
        "Latency of acknowledged attempts",
        ("", "attempts", "p50", "p95", "p99", "worst"),
        tuple((when, *_latency(latency)) for when, latency in times),
        figures=frozenset({1, 2, 3, 4, 5}),
    )


def restoration(report: DrillReport) -> Section:
    """What was put back, and what was not."""
    state = report.restoration
    rows = (
        *(("put back", what) for what in state.undone),
        *(("LEFT", what) for what in state.left),
        ("watchdog", state.watchdog or "none: nothing outside of this process would have lifted the fault"),
    )
    return Section("Restoration", ("", ""), rows)


def _kept(time: RecoveryTime) -> str:
    if time.measured_s is None:
        return "never"
    return _met(time.measured_s <= time.objective_s)


def _met(kept: bool) -> str:
    return "met" if kept else "MISSED"


def _phase(timing: PhaseTiming) -> tuple[str, ...]:
    predicted = timing.predicted_s
    return (
        timing.phase.value,
        seconds(timing.began_s),
        seconds(timing.seconds),
        maybe(predicted),
        NOTHING if predicted is None else f"{timing.seconds - predicted:+.1f} s",
        timing.detail,
    )


def _latency(latency: Latency | None) -> tuple[str, ...]:
    if latency is None:
        return ("0", NOTHING, NOTHING, NOTHING, NOTHING)
    times = (latency.p50, latency.p95, latency.p99, latency.worst)
    return (str(latency.count), *(milliseconds(time) for time in times))


def _moments(title: str, column: str, marks: tuple[Numbered, ...]) -> Section:
    return Section(
        title,
        ("", "at", column),
        tuple((str(number), seconds(mark.at_s), mark.what) for number, mark in marks),
        () if marks else ("Nothing was recorded.",),
        frozenset({0, 1}),
    )


# -- figures -----------------------------------------------------------------------------------------------


def seconds(value: float) -> str:
    """A time in seconds."""
    return f"{value:.1f} s"


def lost(report: DrillReport) -> str:
    """How many acknowledged payments were lost, or that nobody knows."""
    return "unknown" if report.reckoning is None else str(report.reckoning.count(PaymentOutcome.LOST))


def maybe(value: float | None) -> str:
    """A time in seconds, or a dash where there is none."""
    return NOTHING if value is None else seconds(value)


def milliseconds(value_s: float) -> str:
    """A latency."""
    return f"{value_s * 1000:.0f} ms"


def share(value: float) -> str:
    """A share of 1 in per cent, never rounded up to a whole that it is not."""
    return f"{floor(round(value * 10_000, 6)) / 100:.2f} %"

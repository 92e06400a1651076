"""What every report of a drill for people says, in words and figures, before anything lays it out."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import floor

from payinfra.drill.faults.journal import restore_command
from payinfra.drill.faults.registry import switches_names
from payinfra.drill.model import (
    DrillReport,
    FaultEvidence,
    Judgement,
    Latency,
    Mark,
    Objective,
    PaymentOutcome,
    PhaseTiming,
    Reconciliation,
    RecoveryTime,
    SurvivorReading,
)
from payinfra.drill.report_store import kind_of
from payinfra.drill.verdict import figure

Numbered = tuple[int, Mark]
NOTHING = "-"
"""Stands where there is no value."""

_OUTCOMES = {
    PaymentOutcome.RECORDED: "recorded once, identical in both regions",
    PaymentOutcome.DELAYED: "recorded, but came to one region late, or back with it",
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
    """Why a verdict is not PASS, a sentence each; why the drill was aborted comes first."""
    aborted = (f"Aborted: {report.aborted}",) if report.aborted else ()
    sentences = (*report.reasons, *(doubt.what for doubt in report.doubts))
    return (*aborted, *(one for one in dict.fromkeys(sentences) if one != report.aborted))


def overview(report: DrillReport) -> tuple[Section, ...]:
    """All that matters, on one screen: what was asked, what happened, what it means, what to do."""
    asked = [f"{kind_of(report)}: {report.lost_region} is made to fail, {report.took_over} is to serve."]
    asked += (_limit(one) for one in report.objectives if one.objective is not None)
    return (
        Section("What was asked", sentences=tuple(asked)),
        Section("What happened", sentences=tuple(_happened(report))),
        Section("What it means", sentences=(f"{headline(report)}.", *why(report))),
        Section("What to do", sentences=tuple(_to_do(report))),
    )


def _limit(objective: Objective) -> str:
    bound = "at least" if objective.at_least else "at most"
    return f"{objective.name}: {bound} {figure(objective.objective, objective.unit)}"


def _happened(report: DrillReport) -> Iterator[str]:
    time, found, survivor = report.recovery, report.reconciliation, report.survivor
    for one in report.evidence:
        yield _effect(one)
    if time.clients:
        what = "served again" if time.is_recovery else "moved, while the region kept serving"
        yield (
            f"{time.recovered} of {time.clients} clients were {what}: half of them after "
            f"{maybe(time.p50_s)}, 95 % after {maybe(time.p95_s)}."
        )
    if survivor is not None:
        yield (
            f"At the failover {survivor.region} alone lacked {survivor.missing} of {survivor.acknowledged} "
            f"acknowledged payments{_oldest(survivor)}."
        )
    if found is None:
        yield "What became of the payments is not known."
    else:
        back = found.count(PaymentOutcome.DELAYED)
        yield (
            f"{found.acknowledged} of {found.sent} payments acknowledged; {back} came back with the region; "
            f"{found.count(PaymentOutcome.LOST)} lost for good."
        )


def _oldest(survivor: SurvivorReading) -> str:
    return f", the oldest of them {seconds(survivor.oldest_s)} old" if survivor.missing else ""


def _effect(one: FaultEvidence) -> str:
    if one.took_effect_s is None:
        return f"{one.fault} was never seen to be in effect."
    until = "until it was lifted" if one.ended_s is None else f"until {seconds(one.ended_s)}, too early"
    return f"{one.fault} was in effect from {seconds(one.took_effect_s)} {until} ({one.sign})."


def _to_do(report: DrillReport) -> Iterator[str]:
    steps = tuple(dict.fromkeys(doubt.next_step for doubt in report.doubts if doubt.next_step))
    yield from steps
    if report.reasons:
        yield "Mend what failed, see with `payinfra verify` that everything works, then drill again."
    if report.passed:
        yield "Nothing: what was asked was met, and everything is as it was."


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
        objectives(report),
        recovery(report),
        evidence(report),
        alarms(report),
        phases(report),
        payments(report),
        load(report),
        latencies(report),
        machine(report),
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


def recovers(report: DrillReport) -> bool:
    """Whether clients had to recover, so that a recovery time exists."""
    if report.recovery.clients:
        return report.recovery.is_recovery
    # Reports of version 1 knew one client, and called each switch a recovery.
    return not report.reverse and switches_names(report.scenarios)


def objectives(report: DrillReport) -> Section:
    """What was asked beside what was measured."""
    return Section(
        "Objectives",
        ("", "measured", "objective", ""),
        tuple(
            (
                one.name,
                figure(one.measured, one.unit),
                _limit(one).rpartition(": ")[2] if one.objective is not None else NOTHING,
                "not judged" if one.met is None else _met(one.met),
            )
            for one in report.objectives
        ),
        () if report.objectives else ("None was measured.",),
        frozenset({1, 2}),
    )


def recovery(report: DrillReport) -> Section:
    """Recovery times beside what is predicted and allowed, and what the survivor lacked."""
    time, survivor = report.recovery, report.survivor
    asked = recovers(report)
    rows = [
        (
            "time until the other region served the last client (RTO)",
            maybe(time.measured_s),
            seconds(time.predicted_s) if asked else NOTHING,
            seconds(time.objective_s) if asked else NOTHING,
            _kept(time) if asked else "nobody has to recover in this drill",
        ),
        ("acknowledged payments lost for good", lost(report), "0", str(report.rpo), _lost_met(report)),
    ]
    sentences = []
    if time.clients:
        sentences.append(
            f"Clients that ask for the name: {time.recovered} of {time.clients} "
            f"{'recovered' if time.is_recovery else 'moved'}, half of them within {maybe(time.p50_s)}, 95 % "
            f"within {maybe(time.p95_s)}. Clients that keep their connection: {time.kept_recovered} of "
            f"{time.kept_connections}."
        )
    if survivor is not None:
        sentences.append(
            f"Acknowledged and not in {survivor.region} at the failover: {survivor.missing} of "
            f"{survivor.acknowledged}{_oldest(survivor)}."
        )
    return Section(
        "Recovery",
        ("", "measured", "predicted", "objective", ""),
        tuple(rows),
        tuple(sentences),
        frozenset({1, 2, 3}),
    )


def evidence(report: DrillReport) -> Section:
    """What showed that each fault was in effect."""
    return Section(
        "Evidence of the fault",
        sentences=tuple(_effect(one) for one in report.evidence) or ("None was looked for.",),
    )


def alarms(report: DrillReport) -> Section:
    """What each alarm did that had to ring, or rang."""
    return Section(
        "Alarms",
        ("alarm", "region", "", "rang at", "at the latest"),
        tuple(
            (one.name, one.region, one.expectation.value, maybe(one.rang_s), maybe(one.within_s))
            for one in report.alarms
        ),
        () if report.alarms else ("None had to ring, and none rang.",),
        frozenset({3, 4}),
    )


def machine(report: DrillReport) -> Section:
    """How busy the machine was."""
    load = report.machine
    if load is None:
        return Section("The machine", sentences=("It was not measured.",))
    rows = [
        ("payments begun late, 95th percentile", milliseconds(load.lag_p95_s)),
        ("payments begun late, at worst", milliseconds(load.lag_worst_s)),
    ]
    if load.waiting_share is not None:
        rows.append(("time in which a process waited for a processor", share(load.waiting_share)))
    if load.answer_p95_s is not None:
        rows.append(
            ("answer of the embedded AWS's control port, 95th percentile", milliseconds(load.answer_p95_s))
        )
    return Section("The machine", ("", ""), tuple(rows), figures=frozenset({1}))


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
    found = report.reconciliation
    if found is None:
        return Section("Payments", sentences=("They were not read back: what became of them is not known.",))
    rows = [
        ("sent", str(found.sent)),
        ("acknowledged", str(found.acknowledged)),
        *((words, str(found.count(outcome))) for outcome, words in _OUTCOMES.items()),
        ("sent once more after they were acknowledged", str(found.resent)),
        ("accepted as new more than once", str(found.accepted_twice)),
        *_audit(found),
        ("removed afterwards", str(found.removed)),
        ("that could not be removed", str(len(found.not_removed))),
    ]
    sentences = []
    if found.examples:
        sentences.append(f"Look at: {', '.join(found.examples)}.")
    if found.not_removed:
        sentences.append(f"Still in the table: {', '.join(found.not_removed)}.")
    return Section("Payments", ("", ""), tuple(rows), tuple(sentences), frozenset({1}))


def _audit(found: Reconciliation) -> Iterator[tuple[str, str]]:
    audit = found.audit
    if audit is not None:
        yield "audit objects in both regions", f"{audit.in_both} of {audit.expected}"
        yield "audit objects in one region only", str(audit.in_one)
        yield "acknowledged without an audit object", str(audit.missing)
        yield "audit objects removed afterwards", str(audit.removed)


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
    return (
        "unknown" if report.reconciliation is None else str(report.reconciliation.count(PaymentOutcome.LOST))
    )


def _lost_met(report: DrillReport) -> str:
    found = report.reconciliation
    return "not known" if found is None else _met(found.count(PaymentOutcome.LOST) <= report.rpo)


def maybe(value: float | None) -> str:
    """A time in seconds, or a dash where there is none."""
    return NOTHING if value is None else seconds(value)


def milliseconds(value_s: float) -> str:
    """A latency."""
    return f"{value_s * 1000:.0f} ms"


def share(value: float) -> str:
    """A share of 1 in per cent, never rounded up to a whole that it is not."""
    return f"{floor(round(value * 10_000, 6)) / 100:.2f} %"

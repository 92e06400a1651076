"""A drill's report as JUnit XML: a test case for each promise, and one for each phase with its time.

A promise that nobody could judge is an `error`; one that the scenario does not put to the test is `skipped`.
"""

from xml.etree.ElementTree import Element, SubElement

from payinfra.drill.model import DrillReport, Judgement, PaymentOutcome
from payinfra.drill.report_store import kind_of
from payinfra.report import junit
from payinfra.report.drill import content
from payinfra.report.printable import visible

_NEVER = {
    PaymentOutcome.LOST: "no more acknowledged payments are lost than allowed",
    PaymentOutcome.DUPLICATED: "no payment is there twice",
    PaymentOutcome.DIVERGED: "both regions have the same payments",
}


def render(report: DrillReport) -> str:
    """The report as one XML document."""
    kind = kind_of(report)
    suite = junit.suite(f"payinfra failover-drill {kind}")
    suite.set("timestamp", report.began.isoformat(timespec="seconds"))
    suite.set("time", f"{report.seconds:.3f}")
    _verdict(suite, kind, "resilience", report.resilience, content.why(report))
    _verdict(suite, kind, "restoration", report.restored, report.restoration.left or content.why(report))
    _recovery(suite, kind, report)
    _payments(suite, kind, report)
    for timing in report.phases:
        phase = junit.case(suite, f"{kind}, phases", timing.phase.value)
        phase.set("time", f"{timing.seconds:.3f}")
    SubElement(suite, "system-out").text = "\n".join(
        visible(f"{mark.at_s:8.1f} s  {mark.what}")
        for mark in sorted((*report.marks, *report.answers), key=lambda mark: mark.at_s)
    )
    return junit.document(suite)


def _verdict(suite: Element, kind: str, name: str, verdict: Judgement, why: tuple[str, ...]) -> None:
    case = junit.case(suite, kind, name)
    if verdict is Judgement.FAILED:
        _say(SubElement(case, "failure", type=verdict.value), why)
    elif verdict is Judgement.INCONCLUSIVE:
        _say(SubElement(case, "error", type=verdict.value), why)


def _recovery(suite: Element, kind: str, report: DrillReport) -> None:
    time = report.recovery
    case = junit.case(suite, kind, f"the other region serves within {time.objective_s:.1f} s")
    if not content.recovers(report):
        SubElement(case, "skipped", message="nobody has to recover in this drill")
        return
    if time.measured_s is None:
        _say(SubElement(case, "failure", type="RTO"), ("it never did",))
        return
    case.set("time", f"{time.measured_s:.3f}")
    if time.measured_s > time.objective_s:
        _say(SubElement(case, "failure", type="RTO"), (f"it took {time.measured_s:.1f} s",))


def _payments(suite: Element, kind: str, report: DrillReport) -> None:
    for fate, promise in _NEVER.items():
        case = junit.case(suite, kind, promise)
        if report.reconciliation is None:
            SubElement(case, "error", message="the payments were not read back")
            continue
        count = report.reconciliation.count(fate)
        if count > (report.rpo if fate is PaymentOutcome.LOST else 0):
            _say(SubElement(case, "failure", type=fate.value), (f"{count}", *report.reconciliation.examples))


def _say(told: Element, sentences: tuple[str, ...]) -> None:
    told.set("message", visible(" ".join(sentences)))
    told.text = "\n".join(visible(sentence) for sentence in sentences)

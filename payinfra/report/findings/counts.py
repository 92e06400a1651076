"""The closing lines of every report for people: what was looked at, and what was not."""

from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Kind


def counted(outcome: Outcome) -> tuple[str, ...]:
    """Sentences, without styling."""
    summary = outcome.summary
    numbers = {kind: summary.counts.get(kind, 0) for kind in Kind}
    over = f" over {_several(summary.resources, 'resource')}" if summary.resources else ""
    lines = [
        f"{_several(summary.checks, 'check')}{over}: {summary.evaluated} evaluated,"
        f" {numbers[Kind.PASS]} passed, {numbers[Kind.FAIL]} failed, {numbers[Kind.WARN]} warned,"
        f" {numbers[Kind.UNKNOWN]} unknown, {numbers[Kind.ERROR]} in error, {summary.waived} waived,"
        f" {numbers[Kind.NOT_APPLICABLE]} not applicable."
    ]
    if summary.ignored:
        lines.append(f"Ignored on request: {', '.join(summary.ignored)}.")
    lines += [f"Not run: {one.id} {one.reason}." for one in summary.skipped]
    lines += [f"Note: {note}." for note in outcome.notes]
    return tuple(lines)


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

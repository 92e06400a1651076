"""The closing lines of every report for people: what was judged, and what was not."""

from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Kind

_WORDS = {
    Kind.PASS: "passed",
    Kind.FAIL: "failed",
    Kind.WARN: "warned",
    Kind.UNKNOWN: "unknown",
    Kind.ERROR: "in error",
    Kind.NOT_APPLICABLE: "not applicable",
}


def counted(outcome: Outcome) -> tuple[str, ...]:
    """Sentences, without styling: the counts first, then what did not run, and notes."""
    summary = outcome.summary
    over = f" over {several(summary.resources, 'resource')}" if summary.resources else ""
    numbers = [
        f"{number} {word}"
        for kind, word in _WORDS.items()
        if (number := summary.counts.get(kind, 0)) or kind is Kind.PASS
    ]
    if summary.waived:
        numbers.insert(
            -1 if summary.counts.get(Kind.NOT_APPLICABLE, 0) else len(numbers), f"{summary.waived} waived"
        )
    lines = [f"{several(summary.checks, 'check')}{over}: {', '.join(numbers)}."]
    if summary.ignored:
        lines.append(f"Ignored on request: {', '.join(summary.ignored)}.")
    for reason in dict.fromkeys(one.reason for one in summary.skipped):
        which = ", ".join(one.id for one in summary.skipped if one.reason == reason)
        lines.append(f"Not run: {which} {reason}.")
    lines += [f"Note: {note}." for note in outcome.notes]
    return tuple(lines)


def several(number: int, what: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

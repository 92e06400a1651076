"""What is asked of the probes, and what they come to: nothing here imports what a probe needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from payinfra.checks.outcome import Finding, Outcome, RuleResult, summarize, worst_first
from payinfra.checks.verdicts import Kind, Rule, Verdict

TOOL = "verify"
_QUIET = frozenset({Kind.PASS, Kind.NOT_APPLICABLE})


@dataclass(frozen=True)
class ProbeResult:
    """What one probe said of one region, or of the pair.

    Attributes:
        where: the region; both, with a comma, for the pair.
        seconds: wall time from its start.
    """

    rule: Rule
    where: str
    verdicts: tuple[Verdict, ...]
    seconds: float


Tell = Callable[[ProbeResult], None]


def tell_nobody(_result: ProbeResult) -> None:
    """A `Tell` for callers that watch nothing."""


@dataclass(frozen=True)
class VerifyRequest:
    """What to probe.

    Attributes:
        only, skip: ids, or globs of them.
        deadline_s: shortens every probe's own deadline; None leaves them.
        project: the folder of payinfra.toml, whose own probes run as well; None for payinfra's only.
        regions: look at these regions only; none for the whole environment.
        gone: regions that are known to answer nothing, and are asked nothing.
    """

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    deadline_s: float | None = None
    tell: Tell = tell_nobody
    regions: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    project: Path | None = field(default=None, compare=False)


def outcome(results: Sequence[ProbeResult], ignored: tuple[str, ...] = ()) -> Outcome:
    """The results as every reporter and the gate read them."""
    by_rule: dict[str, list[ProbeResult]] = {}
    for result in results:
        by_rule.setdefault(result.rule.id, []).append(result)
    rules = tuple(_rule_result(group) for group in by_rule.values())
    findings = worst_first(
        _finding(result, verdict)
        for result in results
        for verdict in result.verdicts
        if verdict.kind not in _QUIET
    )
    return Outcome(TOOL, findings, (), rules, summarize(rules, ignored=ignored))


def joined(first: Outcome, second: Outcome) -> Outcome:
    """Two outcomes as one."""
    rules = first.rules + second.rules
    findings = worst_first(first.findings + second.findings)
    return Outcome(TOOL, findings, (), rules, summarize(rules, ignored=first.summary.ignored))


def _rule_result(group: Sequence[ProbeResult]) -> RuleResult:
    counts: dict[Kind, int] = {}
    said: list[str] = []
    for result in group:
        for verdict in result.verdicts:
            counts[verdict.kind] = counts.get(verdict.kind, 0) + 1
            if verdict.kind in _QUIET and verdict.message:
                said.append(f"{result.where}: {verdict.message}")
    return RuleResult(group[0].rule, counts, "; ".join(said))


def _finding(result: ProbeResult, verdict: Verdict) -> Finding:
    rule = result.rule
    return Finding(
        id=rule.id,
        verdict=verdict.kind,
        severity=rule.severity,
        title=rule.title,
        address=verdict.address or result.where,
        message=verdict.message,
        fix=verdict.remedy or rule.fix,
        risk=rule.risk,
    )

"""Verifying while a region is gone: what is not looked at, said once, and advice that fits an outage.

A region that answers nothing would make each of its probes wait for its deadline, and each say the same. It
is one finding. Its probes, and those that need both regions, come to UNKNOWN: what was not looked at never
passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from payinfra.checks.outcome import Finding, Outcome, SkippedCheck, Stopped, summarize, worst_first
from payinfra.checks.probes.model import PairProbe, RegionProbe
from payinfra.checks.probes.results import ProbeResult, outcome
from payinfra.checks.probes.runner import Task
from payinfra.checks.verdicts import Rule, Severity, Verdict

ANSWERS = Rule(
    id="LIVE-REG-001",
    title="The region answers",
    severity=Severity.CRITICAL,
    risk="Nothing in it can serve, be seen or be changed; clients depend on the other region alone.",
    fix="See where the names lead and what to do next: `payinfra status`. Deploying again does not help: a "
    "deployment needs both regions.",
)
DEADLINE_S = 9.0
"""The longest that a probe may take during an outage: nobody waits for what should become right by itself."""
_REDEPLOY = "Deploy again"


@dataclass(frozen=True)
class ProbedRegions:
    """What is looked at.

    Attributes:
        regions: the environment's.
        wanted: those that were asked for.
        silent: those of the environment's that answer nothing.
    """

    regions: tuple[str, ...]
    wanted: tuple[str, ...]
    silent: tuple[str, ...] = ()

    @property
    def is_outage(self) -> bool:
        """Whether a region is gone."""
        return bool(self.silent)

    def is_asked_for(self, task: Task) -> bool:
        """Whether a task looks at nothing but regions that were asked for."""
        return _needed(task, self.regions) <= set(self.wanted)

    def is_possible(self, task: Task) -> bool:
        """Whether all regions answer that a task needs."""
        return not _needed(task, self.regions) & set(self.silent)

    def deadline_s(self, asked: float | None) -> float | None:
        """The longest that a probe may take, in seconds; None for each probe's own deadline."""
        whole = self.wanted == self.regions
        if asked is not None or (whole and not self.is_outage):
            return asked
        return DEADLINE_S


def _needed(task: Task, regions: Sequence[str]) -> set[str]:
    """The regions that must answer for a task to judge anything."""
    if task.site is None or isinstance(task.probe, PairProbe):
        return set(regions)
    needs_peer = isinstance(task.probe, RegionProbe) and task.probe.needs_peer
    return {task.site.region, task.site.peer.region} if needs_peer else {task.site.region}


def concluded(
    results: Sequence[ProbeResult],
    ignored: tuple[str, ...],
    scope: ProbedRegions,
    all_tasks: Sequence[Task],
) -> Outcome:
    """What a run came to, with what it could not look at.

    Args:
        results: of the tasks that were possible.
        all_tasks: every task of the chosen probes, whether or not it was asked for or possible.
    """
    wanted = [task for task in all_tasks if scope.is_asked_for(task)]
    impossible = [task for task in wanted if not scope.is_possible(task)]
    gone = [one for one in scope.silent if one in scope.wanted]
    why = f"not looked at: {' and '.join(scope.silent)} does not answer"
    unlooked = [ProbeResult(one.probe.rule, one.where, (Verdict.unknown(why),), 0.0) for one in impossible]
    said = [ProbeResult(ANSWERS, region, (Verdict.error(_gone(region, impossible)),), 0.0) for region in gone]
    whole = outcome((*said, *results, *unlooked), ignored)
    stopped = tuple(Stopped(one.rule.id, one.where) for one in unlooked)
    kept = [
        one for one in whole.findings if Stopped(one.id, one.address) not in stopped or one.message != why
    ]
    findings = [
        replace(one, stopped=stopped)
        if one.id == ANSWERS.id and one.address == gone[0]
        else _fitting(one, scope)
        for one in kept
    ]
    return replace(
        whole,
        findings=worst_first(findings),
        notes=_notes(scope),
        summary=summarize(
            whole.rules,
            ignored=ignored,
            skipped=_skipped(scope, all_tasks),
            stopped=len(whole.findings) - len(findings),
        ),
    )


def _gone(region: str, impossible: Sequence[Task]) -> str:
    own = sum(1 for task in impossible if task.where == region)
    both = sum(1 for task in impossible if task.site is None or task.where != region)
    more = f", nor could {both} that need both regions" if both else ""
    return f"{region} does not answer: {own} probes of it were not looked at{more}"


def _skipped(scope: ProbedRegions, all_tasks: Sequence[Task]) -> tuple[SkippedCheck, ...]:
    """The probes of which no task was asked for, because they need both regions."""
    asked = {task.probe.rule.id for task in all_tasks if scope.is_asked_for(task)}
    left = dict.fromkeys(task.probe.rule.id for task in all_tasks if task.probe.rule.id not in asked)
    return tuple(SkippedCheck(id, "needs both regions") for id in left)


def _notes(scope: ProbedRegions) -> tuple[str, ...]:
    return tuple(
        f"{region} does not answer. That was not judged: see `payinfra status`"
        for region in scope.silent
        if region not in scope.wanted
    )


def _fitting(finding: Finding, scope: ProbedRegions) -> Finding:
    """A finding whose advice can be followed while a region is gone."""
    survivors = [region for region in scope.regions if region not in scope.silent]
    if not scope.is_outage or not survivors or not finding.fix.startswith(_REDEPLOY):
        return finding
    gone, survivor = " and ".join(scope.silent), survivors[0]
    return replace(
        finding,
        fix=f"`payinfra deploy --surviving {survivor}` puts right what stands in {survivor} without {gone}; "
        f"the rest waits for {gone}.",
    )

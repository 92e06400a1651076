"""Verifying while a region is gone, and verifying one region alone."""

from collections.abc import Sequence

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.model import ProbeContext
from payinfra.checks.probes.outage import ANSWERS, DEADLINE_S, ProbedRegions, concluded
from payinfra.checks.probes.results import ProbeResult
from payinfra.checks.probes.runner import ProbeClock, Task, tasks
from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Kind, Severity, Verdict
from payinfra.core.errors import ExitCode
from tests.unit.checks.probes.conftest import EAST, WEST, FakeEnv

BOTH = (EAST, WEST)
WHOLE, GONE = ProbedRegions(BOTH, BOTH), ProbedRegions(BOTH, BOTH, (EAST,))
BESIDE = ProbedRegions(BOTH, (WEST,), (EAST,))


def all_tasks(fake: FakeEnv) -> tuple[Task, ...]:
    live: ProbeContext = fake.live()
    return tasks(load(), live)


def done(scope: ProbedRegions, every: Sequence[Task]) -> tuple[Task, ...]:
    return tuple(task for task in every if scope.is_asked_for(task) and scope.is_possible(task))


def looked(scope: ProbedRegions, every: Sequence[Task], verdict: Verdict | None = None) -> Outcome:
    """What a run comes to in which all that is done has one verdict."""
    said = verdict or Verdict.passed()
    results = [ProbeResult(task.probe.rule, task.where, (said,), 0.1) for task in done(scope, every)]
    return concluded(results, (), scope, every)


def test_with_both_regions_there_nothing_is_left_out(fake: FakeEnv) -> None:
    every = all_tasks(fake)
    assert done(WHOLE, every) == every
    outcome = looked(WHOLE, every)
    assert (outcome.findings, outcome.notes, outcome.summary.skipped) == ((), (), ())
    assert outcome.summary.counts[Kind.PASS] == len(every)
    assert WHOLE.deadline_s(None) is None


def test_a_region_that_is_gone_is_said_once_and_never_passes(fake: FakeEnv) -> None:
    every = all_tasks(fake)
    outcome = looked(GONE, every)
    assert [(one.id, one.address, one.verdict) for one in outcome.findings] == [
        (ANSWERS.id, EAST, Kind.ERROR)
    ]
    left_out = len(every) - len(done(GONE, every))
    assert len(outcome.findings[0].stopped) == left_out > 0
    assert outcome.summary.counts[Kind.PASS] == len(done(GONE, every))
    assert outcome.exit_code(Severity.CRITICAL) is ExitCode.GATE_FAILED
    green = {one.rule.id for one in outcome.rules if one.verdict is Kind.PASS}
    assert green == set()


def test_what_is_done_then_asks_the_region_that_is_gone_nothing(fake: FakeEnv) -> None:
    for task in done(GONE, all_tasks(fake)):
        assert task.site is not None
        assert task.site.region == WEST
        fake.calls.clear()
        task.ask(fake.live(), ProbeClock(fake.time.now, fake.time.sleep))
        assert EAST not in {region for _service, _operation, region in fake.calls}, task.probe.rule.id


def test_one_region_is_looked_at_without_the_other(fake: FakeEnv) -> None:
    outcome = looked(BESIDE, all_tasks(fake))
    assert outcome.findings == ()
    assert outcome.exit_code(Severity.LOW) is ExitCode.DONE
    skipped = {one.id for one in outcome.summary.skipped}
    assert {"LIVE-DDB-006", "LIVE-S3-007", "LIVE-S3-008", "LIVE-R53-004"} <= skipped
    assert "LIVE-DDB-001" not in skipped
    assert outcome.notes == (f"{EAST} does not answer. That was not judged: see `payinfra status`",)


def test_the_region_that_is_asked_for_may_be_the_one_that_is_gone(fake: FakeEnv) -> None:
    outcome = looked(ProbedRegions(BOTH, (EAST,), (EAST,)), all_tasks(fake))
    assert [(one.id, one.address) for one in outcome.findings] == [(ANSWERS.id, EAST)]
    assert outcome.summary.counts[Kind.PASS] == 0


def test_nobody_is_told_to_deploy_again_while_that_cannot_work(fake: FakeEnv) -> None:
    every = all_tasks(fake)
    failed = looked(GONE, every, Verdict.failed("it is another one"))
    assert not [one.fix for one in failed.findings if one.fix.startswith("Deploy again")]
    assert [one.fix for one in failed.findings if f"deploy --surviving {WEST}" in one.fix]
    whole = looked(WHOLE, every, Verdict.failed("it is another one"))
    assert [one.fix for one in whole.findings if one.fix.startswith("Deploy again")]


def test_with_no_region_left_there_is_no_survivor_to_deploy_to(fake: FakeEnv) -> None:
    outcome = looked(ProbedRegions(BOTH, BOTH, BOTH), all_tasks(fake))
    assert [one.address for one in outcome.findings] == [EAST, WEST]
    assert outcome.summary.counts[Kind.UNKNOWN] == 0
    assert outcome.summary.counts[Kind.PASS] == 0


def test_during_an_outage_no_probe_waits_long() -> None:
    assert GONE.deadline_s(None) == BESIDE.deadline_s(None) == DEADLINE_S
    assert ProbedRegions(BOTH, (WEST,)).deadline_s(None) == DEADLINE_S
    assert GONE.deadline_s(2.0) == WHOLE.deadline_s(2.0) == 2.0

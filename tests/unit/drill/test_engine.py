"""A whole drill in a scripted world, in which time passes only when somebody waits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.drill.alarm_watch import AlarmWatch
from payinfra.drill.clock import Stop
from payinfra.drill.engine import Drill, DrillDependencies, DrillId, Read
from payinfra.drill.evidence import FaultObserver
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.executor import FaultFailed
from payinfra.drill.faults.health_check import InvertHealthCheck
from payinfra.drill.faults.journal import FaultJournal, Header, open_journals
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.rollback import restore
from payinfra.drill.load.counters import LoadSnapshot, SuccessStreak
from payinfra.drill.machine import MachineWatch
from payinfra.drill.model import (
    Attempt,
    DrillEvent,
    DrillReport,
    DrillRequest,
    Judgement,
    PaymentOutcome,
    Phase,
    PhaseEnded,
    Reconciliation,
    Restoration,
    Result,
    Scenario,
    Snapshot,
    SurvivorReading,
)
from payinfra.drill.observers import DnsAnswer, Poller
from payinfra.drill.prediction import Prediction
from payinfra.drill.timeline import Recorder

EAST, WEST = "us-east-1", "us-west-2"
ACTIONS: tuple[FaultAction, ...] = (InvertHealthCheck("check", original=False), Blackout(EAST))
MOVING = Prediction(
    {
        Phase.LOAD: 5.0,
        Phase.FIRST_FAILURE: 5.0,
        Phase.UNHEALTHY: 6.0,
        Phase.SWITCHED: 1.0,
        Phase.SERVING: 8.0,
        Phase.HOLD: 5.0,
        Phase.HEALTHY: 6.0,
        Phase.DNS_BACK: 1.0,
        Phase.CAUGHT_UP: 2.0,
        Phase.STEADY_AFTER: 10.0,
    },
    switches=True,
    recovers=True,
    request_timeout_s=5.0,
)
STILL = Prediction(
    {Phase.LOAD: 5.0, Phase.HOLD: 5.0, Phase.CAUGHT_UP: 2.0, Phase.STEADY_AFTER: 10.0},
    switches=False,
    recovers=False,
    request_timeout_s=5.0,
)


@dataclass
class Script:
    """What goes wrong. Seconds are from the injection, or from the restoration."""

    unhealthy_after: float = 4.0
    switched_after: float = 5.0
    served_after: float = 9.0
    back_after: float = 4.0
    do_fails: int | None = None
    done_all_the_same: bool = False
    undo_fails: int = 0
    caught_up_after: float = 1.0
    unsteady_before: tuple[str, ...] = ()
    unsteady_after: tuple[str, ...] = ()
    unsteady_for: float = 0.0
    dead_from: float = float("inf")
    errors_from: float = float("inf")
    nothing_gets_through: bool = False
    gets_through_from: float = 0.0
    west_gets_through_from: float = 0.0
    stop_at: float = float("inf")
    bug_at: float = float("inf")
    reconcile_fails: bool = False
    restore_breaks: bool = False
    blind_after: bool = False
    do_breaks: bool = False
    west_serves: bool = True
    unhealthy_from_the_start: bool = False
    west_serves_from_the_start: bool = False
    leads_to: str = EAST
    effect_after: float = 0.0
    missing: int = 0
    name_back_after: float = float("inf")
    survivor_unreadable: bool = False
    read: dict[str, float] = field(default_factory=dict)


@dataclass
class Scripted:
    """The world: it is the clock, the executor, the load and everything that is watched."""

    script: Script
    stop: Stop = field(default_factory=Stop)
    at: float = 0.0
    in_place: list[FaultAction] = field(default_factory=list)
    injected: float | None = None
    restored: float | None = None
    stopped: int = 0
    moving: bool = True

    # the clock

    def elapsed(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += max(seconds, 0.01)
        if self.at >= self.script.stop_at:
            self.stop.ask("SIGINT")

    # the executor

    def inject(self, action: FaultAction) -> None:
        if self.script.do_breaks and self.in_place:
            raise ZeroDivisionError("a bug in between")
        fails = self.script.do_fails == len(self.in_place)
        if not fails or self.script.done_all_the_same:
            self.in_place.append(action)
        if self.injected is None:
            self.injected = self.at
        if fails:
            raise FaultFailed("Nothing was done", "it was refused", "Ask for more rights.")

    def rollback(self, action: FaultAction) -> None:
        if self.script.undo_fails:
            self.script.undo_fails -= 1
            raise FaultFailed("Nothing was undone", "no answer", "Again.")
        if action in self.in_place:
            self.in_place.remove(action)
        self.restored = self.at

    # what is watched

    def _lost_for(self, delay: float) -> bool:
        if self.injected is None or self.at < self.injected + delay:
            return False
        return self.restored is None or self.at < self.restored + self.script.back_after

    def healthy(self) -> bool:
        if self.at >= self.script.bug_at:
            raise OSError("an poller is blind, which is no bug")
        if self.script.unhealthy_from_the_start:
            return False
        return not self._lost_for(self.script.unhealthy_after)

    def dns(self) -> tuple[DnsAnswer, ...]:
        region = WEST if self._lost_for(self.script.switched_after) else self.script.leads_to
        if self.injected is not None and self.at >= self.injected + self.script.name_back_after:
            region = EAST
        return (DnsAnswer("ns-1", region, (region,), 60), DnsAnswer("ns-2", region, (region,), 60))

    def steady(self) -> tuple[str, ...]:
        if self.injected is None:
            return self.script.unsteady_before
        if self.script.blind_after:
            raise EnvironmentUnusable("Nobody can tell.", "Wait.")
        if self.at < (self.restored or 0.0) + self.script.unsteady_for:
            return ("an alarm rings",)
        return self.script.unsteady_after

    def caught_up(self) -> bool:
        return self.at >= (self.restored or 0.0) + self.script.caught_up_after

    # the load

    def start(self) -> None:
        self.started = self.at

    def snapshot(self) -> LoadSnapshot:
        if self.at >= self.script.bug_at:
            raise ZeroDivisionError("a bug")
        streaks = {}
        if self.injected is None and not self.script.nothing_gets_through:
            first = self.script.gets_through_from
            streaks[EAST] = SuccessStreak(max(int((self.at - first) * 5), 0), first, self.at)
        if self.script.west_serves_from_the_start:
            streaks = {WEST: SuccessStreak(int(self.at * 5), 0.0, self.at)}
        if self._lost_for(self.script.served_after):
            first = (self.injected or 0.0) + self.script.served_after
            streaks[WEST] = SuccessStreak(int((self.at - first) * 5), first, self.at)
        acknowledged = {} if self.script.nothing_gets_through else {EAST: 1 + int(self.at * 5)}
        if self.at >= self.script.west_gets_through_from:
            acknowledged[WEST] = 1
        beat = min(self.at, self.script.dead_from)
        return LoadSnapshot(1, 0, acknowledged, 0, 0, streaks, beat)

    def error_share(self, region: str, _window_s: float) -> float | None:
        assert region == WEST
        return 0.5 if self.at >= self.script.errors_from else None

    def attempts(self) -> tuple[Attempt, ...]:
        found = [Attempt("a", 1, 1.0, 0.1, EAST, 201, Result.ACKNOWLEDGED)]
        if self.injected is not None and self.at > self.injected + 2.0:
            began = self.injected + 0.2
            found.append(Attempt("b", 1, began, 1.5, "", 0, Result.SILENT, client=1))
            found.append(Attempt("c", 1, began, 0.1, EAST, 201, Result.ACKNOWLEDGED))
        if self.injected is not None and self.script.west_serves:
            first = self.injected + (self.script.served_after if self.moving else 2.0)
            if first <= self.at and (self.restored is None or first < self.restored):
                found.append(Attempt("d", 1, first - 0.1, 0.1, WEST, 201, Result.ACKNOWLEDGED))
        return tuple(found)

    def lags(self) -> tuple[tuple[float, float], ...]:
        return ((self.at, 0.0),)

    def effect(self) -> bool:
        return self.injected is not None and self.at >= self.injected + self.script.effect_after

    def read_survivor(self, acknowledged: Mapping[str, float], _loss_s: float) -> Read:
        self.script.read = dict(acknowledged)
        if self.script.survivor_unreadable:
            raise_ = EnvironmentUnusable("No table answers.", "Wait.")

            def fail() -> SurvivorReading:
                raise raise_

            return fail
        return lambda: SurvivorReading(WEST, self.at, len(acknowledged), self.script.missing, 2.5)

    def end(self, _grace_s: float) -> None:
        self.stopped += 1

    def reconcile(self) -> Reconciliation:
        if self.script.reconcile_fails:
            raise EnvironmentUnusable("No table answers.", "Wait.")
        return Reconciliation(3, 3, {PaymentOutcome.RECORDED: 3})


@dataclass(frozen=True)
class FakeLoad:
    """The load's own names for what the world does."""

    world: Scripted

    def start(self) -> None:
        self.world.start()

    def snapshot(self) -> LoadSnapshot:
        return self.world.snapshot()

    def error_share(self, region: str, window_s: float) -> float | None:
        return self.world.error_share(region, window_s)

    def attempts(self) -> tuple[Attempt, ...]:
        return self.world.attempts()

    def lags(self) -> tuple[tuple[float, float], ...]:
        return self.world.lags()

    def stop(self, grace_s: float) -> None:
        self.world.end(grace_s)


class PolledWhenAsked(Poller[Any]):
    """An poller without a thread: it looks when somebody wants to know."""

    def start(self) -> None:
        self.poll_once()

    def stop(self) -> None:
        self.poll_once()

    def since(self, moment_s: float, wanted: Callable[[Any], bool]) -> float | None:
        self.poll_once()
        return super().since(moment_s, wanted)


@dataclass
class Run:
    """A drill that has been run."""

    world: Scripted
    journal: FaultJournal
    told: list[DrillEvent]
    report: DrillReport | None = None
    raised: Exception | None = None

    @property
    def phases(self) -> list[Phase]:
        return [event.phase for event in self.told if isinstance(event, PhaseEnded)]

    @property
    def failed(self) -> list[Phase]:
        """The phases that ended without what they were for."""
        return [event.phase for event in self.told if isinstance(event, PhaseEnded) and event.failed]


def drill(
    script: Script,
    folder: Path,
    *,
    prediction: Prediction = MOVING,
    scenario: Scenario = Scenario.REGION_OUTAGE,
    reverse: bool = False,
    machine: MachineWatch | None = None,
    bring_back: Callable[[], tuple[str, ...]] | None = None,
) -> Run:
    world = Scripted(script, moving=prediction.switches)
    header = Header("id", "demo", "local", "1" * 12, (EAST, WEST), (scenario,), datetime.now(UTC), "payinfra")
    journal = FaultJournal.begin(folder / "id", header, sync=lambda _file: None)
    told: list[DrillEvent] = []

    def put_back() -> Restoration:
        if script.restore_breaks:
            raise RuntimeError("restoring is broken")
        return restore(journal, executor, lambda _said: None)

    executor: Any = world
    run = Run(world, journal, told)
    try:
        run.report = Drill(
            identity=DrillId("id", "demo", "local", datetime.now(UTC), "payinfra failover-drill"),
            request=DrillRequest((scenario,), reverse=reverse, warm_up_s=5.0, hold_s=5.0, in_a_row=3),
            prediction=prediction,
            dependencies=DrillDependencies(
                lost=EAST,
                other=WEST,
                on_aws=machine is None,
                actions=ACTIONS,
                executor=executor,
                generator=FakeLoad(world),
                steady=world.steady,
                healthy=world.healthy,
                health_every_s=0.25,
                observers=(FaultObserver(scenario, "the sign", world.effect),),
                named_clients=(0,),
                kept_clients=(1,),
                read_survivor=world.read_survivor,
                alarms=AlarmWatch((), lambda _region, _names: (), world.elapsed),
                machine=machine or MachineWatch(world.elapsed, None, lambda: None),
                dns=world.dns,
                restore=put_back,
                caught_up=world.caught_up,
                reconcile=world.reconcile,
                bring_back=bring_back,
            ),
            journal=journal,
            clock=world,
            stop=world.stop,
            recorder=Recorder(world, told.append),
            poller=PolledWhenAsked,
        ).run()
    except Exception as raised:  # noqa: BLE001 - the test looks at what it was
        run.raised = raised
    # As whoever conducts a drill does, unless it broke.
    if not journal.read().left and (run.raised is None or isinstance(run.raised, GateFailed)):
        journal.close()
    return run


def reported(run: Run) -> DrillReport:
    assert run.raised is None
    assert run.report is not None
    return run.report


def test_a_drill_goes_through_every_phase_and_passes(tmp_path: Path) -> None:
    run = drill(Script(), tmp_path)
    report = reported(run)
    assert run.phases == [
        Phase.STEADY_BEFORE,
        Phase.LOAD,
        Phase.INJECT,
        Phase.TAKES_EFFECT,
        Phase.FIRST_FAILURE,
        Phase.UNHEALTHY,
        Phase.SWITCHED,
        Phase.SERVING,
        Phase.HOLD,
        Phase.RESTORE,
        Phase.HEALTHY,
        Phase.DNS_BACK,
        Phase.CAUGHT_UP,
        Phase.STEADY_AFTER,
        Phase.RECONCILE,
    ]
    assert (report.passed, report.reasons, run.failed) == (True, (), [])
    assert report.recovery.measured_s == pytest.approx(9.0)
    assert report.recovery.objective_s == report.recovery.predicted_s == 15.0
    assert run.world.in_place == []
    assert open_journals(tmp_path) == ()
    assert run.world.stopped


def test_each_phase_has_the_length_that_it_had(tmp_path: Path) -> None:
    timings = {timing.phase: timing for timing in reported(drill(Script(), tmp_path)).phases}
    assert timings[Phase.LOAD].seconds == pytest.approx(5.0, abs=0.3)
    assert timings[Phase.FIRST_FAILURE].seconds == pytest.approx(1.7, abs=0.3)
    assert timings[Phase.UNHEALTHY].predicted_s == 6.0
    assert timings[Phase.UNHEALTHY].began_s == timings[Phase.INJECT].began_s
    assert timings[Phase.UNHEALTHY].seconds == pytest.approx(4.0, abs=0.3)
    assert timings[Phase.SWITCHED].seconds == pytest.approx(1.0, abs=0.3)
    assert timings[Phase.SERVING].seconds == pytest.approx(4.0, abs=0.3)
    assert timings[Phase.HEALTHY].seconds == pytest.approx(4.0, abs=0.3)


def test_a_function_that_starts_cold_is_waited_for_before_anything_is_done(tmp_path: Path) -> None:
    report = reported(drill(Script(gets_through_from=12.0), tmp_path))
    assert report.passed
    timings = {timing.phase: timing for timing in report.phases}
    assert timings[Phase.LOAD].seconds == pytest.approx(12.6, abs=0.3)
    assert timings[Phase.INJECT].began_s >= 12.6


def test_a_long_row_has_the_time_that_it_takes(tmp_path: Path) -> None:
    patient = replace(MOVING, phases={**MOVING.phases, Phase.LOAD: 60.0})
    assert reported(drill(Script(gets_through_from=70.0), tmp_path, prediction=patient)).passed


def test_what_is_done_and_what_name_servers_say_is_marked_once_each(tmp_path: Path) -> None:
    run = drill(Script(), tmp_path)
    report = reported(run)
    marks = [mark.what for mark in report.marks]
    assert marks[1:3] == ["health check check is inverted", "us-east-1 answers nothing"]
    assert marks.count("Route 53 finds us-east-1 unhealthy") == 1
    assert marks.count("Route 53 finds us-east-1 healthy") == 2
    assert [answer.what for answer in report.answers] == [
        f"ns-{server}: {region} ({region}, TTL 60 s)" for region in (EAST, WEST, EAST) for server in (1, 2)
    ]
    leads_to = [event.leads_to for event in run.told if isinstance(event, Snapshot)]
    assert (leads_to[0], leads_to[-1]) == (EAST, EAST)
    assert WEST in leads_to


def test_alarms_may_ring_for_a_while_after_it(tmp_path: Path) -> None:
    assert reported(drill(Script(unsteady_for=20.0), tmp_path)).passed


def test_an_unsteady_environment_is_refused_and_nothing_is_done(tmp_path: Path) -> None:
    run = drill(Script(unsteady_before=("an alarm rings",)), tmp_path)
    assert isinstance(run.raised, GateFailed)
    assert str(run.raised).startswith("The drill is inconclusive: ")
    assert "an alarm rings" in str(run.raised)
    assert run.world.injected is None
    assert run.failed == [Phase.STEADY_BEFORE]
    assert open_journals(tmp_path) == ()


def test_a_machine_that_was_busy_is_named_where_the_environment_is_unsteady(tmp_path: Path) -> None:
    seen = iter((0, 950_000, 1_900_000))
    busy = MachineWatch(iter((0.0, 1.0, 2.0, 3.0)).__next__, None, seen.__next__)
    busy.take()
    run = drill(Script(unsteady_before=("no answer",)), tmp_path, machine=busy)
    assert isinstance(run.raised, GateFailed)
    assert "no answer. The machine was busy, and the embedded AWS runs on it" in run.raised.what
    assert "once the machine has less to do" in run.raised.hint


def test_the_machine_is_looked_at_before_the_environment_is(tmp_path: Path) -> None:
    watch = MachineWatch(lambda: 0.0, None, lambda: None)
    run = drill(Script(unsteady_before=("no answer",)), tmp_path, machine=watch)
    assert run.world.injected is None
    assert len(watch.samples) == 2  # Before it is looked at, and afterwards.


def test_of_many_faults_a_few_are_named(tmp_path: Path) -> None:
    run = drill(Script(unsteady_before=("one", "two", "three", "four", "five")), tmp_path)
    assert "one; two; three; and 2 more." in str(run.raised)


@pytest.mark.parametrize(
    ("script", "reason", "phase", "verdict"),
    [
        (
            Script(unhealthy_after=500.0),
            "Not within 42 s: health check unhealthy.",
            Phase.UNHEALTHY,
            Judgement.FAILED,
        ),
        (Script(switched_after=500.0), "Not within 32 s: DNS switched.", Phase.SWITCHED, Judgement.FAILED),
        (
            Script(served_after=500.0),
            "Not within 46 s: other region serving.",
            Phase.SERVING,
            Judgement.FAILED,
        ),
        (
            Script(west_serves=False),
            "Not within 46 s: other region serving.",
            Phase.SERVING,
            Judgement.FAILED,
        ),
        (
            Script(errors_from=5.5),
            "us-west-2 answered 50% of the last 10 s with errors",
            Phase.HOLD,
            Judgement.FAILED,
        ),
        (
            Script(dead_from=8.0),
            "The load has sent nothing for 5 s",
            Phase.SERVING,
            Judgement.INCONCLUSIVE,
        ),
        (
            Script(stop_at=7.0),
            "The drill was interrupted (SIGINT).",
            Phase.FIRST_FAILURE,
            Judgement.INCONCLUSIVE,
        ),
        (Script(stop_at=2.0), "The drill was interrupted (SIGINT).", Phase.LOAD, Judgement.INCONCLUSIVE),
        (
            Script(nothing_gets_through=True),
            "Not within 40 s: 3 payments in a row",
            Phase.LOAD,
            Judgement.INCONCLUSIVE,
        ),
        (
            Script(do_fails=0),
            "Nothing was done: it was refused. Ask for more rights.",
            Phase.INJECT,
            Judgement.INCONCLUSIVE,
        ),
        (
            Script(do_fails=1, done_all_the_same=True),
            "Nothing was done",
            Phase.INJECT,
            Judgement.INCONCLUSIVE,
        ),
        (
            Script(effect_after=500.0),
            "The fault was not seen to take effect within 30 s.",
            Phase.TAKES_EFFECT,
            Judgement.INCONCLUSIVE,
        ),
    ],
)
def test_a_drill_that_cannot_go_on_says_why_and_puts_everything_back(
    script: Script, reason: str, phase: Phase, verdict: Judgement, tmp_path: Path
) -> None:
    run = drill(script, tmp_path)
    report = reported(run)
    assert report.aborted.startswith(reason)
    assert (report.resilience, report.restored) == (verdict, Judgement.PASSED)
    assert run.phases[run.phases.index(Phase.RESTORE) - 1] is phase
    assert run.failed == [phase]
    assert run.world.in_place == []
    assert open_journals(tmp_path) == ()
    if verdict is Judgement.INCONCLUSIVE:
        assert any(doubt.next_step for doubt in report.doubts)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(leads_to=WEST), "The name did not lead to us-east-1 before anything was done"),
        (Script(unhealthy_from_the_start=True), "Route 53 did not find us-east-1 healthy"),
        (Script(west_serves_from_the_start=True), "us-east-1 did not serve the name's clients"),
    ],
)
def test_nothing_is_done_to_a_region_that_does_not_lead_and_serve(
    script: Script, says: str, tmp_path: Path
) -> None:
    run = drill(script, tmp_path)
    report = reported(run)
    assert report.aborted.startswith(says)
    assert run.world.injected is None
    assert (report.resilience, report.restored) == (Judgement.INCONCLUSIVE, Judgement.PASSED)
    assert "payinfra status" in report.doubts[0].next_step


def test_a_name_that_moves_back_while_the_fault_takes_effect_is_waited_for(tmp_path: Path) -> None:
    report = reported(drill(Script(effect_after=3.0), tmp_path))
    assert report.passed
    (evidence,) = report.evidence
    assert evidence.took_effect_s == pytest.approx(8.2, abs=0.5)


def test_what_the_survivor_lacks_at_the_failover_fails_the_drill(tmp_path: Path) -> None:
    run = drill(Script(missing=3), tmp_path)
    report = reported(run)
    assert report.resilience is Judgement.FAILED
    assert report.reasons == (
        "acknowledged and not in the survivor at the failover (RPO): 3; the objective is 0.",
    )
    # What the lost region had acknowledged before the fault, and nothing else.
    assert run.world.script.read == {"a": pytest.approx(1.1)}


def test_a_survivor_that_cannot_be_read_leaves_the_recovery_point_open(tmp_path: Path) -> None:
    report = reported(drill(Script(survivor_unreadable=True), tmp_path))
    assert report.resilience is Judgement.INCONCLUSIVE
    assert report.survivor is None
    assert any("the survivor could not be read" in mark.what for mark in report.marks)


def test_a_name_that_leaves_sooner_than_a_check_can_find_out_was_leaving_already(tmp_path: Path) -> None:
    patient = replace(MOVING, earliest_s=6.0)
    report = reported(drill(Script(), tmp_path, prediction=patient))
    assert report.resilience is Judgement.INCONCLUSIVE
    assert "was leaving already" in report.doubts[0].what


def test_a_switch_under_a_region_that_serves_is_no_recovery(tmp_path: Path) -> None:
    report = reported(drill(Script(), tmp_path, prediction=replace(MOVING, recovers=False)))
    assert report.passed
    assert (report.recovery.measured_s, report.recovery.is_recovery) == (None, False)
    assert (report.recovery.clients, report.recovery.recovered) == (1, 1)
    assert not any("RTO" in one.name for one in report.objectives)


def test_a_bug_does_not_keep_the_fault_in_place(tmp_path: Path) -> None:
    run = drill(Script(bug_at=14.0), tmp_path)
    assert isinstance(run.raised, ZeroDivisionError)
    assert run.world.in_place == []
    # The payments were not read back and removed: `--restore` does that.
    assert open_journals(tmp_path) != ()


def test_a_bug_is_raised_once_everything_is_put_back_and_counted(tmp_path: Path) -> None:
    run = drill(Script(do_breaks=True), tmp_path)
    assert isinstance(run.raised, ZeroDivisionError)
    assert run.phases[-1] is Phase.RECONCILE
    assert run.world.in_place == []


def test_what_cannot_be_undone_is_left_in_an_open_journal_that_restores(tmp_path: Path) -> None:
    run = drill(Script(undo_fails=100), tmp_path)
    report = reported(run)
    assert report.restored is Judgement.FAILED
    assert len(report.restoration.left) == 2
    assert report.reconciliation is None
    assert run.phases[-1] is Phase.RESTORE
    assert run.failed == [Phase.RESTORE]
    (path,) = open_journals(tmp_path)
    run.world.script.undo_fails = 0
    executor: Any = run.world
    journal = FaultJournal.reopen(path)
    assert restore(journal, executor, lambda _said: None).left == ()
    journal.close()
    assert run.world.in_place == []
    assert open_journals(tmp_path) == ()


def test_a_restoration_that_breaks_is_not_hidden(tmp_path: Path) -> None:
    run = drill(Script(restore_breaks=True), tmp_path)
    assert reported(run).restoration.left == (
        "The restoration itself broke: RuntimeError('restoring is broken').",
    )
    assert open_journals(tmp_path) != ()


@pytest.mark.parametrize(
    ("script", "reason", "phase"),
    [
        (
            Script(back_after=500.0),
            "Not within 42 s after the restoration: health check healthy.",
            Phase.HEALTHY,
        ),
        (
            Script(caught_up_after=500.0),
            "Not within 34 s after the restoration: replication caught up.",
            Phase.CAUGHT_UP,
        ),
        (Script(unsteady_after=("The table is gone.",)), "The table is gone.", Phase.STEADY_AFTER),
        (Script(blind_after=True), "Nobody can tell.", Phase.STEADY_AFTER),
    ],
)
def test_what_does_not_come_back_is_not_restored(
    script: Script, reason: str, phase: Phase, tmp_path: Path
) -> None:
    run = drill(script, tmp_path)
    report = reported(run)
    assert phase in run.failed
    assert (report.resilience, report.restored) == (Judgement.PASSED, Judgement.FAILED)
    assert report.reasons[0] == reason


def test_payments_that_cannot_be_read_back_fail_the_drill(tmp_path: Path) -> None:
    run = drill(Script(reconcile_fails=True), tmp_path)
    report = reported(run)
    assert run.failed == [Phase.RECONCILE]
    assert report.reconciliation is None
    assert report.resilience is Judgement.INCONCLUSIVE


def test_paused_replication_waits_for_nobody_to_move(tmp_path: Path) -> None:
    run = drill(Script(), tmp_path, prediction=STILL, scenario=Scenario.REPLICATION_PAUSE)
    assert Phase.SWITCHED not in run.phases
    assert Phase.HEALTHY not in run.phases
    assert reported(run).passed
    assert reported(run).recovery.measured_s is None


def test_paused_replication_begins_once_both_regions_have_acknowledged_a_payment(tmp_path: Path) -> None:
    script = Script(west_gets_through_from=12.0)
    run = drill(script, tmp_path, prediction=STILL, scenario=Scenario.REPLICATION_PAUSE)
    (load,) = (timing for timing in reported(run).phases if timing.phase is Phase.LOAD)
    assert load.seconds == pytest.approx(12.0, abs=0.3)


def test_paused_replication_wants_both_regions_to_serve(tmp_path: Path) -> None:
    run = drill(Script(west_serves=False), tmp_path, prediction=STILL, scenario=Scenario.REPLICATION_PAUSE)
    assert reported(run).reasons == ("us-west-2 did not serve all along.",)


TROUBLE = st.builds(
    Script,
    unhealthy_after=st.sampled_from([0.0, 4.0, 500.0]),
    switched_after=st.sampled_from([0.0, 5.0, 500.0]),
    served_after=st.sampled_from([1.0, 9.0, 500.0]),
    back_after=st.sampled_from([0.0, 4.0, 500.0]),
    do_fails=st.sampled_from([None, 0, 1]),
    done_all_the_same=st.booleans(),
    undo_fails=st.integers(0, 5),
    caught_up_after=st.sampled_from([0.0, 500.0]),
    unsteady_after=st.sampled_from([(), ("broken",)]),
    dead_from=st.floats(0.0, 60.0),
    errors_from=st.floats(0.0, 60.0),
    stop_at=st.floats(0.0, 60.0),
    bug_at=st.floats(0.0, 60.0),
    reconcile_fails=st.booleans(),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(TROUBLE)
def test_whatever_happens_all_is_as_it_was_or_the_journal_brings_it_back(script: Script) -> None:
    with TemporaryDirectory() as folder:
        run = drill(script, Path(folder))
        left = open_journals(Path(folder))
        if not left:
            assert run.world.in_place == []
        if run.report is not None:
            assert bool(run.report.restoration.left) == bool(left)
        script.undo_fails = 0
        executor: Any = run.world
        for path in left:
            journal = FaultJournal.reopen(path, sync=lambda _file: None)
            assert restore(journal, executor, lambda _said: None).left == ()
            journal.close()
        assert run.world.in_place == []
        assert open_journals(Path(folder)) == ()
        assert run.world.stopped


# -- a region that is evacuated ----------------------------------------------------------------------------

EVACUATED = replace(
    MOVING,
    phases={**MOVING.phases, Phase.RETURN: 5.0},
    evacuates=True,
)


def test_a_drill_returns_to_the_region_before_anything_is_rolled_back(tmp_path: Path) -> None:
    returned: list[str] = []

    def bring_back() -> tuple[str, ...]:
        returned.append("once")
        return ()

    run = drill(Script(), tmp_path, prediction=EVACUATED, bring_back=bring_back)
    assert reported(run).passed
    assert run.phases.index(Phase.RETURN) == run.phases.index(Phase.RESTORE) - 1
    assert len(returned) == 1


def test_a_return_that_is_refused_fails_the_restoration_and_all_is_put_back(tmp_path: Path) -> None:
    refuses = drill(
        Script(), tmp_path / "a", prediction=EVACUATED, bring_back=lambda: ("replication is behind",)
    )
    report = reported(refuses)
    assert (report.resilience, report.restored) == (Judgement.PASSED, Judgement.FAILED)
    assert "The return did not end well: replication is behind." in report.reasons
    assert (refuses.world.in_place, refuses.failed) == ([], [Phase.RETURN])

    def breaks() -> tuple[str, ...]:
        raise ZeroDivisionError("a bug")

    broken = drill(Script(), tmp_path / "b", prediction=EVACUATED, bring_back=breaks)
    assert reported(broken).restored is Judgement.FAILED
    assert broken.world.in_place == []


def test_a_name_that_comes_back_while_the_region_is_evacuated_fails_the_drill(tmp_path: Path) -> None:
    calls: list[str] = []

    def bring_back() -> tuple[str, ...]:
        calls.append("return")
        return ()

    run = drill(Script(name_back_after=10.5), tmp_path, prediction=EVACUATED, bring_back=bring_back)
    report = reported(run)
    assert report.resilience is Judgement.FAILED
    assert report.aborted == "The name did not stay with us-west-2 while us-east-1 was out."
    assert run.world.in_place == []
    assert calls == [], "a drill that is broken off only lifts its flag"
    # Without an evacuation nothing keeps a name where it is.
    assert reported(drill(Script(name_back_after=10.5), tmp_path / "b")).aborted == ""

"""Runs a drill: every phase in its order and, however it ends, everything back as it was.

What is done to the environment is written to the journal first and taken back last. Every other ending goes
the same way as a good one: a phase that does not come in time, a stop condition, a signal, a bug.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from payinfra.core.errors import GateFailed, PayinfraError
from payinfra.drill import evidence as evidence_module
from payinfra.drill import machine as machine_module
from payinfra.drill.alarm_watch import AlarmWatch
from payinfra.drill.clock import DrillClock, Stop
from payinfra.drill.evidence import FaultObserver, evidence_of
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.executor import FaultExecutor
from payinfra.drill.faults.journal import FaultJournal
from payinfra.drill.faults.scenarios import sends_to_both
from payinfra.drill.load import statistics
from payinfra.drill.load.generator import LoadSnapshot
from payinfra.drill.machine import MachineWatch
from payinfra.drill.model import (
    REPORT_VERSION,
    Attempt,
    Doubt,
    DrillReport,
    DrillRequest,
    FaultEvidence,
    MachineLoad,
    Objective,
    Phase,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Snapshot,
    SurvivorReading,
)
from payinfra.drill.objectives import objectives
from payinfra.drill.observers import DnsAnswer, Poller, all_lead_to
from payinfra.drill.prediction import Prediction
from payinfra.drill.stop_conditions import ERROR_WINDOW_S, DrillAborted, StopConditions, at_most
from payinfra.drill.survivor import acknowledged_before
from payinfra.drill.timeline import Recorder
from payinfra.drill.verdict import DrillEvidence, judge, served_between

LOOK_S = 0.25
"""How often the engine looks at what its pollers and the load have seen, in seconds."""
STEADY_S = 2.0
"""How often it asks for the steady state once everything is restored."""
SNAPSHOT_S = 0.5
"""How often it tells how the load stands."""
ALARMS_S = 2.0
"""How often alarms are looked at."""
MACHINE_S = 1.0
"""How often the machine is."""
STEADY = "every probe passes, no alarm rings"
NAMED = 3
"""How many problems of an unsteady environment are named; `verify` names all."""
LAST_TRIES_S = 20.0
"""How long payments without an answer are tried again once everything is restored, in seconds."""

Read = Callable[[], SurvivorReading]


class Generator(Protocol):
    """The load."""

    def start(self) -> None:
        """Begin."""
        ...

    def snapshot(self) -> LoadSnapshot:
        """How it stands."""
        ...

    def error_share(self, region: str, window_s: float) -> float | None:
        """The share of errors in a region's answers of the last so many seconds; None without answers."""
        ...

    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt that has ended, in the order of their ends."""
        ...

    def lags(self) -> tuple[tuple[float, float], ...]:
        """When each payment was begun, and how late that was."""
        ...

    def stop(self, grace_s: float) -> None:
        """Begin no new payment; try those without an answer again for `grace_s` seconds."""
        ...


@dataclass(frozen=True)
class DrillDependencies:
    """What a drill works with.

    Attributes:
        lost, other: the region that is to fail, and the one that is to serve meanwhile.
        on_aws: whether it is AWS, and not the embedded one on this machine.
        actions: what is injected, in this order.
        steady: what is not as it should be, each in a sentence; nothing in the steady state.
        healthy: what Route 53 makes of the lost region's health check.
        health_every_s: how often that may be asked.
        dns: where the drilled name leads, at each of the zone's name servers.
        observers: look whether each fault is in effect.
        named_clients, kept_clients: the load's clients that ask for the name, and that keep their connection.
        read_survivor: begins to read the survivor, given when which payments were acknowledged before the
            loss, and when that was; what it returns waits for the reading.
        alarms: the declared alarms.
        machine: the machine that the drill runs on.
        restore: takes back everything that the journal has.
        caught_up: whether replication has caught up.
        reconcile: reads the payments back and removes them.
        bring_back: returns to the region that the drill has evacuated, and gives the problems, each in a
            sentence; None if the drill evacuates none.
    """

    lost: str
    other: str
    on_aws: bool
    actions: tuple[FaultAction, ...]
    executor: FaultExecutor
    generator: Generator
    steady: Callable[[], tuple[str, ...]]
    healthy: Callable[[], bool]
    health_every_s: float
    dns: Callable[[], tuple[DnsAnswer, ...]]
    observers: tuple[FaultObserver, ...]
    named_clients: tuple[int, ...]
    kept_clients: tuple[int, ...]
    read_survivor: Callable[[Mapping[str, float], float], Read]
    alarms: AlarmWatch
    machine: MachineWatch
    restore: Callable[[], Restoration]
    caught_up: Callable[[], bool]
    reconcile: Callable[[], Reconciliation]
    bring_back: Callable[[], tuple[str, ...]] | None = None


@dataclass(frozen=True)
class DrillId:
    """What identifies a drill in its report."""

    id: str
    env: str
    target: str
    began: datetime
    command: str


@dataclass
class Drill:
    """One drill.

    Args:
        stop: asked for the end by a signal.
        recorder: has the phases before this one, which prepared it, and tells of everything that happens.
        poller: makes what polls the environment; in threads of their own unless a test wants otherwise.
    """

    identity: DrillId
    request: DrillRequest
    prediction: Prediction
    dependencies: DrillDependencies
    journal: FaultJournal
    clock: DrillClock
    stop: Stop
    recorder: Recorder
    poller: Callable[..., Poller[Any]] = Poller
    _injected_s: float | None = None
    _switched_s: float | None = None
    _served_s: float | None = None
    _restoring_s: float | None = None
    _restored_s: float | None = None
    _told_s: float = -SNAPSHOT_S
    _read: Read | None = None
    _watched: list[tuple[FaultObserver, Poller[bool]]] = field(default_factory=list)
    _unsteady: list[str] = field(default_factory=list)
    _leads_to: str = ""

    def run(self) -> DrillReport:
        """From the steady state to the report.

        Raises:
            GateFailed: the steady state is none: nothing was sent and nothing done.
            Exception: a bug; what was done has been rolled back first.
        """
        of = self.dependencies
        # Alarms look back to before the injection: so does what may have made them ring.
        machine = self.poller(of.machine.take, self.clock, MACHINE_S, _ignore)
        machine.start()
        try:
            self._require_steady_state()
            return self._drill()
        finally:
            machine.stop()

    def _drill(self) -> DrillReport:
        of = self.dependencies
        health = self.poller(of.healthy, self.clock, of.health_every_s, self._health_changed)
        dns = self.poller(of.dns, self.clock, LOOK_S, self._dns_changed)
        alarms = self.poller(of.alarms.look, self.clock, ALARMS_S, _ignore)
        aborted, bug = DrillAborted(""), None
        of.generator.start()
        try:
            for one in (health, dns, alarms):
                one.start()
            try:
                self._lose_region(self._stop_conditions(), health, dns)
            except DrillAborted as stopped:
                aborted = stopped
            except PayinfraError as failed:
                aborted = DrillAborted(f"{failed.what} {failed.hint}".strip(), failed.hint or "Drill again.")
            except Exception as error:  # noqa: BLE001 - a bug must not keep the fault in place
                aborted, bug = DrillAborted(f"The drill itself broke: {error!r}."), error
            if str(aborted):
                self.recorder.mark(str(aborted))
            self._restoring_s = self.clock.elapsed()
            for _, watched in self._watched:
                watched.stop()
            if not str(aborted):
                self._return()
            restoration = self._restore()
            if not restoration.left:
                self._come_back(health, dns)
        finally:
            for one in (health, dns, alarms, *(watched for _, watched in self._watched)):
                one.stop()
            self._end_load(0.0)
        # Where the fault is still there, payments are not what they will be: `--restore` reads them later.
        reconciliation = None if restoration.left else self._reconcile()
        if bug is not None:
            raise bug
        return self._report(aborted, restoration, reconciliation)

    # -- there -------------------------------------------------------------------------------------------

    def _require_steady_state(self) -> None:
        with self.recorder.phase(Phase.STEADY_BEFORE) as note:
            problems = self.dependencies.steady()
            note.detail, note.failed = _few(problems) or STEADY, bool(problems)
        if problems:
            busy = self.dependencies.machine.busy_so_far(on_aws=self.dependencies.on_aws)
            what = f"The drill is inconclusive: the environment is not in its steady state: {_few(problems)}."
            raise GateFailed(
                " ".join((what, *(one.what for one in busy))),
                "Nothing was done to it. Mend that first: `payinfra verify` says more."
                + (" What did not answer in time may do so once the machine has less to do." if busy else ""),
            )

    def _stop_conditions(self) -> StopConditions:
        generator, other = self.dependencies.generator, self.dependencies.other
        return StopConditions(
            other=other,
            clock=self.clock,
            stop=self.stop,
            whole_s=self.prediction.losing_s,
            began_s=self.clock.elapsed(),
            window_s=ERROR_WINDOW_S,
            error_share=lambda window_s: generator.error_share(other, window_s),
            load=generator.snapshot,
            alarms=self._stopping_alarms,
        )

    def _stopping_alarms(self) -> tuple[str, ...]:
        return () if self._injected_s is None else self.dependencies.alarms.stopping(self._injected_s)

    def _lose_region(
        self, conditions: StopConditions, health: Poller[bool], dns: Poller[tuple[DnsAnswer, ...]]
    ) -> None:
        """From the first payment until the region is given back.

        Raises:
            DrillAborted: it went no further.
            PayinfraError: a fault could not be made.
        """
        expected = self.prediction.phases
        self._warm_up(conditions)
        if self.prediction.switches:
            self._require_leading(health, dns)
        injected = self._inject()
        self._await_effect(conditions, injected)
        if Phase.FIRST_FAILURE in expected:
            self._await(conditions, Phase.FIRST_FAILURE, lambda: self._first_failure(injected), injected)
        if self.prediction.switches:
            # Checkers find out beside the clients: this phase began with the injection, whatever was first.
            found = self._await(conditions, Phase.UNHEALTHY, lambda: health.since(injected, _not), injected)
            gone = all_lead_to(self.dependencies.other)
            self._switched_s = self._await(
                conditions, Phase.SWITCHED, lambda: dns.since(injected, gone), found
            )
            self._begin_reading(injected)
            self._served_s = self._await(
                conditions, Phase.SERVING, self._all_clients_served, self._switched_s
            )
        self._await(conditions, Phase.HOLD, self._after(self.request.hold_s))
        if not self.prediction.switches:
            self._begin_reading(self.clock.elapsed())
        self._await_alarms(conditions, injected)
        if self.prediction.evacuates:
            self._require_staying(dns, injected)

    def _require_staying(self, dns: Poller[tuple[DnsAnswer, ...]], injected_s: float) -> None:
        """See that the name has stayed with the survivor since it was switched, though the region is healthy.

        Raises:
            DrillAborted: it has not.
        """
        other = self.dependencies.other
        if dns.since(injected_s, all_lead_to(other)) != self._switched_s:
            raise DrillAborted(f"The name did not stay with {other} while {self.dependencies.lost} was out.")

    def _warm_up(self, conditions: StopConditions) -> None:
        """Payments until they get through as steadily as is asked of the other region later.

        A function that is idle starts cold, which may take longer than the warm-up.
        """
        expected_s = self.prediction.phases[Phase.LOAD]
        warm = self._after(expected_s, self._gets_through)
        if self._poll(Phase.LOAD, warm, conditions.check) is None:
            raise DrillAborted(
                f"Not within {at_most(expected_s):.0f} s: {self.request.in_a_row} payments in a row that get "
                "through, while nothing was done yet.",
                "See with `payinfra verify` what keeps payments from getting through, then drill again.",
            )

    def _gets_through(self) -> bool:
        seen = self.dependencies.generator.snapshot()
        steadily = any(streak.length >= self.request.in_a_row for streak in seen.streaks.values())
        asked = self._regions if sends_to_both(self.request) else ()
        return steadily and all(seen.by_region.get(region) for region in asked)

    def _require_leading(self, health: Poller[bool], dns: Poller[tuple[DnsAnswer, ...]]) -> None:
        """See that the region which is to be lost has the name and serves, or nobody could see it lose them.

        Raises:
            DrillAborted: it has not, or does not.
        """
        lost = self.dependencies.lost
        streaks = self.dependencies.generator.snapshot().streaks
        if not all_lead_to(lost)(dns.now() or ()):
            why = f"The name did not lead to {lost} before anything was done: it leads to {self._where()}."
        elif health.now() is not True:
            why = f"Route 53 did not find {lost} healthy before anything was done."
        elif lost not in streaks:
            why = f"{lost} did not serve the name's clients before anything was done."
        else:
            return
        raise DrillAborted(
            why, "Wait until `payinfra status` shows that the region has the name, then drill again."
        )

    def _where(self) -> str:
        return self._leads_to or "no region"

    @property
    def _regions(self) -> tuple[str, str]:
        return self.dependencies.lost, self.dependencies.other

    def _inject(self) -> float:
        with self.recorder.phase(Phase.INJECT) as note:
            injected = self._injected_s = self.clock.elapsed()
            for action in self.dependencies.actions:
                number = self.journal.announce(action)
                self.dependencies.executor.inject(action)
                self.journal.done(number)
                self.recorder.mark(action.describe().done)
            note.detail = "; ".join(action.describe().done for action in self.dependencies.actions)
        return injected

    def _await_effect(self, conditions: StopConditions, injected_s: float) -> None:
        """Wait until each fault is seen to be in effect, and go on looking.

        Raises:
            DrillAborted: one is not.
        """
        for observer in self.dependencies.observers:
            watched = self.poller(observer.is_in_effect, self.clock, observer.every_s, _ignore)
            self._watched.append((observer, watched))
            watched.start()

        def all_in_effect() -> float | None:
            found = [watched.since(injected_s, bool) for _, watched in self._watched]
            known = [moment for moment in found if moment is not None]
            return max(known, default=injected_s) if len(known) == len(found) else None

        if self._poll(Phase.TAKES_EFFECT, all_in_effect, conditions.check, injected_s) is None:
            limit = at_most(self.prediction.phases.get(Phase.TAKES_EFFECT, 0.0))
            raise DrillAborted(
                f"The fault was not seen to take effect within {limit:.0f} s.",
                "See what overrides it, or keeps the drill from seeing it; then drill again.",
            )

    def _first_failure(self, injected_s: float) -> float | None:
        failures = (
            attempt.at_s + attempt.seconds
            for attempt in self.dependencies.generator.attempts()
            if attempt.at_s >= injected_s and not attempt.result.good
        )
        return min(failures, default=None)

    def _begin_reading(self, loss_s: float) -> None:
        """Begin to read what the survivor alone has of what the lost region had acknowledged."""
        attempts = self.dependencies.generator.attempts()
        acknowledged = acknowledged_before(attempts, self.dependencies.lost, loss_s)
        self._read = self.dependencies.read_survivor(acknowledged, loss_s)

    def _all_clients_served(self) -> float | None:
        """When the other region had served every client that asks for the name, and goes on doing so."""
        streak = self.dependencies.generator.snapshot().streaks.get(self.dependencies.other)
        if streak is None or streak.length < self.request.in_a_row or self._injected_s is None:
            return None
        recovered = self._recovered(self.dependencies.named_clients)
        if len(recovered) < len(self.dependencies.named_clients):
            return None
        return self._injected_s + max(recovered.values(), default=0.0)

    def _recovered(self, clients: tuple[int, ...]) -> dict[int, float]:
        since = 0.0 if self._injected_s is None else self._injected_s
        until = math.inf if self._restoring_s is None else self._restoring_s
        attempts = [one for one in self.dependencies.generator.attempts() if one.at_s < until]
        return statistics.recoveries(attempts, clients, self.dependencies.other, since)

    def _await_alarms(self, conditions: StopConditions, injected_s: float) -> None:
        """Wait until the alarms that have to ring do, or their time is over; the verdict judges them."""
        due = self.dependencies.alarms.still_due
        if not due():
            return
        ends = injected_s + max(one.within_s or 0.0 for one in due())
        left = max(0.0, ends - self.clock.elapsed())
        with self.recorder.phase(Phase.ALARMS, left) as note:
            while due() and self.clock.elapsed() < ends:
                conditions.check()
                self._show()
                self.clock.wait(LOOK_S)
            note.failed = bool(due())
            note.detail = ", ".join(f"{one.name} did not ring" for one in due())

    # -- and back ----------------------------------------------------------------------------------------

    def _return(self) -> None:
        """Return to a region that the drill has evacuated, and remember the problems."""
        bring_back = self.dependencies.bring_back
        if bring_back is None:
            return
        with self.recorder.phase(Phase.RETURN, self.prediction.phases.get(Phase.RETURN)) as note:
            try:
                problems = bring_back()
            except Exception as error:  # noqa: BLE001 - whatever broke, the flag must be lifted next
                problems = (f"The return itself broke: {error!r}.",)
            note.detail = _few(problems) or f"{self.dependencies.lost} has its clients back"
            note.failed = bool(problems)
        self._unsteady += (f"The return did not end well: {one}." for one in problems)

    def _restore(self) -> Restoration:
        with self.recorder.phase(Phase.RESTORE) as note:
            try:
                restoration = self.dependencies.restore()
            except Exception as error:  # noqa: BLE001 - whatever broke, the report must say what is left
                restoration = Restoration((), (f"The restoration itself broke: {error!r}.",))
            note.failed = bool(restoration.left)
            note.detail = "; ".join(restoration.left) or "; ".join(restoration.undone) or "nothing to undo"
        self._restored_s = self.clock.elapsed()
        return restoration

    def _come_back(self, health: Poller[bool], dns: Poller[tuple[DnsAnswer, ...]]) -> None:
        """Until all is as it was. What does not come is remembered, and the next is waited for as well."""
        if self._injected_s is not None:
            restored = self._restored_s or 0.0
            if self.prediction.switches:
                healthy = self._await_recovery(Phase.HEALTHY, lambda: health.since(restored, bool), restored)
                back = all_lead_to(self.dependencies.lost)
                self._await_recovery(Phase.DNS_BACK, lambda: dns.since(restored, back), healthy)
            self._await_recovery(
                Phase.CAUGHT_UP, lambda: self.clock.elapsed() if self.dependencies.caught_up() else None
            )
        self._end_load(LAST_TRIES_S)
        self._show(SNAPSHOT_S)
        if self._injected_s is not None:
            self._unsteady += self._steady_again()

    def _steady_again(self) -> tuple[str, ...]:
        """What is still not as it should be, once alarms have had the time that they look back."""
        predicted = self.prediction.phases[Phase.STEADY_AFTER]
        with self.recorder.phase(Phase.STEADY_AFTER, predicted) as note:
            ends = self.clock.elapsed() + at_most(predicted)
            while (problems := self._problems()) and self.clock.elapsed() < ends:
                self.clock.wait(STEADY_S)
            note.detail, note.failed = _few(problems) or STEADY, bool(problems)
        return problems

    def _problems(self) -> tuple[str, ...]:
        try:
            return self.dependencies.steady()
        except PayinfraError as error:
            return (error.what,)

    def _end_load(self, grace_s: float) -> None:
        self.dependencies.generator.stop(grace_s)

    def _reconcile(self) -> Reconciliation | None:
        with self.recorder.phase(Phase.RECONCILE) as note:
            try:
                reconciliation = self.dependencies.reconcile()
            except Exception as error:  # noqa: BLE001 - the report must come, and say that this is missing
                note.detail, note.failed = f"the payments could not be read: {error}", True
                return None
            note.detail = f"{reconciliation.acknowledged} of {reconciliation.sent} payments acknowledged"
            return reconciliation

    # -- waiting -----------------------------------------------------------------------------------------

    def _after(self, seconds: float, enough: Callable[[], bool] = lambda: True) -> Callable[[], float | None]:
        """What comes once some seconds have passed from now, and then as soon as it was enough."""
        ready = self.clock.elapsed() + seconds

        def came() -> float | None:
            now = self.clock.elapsed()
            return now if now >= ready and enough() else None

        return came

    def _await(
        self,
        conditions: StopConditions,
        phase: Phase,
        when: Callable[[], float | None],
        since_s: float | None = None,
    ) -> float:
        """Wait for something, for as long as it may take; when it came."""
        came = self._poll(phase, when, conditions.check, since_s)
        if came is None:
            limit = at_most(self.prediction.phases.get(phase, 0.0))
            raise DrillAborted(f"Not within {limit:.0f} s: {phase}.")
        return came

    def _await_recovery(
        self, phase: Phase, when: Callable[[], float | None], since_s: float | None = None
    ) -> float | None:
        """Wait for something after the restoration, which nothing may cut short; when it came, if it did."""
        came = self._poll(phase, when, lambda: None, since_s)
        if came is None:
            limit = at_most(self.prediction.phases.get(phase, 0.0))
            self._unsteady.append(f"Not within {limit:.0f} s after the restoration: {phase}.")
        return came

    def _poll(
        self,
        phase: Phase,
        when: Callable[[], float | None],
        check: Callable[[], None],
        since_s: float | None = None,
    ) -> float | None:
        predicted = self.prediction.phases.get(phase, 0.0)
        with self.recorder.phase(phase, predicted, since_s=since_s) as note:
            ends = self.clock.elapsed() + at_most(predicted)
            while (came := when()) is None and self.clock.elapsed() < ends:
                check()
                self._show()
                self.clock.wait(LOOK_S)
            note.ended_s, note.failed = came, came is None
            return came

    # -- telling -----------------------------------------------------------------------------------------

    def _show(self, older_s: float = 0.0) -> None:
        """Tell how the load stands, if the last time is long enough ago, or `older_s` seconds less."""
        now = self.clock.elapsed()
        if now - self._told_s + older_s < SNAPSHOT_S:
            return
        self._told_s = now
        seen = self.dependencies.generator.snapshot()
        self.recorder.tell(Snapshot(now, seen.by_region, seen.failures, seen.in_flight, self._leads_to))

    def _health_changed(self, _at_s: float, healthy: bool) -> None:
        self.recorder.mark(f"Route 53 finds {self.dependencies.lost} {'healthy' if healthy else 'unhealthy'}")

    def _dns_changed(self, at_s: float, answers: tuple[DnsAnswer, ...]) -> None:
        regions = {answer.region for answer in answers}
        self._leads_to = regions.pop() if len(regions) == 1 else " and ".join(sorted(regions))
        for answer in answers:
            self.recorder.answer(at_s, str(answer))

    # -- the report --------------------------------------------------------------------------------------

    def _report(
        self, aborted: DrillAborted, restoration: Restoration, reconciliation: Reconciliation | None
    ) -> DrillReport:
        ended = self.clock.elapsed()
        injected = self._injected_s if self._injected_s is not None else ended
        restoring = self._restoring_s if self._restoring_s is not None else ended
        restored = self._restored_s if self._restored_s is not None else ended
        attempts = self.dependencies.generator.attempts()
        recovery = self._recovery()
        survivor = self._survivor()
        seen = self._evidence(restoring)
        load = self.dependencies.machine.load(
            self.dependencies.generator.lags(), *((injected, restored) if injected < ended else (0.0, ended))
        )
        aims = self._objectives(attempts, recovery, survivor, reconciliation)
        alarms = () if self._injected_s is None else self.dependencies.alarms.records(injected, restoring)
        served = served_between(attempts, injected, restored)
        both = () if self.prediction.switches or self._injected_s is None else self._regions
        why = str(aborted)
        verdict = judge(
            DrillEvidence(
                recovers=self.prediction.recovers and self._injected_s is not None,
                recovery=recovery,
                reconciliation=reconciliation,
                restoration=restoration,
                objectives=aims,
                unsteady=tuple(self._unsteady),
                failure="" if aborted.next_step else why,
                doubts=(
                    *((Doubt(why, aborted.next_step),) if aborted.next_step else ()),
                    *self._doubts(seen, load, survivor, restoring, aborted),
                    *self._audit_doubts(reconciliation),
                ),
                excuses=tuple(machine_module.excuses(load, on_aws=self.dependencies.on_aws)),
                silent=tuple(region for region in both if region not in served),
                alarms=alarms,
            )
        )
        return DrillReport(
            version=REPORT_VERSION,
            id=self.identity.id,
            env=self.identity.env,
            target=self.identity.target,
            scenarios=self.request.scenarios,
            reverse=self.request.reverse,
            time_scale=self.request.time_scale,
            began=self.identity.began,
            seconds=ended,
            lost_region=self.dependencies.lost,
            took_over=self.dependencies.other,
            phases=tuple(self.recorder.phases),
            marks=tuple(self.recorder.marks),
            answers=tuple(self.recorder.answers),
            load=statistics.summarize(attempts, injected_s=injected, restored_s=restored, ended_s=ended),
            reconciliation=reconciliation,
            recovery=recovery,
            rpo=self.request.rpo,
            restoration=restoration,
            resilience=verdict.resilience,
            restored=verdict.restored,
            reasons=verdict.reasons,
            aborted=why,
            command=self.identity.command,
            doubts=verdict.doubts,
            objectives=aims,
            survivor=survivor,
            evidence=seen,
            alarms=alarms,
            machine=load,
        )

    def _recovery(self) -> RecoveryTime:
        """The recovery times of the load's clients, as far as they recovered."""
        named, kept = self.dependencies.named_clients, self.dependencies.kept_clients
        moved = self._recovered(named) if self._switched_s is not None else {}
        times = sorted(moved.values())
        complete = bool(times) and len(times) == len(named)
        is_recovery = self.prediction.recovers
        return RecoveryTime(
            predicted_s=self.prediction.recovery_s,
            objective_s=self.prediction.recovery_s if self.request.rto_s is None else self.request.rto_s,
            measured_s=times[-1] if complete and is_recovery else None,
            p50_s=_of_all(times, len(named), 0.5),
            p95_s=_of_all(times, len(named), 0.95),
            clients=len(named) if self.prediction.switches else 0,
            recovered=len(times),
            is_recovery=is_recovery,
            kept_connections=len(kept) if self.prediction.switches else 0,
            kept_recovered=len(self._recovered(kept)) if self._switched_s is not None else 0,
        )

    def _survivor(self) -> SurvivorReading | None:
        if self._read is None:
            return None
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 - the report must come, and say that this is missing
            self.recorder.mark(f"the survivor could not be read: {error}")
            return None

    def _evidence(self, until_s: float) -> tuple[FaultEvidence, ...]:
        return tuple(evidence_of(observer, watched, until_s) for observer, watched in self._watched)

    def _objectives(
        self,
        attempts: tuple[Attempt, ...],
        recovery: RecoveryTime,
        survivor: SurvivorReading | None,
        reconciliation: Reconciliation | None,
    ) -> tuple[Objective, ...]:
        if self._injected_s is None:
            return ()
        since = self._injected_s if self._served_s is None else self._served_s
        until = since if self._restoring_s is None else self._restoring_s
        switches = self.prediction.switches
        # Where clients had to recover and did not all, nothing was served that could be judged.
        serving = not self.prediction.recovers or self._served_s is not None
        return tuple(
            objectives(
                self.request,
                recovery=recovery if self.prediction.recovers else None,
                survivor=survivor,
                judges_survivor=switches and self._switched_s is not None,
                reconciliation=reconciliation,
                before=[one for one in attempts if one.at_s < self._injected_s],
                while_survivor_served=[one for one in attempts if serving and since <= one.at_s < until],
                keeping_clients=frozenset(self.dependencies.kept_clients),
            )
        )

    def _doubts(
        self,
        seen: tuple[FaultEvidence, ...],
        load: MachineLoad,
        survivor: SurvivorReading | None,
        until_s: float,
        aborted: DrillAborted,
    ) -> tuple[Doubt, ...]:
        """Why the drill may have proved nothing, beside what ended it."""
        found = list(machine_module.doubts(load))
        if aborted.next_step and self._injected_s is None and not self.stop.wanted:
            # What was not as it should be before anything was done may have been the machine's doing.
            found += machine_module.excuses(load, on_aws=self.dependencies.on_aws)
        if not (aborted.next_step or self.stop.wanted):
            found += evidence_module.doubts(seen, until_s)
            since_s = until_s if self._injected_s is None else self._injected_s
            found += self.dependencies.alarms.doubts(since_s, until_s)
        if self._read is not None and survivor is None:
            found.append(
                Doubt(
                    "The survivor could not be read at the failover: nobody knows what it lacked.",
                    "See that its table can be queried, then drill again.",
                )
            )
        if self._left_too_soon():
            found.append(
                Doubt(
                    f"The name left {self.dependencies.lost} {self._after_injection():.1f} s after the "
                    f"fault. A health check takes {self.prediction.earliest_s:.1f} s at least to find it "
                    "out: the name was leaving already.",
                    "See why the health check was failing before the fault, then drill again.",
                )
            )
        return tuple(found)

    def _audit_doubts(self, reconciliation: Reconciliation | None) -> Iterator[Doubt]:
        if reconciliation is None:
            return
        if reconciliation.audit_problem:
            yield Doubt(
                f"The payments' audit objects could not be read: {reconciliation.audit_problem}.",
                "docs/scenarios.md says what the caller must be allowed; then drill again.",
            )
        audit = reconciliation.audit
        if audit is not None and audit.in_one and not self.dependencies.on_aws:
            yield Doubt(
                f"{audit.in_one} of {audit.expected} audit objects reached one region's bucket only.",
                "See with `payinfra verify` whether objects are replicated, then drill again.",
            )

    def _left_too_soon(self) -> bool:
        return self._switched_s is not None and self._after_injection() < self.prediction.earliest_s - LOOK_S

    def _after_injection(self) -> float:
        return (self._switched_s or 0.0) - (self._injected_s or 0.0)


def _of_all(times: list[float], clients: int, share: float) -> float | None:
    """The time within which this share of all clients had recovered; None where so many never did."""
    needed = max(1, math.ceil(share * clients))
    return times[needed - 1] if len(times) >= needed else None


def _few(problems: tuple[str, ...]) -> str:
    """The first problems in one phrase, and how many there are besides."""
    more = len(problems) - NAMED
    return "; ".join(problems[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _not(healthy: bool) -> bool:
    return not healthy


def _ignore(_at_s: float, _seen: object) -> None:
    """Nothing: it is looked at afterwards."""

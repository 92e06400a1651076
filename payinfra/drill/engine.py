"""Runs a drill: every phase in its order and, however it ends, everything back as it was.

What is done to the environment is written to the journal first and taken back last. Every other ending goes
the same way as a good one: a phase that does not come in time, a stop condition, a signal, a bug.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from payinfra.core.errors import GateFailed, PayinfraError
from payinfra.drill.clock import DrillClock, Stop
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.executor import FaultExecutor
from payinfra.drill.faults.journal import FaultJournal
from payinfra.drill.faults.scenarios import sends_to_both
from payinfra.drill.load import statistics
from payinfra.drill.load.generator import LoadSnapshot
from payinfra.drill.model import (
    REPORT_VERSION,
    Attempt,
    DrillReport,
    DrillRequest,
    Phase,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Snapshot,
)
from payinfra.drill.observers import DnsAnswer, Poller, all_lead_to, none_leads_to
from payinfra.drill.prediction import Prediction
from payinfra.drill.stop_conditions import ERROR_WINDOW_S, DrillAborted, StopConditions, at_most
from payinfra.drill.timeline import Recorder
from payinfra.drill.verdict import DrillEvidence, judge, served_between

LOOK_S = 0.25
"""How often the engine looks at what its pollers and the load have seen, in seconds."""
STEADY_S = 2.0
"""How often it asks for the steady state once everything is restored."""
SNAPSHOT_S = 0.5
"""How often it tells how the load stands."""
STEADY = "every probe passes, no alarm rings"
NAMED = 3
"""How many problems of an unsteady environment are named; `verify` names all."""
LAST_TRIES_S = 20.0
"""How long payments without an answer are tried again once everything is restored, in seconds."""


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

    def stop(self, grace_s: float) -> None:
        """Begin no new payment; try those without an answer again for `grace_s` seconds."""
        ...


@dataclass(frozen=True)
class DrillDependencies:
    """What a drill works with.

    Attributes:
        lost, other: the region that is to fail, and the one that is to serve meanwhile.
        actions: what is injected, in this order.
        steady: what is not as it should be, each in a sentence; nothing in the steady state.
        healthy: what Route 53 makes of the lost region's health check.
        dns: where the drilled name leads, at each of the zone's name servers.
        restore: takes back everything that the journal has.
        caught_up: whether replication has caught up.
        reconcile: reads the payments back and removes them.
    """

    lost: str
    other: str
    actions: tuple[FaultAction, ...]
    executor: FaultExecutor
    generator: Generator
    steady: Callable[[], tuple[str, ...]]
    healthy: Callable[[], bool]
    dns: Callable[[], tuple[DnsAnswer, ...]]
    restore: Callable[[], Restoration]
    caught_up: Callable[[], bool]
    reconcile: Callable[[], Reconciliation]


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
    _restored_s: float | None = None
    _recovered_s: float | None = None
    _told_s: float = -SNAPSHOT_S
    _unsteady: list[str] = field(default_factory=list)
    _leads_to: str = ""

    def run(self) -> DrillReport:
        """From the steady state to the report.

        Raises:
            GateFailed: the steady state is none: nothing was sent and nothing done.
            Exception: a bug; what was done has been taken back all the same.
        """
        self._require_steady_state()
        health = self.poller(self.dependencies.healthy, self.clock, LOOK_S, self._health_changed)
        dns = self.poller(self.dependencies.dns, self.clock, LOOK_S, self._dns_changed)
        aborted, bug = "", None
        self.dependencies.generator.start()
        try:
            health.start()
            dns.start()
            try:
                self._lose_region(self._stop_conditions(), health, dns)
            except DrillAborted as broken:
                aborted = str(broken)
            except PayinfraError as failed:
                aborted = f"{failed.what} {failed.hint}".strip()
            except Exception as error:  # noqa: BLE001 - a bug must not keep the fault in place
                aborted, bug = f"The drill itself broke: {error!r}.", error
            if aborted:
                self.recorder.mark(aborted)
            restoration = self._restore()
            if not restoration.left:
                self._come_back(health, dns)
        finally:
            health.stop()
            dns.stop()
            self._end_load(0.0)
        # Where the fault is still there, payments are not what they will be: `--restore` reads them later.
        reckoning = None if restoration.left else self._reconcile()
        if bug is not None:
            raise bug
        return self._report(aborted, restoration, reckoning)

    # -- there -------------------------------------------------------------------------------------------

    def _require_steady_state(self) -> None:
        with self.recorder.phase(Phase.STEADY_BEFORE) as note:
            problems = self.dependencies.steady()
            note.detail, note.failed = _few(problems) or STEADY, bool(problems)
        if problems:
            raise GateFailed(
                f"The environment is not in its steady state: {_few(problems)}.",
                "Nothing was done to it. Mend that first: `payinfra verify` says more.",
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
        )

    def _lose_region(
        self, conditions: StopConditions, health: Poller[bool], dns: Poller[tuple[DnsAnswer, ...]]
    ) -> None:
        """From the first payment until the region is given back.

        Raises:
            BrokenOff: it went no further.
            PayinfraError: a fault could not be made.
        """
        expected = self.prediction.phases
        self._warm_up(conditions)
        self._inject()
        injected = self._injected_s or 0.0
        if Phase.FIRST_FAILURE in expected:
            self._await(conditions, Phase.FIRST_FAILURE, lambda: self._first_failure(injected))
        if self.prediction.switches:
            # Checkers find out beside the clients: this phase began with the injection, whatever was first.
            found = self._await(conditions, Phase.UNHEALTHY, lambda: health.since(injected, _not), injected)
            gone = (
                all_lead_to(self.dependencies.other)
                if self.prediction.moves
                else none_leads_to(self.dependencies.lost)
            )
            switched = self._await(conditions, Phase.SWITCHED, lambda: dns.since(injected, gone), found)
            if self.prediction.moves:
                self._recovered_s = self._await(conditions, Phase.SERVING, self._serving_since, switched)
        self._await(conditions, Phase.HOLD, self._after(self.request.hold_s))

    def _warm_up(self, conditions: StopConditions) -> None:
        """Payments until they get through as steadily as is asked of the other region later.

        A function that is idle starts cold, which may take longer than the warm-up.
        """
        expected_s = self.prediction.phases[Phase.LOAD]
        warm = self._after(expected_s, self._gets_through)
        if self._poll(Phase.LOAD, warm, conditions.check) is None:
            raise DrillAborted(
                f"Not within {at_most(expected_s):.0f} s: {self.request.in_a_row} payments in a row that get "
                "through, while nothing was done yet."
            )

    def _gets_through(self) -> bool:
        seen = self.dependencies.generator.snapshot()
        steadily = any(streak.length >= self.request.in_a_row for streak in seen.streaks.values())
        asked = self._regions if sends_to_both(self.request) else ()
        return steadily and all(seen.by_region.get(region) for region in asked)

    @property
    def _regions(self) -> tuple[str, str]:
        return self.dependencies.lost, self.dependencies.other

    def _inject(self) -> None:
        with self.recorder.phase(Phase.INJECT) as note:
            self._injected_s = self.clock.elapsed()
            for action in self.dependencies.actions:
                number = self.journal.announce(action)
                self.dependencies.executor.inject(action)
                self.journal.done(number)
                self.recorder.mark(action.describe().done)
            note.detail = "; ".join(action.describe().done for action in self.dependencies.actions)

    def _first_failure(self, injected_s: float) -> float | None:
        failures = (
            attempt.at_s + attempt.seconds
            for attempt in self.dependencies.generator.attempts()
            if attempt.at_s >= injected_s and not attempt.result.good
        )
        return min(failures, default=None)

    def _serving_since(self) -> float | None:
        """When the first of enough payments in a row was acknowledged by the other region."""
        streak = self.dependencies.generator.snapshot().streaks.get(self.dependencies.other)
        if streak is None or streak.length < self.request.in_a_row:
            return None
        return streak.began_s

    # -- and back ----------------------------------------------------------------------------------------

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
                reckoning = self.dependencies.reconcile()
            except Exception as error:  # noqa: BLE001 - the report must come, and say that this is missing
                note.detail, note.failed = f"the payments could not be read: {error}", True
                return None
            note.detail = f"{reckoning.acknowledged} of {reckoning.sent} payments acknowledged"
            return reckoning

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
        self, aborted: str, restoration: Restoration, reckoning: Reconciliation | None
    ) -> DrillReport:
        ended = self.clock.elapsed()
        injected = self._injected_s if self._injected_s is not None else ended
        restored = self._restored_s if self._restored_s is not None else ended
        attempts = self.dependencies.generator.attempts()
        recovery = RecoveryTime(
            predicted_s=self.prediction.recovery_s,
            objective_s=self.prediction.recovery_s if self.request.rto_s is None else self.request.rto_s,
            measured_s=None if self._recovered_s is None else self._recovered_s - injected,
        )
        served = served_between(attempts, injected, restored)
        both = () if self.prediction.switches or self._injected_s is None else self._regions
        verdict = judge(
            DrillEvidence(
                prediction=self.prediction,
                recovery=recovery,
                rpo=self.request.rpo,
                reckoning=reckoning,
                restoration=restoration,
                unsteady=tuple(self._unsteady),
                aborted=aborted,
                silent=tuple(region for region in both if region not in served),
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
            reckoning=reckoning,
            recovery=recovery,
            rpo=self.request.rpo,
            restoration=restoration,
            resilience=verdict.resilience,
            restored=verdict.restored,
            reasons=verdict.reasons,
            aborted=aborted,
            command=self.identity.command,
        )


def _few(problems: tuple[str, ...]) -> str:
    """The first problems in one phrase, and how many there are besides."""
    more = len(problems) - NAMED
    return "; ".join(problems[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _not(healthy: bool) -> bool:
    return not healthy

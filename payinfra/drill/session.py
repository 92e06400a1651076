"""Prepares a drill of a real environment, runs it, and restores those that did not end."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.apigateway import api_key
from payinfra.checks.probes.model import ProbeContext
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.probes.route53_zone import name_servers
from payinfra.checks.probes.verify import CONNECT_S, READ_S, around
from payinfra.checks.verdicts import Severity
from payinfra.clients.dns import NameServer
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, GateFailed, PayinfraError, UsageProblem
from payinfra.drill import observers, preconditions, reconciliation, replicas
from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.engine import Drill, DrillDependencies, DrillId
from payinfra.drill.environment import DrillEnvironment
from payinfra.drill.faults import scenarios, watchdog
from payinfra.drill.faults.actions import ActionDescription, FaultAction, SetTimeScale
from payinfra.drill.faults.executor import WITHIN_S, AwsFaultExecutor, FaultExecutor
from payinfra.drill.faults.journal import FaultJournal, Header, open_journals
from payinfra.drill.faults.model import FaultContext
from payinfra.drill.faults.rollback import Keep, keep_nothing, restore
from payinfra.drill.load import payment_log, targets
from payinfra.drill.load.generator import LoadGenerator, LoadProfile, Pace
from payinfra.drill.load.payments import Maker
from payinfra.drill.model import (
    DrillReport,
    DrillRequest,
    Judgement,
    Phase,
    Reconciliation,
    Restoration,
    Restored,
    Tell,
    tell_nobody,
)
from payinfra.drill.prediction import Prediction, predict
from payinfra.drill.stop_conditions import at_most
from payinfra.drill.timeline import Recorder, replay

COMMAND = "failover-drill"
UNREAD = "All was put back at a second attempt, but the payments are still to be read back and removed."
RECONCILED_WITHIN_S = 60.0
"""How long payments may take to be the same in both regions once the fault is gone, in seconds."""
CROSSED_WITHIN_S = 2.0
"""How long one mark is waited for that shows whether replication has caught up, in seconds."""
WATCHDOG_LATER = timedelta(minutes=2)
"""How long after the latest end of a drill its watchdog lifts the fault; Scheduler is true to the minute."""
RESEND_AFTER_S = 60.0
"""When an acknowledged payment is sent once more at the latest, in unscaled seconds …"""
RESEND_AFTER_FLOOR_S = 5.0
"""… and not sooner than this."""
EMBEDDED_WITHIN_S = 15.0
"""How long a change to the embedded AWS is tried again: it answers at once, or not at all."""
RETRIES = preconditions.ATTEMPTS_A_PAYMENT - 1.0

Say = Callable[[str], None]
Servers = tuple[NameServer, ...]


@dataclass(frozen=True)
class Prepared:
    """A drill that may begin: nothing has been sent or changed.

    Attributes:
        header: what identifies it.
        preparations: done before anything is measured, and undone last.
        watchdogs: armed before the actions, on AWS.
        actions: what is injected.
    """

    environment: DrillEnvironment
    request: DrillRequest
    prediction: Prediction
    header: Header
    preparations: tuple[FaultAction, ...]
    watchdogs: tuple[FaultAction, ...]
    actions: tuple[FaultAction, ...]
    clock: RealClock
    stop: Stop
    recorder: Recorder

    @property
    def calls(self) -> tuple[str, ...]:
        """Every call that changes the environment, in order; payments apart."""
        changes = (*self.preparations, *self.watchdogs, *self.actions)
        return tuple(call for change in changes for call in change.describe().calls)

    @property
    def folder(self) -> Path:
        """The drill's own."""
        return self.environment.drills / self.header.drill


@contextmanager
def prepared(
    environment: DrillEnvironment, request: DrillRequest, stop: Stop, command: str, tell: Tell = tell_nobody
) -> Iterator[Prepared]:
    """Look whether a drill may begin; the environment's lock is held as long as the block runs.

    Args:
        command: what was typed.
        tell: told of what happens meanwhile; whoever runs the drill may be somebody else.

    Raises:
        UsageProblem: the request makes no sense here.
        GateFailed: something speaks against it.
        EnvironmentUnusable: another command holds the lock, or something cannot be told.
    """
    scenarios.check(request, on_aws=environment.on_aws)
    declared = environment.outputs.declared
    if declared.dns.delegated and not environment.on_aws:
        raise UsageProblem(
            "On the embedded AWS a name of a domain of one's own has one address for both regions, so that "
            "nobody can see which one it leads to.",
            "Drill an environment without --domain there, or this one on AWS.",
        )
    clock = RealClock(stop)
    recorder = Recorder(clock, tell)
    with ExitStack() as held:
        with recorder.phase(Phase.LOCK):
            held.enter_context(exclusive(environment.work_dir, COMMAND))
        with recorder.phase(Phase.RECORD) as note:
            prediction = predict(request, declared.health, declared.dns, on_aws=environment.on_aws)
            situation = preconditions.gather(
                environment.outputs, environment.aws, environment.control, environment.drills
            )
            preconditions.require(
                preconditions.failed_preconditions(
                    situation,
                    request,
                    environment.outputs,
                    target=environment.target,
                    predicted_s=prediction.whole_s,
                )
            )
            note.detail = f"account {situation.account}"
        now = datetime.now(UTC)
        drill = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        longest_s = at_most(prediction.losing_s)
        context = FaultContext(
            drill=drill,
            on_aws=environment.on_aws,
            longest_s=longest_s,
            ends_by=now + timedelta(seconds=longest_s) + WATCHDOG_LATER,
            outputs=environment.outputs,
            lost=scenarios.lost_region(request, environment.outputs),
            state=situation.lost_region(reverse=request.reverse),
        )
        yield Prepared(
            environment=environment,
            request=request,
            prediction=prediction,
            header=Header(
                drill=drill,
                env=environment.env,
                target=environment.target,
                account=situation.account,
                regions=(environment.outputs.primary_region, environment.outputs.secondary_region),
                scenarios=tuple(request.scenarios),
                began=now,
                command=command,
            ),
            preparations=scenarios.preparations(request, situation, on_aws=environment.on_aws),
            watchdogs=scenarios.watchdogs(request, context),
            actions=scenarios.actions(request, context),
            clock=clock,
            stop=stop,
            recorder=recorder,
        )


def run(drill: Prepared, tell: Tell) -> DrillReport:
    """Run a prepared drill to its report.

    Raises:
        GateFailed: the environment is not in its steady state; nothing was done to it.
        FaultFailed: it could not be prepared, and is as it was.
    """
    if drill.recorder.tell is not tell:
        replay(drill.recorder, tell)
    environment, executor = drill.environment, _executor(drill.environment, drill.header.account)
    journal = FaultJournal.begin(drill.folder, drill.header)
    clean = False
    try:
        _inject(drill.preparations, journal, executor)
        with (
            around(environment.outputs, environment.aws) as live,
            payment_log.PaymentLog(drill.folder / payment_log.NAME) as log,
        ):
            armed = (
                watchdog.arm(drill.watchdogs, journal, executor) if environment.on_aws else watchdog.EMBEDDED
            )
            dependencies = _dependencies(drill, live, log, journal, armed)
            report = Drill(
                identity=DrillId(
                    drill.header.drill,
                    environment.env,
                    environment.target,
                    drill.header.began,
                    drill.header.command,
                ),
                request=drill.request,
                prediction=drill.prediction,
                dependencies=dependencies,
                journal=journal,
                clock=drill.clock,
                stop=drill.stop,
                recorder=drill.recorder,
            ).run()
        # Where something was in place when payments were to be read, `--restore` has yet to read them.
        clean = not report.restoration.left
    except GateFailed:
        clean = True
        raise
    finally:
        last = _restore(environment, journal, executor, drill.recorder.mark)
        if clean and not last.left:
            journal.close()
    return with_left(report, last)


def _executor(environment: DrillEnvironment, account: str) -> FaultExecutor:
    """What changes the environment. It tries again by itself: its clients need not."""
    within_s = WITHIN_S if environment.on_aws else EMBEDDED_WITHIN_S
    brief = environment.aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1)
    return AwsFaultExecutor(brief, environment.control, within_s=within_s, account=account)


def _restore(
    environment: DrillEnvironment,
    journal: FaultJournal,
    executor: FaultExecutor,
    say: Say,
    *,
    armed: str = "",
    keep: Keep = keep_nothing,
) -> Restoration:
    def describe(action: FaultAction) -> ActionDescription:
        return action.describe(environment.aws.endpoints)

    return restore(journal, executor, say, describe=describe, watchdog=armed, keep=keep)


def _inject(actions: tuple[FaultAction, ...], journal: FaultJournal, executor: FaultExecutor) -> None:
    for action in actions:
        number = journal.announce(action)
        executor.inject(action)
        journal.done(number)


def with_left(report: DrillReport, last: Restoration) -> DrillReport:
    """The report, with what the last restoration, once all was measured, could not undo either."""
    first = report.restoration
    if not (first.left or last.left):
        return report
    # The last one tried again what the first could not.
    left = last.left or (UNREAD,)
    reasons = tuple(reason for reason in report.reasons if reason not in first.left)
    restoration = replace(first, undone=first.undone + last.undone, left=left)
    return replace(report, restoration=restoration, restored=Judgement.FAILED, reasons=reasons + left)


# -- the dependencies --------------------------------------------------------------------------------------


def _dependencies(
    drill: Prepared, live: ProbeContext, log: payment_log.PaymentLog, journal: FaultJournal, armed: str
) -> DrillDependencies:
    environment, request = drill.environment, drill.request
    lost, other = (site.region for site in (live.sites[::-1] if request.reverse else live.sites))
    executor = _executor(environment, drill.header.account)
    check = scenarios.lost_region(request, environment.outputs).health_check_id

    def sets_time_scale(action: FaultAction) -> bool:
        return isinstance(action, SetTimeScale)

    servers = live.dns.servers(name_servers(live))
    return DrillDependencies(
        lost=lost,
        other=other,
        actions=drill.actions,
        executor=executor,
        generator=LoadGenerator(_load(drill, live, servers, log)),
        steady=lambda: _unsteady(environment.verify(VerifyRequest())),
        healthy=observers.HealthCheckWatcher(live.aws, other, check, live.declared.health.threshold).healthy,
        dns=observers.failover_dns_watcher(live, servers, lost, reverse=request.reverse).ask,
        restore=lambda: _restore(
            environment, journal, executor, drill.recorder.mark, armed=armed, keep=sets_time_scale
        ),
        caught_up=lambda: replicas.have_caught_up(live, CROSSED_WITHIN_S),
        reconcile=lambda: _reconcile(environment, drill.folder, log),
    )


def _load(drill: Prepared, live: ProbeContext, servers: Servers, log: payment_log.PaymentLog) -> LoadProfile:
    environment, request = drill.environment, drill.request
    return LoadProfile(
        pace=Pace(
            rate=request.rate,
            time_out_s=drill.prediction.request_timeout_s,
            retries=RETRIES,
            resend_after_s=max(RESEND_AFTER_S / request.time_scale, RESEND_AFTER_FLOOR_S),
        ),
        maker=Maker(environment.env, drill.header.drill),
        log=log,
        routes=targets.target_resolvers(live, servers, to_both=scenarios.sends_to_both(request)),
        api_key=api_key(live, live.sites[0]),
        clock=drill.clock,
    )


def _unsteady(outcome: Outcome) -> tuple[str, ...]:
    return tuple(
        f"{finding.id} in {finding.address}: {finding.message or finding.title}"
        for finding in outcome.failing(Severity.LOW)
    )


def _reconcile(
    environment: DrillEnvironment,
    folder: Path,
    log: payment_log.PaymentLog,
    within_s: float = RECONCILED_WITHIN_S,
) -> Reconciliation:
    """Read the payments back from the log that was written, and remove them."""
    log.flush()
    entries = payment_log.read(folder / payment_log.NAME)
    here, there = (replicas.TableReplica(environment.aws, region) for region in environment.outputs.regions)
    return reconciliation.reconcile(entries, (here, there), log, within_s=within_s)


# -- afterwards --------------------------------------------------------------------------------------------


def restore_all(
    environment: DrillEnvironment, say: Say, *, reconciled_within_s: float = RECONCILED_WITHIN_S
) -> tuple[Restored, ...]:
    """Put back what drills have left, read their payments back and remove them. Once more changes nothing.

    A journal that cannot be read stops no other.

    Args:
        environment: whose drills they are.
        say: told of each step in a sentence.
        reconciled_within_s: how long payments may take to be the same in both regions, in seconds.

    Raises:
        EnvironmentUnusable: another command holds the lock.
    """
    with exclusive(environment.work_dir, COMMAND):
        return tuple(
            _restored(environment, path, say, reconciled_within_s)
            for path in open_journals(environment.drills)
        )


def _restored(environment: DrillEnvironment, path: Path, say: Say, within_s: float) -> Restored:
    name, log_path = path.parent.name, path.parent / payment_log.NAME
    try:
        journal = FaultJournal.reopen(path)
        account = journal.read().header.account
    except EnvironmentUnusable as error:
        return Restored(name, Restoration((), (f"{error.what} {error.hint}",)), None)
    restoration = _restore(environment, journal, _executor(environment, account), say)
    counted: Reconciliation | None = None
    problem = ""
    if log_path.exists():
        say("Reading the drill's payments back, and removing them.")
        try:
            with payment_log.PaymentLog(log_path) as log:
                counted = _reconcile(environment, path.parent, log, within_s)
        except (PayinfraError, ClientError, BotoCoreError) as error:
            problem = str(error)
    found = Restored(name, restoration, counted, problem)
    if found.whole:
        journal.close()
    return found

"""Prepares a drill of a real environment, runs it, and restores those that did not end."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.model import ProbeContext
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.probes.route53_zone import name_servers
from payinfra.checks.probes.verify import CONNECT_S, READ_S, around
from payinfra.checks.verdicts import Severity
from payinfra.clients.dns import NameServer
from payinfra.clients.payments_api import read_api_key
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, GateFailed, PayinfraError, UsageProblem
from payinfra.drill import observers, preconditions, reconciliation, replicas
from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.engine import Drill, DrillDependencies, DrillId
from payinfra.drill.environment import DrillEnvironment
from payinfra.drill.faults import scenarios, watchdog
from payinfra.drill.faults.executor import WITHIN_S, AwsFaultExecutor, FaultExecutor
from payinfra.drill.faults.journal import FaultJournal, Header, open_journals
from payinfra.drill.faults.model import ArmWatchdog, Fault, SetTimeScale, describe
from payinfra.drill.faults.rollback import Spare, nothing, restore
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
RECKONED_WITHIN_S = 60.0
"""How long payments may take to be the same in both regions once the fault is gone, in seconds."""
CROSSED_WITHIN_S = 2.0
"""How long one mark is waited for that shows whether replication has caught up, in seconds."""
WATCHDOG_LATER = timedelta(minutes=2)
"""How long after the latest end of a drill its watchdog lifts the fault; Scheduler is true to the minute."""
AGAIN_AFTER_S = 60.0
"""When an acknowledged payment is sent once more at the latest, in unscaled seconds …"""
AGAIN_AFTER_FLOOR_S = 5.0
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
        watchdogs: armed before the mutations, on AWS.
        mutations: what is injected.
    """

    place: DrillEnvironment
    request: DrillRequest
    prediction: Prediction
    header: Header
    preparations: tuple[Fault, ...]
    watchdogs: tuple[ArmWatchdog, ...]
    mutations: tuple[Fault, ...]
    clock: RealClock
    stop: Stop
    recorder: Recorder

    @property
    def calls(self) -> tuple[str, ...]:
        """Every call that changes the environment, in order; payments apart."""
        changes = (*self.preparations, *self.watchdogs, *self.mutations)
        return tuple(call for change in changes for call in describe(change).calls)

    @property
    def folder(self) -> Path:
        """The drill's own."""
        return self.place.drills / self.header.drill


@contextmanager
def prepared(
    place: DrillEnvironment, request: DrillRequest, stop: Stop, command: str, tell: Tell = tell_nobody
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
    scenarios.check(request, on_aws=place.on_aws)
    declared = place.outputs.declared
    if declared.dns.delegated and not place.on_aws:
        raise UsageProblem(
            "On the embedded AWS a name of a domain of one's own has one address for both regions, so that "
            "nobody can see which one it leads to.",
            "Drill an environment without --domain there, or this one on AWS.",
        )
    clock = RealClock(stop)
    recorder = Recorder(clock, tell)
    with ExitStack() as held:
        with recorder.phase(Phase.LOCK):
            held.enter_context(exclusive(place.work_dir, COMMAND))
        with recorder.phase(Phase.RECORD) as note:
            prediction = predict(request, declared.health, declared.dns, on_aws=place.on_aws)
            situation = preconditions.gather(place.outputs, place.aws, place.control, place.drills)
            preconditions.require(
                preconditions.failed_preconditions(
                    situation,
                    request,
                    place.outputs,
                    target=place.target,
                    predicted_s=prediction.whole_s,
                )
            )
            originals = situation.originals(request)
            note.detail = f"account {situation.account}"
        now = datetime.now(UTC)
        drill = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        longest_s = at_most(prediction.losing_s)
        frame = scenarios.FaultContext(drill, place.on_aws, longest_s)
        mutations = scenarios.mutations(request, place.outputs, originals, frame)
        lifted = now + timedelta(seconds=longest_s) + WATCHDOG_LATER
        yield Prepared(
            place=place,
            request=request,
            prediction=prediction,
            header=Header(
                drill=drill,
                env=place.env,
                target=place.target,
                account=situation.account,
                regions=(place.outputs.primary_region, place.outputs.secondary_region),
                scenarios=tuple(scenario.value for scenario in request.scenarios),
                began=now,
                command=command,
            ),
            preparations=scenarios.preparations(request, originals, frame),
            watchdogs=(
                watchdog.watchdogs(mutations, place.outputs, drill=drill, at=lifted) if place.on_aws else ()
            ),
            mutations=mutations,
            clock=clock,
            stop=stop,
            recorder=recorder,
        )


def run(drill: Prepared, tell: Tell) -> DrillReport:
    """Run a prepared drill to its report.

    Raises:
        GateFailed: the environment is not in its steady state; nothing was done to it.
        MutationFailed: it could not be prepared, and is as it was.
    """
    if drill.recorder.tell is not tell:
        replay(drill.recorder, tell)
    place, hands = drill.place, _executor(drill.place, drill.header.account)
    journal = FaultJournal.begin(drill.folder, drill.header)
    clean = False
    try:
        _do(drill.preparations, journal, hands)
        with (
            around(place.outputs, place.aws) as live,
            payment_log.PaymentLog(drill.folder / payment_log.NAME) as book,
        ):
            armed = watchdog.arm(drill.watchdogs, journal, hands) if place.on_aws else watchdog.EMBEDDED
            world = _world(drill, live, book, journal, armed)
            report = Drill(
                title=DrillId(
                    drill.header.drill, place.env, place.target, drill.header.began, drill.header.command
                ),
                request=drill.request,
                prediction=drill.prediction,
                world=world,
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
        last = _restore(place, journal, hands, drill.recorder.mark)
        if clean and not last.left:
            journal.close()
    return with_left(report, last)


def _executor(place: DrillEnvironment, account: str) -> FaultExecutor:
    """What changes the environment. It tries again by itself: its clients need not."""
    within_s = WITHIN_S if place.on_aws else EMBEDDED_WITHIN_S
    brief = place.aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1)
    return AwsFaultExecutor(brief, place.control, within_s=within_s, account=account)


def _restore(
    place: DrillEnvironment,
    journal: FaultJournal,
    hands: FaultExecutor,
    say: Say,
    *,
    armed: str = "",
    spare: Spare = nothing,
) -> Restoration:
    words = partial(describe, endpoints=place.aws.endpoints)
    return restore(journal, hands, say, describe=words, watchdog=armed, spare=spare)


def _do(mutations: tuple[Fault, ...], journal: FaultJournal, hands: FaultExecutor) -> None:
    for mutation in mutations:
        number = journal.announce(mutation)
        hands.do(mutation)
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


# -- the world ---------------------------------------------------------------------------------------------


def _world(
    drill: Prepared, live: ProbeContext, book: payment_log.PaymentLog, journal: FaultJournal, armed: str
) -> DrillDependencies:
    place, request = drill.place, drill.request
    lost, other = (site.region for site in (live.sites[::-1] if request.reverse else live.sites))
    hands = _executor(place, drill.header.account)
    check = scenarios.lost_region(request, place.outputs).health_check_id

    def paced(mutation: Fault) -> bool:
        return isinstance(mutation, SetTimeScale)

    servers = live.dns.servers(name_servers(live))
    return DrillDependencies(
        lost=lost,
        other=other,
        mutations=drill.mutations,
        hands=hands,
        generator=LoadGenerator(_load(drill, live, servers, book)),
        steady=lambda: _unsteady(place.verify(VerifyRequest())),
        healthy=observers.HealthCheckWatcher(live.aws, other, check, live.declared.health.threshold).healthy,
        signs=observers.failover_dns_watcher(live, servers, lost, reverse=request.reverse).ask,
        restore=lambda: _restore(place, journal, hands, drill.recorder.mark, armed=armed, spare=paced),
        caught_up=lambda: replicas.have_caught_up(live, CROSSED_WITHIN_S),
        reckon=lambda: _reckon(place, drill.folder, book),
    )


def _load(drill: Prepared, live: ProbeContext, servers: Servers, book: payment_log.PaymentLog) -> LoadProfile:
    place, request = drill.place, drill.request
    return LoadProfile(
        pace=Pace(
            rate=request.rate,
            time_out_s=drill.prediction.request_timeout_s,
            retries=RETRIES,
            again_after_s=max(AGAIN_AFTER_S / request.time_scale, AGAIN_AFTER_FLOOR_S),
        ),
        maker=Maker(place.env, drill.header.drill),
        book=book,
        routes=targets.ways(live, servers, to_both=request.to_both),
        api_key=read_api_key(live.aws, live.sites[0].outputs),
        clock=drill.clock,
    )


def _unsteady(outcome: Outcome) -> tuple[str, ...]:
    return tuple(
        f"{finding.id} in {finding.address}: {finding.message or finding.title}"
        for finding in outcome.failing(Severity.LOW)
    )


def _reckon(
    place: DrillEnvironment, folder: Path, book: payment_log.PaymentLog, within_s: float = RECKONED_WITHIN_S
) -> Reconciliation:
    """Read the payments back from the ledger that was written, and remove them."""
    book.flush()
    entries = payment_log.read(folder / payment_log.NAME)
    here, there = (replicas.TableReplica(place.aws, region) for region in place.outputs.regions)
    return reconciliation.reconcile(entries, (here, there), book, within_s=within_s)


# -- afterwards --------------------------------------------------------------------------------------------


def restore_all(
    place: DrillEnvironment, say: Say, *, reckoned_within_s: float = RECKONED_WITHIN_S
) -> tuple[Restored, ...]:
    """Put back what drills have left, read their payments back and remove them. Once more changes nothing.

    A journal that cannot be read stops no other.

    Args:
        place: the environment.
        say: told of each step in a sentence.
        reckoned_within_s: how long payments may take to be the same in both regions, in seconds.

    Raises:
        EnvironmentUnusable: another command holds the lock.
    """
    with exclusive(place.work_dir, COMMAND):
        return tuple(_restored(place, path, say, reckoned_within_s) for path in open_journals(place.drills))


def _restored(place: DrillEnvironment, path: Path, say: Say, within_s: float) -> Restored:
    name, book_path = path.parent.name, path.parent / payment_log.NAME
    try:
        journal = FaultJournal.reopen(path)
        account = journal.read().header.account
    except EnvironmentUnusable as error:
        return Restored(name, Restoration((), (f"{error.what} {error.hint}",)), None)
    restoration = _restore(place, journal, _executor(place, account), say)
    counted: Reconciliation | None = None
    problem = ""
    if book_path.exists():
        say("Reading the drill's payments back, and removing them.")
        try:
            with payment_log.PaymentLog(book_path) as book:
                counted = _reckon(place, path.parent, book, within_s)
        except (PayinfraError, ClientError, BotoCoreError) as error:
            problem = str(error)
    found = Restored(name, restoration, counted, problem)
    if found.whole:
        journal.close()
    return found

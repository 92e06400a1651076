"""Prepares a drill of a real environment, runs it, and restores those that did not end."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.probes.route53_zone import name_servers
from payinfra.checks.probes.verify import CONNECT_S, READ_S, around
from payinfra.checks.verdicts import Severity
from payinfra.clients.dns import DnspythonDns, NameServer
from payinfra.clients.payments_api import read_api_key
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, GateFailed, Interrupted
from payinfra.core.naming import objects_of_tests
from payinfra.drill import (
    machine_speed,
    observers,
    preconditions,
    replicas,
)
from payinfra.drill.alarm_watch import AlarmWatch, WatchedAlarm, expected_alarms, ringing_in
from payinfra.drill.audit_objects import S3AuditStore
from payinfra.drill.clock import RealClock, Stop
from payinfra.drill.engine import Drill, DrillDependencies, DrillId, Generator, Read
from payinfra.drill.environment import COMMAND, DrillEnvironment
from payinfra.drill.evidence import FaultObserver
from payinfra.drill.faults import scenarios, watchdog, watchdog_process
from payinfra.drill.faults.actions import FaultAction, FaultClients, HoldTimeScale
from payinfra.drill.faults.evacuation import declared_in
from payinfra.drill.faults.executor import FaultExecutor
from payinfra.drill.faults.fail_back import HoldFailBack
from payinfra.drill.faults.journal import (
    FaultJournal,
    Header,
)
from payinfra.drill.faults.model import EvidenceSources, FaultContext, HealthEffect
from payinfra.drill.load import payment_log, targets
from payinfra.drill.load.connections import dialer
from payinfra.drill.load.generator import LoadGenerator, LoadProfile, Pace
from payinfra.drill.load.payments import Maker, customer
from payinfra.drill.load.targets import ClientKind, TargetResolver
from payinfra.drill.load.worker_master import LoadNotBegun, WorkerLoad, plan_of
from payinfra.drill.load.worker_order import ClientsByName, LoadOrder
from payinfra.drill.machine import LEAST_WINDOW_S, MachineWatch
from payinfra.drill.model import (
    DrillReport,
    DrillRequest,
    Judgement,
    LoadEngine,
    Phase,
    Restoration,
    Tell,
    tell_nobody,
)
from payinfra.drill.prediction import ALARMS_LOOK_BACK_S, Prediction, kept_s, predict
from payinfra.drill.restoration import executor_of, reconcile_payments, roll_back
from payinfra.drill.separation import HeldObjects, Separation
from payinfra.drill.stop_conditions import at_most
from payinfra.drill.survivor import WITHIN_S as SURVIVOR_WITHIN_S
from payinfra.drill.survivor import read_survivor
from payinfra.drill.timeline import Recorder, replay
from payinfra.drill.verdict import not_removed

UNREAD = "All was put back at a second attempt, but the payments are still to be read back and removed."
PAYMENTS_UNREAD = "The drill's payments could not be read back, and are still to be removed."
AWS_SETTLED_S, SETTLED_S = 10.0, 1.0
AWS_COPIED_S = 60.0
"""How long a payment takes to the other region where nothing keeps it back: on AWS, on the embedded one."""
CROSSED_WITHIN_S = 2.0
"""How long one mark is waited for that shows whether replication has caught up, in seconds."""
WATCHDOG_LATER = timedelta(minutes=2)
"""How long after the latest end of a drill its watchdog lifts the fault; Scheduler is true to the minute."""
RESEND_AFTER_S = 60.0
"""When an acknowledged payment is sent once more at the latest, in unscaled seconds …"""
RESEND_AFTER_FLOOR_S = 5.0
"""… and not sooner than this."""
RETRIES = preconditions.ATTEMPTS_A_PAYMENT - 1.0


@dataclass(frozen=True)
class PollIntervals:
    """How often it is asked again, in seconds.

    Attributes:
        health_s: what Route 53 makes of the health check.
        evidence_s: whether a fault is in effect.
    """

    health_s: float
    evidence_s: float


Say = Callable[[str], None]
Servers = tuple[NameServer, ...]


@dataclass(frozen=True)
class Prepared:
    """A drill that may begin: nothing has been sent or changed.

    Attributes:
        header: what identifies it.
        preparations: done before anything is measured, and undone last.
        watchdogs: armed before the actions, on AWS.
        injections: what is injected for each fault.
        alarms: what each declared alarm has to do meanwhile.
        ends_by: when a watchdog lifts the faults.
        machine: the machine that the drill runs on, looked at since it began.
    """

    environment: DrillEnvironment
    request: DrillRequest
    prediction: Prediction
    header: Header
    preparations: tuple[FaultAction, ...]
    watchdogs: tuple[FaultAction, ...]
    injections: tuple[scenarios.Injection, ...]
    alarms: tuple[WatchedAlarm, ...]
    ends_by: datetime
    machine: MachineWatch
    clock: RealClock
    stop: Stop
    recorder: Recorder

    @property
    def actions(self) -> tuple[FaultAction, ...]:
        """Everything that is injected, in order."""
        return tuple(action for one in self.injections for action in one.actions)

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
        GateFailed: it may not begin.
        EnvironmentUnusable: another command holds the lock, or something cannot be told.
    """
    scenarios.check(request, on_aws=environment.on_aws)
    if request.load is LoadEngine.LOCUST:
        plan_of(request, os.environ)
    declared = environment.outputs.declared
    endpoints = environment.aws.endpoints
    served = environment.on_aws or (endpoints is not None and endpoints.https)
    if declared.dns.delegated and not served:
        raise EnvironmentUnusable(
            "This embedded AWS does not serve names of your own domain: an earlier version started it.",
            "Restart it: `payinfra local down`, then `payinfra local up`. It keeps its content.",
        )
    evacuation = declared_in(environment.outputs) if scenarios.evacuates(request) else None
    clock = RealClock(stop)
    recorder = Recorder(clock, tell)
    with ExitStack() as held:
        with recorder.phase(Phase.LOCK):
            held.enter_context(exclusive(environment.work_dir, COMMAND))
            if environment.shared is not None:  # Its faults and its time are all environments'.
                drills = f"{COMMAND} --env {environment.env} --local"
                held.enter_context(exclusive(environment.shared, drills, "This embedded AWS"))
        with recorder.phase(Phase.RECORD) as note:
            request, slow_s = _fit_to_machine(environment, request)
            prediction = predict(
                request,
                declared.health,
                declared.dns,
                on_aws=environment.on_aws,
                slow_s=slow_s,
                evacuation=evacuation,
            )
            alarms = expected_alarms(
                declared,
                scenarios.chosen_faults(request),
                lost=scenarios.lost_region(request, environment.outputs).region,
                found_out_s=prediction.phases.get(Phase.UNHEALTHY, 0.0),
                time_scale=request.time_scale,
                on_aws=environment.on_aws,
            )
            prediction = prediction.waiting_until(max((one.within_s or 0.0 for one in alarms), default=0.0))
            machine = MachineWatch(
                clock.elapsed,
                None if environment.control is None else environment.control.list,
                looks_back_s=max(LEAST_WINDOW_S, ALARMS_LOOK_BACK_S / request.time_scale),
            )
            machine.take()
            situation = preconditions.gather(
                environment.outputs, environment.aws, environment.control, environment.drills
            )
            machine.take()
            preconditions.require(
                preconditions.failed_preconditions(
                    situation,
                    request,
                    environment.outputs,
                    target=environment.target,
                    predicted_s=prediction.whole_s,
                    busy=machine.busy_so_far(on_aws=environment.on_aws),
                )
            )
            note.detail = f"account {situation.account}, {request.payments_a_second:g} payments a second"
        now = datetime.now(UTC)
        drill = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        longest_s = at_most(prediction.losing_s)
        context = FaultContext(
            drill=drill,
            on_aws=environment.on_aws,
            began=now,
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
            preparations=scenarios.preparations(request, f"{environment.env}/{drill}", context),
            watchdogs=scenarios.watchdogs(request, context),
            injections=scenarios.injections(request, context),
            alarms=alarms,
            ends_by=context.ends_by,
            machine=machine,
            clock=clock,
            stop=stop,
            recorder=recorder,
        )


def run(drill: Prepared, tell: Tell) -> DrillReport:
    """Run a prepared drill to its report.

    Raises:
        GateFailed: the environment is not in its steady state; nothing was done to it.
        LoadNotBegun, Interrupted: the load's workers did not come; nothing was done to it.
        FaultFailed: it could not be prepared, and is as it was.
    """
    if drill.recorder.tell is not tell:
        replay(drill.recorder, tell)
    environment, executor = drill.environment, executor_of(drill.environment, drill.header.account)
    journal = FaultJournal.begin(drill.folder, drill.header)
    clean = False
    try:
        _inject(drill.preparations, journal, executor)
        with (
            around(environment.outputs, environment.aws) as live,
            payment_log.PaymentLog(drill.folder / payment_log.NAME) as log,
        ):
            armed = _arm(drill, journal, executor)
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
        # What was in place when payments were to be read, and what could not be removed, is for `--restore`.
        clean = not what_is_left(report)
    except (GateFailed, LoadNotBegun, Interrupted):  # Nothing was sent.
        clean = True
        raise
    finally:
        last = roll_back(environment, journal, executor, drill.recorder.mark)
        if clean and not last.left:
            journal.close()
    return with_left(report, last)


def _arm(drill: Prepared, journal: FaultJournal, executor: FaultExecutor) -> str:
    """Have something outside of this process ready to lift the faults; what, or why nothing is."""
    control, endpoints = drill.environment.control, drill.environment.aws.endpoints
    if control is None or endpoints is None:
        return watchdog.arm(drill.watchdogs, journal, executor)
    order = watchdog_process.Order.of(journal.path, drill.ends_by, control, endpoints, drill.header.account)
    return watchdog_process.start(order)


def _inject(actions: tuple[FaultAction, ...], journal: FaultJournal, executor: FaultExecutor) -> None:
    for action in actions:
        number = journal.announce(action)
        executor.inject(action)
        journal.done(number)


def what_is_left(report: DrillReport) -> tuple[str, ...]:
    """What a drill has left behind that `--restore` can put back or remove, a sentence each."""
    if report.restoration.left:
        return report.restoration.left
    if report.reconciliation is None:
        return (PAYMENTS_UNREAD,)
    return tuple(not_removed(report.reconciliation))


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


def _fit_to_machine(environment: DrillEnvironment, request: DrillRequest) -> tuple[DrillRequest, float]:
    """The request with the rate that the machine can carry, unless one was asked for; how long answers take.

    Raises:
        EnvironmentUnusable: a region of the embedded AWS does not answer.
    """
    if environment.on_aws:
        return replace(request, rate=request.payments_a_second), 0.0
    with around(environment.outputs, environment.aws) as live:
        urls = [_health_url(live, site) for site in live.sites]

        def ask() -> None:
            for url, host in urls:
                live.http.ask("GET", url, {"Host": host})

        try:
            speed = machine_speed.measure(ask)
        except httpx.TransportError as error:
            raise EnvironmentUnusable(
                f"A region of the embedded AWS does not answer: {type(error).__name__}.",
                "See `payinfra local status`, then drill again.",
            ) from None
    rate = speed.rate if request.rate is None else request.rate
    return replace(request, rate=rate), speed.timeout_s


def _health_url(live: ProbeContext, site: RegionUnderTest) -> tuple[str, str]:
    """The URL of a region's own health page, and the Host header that it takes."""
    host = site.declared.api.execute_host
    return live.aws.url(host) + live.declared.health.path, host


# -- the dependencies --------------------------------------------------------------------------------------


def _dependencies(
    drill: Prepared, live: ProbeContext, log: payment_log.PaymentLog, journal: FaultJournal, armed: str
) -> DrillDependencies:
    environment, request, clock = drill.environment, drill.request, drill.clock
    lost, other = live.sites[::-1] if request.reverse else live.sites
    executor = executor_of(environment, drill.header.account)

    def stays_to_the_end(action: FaultAction) -> bool:
        """What the name's return is measured under: the pace of time, and that nothing keeps it away."""
        return isinstance(action, HoldTimeScale | HoldFailBack)

    # One attempt, so that a region that answers nothing delays the look at the other as little as possible.
    brief = live.aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1)
    servers = live.dns.servers(name_servers(live))
    profile = _load(drill, live, servers, log)
    generator = _generator(drill, live, servers, profile)
    return DrillDependencies(
        lost=lost.region,
        other=other.region,
        on_aws=environment.on_aws,
        actions=drill.actions,
        executor=executor,
        generator=generator,
        steady=lambda: _unsteady(environment.verify(VerifyRequest())),
        healthy=_health(live, lost, other.region, evacuates=scenarios.evacuates(request)),
        health_every_s=poll_intervals(request.time_scale, on_aws=environment.on_aws).health_s
        * (2 if scenarios.evacuates(request) else 1),
        dns=observers.dns_watcher(live, servers, lost.region, reverse=request.reverse).ask,
        observers=_observers(drill, live, lost, other, generator),
        named_clients=_clients(profile, ClientKind.RESOLVES),
        kept_clients=_clients(profile, ClientKind.KEEPS_CONNECTION),
        read_survivor=_survivor_reader(drill, other),
        alarms=AlarmWatch(drill.alarms, ringing_in(brief), clock.elapsed),
        machine=drill.machine,
        restore=lambda: roll_back(
            environment, journal, executor, drill.recorder.mark, armed=armed, keep=stays_to_the_end
        ),
        caught_up=lambda: replicas.have_caught_up(live, CROSSED_WITHIN_S),
        reconcile=lambda: reconcile_payments(environment, drill.folder, log),
        bring_back=_bring_back(drill, journal, executor, armed) if scenarios.evacuates(request) else None,
    )


def _health(
    live: ProbeContext, lost: RegionUnderTest, through: str, *, evacuates: bool
) -> Callable[[], bool]:
    """What Route 53 makes of the lost region: of its own check, and where it is evacuated of the flag's."""
    declared = live.declared
    own = observers.HealthCheckWatcher(
        live.aws, through, lost.outputs.health_check_id, declared.health.threshold
    )
    if not evacuates or declared.evacuation is None:
        return own.healthy
    flag = observers.HealthCheckWatcher(
        live.aws,
        through,
        declared.evacuation.flag_checks[live.outputs.regions.index(lost.outputs)],
        declared.evacuation.threshold,
        begins_content=False,
    )
    # Both are asked each time: checkers are followed from result to result.
    return lambda: all([own.healthy(), flag.healthy()])


def _bring_back(
    drill: Prepared, journal: FaultJournal, executor: FaultExecutor, armed: str
) -> Callable[[], tuple[str, ...]]:
    """Return to the region once whatever else was injected into it is rolled back."""
    environment = drill.environment
    beside = {
        action
        for one in drill.injections
        if one.fault.health is not HealthEffect.EVACUATED
        for action in one.actions
    }

    def keep(action: FaultAction) -> bool:
        return action not in beside

    def bring_back() -> tuple[str, ...]:
        if beside:
            say = drill.recorder.mark
            restored = roll_back(environment, journal, executor, say, armed=armed, keep=keep)
            if restored.left:
                return restored.left
        if environment.bring_back is None:
            return ()
        lost = scenarios.lost_region(drill.request, environment.outputs).region
        within_s = at_most(drill.prediction.phases.get(Phase.RETURN, 0.0))
        return environment.bring_back(
            lost, within_s, time_scale=drill.request.time_scale, tell=drill.recorder.mark
        )

    return bring_back


def poll_intervals(time_scale: float, *, on_aws: bool) -> PollIntervals:
    """How often a drill asks AWS, or the embedded one, in real seconds.

    All of an account's calls of Route 53 share five a second, and those of GetHealthCheckStatus one a second
    (Route 53 developer guide, "Quotas"): a drill takes less than half of either.
    """
    return PollIntervals(health_s=2.0 / time_scale, evidence_s=4.0 if on_aws else 1.0)


def _clients(profile: LoadProfile, kind: ClientKind) -> tuple[int, ...]:
    return tuple(number for number, one in enumerate(profile.clients) if one.kind is kind)


def _observers(
    drill: Prepared,
    live: ProbeContext,
    lost: RegionUnderTest,
    other: RegionUnderTest,
    generator: Generator,
) -> tuple[FaultObserver, ...]:
    """What looks whether each fault is in effect."""
    url, host = _health_url(live, lost)
    # One attempt each, which does not wait: it is asked again in a moment.
    clients = FaultClients(
        drill.environment.aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=1),
        drill.environment.control,
    )

    def status(of: str, at: str) -> int:
        try:
            return live.http.ask("GET", of, {"Host": at}).status
        except httpx.TransportError:
            return 0

    evacuation, there = live.declared.evacuation, other.declared.api.execute_host
    page = live.aws.url(there) + (evacuation.page if evacuation else "")

    tables = {site.region: replicas.TableReplica(live.aws, site.outputs) for site in (lost, other)}
    on_aws = drill.environment.on_aws
    settle_s = AWS_SETTLED_S if on_aws else SETTLED_S
    sources = EvidenceSources(
        health_page=lambda: status(url, host),
        evacuation_page=lambda: status(page, there),
        is_active=lambda action: action.is_active(clients),
        is_separated=Separation(
            generator.attempts,
            tables,
            drill.clock.elapsed,
            settle_s,
            drill.environment.outputs.canary.id_of,
        ).is_separated,
        copies_wait=HeldObjects(
            generator.attempts,
            lost.region,
            S3AuditStore(live.aws, lost.outputs, locked=False),
            S3AuditStore(live.aws, other.outputs, locked=False),
            objects_of_tests(customer(drill.environment.outputs.environment_suffix)),
            drill.clock.elapsed,
            AWS_COPIED_S if on_aws else SETTLED_S,
            drill.environment.outputs.canary.id_of,
        ).wait,
    )
    together = tuple(one.fault for one in drill.injections)
    found = []
    for one in drill.injections:
        sign = scenarios.observable_sign(one.fault, together)
        found.append(
            FaultObserver(
                one.fault.name,
                sign.what,
                partial(sign.is_seen, sources, one.actions),
                poll_intervals(drill.request.time_scale, on_aws=on_aws).evidence_s,
            )
        )
    return tuple(found)


def _survivor_reader(drill: Prepared, other: RegionUnderTest) -> Callable[[Mapping[str, float], float], Read]:
    """Read the survivor in a thread of its own: the drill goes on meanwhile."""
    replica = replicas.TableReplica(drill.environment.aws, other.outputs)

    def begin(acknowledged: Mapping[str, float], loss_s: float) -> Read:
        pool = ThreadPoolExecutor(1, thread_name_prefix="drill-survivor")
        reading = pool.submit(
            read_survivor,
            acknowledged,
            replica,
            region=other.region,
            loss_s=loss_s,
            elapsed=drill.clock.elapsed,
            sleep=time.sleep,
            id_of=drill.environment.outputs.canary.id_of,
        )
        pool.shutdown(wait=False)
        return lambda: reading.result(2 * SURVIVOR_WITHIN_S)

    return begin


def _load(drill: Prepared, live: ProbeContext, servers: Servers, log: payment_log.PaymentLog) -> LoadProfile:
    environment, request = drill.environment, drill.request
    declared = live.declared
    lost, other = live.sites[::-1] if request.reverse else live.sites
    slow_s = drill.prediction.slow_s
    name, dns = observers.drilled_name(live, lost.region, reverse=request.reverse)

    def resolving(age: float) -> TargetResolver:
        return targets.by_name(
            live.aws, live.outputs, declared, dns, servers, name=name, age=age, least_ttl_s=slow_s
        )

    pinned = other if scenarios.sends_to_both(request) else None
    return LoadProfile(
        pace=Pace(
            rate=request.payments_a_second,
            time_out_s=drill.prediction.request_timeout_s,
            retries=RETRIES,
            resend_after_s=max(RESEND_AFTER_S / request.time_scale, RESEND_AFTER_FLOOR_S),
        ),
        maker=Maker(environment.env, drill.header.drill, environment.outputs.canary),
        log=log,
        clients=targets.load_clients(
            resolving,
            None if pinned is None else targets.by_region(live.aws, pinned.declared),
            targets.client_count(request.payments_a_second, kept_s(declared.dns, request.time_scale, slow_s)),
        ),
        api_key=read_api_key(live.aws, live.sites[0].outputs),
        clock=drill.clock,
    )


def _generator(
    drill: Prepared, live: ProbeContext, servers: Servers, profile: LoadProfile
) -> LoadGenerator | WorkerLoad:
    """What sends the payments: the embedded generator, or workers with clients of the same kinds."""
    environment, request, pace = drill.environment, drill.request, profile.pace
    endpoints = environment.aws.endpoints
    if request.load is LoadEngine.EMBEDDED:
        return LoadGenerator(profile, dialer(endpoints.authority if endpoints else ""))
    lost, other = live.sites[::-1] if request.reverse else live.sites
    name, dns = observers.drilled_name(live, lost.region, reverse=request.reverse)
    clients = ClientsByName(
        outputs=live.outputs.to_flat(),
        regions=None if endpoints is None else endpoints.regions,
        global_url="" if endpoints is None else endpoints.global_url,
        embedded_dns="" if endpoints is None else endpoints.dns,
        on_behalf_of=dns.on_behalf_of if isinstance(dns, DnspythonDns) else "",
        servers=tuple((server.address, server.port) for server in servers),
        name=name,
        pinned=other.region if scenarios.sends_to_both(request) else "",
        count=len(_clients(profile, ClientKind.RESOLVES)),
        https={} if endpoints is None else endpoints.https,
        authority="" if endpoints is None else endpoints.authority,
    )
    order = LoadOrder(
        drill=drill.header.drill,
        env=environment.env,
        rate=pace.rate,
        time_out_s=pace.time_out_s,
        first_pause_s=pace.first_pause_s,
        longest_pause_s=pace.longest_pause_s,
        retries=pace.retries,
        resend_every=pace.resend_every,
        resend_after_s=pace.resend_after_s,
        api_key=profile.api_key,
        clients=clients,
        canary=environment.outputs.canary,
    )
    plan = plan_of(request, os.environ)
    return WorkerLoad(order, plan, drill.folder, drill.clock, tell=drill.recorder.mark, stop=drill.stop)


def _unsteady(outcome: Outcome) -> tuple[str, ...]:
    return tuple(
        f"{finding.id} in {finding.address}: {finding.message or finding.title}"
        for finding in outcome.failing(Severity.LOW)
    )

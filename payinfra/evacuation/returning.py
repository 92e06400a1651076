"""Return to an evacuated region: when it serves, when replication has caught up and the payments agree.

Nothing is changed before the flag is lifted but marks, which are removed; and the flag is lifted in one call.
Whoever is killed at any point runs the command again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.probes import canaries
from payinfra.checks.probes.model import ProbeContext, RegionProbe
from payinfra.checks.probes.runner import ProbeClock, Task
from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Kind
from payinfra.clients.aws_errors import NotYet
from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed
from payinfra.core.evacuation import EvacuationFlag
from payinfra.drill.replicas import Crossing, caught_up
from payinfra.evacuation.evacuate import NameLed, Tell, names_led
from payinfra.evacuation.reconciliation import OutageReconciliation, reconcile
from payinfra.evacuation.survivor import Survivor

READY = (
    *("LIVE-API-002", "LIVE-API-003", "LIVE-API-004", "LIVE-FN-001", "LIVE-FN-002", "LIVE-DDB-001"),
    *("LIVE-DDB-004", "LIVE-KMS-001", "LIVE-KMS-003", "LIVE-R53-001", "LIVE-R53-002"),
)
"""The probes of a region that must pass before clients are sent there: it takes payments, once each."""
MARK_WITHIN_S = 5.0
"""A mark that takes longer to the other region says that replication is behind."""
TIMES_LATENCY = 10
"""So many times the greatest recent latency is waited for: no metric shows with certainty that a region has
fully replicated, and this is what AWS advises (DynamoDB developer guide, "Global tables")."""
LOOK_BACK = timedelta(minutes=5)
PAUSE_S = 2.0
LEAST_S = 5.0
"""Each probe is given at least so long, in seconds, however little time is left."""
PATIENCE = 3.0
"""The names are waited for as many times as long as they should take."""
_BAD = frozenset({Kind.FAIL, Kind.ERROR, Kind.UNKNOWN})


@dataclass(frozen=True)
class Returned:
    """What came of a return.

    Attributes:
        region: the region that was evacuated.
        flag: what stood; None where it had been lifted before.
        reconciled: what the regions have of the outage's payments; None where there was no flag.
        lifted: whether the flag is lifted now.
        latency_s: the greatest recent latency of replication, in seconds.
        names: where the names lead at the end.
        seconds: from the lifted flag until the names were back.
    """

    env: str
    region: str
    survivor: str
    flag: EvacuationFlag | None
    reconciled: OutageReconciliation | None
    lifted: bool
    latency_s: float | None
    names: tuple[NameLed, ...]
    seconds: float
    is_back: bool

    @property
    def exit_code(self) -> ExitCode:
        """A gate that fails while a payment is open, or a name has not come back."""
        return ExitCode.DONE if self.lifted and self.is_back else ExitCode.GATE_FAILED


def region_failures(survivor: Survivor, deadline: Deadline) -> tuple[str, ...]:
    """What the probes of the evacuated region find wrong; none where it takes payments."""
    (site,) = (one for one in survivor.live.sites if one.region == survivor.evacuated)
    live = replace(survivor.live, run=canaries.new_run(), began=survivor.live.now())
    clock = ProbeClock(deadline.clock, deadline.sleep)
    tasks = [
        Task(probe, site, site.region, min(probe.within_s, max(LEAST_S, deadline.left_s)))
        for probe in load()
        if isinstance(probe, RegionProbe) and probe.rule.id in READY
    ]
    with ThreadPoolExecutor(len(tasks)) as pool:
        verdicts = pool.map(lambda task: task.ask(live, clock), tasks)
        return tuple(
            f"{task.probe.rule.id} {verdict.message or task.probe.rule.title}"
            for task, several in zip(tasks, verdicts, strict=True)
            for verdict in several
            if verdict.kind in _BAD
        )


@dataclass(frozen=True)
class Waiting:
    """How a return waits.

    Attributes:
        within_s: for the region and for replication, together, in seconds.
        tell: told what is waited for.
        failures: what keeps the evacuated region from taking payments.
        crossings: marks that were seen in the other region, or NotYet.
        clear_up: removes what probes and marks have left, of runs that were killed as well.
    """

    within_s: float
    tell: Tell
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    failures: Callable[[Survivor, Deadline], tuple[str, ...]] = region_failures
    crossings: Callable[[ProbeContext, float], tuple[Crossing, ...]] = caught_up
    clear_up: Callable[[ProbeContext], None] = canaries.remove_left_over


def bring_back(
    survivor: Survivor, waiting: Waiting, *, accept: bool = False, of_drill: bool = False
) -> Returned:
    """Return to the evacuated region. To do it again goes on with what was begun.

    Args:
        survivor: asked with clients that reach both regions.
        accept: lift the flag even if payments are open.
        of_drill: lift the flag only if it is a drill's. A person may have replaced that with a real one.

    Raises:
        GateFailed: the region or replication is not ready in time, or somebody has set another flag
            meanwhile. The flag stands.
        EnvironmentUnusable: a region cannot be asked, or refuses.
    """
    flag = survivor.flag()
    if flag is None:
        waiting.tell(f"No flag says that {survivor.evacuated} is evacuated.")
        return _wait_for_names(survivor, waiting, None, None, None)
    if of_drill and not flag.drill:
        raise _replaced(flag)
    live = survivor.live
    deadline = Deadline.within(waiting.within_s, clock=waiting.clock, sleep=waiting.sleep)
    try:
        _wait_for_region(survivor, deadline, waiting)
        latency_s = _wait_for_replication(survivor, deadline, waiting)
        waiting.tell("Comparing the payments of both regions.")
        found = reconcile(live, _since(flag, live.now()), clock=waiting.clock, sleep=waiting.sleep)
    except (ClientError, BotoCoreError) as error:
        raise EnvironmentUnusable(
            f"A region refused, or did not answer: {error}", "The flag stands. Run the command again."
        ) from None
    finally:
        waiting.clear_up(survivor.live)
    if found.open and not accept:
        return Returned(
            survivor.env,
            survivor.evacuated,
            survivor.region,
            flag,
            found,
            False,
            latency_s,
            names_led(survivor),
            0.0,
            False,
        )
    standing = survivor.flag()
    if standing is not None and standing != flag:
        raise _replaced(standing)
    survivor.lift_flag()
    waiting.tell(f"The flag in {survivor.region} is lifted.")
    return _wait_for_names(survivor, waiting, flag, found, latency_s)


def _replaced(flag: EvacuationFlag) -> GateFailed:
    return GateFailed(
        f"{flag.region} was evacuated by {flag.by} meanwhile, at {flag.since}. That flag stands.",
        "Run `payinfra return` once clients may go back to the region.",
    )


def _since(flag: EvacuationFlag, now: datetime) -> datetime:
    """When the evacuation began; a week ago where the flag does not say."""
    try:
        since = datetime.fromisoformat(flag.since)
    except ValueError:
        return now - timedelta(days=7)
    return since if since.tzinfo else since.replace(tzinfo=UTC)


def _wait_for_region(survivor: Survivor, deadline: Deadline, waiting: Waiting) -> None:
    """Wait until the probes of the evacuated region pass."""
    failing: tuple[str, ...] = ()
    tell = waiting.tell

    def ready() -> bool:
        nonlocal failing
        now = waiting.failures(survivor, deadline)
        if now and now != failing:
            tell(f"{survivor.evacuated} is not ready: {_in_short(now)}.")
        failing = now
        return not failing

    if not deadline.until(ready, pause_s=PAUSE_S):
        raise GateFailed(
            f"{survivor.evacuated} is not ready: {_in_short(failing)}.",
            "The flag stands. See to the region, and run the command again; --within waits longer.",
        )
    tell(f"{survivor.evacuated} takes payments.")


def _in_short(failing: Sequence[str]) -> str:
    """The first probe that fails, and how many others do."""
    return f"{failing[0]}{f', and {len(failing) - 1} more' if failing[1:] else ''}"


def _wait_for_replication(survivor: Survivor, deadline: Deadline, waiting: Waiting) -> float:
    """Wait until marks cross both ways in time, and ten times the greatest latency since; that latency, in
    seconds."""
    behind, tell = False, waiting.tell
    pauses = deadline.pauses(PAUSE_S, PAUSE_S)
    while True:
        try:
            crossings = waiting.crossings(survivor.live, MARK_WITHIN_S)
            break
        except NotYet as late:
            if not behind:
                tell(f"Replication is behind: {late}.")
            behind = True
        if not pauses.wait():
            raise GateFailed(
                f"Replication is behind: a mark takes more than {MARK_WITHIN_S:g} s to the other region.",
                "The flag stands. Run the command again; --within waits longer.",
            )
    latency_s = max((*(one.seconds for one in crossings), *_latencies_s(survivor)))
    wait_s = TIMES_LATENCY * latency_s
    tell(f"Marks crossed both ways. Waiting {wait_s:.1f} s, ten times the greatest recent latency.")
    deadline.sleep(wait_s)
    return latency_s


def _latencies_s(survivor: Survivor) -> Iterator[float]:
    """What CloudWatch has of the last minutes, of either region. In a time that runs faster it is less."""
    now = survivor.live.now()
    regions = survivor.live.outputs.regions
    for here, there in (regions, regions[::-1]):
        answer = survivor.live.aws.cloudwatch(here.region).get_metric_statistics(
            Namespace="AWS/DynamoDB",
            MetricName="ReplicationLatency",
            Dimensions=[
                {"Name": "TableName", "Value": here.dynamodb_table_name},
                {"Name": "ReceivingRegion", "Value": there.region},
            ],
            StartTime=now - LOOK_BACK / survivor.time_scale,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )
        yield from (one["Maximum"] / 1000 / survivor.time_scale for one in answer["Datapoints"])


def _wait_for_names(
    survivor: Survivor,
    waiting: Waiting,
    flag: EvacuationFlag | None,
    found: OutageReconciliation | None,
    latency_s: float | None,
) -> Returned:
    """Wait until the names are as without an evacuation: they take as long as they took to move."""
    began = waiting.clock()
    seen: tuple[NameLed, ...] = ()

    def back() -> bool:
        nonlocal seen
        seen = names_led(survivor)
        return _are_back(survivor, seen)

    patient = Deadline.within(PATIENCE * survivor.moves_within_s, clock=waiting.clock, sleep=waiting.sleep)
    is_back = patient.until(back, pause_s=0.5)
    return Returned(
        survivor.env,
        survivor.evacuated,
        survivor.region,
        flag,
        found,
        True,
        latency_s,
        seen,
        waiting.clock() - began,
        is_back,
    )


def _are_back(survivor: Survivor, names: Sequence[NameLed]) -> bool:
    """The failover name leads to the primary; the latency name, near the region, to the region."""
    outputs = survivor.live.outputs
    wanted = {outputs.failover_domain: outputs.primary_region, outputs.latency_domain: survivor.evacuated}
    return all(name.leads_to(wanted[name.name]) for name in names)

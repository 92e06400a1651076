"""How an environment is, at a glance: what Route 53 and CloudWatch say, when it was deployed and drilled."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import DeclaredAlarm, Outputs, RegionOutputs
from payinfra.drill import report_store
from payinfra.drill.environment import FOLDER
from payinfra.drill.faults.journal import open_journals
from payinfra.drill.model import DrillReport

CONNECT_S = 2.0
READ_S = 3.0
ATTEMPTS = 1
_ALARMS_AT_ONCE = 100


@dataclass(frozen=True)
class RegionStatus:
    """One region.

    Attributes:
        checkers: how many of Route 53's checkers report.
        healthy: how many of them find it healthy.
        ringing: the alarms that are in ALARM.
        unknown: what could not be found out, and why; empty where all is known.
    """

    region: str
    role: str
    endpoint: str
    checkers: int
    healthy: int
    ringing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """An environment.

    Attributes:
        deployed: when its outputs were last written, in UTC; None where unknown.
        drill: the last one that left a report.
        unrestored: the ids of drills that may have left something in place, oldest first.
        in_place: what drills have left in place, whether or not a journal says so, each in a sentence.
        unclear: why that cannot be told of something, each in a sentence.
    """

    env: str
    target: str
    regions: tuple[RegionStatus, ...]
    failover_domain: str
    deployed: datetime | None
    drill: DrillReport | None = None
    unrestored: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def gather(env: str, target: str, outputs: Outputs, aws: Aws, outputs_file: Path) -> Status:
    """Ask both regions at once. What does not answer is said to be unknown, and hides nothing else.

    Args:
        outputs_file: in the environment's work folder, which holds its drills as well.
    """
    quick = aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=ATTEMPTS)
    with ThreadPoolExecutor(len(outputs.regions)) as asking:
        roles = zip(outputs.regions, ("primary", "secondary"), strict=True)
        answers = [asking.submit(region_status, quick, outputs, region, role) for region, role in roles]
        regions = tuple(answer.result() for answer in answers)
    drills = outputs_file.parent / FOLDER
    return Status(
        env,
        target,
        regions,
        outputs.failover_domain,
        written(outputs_file),
        report_store.latest(drills),
        tuple(journal.parent.name for journal in open_journals(drills)),
    )


def region_status(aws: Aws, outputs: Outputs, region: RegionOutputs, role: str) -> RegionStatus:
    """One region, as far as it can be known."""
    unknown: list[str] = []
    observed = _known("health", lambda: _health(aws, region), unknown)
    ringing = (
        *_known("alarms", lambda: _ringing(aws, region.region, _own_alarms(outputs, region)), unknown),
        *_known("alarms on its health", lambda: _health_rings(aws, outputs, region), unknown),
    )
    healthy = sum(1 for said in observed if said.startswith("Success"))
    return RegionStatus(
        region.region, role, region.api_endpoint, len(observed), healthy, ringing, tuple(unknown)
    )


def _health(aws: Aws, region: RegionOutputs) -> Sequence[str]:
    answer = aws.route53(region.region).get_health_check_status(HealthCheckId=region.health_check_id)
    return [one.get("StatusReport", {}).get("Status", "") for one in answer["HealthCheckObservations"]]


def _own_alarms(outputs: Outputs, region: RegionOutputs) -> Sequence[DeclaredAlarm]:
    return next(one.alarms for one in outputs.declared.regions if one.region == region.region)


def _health_rings(aws: Aws, outputs: Outputs, region: RegionOutputs) -> Sequence[str]:
    """The alarm on a region's health check stands where Route 53's metrics are."""
    health = outputs.declared.health
    return _ringing(aws, health.metrics_region, [health.alarms[outputs.regions.index(region)]])


def _ringing(aws: Aws, region: str, alarms: Sequence[DeclaredAlarm]) -> Sequence[str]:
    answer = aws.cloudwatch(region).describe_alarms(
        AlarmNames=[alarm.name for alarm in alarms], MaxRecords=_ALARMS_AT_ONCE
    )
    return [one.get("AlarmName", "") for one in answer["MetricAlarms"] if one.get("StateValue") == "ALARM"]


def _known(what: str, ask: Callable[[], Sequence[str]], unknown: list[str]) -> Sequence[str]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except (BotoCoreError, ClientError, EnvironmentUnusable) as error:
        unknown.append(f"{what}: {error}")
        return ()


def written(file: Path) -> datetime | None:
    """When a file was last written, in UTC; None where it is not there."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None

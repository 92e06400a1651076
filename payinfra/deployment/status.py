"""How an environment is, at a glance: what the name servers, Route 53's checkers and CloudWatch say.

Every question is asked at once, with short limits, so that a region that is gone delays no other's answer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from payinfra.clients.aws import Aws
from payinfra.clients.dns import Dns, DnspythonDns
from payinfra.clients.reachability import Reachability
from payinfra.clients.side_by_side import ask_all
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import EvacuationFlag
from payinfra.core.outputs import Declared, DeclaredAlarm, Outputs, RegionOutputs
from payinfra.deployment.names import Delegation, NameStatus, delegation, look_up, name_servers
from payinfra.drill import report_store
from payinfra.drill.environment import FOLDER
from payinfra.drill.faults.journal import open_journals
from payinfra.drill.model import DrillReport

CONNECT_S = 2.0
READ_S = 3.0
ATTEMPTS = 1
ANSWERED_WITHIN_S = 7.0
"""After so many seconds what has not answered is unknown: the whole status is there within ten."""
_ALARMS_AT_ONCE = 100
_CHECKER_S = 6.0
"""What a checker allows an endpoint: 4 s to connect and 2 s to answer (Route 53 developer guide, "How Amazon
Route 53 determines whether a health check is healthy")."""
SERVICE_NAMESPACES = ("AWS/ApiGateway", "AWS/Lambda", "AWS/DynamoDB")
SERVICE_METRICS = ("AuditWriteFailed", "DependencyUnavailable", "RequestsFailed")
"""With those namespaces, the metrics by which a region's own payments are seen to fail."""


@dataclass(frozen=True)
class RegionStatus:
    """One region.

    Attributes:
        answers: whether anything in it answers.
        checkers: how many of Route 53's checkers report.
        healthy: how many of them find it healthy.
        ringing: the alarms that are in ALARM, of the region and on its health check.
        service_alarms: those of them that watch what payments stand on.
        flag: the evacuation of the other region, as this region's own store has it; None where there is none,
            or where a drill's has ended by itself.
        unknown: what could not be found out, and why; empty where all is known. Where the region answers
            nothing, that is said once, and not for each question.
    """

    region: str
    role: str
    endpoint: str
    checkers: int
    healthy: int
    ringing: tuple[str, ...]
    unknown: tuple[str, ...]
    answers: bool = True
    service_alarms: tuple[str, ...] = ()
    flag: EvacuationFlag | None = None


@dataclass(frozen=True)
class Status:
    """An environment.

    Attributes:
        deployed: when its outputs were last written, in UTC; None where unknown.
        drill: the last one that left a report.
        unrestored: the ids of drills that may have left something in place, oldest first.
        names: where the failover name and the latency name lead.
        moves_within_s: how long Route 53 takes to move the name from a region that has begun to fail, with
            the time that resolvers keep an answer.
        next_steps: what to do now, in sentences (see `guidance`); empty where there is nothing to do.
        in_place: what drills have left in place, whether or not a journal says so, each in a sentence.
        unclear: why that cannot be told of something, each in a sentence.
        for_rehearsals: whether the names are no domain of one's own, so that clients cannot use them.
        delegation: the name servers that the parent of a domain of one's own delegates it to; None where the
            zone needs no delegation, or where no answer came in time.
        failback: "manual" where the failover name stays where it has moved to, else "automatic".
    """

    env: str
    target: str
    regions: tuple[RegionStatus, ...]
    failover_domain: str
    deployed: datetime | None
    drill: DrillReport | None = None
    unrestored: tuple[str, ...] = ()
    names: tuple[NameStatus, ...] = ()
    moves_within_s: float = 0.0
    next_steps: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    for_rehearsals: bool = False
    failback: str = "automatic"
    delegation: Delegation | None = None

    @property
    def failover(self) -> NameStatus:
        """The name that follows the healthy region."""
        asked = (each for each in self.names if each.name == self.failover_domain)
        return next(asked, NameStatus(self.failover_domain, unknown="it was not asked for"))


def gather(
    env: str,
    target: str,
    outputs: Outputs,
    aws: Aws,
    outputs_file: Path,
    *,
    dns: Dns | None = None,
    within_s: float = ANSWERED_WITHIN_S,
) -> Status:
    """Ask everything at once. What does not answer is said to be unknown, and hides nothing else.

    Args:
        outputs_file: in the environment's work folder, which holds its drills as well.
        dns: asks name servers; by default the embedded AWS's, or the network's.
        within_s: seconds after which nothing is waited for any more.
    """
    quick = aws.within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=ATTEMPTS)
    asked_dns = dns or DnspythonDns(aws.endpoints.dns if aws.endpoints else "")
    names = [region.region for region in outputs.regions]
    questions: dict[tuple[str, str], Callable[[], object]] = {
        ("silent", ""): lambda: Reachability(quick).silent(names),
        ("names", ""): lambda: _names(outputs, quick, asked_dns),
        ("delegation", ""): lambda: delegation(outputs, quick, asked_dns),
    }
    for region in outputs.regions:
        for what, ask in _region_questions(quick, outputs, region).items():
            questions[(what, region.region)] = ask
    found = ask_all(questions, within_s)
    silent = _as_texts(found[("silent", "")])
    roles = zip(outputs.regions, ("primary", "secondary"), strict=True)
    regions = tuple(_region(found, outputs, region, role, silent) for region, role in roles)
    drills = outputs_file.parent / FOLDER
    declared = _declared(outputs)
    return Status(
        env,
        target,
        regions,
        outputs.failover_domain,
        written(outputs_file),
        report_store.latest(drills),
        tuple(journal.parent.name for journal in open_journals(drills)),
        _name_statuses(found[("names", "")], outputs),
        _moves_within_s(declared),
        for_rehearsals=declared is not None and not declared.dns.delegated,
        failback=_failback(declared),
        delegation=asked if isinstance(asked := found[("delegation", "")], Delegation) else None,
    )


def region_status(
    aws: Aws, outputs: Outputs, region: RegionOutputs, role: str, *, within_s: float = ANSWERED_WITHIN_S
) -> RegionStatus:
    """One region, as far as it can be known; it is taken to answer."""
    questions = _region_questions(aws, outputs, region)
    found = ask_all({(what, region.region): ask for what, ask in questions.items()}, within_s)
    return _region(found, outputs, region, role, ())


def _region_questions(
    aws: Aws, outputs: Outputs, region: RegionOutputs
) -> dict[str, Callable[[], Sequence[str]]]:
    return {
        "health": lambda: _health(aws, region),
        "alarms": lambda: _ringing(aws, region.region, _own_alarms(outputs, region)),
        "alarms on its health": lambda: _health_rings(aws, outputs, region),
        "evacuation flag": lambda: _flag(aws, outputs, region),
    }


def _region(
    found: Mapping[tuple[str, str], object],
    outputs: Outputs,
    region: RegionOutputs,
    role: str,
    silent: Sequence[str],
) -> RegionStatus:
    unknown: list[str] = []
    declared = _declared(outputs)
    metrics_region = declared.health.metrics_region if declared else ""

    def known(what: str, where: str) -> tuple[str, ...]:
        answer = found[(what, region.region)]
        if not isinstance(answer, Exception):
            return _as_texts(answer)
        if not _unanswered(answer):
            unknown.append(f"{what}: {answer}")
        elif where not in silent:
            unknown.append(f"{what}: {where or 'Route 53'} does not answer")
        return ()

    observed, own = known("health", ""), known("alarms", region.region)
    on_health = known("alarms on its health", metrics_region)
    flag = known("evacuation flag", region.region)
    if metrics_region in silent:
        unknown.append(f"alarms on its health: they are in {metrics_region}, which does not answer")
    watched = _own_alarms(outputs, region) if declared else ()
    service = {one.name for one in watched if _is_of_payments(one)}
    return RegionStatus(
        region.region,
        role,
        region.api_endpoint,
        len(observed),
        sum(1 for said in observed if said.startswith("Success")),
        (*own, *on_health),
        tuple(unknown),
        region.region not in silent,
        tuple(name for name in own if name in service),
        _standing(flag[0]) if flag else None,
    )


def _standing(value: str) -> EvacuationFlag | None:
    """The flag of a parameter's value; None where it evacuates nothing now."""
    found = EvacuationFlag.from_json(value)
    return found if found is not None and found.stands(datetime.now(UTC)) else None


def _declared(outputs: Outputs) -> Declared | None:
    """What is declared; None where it cannot be read, which each question that needs it says."""
    try:
        return outputs.declared
    except EnvironmentUnusable:
        return None


def _moves_within_s(declared: Declared | None) -> float:
    if declared is None:
        return 0.0
    health = declared.health
    return health.threshold * (health.interval_s + _CHECKER_S) + declared.dns.ttl_s


def _failback(declared: Declared | None) -> str:
    if declared is None or declared.evacuation is None:
        return "automatic"
    return declared.evacuation.failback


def _is_of_payments(alarm: DeclaredAlarm) -> bool:
    return alarm.namespace in SERVICE_NAMESPACES or alarm.metric in SERVICE_METRICS


def _unanswered(error: Exception) -> bool:
    """Whether nothing came back, rather than a refusal."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError

    return isinstance(error, NoConnection | HTTPClientError | TimeoutError)


def _as_texts(answer: object) -> tuple[str, ...]:
    return tuple(map(str, answer)) if isinstance(answer, Sequence) else ()


def _names(outputs: Outputs, aws: Aws, dns: Dns) -> tuple[NameStatus, ...]:
    """Both names, as their name servers give them."""
    from payinfra.drill.observers import region_of_answer

    servers = name_servers(outputs, aws, dns)
    kind = "A" if outputs.declared.dns.delegated else "CNAME"
    names = (outputs.failover_domain, outputs.latency_domain)
    return tuple(
        look_up(name, kind, servers, dns, region_of_answer(outputs.declared, name, endpoints=aws.endpoints))
        for name in names
    )


def _name_statuses(answer: object, outputs: Outputs) -> tuple[NameStatus, ...]:
    if isinstance(answer, tuple):
        return answer
    names = (outputs.failover_domain, outputs.latency_domain)
    return tuple(NameStatus(name, unknown=f"the name servers are not known: {answer}") for name in names)


def _health(aws: Aws, region: RegionOutputs) -> Sequence[str]:
    answer = aws.route53(region.region).get_health_check_status(HealthCheckId=region.health_check_id)
    return [one.get("StatusReport", {}).get("Status", "") for one in answer["HealthCheckObservations"]]


def _flag(aws: Aws, outputs: Outputs, region: RegionOutputs) -> Sequence[str]:
    """The value of the region's own flag; nothing where an earlier version deployed, which had none."""
    evacuation = outputs.declared.evacuation
    if evacuation is None:
        return ()
    found = aws.ssm(region.region).get_parameter(Name=evacuation.parameter)
    return (found["Parameter"].get("Value", ""),)


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


def written(file: Path) -> datetime | None:
    """When a file was last written, in UTC; None where it is not there."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None

"""What a drill does to an environment: frozen values, each with what was there before.

A mutation says what is to be done and what is to be put back; `payinfra.drill.faults.executor`
does it. Nothing in one is sensitive: the journal keeps them as they are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, ClassVar, assert_never

from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import DRILL_SCHEDULE_GROUP, HEALTH_METRICS_REGION
from payinfra.core.outputs import Outputs

if TYPE_CHECKING:
    from pydantic import TypeAdapter

ROUTE53_REGION = HEALTH_METRICS_REGION
"""Where Route 53's control plane is (Route 53 developer guide, "Amazon Route 53 and AWS Regions")."""
DRILL_TAG = "PayinfraDrill"
"""The tag, with a drill's id as its value, by which an experiment of FIS and its template are found again."""
NO_CONCURRENCY = 0
"""The reserved concurrency with which Lambda refuses every invocation."""
PAUSE_ACTION = "aws:dynamodb:global-table-pause-replication"
"""FIS's action that stops a global table's replication (FIS user guide, "AWS FIS actions reference")."""
CLEAR_FAULTS = "payinfra local fault clear --all"


@dataclass(frozen=True)
class InvertHealthCheck:
    """Turn what a health check of Route 53 says into its opposite. `original`: whether it was inverted."""

    health_check_id: str
    original: bool
    kind: ClassVar[str] = "invert-health-check"


@dataclass(frozen=True)
class SetConcurrency:
    """Reserve no concurrency for a function. `original`: what was reserved before; None for nothing."""

    region: str
    function: str
    original: int | None
    kind: ClassVar[str] = "set-concurrency"


@dataclass(frozen=True)
class PauseReplication:
    """Stop replication of global tables in the embedded AWS. It was not stopped before."""

    kind: ClassVar[str] = "pause-replication"


@dataclass(frozen=True)
class RunPauseExperiment:
    """Stop replication to and from one region's table with AWS FIS, which ends it by itself as well.

    Attributes:
        role_arn: what FIS works as.
        minutes: after which FIS ends it, 1 to 720.
        drill: the drill's id; the experiment and its template carry it in `DRILL_TAG`.
    """

    region: str
    table_arn: str
    role_arn: str
    minutes: int
    drill: str
    kind: ClassVar[str] = "run-pause-experiment"


@dataclass(frozen=True)
class Blackout:
    """Let a region of the embedded AWS answer nothing. It answered before."""

    region: str
    kind: ClassVar[str] = "blackout"


@dataclass(frozen=True)
class SetTimeScale:
    """Let the embedded AWS's time run `scale` times as fast as real. `original`: how fast it ran before."""

    scale: float
    original: float
    kind: ClassVar[str] = "set-time-scale"


@dataclass(frozen=True)
class ArmWatchdog:
    """Make an EventBridge schedule that puts a function's concurrency back, whatever becomes of the drill.

    Attributes:
        name: the schedule's, at most 64 of letters, digits and . _ -
        function: the function whose limit is lifted.
        original: what is reserved for it again; None for nothing.
        at: when, in UTC; EventBridge Scheduler is true to the minute.
        role_arn: what the schedule works as.
    """

    region: str
    name: str
    function: str
    original: int | None
    at: datetime
    role_arn: str
    kind: ClassVar[str] = "arm-watchdog"


Fault = (
    InvertHealthCheck
    | SetConcurrency
    | PauseReplication
    | RunPauseExperiment
    | Blackout
    | SetTimeScale
    | ArmWatchdog
)

_KINDS: Mapping[str, type[Fault]] = {
    kind.kind: kind
    for kind in (
        InvertHealthCheck,
        SetConcurrency,
        PauseReplication,
        RunPauseExperiment,
        Blackout,
        SetTimeScale,
        ArmWatchdog,
    )
}


def to_json(mutation: Fault) -> dict[str, object]:
    """The mutation as the journal keeps it."""
    fields: dict[str, object] = _adapters()[mutation.kind].dump_python(mutation, mode="json")
    return {"kind": mutation.kind, **fields}


def from_json(value: object) -> Fault:
    """Read what `to_json` wrote.

    Raises:
        EnvironmentUnusable: this version knows no such mutation, or it is not whole.
    """
    from pydantic import ValidationError

    match value:
        case {"kind": str(kind), **fields} if kind in _KINDS:
            try:
                return _adapters()[kind].validate_json(json.dumps(fields), strict=True)
            except ValidationError as error:
                where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
                raise EnvironmentUnusable(f"A mutation {kind} lacks a good {where}.", _NEWER) from None
        case _:
            raise EnvironmentUnusable(f"This payinfra knows no mutation {value!r}.", _NEWER)


@cache
def _adapters() -> Mapping[str, "TypeAdapter[Fault]"]:
    from pydantic import TypeAdapter

    return {name: TypeAdapter(kind) for name, kind in _KINDS.items()}


_NEWER = "Restore with the version of payinfra that began the drill, or put it back by hand."


def role_arn(outputs: Outputs, role: str) -> str:
    """The ARN of a role in the environment's account."""
    _, partition, _, _, account, _ = outputs.primary.dynamodb_table_arn.split(":", 5)
    return f"arn:{partition}:iam::{account}:role/{role}"


@dataclass(frozen=True)
class FaultDescription:
    """A mutation for a person.

    Attributes:
        done: what is so once it is done, without a full stop.
        undone: what is so once it is undone.
        by_hand: the command, or commands, that undo it without a drill's journal.
        calls: what is asked of AWS, or of the embedded one's control port, to do it.
    """

    done: str
    undone: str
    by_hand: str
    calls: tuple[str, ...]


def describe(mutation: Fault, endpoints: Endpoints | None = None) -> FaultDescription:
    """The mutation in words.

    Args:
        mutation: what to describe.
        endpoints: where the embedded AWS answers, for the commands; None for AWS itself.
    """
    match mutation:
        case InvertHealthCheck(check, original):
            update = f"route53 update-health-check --health-check-id {check}"
            flag = "--inverted" if original else "--no-inverted"
            return FaultDescription(
                f"health check {check} is {_inverted(not original)}",
                f"health check {check} is {_inverted(original)} again",
                _cli(endpoints, "route53", ROUTE53_REGION, f"{update} {flag}"),
                (f"route53:UpdateHealthCheck {check}: Inverted {not original}",),
            )
        case SetConcurrency(region, function, original):
            return FaultDescription(
                f"function {function} in {region} may not run: its reserved concurrency is {NO_CONCURRENCY}",
                f"function {function} in {region} has {_reserved(original)} again",
                _cli(endpoints, "lambda", region, _reserve(function, original)),
                (f"lambda:PutFunctionConcurrency {function} in {region}: {NO_CONCURRENCY}",),
            )
        case PauseReplication():
            return FaultDescription(
                "replication of global tables is paused",
                "global tables are replicated again",
                CLEAR_FAULTS,
                ("fault replication-pause of the embedded AWS",),
            )
        case RunPauseExperiment(region, table_arn, _, minutes, drill):
            ours = f"[?tags.{DRILL_TAG}=='{drill}'].id"
            return FaultDescription(
                f"an FIS experiment pauses replication of {table_arn}, for {minutes} minutes at most",
                f"no FIS experiment pauses replication of {table_arn}, and its template is gone",
                "; ".join(
                    _cli(endpoints, "fis", region, command)
                    for command in (
                        f'fis list-experiments --query "experiments{ours}"',
                        "fis stop-experiment --id EXPERIMENT",
                        f'fis list-experiment-templates --query "experimentTemplates{ours}"',
                        "fis delete-experiment-template --id TEMPLATE",
                    )
                ),
                (
                    f"fis:CreateExperimentTemplate in {region}: {PAUSE_ACTION} of {table_arn}",
                    f"fis:StartExperiment in {region}: {minutes} minutes",
                ),
            )
        case Blackout(region):
            return FaultDescription(
                f"{region} answers nothing",
                f"{region} answers again",
                CLEAR_FAULTS,
                (f"fault region-blackout of the embedded AWS: {region}",),
            )
        case SetTimeScale(scale, original):
            return FaultDescription(
                f"the embedded AWS's time runs {_pace(scale)}",
                f"the embedded AWS's time runs {_pace(original)} again",
                f"payinfra local down; payinfra local up --time-scale {original:g}",
                (f"time scale of the embedded AWS: {scale:g}",),
            )
        case ArmWatchdog(region, name, function, original, at, _):
            when = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            delete = f"scheduler delete-schedule --group-name {DRILL_SCHEDULE_GROUP} --name {name}"
            return FaultDescription(
                f"schedule {name} in {region} gives function {function} {_reserved(original)} at {when}",
                f"schedule {name} in {region} is gone",
                _cli(endpoints, "scheduler", region, delete),
                (f"scheduler:CreateSchedule {name} in {region}, at {when}",),
            )
        case _:
            assert_never(mutation)


def _inverted(inverted: bool) -> str:
    return "inverted" if inverted else "not inverted"


def _reserved(concurrency: int | None) -> str:
    return "no reserved concurrency" if concurrency is None else f"a reserved concurrency of {concurrency}"


def _pace(scale: float) -> str:
    return "as fast as real" if scale == 1 else f"{scale:g} times as fast as real"


def _reserve(function: str, concurrency: int | None) -> str:
    if concurrency is None:
        return f"lambda delete-function-concurrency --function-name {function}"
    return (
        f"lambda put-function-concurrency --function-name {function} "
        f"--reserved-concurrent-executions {concurrency}"
    )


def _cli(endpoints: Endpoints | None, service: str, region: str, command: str) -> str:
    """A command of the AWS CLI's, as it must be typed for the embedded AWS or for AWS."""
    if endpoints is None:
        return f"aws {command} --region {region}"
    aws = f"aws {command} --region {region} --endpoint-url {endpoints.url(service, region)}"
    # In a shell of its own: the person's credentials stay what they are.
    return f'(eval "$(payinfra local env)" && {aws})'

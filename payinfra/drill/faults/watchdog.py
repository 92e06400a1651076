"""Something outside of this process that lifts a drill's fault when nobody else does.

Before a fault that outlives its process is injected on AWS, an EventBridge schedule is made that lifts it,
with a role that `payinfra bootstrap --drills` makes in the account. Without the role, or without the
permission to use it, the drill goes on and says that there is no watchdog.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from botocore.exceptions import ClientError

from payinfra.clients.aws import Endpoints
from payinfra.clients.aws_errors import code_of, is_absent
from payinfra.core.naming import DRILL_SCHEDULE_GROUP, DRILL_SCHEDULER_ROLE
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
from payinfra.drill.faults.executor import FaultExecutor, FaultFailed
from payinfra.drill.faults.journal import FaultJournal
from payinfra.drill.faults.model import RequiredPermission

NOT_NEEDED = "none is needed: what is done ends by itself, or harms nobody"
LIFT_WITHIN_S = 3600
"""How long EventBridge Scheduler retries when the service does not take the call."""


class RollbackSchedule(FaultAction):
    """A one-time schedule that rolls an action back, and is gone once it has.

    Attributes:
        name: the schedule's, at most 64 of letters, digits and . _ -
        at: when, in UTC; EventBridge Scheduler is true to the minute.
        role_arn: what the schedule works as.
    """

    region: str
    name: str
    at: datetime
    role_arn: str
    aws_only_service: ClassVar[str] = "EventBridge Scheduler that payinfra relies on"

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it does, for the schedule's description."""

    @property
    @abstractmethod
    def call(self) -> str:
        """The call that it makes, as `service:operation` with the operation in camel case."""

    @property
    @abstractmethod
    def input(self) -> Mapping[str, str | int]:
        """That call's parameters."""

    def inject(self, clients: FaultClients) -> None:
        """Create the schedule.

        A schedule of that name can only be the one that an attempt without an answer has made: the name has
        the drill's id in it.
        """
        # EventBridge Scheduler user guide, "Using universal targets".
        partition = self.role_arn.split(":")[1]
        try:
            clients.aws.scheduler(self.region).create_schedule(
                Name=self.name,
                GroupName=DRILL_SCHEDULE_GROUP,
                ClientToken=self.name,
                Description=self.summary,
                ScheduleExpression=f"at({self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={
                    "Arn": f"arn:{partition}:scheduler:::aws-sdk:{self.call}",
                    "RoleArn": self.role_arn,
                    "Input": json.dumps(self.input),
                    "RetryPolicy": {"MaximumEventAgeInSeconds": LIFT_WITHIN_S},
                },
            )
        except ClientError as error:
            if code_of(error) != "ConflictException" or not self.is_active(clients):
                raise

    def described(self, effect: str, endpoints: Endpoints | None) -> ActionDescription:
        """The schedule in words, given what it does, as a phrase."""
        when = self.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        where = f"schedule {self.name} in {self.region}"
        delete = f"scheduler delete-schedule --group-name {DRILL_SCHEDULE_GROUP} --name {self.name}"
        return ActionDescription(
            f"{where} {effect} at {when}",
            f"{where} is gone",
            aws_cli(endpoints, "scheduler", self.region, delete),
            (f"scheduler:CreateSchedule {self.name} in {self.region}, at {when}",),
        )

    def rollback(self, clients: FaultClients) -> None:
        """Delete the schedule, where it is still there."""
        try:
            clients.aws.scheduler(self.region).delete_schedule(Name=self.name, GroupName=DRILL_SCHEDULE_GROUP)
        except ClientError as error:
            if not is_absent(error):
                raise

    def is_active(self, clients: FaultClients) -> bool:
        """Whether the schedule is there."""
        try:
            clients.aws.scheduler(self.region).get_schedule(Name=self.name, GroupName=DRILL_SCHEDULE_GROUP)
        except ClientError as error:
            if not is_absent(error):
                raise
            return False
        return True


def schedule_permissions(actions: tuple[str, ...], on: str) -> tuple[RequiredPermission, ...]:
    """What a schedule takes that makes these calls."""
    return (
        RequiredPermission(
            ("scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:DeleteSchedule"),
            f"`schedule/{DRILL_SCHEDULE_GROUP}/*`, for the watchdog",
        ),
        RequiredPermission(
            ("iam:PassRole",),
            f"`role/{DRILL_SCHEDULER_ROLE}` to `scheduler.amazonaws.com`, for the watchdog",
        ),
        RequiredPermission(actions, on, f"the role `{DRILL_SCHEDULER_ROLE}`"),
    )


def arm(watchdogs: Sequence[FaultAction], journal: FaultJournal, executor: FaultExecutor) -> str:
    """Arm watchdogs, each journaled first; what is ready to lift the fault, or why nothing is, in a phrase.

    One that was refused is not there, and the journal says so. One of which nobody knows stays in the
    journal, and restoration removes it.

    Raises:
        EnvironmentUnusable: the journal cannot be written.
    """
    phrases = [_arm(one, journal, executor) for one in watchdogs]
    return "; ".join(phrases) or NOT_NEEDED


def _arm(watchdog: FaultAction, journal: FaultJournal, executor: FaultExecutor) -> str:
    number = journal.announce(watchdog)
    try:
        executor.inject(watchdog)
    except FaultFailed as error:
        if error.refused:
            journal.undone(number)
        return f"none: {error.reason} (`payinfra bootstrap --drills` makes what it needs)"
    journal.done(number)
    return f"armed: {watchdog.describe().done}"

"""Experiments of AWS's fault injection service, which end by themselves as well.

An experiment and the template it is made of are found again by their tag, so that no answer that was lost
leaves one behind.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from payinfra.clients.aws import Endpoints
from payinfra.clients.aws_errors import NotYet, is_absent
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import DRILL_FIS_ROLE
from payinfra.drill.faults.actions import ActionDescription, FaultAction, FaultClients, aws_cli
from payinfra.drill.faults.model import RequiredPermission

if TYPE_CHECKING:
    from mypy_boto3_fis import FISClient
    from mypy_boto3_fis.type_defs import (
        CreateExperimentTemplateActionInputTypeDef,
        CreateExperimentTemplateTargetInputTypeDef,
        ExperimentSummaryTypeDef,
        ExperimentTypeDef,
    )

DRILL_TAG = "PayinfraDrill"
"""The tag, whose value begins with a drill's id, by which an experiment and its template are found again."""
LONGEST_EXPERIMENT_MIN = 720
"""No FIS action lasts longer than twelve hours (FIS user guide); a replica that has been cut off for twenty
leaves its global table (DynamoDB developer guide)."""
FIS_PERMISSIONS = (
    "fis:CreateExperimentTemplate",
    "fis:DeleteExperimentTemplate",
    "fis:StartExperiment",
    "fis:StopExperiment",
    "fis:GetExperiment",
    "fis:TagResource",
)
"""On the action, and on templates and experiments."""
RESTORATION = (
    "`StopExperiment`, and `DeleteExperimentTemplate` once FIS says that it has stopped. Both are found by "
    "their tag `PayinfraDrill`. On the embedded AWS the fault is cleared."
)
"""How an experiment is ended, for a fault's page."""
_COMING = frozenset({"pending", "initiating"})
_RUNNING = "running"
_ENDING = "stopping"
_LIVE = _COMING | {_RUNNING, _ENDING}


def minutes_for(longest_s: float) -> int:
    """How long an experiment lasts whose drill takes so many seconds at most: one minute more. Its own end
    is for when nobody else ends it."""
    return min(math.ceil(longest_s / 60) + 1, LONGEST_EXPERIMENT_MIN)


def permissions(action: str) -> tuple[RequiredPermission, ...]:
    """What it takes to run an experiment.

    Args:
        action: FIS's action, such as `aws:s3:bucket-pause-replication`.
    """
    return (
        RequiredPermission(FIS_PERMISSIONS, f"`action/{action}`, `experiment-template/*` and `experiment/*`"),
        RequiredPermission(("fis:ListExperiments", "fis:ListExperimentTemplates"), "`*`"),
        RequiredPermission(("iam:PassRole",), f"`role/{DRILL_FIS_ROLE}` to `fis.amazonaws.com`"),
        RequiredPermission(
            ("iam:CreateServiceLinkedRole",),
            "`role/aws-service-role/fis.amazonaws.com/*`, for the first experiment of an account",
        ),
    )


class FisExperiment(FaultAction):
    """An experiment that runs until it is stopped, or until its own time is over.

    Attributes:
        role_arn: what FIS works as.
        minutes: after which FIS ends it, 1 to 720.
        drill: the drill's id; the experiment and its template carry their `label` in `DRILL_TAG`.
        stop_alarms: ARNs of alarms in the same region; FIS stops the experiment when one of them rings.
    """

    region: str
    role_arn: str
    minutes: int
    drill: str
    stop_alarms: tuple[str, ...]
    one_call: ClassVar[bool] = False
    takes_minutes: ClassVar[bool] = True
    aws_only_service: ClassVar[str] = "fault injection service"

    @property
    def label(self) -> str:
        """The tag's value, by which it is told from the drill's other experiments in the region."""
        return self.drill

    @property
    @abstractmethod
    def summary(self) -> str:
        """What it does, for the template's description."""

    @property
    @abstractmethod
    def paused(self) -> str:
        """What it keeps from going on, as a phrase."""

    @property
    @abstractmethod
    def call(self) -> str:
        """FIS's action and what it is done to, as a phrase."""

    @property
    @abstractmethod
    def targets(self) -> "Mapping[str, CreateExperimentTemplateTargetInputTypeDef]":
        """The template's targets."""

    @property
    @abstractmethod
    def actions(self) -> "Mapping[str, CreateExperimentTemplateActionInputTypeDef]":
        """The template's actions."""

    def inject(self, clients: FaultClients) -> None:
        """Run the experiment; returns once it runs.

        Raises:
            NotYet: it has not begun yet.
            EnvironmentUnusable: it ended at once; the message says what FIS says of it.
        """
        client = clients.aws.fis(self.region)
        running = next(self._experiments(client), None)
        if running is None:
            template = next(self._templates(client), None) or self._create_template(client)
            started = client.start_experiment(
                clientToken=f"{self.label}-run",
                experimentTemplateId=template,
                tags=self._tags,
            )
            running_id = started["experiment"].get("id", "")
        else:
            running_id = running.get("id", "")
        state = client.get_experiment(id=running_id)["experiment"].get("state", {})
        status = state.get("status", "")
        if status in _COMING:
            raise NotYet(f"experiment {running_id} is {status}")
        if status != _RUNNING:
            raise EnvironmentUnusable(
                f"Experiment {running_id} in {self.region} is {status}: {state.get('reason', '')}",
                "See what AWS FIS says of it, and that `payinfra bootstrap --drills` has made its role.",
            )

    def rollback(self, clients: FaultClients) -> None:
        """Stop the experiment, and delete the template once it has stopped.

        Raises:
            NotYet: it still runs.
        """
        client = clients.aws.fis(self.region)
        for experiment in self._experiments(client):
            if _status(experiment) in _COMING | {_RUNNING}:
                client.stop_experiment(id=experiment.get("id", ""))
        if self._runs(client):
            raise NotYet("the experiment has not stopped")
        for template in self._templates(client):
            try:
                client.delete_experiment_template(id=template)
            except ClientError as error:
                if not is_absent(error):
                    raise

    def is_active(self, clients: FaultClients) -> bool:
        """Whether the experiment runs, or its template is there."""
        client = clients.aws.fis(self.region)
        return self._runs(client) or next(self._templates(client), None) is not None

    def describe(self, endpoints: Endpoints | None = None) -> ActionDescription:
        """See `FaultAction`."""
        return ActionDescription(
            f"an FIS experiment pauses {self.paused}, for {self.minutes} minutes at most",
            f"no FIS experiment pauses {self.paused}, and its template is gone",
            self.by_hand(endpoints),
            (
                f"fis:CreateExperimentTemplate in {self.region}: {self.call}",
                f"fis:StartExperiment in {self.region}: {self.minutes} minutes",
            ),
        )

    def by_hand(self, endpoints: Endpoints | None) -> str:
        """The commands that stop it and delete its template."""
        ours = f"[?tags.{DRILL_TAG}=='{self.label}'].id"
        commands = (
            f'fis list-experiments --query "experiments{ours}"',
            "fis stop-experiment --id EXPERIMENT",
            f'fis list-experiment-templates --query "experimentTemplates{ours}"',
            "fis delete-experiment-template --id TEMPLATE",
        )
        return "; ".join(aws_cli(endpoints, "fis", self.region, command) for command in commands)

    @property
    def _tags(self) -> dict[str, str]:
        return {DRILL_TAG: self.label}

    def _create_template(self, client: "FISClient") -> str:
        answer = client.create_experiment_template(
            # With the same token FIS answers what it answered before, and makes no second one.
            clientToken=f"{self.label}-template",
            description=self.summary,
            stopConditions=[{"source": "aws:cloudwatch:alarm", "value": arn} for arn in self.stop_alarms]
            or [{"source": "none"}],
            targets=self.targets,
            actions=self.actions,
            roleArn=self.role_arn,
            tags=self._tags,
        )
        return answer["experimentTemplate"].get("id", "")

    def _experiments(self, client: "FISClient") -> Iterator["ExperimentSummaryTypeDef"]:
        for page in client.get_paginator("list_experiments").paginate():
            for one in page["experiments"]:
                if one.get("tags", {}).get(DRILL_TAG) == self.label:
                    yield one

    def _templates(self, client: "FISClient") -> Iterator[str]:
        for page in client.get_paginator("list_experiment_templates").paginate():
            for one in page["experimentTemplates"]:
                if one.get("tags", {}).get(DRILL_TAG) == self.label:
                    yield one.get("id", "")

    def _runs(self, client: "FISClient") -> bool:
        return any(_status(experiment) in _LIVE for experiment in self._experiments(client))


def live_experiments(client: "FISClient", concerns: "Callable[[ExperimentTypeDef], bool]") -> Iterator[str]:
    """The labels of drills' experiments that are in effect, or about to be.

    Args:
        concerns: whether an experiment is one of those that are looked for.
    """
    for page in client.get_paginator("list_experiments").paginate():
        for one in page["experiments"]:
            label = one.get("tags", {}).get(DRILL_TAG)
            if not label or _status(one) not in _LIVE:
                continue
            if concerns(client.get_experiment(id=one.get("id", ""))["experiment"]):
                yield label


def targets_resource(arn: str) -> "Callable[[ExperimentTypeDef], bool]":
    """Whether an experiment names a resource as its target."""
    return lambda found: any(
        arn in target.get("resourceArns", ()) for target in found.get("targets", {}).values()
    )


def _status(experiment: "ExperimentSummaryTypeDef") -> str:
    return str(experiment.get("state", {}).get("status", ""))

"""Experiments of AWS's fault injection service, which end by themselves as well.

An experiment and the template it is made of are found again by their tag, so that no answer that was lost
leaves one behind.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from payinfra.clients.aws_errors import NotYet, is_absent
from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.faults.actions import FaultAction, FaultClients

if TYPE_CHECKING:
    from mypy_boto3_fis import FISClient
    from mypy_boto3_fis.type_defs import (
        CreateExperimentTemplateActionInputTypeDef,
        CreateExperimentTemplateTargetInputTypeDef,
        ExperimentSummaryTypeDef,
    )

DRILL_TAG = "PayinfraDrill"
"""The tag, with a drill's id as its value, by which an experiment and its template are found again."""
LONGEST_EXPERIMENT_MIN = 720
"""No FIS action lasts longer than twelve hours (FIS user guide); a replica that has been cut off for twenty
leaves its global table (DynamoDB developer guide)."""
_COMING = frozenset({"pending", "initiating"})
_RUNNING = "running"
_ENDING = "stopping"
_LIVE = _COMING | {_RUNNING, _ENDING}


class FisExperiment(FaultAction):
    """An experiment that runs until it is stopped, or until its own time is over.

    Attributes:
        role_arn: what FIS works as.
        minutes: after which FIS ends it, 1 to 720.
        drill: the drill's id; the experiment and its template carry it in `DRILL_TAG`.
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
    @abstractmethod
    def summary(self) -> str:
        """What it does, for the template's description."""

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
                clientToken=f"{self.drill}-run",
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

    @property
    def _tags(self) -> dict[str, str]:
        return {DRILL_TAG: self.drill}

    def _create_template(self, client: "FISClient") -> str:
        answer = client.create_experiment_template(
            # With the same token FIS answers what it answered before, and makes no second one.
            clientToken=f"{self.drill}-template",
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
                if one.get("tags", {}).get(DRILL_TAG) == self.drill:
                    yield one

    def _templates(self, client: "FISClient") -> Iterator[str]:
        for page in client.get_paginator("list_experiment_templates").paginate():
            for one in page["experimentTemplates"]:
                if one.get("tags", {}).get(DRILL_TAG) == self.drill:
                    yield one.get("id", "")

    def _runs(self, client: "FISClient") -> bool:
        return any(_status(experiment) in _LIVE for experiment in self._experiments(client))


def live_experiments(client: "FISClient", resource_arn: str) -> Iterator[str]:
    """The ids of the drills whose experiments are in effect on a resource, or about to be."""
    for page in client.get_paginator("list_experiments").paginate():
        for one in page["experiments"]:
            drill = one.get("tags", {}).get(DRILL_TAG)
            if not drill or _status(one) not in _LIVE:
                continue
            found = client.get_experiment(id=one.get("id", ""))["experiment"]
            if any(resource_arn in target.get("resourceArns", ()) for target in found["targets"].values()):
                yield drill


def _status(experiment: "ExperimentSummaryTypeDef") -> str:
    return str(experiment.get("state", {}).get("status", ""))

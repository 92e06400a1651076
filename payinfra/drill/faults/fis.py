"""The lever that pauses replication on AWS: an experiment of the fault injection service's.

FIS denies the service that replicates global tables access to one region's table, by statements in the
table's and its stream's policy that carry an end of their own, and takes them out when the experiment ends.
Replication may go on for up to five minutes after the experiment has begun. Source: FIS user guide, "AWS FIS
actions reference", aws:dynamodb:global-table-pause-replication.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from payinfra.clients.aws_errors import NotYet, is_absent
from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.faults.model import DRILL_TAG, PAUSE_ACTION, RunPauseExperiment

if TYPE_CHECKING:
    from mypy_boto3_fis import FISClient
    from mypy_boto3_fis.type_defs import ExperimentSummaryTypeDef

RESOURCE_TYPE = "aws:dynamodb:global-table"
_COMING = frozenset({"pending", "initiating"})
_RUNNING = "running"
_ENDING = "stopping"


@dataclass(frozen=True)
class ExperimentAction:
    """An experiment of FIS's and the template it is made of, both found again by their tag."""

    client: "FISClient"
    mutation: RunPauseExperiment
    one_call: ClassVar[bool] = False

    def make(self) -> None:
        """Run the experiment; returns once it runs.

        Raises:
            NotYet: it has not begun yet.
            EnvironmentUnusable: it ended at once; the message says what FIS says of it.
        """
        running = next(self._experiments(), None)
        if running is None:
            template = next(self._templates(), None) or self._create_template()
            started = self.client.start_experiment(
                clientToken=f"{self.mutation.drill}-run",
                experimentTemplateId=template,
                tags=self._tags,
            )
            running_id = started["experiment"].get("id", "")
        else:
            running_id = running.get("id", "")
        state = self.client.get_experiment(id=running_id)["experiment"].get("state", {})
        status = state.get("status", "")
        if status in _COMING:
            raise NotYet(f"experiment {running_id} is {status}")
        if status != _RUNNING:
            raise EnvironmentUnusable(
                f"Experiment {running_id} in {self.mutation.region} is {status}: {state.get('reason', '')}",
                "See what AWS FIS says of it, and that `payinfra bootstrap --drills` has made its role.",
            )

    def rollback(self) -> None:
        """Stop the experiment, and delete the template once it has stopped.

        Raises:
            NotYet: it still runs.
        """
        for experiment in self._experiments():
            if _status(experiment) in _COMING | {_RUNNING}:
                self.client.stop_experiment(id=experiment.get("id", ""))
        if self._runs():
            raise NotYet("the experiment has not stopped")
        for template in self._templates():
            try:
                self.client.delete_experiment_template(id=template)
            except ClientError as error:
                if not is_absent(error):
                    raise

    def made(self) -> bool:
        """Whether the experiment runs, or its template is there."""
        return self._runs() or next(self._templates(), None) is not None

    @property
    def _tags(self) -> dict[str, str]:
        return {DRILL_TAG: self.mutation.drill}

    def _create_template(self) -> str:
        mutation = self.mutation
        answer = self.client.create_experiment_template(
            # With the same token FIS answers what it answered before, and makes no second one.
            clientToken=f"{mutation.drill}-template",
            description="A failover drill pauses replication",
            stopConditions=[{"source": "none"}],
            targets={
                "table": {
                    "resourceType": RESOURCE_TYPE,
                    "resourceArns": [mutation.table_arn],
                    "selectionMode": "ALL",
                }
            },
            actions={
                "pause": {
                    "actionId": PAUSE_ACTION,
                    "parameters": {"duration": f"PT{mutation.minutes}M"},
                    "targets": {"Tables": "table"},
                }
            },
            roleArn=mutation.role_arn,
            tags=self._tags,
        )
        return answer["experimentTemplate"].get("id", "")

    def _experiments(self) -> Iterator["ExperimentSummaryTypeDef"]:
        for page in self.client.get_paginator("list_experiments").paginate():
            for one in page["experiments"]:
                if one.get("tags", {}).get(DRILL_TAG) == self.mutation.drill:
                    yield one

    def _templates(self) -> Iterator[str]:
        for page in self.client.get_paginator("list_experiment_templates").paginate():
            for one in page["experimentTemplates"]:
                if one.get("tags", {}).get(DRILL_TAG) == self.mutation.drill:
                    yield one.get("id", "")

    def _runs(self) -> bool:
        live = _COMING | {_RUNNING, _ENDING}
        return any(_status(experiment) in live for experiment in self._experiments())


def _status(experiment: "ExperimentSummaryTypeDef") -> str:
    return str(experiment.get("state", {}).get("status", ""))

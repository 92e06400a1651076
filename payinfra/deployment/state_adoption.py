"""Takes what exists of an environment into a state that does not know it. Changes nothing on AWS."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.events import Notice
from payinfra.core.private_files import write_private
from payinfra.deployment.recovery.adopting import Adoption
from payinfra.deployment.recovery.discovery import identifiers
from payinfra.deployment.results import Adopted, Synthesized
from payinfra.deployment.stages import Stages
from payinfra.deployment.workspace import Confirm
from payinfra.terraform import Kept, Plan


def _identifiers(state: Iterable[Kept]) -> frozenset[str]:
    return frozenset(name for one in state for name in identifiers(one.type, one.attributes))


@dataclass(frozen=True)
class StateAdoption:
    """The adoption of one environment.

    Attributes:
        stages: the environment's.
        endpoints: where AWS answers.
    """

    stages: Stages
    endpoints: Endpoints | None

    def run(self, synthesized: Synthesized, confirm: Confirm) -> Adopted:
        """Import what exists, and plan what a deployment would change after that.

        Args:
            synthesized: the stack that the environment is held against.
            confirm: asked with a plan of all that would be imported.

        Raises:
            GateFailed: the person said no.
            EnvironmentUnusable: nothing of it exists, or it serves in other regions.
            ToolFailed: Terraform failed.
        """
        began, stages, settings = time.monotonic(), self.stages, self.stages.settings
        terraform = stages.initialised(synthesized)

        def planner(stage: str, **more: Any) -> Plan:
            return stages.plan(terraform, stage=stage, **more)

        guard = stages.guard(self.endpoints)
        adoption = Adoption(terraform, stages.aws(self.endpoints), synthesized.manifest, planner)
        known = _identifiers(guard.state(terraform))
        plan = planner("plan")
        with stages.stage("look") as stage:
            there = [one.arn for one in guard.existing_here()]
            wanted = terraform.creations(plan.file) if plan.add else ()
            matched = adoption.match(wanted)
            stage.detail = f"{len(there)} found by name or tag, {len(matched.imports)} to adopt"
        if not (known or there or matched.imports):
            raise EnvironmentUnusable(
                f"Nothing of environment {settings.env} exists.",
                f"Run `{settings.command('deploy')}` to make it.",
            )
        if matched.imports:
            planned = adoption.import_plan(matched, wanted)
            beside = [one for one in there if one not in known | planned.identifiers]
            # What is imported one by one is in no plan that would tell its ARN.
            if beside and not planned.one_by_one:
                stages.emit(Notice(f"Not of the stack, and left alone: {', '.join(beside)}."))
            if not confirm(planned.plan):
                raise GateFailed("Nothing was adopted: the plan was not confirmed.")
            write_private(guard.adopting, "")
            with stages.stage("adopt", total=len(matched.imports)) as stage:
                adoption.take_in(planned)
                stage.detail = f"{len(matched.imports)} resources"
        plan = adoption.settle()
        outputs = stages.files.write_whole(terraform.outputs())
        known = _identifiers(guard.state(terraform))
        guard.adopting.unlink(missing_ok=True)
        left = tuple(one for one in there if one not in known)
        return Adopted(matched.imports, matched.refused, left, plan, outputs, time.monotonic() - began)

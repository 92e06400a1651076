"""Changes what stands in one region alone, while the other one is gone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payinfra.core.errors import GateFailed
from payinfra.core.events import Notice, StageSkipped
from payinfra.core.outputs import Outputs
from payinfra.deployment import surviving
from payinfra.deployment.plan_review import with_review
from payinfra.deployment.results import Synthesized
from payinfra.deployment.rolling_update import Role
from payinfra.deployment.stack_manifest import StackFile
from payinfra.deployment.stages import Stages
from payinfra.deployment.workspace import Confirm
from payinfra.terraform import Plan, Terraform, guard

if TYPE_CHECKING:
    from payinfra.deployment.lambda_alias import LambdaAlias


@dataclass(frozen=True)
class SurvivingUpdate:
    """An update of the region that is left.

    Attributes:
        stages: the environment's.
        live: what its API calls.
        role: of the region that is left.
    """

    stages: Stages
    live: "LambdaAlias"
    role: Role

    @property
    def survivor(self) -> str:
        """The region that is left."""
        return self.stages.settings.regions[0 if self.role is Role.PRIMARY else 1]

    @property
    def other(self) -> str:
        """The region that is gone."""
        return self.stages.settings.regions[1 if self.role is Role.PRIMARY else 0]

    def run(self, synthesized: Synthesized, confirm: Confirm, *, allow_destroy: bool) -> tuple[Plan, Outputs]:
        """Cut the stack down to the region, plan, apply and prove it; the plan, and the outputs after it.

        Args:
            synthesized: the whole stack.
            confirm: asked with a plan that changes something.
            allow_destroy: let the plan delete or replace what holds data.

        Raises:
            GateFailed: the plan guard or the person said no, or the region does not serve payments
                afterwards; the version from before is back then.
            EnvironmentUnusable: the environment was never deployed from here.
            ToolFailed: Terraform failed.
        """
        stages, files = self.stages, self.stages.files
        whole = stages.initialised(synthesized)
        outputs = files.known_outputs() or files.recorded_outputs(whole)
        if outputs is None:
            raise files.not_deployed()
        stack = surviving.cut_down(
            surviving.read(synthesized.folder), f"aws.{self.role}", whole.known(), outputs, self.survivor
        )
        if stack.left_out:
            waits = ", ".join(stack.left_out)
            stages.emit(Notice(f"Waits for {self.other} and a whole deployment: {waits}."))
        with surviving.placed(stages.settings.work_dir, synthesized.folder, stack) as folder:
            terraform = stages.initialised(Synthesized(folder, synthesized.inventory))
            plan = stages.plan(terraform, targets=stack.targets, stage=f"plan {self.survivor}")
            guard(plan, allow_destroy)
            surviving.require_own(plan, stack, self.other)
            if not plan.has_changes:
                stages.emit(StageSkipped("apply", "nothing to change"))
                return plan, outputs
            places = StackFile.read(folder / surviving.STACK_FILE).places
            plan = with_review(plan, terraform.shown(plan.file), places)
            if not confirm(plan):
                raise GateFailed("Nothing was changed: the plan was not confirmed.")
            return plan, self._apply(terraform, plan, outputs)

    def _apply(self, terraform: Terraform, plan: Plan, outputs: Outputs) -> Outputs:
        stages, files = self.stages, self.stages.files
        here = self.role.of(outputs)
        with self.live.rollback_on_failure(here, stages.emit, files.surviving_journal) as moved:
            outputs = files.write_outputs(stages.apply_plan(terraform, plan, f"apply {self.survivor}"))
            moved()
            with stages.stage(f"verify {self.role}") as stage:
                payment_id = self.live.verify(here, outputs)
                stage.detail = f"healthy, and took payment {payment_id}"
        return outputs

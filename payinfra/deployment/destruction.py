"""Deletes every resource of an environment, also those that no state knows."""

from dataclasses import dataclass, replace

from payinfra.clients.aws import Endpoints
from payinfra.core.errors import GateFailed
from payinfra.core.events import Notice
from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys
from payinfra.deployment.recovery.recovery import Recovery
from payinfra.deployment.stages import Stages
from payinfra.deployment.workspace import Confirm
from payinfra.terraform import ChangeAction, Plan, Terraform, guard, protected_against_deletion

SWEEPS = 3
"""How often a destruction looks for what no state knows: of one resource there may be several."""


@dataclass(frozen=True)
class Destruction:
    """The destruction of one environment.

    Attributes:
        stages: the environment's.
        endpoints: where AWS answers.
        terraform: works on the stack without its deletion protection.
        recovery: finds what a deployment that was cut off has made.
    """

    stages: Stages
    endpoints: Endpoints | None
    terraform: Terraform
    recovery: Recovery

    def run(self, confirm: Confirm) -> tuple[Plan, bool]:
        """Delete it; the plan, and whether there was anything to delete.

        Args:
            confirm: asked with a plan that deletes something; its `protected` names what AWS protects.

        Raises:
            GateFailed: the person said no.
            ToolFailed: Terraform failed.
        """
        stages, settings = self.stages, self.stages.settings
        orphaned = stages.dependencies.orphaned_keys(settings, self.endpoints)
        known = stages.files.last_outputs()
        plan = stages.plan(self.terraform, destroy=True)
        if plan.destroy:
            plan = replace(plan, protected=protected_against_deletion(self.terraform.shown(plan.file)))
        if not (plan.has_changes or self.recovery.journal.was_cut_off or self._names(orphaned)):
            return plan, False
        if not confirm(plan):
            raise GateFailed("Nothing was destroyed: the plan was not confirmed.")
        # What was deployed as protected is, whatever this command was told and wherever it was deployed from.
        if settings.protected or plan.protected:
            self._release()
            stages.set_protection(self.endpoints, wanted=False)
            plan = stages.plan(self.terraform, destroy=True)
        stages.apply_plan(self.terraform, plan, "destroy")
        self._sweep()
        if left := stages.dependencies.clear_zone(settings, self.endpoints):
            stages.emit(Notice(left))
        if removed := orphaned.remove():
            stages.emit(Notice(f"Removed what a rotation had left: {', '.join(map(str, removed))}."))
        stages.remove_late_log_groups(self.endpoints, destroyed=True, known=known)
        return plan, True

    def _sweep(self) -> None:
        """Take what a cut-off deployment made into the state, and delete that too."""
        for _ in range(SWEEPS):
            if not self.recovery.sweep(lambda: self.stages.plan(self.terraform, stage="sweep")):
                return
            rest = self.stages.plan(self.terraform, destroy=True)
            self.stages.apply_plan(self.terraform, rest, "destroy")

    def _names(self, orphaned: OrphanedKeys) -> bool:
        """Whether an earlier destruction left API keys behind, which are named before anybody is asked."""
        left = orphaned.look()
        if left:
            keys = ", ".join(map(str, left))
            self.stages.emit(Notice(f"A rotation left API keys that open nothing: {keys}."))
        return bool(left)

    def _release(self) -> None:
        """Take the deletion protection off what is there, so that it can be deleted."""
        release = self.stages.plan(self.terraform, stage="release")
        if release.add:  # a deployment that ended half-way: what it has not made need not be made now
            there = tuple(
                change.address for change in release.changes if change.action is ChangeAction.UPDATE
            )
            if not there:
                return
            release = self.stages.plan(self.terraform, targets=there, stage="release")
        guard(release)
        if release.has_changes:
            self.stages.apply_plan(self.terraform, release, "release")

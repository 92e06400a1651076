"""Updates an environment that serves region by region, and rolls back a version that fails verification."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.events import Notice
from payinfra.core.outputs import Outputs
from payinfra.core.stop_signals import DeferredSignals
from payinfra.deployment.plan_review import within
from payinfra.deployment.results import Synthesized
from payinfra.deployment.rolling_update import Graph, Role, RolloutStep, announced, plan_rollout
from payinfra.deployment.stages import Stages
from payinfra.deployment.workspace import Confirm
from payinfra.terraform import Import, Plan, Terraform, guard

if TYPE_CHECKING:
    from payinfra.deployment.lambda_alias import LambdaAlias


def _only_region(serving: str, silent: str, why: str = "") -> GateFailed:
    return GateFailed(
        f"{silent} does not serve payments, and this would change {serving}, the only region that does."
        + (f" {why}" if why else ""),
        f"Let {silent} serve again first: a change that it is part of reaches it first. "
        f"To change {serving} anyway: --allow-single-region.",
    )


@dataclass(frozen=True)
class Standing:
    """An environment that an update would change.

    Attributes:
        silent: the regions that do not serve payments.
    """

    outputs: Outputs
    silent: tuple[str, ...] = ()

    @property
    def first(self) -> Role:
        """The region to update first: the one that does not serve, else the secondary."""
        primary_only = self.silent == (self.outputs.primary_region,)
        return Role.PRIMARY if primary_only else Role.SECONDARY

    @property
    def last_serving(self) -> Role | None:
        """The only region that serves; None where both do, or neither."""
        return self.first.other if len(self.silent) == 1 else None

    @property
    def in_words(self) -> str:
        """Which regions serve, in a phrase."""
        if self.last_serving:
            return f"{self.last_serving.of(self.outputs).region} only"
        return "neither region" if self.silent else "both regions"

    def serves(self, role: Role) -> bool:
        """Whether the region served when the update began."""
        return role.of(self.outputs).region not in self.silent


@dataclass(frozen=True)
class Consent:
    """What a person allows an update to do.

    Attributes:
        confirm: asked once a step, with a plan that changes something.
        allow_destroy: let a plan delete or replace what holds data.
        allow_single_region: change a region while the other one does not serve.
    """

    confirm: Confirm
    allow_destroy: bool = False
    allow_single_region: bool = False


@dataclass(frozen=True)
class Rollout:
    """Brings a plan to an environment: in one where nothing serves yet, region by region where it does.

    Attributes:
        stages: the environment's.
        live: what the APIs call.
        consent: what the person allows.
    """

    stages: Stages
    live: "LambdaAlias"
    consent: Consent

    def steps(
        self, terraform: Terraform, synthesized: Synthesized, plan: Plan, *, in_one: bool
    ) -> "tuple[Standing, tuple[RolloutStep, ...]] | None":
        """The environment that the plan would change, and the steps to take; None to apply the plan in one.

        Args:
            in_one: apply it in one in any case.

        Raises:
            GateFailed: the only region that serves would be changed.
        """
        standing = self._standing(terraform, plan)
        if standing is None:
            return None
        steps = plan_rollout(Graph.read(synthesized.manifest), plan, standing.first)
        if not self.consent.allow_single_region:
            self._spare_the_last_region(standing, steps if in_one else steps[:1])
        return None if in_one else (standing, steps)

    def _standing(self, terraform: Terraform, plan: Plan) -> Standing | None:
        """The environment that a plan would change; None where none was ever whole, or nothing changes."""
        files = self.stages.files
        never_whole = files.begun.exists() and not files.outputs.exists()
        if never_whole or not plan.has_changes:
            return None
        try:
            outputs = files.known_outputs() or files.recorded_outputs(terraform)
        except EnvironmentUnusable as error:  # never complete, or of another version: they are written anew
            if files.outputs.exists():
                self.stages.emit(Notice(f"Both regions are updated together: {error.what}"))
            return None
        if outputs is None:
            return None
        with self.stages.stage("serving") as stage:
            standing = Standing(outputs, self.live.silent(outputs))
            stage.detail = standing.in_words
        return standing

    @staticmethod
    def _spare_the_last_region(standing: Standing, steps: tuple[RolloutStep, ...]) -> None:
        """Stop before the only region that serves is changed, with no other to take over.

        Args:
            steps: those that would be taken before anything has proven that the other region serves again.

        Raises:
            GateFailed: it would be.
        """
        last = standing.last_serving
        if last and any(step.role is last for step in steps):
            raise _only_region(last.of(standing.outputs).region, last.other.of(standing.outputs).region)

    def run(
        self,
        terraform: Terraform,
        plan: Plan,
        standing: Standing,
        steps: tuple[RolloutStep, ...],
        imports: tuple[Import, ...],
    ) -> Outputs:
        """Take the steps. Each one has its own plan, and is verified before the next one is planned.

        Raises:
            GateFailed: a person or the plan guard said no, or a region does not serve payments afterwards;
                its version from before is back then.
            ToolFailed: Terraform failed.
        """
        emit, outputs, whole = self.stages.emit, standing.outputs, plan
        if standing.last_serving and steps[0].role is standing.first:
            first, then = (role.of(outputs).region for role in (standing.first, standing.first.other))
            emit(Notice(f"{first} does not serve. It is updated first, and {then} once it serves again."))
        for number, step in enumerate(steps, 1):
            if len(steps) > 1:
                plan = self.stages.plan(
                    terraform,
                    targets=step.targets,
                    imports=imports,  # Terraform passes over those that the targets do not need
                    stage=f"plan {step.role}",
                )
                guard(plan, self.consent.allow_destroy)
                emit(Notice(f"Wave {number} of {len(steps)}, {step.role}: {announced(plan)}."))
            if not self.consent.confirm(within(plan, whole)):
                raise GateFailed(f"Nothing was changed in the {step.role}: the plan was not confirmed.")
            serves = standing.serves(step.role)
            if serves and not self.consent.allow_single_region:
                self._other_serves(step.role, outputs)
            outputs = self._step(terraform, plan, step.role, outputs, serves=serves)
        return outputs

    def _step(
        self, terraform: Terraform, plan: Plan, role: Role, outputs: Outputs, *, serves: bool
    ) -> Outputs:
        """Apply the plan of one region and verify it, or roll its version back."""
        files, journal = self.stages.files, self.stages.files.rollback_journal
        region = role.of(outputs)
        with self.live.rollback_on_failure(region, self.stages.emit, journal, serves=serves) as moved:
            outputs = files.write_outputs(self.stages.apply_plan(terraform, plan, f"apply {role}"))
            moved()
            with self.stages.stage(f"verify {role}") as stage:
                payment_id = self.live.verify(role.of(outputs), outputs, recovers=not serves)
                stage.detail = f"healthy, and took payment {payment_id}"
        return outputs

    def _other_serves(self, role: Role, outputs: Outputs) -> None:
        """Make sure, right before a region is changed, that the other one would take over.

        Raises:
            GateFailed: it would not.
        """
        other = role.other.of(outputs)
        try:
            self.live.verify(other, outputs)
        except GateFailed as error:
            raise _only_region(role.of(outputs).region, other.region, error.what) from None


def roll_back_cut_off(stages: Stages, live: "LambdaAlias", region: str | None = None) -> None:
    """Roll back the step of an earlier update that was cut off before its version had proven itself.

    Args:
        region: roll back in this region only; what is to be done in the other one is left for later.

    Raises:
        EnvironmentUnusable: that is not possible, or what is to be rolled back cannot be read.
    """
    settings = stages.settings
    for journal in (stages.files.rollback_journal, stages.files.surviving_journal):
        change = journal.read()
        if change is None or region not in (None, change.region):
            continue
        stages.emit(Notice(f"An update was cut off. {change} is rolled back to version {change.before}."))
        # Its Terraform may still be about to move the alias.
        stages.dependencies.terraform(settings, settings.work_dir, stages.emit).wait_for_orphans()
        with stages.stage("roll back") as stage, DeferredSignals():
            stage.detail = live.roll_back_cut_off(change)
            journal.end()


def tell_of_a_cut_off_update(stages: Stages) -> None:
    """Tell of a version that an update which was cut off has left unverified."""
    try:
        change = stages.files.rollback_journal.read() or stages.files.surviving_journal.read()
    except EnvironmentUnusable as error:
        stages.emit(Notice(f"{error.what} {error.hint}"))
        return
    if change:
        stages.emit(
            Notice(
                f"An update was cut off. {change} may point to a version that was not verified. Run "
                f"`{stages.settings.command('deploy')}`: it rolls back to version {change.before} first."
            )
        )

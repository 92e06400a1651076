"""The single stages: synth, check, plan, apply, verify. Each one emits its start and its end.

The commands decide in which order they run, and what happens between them.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.verdicts import Severity
from payinfra.clients.aws import LOCAL_ACCOUNT, Aws, Endpoints
from payinfra.core.errors import GateFailed
from payinfra.core.events import Emit, Notice, StageFinished, StageSkipped, StageStarted
from payinfra.core.naming import regions_used
from payinfra.core.outputs import Outputs
from payinfra.core.private_files import write_private
from payinfra.core.settings import Settings
from payinfra.deployment import guidance, surviving
from payinfra.deployment.dependencies import SynthesisMode
from payinfra.deployment.environment_files import EnvironmentFiles
from payinfra.deployment.pipeline_dependencies import PipelineDependencies
from payinfra.deployment.plan_review import with_costs, with_review
from payinfra.deployment.recovery.lost_state import StateGuard
from payinfra.deployment.recovery.recovery import Recovery
from payinfra.deployment.results import ChecksFailed, Synthesized, headline
from payinfra.deployment.stack_manifest import StackFile, StackInventory
from payinfra.deployment.workspace import Confirm, RunningStage
from payinfra.terraform import ChangeAction, Import, OutputValue, Plan, Terraform, losses
from payinfra.terraform.binary import LICENCES, Engine

if TYPE_CHECKING:
    from payinfra.deployment.lambda_alias import LambdaAlias
    from payinfra.deployment.smoke_test import SmokeTestResult

NEW_LOG_GROUP = ("aws_cloudwatch_log_group", ChangeAction.CREATE)


@dataclass(frozen=True)
class Stages:
    """What the commands are made of, for one environment.

    Attributes:
        settings: the environment.
        emit: told of every stage.
        dependencies: what the stages call.
        files: the environment's.
        mode: how the stack is synthesized.
        fail_on: the severity from which a finding of the policy checks stops a command.
    """

    settings: Settings
    emit: Emit
    dependencies: PipelineDependencies
    files: EnvironmentFiles
    mode: SynthesisMode
    fail_on: Severity

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[RunningStage]:
        """Emit the start and the end of a stage; a stage that fails has no end."""
        running = RunningStage()
        began = time.monotonic()
        self.emit(StageStarted(name, total))
        yield running
        self.emit(StageFinished(name, time.monotonic() - began, running.detail))

    # -- the account ---------------------------------------------------------------------------------

    def endpoints(self, through: str | None = None) -> Endpoints | None:
        """Where AWS answers. The embedded AWS is started.

        Args:
            through: the only region that may be asked which account the credentials belong to.

        Raises:
            EnvironmentUnusable: AWS does not answer, or the environment belongs to another account.
        """
        if not self.settings.is_local:
            with self.stage("account") as stage:
                stage.detail = account = (
                    self.dependencies.account(self.settings)
                    if through is None
                    else self.dependencies.account_in(self.settings, through)
                )
            self.guard(None).require_own(account)
            return None
        self.guard(None).require_own(LOCAL_ACCOUNT)
        with self.stage("local") as stage:
            endpoints = self.dependencies.local_up(self.settings, self.emit)
            named = endpoints.https if self.settings.domain is not None else {}
            stage.detail = ", ".join(
                [
                    *(f"{region} on {url}" for region, url in endpoints.regions.items()),
                    *(f"names in {region} on https://{where.listens}" for region, where in named.items()),
                ]
            )
        return endpoints

    def require_regions(self, endpoints: Endpoints | None, command: str) -> None:
        """Refuse to go on while a region does not answer: Terraform would wait for it for minutes or hours.

        Raises:
            EnvironmentUnusable: a region does not answer, or none does.
        """
        silent = self.dependencies.silent(self.settings, endpoints)
        if silent:
            raise guidance.needs_all_regions(silent, self.settings.regions, command, self.settings.command)

    def preflight(self, endpoints: Endpoints | None) -> None:
        """Check what a deployment needs of the account. A destruction needs none of it.

        Raises:
            EnvironmentUnusable: something is missing.
        """
        from payinfra.account.quotas import require_concurrency

        if promised := guidance.beyond_the_index(self.settings.api_rate_limit, self.settings.status_shards):
            self.emit(Notice(promised))
        require_concurrency(
            self.aws(endpoints),
            self.settings.names,
            self.settings.regions,
            self.settings.reserved_concurrency,
        )
        if not self.settings.is_local:
            with self.stage("preflight") as stage:
                stage.detail = self.dependencies.preflight(self.settings)

    def aws(self, endpoints: Endpoints | None) -> Aws:
        """The clients for the environment."""
        return self.dependencies.aws(self.settings, endpoints)

    def live(self, endpoints: Endpoints | None) -> "LambdaAlias":
        """What the APIs call."""
        return self.dependencies.live(self.aws(endpoints))

    # -- the stack -----------------------------------------------------------------------------------

    def synth(self, endpoints: Endpoints | None, settings: Settings | None = None) -> Synthesized:
        """Synthesize the stack.

        Args:
            settings: of another stack than the environment's own.

        Raises:
            ToolFailed: synthesis failed.
        """
        with self.stage("synth") as stage:
            folder = self.dependencies.synthesize(settings or self.settings, endpoints, self.mode)
            inventory = StackInventory.read(folder / "cdk.tf.json")
            stage.detail = f"{inventory.total} resources"
        return Synthesized(folder, inventory)

    def checked_synth(self, endpoints: Endpoints | None) -> Synthesized:
        """Synthesize the stack and judge it against the policy.

        Raises:
            ChecksFailed: a finding is as severe as `fail_on`.
            ToolFailed: synthesis failed.
        """
        synthesized = self.synth(endpoints)
        with self.stage("check") as stage:
            stage.detail = self._passed(self.dependencies.check(self.settings, synthesized.folder))
        return synthesized

    def _passed(self, outcome: Outcome) -> str:
        if outcome.failing(self.fail_on):
            raise ChecksFailed(outcome, self.fail_on)
        return f"{outcome.summary.checks} checks, {len(outcome.findings)} findings"

    # -- Terraform -----------------------------------------------------------------------------------

    def initialised(self, synthesized: Synthesized) -> Terraform:
        """A Terraform that can work on a synthesized stack.

        Raises:
            ToolFailed: it cannot be initialised.
        """
        surviving.bring_unsaved_state(self.settings.work_dir, synthesized.folder)
        terraform = self.dependencies.terraform(self.settings, synthesized.folder, self.emit)
        with self.stage("init") as stage:
            terraform.init()
            stage.detail = f"{terraform.binary.kind} {terraform.binary.version}"
        self._tell_of_its_licence(terraform.binary.kind)
        return terraform

    def _tell_of_its_licence(self, kind: Engine) -> None:
        """Tell, once for a work root, of the licence of the Terraform that payinfra itself brought."""
        told = self.settings.work_root / "cache" / "licence-told"
        if kind is not Engine.EMBEDDED or told.exists():
            return
        self.emit(
            Notice(f"Terraform is embedded: {LICENCES[kind]}. That one forbids competing with HashiCorp.")
        )
        write_private(told, "")

    def guard(self, endpoints: Endpoints | None) -> StateGuard:
        """The guard that tells a lost state from an environment that does not exist."""
        return StateGuard(
            self.settings,
            self.files.apply_log,
            self.files.outputs,
            account=lambda: (
                LOCAL_ACCOUNT if self.settings.is_local else self.dependencies.account(self.settings)
            ),
            existing=lambda: self.dependencies.existing(self.settings, endpoints),
        )

    def recovery(self, terraform: Terraform, endpoints: Endpoints | None) -> Recovery:
        """What finishes a deployment that was cut off."""
        return Recovery(
            terraform,
            self.aws(endpoints),
            self.files.apply_log,
            self.emit,
            shared_state=self.settings.state_bucket is not None,
            regions=regions_used(self.settings.regions),
        )

    def known_to_terraform(self, synthesized: Synthesized, endpoints: Endpoints | None) -> Terraform:
        """A Terraform whose state knows the environment, where one exists.

        Raises:
            EnvironmentUnusable: the environment exists and its state is lost.
            ToolFailed: Terraform failed.
        """
        terraform = self.initialised(synthesized)
        self.guard(endpoints).require_known(terraform)
        return terraform

    def plan(
        self,
        terraform: Terraform,
        *,
        destroy: bool = False,
        targets: tuple[str, ...] = (),
        imports: tuple[Import, ...] = (),
        unchanged: tuple[str, ...] = (),
        stage: str = "plan",
    ) -> Plan:
        """Plan into the environment's file of plans; see `Terraform.plan`.

        Args:
            stage: what this plan is called.
        """
        more: dict[str, Any] = {"unchanged": unchanged} if unchanged else {}
        with self.stage(stage) as running:
            plan = terraform.plan(
                self.files.plan.resolve(), destroy=destroy, targets=targets, imports=imports, **more
            )
            running.detail = headline(plan)
        return self._with_history(terraform, plan)

    def converging_plan(self, terraform: Terraform, recovery: Recovery) -> Plan:
        """A plan that finishes and adopts what a deployment that was cut off has left, if one was."""
        was_cut_off = recovery.keep_begun()
        plan = self.plan(terraform)
        if not was_cut_off:
            return plan
        return recovery.complete(plan, lambda imports: self.plan(terraform, imports=imports, stage="adopt"))

    def read_plan(self, terraform: Terraform, saved: Path) -> Plan:
        """Read a plan that was saved."""
        with self.stage("plan") as stage:
            plan = terraform.show(saved.resolve())
            stage.detail = f"{headline(plan)}, from {saved}"
        return self._with_history(terraform, plan)

    def _with_history(self, terraform: Terraform, plan: Plan) -> Plan:
        """The plan, knowing whether the environment ever served; asked only where something would be lost."""
        if not losses(plan) or self.files.outputs.exists():
            return plan
        # `declared` depends on nearly everything: most first deployments that are cut off lack it.
        unfinished = self.files.begun.exists() or "declared" not in terraform.outputs()
        return replace(plan, unfinished=unfinished)

    def check_plan(self, terraform: Terraform, synthesized: Synthesized, plan: Plan) -> Plan:
        """Judge the plan as well: what it makes of the file, with the values that Terraform has found.

        Returns:
            The plan, with what a person reviews.

        Raises:
            ChecksFailed: a finding is as severe as `fail_on`.
        """
        stack = StackFile.read(synthesized.manifest)
        if not plan.has_changes:
            return with_costs(plan, stack)
        shown = terraform.shown(plan.file)
        with self.stage("check plan") as stage:
            outcome = self.dependencies.check_plan(self.settings, synthesized.folder, shown)
            stage.detail = self._passed(outcome)
        return with_costs(with_review(plan, shown, stack.places), stack, shown)

    def apply_plan(self, terraform: Terraform, plan: Plan, stage: str) -> Mapping[str, OutputValue]:
        """Apply exactly this plan, and keep in the apply log that it began and ended.

        Raises:
            ToolFailed: Terraform failed.
        """
        with self.stage(stage, total=plan.add + plan.change + plan.destroy) as running:
            self.files.apply_log.begin(datetime.now(UTC))
            outputs = terraform.apply(plan.file)
            self.files.apply_log.end()
            running.detail = headline(plan)
        return outputs

    def apply(
        self, terraform: Terraform, plan: Plan, confirm: Confirm, endpoints: Endpoints | None
    ) -> Outputs:
        """Apply a plan in one, once a person has said yes.

        Raises:
            GateFailed: the person said no.
            ToolFailed: Terraform failed.
        """
        if not plan.has_changes:
            self.emit(StageSkipped("apply", "nothing to change"))
            return self.files.known_outputs() or self.files.write_outputs(terraform.outputs())
        if not confirm(plan):
            raise GateFailed("Nothing was changed: the plan was not confirmed.")
        if not self.files.has_state:
            write_private(self.files.begun, "")
        if any((one.type, one.action) == NEW_LOG_GROUP for one in plan.changes):
            self.remove_late_log_groups(endpoints, destroyed=False)
        return self.files.write_outputs(self.apply_plan(terraform, plan, "apply"))

    # -- what Terraform does not do ------------------------------------------------------------------

    def remove_late_log_groups(
        self, endpoints: Endpoints | None, *, destroyed: bool, known: Outputs | None = None
    ) -> None:
        """Delete log groups that late lines of an API which is gone have made again."""
        if removed := self.dependencies.late_log_groups(self.settings, endpoints, destroyed, known):
            self.emit(Notice(f"Removed log groups that late lines had made again: {', '.join(removed)}."))

    def set_protection(self, endpoints: Endpoints | None, wanted: bool) -> None:
        """Set the table's deletion protection where Terraform does not: in the other region."""
        if changed := self.dependencies.set_protection(self.settings, endpoints, wanted):
            said = "on" if wanted else "off"
            where = " and ".join(changed)
            self.emit(Notice(f"The table's deletion protection is {said} in {where} as well."))

    # -- what was deployed ---------------------------------------------------------------------------

    def smoke_test(self, outputs: Outputs, endpoints: Endpoints | None) -> "tuple[SmokeTestResult, ...]":
        """Send a payment through each region, and read it in the other.

        Raises:
            GateFailed: one did not get through.
        """
        with self.stage("prove") as stage:
            proofs = self.dependencies.smoke_test(outputs, self.aws(endpoints))
            stage.detail = "a payment through each region, read back in the other"
        return proofs

    def verify(self, outputs: Outputs, endpoints: Endpoints | None, request: VerifyRequest) -> Outcome:
        """Probe what was deployed."""
        with self.stage("verify") as stage:
            verified = self.dependencies.verify(outputs, self.aws(endpoints), self.of_project(request))
            stage.detail = f"{verified.summary.checks} probes, {len(verified.findings)} findings"
        return verified

    def of_project(self, request: VerifyRequest) -> VerifyRequest:
        """The request, with the project's own probes."""
        return replace(request, project=self.settings.project)

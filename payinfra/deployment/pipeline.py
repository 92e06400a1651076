"""The stages of a deployment, in order. They emit events and return results; they never print."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.drift import Difference, judge
from payinfra.checks.probes.results import VerifyRequest, joined, outcome
from payinfra.checks.verdicts import Severity
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.events import Emit, Notice, StageFinished, StageSkipped, StageStarted, ignore
from payinfra.core.outputs import Outputs
from payinfra.core.private_files import write_private
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies as dependencies_module
from payinfra.deployment.inventory import StackInventory
from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.recovery import Recovery
from payinfra.deployment.results import ChecksFailed, Deployed, Destroyed, ProbesFailed, Synthesized, headline
from payinfra.deployment.rolling_update import Graph, RolloutStep, announced, plan_rollout
from payinfra.drill.environment import FOLDER as DRILLS
from payinfra.drill.environment import DrillEnvironment
from payinfra.terraform import ChangeAction, Import, OutputValue, Plan, Terraform, guard, losses

if TYPE_CHECKING:
    from payinfra.deployment.lambda_alias import LambdaAlias
    from payinfra.deployment.smoke_test import SmokeTestResult
    from payinfra.deployment.status import Status

LATEST_OUTPUTS = Path("cfn-outputs") / "flat-outputs.json"

PROBES_FAIL_ON = Severity.LOW
"""The severity from which a failed probe fails a deployment: from the lowest, for nothing here may fail."""

SWEEPS = 3
"""How often a destruction looks for what no state knows: of one resource there may be several."""

Confirm = Callable[[Plan], bool]


def differing(plan: Plan) -> tuple[Difference, ...]:
    """What a plan would change.

    Not a refresh-only plan: on a fresh deployment that names every attribute which the provider fills in
    later, in most of the resources. What Terraform would change back is the drift that matters.
    """
    changes = (change for change in plan.changes if change.action is not ChangeAction.READ)
    return (
        *(Difference(change.address, change.action.value) for change in changes),
        *(Difference(f"output {one.name}", one.action.value) for one in plan.outputs),
    )


def _not_sensitive(values: Mapping[str, OutputValue]) -> dict[str, str]:
    return {name: str(value.value) for name, value in values.items() if not value.sensitive}


@dataclass
class _Stage:
    detail: str = ""


@dataclass(frozen=True)
class LockedEnvironment:
    """An environment that stands, with everything to work on its state. Nobody else works on it meanwhile.

    Attributes:
        manifest: the stack as it is synthesized now.
        plan_file: where plans of it are kept.
        keep: writes outputs to the environment's file, and to the latest copy.
        stage: follows a stage of the work.
    """

    outputs: Outputs
    aws: Aws
    terraform: Terraform
    manifest: Path
    plan_file: Path
    keep: Callable[[Mapping[str, OutputValue]], Outputs]
    stage: Callable[[str], AbstractContextManager[_Stage]]


@dataclass(frozen=True)
class Pipeline:
    """The stages for one environment.

    Args:
        settings: the environment.
        emit: told of everything that happens.
        eager_bindings: import cdktf's bindings the ordinary, slow way.
        fail_on: the severity from which a finding of the policy checks stops a deployment.
        dependencies: what the stages work with; tests pass scripted ones.
    """

    settings: Settings
    emit: Emit = ignore
    eager_bindings: bool = False
    fail_on: Severity = Severity.HIGH
    dependencies: dependencies_module.PipelineDependencies = dependencies_module.AWS_DEPENDENCIES
    latest_outputs: Path = LATEST_OUTPUTS

    # -- the commands --------------------------------------------------------------------------------

    def synth(self) -> Synthesized:
        """Synthesize the stack.

        On the embedded AWS the providers' endpoints are those of the running server, or the ones that it
        would listen on.
        """
        with exclusive(self.settings.work_dir, "synth"):
            return self._synth(self.dependencies.local_addresses(self.settings))

    def plan(self, *, out: Path | None = None) -> Plan:
        """Plan what a deployment would change, and keep the plan in `out` where it is given."""
        with exclusive(self.settings.work_dir, "plan"):
            synthesized = self._checked_synth(self._endpoints())
            terraform = self._initialised(synthesized)
            plan = self._plan(terraform, self._plan_file)
            self._check_plan(terraform, synthesized, plan)
            if out is not None:
                shutil.copyfile(self._plan_file, out)
                out.chmod(0o600)
            return plan

    def deploy(
        self,
        confirm: Confirm,
        *,
        allow_destroy: bool = False,
        saved_plan: Path | None = None,
        all_at_once: bool = False,
    ) -> Deployed:
        """Synthesize, check, plan, apply, prove and verify; where both regions serve already, in waves.

        Args:
            confirm: asked once a wave, with a plan that changes something.
            allow_destroy: let the plan delete or replace what holds data.
            saved_plan: apply this plan, made by `plan`, instead of a new one: as it was reviewed, in one.
            all_at_once: no waves.

        Raises:
            GateFailed: a finding, the plan guard or a person said no, or a payment did not get through.
            ProbesFailed: everything is deployed, and a probe failed.
            ToolFailed: synthesis or Terraform failed.
            EnvironmentUnusable: another deployment is under way, or something needed cannot be reached.
        """
        began = time.monotonic()
        with exclusive(self.settings.work_dir, "deploy"):
            self._refuse_open_drills()
            endpoints = self._endpoints()
            self._preflight()
            synthesized = self._checked_synth(endpoints)
            terraform = self._initialised(synthesized)
            live = self.dependencies.live(dependencies_module.aws(self.settings, endpoints))
            recovery = self._recovery(terraform, endpoints)

            def change() -> tuple[Plan, Outputs]:
                if saved_plan is None:
                    plan = self._converging_plan(terraform, recovery)
                else:
                    plan = self._read_plan(terraform, saved_plan)
                guard(plan, allow_destroy)
                self._check_plan(terraform, synthesized, plan)
                in_one = saved_plan is not None or all_at_once or plan.adopts > 0
                if in_one or not (serving := self._serving(terraform, plan, live)):
                    return plan, self._apply(terraform, plan, confirm)
                steps = plan_rollout(Graph.read(synthesized.folder / "cdk.tf.json"), plan)
                return plan, self._rolling_update(
                    terraform, plan, steps, serving, live, confirm, allow_destroy=allow_destroy
                )

            plan, outputs = change() if saved_plan else recovery.converging(change)
            proofs = self._smoke_test(outputs, endpoints)
            verified = self._verify(outputs, endpoints, VerifyRequest())
            if verified.failing(PROBES_FAIL_ON):
                raise ProbesFailed(verified, PROBES_FAIL_ON, self.settings.command("verify"))
        return Deployed(plan, outputs, proofs, verified, time.monotonic() - began)

    def destroy(self, confirm: Confirm) -> Destroyed:
        """Delete every resource of the environment, and the API keys of a rotation that did not end.

        Raises:
            GateFailed: the person said no.
            ToolFailed, EnvironmentUnusable: as for `deploy`.
        """
        began = time.monotonic()
        with exclusive(self.settings.work_dir, "destroy"):
            unprotected = self.settings.model_copy(update={"protected": False})
            endpoints = self._endpoints()
            terraform = self._initialised(self._synth(endpoints, unprotected))
            recovery = self._recovery(terraform, endpoints)
            strays = self.dependencies.orphaned_keys(self.settings, endpoints)
            plan = self._plan(terraform, self._plan_file, destroy=True)
            if plan.has_changes or recovery.journal.was_cut_off or self._names_orphaned_keys(strays):
                if not confirm(plan):
                    raise GateFailed("Nothing was destroyed: the plan was not confirmed.")
                if self.settings.protected:
                    self._release(terraform)
                    plan = self._plan(terraform, self._plan_file, destroy=True)
                self._apply_plan(terraform, plan, "destroy")
                for _ in range(SWEEPS):
                    if not recovery.sweep(lambda: self._plan(terraform, self._plan_file, stage="sweep")):
                        break
                    rest = self._plan(terraform, self._plan_file, destroy=True)
                    self._apply_plan(terraform, rest, "destroy")
                if left := self.dependencies.clear_zone(self.settings, endpoints):
                    self.emit(Notice(left))
                if removed := strays.remove():
                    self.emit(Notice(f"Removed what a rotation had left: {', '.join(map(str, removed))}."))
            self._forget_outputs()
        return Destroyed(plan, time.monotonic() - began)

    def reap(self) -> int:
        """Destroy the environment as one of many, about which nobody is asked; how many resources it had.

        Raises:
            ToolFailed, EnvironmentUnusable: as for `deploy`.
        """
        self.emit(Notice(f"Destroying {self.settings.env}."))
        return self.destroy(lambda _plan: True).plan.destroy

    def verify(self, request: VerifyRequest, *, drift: bool = False) -> Outcome:
        """Probe what stands.

        Args:
            drift: ask Terraform as well what it would change.

        Raises:
            EnvironmentUnusable: it was never deployed from here, or cannot be reached.
            ToolFailed: Terraform failed.
        """
        outputs = self.outputs()
        if left := self._open_drills():
            self.emit(Notice(f"{left} Run `{self._restore_command}`."))
        endpoints = self._endpoints()
        verified = self._verify(outputs, endpoints, request)
        return joined(verified, self._drift(endpoints, request)) if drift else verified

    def place(self) -> DrillEnvironment:
        """Where a drill of the environment takes place. The embedded AWS is started.

        Raises:
            EnvironmentUnusable: it was never deployed from here, or cannot be reached.
        """
        outputs = self.outputs()
        endpoints = self._endpoints()
        aws = dependencies_module.aws(self.settings, endpoints)
        return DrillEnvironment(
            target=self.settings.target.value,
            outputs=outputs,
            aws=aws,
            control=self.dependencies.control(self.settings),
            work_dir=self.settings.work_dir,
            verify=lambda request: self.dependencies.verify(outputs, aws, request),
        )

    def status(self) -> "Status":
        """How the environment is now. Starts nothing.

        Raises:
            EnvironmentUnusable: it was never deployed from here.
        """
        from payinfra.deployment.status import gather

        aws = dependencies_module.aws(self.settings, self.dependencies.local_addresses(self.settings))
        target = self.settings.target.value
        return gather(self.settings.env, target, self.outputs(), aws, self._outputs_file)

    def outputs(self) -> Outputs:
        """The environment's outputs, from its own file or, where that is absent, from its state.

        Raises:
            EnvironmentUnusable: it was never deployed from here.
        """
        if known := self._known_outputs():
            return known
        if self.settings.state_bucket is None and not self._state_file.exists():
            raise EnvironmentUnusable(
                f"Environment {self.settings.env} has no outputs on {self.settings.target}: "
                "it was not deployed from this folder.",
                f"Run `{self.settings.command('deploy')}`.",
            )
        with exclusive(self.settings.work_dir, "outputs"):
            terraform = self._initialised(self._synth(self.dependencies.local_addresses(self.settings)))
            return self._write_outputs(terraform.outputs())

    @contextmanager
    def bench(self, command: str) -> Iterator[LockedEnvironment]:
        """Work on the state of what stands, as `command`, and on nothing but the state.

        Raises:
            EnvironmentUnusable: it was never deployed from here, is in use, or cannot be reached.
            ToolFailed: synthesis or Terraform failed.
        """
        outputs = self.outputs()
        with exclusive(self.settings.work_dir, command):
            endpoints = self._endpoints()
            synthesized = self._synth(endpoints)
            yield LockedEnvironment(
                outputs=outputs,
                aws=dependencies_module.aws(self.settings, endpoints),
                terraform=self._initialised(synthesized),
                manifest=synthesized.folder / "cdk.tf.json",
                plan_file=self._plan_file.resolve(),
                keep=self._write_outputs,
                stage=self._stage,
            )

    # -- the stages ----------------------------------------------------------------------------------

    def _endpoints(self) -> Endpoints | None:
        if not self.settings.is_local:
            with self._stage("account") as stage:
                stage.detail = self.dependencies.account(self.settings)
            return None
        with self._stage("local") as stage:
            endpoints = self.dependencies.local_up(self.settings, self.emit)
            stage.detail = ", ".join(f"{region} on {url}" for region, url in endpoints.regions.items())
        return endpoints

    def _preflight(self) -> None:
        """Look for what the account must have. Not before a destruction, which needs none of it."""
        if not self.settings.is_local:
            with self._stage("preflight") as stage:
                stage.detail = self.dependencies.preflight(self.settings)

    def _synth(self, endpoints: Endpoints | None, settings: Settings | None = None) -> Synthesized:
        with self._stage("synth") as stage:
            folder = self.dependencies.synthesize(settings or self.settings, endpoints, self.eager_bindings)
            inventory = StackInventory.read(folder / "cdk.tf.json")
            stage.detail = f"{inventory.total} resources"
        return Synthesized(folder, inventory)

    def _checked_synth(self, endpoints: Endpoints | None) -> Synthesized:
        synthesized = self._synth(endpoints)
        with self._stage("check") as stage:
            outcome = self.dependencies.check(self.settings, synthesized.folder)
            if outcome.failing(self.fail_on):
                raise ChecksFailed(outcome, self.fail_on)
            stage.detail = f"{outcome.summary.checks} checks, {len(outcome.findings)} findings"
        return synthesized

    def _check_plan(self, terraform: Terraform, synthesized: Synthesized, plan: Plan) -> None:
        """Judge the plan as well: what it makes of the file, with the values that Terraform has found."""
        if not plan.has_changes:
            return
        with self._stage("check plan") as stage:
            outcome = self.dependencies.check_plan(
                self.settings, synthesized.folder, terraform.shown(plan.file)
            )
            if outcome.failing(self.fail_on):
                raise ChecksFailed(outcome, self.fail_on)
            stage.detail = f"{outcome.summary.checks} checks, {len(outcome.findings)} findings"

    def _initialised(self, synthesized: Synthesized) -> Terraform:
        terraform = self.dependencies.terraform(self.settings, synthesized.folder, self.emit)
        with self._stage("init") as stage:
            terraform.init()
            stage.detail = f"{terraform.binary.kind} {terraform.binary.version}"
        return terraform

    def _plan(
        self,
        terraform: Terraform,
        out: Path,
        *,
        destroy: bool = False,
        targets: tuple[str, ...] = (),
        imports: tuple[Import, ...] = (),
        stage: str = "plan",
    ) -> Plan:
        with self._stage(stage) as running:
            plan = terraform.plan(out.resolve(), destroy=destroy, targets=targets, imports=imports)
            running.detail = headline(plan)
        return self._with_history(terraform, plan)

    def _converging_plan(self, terraform: Terraform, recovery: Recovery) -> Plan:
        """A plan that finishes and adopts what a deployment that was cut off has left, if one was."""
        was_cut_off = recovery.keep_begun()
        plan = self._plan(terraform, self._plan_file)
        if not was_cut_off:
            return plan
        return recovery.complete(
            plan, lambda imports: self._plan(terraform, self._plan_file, imports=imports, stage="adopt")
        )

    def _recovery(self, terraform: Terraform, endpoints: Endpoints | None) -> Recovery:
        return Recovery(
            terraform,
            self.dependencies.aws(self.settings, endpoints),
            self._journal,
            self.emit,
            shared_state=self.settings.state_bucket is not None,
        )

    def _read_plan(self, terraform: Terraform, saved: Path) -> Plan:
        with self._stage("plan") as stage:
            plan = terraform.show(saved.resolve())
            stage.detail = f"{headline(plan)}, from {saved}"
        return self._with_history(terraform, plan)

    def _apply(self, terraform: Terraform, plan: Plan, confirm: Confirm) -> Outputs:
        if not plan.has_changes:
            self.emit(StageSkipped("apply", "nothing to change"))
            return self._known_outputs() or self._write_outputs(terraform.outputs())
        if not confirm(plan):
            raise GateFailed("Nothing was changed: the plan was not confirmed.")
        if self.settings.state_bucket is None and not self._state_file.exists():
            self._begun.touch()
        return self._write_outputs(self._apply_plan(terraform, plan, "apply"))

    def _serving(self, terraform: Terraform, plan: Plan, live: "LambdaAlias") -> Outputs | None:
        """The outputs of an environment that a plan would change while both of its regions serve."""
        if not plan.has_changes:
            return None
        try:
            outputs = self._known_outputs() or self._recorded_outputs(terraform)
        except EnvironmentUnusable:  # of another version, or never complete: the deployment writes them anew
            return None
        if outputs is None:
            return None
        silent = live.silent(outputs)
        if silent:
            self.emit(Notice(f"No waves: {' and '.join(silent)} does not serve."))
        return None if silent else outputs

    def _rolling_update(
        self,
        terraform: Terraform,
        plan: Plan,
        steps: tuple[RolloutStep, ...],
        outputs: Outputs,
        live: "LambdaAlias",
        confirm: Confirm,
        *,
        allow_destroy: bool,
    ) -> Outputs:
        """Apply in waves. Each has a plan of its own, and is verified before the next one is planned."""
        for number, step in enumerate(steps, 1):
            if len(steps) > 1:
                plan = self._plan(terraform, self._plan_file, targets=step.targets, stage=f"plan {step.role}")
                guard(plan, allow_destroy)
                self.emit(Notice(f"Wave {number} of {len(steps)}, {step.role}: {announced(plan)}."))
            if not confirm(plan):
                raise GateFailed(f"Nothing was changed in the {step.role}: the plan was not confirmed.")
            with live.rollback_on_failure(step.role.of(outputs), self.emit):
                outputs = self._write_outputs(self._apply_plan(terraform, plan, f"apply {step.role}"))
                with self._stage(f"verify {step.role}") as stage:
                    payment_id = live.verify(step.role.of(outputs), outputs.environment_suffix)
                    stage.detail = f"healthy, and took payment {payment_id}"
        return outputs

    def _release(self, terraform: Terraform) -> None:
        """Take the deletion protection off what is there, so that it can be deleted."""
        release = self._plan(terraform, self._plan_file, stage="release")
        if release.add:  # a deployment that ended half-way: what it has not made need not be made now
            there = tuple(
                change.address for change in release.changes if change.action is ChangeAction.UPDATE
            )
            if not there:
                return
            release = self._plan(terraform, self._plan_file, targets=there, stage="release")
        guard(release)
        if release.has_changes:
            self._apply_plan(terraform, release, "release")

    def _apply_plan(self, terraform: Terraform, plan: Plan, stage: str) -> Mapping[str, OutputValue]:
        with self._stage(stage, total=plan.add + plan.change + plan.destroy) as running:
            self._journal.begin(datetime.now(UTC))
            outputs = terraform.apply(plan.file)
            self._journal.end()
            running.detail = headline(plan)
        return outputs

    def _smoke_test(self, outputs: Outputs, endpoints: Endpoints | None) -> "tuple[SmokeTestResult, ...]":
        with self._stage("prove") as stage:
            proofs = self.dependencies.smoke_test(outputs, dependencies_module.aws(self.settings, endpoints))
            stage.detail = "a payment through each region, read back in the other"
        return proofs

    def _names_orphaned_keys(self, strays: OrphanedKeys) -> bool:
        """Whether an earlier destruction left API keys behind, which are named before anybody is asked."""
        left = strays.look()
        if left:
            self.emit(Notice(f"A rotation left API keys that open nothing: {', '.join(map(str, left))}."))
        return bool(left)

    def _verify(self, outputs: Outputs, endpoints: Endpoints | None, request: VerifyRequest) -> Outcome:
        with self._stage("verify") as stage:
            verified = self.dependencies.verify(
                outputs, dependencies_module.aws(self.settings, endpoints), request
            )
            stage.detail = f"{verified.summary.checks} probes, {len(verified.findings)} findings"
        return verified

    def _drift(self, endpoints: Endpoints | None, request: VerifyRequest) -> Outcome:
        with exclusive(self.settings.work_dir, "verify"):
            terraform = self._initialised(self._synth(endpoints))
            with self._stage("drift") as stage:
                began = time.monotonic()
                plan = terraform.plan((self.settings.work_dir / "drift.tfplan").resolve())
                stage.detail = headline(plan)
        result = judge(", ".join(self.settings.regions), differing(plan), time.monotonic() - began)
        request.tell(result)
        return outcome((result,))

    # -- drills that did not end -----------------------------------------------------------------------

    def _open_drills(self) -> str:
        """What drills may have left in place, in a sentence; empty where there is none."""
        from payinfra.drill.faults.journal import open_journals

        left = open_journals(self.settings.work_dir / DRILLS)
        names = ", ".join(path.parent.name for path in left)
        return f"A drill did not end, and may have left something in place: {names}." if left else ""

    @property
    def _restore_command(self) -> str:
        from payinfra.drill.faults.journal import restore_command

        return restore_command(self.settings.env, self.settings.target.value)

    def _refuse_open_drills(self) -> None:
        if left := self._open_drills():
            raise GateFailed(left, f"Put everything back first: `{self._restore_command}`.")

    # -- files ---------------------------------------------------------------------------------------

    def _with_history(self, terraform: Terraform, plan: Plan) -> Plan:
        """The plan, knowing whether the environment ever served; asked only where something would be lost."""
        if not losses(plan) or self._outputs_file.exists():
            return plan
        # `declared` depends on nearly everything: most first deployments that are cut off lack it.
        return replace(plan, unfinished=self._begun.exists() or "declared" not in terraform.outputs())

    @property
    def _plan_file(self) -> Path:
        return self.settings.work_dir / "plan.tfplan"

    @property
    def _begun(self) -> Path:
        """Stands from the first apply of an environment until an apply has ended well."""
        return self.settings.work_dir / "begun"

    @property
    def _journal(self) -> ApplyLog:
        """What is known of earlier applies."""
        return ApplyLog(self.settings.work_dir / "applied.json")

    @property
    def _state_file(self) -> Path:
        return self.settings.work_dir / "terraform.tfstate"

    @property
    def _outputs_file(self) -> Path:
        return self.settings.work_dir / "outputs.json"

    def _known_outputs(self) -> Outputs | None:
        return Outputs.read(self._outputs_file) if self._outputs_file.exists() else None

    def _recorded_outputs(self, terraform: Terraform) -> Outputs | None:
        """The outputs in the state, which another folder or machine may have deployed; None without a state.

        Raises:
            EnvironmentUnusable: the state lacks some: it is empty, or a deployment's that did not end.
        """
        if self.settings.state_bucket is None and not self._state_file.exists():
            return None
        return Outputs.from_flat(_not_sensitive(terraform.outputs()))

    def _write_outputs(self, values: Mapping[str, OutputValue]) -> Outputs:
        """Write the outputs that are not sensitive to the environment's file and to the latest copy."""
        flat = _not_sensitive(values)
        outputs = Outputs.from_flat(flat)
        text = json.dumps(flat, indent=2, sort_keys=True) + "\n"
        for file in (self._outputs_file, self.latest_outputs):
            write_private(file, text)
        self._begun.unlink(missing_ok=True)
        return outputs

    def _forget_outputs(self) -> None:
        """Remove the outputs of an environment that is gone, and the latest copy where it is of this one."""
        own, latest = self._outputs_file, self.latest_outputs
        if own.exists() and latest.exists() and own.read_bytes() == latest.read_bytes():
            latest.unlink()
        own.unlink(missing_ok=True)
        self._begun.unlink(missing_ok=True)
        self._journal.forget()

    @contextmanager
    def _stage(self, name: str, total: int | None = None) -> Iterator[_Stage]:
        stage = _Stage()
        began = time.monotonic()
        self.emit(StageStarted(name, total))
        yield stage
        self.emit(StageFinished(name, time.monotonic() - began, stage.detail))

"""The commands on one environment, each a few stages in order. They emit events and return results."""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import VerifyRequest, joined
from payinfra.checks.verdicts import Severity
from payinfra.clients.aws import Endpoints
from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable, GateFailed, ToolFailed
from payinfra.core.events import Emit, Notice, ignore
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies as dependencies_module
from payinfra.deployment import guidance, surviving
from payinfra.deployment.agreed_changes import AgreedChanges
from payinfra.deployment.destruction import Destruction
from payinfra.deployment.drift import drift as judge_drift
from payinfra.deployment.drill_leftovers import DrillLeftovers
from payinfra.deployment.environment_files import EnvironmentFiles
from payinfra.deployment.pipeline_dependencies import AWS_DEPENDENCIES, PipelineDependencies
from payinfra.deployment.results import (
    PROBES_FAIL_ON,
    Adopted,
    Deployed,
    Destroyed,
    ProbesFailed,
    Synthesized,
)
from payinfra.deployment.rolling_update import Role
from payinfra.deployment.rollout import Consent, Rollout, roll_back_cut_off, tell_of_a_cut_off_update
from payinfra.deployment.stages import Stages
from payinfra.deployment.state_adoption import StateAdoption
from payinfra.deployment.surviving_update import SurvivingUpdate
from payinfra.deployment.workspace import Confirm, LockedEnvironment
from payinfra.drill.environment import DrillEnvironment
from payinfra.terraform import Plan, guard

if TYPE_CHECKING:
    from payinfra.deployment.status import Status
    from payinfra.stacks.extension import Extend

LATEST_OUTPUTS = Path("cfn-outputs") / "flat-outputs.json"


@dataclass(frozen=True)
class Pipeline:
    """The commands on one environment. Each is a few of `Stages`, and says in which order.

    Args:
        settings: the environment.
        emit: told of everything that happens.
        eager_bindings: import cdktf's bindings the ordinary, slow way.
        fail_on: the severity from which a finding of the policy checks stops a deployment.
        dependencies: what the stages work with; tests pass scripted ones.
        latest_outputs: where a copy of the last outputs is kept, from the project's folder on.
        fresh: synthesize anew, also where nothing that the stack depends on has changed.
        extend: adds the project's own resources to the stack; None for what the settings name.
    """

    settings: Settings
    emit: Emit = ignore
    eager_bindings: bool = False
    fail_on: Severity = Severity.HIGH
    dependencies: PipelineDependencies = AWS_DEPENDENCIES
    latest_outputs: Path = LATEST_OUTPUTS
    fresh: bool = False
    extend: "Extend | None" = None

    @cached_property
    def files(self) -> EnvironmentFiles:
        """What is known of the environment between two commands."""

        def published() -> Outputs | None:
            addresses = self.dependencies.local_addresses(self.settings)
            return self.dependencies.published(self.settings, addresses)

        latest = self.settings.project / self.latest_outputs
        return EnvironmentFiles(self.settings, latest, self.emit, published)

    @cached_property
    def stages(self) -> Stages:
        """What the commands are made of."""
        mode = dependencies_module.SynthesisMode(self.eager_bindings, self.fresh, self.extend)
        return Stages(self.settings, self.emit, self.dependencies, self.files, mode, self.fail_on)

    @cached_property
    def leftovers(self) -> DrillLeftovers:
        """What drills have left."""
        return DrillLeftovers(self.settings, self.emit, self.dependencies)

    # -- from the stack to a deployment --------------------------------------------------------------

    def synth(self) -> Synthesized:
        """Synthesize the stack.

        On the embedded AWS the providers' endpoints are those of the running server, or the ones that it
        would listen on.
        """
        with exclusive(self.settings.work_dir, "synth"):
            return self.stages.synth(self.dependencies.local_addresses(self.settings))

    def plan(self, *, out: Path | None = None) -> Plan:
        """Plan what a deployment would change, and keep the plan in `out` where it is given."""
        stages = self.stages
        with exclusive(self.settings.work_dir, "plan"):
            tell_of_a_cut_off_update(stages)
            endpoints = stages.endpoints()
            stages.require_regions(endpoints, "plan")
            synthesized = stages.checked_synth(endpoints)
            terraform = stages.known_to_terraform(synthesized, endpoints)
            plan = stages.check_plan(terraform, synthesized, stages.plan(terraform))
            if out is not None:
                shutil.copyfile(self.files.plan, out)
                out.chmod(0o600)
            return plan

    def deploy(
        self,
        confirm: Confirm,
        *,
        allow_destroy: bool = False,
        saved_plan: Path | None = None,
        all_at_once: bool = False,
        allow_single_region: bool = False,
    ) -> Deployed:
        """Synthesize, check, plan, apply, prove and verify; where the environment serves already,
        region by region.

        What an update that was cut off has left unverified is rolled back first.

        Args:
            confirm: asked once a region, with a plan that changes something; if a plan has to be made anew,
                only about what it has besides.
            allow_destroy: let the plan delete or replace what holds data.
            saved_plan: apply this plan, made by `plan`, instead of a new one: as it was reviewed, in one.
            all_at_once: update both regions together.
            allow_single_region: change the only region that serves, too.

        Raises:
            GateFailed: a finding, the plan guard or a person said no, a payment did not get through, or the
                only region that serves would be changed.
            ProbesFailed: everything is deployed, and a probe failed.
            ToolFailed: synthesis or Terraform failed.
            EnvironmentUnusable: another deployment is under way, something needed cannot be reached, or the
                environment exists and its state is lost.
        """
        began, stages, confirm = time.monotonic(), self.stages, AgreedChanges(confirm)
        with exclusive(self.settings.work_dir, "deploy"):
            self.leftovers.refuse_open_drills()
            endpoints = stages.endpoints()
            stages.require_regions(endpoints, "deploy")
            self.leftovers.refuse_left_faults(self.files.last_outputs(), endpoints)
            live = stages.live(endpoints)
            roll_back_cut_off(stages, live)
            stages.preflight(endpoints)
            synthesized = stages.checked_synth(endpoints)
            terraform = stages.known_to_terraform(synthesized, endpoints)
            recovery = stages.recovery(terraform, endpoints)
            rollout = Rollout(stages, live, Consent(confirm, allow_destroy, allow_single_region))

            def change() -> tuple[Plan, Outputs]:
                if saved_plan is None:
                    plan = stages.converging_plan(terraform, recovery)
                else:
                    plan = stages.read_plan(terraform, saved_plan)
                guard(plan, allow_destroy)
                plan = stages.check_plan(terraform, synthesized, plan)
                in_one = saved_plan is not None or all_at_once
                serving = rollout.steps(terraform, synthesized, plan, in_one=in_one)
                if serving is None:
                    return plan, stages.apply(terraform, plan, confirm, endpoints)
                return plan, rollout.run(terraform, plan, *serving, recovery.imports)

            plan, outputs = change() if saved_plan else recovery.converging(change)
            stages.set_protection(endpoints, wanted=self.settings.protected)
            proofs = stages.smoke_test(outputs, endpoints)
            verified = stages.verify(outputs, endpoints, VerifyRequest())
            if verified.failing(PROBES_FAIL_ON):
                raise ProbesFailed(verified, PROBES_FAIL_ON, self.settings.command("verify"))
        return Deployed(plan, outputs, proofs, verified, time.monotonic() - began)

    def deploy_surviving(self, region: str, confirm: Confirm, *, allow_destroy: bool = False) -> Deployed:
        """Change what stands in one region alone, with no call to the other one, and prove and verify it.

        IAM, Route 53 and the table stay as they are: a whole deployment changes them, with the other region.

        Args:
            region: the region that is left, by its name or role.
            confirm: asked with a plan that changes something.
            allow_destroy: let the plan delete or replace what holds data.

        Raises:
            UsageProblem: the environment is not in that region.
            GateFailed: a finding, the plan guard or a person said no, or the region does not serve payments
                afterwards; the version from before is back then.
            ProbesFailed: everything is deployed, and a probe of the region failed.
            EnvironmentUnusable: the environment was never deployed from here, or as for `deploy`.
            ToolFailed: as for `deploy`.
        """
        began, stages = time.monotonic(), self.stages
        with exclusive(self.settings.work_dir, "deploy"):
            role = surviving.role_of(region, self.settings.regions)
            survivor, other = self.settings.regions[:: 1 if role is Role.PRIMARY else -1]
            for told in (surviving.state_risk(self.settings, survivor, other), self.leftovers.open_drills()):
                if told:
                    self.emit(Notice(told))
            endpoints = stages.endpoints(survivor)
            live = stages.live(endpoints)
            roll_back_cut_off(stages, live, survivor)
            update = SurvivingUpdate(stages, live, role)
            synthesized = stages.checked_synth(endpoints)
            plan, outputs = update.run(synthesized, confirm, allow_destroy=allow_destroy)
            verified = stages.verify(outputs, endpoints, VerifyRequest(regions=(survivor,), gone=(other,)))
            if verified.failing(PROBES_FAIL_ON):
                command = self.settings.command(f"verify --region {survivor}")
                raise ProbesFailed(verified, PROBES_FAIL_ON, command)
        return Deployed(plan, outputs, (), verified, time.monotonic() - began)

    # -- the end, and a state that was lost ----------------------------------------------------------

    def destroy(self, confirm: Confirm, *, missing_ok: bool = False) -> Destroyed:
        """Delete every resource of the environment, and the API keys of a rotation that did not end.

        It succeeds only if nothing is found under the environment's name and tags afterwards.

        Args:
            confirm: asked with a plan that deletes something.
            missing_ok: succeed also if there is no such environment.

        Raises:
            GateFailed: the person said no, or something is left that no state knows.
            EnvironmentUnusable: there is no such environment, or as for `deploy`.
            ToolFailed: as for `deploy`.
        """
        began, stages = time.monotonic(), self.stages
        where = cache(stages.endpoints)
        found = missing_ok or self.files.outputs.exists() or self.files.begun.exists()
        if not (found or self._may_exist(where)):
            raise self.files.not_deployed("There is nothing to destroy.")
        with exclusive(self.settings.work_dir, "destroy"):
            unprotected = self.settings.model_copy(update={"protected": False})
            endpoints = where()
            stages.require_regions(endpoints, "destroy")
            terraform = stages.known_to_terraform(stages.synth(endpoints, unprotected), endpoints)
            recovery = stages.recovery(terraform, endpoints)
            plan, destroyed = Destruction(stages, endpoints, terraform, recovery).run(confirm)
            remaining = self.dependencies.remaining(self.settings, endpoints)
            self.files.forget()
            state = stages.guard(endpoints)
            state.adopting.unlink(missing_ok=True)
            state.require_gone(remaining)
            if not (found or destroyed):
                raise self.files.not_deployed("There is nothing to destroy.")
        return Destroyed(plan, time.monotonic() - began)

    def adopt(self, confirm: Confirm) -> Adopted:
        """Take what exists of the environment into a state that does not know it. Changes nothing on AWS.

        Args:
            confirm: asked with a plan of all that would be imported.

        Raises:
            GateFailed: the person said no.
            EnvironmentUnusable: nothing of it exists, it serves in other regions, or as for `deploy`.
            ToolFailed: as for `deploy`.
        """
        with exclusive(self.settings.work_dir, "adopt"):
            endpoints = self.stages.endpoints()
            self.stages.require_regions(endpoints, "adopt")
            return StateAdoption(self.stages, endpoints).run(self.stages.synth(endpoints), confirm)

    def reap(self) -> int:
        """Destroy the environment without asking, and return how many resources it had.

        Raises:
            GateFailed: AWS protects it against deletion.
            ToolFailed, EnvironmentUnusable: as for `deploy`.
        """
        env = self.settings.env

        def confirm(plan: Plan) -> bool:
            if plan.protected:
                raise GateFailed(
                    f"Environment {env} was deployed as protected.",
                    f"To destroy it: `{self.settings.command('destroy')} --yes --yes-really {env}`.",
                )
            return True

        self.emit(Notice(f"Destroying {env}."))
        return self.destroy(confirm, missing_ok=True).plan.destroy

    # -- what was deployed ---------------------------------------------------------------------------

    def verify(self, request: VerifyRequest, *, drift: bool = False) -> Outcome:
        """Probe what stands.

        Args:
            drift: ask Terraform as well what it would change.

        Raises:
            EnvironmentUnusable: it was never deployed from here, or cannot be reached.
            ToolFailed: Terraform failed.
        """
        outputs = self.outputs()
        tell_of_a_cut_off_update(self.stages)
        self.leftovers.tell_what_goes_on()
        endpoints = self.stages.endpoints()
        probed = self.stages.verify(outputs, endpoints, request)
        # What drills have left is looked for in both regions; who asks about one may not have the other.
        verified = probed if request.regions else self.leftovers.added_to(probed, outputs, endpoints, request)
        if not drift:
            return verified
        with exclusive(self.settings.work_dir, "verify"):
            self.stages.require_regions(endpoints, "verify --drift")
            terraform = self.stages.known_to_terraform(self.stages.synth(endpoints), endpoints)
            return joined(verified, judge_drift(self.stages, terraform, request))

    def drill_environment(self) -> DrillEnvironment:
        """Where a drill of the environment takes place. The embedded AWS is started.

        Raises:
            EnvironmentUnusable: it was never deployed from here, or cannot be reached.
        """
        from payinfra.evacuation.rehearsal import after_drill

        outputs = self.outputs()
        tell_of_a_cut_off_update(self.stages)
        endpoints = self.stages.endpoints()
        aws = self.stages.aws(endpoints)
        server = self.settings.work_root / dependencies_module.SERVER_FOLDER
        return DrillEnvironment(
            target=self.settings.target.value,
            outputs=outputs,
            aws=aws,
            control=self.dependencies.control(self.settings),
            work_dir=self.settings.work_dir,
            verify=lambda request: self.dependencies.verify(outputs, aws, self.stages.of_project(request)),
            shared=server / "drill" if endpoints else None,
            bring_back=partial(after_drill, aws, self.settings.names, outputs),
        )

    def status(self) -> "Status":
        """How the environment is now. Starts nothing.

        Raises:
            EnvironmentUnusable: it was never deployed from here.
        """
        from payinfra.deployment.status import gather

        self.leftovers.tell_what_goes_on()
        endpoints = self.dependencies.local_addresses(self.settings)
        aws = self.stages.aws(endpoints)
        target, outputs = self.settings.target.value, self.outputs()
        with ThreadPoolExecutor(1) as beside:
            looking = beside.submit(self.dependencies.left_faults, self.settings, outputs, endpoints)
            status = gather(self.settings.env, target, outputs, aws, self.files.outputs)
            left = looking.result()
        found = replace(status, next_steps=guidance.next_steps(status, self.settings.command))
        if left is None or self.leftovers.drill_runs:
            return found
        silent = [one.region for one in found.regions if not one.answers]
        return replace(found, in_place=left.in_place, unclear=left.not_of(silent))

    def outputs(self) -> Outputs:
        """The environment's outputs: from its own file, else from its state, else as it has published them.

        Raises:
            EnvironmentUnusable: it was never deployed from here, and has published nothing.
        """
        if known := self.files.known_outputs():
            return known
        if not self.files.has_state:
            addresses = self.dependencies.local_addresses(self.settings)
            if published := self.dependencies.published(self.settings, addresses):
                self.emit(Notice("There is no state here: the outputs are those that it has published."))
                return published
            raise self.files.not_deployed()
        with exclusive(self.settings.work_dir, "outputs"):
            addresses = self.dependencies.local_addresses(self.settings)
            terraform = self.stages.initialised(self.stages.synth(addresses))
            try:
                self.stages.guard(addresses).state(terraform)
                if values := terraform.outputs():
                    return self.files.write_outputs(values)
            except (EnvironmentUnusable, ToolFailed) as error:
                if published := self.dependencies.published(self.settings, addresses):
                    self.emit(Notice(f"{error.what} The outputs are those that it has published."))
                    return published
                raise
            raise self.files.not_deployed()

    def unlock(self, lock: str) -> bool:
        """Release the lock of the state, which a run that is gone has left.

        Args:
            lock: its id, as the message about it has it.

        Returns:
            False where the state is in the work folder: its lock ends with its process.

        Raises:
            EnvironmentUnusable: a command here holds the environment, or Terraform cannot be reached.
            ToolFailed: there is no lock of this id.
        """
        with exclusive(self.settings.work_dir, "unlock"):
            terraform = self.stages.initialised(self.stages.synth(self.stages.endpoints()))
            terraform.wait_for_orphans()
            if self.settings.state_bucket is None:
                return False
            terraform.force_unlock(lock)
            return True

    @contextmanager
    def locked(self, command: str) -> Iterator[LockedEnvironment]:
        """Work on the state of what stands, as `command`, and on nothing but the state.

        Raises:
            EnvironmentUnusable: it was never deployed from here, is in use, or cannot be reached.
            ToolFailed: synthesis or Terraform failed.
        """
        outputs = self.outputs()
        with exclusive(self.settings.work_dir, command):
            endpoints = self.stages.endpoints()
            synthesized = self.stages.synth(endpoints)
            terraform = self.stages.known_to_terraform(synthesized, endpoints)
            yield LockedEnvironment(
                outputs=outputs,
                aws=self.stages.aws(endpoints),
                terraform=terraform,
                manifest=synthesized.manifest,
                plan_file=self.files.plan.resolve(),
                keep=self.files.write_outputs,
                stage=self.stages.stage,
            )

    def _may_exist(self, endpoints: Callable[[], Endpoints | None]) -> bool:
        """Whether there is any sign of the environment, here or on AWS. That needs no plan."""
        here = self.files.state.exists() or self.files.apply_log.is_open
        return here or self.dependencies.may_exist(self.settings, endpoints)

"""The stages of a deployment, in order. They emit events and return results; they never print."""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes import drill_faults
from payinfra.checks.probes.drift import Difference, judge
from payinfra.checks.probes.outage import ANSWERS
from payinfra.checks.probes.results import VerifyRequest, joined, outcome
from payinfra.checks.verdicts import Severity
from payinfra.clients.aws import LOCAL_ACCOUNT, Endpoints
from payinfra.core.deployed_environments import (
    BEGUN_FILE,
    OUTPUTS_FILE,
    configured_in,
    deployed_from,
    in_words,
    known_ones,
)
from payinfra.core.environment_lock import exclusive, holder
from payinfra.core.errors import EnvironmentUnusable, GateFailed, ToolFailed
from payinfra.core.events import Emit, Notice, StageFinished, StageSkipped, StageStarted, ignore
from payinfra.core.json_text import parse_json
from payinfra.core.outputs import Outputs
from payinfra.core.private_files import write_private
from payinfra.core.settings import Settings
from payinfra.core.stop_signals import DeferredSignals
from payinfra.deployment import dependencies as dependencies_module
from payinfra.deployment import guidance, surviving
from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys
from payinfra.deployment.left_faults import still_ringing
from payinfra.deployment.plan_review import with_costs, with_review, within
from payinfra.deployment.recovery.adopting import Adoption
from payinfra.deployment.recovery.apply_log import ApplyLog
from payinfra.deployment.recovery.discovery import identifiers
from payinfra.deployment.recovery.identity import Identity
from payinfra.deployment.recovery.lost_state import StateGuard, with_place
from payinfra.deployment.recovery.recovery import Recovery
from payinfra.deployment.results import (
    Adopted,
    ChecksFailed,
    Deployed,
    Destroyed,
    ProbesFailed,
    Synthesized,
    headline,
)
from payinfra.deployment.rollback_journal import RollbackJournal
from payinfra.deployment.rolling_update import Graph, Role, RolloutStep, announced, plan_rollout
from payinfra.deployment.stack_manifest import StackFile, StackInventory
from payinfra.deployment.workspace import LockedEnvironment, RunningStage
from payinfra.drill.environment import COMMAND as DRILL_COMMAND
from payinfra.drill.environment import FOLDER as DRILLS
from payinfra.drill.environment import DrillEnvironment
from payinfra.terraform import ChangeAction, Import, Kept, OutputValue, Plan, Terraform, guard, losses
from payinfra.terraform.binary import LICENCES, Engine

if TYPE_CHECKING:
    from payinfra.deployment.lambda_alias import LambdaAlias
    from payinfra.deployment.smoke_test import SmokeTestResult
    from payinfra.deployment.status import Status

LATEST_OUTPUTS = Path("cfn-outputs") / "flat-outputs.json"

PROBES_FAIL_ON = Severity.LOW
"""The severity from which a failed probe fails a deployment: from the lowest, for nothing here may fail."""

SWEEPS = 3
NEW_LOG_GROUP = ("aws_cloudwatch_log_group", ChangeAction.CREATE)
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


def _only_region(serving: str, silent: str, why: str = "") -> GateFailed:
    return GateFailed(
        f"{silent} does not serve payments, and this would change {serving}, the only region that does."
        + (f" {why}" if why else ""),
        f"Let {silent} serve again first: a change that it is part of reaches it first. "
        f"To change {serving} all the same: --allow-single-region.",
    )


def _identifiers(state: Iterable[Kept]) -> frozenset[str]:
    return frozenset(name for one in state for name in identifiers(one.type, one.attributes))


def _not_sensitive(values: Mapping[str, OutputValue]) -> dict[str, str]:
    return {name: str(value.value) for name, value in values.items() if not value.sensitive}


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
class Update:
    """How an update may go.

    Attributes:
        confirm: asked once a wave, with a plan that changes something.
        allow_destroy: let a plan delete or replace what holds data.
        allow_single_region: change a region while the other one does not serve.
    """

    confirm: Confirm
    allow_destroy: bool = False
    allow_single_region: bool = False


@dataclass(frozen=True)
class Pipeline:
    """The stages for one environment.

    Args:
        settings: the environment.
        emit: told of everything that happens.
        eager_bindings: import cdktf's bindings the ordinary, slow way.
        fail_on: the severity from which a finding of the policy checks stops a deployment.
        dependencies: what the stages work with; tests pass scripted ones.
        latest_outputs: where a copy of the last outputs is kept, from the project's folder on.
        fresh: synthesize anew, also where nothing that the stack depends on has changed.
    """

    settings: Settings
    emit: Emit = ignore
    eager_bindings: bool = False
    fail_on: Severity = Severity.HIGH
    dependencies: dependencies_module.PipelineDependencies = dependencies_module.AWS_DEPENDENCIES
    latest_outputs: Path = LATEST_OUTPUTS
    fresh: bool = False

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
            self._tell_of_a_cut_off_update()
            endpoints = self._endpoints()
            self._require_regions(endpoints, "plan")
            synthesized = self._checked_synth(endpoints)
            terraform = self._initialised(synthesized)
            self._guard(endpoints).require_known(terraform)
            plan = self._plan(terraform, self._plan_file)
            plan = self._check_plan(terraform, synthesized, plan)
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
        allow_single_region: bool = False,
    ) -> Deployed:
        """Synthesize, check, plan, apply, prove and verify; where the environment stands already, in waves.

        What an update that was cut off has left unverified is rolled back first.

        Args:
            confirm: asked once a wave, with a plan that changes something.
            allow_destroy: let the plan delete or replace what holds data.
            saved_plan: apply this plan, made by `plan`, instead of a new one: as it was reviewed, in one.
            all_at_once: no waves.
            allow_single_region: change the only region that serves, too.

        Raises:
            GateFailed: a finding, the plan guard or a person said no, a payment did not get through, or the
                only region that serves would be changed.
            ProbesFailed: everything is deployed, and a probe failed.
            ToolFailed: synthesis or Terraform failed.
            EnvironmentUnusable: another deployment is under way, something needed cannot be reached, or the
                environment exists and its state is lost.
        """
        began = time.monotonic()
        with exclusive(self.settings.work_dir, "deploy"):
            self._refuse_open_drills()
            endpoints = self._endpoints()
            self._require_regions(endpoints, "deploy")
            self._refuse_left_faults(endpoints)
            live = self.dependencies.live(dependencies_module.aws(self.settings, endpoints))
            self._roll_back_cut_off(live)
            self._preflight(endpoints)
            synthesized = self._checked_synth(endpoints)
            terraform = self._initialised(synthesized)
            self._guard(endpoints).require_known(terraform)
            recovery = self._recovery(terraform, endpoints)
            update = Update(confirm, allow_destroy, allow_single_region)

            def change() -> tuple[Plan, Outputs]:
                if saved_plan is None:
                    plan = self._converging_plan(terraform, recovery)
                else:
                    plan = self._read_plan(terraform, saved_plan)
                guard(plan, allow_destroy)
                plan = self._check_plan(terraform, synthesized, plan)
                standing = self._standing(terraform, plan, live)
                if standing is None:
                    return plan, self._apply(terraform, plan, confirm, endpoints)
                in_one = saved_plan is not None or all_at_once
                steps = plan_rollout(Graph.read(synthesized.folder / "cdk.tf.json"), plan, standing.first)
                if not allow_single_region:
                    self._spare_the_last_region(standing, steps if in_one else steps[:1])
                if in_one:
                    return plan, self._apply(terraform, plan, confirm, endpoints)
                return plan, self._rolling_update(
                    terraform, plan, steps, standing, live, update, recovery.imports
                )

            plan, outputs = change() if saved_plan else recovery.converging(change)
            self._set_protection(endpoints, wanted=self.settings.protected)
            proofs = self._smoke_test(outputs, endpoints)
            verified = self._verify(outputs, endpoints, VerifyRequest())
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
        began = time.monotonic()
        with exclusive(self.settings.work_dir, "deploy"):
            role = surviving.role_of(region, self.settings.regions)
            regions = self.settings.regions
            survivor, other = regions if role is Role.PRIMARY else regions[::-1]
            for told in (surviving.state_risk(self.settings, survivor, other), self._open_drills()):
                if told:
                    self.emit(Notice(told))
            endpoints = self._endpoints(survivor)
            live = self.dependencies.live(dependencies_module.aws(self.settings, endpoints))
            self._roll_back_cut_off(live, survivor)
            synthesized = self._checked_synth(endpoints)
            whole = self._initialised(synthesized)
            outputs = self._known_outputs() or self._recorded_outputs(whole)
            if outputs is None:
                raise self._not_deployed()
            stack = surviving.cut_down(
                surviving.read(synthesized.folder), f"aws.{role}", whole.known(), outputs, survivor
            )
            if stack.left_out:
                self.emit(Notice(f"Waits for {other} and a whole deployment: {', '.join(stack.left_out)}."))
            here = role.of(outputs)
            with surviving.placed(self.settings.work_dir, synthesized.folder, stack) as folder:
                terraform = self._initialised(Synthesized(folder, synthesized.inventory))
                plan = self._plan(terraform, self._plan_file, targets=stack.targets, stage=f"plan {survivor}")
                guard(plan, allow_destroy)
                surviving.require_own(plan, stack, other)
                if plan.has_changes:
                    places = StackFile.read(folder / surviving.STACK_FILE).places
                    plan = with_review(plan, terraform.shown(plan.file), places)
                if not plan.has_changes:
                    self.emit(StageSkipped("apply", "nothing to change"))
                elif not confirm(plan):
                    raise GateFailed("Nothing was changed: the plan was not confirmed.")
                else:
                    with live.rollback_on_failure(here, self.emit, self._surviving_journal) as moved:
                        outputs = self._write_outputs(self._apply_plan(terraform, plan, f"apply {survivor}"))
                        moved()
                        with self._stage(f"verify {role}") as stage:
                            payment_id = live.verify(here, outputs)
                            stage.detail = f"healthy, and took payment {payment_id}"
            verified = self._verify(outputs, endpoints, VerifyRequest(regions=(survivor,), gone=(other,)))
            if verified.failing(PROBES_FAIL_ON):
                command = self.settings.command(f"verify --region {survivor}")
                raise ProbesFailed(verified, PROBES_FAIL_ON, command)
        return Deployed(plan, outputs, (), verified, time.monotonic() - began)

    def destroy(self, confirm: Confirm, *, missing_ok: bool = False) -> Destroyed:
        """Delete every resource of the environment, and the API keys of a rotation that did not end.

        It ends well only if nothing is found under the environment's name and tags after that.

        Args:
            confirm: asked with a plan that deletes something.
            missing_ok: end well, too, where there is no such environment.

        Raises:
            GateFailed: the person said no, or something is left that no state knows.
            EnvironmentUnusable: there is no such environment, or as for `deploy`.
            ToolFailed: as for `deploy`.
        """
        began = time.monotonic()
        found = missing_ok or self._outputs_file.exists() or self._begun.exists()
        if not (found or self._may_exist()):
            raise self._not_deployed("There is nothing to destroy.")
        with exclusive(self.settings.work_dir, "destroy"):
            unprotected = self.settings.model_copy(update={"protected": False})
            endpoints = self._endpoints()
            self._require_regions(endpoints, "destroy")
            terraform = self._initialised(self._synth(endpoints, unprotected))
            self._guard(endpoints).require_known(terraform)
            recovery = self._recovery(terraform, endpoints)
            orphaned = self.dependencies.orphaned_keys(self.settings, endpoints)
            known = self._last_outputs()
            plan = self._plan(terraform, self._plan_file, destroy=True)
            if plan.has_changes or recovery.journal.was_cut_off or self._names_orphaned_keys(orphaned):
                found = True
                if not confirm(plan):
                    raise GateFailed("Nothing was destroyed: the plan was not confirmed.")
                if self.settings.protected:
                    self._release(terraform)
                    self._set_protection(endpoints, wanted=False)
                    plan = self._plan(terraform, self._plan_file, destroy=True)
                self._apply_plan(terraform, plan, "destroy")
                for _ in range(SWEEPS):
                    if not recovery.sweep(lambda: self._plan(terraform, self._plan_file, stage="sweep")):
                        break
                    rest = self._plan(terraform, self._plan_file, destroy=True)
                    self._apply_plan(terraform, rest, "destroy")
                if left := self.dependencies.clear_zone(self.settings, endpoints):
                    self.emit(Notice(left))
                if removed := orphaned.remove():
                    self.emit(Notice(f"Removed what a rotation had left: {', '.join(map(str, removed))}."))
                self._remove_late_log_groups(endpoints, destroyed=True, known=known)
            remaining = self.dependencies.remaining(self.settings, endpoints)
            self._forget_outputs()
            self._guard(endpoints).require_gone(remaining)
            if not found:
                raise self._not_deployed("There is nothing to destroy.")
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
        began = time.monotonic()
        with exclusive(self.settings.work_dir, "adopt"):
            endpoints = self._endpoints()
            self._require_regions(endpoints, "adopt")
            synthesized = self._synth(endpoints)
            terraform = self._initialised(synthesized)

            def planner(stage: str, **more: Any) -> Plan:
                return self._plan(terraform, self._plan_file, stage=stage, **more)

            guard = self._guard(endpoints)
            aws = self.dependencies.aws(self.settings, endpoints)
            adoption = Adoption(terraform, aws, synthesized.folder / "cdk.tf.json", planner)
            known = _identifiers(guard.state(terraform))
            plan = planner("plan")
            with self._stage("look") as stage:
                there = [one.arn for one in guard.existing_here()]
                wanted = terraform.creations(plan.file) if plan.add else ()
                matched = adoption.match(wanted)
                stage.detail = f"{len(there)} found by name or tag, {len(matched.imports)} to adopt"
            if not (known or there or matched.imports):
                raise EnvironmentUnusable(
                    f"Nothing of environment {self.settings.env} exists.",
                    f"Run `{self.settings.command('deploy')}` to make it.",
                )
            if matched.imports:
                planned = adoption.import_plan(matched, wanted)
                beside = [one for one in there if one not in known | planned.identifiers]
                # What is imported one by one is in no plan that would tell its ARN.
                if beside and not planned.one_by_one:
                    self.emit(Notice(f"Not of the stack, and left alone: {', '.join(beside)}."))
                if not confirm(planned.plan):
                    raise GateFailed("Nothing was adopted: the plan was not confirmed.")
                write_private(guard.adopting, "")
                with self._stage("adopt", total=len(matched.imports)) as stage:
                    adoption.take_in(planned)
                    stage.detail = f"{len(matched.imports)} resources"
            plan = adoption.settle()
            outputs = self._keep_whole(terraform.outputs())
            known = _identifiers(guard.state(terraform))
            guard.adopting.unlink(missing_ok=True)
        return Adopted(
            matched.imports,
            matched.refused,
            tuple(one for one in there if one not in known),
            plan,
            outputs,
            time.monotonic() - began,
        )

    def reap(self) -> int:
        """Destroy the environment as one of many, about which nobody is asked; how many resources it had.

        Raises:
            ToolFailed, EnvironmentUnusable: as for `deploy`.
        """
        self.emit(Notice(f"Destroying {self.settings.env}."))
        return self.destroy(lambda _plan: True, missing_ok=True).plan.destroy

    def verify(self, request: VerifyRequest, *, drift: bool = False) -> Outcome:
        """Probe what stands.

        Args:
            drift: ask Terraform as well what it would change.

        Raises:
            EnvironmentUnusable: it was never deployed from here, or cannot be reached.
            ToolFailed: Terraform failed.
        """
        outputs = self.outputs()
        self._tell_of_a_cut_off_update()
        self._tell_what_goes_on()
        endpoints = self._endpoints()
        probed = self._verify(outputs, endpoints, request)
        # What drills have left is looked for in both regions; who asks about one may not have the other.
        verified = probed if request.regions else self._with_left_faults(probed, outputs, endpoints, request)
        return joined(verified, self._drift(endpoints, request)) if drift else verified

    def drill_environment(self) -> DrillEnvironment:
        """Where a drill of the environment takes place. The embedded AWS is started.

        Raises:
            EnvironmentUnusable: it was never deployed from here, or cannot be reached.
        """
        from payinfra.evacuation.rehearsal import after_drill

        outputs = self.outputs()
        self._tell_of_a_cut_off_update()
        endpoints = self._endpoints()
        aws = dependencies_module.aws(self.settings, endpoints)
        server = self.settings.work_root / dependencies_module.SERVER_FOLDER
        return DrillEnvironment(
            target=self.settings.target.value,
            outputs=outputs,
            aws=aws,
            control=self.dependencies.control(self.settings),
            work_dir=self.settings.work_dir,
            verify=lambda request: self.dependencies.verify(outputs, aws, self._of_project(request)),
            shared=server / "drill" if endpoints else None,
            bring_back=partial(after_drill, aws, self.settings.names, outputs),
        )

    def status(self) -> "Status":
        """How the environment is now. Starts nothing.

        Raises:
            EnvironmentUnusable: it was never deployed from here.
        """
        from payinfra.deployment.status import gather

        self._tell_what_goes_on()
        endpoints = self.dependencies.local_addresses(self.settings)
        aws = dependencies_module.aws(self.settings, endpoints)
        target, outputs = self.settings.target.value, self.outputs()
        with ThreadPoolExecutor(1) as beside:
            looking = beside.submit(self.dependencies.left_faults, self.settings, outputs, endpoints)
            status = gather(self.settings.env, target, outputs, aws, self._outputs_file)
            left = looking.result()
        found = replace(status, next_steps=guidance.next_steps(status, self.settings.command))
        if left is None or self._drill_runs:
            return found
        silent = [one.region for one in found.regions if not one.answers]
        return replace(found, in_place=left.in_place, unclear=left.not_of(silent))

    def outputs(self) -> Outputs:
        """The environment's outputs: from its own file, else from its state, else as it has published them.

        Raises:
            EnvironmentUnusable: it was never deployed from here, and has published nothing.
        """
        if known := self._known_outputs():
            return known
        if self.settings.state_bucket is None and not self._state_file.exists():
            addresses = self.dependencies.local_addresses(self.settings)
            if published := self.dependencies.published(self.settings, addresses):
                self.emit(Notice("There is no state here: the outputs are those that it has published."))
                return published
            raise self._not_deployed()
        with exclusive(self.settings.work_dir, "outputs"):
            addresses = self.dependencies.local_addresses(self.settings)
            terraform = self._initialised(self._synth(addresses))
            try:
                self._guard(addresses).state(terraform)
                if values := terraform.outputs():
                    return self._write_outputs(values)
            except (EnvironmentUnusable, ToolFailed) as error:
                if published := self.dependencies.published(self.settings, addresses):
                    self.emit(Notice(f"{error.what} The outputs are those that it has published."))
                    return published
                raise
            raise self._not_deployed()

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
            terraform = self._initialised(self._synth(self._endpoints()))
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
            endpoints = self._endpoints()
            synthesized = self._synth(endpoints)
            terraform = self._initialised(synthesized)
            self._guard(endpoints).require_known(terraform)
            yield LockedEnvironment(
                outputs=outputs,
                aws=dependencies_module.aws(self.settings, endpoints),
                terraform=terraform,
                manifest=synthesized.folder / "cdk.tf.json",
                plan_file=self._plan_file.resolve(),
                keep=self._write_outputs,
                stage=self._stage,
            )

    def _may_exist(self) -> bool:
        """Whether anything tells of an environment that was not deployed from here. That needs no plan."""
        here = self._state_file.exists() or self._journal.is_open
        return here or self.dependencies.may_exist(self.settings, self._endpoints)

    def _not_deployed(self, so: str = "") -> EnvironmentUnusable:
        """The error that says that this environment is none, and which ones are known here."""
        settings = self.settings
        where = in_words(settings.target)
        what = f"Environment {settings.env} was not deployed from this folder to {where}. {so}".strip()
        deployed, configured = deployed_from(settings.work_root), configured_in(settings.project)
        if hint := known_ones(settings.env, settings.target, deployed, configured):
            return EnvironmentUnusable(what, hint)
        if so:
            return EnvironmentUnusable(what, "Nothing was deployed from this folder.")
        return EnvironmentUnusable(
            f"{what} If it exists all the same, `{settings.command('adopt')}` takes it in.",
            f"Run `{settings.command('deploy')}`.",
        )

    # -- the stages ----------------------------------------------------------------------------------

    def _require_regions(self, endpoints: Endpoints | None, command: str) -> None:
        """Refuse what Terraform would wait for, for minutes and hours: a region that answers nothing.

        Raises:
            EnvironmentUnusable: one does, or all do.
        """
        silent = self.dependencies.silent(self.settings, endpoints)
        if silent:
            raise guidance.needs_all_regions(silent, self.settings.regions, command, self.settings.command)

    def _endpoints(self, through: str | None = None) -> Endpoints | None:
        """Where AWS answers.

        Args:
            through: the only region that may be asked for whose the credentials are.
        """
        if not self.settings.is_local:
            with self._stage("account") as stage:
                stage.detail = account = (
                    self.dependencies.account(self.settings)
                    if through is None
                    else self.dependencies.account_in(self.settings, through)
                )
            self._guard(None).require_own(account)
            return None
        self._guard(None).require_own(LOCAL_ACCOUNT)
        with self._stage("local") as stage:
            endpoints = self.dependencies.local_up(self.settings, self.emit)
            stage.detail = ", ".join(f"{region} on {url}" for region, url in endpoints.regions.items())
        return endpoints

    def _preflight(self, endpoints: Endpoints | None) -> None:
        """Look for what the account must have. Not before a destruction, which needs none of it."""
        from payinfra.account.quotas import require_concurrency

        require_concurrency(
            self.dependencies.aws(self.settings, endpoints),
            self.settings.names,
            self.settings.regions,
            self.settings.reserved_concurrency,
        )
        if not self.settings.is_local:
            with self._stage("preflight") as stage:
                stage.detail = self.dependencies.preflight(self.settings)

    def _synth(self, endpoints: Endpoints | None, settings: Settings | None = None) -> Synthesized:
        with self._stage("synth") as stage:
            mode = dependencies_module.SynthesisMode(self.eager_bindings, self.fresh)
            folder = self.dependencies.synthesize(settings or self.settings, endpoints, mode)
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

    def _check_plan(self, terraform: Terraform, synthesized: Synthesized, plan: Plan) -> Plan:
        """Judge the plan as well: what it makes of the file, with the values that Terraform has found.

        Returns:
            The plan, with what a person reviews.
        """
        stack = StackFile.read(synthesized.folder / "cdk.tf.json")
        if not plan.has_changes:
            return with_costs(plan, stack)
        shown = terraform.shown(plan.file)
        with self._stage("check plan") as stage:
            outcome = self.dependencies.check_plan(self.settings, synthesized.folder, shown)
            if outcome.failing(self.fail_on):
                raise ChecksFailed(outcome, self.fail_on)
            stage.detail = f"{outcome.summary.checks} checks, {len(outcome.findings)} findings"
        return with_costs(with_review(plan, shown, stack.places), stack, shown)

    def _initialised(self, synthesized: Synthesized) -> Terraform:
        surviving.bring_unsaved_state(self.settings.work_dir, synthesized.folder)
        terraform = self.dependencies.terraform(self.settings, synthesized.folder, self.emit)
        with self._stage("init") as stage:
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

    def _plan(
        self,
        terraform: Terraform,
        out: Path,
        *,
        destroy: bool = False,
        targets: tuple[str, ...] = (),
        imports: tuple[Import, ...] = (),
        unchanged: tuple[str, ...] = (),
        stage: str = "plan",
    ) -> Plan:
        more: dict[str, Any] = {"unchanged": unchanged} if unchanged else {}
        with self._stage(stage) as running:
            plan = terraform.plan(out.resolve(), destroy=destroy, targets=targets, imports=imports, **more)
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

    def _apply(
        self, terraform: Terraform, plan: Plan, confirm: Confirm, endpoints: Endpoints | None
    ) -> Outputs:
        if not plan.has_changes:
            self.emit(StageSkipped("apply", "nothing to change"))
            return self._known_outputs() or self._write_outputs(terraform.outputs())
        if not confirm(plan):
            raise GateFailed("Nothing was changed: the plan was not confirmed.")
        if self.settings.state_bucket is None and not self._state_file.exists():
            write_private(self._begun, "")
        if any((one.type, one.action) == NEW_LOG_GROUP for one in plan.changes):
            self._remove_late_log_groups(endpoints, destroyed=False)
        return self._write_outputs(self._apply_plan(terraform, plan, "apply"))

    def _remove_late_log_groups(
        self, endpoints: Endpoints | None, *, destroyed: bool, known: Outputs | None = None
    ) -> None:
        """Delete log groups that late lines of an API which is gone have made again."""
        if removed := self.dependencies.late_log_groups(self.settings, endpoints, destroyed, known):
            self.emit(Notice(f"Removed log groups that late lines had made again: {', '.join(removed)}."))

    # -- rolling updates -----------------------------------------------------------------------------

    def _standing(self, terraform: Terraform, plan: Plan, live: "LambdaAlias") -> Standing | None:
        """The environment that a plan would change; None where none was ever whole, or nothing changes."""
        never_whole = self._begun.exists() and not self._outputs_file.exists()
        if never_whole or not plan.has_changes:
            return None
        try:
            outputs = self._known_outputs() or self._recorded_outputs(terraform)
        except EnvironmentUnusable as error:  # never complete, or of another version: they are written anew
            if self._outputs_file.exists():
                self.emit(Notice(f"Both regions are updated together: {error.what}"))
            return None
        if outputs is None:
            return None
        with self._stage("serving") as stage:
            standing = Standing(outputs, live.silent(outputs))
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

    def _rolling_update(
        self,
        terraform: Terraform,
        plan: Plan,
        steps: tuple[RolloutStep, ...],
        standing: Standing,
        live: "LambdaAlias",
        update: Update,
        imports: tuple[Import, ...],
    ) -> Outputs:
        """Apply in waves. Each has a plan of its own, and is verified before the next one is planned."""
        outputs, whole = standing.outputs, plan
        if standing.last_serving and steps[0].role is standing.first:
            first, then = (role.of(outputs).region for role in (standing.first, standing.first.other))
            self.emit(
                Notice(f"{first} does not serve. It is updated first, and {then} once it serves again.")
            )
        for number, step in enumerate(steps, 1):
            if len(steps) > 1:
                plan = self._plan(
                    terraform,
                    self._plan_file,
                    targets=step.targets,
                    imports=imports,  # Terraform passes over those that the targets do not need
                    stage=f"plan {step.role}",
                )
                guard(plan, update.allow_destroy)
                self.emit(Notice(f"Wave {number} of {len(steps)}, {step.role}: {announced(plan)}."))
            if not update.confirm(within(plan, whole)):
                raise GateFailed(f"Nothing was changed in the {step.role}: the plan was not confirmed.")
            if standing.serves(step.role) and not update.allow_single_region:
                self._other_serves(step.role, outputs, live)
            region = step.role.of(outputs)
            serves = standing.serves(step.role)
            with live.rollback_on_failure(region, self.emit, self._rollback_journal, serves=serves) as moved:
                outputs = self._write_outputs(self._apply_plan(terraform, plan, f"apply {step.role}"))
                moved()
                with self._stage(f"verify {step.role}") as stage:
                    payment_id = live.verify(step.role.of(outputs), outputs, recovers=not serves)
                    stage.detail = f"healthy, and took payment {payment_id}"
        return outputs

    @staticmethod
    def _other_serves(role: Role, outputs: Outputs, live: "LambdaAlias") -> None:
        """Make sure, right before a region is changed, that the other one would take over.

        Raises:
            GateFailed: it would not.
        """
        other = role.other.of(outputs)
        try:
            live.verify(other, outputs)
        except GateFailed as error:
            raise _only_region(role.of(outputs).region, other.region, error.what) from None

    def _roll_back_cut_off(self, live: "LambdaAlias", region: str | None = None) -> None:
        """Roll back the step of an earlier update that was cut off before its version had proven itself.

        Args:
            region: roll back in this region only; what is to be done in the other one is left for later.

        Raises:
            EnvironmentUnusable: that is not possible, or what is to be rolled back cannot be read.
        """
        for journal in (self._rollback_journal, self._surviving_journal):
            change = journal.read()
            if change is None or region not in (None, change.region):
                continue
            self.emit(Notice(f"An update was cut off. {change} is rolled back to version {change.before}."))
            # Its Terraform may still be about to move the alias.
            self.dependencies.terraform(self.settings, self.settings.work_dir, self.emit).wait_for_orphans()
            with self._stage("roll back") as stage, DeferredSignals():
                stage.detail = live.roll_back_cut_off(change)
                journal.end()

    def _tell_of_a_cut_off_update(self) -> None:
        """Tell of a version that an update which was cut off has left unverified."""
        try:
            change = self._rollback_journal.read() or self._surviving_journal.read()
        except EnvironmentUnusable as error:
            self.emit(Notice(f"{error.what} {error.hint}"))
            return
        if change:
            self.emit(
                Notice(
                    f"An update was cut off. {change} may point to a version that was not verified. Run "
                    f"`{self.settings.command('deploy')}`: it rolls back to version {change.before} first."
                )
            )

    def _set_protection(self, endpoints: Endpoints | None, wanted: bool) -> None:
        """Set the table's deletion protection where Terraform does not: in the other region."""
        if changed := self.dependencies.set_protection(self.settings, endpoints, wanted):
            said = "on" if wanted else "off"
            where = " and ".join(changed)
            self.emit(Notice(f"The table's deletion protection is {said} in {where} as well."))

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

    def _names_orphaned_keys(self, orphaned: OrphanedKeys) -> bool:
        """Whether an earlier destruction left API keys behind, which are named before anybody is asked."""
        left = orphaned.look()
        if left:
            self.emit(Notice(f"A rotation left API keys that open nothing: {', '.join(map(str, left))}."))
        return bool(left)

    def _of_project(self, request: VerifyRequest) -> VerifyRequest:
        """The request, with the project's own probes."""
        return replace(request, project=self.settings.project)

    def _verify(self, outputs: Outputs, endpoints: Endpoints | None, request: VerifyRequest) -> Outcome:
        with self._stage("verify") as stage:
            verified = self.dependencies.verify(
                outputs, dependencies_module.aws(self.settings, endpoints), self._of_project(request)
            )
            stage.detail = f"{verified.summary.checks} probes, {len(verified.findings)} findings"
        return verified

    def _with_left_faults(
        self, verified: Outcome, outputs: Outputs, endpoints: Endpoints | None, request: VerifyRequest
    ) -> Outcome:
        """The outcome, with what drills have left; not while one runs."""
        if ringing := still_ringing(verified, self.settings.work_dir / DRILLS):
            self.emit(Notice(ringing))
        if self._drill_runs:
            return verified
        left = self.dependencies.left_faults(self.settings, outputs, endpoints)
        # Who asks for some probes only is told of a fault all the same: it explains what they say.
        if left is None or (request.only and not (left.in_place or left.unknown)):
            return verified
        silent = [one.address for one in verified.findings if one.id == ANSWERS.id]
        regions = ", ".join(self.settings.regions)
        result = drill_faults.judge(regions, left.in_place, left.not_of(silent), left.seconds)
        request.tell(result)
        return joined(verified, outcome((result,)))

    def _drift(self, endpoints: Endpoints | None, request: VerifyRequest) -> Outcome:
        with exclusive(self.settings.work_dir, "verify"):
            self._require_regions(endpoints, "verify --drift")
            terraform = self._initialised(self._synth(endpoints))
            self._guard(endpoints).require_known(terraform)
            with self._stage("drift") as stage:
                began = time.monotonic()
                plan = terraform.plan((self.settings.work_dir / "drift.tfplan").resolve())
                stage.detail = headline(plan)
        result = judge(", ".join(self.settings.regions), differing(plan), time.monotonic() - began)
        request.tell(result)
        return outcome((result,))

    def _guard(self, endpoints: Endpoints | None) -> StateGuard:
        return StateGuard(
            self.settings,
            self._journal,
            self._outputs_file,
            account=lambda: (
                LOCAL_ACCOUNT if self.settings.is_local else self.dependencies.account(self.settings)
            ),
            existing=lambda: self.dependencies.existing(self.settings, endpoints),
        )

    def _keep_whole(self, values: Mapping[str, OutputValue]) -> Outputs | None:
        """Write the outputs; None where some are missing, because the environment is not whole."""
        try:
            return self._write_outputs(values)
        except EnvironmentUnusable:
            return None

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

    @property
    def _drill_runs(self) -> bool:
        """Whether a drill runs here: what is in place is that one's."""
        return f"payinfra {DRILL_COMMAND}" in holder(self.settings.work_dir)

    def _tell_what_goes_on(self) -> None:
        """Say who works on the environment now, or that a drill which is over may have left something."""
        if working := holder(self.settings.work_dir):
            self.emit(Notice(f"{working}. What that does to the environment is seen here."))
        elif left := self._open_drills():
            self.emit(Notice(f"{left} Run `{self._restore_command}`."))

    def _refuse_open_drills(self) -> None:
        if left := self._open_drills():
            raise GateFailed(left, f"Put everything back first: `{self._restore_command}`.")

    def _refuse_left_faults(self, endpoints: Endpoints | None) -> None:
        """Refuse where no journal tells of a fault that is in place: a deployment would remove its mark only.

        What cannot be looked at keeps no deployment from mending it.
        """
        known = self._last_outputs()
        left = known and self.dependencies.left_faults(self.settings, known, endpoints)
        if left and left.in_place:
            raise GateFailed(
                f"A drill has left something in place. {' '.join(left.in_place)}",
                f"Put everything back first: `{self._restore_command}`.",
            )

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
        return self.settings.work_dir / BEGUN_FILE

    @property
    def _journal(self) -> ApplyLog:
        """What is known of earlier applies."""
        return ApplyLog(self.settings.work_dir / "applied.json")

    @property
    def _rollback_journal(self) -> RollbackJournal:
        """What a rolling update must put back if it does not end."""
        return RollbackJournal(self.settings.work_dir / "rolling-update.json")

    @property
    def _surviving_journal(self) -> RollbackJournal:
        """The same of an update of one region alone: it must not hide what waits for the other region."""
        return RollbackJournal(self.settings.work_dir / "surviving-update.json")

    @property
    def _state_file(self) -> Path:
        return self.settings.work_dir / "terraform.tfstate"

    @property
    def _outputs_file(self) -> Path:
        return self.settings.work_dir / OUTPUTS_FILE

    @property
    def _latest_outputs(self) -> Path:
        return self.settings.project / self.latest_outputs

    def _known_outputs(self) -> Outputs | None:
        """The outputs in the environment's own file; None where there is none, or another has to be made.

        Raises:
            EnvironmentUnusable: it is damaged or another environment's, and there is no state to read from.
        """
        file = self._outputs_file
        if not file.exists():
            return None
        if not (why := self._unusable_outputs()):
            return Outputs.read(file)
        aside = file.with_name(f"{file.name}.unusable")
        if self.settings.state_bucket is not None or self._state_file.exists():
            file.replace(aside)
            self.emit(Notice(f"{why} It is read anew from the state, and kept as {aside}."))
            return None
        published = self.dependencies.published(
            self.settings, self.dependencies.local_addresses(self.settings)
        )
        if published is None:
            raise EnvironmentUnusable(
                f"{why} There is no state here to read them from, and no region tells what was published.",
                f"Move the file away. `{with_place(self.settings, 'adopt')}` takes in what exists.",
            )
        file.replace(aside)
        self.emit(Notice(f"{why} It is read anew from what was published, and kept as {aside}."))
        return self._keep_outputs(published, published.to_flat())

    def _last_outputs(self) -> Outputs | None:
        """The outputs as they were written last; None where there are none that can be read."""
        try:
            return None if self._unusable_outputs() else Outputs.read(self._outputs_file)
        except EnvironmentUnusable:
            return None

    def _unusable_outputs(self) -> str:
        """Why the file of the outputs is of no use, as a sentence; empty where it is the environment's."""
        try:
            flat = parse_json(self._outputs_file.read_bytes())
        except (OSError, ValueError):
            return f"{self._outputs_file} is damaged: it is not JSON."
        if not isinstance(flat, dict):
            return f"{self._outputs_file} is damaged: it holds no JSON object."
        try:
            envs = Identity.of_outputs(Outputs.from_flat(flat)).envs
        except EnvironmentUnusable:
            return ""  # of another version, or of a deployment that did not end
        foreign = ", ".join(sorted(envs - {self.settings.env}))
        of_whom = f"is not of environment {self.settings.env} but of {foreign}"
        return f"{self._outputs_file} {of_whom}." if foreign else ""

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
        return self._keep_outputs(Outputs.from_flat(flat), flat)

    def _keep_outputs(self, outputs: Outputs, flat: Mapping[str, object]) -> Outputs:
        text = json.dumps(flat, indent=2, sort_keys=True) + "\n"
        for file in (self._outputs_file, self._latest_outputs):
            write_private(file, text)
        self._begun.unlink(missing_ok=True)
        return outputs

    def _forget_outputs(self) -> None:
        """Remove the outputs of an environment that is gone, and the latest copy where it is of this one."""
        own, latest = self._outputs_file, self._latest_outputs
        if own.exists() and latest.exists() and own.read_bytes() == latest.read_bytes():
            latest.unlink()
        own.unlink(missing_ok=True)
        self._begun.unlink(missing_ok=True)
        self._guard(None).adopting.unlink(missing_ok=True)
        self._journal.forget()
        self._rollback_journal.end()
        self._surviving_journal.end()

    @contextmanager
    def _stage(self, name: str, total: int | None = None) -> Iterator[RunningStage]:
        stage = RunningStage()
        began = time.monotonic()
        self.emit(StageStarted(name, total))
        yield stage
        self.emit(StageFinished(name, time.monotonic() - began, stage.detail))

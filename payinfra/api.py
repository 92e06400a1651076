"""The stages as functions, for scripts: `from payinfra import deploy, verify`.

Each does what the command of its name does, returns the values that the command reports, and raises a
`PayinfraError` where the command would fail. None of them prints, asks or exits.

Those that synthesize the stack take `extend(stack, primary, secondary)`, which adds resources of one's own;
without one, what `[stack] extend` of payinfra.toml names is taken. The handles that it gets are those of
`payinfra.stacks.extension`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.verdicts import Severity
from payinfra.core.errors import UsageProblem
from payinfra.core.events import Emit, Notice, ignore
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment.dependencies import check as check_stack
from payinfra.deployment.pipeline import Pipeline
from payinfra.deployment.pipeline_dependencies import AWS_DEPENDENCIES, PipelineDependencies
from payinfra.deployment.results import Deployed, Destroyed, Synthesized
from payinfra.deployment.workspace import Confirm
from payinfra.drill.clock import Stop
from payinfra.drill.model import DrillReport, DrillRequest, Restored, Tell, tell_nobody
from payinfra.terraform import Plan

if TYPE_CHECKING:
    from payinfra.stacks.extension import Extend


def agreed(_plan: Plan) -> bool:
    """The `Confirm` that says yes to every plan."""
    return True


def synth(
    settings: Settings,
    *,
    fresh: bool = False,
    extend: "Extend | None" = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Synthesized:
    """Synthesize the stack into the environment's work folder.

    Args:
        settings: the environment.
        fresh: build the stack anew, also where nothing that it depends on has changed.
        emit: receives the events of the stage.
        dependencies: what the stage calls; tests pass scripted ones.
        extend: adds resources of one's own; None for what the settings name.

    Raises:
        UsageProblem: the function that extends the stack raised, or added what cannot be taken.
        ToolFailed: synthesis failed.
        EnvironmentUnusable: another command works on the environment.
    """
    return Pipeline(settings, emit, dependencies=dependencies, extend=extend, fresh=fresh).synth()


def check(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    skip: Sequence[str] = (),
    waivers: Path | None = None,
    extend: "Extend | None" = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Outcome:
    """Synthesize the stack and judge it against the policy; `Outcome.failing` tells what fails a gate.

    Args:
        settings: the environment.
        select: ids or globs of checks to run; empty for all.
        skip: ids or globs of checks to leave out.
        waivers: the waivers file; None for `payinfra-waivers.toml` in the project's folder, if it exists.
        extend: adds resources of one's own; None for what the settings name.
        emit: receives the events of the stages.
        dependencies: what the stages call; tests pass scripted ones.

    Raises:
        EnvironmentUnusable: an unknown id, or nothing to check.
        ToolFailed: synthesis failed.
    """
    synthesized = synth(settings, extend=extend, emit=emit, dependencies=dependencies)
    return check_stack(settings, synthesized.folder, select=select, ignore=skip, waivers=waivers)


def plan(
    settings: Settings,
    *,
    out: Path | None = None,
    fail_on: Severity = Severity.HIGH,
    extend: "Extend | None" = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Plan:
    """Plan what a deployment would change.

    Args:
        settings: the environment.
        out: keep the plan here, with mode 0600: plans hold secrets.
        fail_on: the severity from which a finding of the policy checks raises.
        extend: adds resources of one's own; None for what the settings name.
        emit: receives the events of the stages.
        dependencies: what the stages call; tests pass scripted ones.

    Raises:
        GateFailed: a finding of the policy checks.
        ToolFailed, EnvironmentUnusable: as for `deploy`.
    """
    return Pipeline(settings, emit, fail_on=fail_on, dependencies=dependencies, extend=extend).plan(out=out)


def deploy(
    settings: Settings,
    *,
    confirm: Confirm = agreed,
    allow_destroy: bool = False,
    all_at_once: bool = False,
    allow_single_region: bool = False,
    fail_on: Severity = Severity.HIGH,
    extend: "Extend | None" = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Deployed:
    """Synthesize, check, plan, apply, send a payment through each region, verify.

    Args:
        settings: the environment.
        confirm: asked with each plan that changes something; says yes by default.
        allow_destroy: let the plan delete or replace a table, bucket, key or zone.
        all_at_once: update both regions together, not the secondary first.
        allow_single_region: change a region even while the other one does not serve.
        fail_on: the severity from which a finding of the policy checks raises.
        extend: adds resources of one's own; None for what the settings name.
        emit: receives the events of the stages.
        dependencies: what the stages call; tests pass scripted ones.

    Raises:
        GateFailed: a finding, the plan guard, a probe or `confirm` said no, or the only region that serves
            would be changed.
        ToolFailed: synthesis or Terraform failed.
        EnvironmentUnusable: credentials, registry, embedded AWS or lock.
    """
    return Pipeline(settings, emit, fail_on=fail_on, dependencies=dependencies, extend=extend).deploy(
        confirm,
        allow_destroy=allow_destroy,
        all_at_once=all_at_once,
        allow_single_region=allow_single_region,
    )


def verify(
    settings: Settings,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    deadline_s: float | None = None,
    drift: bool = False,
    extend: "Extend | None" = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Outcome:
    """Probe the deployed environment.

    Args:
        settings: the environment.
        only: ids or globs of probes to run; empty for all.
        skip: ids or globs of probes to leave out.
        deadline_s: maximum seconds for each probe; None for each probe's own deadline.
        drift: also ask Terraform for changes made outside of it.
        extend: adds resources of one's own; None for what the settings name.
        emit: receives the events of the stages.
        dependencies: what the stages call; tests pass scripted ones.

    Raises:
        EnvironmentUnusable: it was never deployed from here, or cannot be reached.
        ToolFailed: Terraform failed.
    """
    request = VerifyRequest(tuple(only), tuple(skip), deadline_s)
    return Pipeline(settings, emit, dependencies=dependencies, extend=extend).verify(request, drift=drift)


def read_outputs(settings: Settings, *, dependencies: PipelineDependencies = AWS_DEPENDENCIES) -> Outputs:
    """Read the outputs of the last deployment.

    Raises:
        EnvironmentUnusable: it was never deployed from here.
    """
    return Pipeline(settings, dependencies=dependencies).outputs()


def destroy(
    settings: Settings,
    *,
    really: str | None = None,
    missing_ok: bool = False,
    extend: "Extend | None" = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Destroyed:
    """Delete every resource of the environment.

    Args:
        settings: the environment.
        really: the name of the protected environment, to confirm.
        missing_ok: end well, too, where there is no such environment.
        extend: adds resources of one's own; None for what the settings name.
        emit: receives the events of the stages.
        dependencies: what the stages call; tests pass scripted ones.

    Raises:
        UsageProblem: the environment is protected, and `really` does not name it.
        EnvironmentUnusable: there is no such environment, or as for `deploy`.
        ToolFailed: as for `deploy`.
    """

    def named(is_protected: bool) -> bool:
        if is_protected and really != settings.env:
            raise UsageProblem(
                f"Environment {settings.env} is protected.",
                f"To destroy it and its data permanently, pass really={settings.env!r}.",
            )
        return True

    named(settings.protected)
    pipeline = Pipeline(settings, emit, dependencies=dependencies, extend=extend)
    return pipeline.destroy(lambda plan: named(bool(plan.protected)), missing_ok=missing_ok)


def run_drill(
    settings: Settings,
    request: DrillRequest | None = None,
    *,
    really: str | None = None,
    stop: Stop | None = None,
    tell: Tell = tell_nobody,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> DrillReport:
    """Lose a region on purpose, measure it, and put everything back; `DrillReport.passed` is the verdict.

    The report is also stored with the environment's drills. An exception or an interrupt during the drill is
    raised after everything has been put back; `report.restoration.left` names what could not be.

    Args:
        settings: the environment.
        request: the faults and limits; None inverts the primary's health check.
        really: the name of the protected environment, to confirm.
        missing_ok: end well, too, where there is no such environment.
        stop: ends the drill early, from a signal handler or another thread.
        tell: receives phases, marks and payments while the drill runs.
        emit: told of the stages before it.
        dependencies: what the stages call; tests pass scripted ones.

    Raises:
        UsageProblem: the request makes no sense here, or the environment is protected and not named.
        GateFailed: a precondition failed; nothing was done.
        EnvironmentUnusable: it was never deployed from here, cannot be reached, or is in use.
    """
    from payinfra.drill import session
    from payinfra.report.drill import rendering

    environment = Pipeline(settings, emit, dependencies=dependencies).drill_environment()
    if environment.outputs.declared.protected and really != settings.env:
        raise UsageProblem(
            f"Environment {settings.env} is protected.", f"To drill it, pass really={settings.env!r}."
        )
    wanted = request or DrillRequest()
    with session.prepared(
        environment, wanted, stop or Stop(), f"payinfra.run_drill of {settings.env}"
    ) as prepared:
        report = session.run(prepared, tell)
    rendering.write_reports(environment.drills / report.id, report)
    return report


def restore_drills(
    settings: Settings, *, emit: Emit = ignore, dependencies: PipelineDependencies = AWS_DEPENDENCIES
) -> tuple[Restored, ...]:
    """Roll back what unfinished drills have left. Running it again changes nothing.

    `Restored.whole` tells for each drill whether everything is as it was before.

    Raises:
        EnvironmentUnusable: it was never deployed from here, cannot be reached, or is in use.
    """
    from payinfra.drill import restoration

    environment = Pipeline(settings, emit, dependencies=dependencies).drill_environment()
    return restoration.restore_all(environment, lambda text: emit(Notice(text)))

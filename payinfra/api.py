"""The stages as functions, for pipelines that are scripts. `payinfra` itself hands these out.

Each does what the command of its name does, returns the same values that its report is drawn from, and raises
a `PayinfraError` where the command would end with a message. None of them prints, asks or exits.
"""

from collections.abc import Sequence
from pathlib import Path

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import VerifyRequest
from payinfra.checks.verdicts import Severity
from payinfra.core.errors import UsageProblem
from payinfra.core.events import Emit, Notice, ignore
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment.dependencies import AWS_DEPENDENCIES, PipelineDependencies
from payinfra.deployment.dependencies import check as check_stack
from payinfra.deployment.pipeline import Confirm, Pipeline
from payinfra.deployment.results import Deployed, Destroyed, Synthesized
from payinfra.drill.clock import Stop
from payinfra.drill.model import DrillReport, DrillRequest, Restored, Tell, tell_nobody
from payinfra.terraform import Plan


def agreed(_plan: Plan) -> bool:
    """The `Confirm` that says yes to every plan."""
    return True


def synth(
    settings: Settings, *, emit: Emit = ignore, dependencies: PipelineDependencies = AWS_DEPENDENCIES
) -> Synthesized:
    """Synthesize the stack into the environment's work folder.

    Raises:
        ToolFailed: synthesis failed.
        EnvironmentUnusable: another command works on the environment.
    """
    return Pipeline(settings, emit, dependencies=dependencies).synth()


def check(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    skip: Sequence[str] = (),
    waivers: Path | None = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Outcome:
    """Synthesize the stack and judge it against the policy; `Outcome.failing` tells what fails a gate.

    Args:
        settings: the environment.
        select: ids or globs of checks to run; empty for all.
        skip: ids or globs of checks to leave out.
        waivers: the waivers file; None for `payinfra-waivers.toml` in the current folder, if it is there.
        emit: told of everything that happens.
        dependencies: what the stages work with; tests pass scripted ones.

    Raises:
        EnvironmentUnusable: an unknown id, or nothing to check.
        ToolFailed: synthesis failed.
    """
    synthesized = synth(settings, emit=emit, dependencies=dependencies)
    return check_stack(settings, synthesized.folder, select=select, ignore=skip, waivers=waivers)


def plan(
    settings: Settings,
    *,
    out: Path | None = None,
    fail_on: Severity = Severity.HIGH,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Plan:
    """Plan what a deployment would change.

    Args:
        settings: the environment.
        out: keep the plan here, with mode 0600: plans hold secrets.
        fail_on: the severity from which a finding of the policy checks raises.
        emit: told of everything that happens.
        dependencies: what the stages work with; tests pass scripted ones.

    Raises:
        GateFailed: a finding of the policy checks.
        ToolFailed, EnvironmentUnusable: as for `deploy`.
    """
    return Pipeline(settings, emit, fail_on=fail_on, dependencies=dependencies).plan(out=out)


def deploy(
    settings: Settings,
    *,
    confirm: Confirm = agreed,
    allow_destroy: bool = False,
    all_at_once: bool = False,
    allow_single_region: bool = False,
    fail_on: Severity = Severity.HIGH,
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
        emit: told of everything that happens.
        dependencies: what the stages work with; tests pass scripted ones.

    Raises:
        GateFailed: a finding, the plan guard, a probe or `confirm` said no, or the only region that serves
            would be changed.
        ToolFailed: synthesis or Terraform failed.
        EnvironmentUnusable: credentials, registry, embedded AWS or lock.
    """
    return Pipeline(settings, emit, fail_on=fail_on, dependencies=dependencies).deploy(
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
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Outcome:
    """Probe what was deployed.

    Args:
        settings: the environment.
        only: ids or globs of probes to run; empty for all.
        skip: ids or globs of probes to leave out.
        deadline_s: seconds that no probe may exceed; None leaves each its own.
        drift: ask Terraform as well what was changed outside of it.
        emit: told of everything that happens.
        dependencies: what the stages work with; tests pass scripted ones.

    Raises:
        EnvironmentUnusable: it was never deployed from here, or cannot be reached.
        ToolFailed: Terraform failed.
    """
    request = VerifyRequest(tuple(only), tuple(skip), deadline_s)
    return Pipeline(settings, emit, dependencies=dependencies).verify(request, drift=drift)


def read_outputs(settings: Settings, *, dependencies: PipelineDependencies = AWS_DEPENDENCIES) -> Outputs:
    """What the last deployment put where.

    Raises:
        EnvironmentUnusable: it was never deployed from here.
    """
    return Pipeline(settings, dependencies=dependencies).outputs()


def destroy(
    settings: Settings,
    *,
    really: str | None = None,
    emit: Emit = ignore,
    dependencies: PipelineDependencies = AWS_DEPENDENCIES,
) -> Destroyed:
    """Delete every resource of the environment.

    Args:
        settings: the environment.
        really: a protected environment's name, once more.
        emit: told of everything that happens.
        dependencies: what the stages work with; tests pass scripted ones.

    Raises:
        UsageProblem: the environment is protected, and `really` does not name it.
        ToolFailed, EnvironmentUnusable: as for `deploy`.
    """
    if settings.protected and really != settings.env:
        raise UsageProblem(
            f"Environment {settings.env} is protected.",
            f"To destroy it and its data for good, say really={settings.env!r}.",
        )
    return Pipeline(settings, emit, dependencies=dependencies).destroy(agreed)


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

    The report is kept among the environment's drills as well. An exception that ends the drill, an interrupt
    included, is raised after everything has been put back; `report.restoration.left` says what could not be.

    Args:
        settings: the environment.
        request: what is made to fail, and how; None inverts the primary's health check.
        really: a protected environment's name, once more.
        stop: asked, from a signal's handler or another thread, to end the drill early.
        tell: told of phases, marks and payments while it runs.
        emit: told of the stages before it.
        dependencies: what the stages work with; tests pass scripted ones.

    Raises:
        UsageProblem: the request makes no sense here, or the environment is protected and not named.
        GateFailed: something speaks against a drill now; nothing was done.
        EnvironmentUnusable: it was never deployed from here, cannot be reached, or is in use.
    """
    from payinfra.drill import session
    from payinfra.report.drill import rendering

    environment = Pipeline(settings, emit, dependencies=dependencies).drill_environment()
    if environment.outputs.declared.protected and really != settings.env:
        raise UsageProblem(
            f"Environment {settings.env} is protected.", f"To drill it, say really={settings.env!r}."
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
    """Put back what drills that did not end have left; once more changes nothing.

    `Restored.whole` says of each drill whether everything is as it was.

    Raises:
        EnvironmentUnusable: it was never deployed from here, cannot be reached, or is in use.
    """
    from payinfra.drill import session

    environment = Pipeline(settings, emit, dependencies=dependencies).drill_environment()
    return session.restore_all(environment, lambda text: emit(Notice(text)))

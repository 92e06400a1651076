"""What Terraform would change back."""

import time

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.drift import Difference, judge
from payinfra.checks.probes.results import VerifyRequest, outcome
from payinfra.deployment.results import headline
from payinfra.deployment.stages import Stages
from payinfra.terraform import ChangeAction, Plan, Terraform


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


def drift(stages: Stages, terraform: Terraform, request: VerifyRequest) -> Outcome:
    """Plan, and judge what the plan would change, as one more probe.

    Raises:
        ToolFailed: Terraform failed.
    """
    with stages.stage("drift") as stage:
        began = time.monotonic()
        plan = terraform.plan((stages.settings.work_dir / "drift.tfplan").resolve())
        stage.detail = headline(plan)
    regions = ", ".join(stages.settings.regions)
    result = judge(regions, differing(plan), time.monotonic() - began)
    request.tell(result)
    return outcome((result,))

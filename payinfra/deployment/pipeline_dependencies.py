"""What the pipeline works with: slow or outside things, behind one seam that tests fill with their own."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.events import Emit
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.deployment.dependencies import SynthesisMode
from payinfra.terraform.jsonvalue import JsonValue

if TYPE_CHECKING:
    from payinfra.account.environments.model import TaggedResource
    from payinfra.checks.outcome import Outcome
    from payinfra.checks.probes.results import VerifyRequest
    from payinfra.core.outputs import Outputs
    from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys
    from payinfra.deployment.lambda_alias import LambdaAlias
    from payinfra.deployment.left_faults import LeftFaults
    from payinfra.deployment.smoke_test import SmokeTestResult
    from payinfra.local.control import Control
    from payinfra.terraform import Terraform


class PipelineDependencies(Protocol):
    """What the pipeline calls that is slow or outside of it: AWS, Terraform, the stack, the checks.

    `AwsDependencies` is the real one; tests have scripted ones.
    """

    def account(self, settings: Settings, /) -> str:
        """Tell whose credentials these are; an account's number."""
        ...

    def account_in(self, settings: Settings, region: str, /) -> str:
        """The same, asked in one region alone."""
        ...

    def aws(self, settings: Settings, endpoints: Endpoints | None, /) -> Aws:
        """What an environment is looked at and changed with."""
        ...

    def control(self, settings: Settings, /) -> "Control | None":
        """The control of the embedded AWS that runs; None for AWS itself."""
        ...

    def local_up(self, settings: Settings, emit: Emit, /) -> Endpoints:
        """Start the embedded AWS, or find it running."""
        ...

    def local_addresses(self, settings: Settings, /) -> Endpoints | None:
        """Where the embedded AWS answers or, when it is down, would answer. None for AWS itself."""
        ...

    def silent(self, settings: Settings, endpoints: Endpoints | None, /) -> tuple[str, ...]:
        """The regions that a whole stack needs and that answer nothing."""
        ...

    def preflight(self, settings: Settings, /) -> str:
        """Look for what the account must have, and say what was found."""
        ...

    def synthesize(self, settings: Settings, endpoints: Endpoints | None, mode: SynthesisMode, /) -> Path:
        """Build the stack; the folder of its cdk.tf.json."""
        ...

    def check(self, settings: Settings, folder: Path, /) -> "Outcome":
        """Judge the synthesized stack against the policy."""
        ...

    def check_plan(self, settings: Settings, folder: Path, shown: JsonValue, /) -> "Outcome":
        """Judge a plan of the stack against the policy."""
        ...

    def terraform(self, settings: Settings, folder: Path, emit: Emit, /) -> "Terraform":
        """A Terraform for the folder."""
        ...

    def live(self, aws: Aws, /) -> "LambdaAlias":
        """What the APIs call."""
        ...

    def smoke_test(self, outputs: "Outputs", aws: Aws, /) -> "tuple[SmokeTestResult, ...]":
        """Send a payment through each region and read it in the other."""
        ...

    def verify(self, outputs: "Outputs", aws: Aws, request: "VerifyRequest", /) -> "Outcome":
        """Probe the deployed environment."""
        ...

    def existing(self, settings: Settings, endpoints: Endpoints | None, /) -> "tuple[TaggedResource, ...]":
        """All that exists of the environment in its account, by its tags and names."""
        ...

    def remaining(self, settings: Settings, endpoints: Endpoints | None, /) -> "tuple[TaggedResource, ...]":
        """What is left of it after its destruction."""
        ...

    def may_exist(self, settings: Settings, endpoints: Callable[[], Endpoints | None], /) -> bool:
        """Whether an environment that is unknown here may exist in its account, or have a state there."""
        ...

    def published(self, settings: Settings, endpoints: Endpoints | None, /) -> "Outputs | None":
        """What its deployment has published of itself; None where no region tells."""
        ...

    def left_faults(
        self, settings: Settings, outputs: "Outputs", endpoints: Endpoints | None, /
    ) -> "LeftFaults | None":
        """What drills have left in place; None where that cannot be asked."""
        ...

    def orphaned_keys(self, settings: Settings, endpoints: Endpoints | None, /) -> "OrphanedKeys":
        """The API keys that a destruction would leave behind."""
        ...

    def clear_zone(self, settings: Settings, endpoints: Endpoints | None, /) -> str:
        """Take what killed probes have left out of a hosted zone; why that was not possible, or nothing."""
        ...

    def late_log_groups(
        self, settings: Settings, endpoints: Endpoints | None, destroyed: bool, known: "Outputs | None", /
    ) -> tuple[str, ...]:
        """Delete log groups that late lines have made again; say which they were."""
        ...

    def set_protection(
        self, settings: Settings, endpoints: Endpoints | None, wanted: bool, /
    ) -> tuple[str, ...]:
        """Set the deletion protection of the table in each region; the regions where it was otherwise."""
        ...


class AwsDependencies:
    """The real ones, on AWS and on the embedded one."""

    account = staticmethod(dependencies.account)
    account_in = staticmethod(dependencies.account_in)
    aws = staticmethod(dependencies.aws)
    control = staticmethod(dependencies.control)
    local_up = staticmethod(dependencies.local_up)
    local_addresses = staticmethod(dependencies.local_addresses)
    silent = staticmethod(dependencies.silent)
    preflight = staticmethod(dependencies.preflight)
    synthesize = staticmethod(dependencies.synthesize)
    check = staticmethod(dependencies.check)
    check_plan = staticmethod(dependencies.check_plan)
    terraform = staticmethod(dependencies.terraform)
    live = staticmethod(dependencies.live)
    smoke_test = staticmethod(dependencies.smoke_test)
    verify = staticmethod(dependencies.verify)
    existing = staticmethod(dependencies.existing)
    remaining = staticmethod(dependencies.remaining)
    may_exist = staticmethod(dependencies.may_exist)
    published = staticmethod(dependencies.published)
    left_faults = staticmethod(dependencies.left_faults)
    orphaned_keys = staticmethod(dependencies.orphaned_keys)
    clear_zone = staticmethod(dependencies.clear_zone)
    late_log_groups = staticmethod(dependencies.late_log_groups)
    set_protection = staticmethod(dependencies.set_protection)


AWS_DEPENDENCIES: PipelineDependencies = AwsDependencies()

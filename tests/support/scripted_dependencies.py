"""A pipeline's dependencies as a test wants them: scripted, and silent where it does not care."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import VerifyRequest
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.events import Emit
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.deployment.dependencies import SynthesisMode
from payinfra.deployment.lambda_alias import LambdaAlias
from payinfra.deployment.pipeline import Pipeline
from payinfra.deployment.smoke_test import SmokeTestResult
from payinfra.terraform import Terraform
from payinfra.terraform.jsonvalue import JsonValue

if TYPE_CHECKING:
    from payinfra.account.environments.model import TaggedResource
    from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys
    from payinfra.deployment.left_faults import LeftFaults
    from payinfra.local.control import Control

Where = Endpoints | None


@dataclass(frozen=True, kw_only=True)
class ScriptedDependencies:
    """Nothing here reaches anything, but for what a test puts in."""

    local_up: Callable[[Settings, Emit], Endpoints]
    local_addresses: Callable[[Settings], Where]
    synthesize: Callable[[Settings, Where, SynthesisMode], Path]
    check: Callable[[Settings, Path], Outcome]
    check_plan: Callable[[Settings, Path, JsonValue], Outcome]
    terraform: Callable[[Settings, Path, Emit], Terraform]
    smoke_test: Callable[[Outputs, Aws], tuple[SmokeTestResult, ...]]
    verify: Callable[[Outputs, Aws, VerifyRequest], Outcome]
    account: Callable[[Settings], str] = lambda _settings: "123456789012"
    account_in: Callable[[Settings, str], str] = lambda _settings, _region: "123456789012"
    aws: Callable[[Settings, Where], Aws] = dependencies.aws
    control: "Callable[[Settings], Control | None]" = lambda _settings: None
    silent: Callable[[Settings, Where], tuple[str, ...]] = lambda _settings, _where: ()
    preflight: Callable[[Settings], str] = lambda _settings: "all there"
    live: Callable[[Aws], LambdaAlias] = dependencies.live
    existing: "Callable[[Settings, Where], tuple[TaggedResource, ...]]" = lambda _settings, _where: ()
    remaining: "Callable[[Settings, Where], tuple[TaggedResource, ...]]" = lambda _settings, _where: ()
    may_exist: Callable[[Settings, Callable[[], Where]], bool] = lambda _settings, _where: True
    published: Callable[[Settings, Where], Outputs | None] = lambda _settings, _where: None
    left_faults: "Callable[[Settings, Outputs, Where], LeftFaults | None]" = (
        lambda _settings, _outputs, _where: None
    )
    orphaned_keys: "Callable[[Settings, Where], OrphanedKeys]" = dependencies.orphaned_keys
    clear_zone: Callable[[Settings, Where], str] = lambda _settings, _where: ""
    late_log_groups: Callable[[Settings, Where, bool, Outputs | None], tuple[str, ...]] = (
        lambda _settings, _where, _destroyed, _known: ()
    )
    set_protection: Callable[[Settings, Where, bool], tuple[str, ...]] = lambda _settings, _where, _wanted: ()


def with_dependencies(pipeline: Pipeline, **other: object) -> Pipeline:
    """The scripted pipeline, with other dependencies of these names."""
    scripted = cast(ScriptedDependencies, pipeline.dependencies)
    return replace(pipeline, dependencies=replace(scripted, **other))  # type: ignore[arg-type]  # by name

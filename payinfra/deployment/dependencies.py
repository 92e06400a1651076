"""What the pipeline works with: slow or outside things, behind one seam that tests fill with their own."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.clients.aws import LOCAL_ACCOUNT, Aws, Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Emit
from payinfra.core.settings import Settings
from payinfra.terraform.jsonvalue import JsonValue

if TYPE_CHECKING:
    from payinfra.account.environments.model import TaggedResource
    from payinfra.checks.outcome import Outcome
    from payinfra.checks.probes.results import VerifyRequest
    from payinfra.core.outputs import Outputs
    from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys
    from payinfra.deployment.lambda_alias import LambdaAlias
    from payinfra.deployment.smoke_test import SmokeTestResult
    from payinfra.local.control import Control
    from payinfra.stacks.extension import Extend
    from payinfra.terraform import Engine, Terraform

SERVER_FOLDER = Path("local") / ".server"
"""Below the work root. The dot keeps it apart from every environment, whose name begins with a letter."""


def aws(settings: Settings, endpoints: Endpoints | None = None) -> Aws:
    """What an environment is looked at and mended with, as the role that its settings name."""
    return Aws(endpoints, role_arn=settings.role_arn)


def preflight(settings: Settings) -> str:
    """Look for what the account must have, in both regions."""
    from payinfra.account.gateway_logs import account_settings

    return account_settings(aws(settings), settings.regions)


def live(aws: Aws) -> "LambdaAlias":
    """What the APIs call."""
    from payinfra.deployment.lambda_alias import LambdaAlias

    return LambdaAlias(aws)


def control(settings: Settings) -> "Control | None":
    """The control of the embedded AWS that runs; None for AWS itself."""
    if not settings.is_local:
        return None
    from payinfra.local.control import Control

    return Control.of(server_folder(settings))


def orphaned_keys(settings: Settings, endpoints: Endpoints | None) -> "OrphanedKeys":
    """The API keys that a destruction would leave behind."""
    from payinfra.deployment.key_rotation.orphaned_keys import OrphanedKeys

    return OrphanedKeys(aws(settings, endpoints), settings.env, settings.regions, settings.names)


def clear_zone(settings: Settings, endpoints: Endpoints | None) -> str:
    """Take what killed runs of the probes have left out of a hosted zone that outlives the environment.

    Returns:
        Why that was not possible, in a sentence; empty where nothing is left.
    """
    if settings.hosted_zone_id is None:
        return ""
    from botocore.exceptions import BotoCoreError, ClientError

    from payinfra.clients import canary

    client = aws(settings, endpoints).route53(settings.primary_region)
    name = settings.names.failover_domain(settings.domain)
    try:
        canary.remove_records(client, settings.hosted_zone_id, settings.env, name, lambda _began_ms: True)
    except (BotoCoreError, ClientError) as error:
        return f"Zone {settings.hosted_zone_id} was not looked through for records of `verify`: {error}."
    return ""


def existing(settings: Settings, endpoints: Endpoints | None) -> "tuple[TaggedResource, ...]":
    """All that exists of the environment in its account, by its tags and names."""
    from payinfra.deployment.recovery import discovery

    found = aws(settings, endpoints)
    account = found.account(settings.primary_region)
    where = discovery.Whereabouts(
        settings.env, account, settings.regions, settings.domain, settings.hosted_zone_id, settings.names
    )
    return discovery.existing(found, where)


def remaining(settings: Settings, endpoints: Endpoints | None) -> "tuple[TaggedResource, ...]":
    """What is left of an environment after its destruction. AWS gets some time to forget; the embedded one,
    which forgets at once, needs none."""
    from payinfra.deployment.recovery import discovery

    within_s = 0.0 if settings.is_local else discovery.FORGOTTEN_WITHIN_S
    return discovery.remaining(lambda: existing(settings, endpoints), within_s)


def nothing(_settings: Settings, _endpoints: Endpoints | None) -> "tuple[TaggedResource, ...]":
    """What exists in a scripted account that says nothing of it."""
    return ()


def check_plan(settings: Settings, folder: Path, shown: JsonValue) -> "Outcome":
    """Judge a plan of the synthesized stack against the policy."""
    from payinfra.checks.api import CheckRequest, ShownPlan, run_checks

    return run_checks(
        CheckRequest(
            plans=(ShownPlan(f"the plan of {settings.env}", shown),),
            configuration=folder,
            env=settings.env,
            protected=settings.protected,
            project=settings.project,
        )
    )


@dataclass(frozen=True)
class PipelineDependencies:
    """The real thing for each step, or a test's."""

    account: Callable[[Settings], str]
    local_up: Callable[[Settings, Emit], Endpoints]
    local_addresses: Callable[[Settings], Endpoints | None]
    synthesize: Callable[[Settings, Endpoints | None, bool], Path]
    check: Callable[[Settings, Path], "Outcome"]
    terraform: Callable[[Settings, Path, Emit], "Terraform"]
    smoke_test: Callable[["Outputs", Aws], "tuple[SmokeTestResult, ...]"]
    verify: Callable[["Outputs", Aws, "VerifyRequest"], "Outcome"]
    live: Callable[[Aws], "LambdaAlias"] = live
    preflight: Callable[[Settings], str] = preflight
    aws: Callable[[Settings, Endpoints | None], Aws] = aws
    control: Callable[[Settings], "Control | None"] = control
    orphaned_keys: Callable[[Settings, Endpoints | None], "OrphanedKeys"] = orphaned_keys
    clear_zone: Callable[[Settings, Endpoints | None], str] = clear_zone
    existing: "Callable[[Settings, Endpoints | None], tuple[TaggedResource, ...]]" = nothing
    remaining: "Callable[[Settings, Endpoints | None], tuple[TaggedResource, ...]]" = nothing
    check_plan: Callable[[Settings, Path, JsonValue], "Outcome"] = check_plan


def account(settings: Settings) -> str:
    """Whose credentials these are; asked first, because Terraform takes long to say that there are none.

    Raises:
        EnvironmentUnusable: they are nobody's, or the shell's variables lead to the embedded AWS, where a
            deployment would show nothing about AWS.
    """
    found = aws(settings).account(settings.primary_region)
    if found == LOCAL_ACCOUNT:
        raise EnvironmentUnusable(
            "This shell's credentials and endpoints are those of the embedded AWS, and --local is not given.",
            "Add --local, or use a shell in which `payinfra local env` was not evaluated.",
        )
    return found


def server_folder(settings: Settings) -> Path:
    """Where the embedded AWS keeps its state, its log and its addresses."""
    return settings.work_root / SERVER_FOLDER


def local_up(settings: Settings, emit: Emit) -> Endpoints:
    """Start the embedded AWS, or find it running."""
    from payinfra.local import lifecycle
    from payinfra.local.endpoints import base_port

    folder = server_folder(settings)
    started = lifecycle.up(folder, settings.regions, base_port=base_port(os.environ), emit=emit)
    return Endpoints(started.regions, started.global_url, started.dns, lifecycle.access_key(folder))


def running(settings: Settings) -> Endpoints | None:
    """Where the embedded AWS answers; None where it is down."""
    from payinfra.local import lifecycle

    folder = server_folder(settings)
    found = lifecycle.status(folder)
    if found is None:
        return None
    here = found.endpoints
    return Endpoints(here.regions, here.global_url, here.dns, lifecycle.access_key(folder))


def local_addresses(settings: Settings) -> Endpoints | None:
    """Where the embedded AWS answers or, when it is down, would answer. None for AWS itself."""
    if not settings.is_local:
        return None
    from payinfra.local.endpoints import LOOPBACK, PortPlan, base_port, served_regions

    if found := running(settings):
        return found
    ports = PortPlan(base_port(os.environ))
    return Endpoints(
        {
            region: f"http://{LOOPBACK}:{ports.region(position)}"
            for position, region in enumerate(served_regions(settings.regions))
        },
        f"http://{LOOPBACK}:{ports.control}",
        f"{LOOPBACK}:{ports.dns}",
    )


def synthesize(
    settings: Settings, endpoints: Endpoints | None, eager: bool, *, extend: "Extend | None" = None
) -> Path:
    """Build the stack into the environment's work folder.

    Args:
        extend: adds the project's own resources; None for what the settings name.
    """
    from payinfra import stacks
    from payinfra.stacks import cdktf_bindings

    folder = stacks.synthesize(
        settings,
        out=settings.work_dir / "synth",
        endpoints=endpoints,
        handlers=settings.handlers,
        bindings=lambda: cdktf_bindings.prepare(eager=eager),
        extend=extend,
    )
    cdktf_bindings.settle()
    return folder


def engine(settings: Settings) -> "Engine | None":
    """What the settings want to run as Terraform; None for whichever there is."""
    from payinfra.terraform import Engine

    return Engine(settings.terraform) if settings.terraform else None


def terraform(settings: Settings, folder: Path, emit: Emit) -> "Terraform":
    """A Terraform for the environment's folder."""
    from payinfra.deployment.recovery.lost_state import with_place
    from payinfra.terraform import Terraform, find_binary
    from payinfra.terraform.environment import with_access_key

    environment: Mapping[str, str] = os.environ
    if settings.is_local:
        from payinfra.local import lifecycle

        key = lifecycle.access_key(server_folder(settings))
        environment = with_access_key(os.environ, key.access_key_id, key.secret_access_key)
    return Terraform(
        binary=find_binary(only=engine(settings)),
        folder=folder,
        data_dir=settings.work_dir / "terraform",
        provider_cache=settings.work_root / "cache" / "providers",
        log=settings.work_dir / "logs" / "terraform.log",
        environment=environment,
        emit=emit,
        unlock=with_place(settings, "unlock"),
    )


def check(
    settings: Settings,
    folder: Path,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    waivers: Path | None = None,
) -> "Outcome":
    """Judge the synthesized stack against the policy; see `CheckRequest`."""
    from payinfra.checks.api import CheckRequest, run_checks

    return run_checks(
        CheckRequest(
            manifests=(folder / "cdk.tf.json",),
            env=settings.env,
            protected=settings.protected,
            select=tuple(select),
            ignore=tuple(ignore),
            waivers=waivers,
            project=settings.project,
        )
    )


def smoke_test(outputs: "Outputs", aws: Aws) -> "tuple[SmokeTestResult, ...]":
    """Send a payment through each region and read it in the other."""
    from payinfra.deployment.smoke_test import cross_region_payments

    return cross_region_payments(outputs, aws)


def verify(outputs: "Outputs", aws: Aws, request: "VerifyRequest") -> "Outcome":
    """Probe the deployed environment."""
    from payinfra.checks.probes import verify as probes

    return probes.verify(outputs, aws, request)


AWS_DEPENDENCIES = PipelineDependencies(
    account,
    local_up,
    local_addresses,
    synthesize,
    check,
    terraform,
    smoke_test,
    verify,
    existing=existing,
    remaining=remaining,
)

"""What the pipeline and the commands call of AWS, the embedded AWS, Terraform, the stack and the checks."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.clients.aws import LOCAL_ACCOUNT, Aws, AwsUnreachable, Endpoints
from payinfra.clients.aws_errors import is_absent
from payinfra.core.access_key import AccessKey
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
    from payinfra.deployment.left_faults import LeftFaults
    from payinfra.deployment.smoke_test import SmokeTestResult
    from payinfra.local.control import Control
    from payinfra.local.endpoints import LocalEndpoints
    from payinfra.stacks.extension import Extend
    from payinfra.terraform import Engine, Terraform

PUBLISHED_S = 3.0
"""How long a region has to tell what is published there, in seconds."""
CONNECT_S, READ_S, ATTEMPTS = 3.0, 5.0, 2
"""The limits of the first call of all, which has another region to go to."""
FIRST_LOOK_S = 4.0
SECOND_LOOK_S = 8.0
"""How long a region may take to say anything at all before Terraform is asked to work on it."""
SERVER_FOLDER = Path("local") / ".server"
"""Below the work root. The dot keeps it apart from every environment, whose name begins with a letter."""


def aws(settings: Settings, endpoints: Endpoints | None = None) -> Aws:
    """What an environment is looked at and mended with, as the role that its settings name."""
    return Aws(endpoints, role_arn=settings.role_arn)


def preflight(settings: Settings) -> str:
    """Look for what the account must have, in both regions."""
    return account_is_ready(aws(settings), settings)


def account_is_ready(found: Aws, settings: Settings) -> str:
    """What the account has of all that a deployment to it needs, in a phrase.

    Raises:
        EnvironmentUnusable: it lacks something, or does not say.
    """
    from payinfra.account.gateway_logs import account_settings
    from payinfra.account.quotas import require_room

    said = account_settings(found, settings.regions)
    unasked = require_room(found, settings.names, settings.regions, own_zone=settings.domain is None)
    return f"{said}; {unasked}" if unasked else said


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


def late_log_groups(
    settings: Settings, endpoints: Endpoints | None, destroyed: bool, known: "Outputs | None" = None
) -> tuple[str, ...]:
    """Delete log groups of the environment that late lines have made again; say which they were.

    Args:
        destroyed: whether it was destroyed just now, so that its last lines are waited for.
        known: its outputs before that, for the names that do not follow from its own.
    """
    from payinfra.deployment.recovery.late_log_groups import LateLogGroups

    names = settings.names
    found = {region: [names.function_log_group, names.access_log_group] for region in settings.regions}
    for one in known.declared.regions if known else ():
        found.setdefault(one.region, []).append(one.log_groups.execution)
    within_s = late_lines_s(settings) if destroyed else 0.0
    return LateLogGroups(aws(settings, endpoints), found).remove(within_s)


def late_lines_s(settings: Settings) -> float:
    """How long an API's last lines may come after it, in real seconds. The embedded AWS says how long."""
    from payinfra.deployment.recovery.late_log_groups import COME_WITHIN_S, PAUSE_S
    from payinfra.local.aws_rules import ACCESS_LOGS

    here = control(settings)
    if here is None:
        return COME_WITHIN_S
    late_s = here.rules()[ACCESS_LOGS.name] / here.status().time_scale
    return late_s + PAUSE_S if late_s else 0.0


def set_protection(settings: Settings, endpoints: Endpoints | None, wanted: bool) -> tuple[str, ...]:
    """Set the deletion protection of the table in each region; the regions where it was otherwise."""
    from payinfra.deployment.deletion_protection import DeletionProtection

    found = aws(settings, endpoints)
    return DeletionProtection(found, settings.names.table, settings.regions).set(wanted)


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


def may_exist(settings: Settings, endpoints: Callable[[], Endpoints | None]) -> bool:
    """Whether an environment that is unknown here may exist in its account, or have a state there.

    Args:
        settings: the environment.
        endpoints: makes sure that its account can be asked; the embedded AWS is started for that.
    """
    if settings.is_local and not server_folder(settings).exists():
        return False  # an embedded AWS that never ran holds nothing
    where = endpoints()
    return bool(
        existing(settings, where)
        or orphaned_keys(settings, where).look()
        or _has_remote_state(settings, where)
    )


def _has_remote_state(settings: Settings, endpoints: Endpoints | None) -> bool:
    """Whether the bucket of the state holds one of the environment; true, too, where it does not say."""
    if settings.state_bucket is None:
        return False
    from botocore.exceptions import BotoCoreError, ClientError

    key = settings.state_key or settings.names.state_key
    client = aws(settings, endpoints).s3(settings.state_region or settings.primary_region)
    try:
        client.head_object(Bucket=settings.state_bucket, Key=key)
    except ClientError as error:
        return not is_absent(error)
    except BotoCoreError:
        return True
    return True


def published(settings: Settings, endpoints: Endpoints | None) -> "Outputs | None":
    """What the environment's deployment has published of itself, in the first region that tells.

    Returns:
        None where neither region tells; that may have any reason.
    """
    from payinfra.clients import published_deployment

    if settings.is_local and running(settings) is None:
        return None
    quick = aws(settings, endpoints).within(connect_timeout=PUBLISHED_S, read_timeout=PUBLISHED_S, attempts=1)
    for region in settings.regions:
        try:
            found = published_deployment.read(quick, settings.env, region, settings.names)
        except EnvironmentUnusable:
            continue
        if found.env == settings.env == found.outputs.environment_suffix:
            return found.outputs
    return None


def left_faults(settings: Settings, outputs: "Outputs", endpoints: Endpoints | None) -> "LeftFaults | None":
    """What drills have left in place, found without a journal; None while the embedded AWS does not run."""
    from payinfra.core.environment_lock import holder
    from payinfra.deployment.left_faults import look

    if settings.is_local and running(settings) is None:
        return None
    shared = settings.is_local and bool(holder(server_folder(settings) / "drill"))
    return look(outputs, aws(settings, endpoints), control(settings), is_shared=shared)


def silent(settings: Settings, endpoints: Endpoints | None) -> tuple[str, ...]:
    """The regions that a whole stack needs and that answer nothing, asked twice."""
    from payinfra.clients.reachability import Reachability
    from payinfra.core.naming import regions_used

    found = aws(settings, endpoints)
    once = Reachability(found, FIRST_LOOK_S).silent(regions_used(settings.regions))
    return Reachability(found, SECOND_LOOK_S).silent(once) if once else ()


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
class SynthesisMode:
    """How the stack is synthesized.

    Attributes:
        eager: import cdktf's bindings the ordinary, slow way; nothing is reused then.
        fresh: build the stack anew, also where nothing that it depends on has changed.
        extend: adds the project's own resources; None for what the settings name.
    """

    eager: bool = False
    fresh: bool = False
    extend: "Extend | None" = None


def account(settings: Settings) -> str:
    """Whose credentials these are; asked first, because Terraform takes long to say that there are none.

    Raises:
        EnvironmentUnusable: they are nobody's, or the shell's variables lead to the embedded AWS, where a
            deployment would show nothing about AWS.
    """
    quick = aws(settings).within(connect_timeout=CONNECT_S, read_timeout=READ_S, attempts=ATTEMPTS)
    return _of_aws(account_through(quick, settings.regions))


def account_through(found: Aws, regions: tuple[str, str]) -> str:
    """Whose credentials these are, asked in the first region, or in the second where that is gone.

    Raises:
        EnvironmentUnusable: they are nobody's, or neither region answers.
    """
    first, second = regions
    try:
        return found.account(first)
    except AwsUnreachable:  # STS is in each region; a refusal would be the same in both
        return found.account(second)


def account_in(settings: Settings, region: str) -> str:
    """Whose credentials these are, asked in one region alone.

    Raises:
        EnvironmentUnusable: as for `account`.
    """
    return _of_aws(aws(settings).account(region))


def _of_aws(found: str) -> str:
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
    started = lifecycle.up(
        folder,
        settings.regions,
        base_port=base_port(os.environ),
        emit=emit,
        https=settings.domain is not None,
    )
    return endpoints_of(started, lifecycle.access_key(folder))


def endpoints_of(here: "LocalEndpoints", key: AccessKey) -> Endpoints:
    """What clients need to know of an embedded AWS that runs."""
    return Endpoints(here.regions, here.global_url, here.dns, key, here.https, here.authority)


def running(settings: Settings) -> Endpoints | None:
    """Where the embedded AWS answers; None where it is down."""
    from payinfra.local import lifecycle

    folder = server_folder(settings)
    found = lifecycle.status(folder)
    if found is None:
        return None
    return endpoints_of(found.endpoints, lifecycle.access_key(folder))


def time_scale(settings: Settings) -> float:
    """By how much the embedded AWS's time runs faster than the real one; 1 where it is down."""
    from payinfra.local import lifecycle

    found = lifecycle.status(server_folder(settings))
    return 1.0 if found is None else found.time_scale


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


def synthesize(settings: Settings, endpoints: Endpoints | None, mode: SynthesisMode) -> Path:
    """Build the stack into the environment's work folder, or find it there as it would be built."""
    from payinfra import stacks
    from payinfra.stacks import cdktf_bindings

    folder = stacks.synthesize(
        settings,
        out=settings.work_dir / "synth",
        endpoints=endpoints,
        handlers=settings.handlers,
        bindings=lambda: cdktf_bindings.prepare(eager=mode.eager),
        record=settings.work_dir / "synthesized",
        fresh=mode.fresh or mode.eager,
        extend=mode.extend,
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

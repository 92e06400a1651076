"""Whether a drill may begin: what is looked at before, and what prevents it."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from payinfra.checks.probes.failures import verdict_for
from payinfra.clients import evacuation_flag
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.outputs import Declared, DeclaredAlarm, DeclaredRegion, Outputs, RegionOutputs
from payinfra.drill.faults.journal import open_journals, restore_command
from payinfra.drill.faults.model import ROUTE53_REGION
from payinfra.drill.faults.scenarios import chosen_faults
from payinfra.drill.model import Doubt, DrillRequest
from payinfra.drill.situation import NO_CONCURRENCY, FailedPrecondition, RegionState, Situation
from payinfra.local import faults
from payinfra.local.control import Control

ATTEMPTS_A_PAYMENT = 2.0
"""How often a payment is sent at most, on average, while a region is lost."""
TAG = "Environment"
"""The tag that names the environment, on everything that can be tagged (`payinfra.core.naming.tags`)."""
_ALARMS_AT_ONCE = 100
"""How many names DescribeAlarms takes."""


# -- looking -----------------------------------------------------------------------------------------------


def gather(outputs: Outputs, aws: Aws, control: Control | None, drills: Path) -> Situation:
    """Look at an environment.

    Args:
        outputs: of the environment.
        aws: where it is.
        control: of the embedded AWS; None on AWS.
        drills: the folder that holds a folder for each of the environment's drills.

    Raises:
        EnvironmentUnusable: something cannot be told, so that a drill must not begin.
    """
    status = None if control is None else control.status()
    account = aws.account(outputs.primary_region)
    try:
        ringing, missing = _alarms(outputs.declared, aws)
        used_today = 0
        if control is None:  # The embedded AWS keeps no account of what keys use, and holds none to a quota.
            used_today = max(_used_today(region, aws) for region in outputs.declared.regions)
        primary, secondary = (_region(one, aws) for one in outputs.regions)
    except (ClientError, BotoCoreError) as error:
        raise EnvironmentUnusable(
            f"What a drill must know before it begins cannot be told: {verdict_for(error).message}.",
            "docs/scenarios.md says what the caller must be allowed; then try again.",
        ) from None
    return Situation(
        account,
        (primary, secondary),
        ringing,
        missing,
        open_journals(drills),
        () if status is None else tuple(faults.describe(one.fault) for one in status.faults),
        {} if status is None else status.time_scale_holds,
        used_today,
        _evacuated(outputs, aws),
    )


def _evacuated(outputs: Outputs, aws: Aws) -> tuple[str, ...]:
    """The regions that a flag of the other one names, if it has not ended by itself."""
    declared = outputs.declared.evacuation
    if declared is None:
        return ()
    flags = (evacuation_flag.read(aws, one.region, declared.parameter) for one in outputs.regions)
    now = datetime.now(UTC)
    return tuple(flag.region for flag in flags if flag is not None and flag.stands(now))


def _alarms(declared: Declared, aws: Aws) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The declared alarms that ring, and those that are not there."""
    by_region = [(one.region, one.alarms) for one in declared.regions]
    by_region.append((declared.health.metrics_region, declared.health.alarms))
    ringing: list[str] = []
    missing: list[str] = []
    for region, alarms in by_region:
        states = _states(region, alarms, aws)
        ringing += (f"{name} in {region}" for name, state in states.items() if state == "ALARM")
        missing += (f"{one.name} in {region}" for one in alarms if one.name not in states)
    return tuple(ringing), tuple(missing)


def _states(region: str, alarms: Sequence[DeclaredAlarm], aws: Aws) -> dict[str, str]:
    found: dict[str, str] = {}
    for first in range(0, len(alarms), _ALARMS_AT_ONCE):
        answer = aws.cloudwatch(region).describe_alarms(
            AlarmNames=[one.name for one in alarms[first : first + _ALARMS_AT_ONCE]],
            AlarmTypes=["MetricAlarm"],
            MaxRecords=_ALARMS_AT_ONCE,
        )
        found |= {one.get("AlarmName", ""): one.get("StateValue", "") for one in answer["MetricAlarms"]}
    return found


def _used_today(region: DeclaredRegion, aws: Aws) -> int:
    """How many requests the environment's API keys have made today, in UTC."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    pages = aws.apigateway(region.region).get_paginator("get_usage")
    usage = pages.paginate(usagePlanId=region.api.usage_plan_id, startDate=today, endDate=today)
    # For each key a list of days, each with what was used and what remains.
    return sum(used for page in usage for days in page.get("items", {}).values() for used, *_ in days)


def _region(region: RegionOutputs, aws: Aws) -> RegionState:
    check = aws.route53(ROUTE53_REGION).get_health_check(HealthCheckId=region.health_check_id)
    config = check["HealthCheck"]["HealthCheckConfig"]
    functions = aws.functions(region.region)
    reserved = functions.get_function_concurrency(FunctionName=region.lambda_function_name)
    return RegionState(
        region.region,
        config.get("Inverted", False),
        config.get("Disabled", False),
        reserved.get("ReservedConcurrentExecutions"),
        _table_env(region, aws),
        functions.list_tags(Resource=region.lambda_function_arn)["Tags"].get(TAG, ""),
    )


def _table_env(region: RegionOutputs, aws: Aws) -> str:
    pages = aws.dynamodb(region.region).get_paginator("list_tags_of_resource")
    for page in pages.paginate(ResourceArn=region.dynamodb_table_arn):
        for tag in page["Tags"]:
            if tag["Key"] == TAG:
                return tag["Value"]
    return ""


# -- judging -----------------------------------------------------------------------------------------------


def failed_preconditions(
    situation: Situation,
    request: DrillRequest,
    outputs: Outputs,
    *,
    target: str,
    predicted_s: float,
    busy: Sequence[Doubt] = (),
) -> tuple[FailedPrecondition, ...]:
    """Why this drill may not begin; empty if it may.

    Args:
        situation: as `gather` found it.
        request: what is asked.
        outputs: of the environment.
        target: `aws` or `local`, for the commands in hints.
        predicted_s: how long the drill should take, in seconds.
        busy: what says that the machine, on which the embedded AWS runs, is too busy.
    """
    env = outputs.environment_suffix
    return (
        *_open_journals(situation, env, target),
        *_elsewhere(situation, outputs, env),
        *_kept_away(situation, env, target),
        *_unwell(situation, env, busy),
        *_of_faults(situation, request),
        *_shared_time(situation, request),
        *_overload(request, outputs.declared, predicted_s, situation.used_today),
    )


def require(found: Sequence[FailedPrecondition]) -> None:
    """Refuse a drill that may not begin.

    Raises:
        GateFailed: something does; the message has all of it.
    """
    if found:
        raise GateFailed(
            f"The drill does not begin. {' '.join(one.what for one in found)}",
            " ".join(dict.fromkeys(one.hint for one in found)),
        )


def _open_journals(situation: Situation, env: str, target: str) -> Iterator[FailedPrecondition]:
    if situation.journals:
        names = ", ".join(path.parent.name for path in situation.journals)
        yield FailedPrecondition(
            f"A drill before may have left something in place: {names}.",
            f"Run `{restore_command(env, target)}`.",
        )


def _kept_away(situation: Situation, env: str, target: str) -> Iterator[FailedPrecondition]:
    """A region is evacuated: its names are moved already."""
    where = " --local" if target == "local" else ""
    for region in situation.evacuated:
        yield FailedPrecondition(
            f"{region} is evacuated: its names lead elsewhere whatever the drill does.",
            f"Return first: `payinfra return {region} --env {env}{where}`.",
        )


def _elsewhere(situation: Situation, outputs: Outputs, env: str) -> Iterator[FailedPrecondition]:
    """The credentials, or what stands there, are another environment's."""
    for state, region in zip(situation.regions, outputs.regions, strict=True):
        for arn in (region.dynamodb_table_arn, region.lambda_function_arn):
            account = arn.split(":")[4]
            if account != situation.account:
                yield FailedPrecondition(
                    f"The credentials are account {situation.account}'s, and {arn} is not.",
                    "Use the credentials of the account that the environment stands in.",
                )
        tags = {region.dynamodb_table_arn: state.table_env, region.lambda_function_arn: state.function_env}
        for arn, found in tags.items():
            if found != env:
                yield FailedPrecondition(
                    f"{arn} has {f'the tag {TAG} {found!r}' if found else f'no tag {TAG}'}, not {env!r}.",
                    "See that these are the outputs of what stands there: deploy the environment again.",
                )


def _unwell(situation: Situation, env: str, busy: Sequence[Doubt]) -> Iterator[FailedPrecondition]:
    """Something fails already. A machine that is busy rings the alarms of the embedded AWS by itself."""
    if situation.ringing:
        yield FailedPrecondition(
            " ".join(
                (
                    f"It would be inconclusive while alarms ring: {', '.join(situation.ringing)}.",
                    *(one.what for one in busy),
                )
            ),
            "Let the machine have less to do, and wait until they are OK."
            if busy
            else "Mend what their descriptions say, and wait until they are OK.",
        )
    if situation.missing:
        yield FailedPrecondition(
            f"Declared alarms are not there: {', '.join(situation.missing)}.", _redeploy(env)
        )
    for state in situation.regions:
        if state.concurrency == NO_CONCURRENCY:
            yield FailedPrecondition(
                f"The function in {state.region} may not run: its reserved concurrency is 0.", _redeploy(env)
            )
        for what, is_so in (("inverted", state.inverted), ("disabled", state.disabled)):
            if is_so:
                yield FailedPrecondition(
                    f"The health check of {state.region} is {what} already.", _redeploy(env)
                )
    if situation.faults:
        yield FailedPrecondition(
            f"The embedded AWS has faults in place: {', '.join(situation.faults)}.",
            "Clear them with `payinfra local fault clear --all`.",
        )


def _of_faults(situation: Situation, request: DrillRequest) -> Iterator[FailedPrecondition]:
    """What each fault asks for by itself."""
    state = situation.lost_region(reverse=request.reverse)
    for fault in chosen_faults(request):
        yield from fault.preconditions(state)


def _shared_time(situation: Situation, request: DrillRequest) -> Iterator[FailedPrecondition]:
    """Another environment's drill makes the time of the same embedded AWS run at another pace."""
    for holder, scale in situation.time_scale_holds.items():
        if scale != request.time_scale:
            yield FailedPrecondition(
                f"The drill {holder} makes this embedded AWS's time run {scale:g} times as fast as real.",
                "Wait until it is done, or put back with `--restore` in its environment what it has left.",
            )


def _redeploy(env: str) -> str:
    return f"Deploy environment {env} again: it was changed outside Terraform."


def _overload(
    request: DrillRequest, declared: Declared, predicted_s: float, used_today: int
) -> Iterator[FailedPrecondition]:
    """The load is more than the API lets through."""
    limits = declared.limits
    rate = request.payments_a_second
    at_most = rate * ATTEMPTS_A_PAYMENT
    if at_most > limits.rate or math.ceil(at_most) > limits.burst:
        most = min(limits.rate, limits.burst) / ATTEMPTS_A_PAYMENT
        yield FailedPrecondition(
            f"{rate:g} payments a second may become {at_most:g} requests, and the API lets "
            f"{limits.rate:g} a second through, {limits.burst} at once.",
            f"Give a --rate of {most:g} or less, or raise the API's limits.",
        )
    whole_drill = math.ceil(at_most * predicted_s)
    left = max(0, limits.daily_quota - used_today)
    if whole_drill > left:
        most = left / predicted_s / ATTEMPTS_A_PAYMENT
        yield FailedPrecondition(
            f"The drill may send {whole_drill} requests in {predicted_s:.0f} s. Of the API key's quota of "
            f"{limits.daily_quota} a day {left} are left.",
            f"Give a --rate of {most:.3g} or less, drill tomorrow, or raise --daily-quota.",
        )

"""Checks of log groups: kept long enough, there before what writes to them, and encrypted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable, Unresolved
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import customer_key
from payinfra.checks.policy.verdict_helpers import pass_unless, region_of, verdict_for_gap

_YEAR = 365


@check(
    id="PI-LOG-001",
    title="Log groups say how long they keep their lines",
    severity=Severity.HIGH,
    on="aws_cloudwatch_log_group",
    risk="Without a limit every line is kept, and billed, for ever; with too short a one evidence is gone.",
    fix="Set retention_in_days, to 365 or more in protected environments, where the logs are evidence.",
    controls=("AWS FSBP CloudWatch.16",),
)
def log_group_has_retention(group: Resource, manifest: Manifest) -> Verdict:
    """Below a year is shown, and does not fail; an ephemeral environment's logs are no evidence."""
    if group.text("log_group_class") == "DELIVERY":
        return Verdict.warn("a log group of the class DELIVERY keeps lines for 2 days, whatever it says")
    match group.number("retention_in_days"):
        case Unreadable() as gap:
            return verdict_for_gap(gap, "it has no retention_in_days: lines are kept for ever")
        case days if days <= 0:
            return Verdict.failed(f"retention_in_days is {days}: lines are kept for ever")
        case days if days < _YEAR and manifest.protected is not False:
            return Verdict.warn(f"lines are kept for {days} days, less than a year")
        case _:
            return Verdict.passed()


@check(
    id="PI-LOG-002",
    title="Every function has a log group that is made before it",
    severity=Severity.HIGH,
    on="aws_lambda_function",
    risk="The function makes a log group itself, unencrypted and kept for ever; Terraform then fails on it.",
    fix="Declare /aws/lambda/<function name> and let the function depend on it.",
)
def function_has_a_log_group(function: Resource, manifest: Manifest) -> Verdict:
    """The group is found by name, or by logging_config."""
    named = function.text("logging_config.log_group")
    if isinstance(named, Missing):
        own = function.text("function_name")
        named = f"/aws/lambda/{own}" if isinstance(own, str) else own
    groups = manifest.once(_groups)
    found = groups.by_name.get((named, function.region)) or _by_reference(function, manifest)
    unclear = named if isinstance(named, Unreadable) else groups.unclear
    if found is None:
        if unclear is not None and not isinstance(unclear, Missing):
            return Verdict.unknown(f"whether it has a log group is not known: {unclear.why}")
        return Verdict.failed(
            f"no log group is named {named}" if isinstance(named, str) else "it has no name"
        )
    if not manifest.comes_before(found, function):
        return Verdict.failed(f"{found.address} is not made before it")
    return Verdict.passed()


def _by_reference(function: Resource, manifest: Manifest) -> Resource | None:
    """The log group that refers to the function's name, or that logging_config refers to."""
    for group in manifest.referents(function, "logging_config"):
        if group.type == "aws_cloudwatch_log_group":
            return group
    return next(iter(manifest.users(function, "aws_cloudwatch_log_group", "name")), None)


@dataclass(frozen=True)
class _Groups:
    """The log groups, by name and region; and why the name of one is not known."""

    by_name: Mapping[tuple[str | Unreadable, str | Unresolved], Resource]
    unclear: Unreadable | None


def _groups(manifest: Manifest) -> _Groups:
    by_name: dict[tuple[str | Unreadable, str | Unresolved], Resource] = {}
    unclear: Unreadable | None = None
    for group in manifest.all("aws_cloudwatch_log_group"):
        name = group.text("name")
        if isinstance(name, str):
            by_name[name, group.region] = group
        elif not isinstance(name, Missing):
            unclear = unclear or name
    return _Groups(by_name, unclear)


@check(
    id="PI-LOG-003",
    title="Log groups are encrypted with a customer key",
    severity=Severity.MEDIUM,
    on="aws_cloudwatch_log_group",
    risk="What payments leave in the logs is readable to whoever may read logs at all.",
    fix="Set kms_key_id to a customer key of the log group's region.",
)
def log_group_is_encrypted(group: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """The key must admit CloudWatch Logs too: PI-KMS-003."""
    return pass_unless(_encryption(group, manifest))


def _encryption(group: Resource, manifest: Manifest) -> Iterator[Verdict]:
    yield from customer_key(group, "kms_key_id", manifest, region=region_of(group), what="the log group")

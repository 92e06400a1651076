"""Checks of the AWS account: network, credentials, permissions, and what an account has once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from payinfra.account.arn_patterns import limits
from payinfra.account.gateway_logs import account_settings
from payinfra.account.permissions import Permission, permissions
from payinfra.account.scope import PermissionScope
from payinfra.clients.aws import Aws
from payinfra.core.errors import PayinfraError
from payinfra.core.settings import Settings, Target
from payinfra.deployment import dependencies
from payinfra.doctor.findings import Prerequisite, why_silent

AWS = (Target.AWS,)
SHOWN = 5
"""The maximum number of refused actions to name."""


@dataclass(frozen=True)
class Account:
    """The account and how it is read; tests pass their own."""

    aws: Aws
    silent: Callable[[str], str] = why_silent
    needed: Sequence[Permission] = ()


def examine(settings: Settings, account: Account | None = None) -> list[Prerequisite]:
    """Check the account, as far as it can be reached and the caller may read it."""
    known = account or Account(
        Aws(role_arn=settings.role_arn, connect_timeout=3.0, read_timeout=5.0, attempts=1),
        needed=permissions(),
    )
    reached = network(settings, known)
    if not reached.good:
        return [reached]
    found, caller = credentials(settings, known)
    if caller is None:
        return [reached, found]
    return [
        reached,
        found,
        may_deploy(settings, known, caller),
        gateway_logs(settings, known),
        *([state_bucket(settings, known)] if settings.state_bucket else []),
    ]


def _embedded_aws(settings: Settings) -> Aws | None:
    endpoints = dependencies.running(settings)
    return None if endpoints is None else dependencies.aws(settings, endpoints)


def embedded(
    settings: Settings, find: Callable[[Settings], Aws | None] = _embedded_aws
) -> list[Prerequisite]:
    """Check the role on the embedded AWS; nothing without a role, or where the embedded AWS is down.

    A caller without a role is root there.
    """
    aws = find(settings)
    if settings.role_arn is None or aws is None:
        return []
    account = Account(aws, needed=permissions())
    found, caller = credentials(settings, account)
    asked = [found] if caller is None else [found, may_deploy(settings, account, caller)]
    return [replace(one, targets=(Target.LOCAL,)) for one in asked]


def network(settings: Settings, account: Account) -> Prerequisite:
    """Check that AWS's endpoints can be reached."""
    hosts = [f"sts.{region}.amazonaws.com" for region in settings.regions]
    silent = {host: why for host in hosts if (why := account.silent(f"https://{host}/"))}
    return Prerequisite(
        "AWS network",
        not silent,
        "; ".join(f"{host} does not answer: {why}" for host, why in silent.items()) or "both regions answer",
        "HTTPS to amazonaws.com",
        "Allow HTTPS to amazonaws.com, or set HTTPS_PROXY.",
        AWS,
    )


@dataclass(frozen=True)
class CallerIdentity:
    """The caller of AWS."""

    account: str
    arn: str


def credentials(settings: Settings, account: Account) -> tuple[Prerequisite, CallerIdentity | None]:
    """Check the credentials, and return the caller; None where there are none that AWS accepts."""
    needed = "credentials that AWS accepts"
    try:
        number = account.aws.account(settings.primary_region)
        arn = account.aws.sts(settings.primary_region).get_caller_identity()["Arn"]
    except PayinfraError as error:
        return Prerequisite("credentials", False, error.what, needed, error.hint, AWS), None
    return Prerequisite("credentials", True, arn, needed, "", AWS), CallerIdentity(number, arn)


def gateway_logs(settings: Settings, account: Account) -> Prerequisite:
    """Check API Gateway's CloudWatch role, which belongs to no environment."""
    needed = "in both regions"
    try:
        found = account_settings(account.aws, settings.regions)
    except PayinfraError as error:
        fix = f"`payinfra bootstrap --aws` creates it. {error.hint}"
        return Prerequisite("API Gateway's CloudWatch role", False, error.what, needed, fix, AWS)
    return Prerequisite("API Gateway's CloudWatch role", True, found, needed, "", AWS)


def state_bucket(settings: Settings, account: Account) -> Prerequisite:
    """Check the bucket of Terraform's state."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = str(settings.state_bucket)
    try:
        client = account.aws.s3(settings.state_region or settings.primary_region)
        client.head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        fix = f"`payinfra bootstrap --aws --state-bucket {bucket}` creates it, once for the account."
        return Prerequisite(
            "state bucket", False, f"{bucket}: {error}", "a bucket that can be read", fix, AWS
        )
    try:
        account.aws.kms(settings.state_region or settings.primary_region).describe_key(
            KeyId=settings.state_kms_key
        )
    except (BotoCoreError, ClientError) as error:
        fix = (
            f"`payinfra bootstrap --aws --state-bucket {bucket}` creates the key; name another one that the "
            "bucket has with --state-kms-key."
        )
        found = f"its key {settings.state_kms_key}: {error}"
        return Prerequisite("state bucket", False, found, "a key that encrypts the state", fix, AWS)
    return Prerequisite("state bucket", True, bucket, "a bucket that can be read", "", AWS)


def may_deploy(settings: Settings, account: Account, caller: CallerIdentity) -> Prerequisite:
    """Check with IAM's simulator that the caller has the permissions of `payinfra ci-role`.

    The simulator sees identity policies and boundaries, not the policies of an organisation (IAM user guide,
    "Testing IAM policies with the IAM policy simulator").
    """
    from botocore.exceptions import BotoCoreError, ClientError

    finding = Prerequisite(
        "permissions", True, "all that a deployment needs", "those of `payinfra ci-role`", "", AWS
    )
    if caller.arn.endswith(":root"):
        return replace(finding, found="the account's root may do everything")
    try:
        who = principal(account.aws, settings.primary_region, caller.arn)
        refused = sorted(set(_refused(account, settings, caller, who)))
    except (BotoCoreError, ClientError) as error:
        return replace(
            finding,
            good=False,
            known=False,
            found=f"unknown: {error}",
            fix="Allow iam:SimulatePrincipalPolicy and iam:GetRole on the caller itself to check this.",
        )
    if not refused:
        return finding
    more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    return replace(
        finding,
        good=False,
        found=f"refused: {', '.join(refused[:SHOWN])}{more}",
        fix="`payinfra ci-role` prints a role that has them.",
    )


def principal(aws: Aws, region: str, arn: str) -> str:
    """The ARN of the caller's user or role. The ARN of a role's session lacks the role's path."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return arn
    return aws.iam(region).get_role(RoleName=rest.partition("/")[0])["Role"]["Arn"]


def _refused(account: Account, settings: Settings, caller: CallerIdentity, who: str) -> Iterable[str]:
    reach = PermissionScope(
        caller.account,
        settings.regions,
        domain=settings.domain,
        hosted_zone_id=settings.hosted_zone_id,
        state_bucket=settings.state_bucket,
        state_region=settings.state_region,
        state_kms_key=settings.state_kms_key,
        boundary=settings.permissions_boundary,
        prefix=settings.name_prefix,
        failover_name=settings.failover_name,
        latency_name=settings.latency_name,
    )
    pages = account.aws.iam(settings.primary_region).get_paginator("simulate_principal_policy")
    for one in account.needed:
        limited = limits(one.target, reach)
        if not limited.resources:
            continue
        asked = pages.paginate(
            PolicySourceArn=who,
            ActionNames=list(one.actions),
            # One is enough: a policy grants the same on every environment that a pattern matches.
            ResourceArns=[limited.resources[0]],
            ContextEntries=_context(limited.conditions, settings.primary_region),
        )
        for page in asked:
            for result in page["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    yield result["EvalActionName"]


def _context(conditions: Mapping[str, Mapping[str, Any]], region: str) -> list[Any]:
    """The context of a deployment's requests: the region, and what the statement's conditions require."""
    entries = [("aws:RequestedRegion", [region], "string")]
    for operator, wanted in conditions.items():
        kind = "stringList" if operator.startswith("ForA") else "string"
        for key, value in wanted.items():
            values = [value] if isinstance(value, str) else list(value)
            entries.append((key, values if kind == "stringList" else values[:1], kind))
    return [
        {"ContextKeyName": key, "ContextKeyValues": values, "ContextKeyType": kind}
        for key, values, kind in entries
    ]

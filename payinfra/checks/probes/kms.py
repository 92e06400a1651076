"""The customer keys of each region."""

from collections.abc import Mapping
from dataclasses import asdict

from payinfra.checks.probes.live_policies import NeededAccess, is_foreign, refused, statements_of, strangers
from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, regional
from payinfra.checks.verdicts import Severity, Verdict, Verdicts

ROTATION_DAYS = 365
"""How often a key rotates, in days: KMS's own default (API reference, EnableKeyRotation)."""
_REDEPLOY = "Deploy again: the key was changed outside Terraform."


def _keys(site: RegionUnderTest) -> Mapping[str, str]:
    """The keys' ARNs by what they protect."""
    return asdict(site.declared.keys)


@regional(
    "LIVE-KMS-001",
    title="Each customer key is enabled",
    severity=Severity.CRITICAL,
    risk="What the key protects cannot be read; a replica without its key leaves the table after 20 hours.",
    fix="Enable the key, or cancel its deletion, at once.",
)
def keys_are_enabled(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """KMS: DescribeKey."""
    client = live.aws.kms(site.region)
    return all_of(
        phrase
        for purpose, arn in _keys(site).items()
        for phrase in differences(
            ((f"{purpose} key", client.describe_key(KeyId=arn)["KeyMetadata"].get("KeyState"), "Enabled"),)
        )
    )


@regional(
    "LIVE-KMS-002",
    title="Each customer key rotates every year",
    severity=Severity.MEDIUM,
    risk="One key encrypts for ever.",
    fix=_REDEPLOY,
)
def keys_rotate(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """KMS: GetKeyRotationStatus."""
    client = live.aws.kms(site.region)
    faults: list[str] = []
    for purpose, arn in _keys(site).items():
        found = client.get_key_rotation_status(KeyId=arn)
        days = found.get("RotationPeriodInDays", ROTATION_DAYS)
        if not found["KeyRotationEnabled"]:
            faults.append(f"the {purpose} key does not rotate")
        elif days > ROTATION_DAYS:
            faults.append(f"the {purpose} key rotates every {days} days only")
    return all_of(faults)


@regional(
    "LIVE-KMS-003",
    title="Each customer key encrypts and decrypts",
    severity=Severity.CRITICAL,
    risk="Nothing that the key protects can be written or read.",
    fix="See the key's state and its policy.",
)
def keys_work(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """KMS: Encrypt, Decrypt."""
    client, text = live.aws.kms(site.region), live.run.encode()
    faults: list[str] = []
    for purpose, arn in _keys(site).items():
        sealed = client.encrypt(KeyId=arn, Plaintext=text)["CiphertextBlob"]
        if client.decrypt(KeyId=arn, CiphertextBlob=sealed)["Plaintext"] != text:
            faults.append(f"the {purpose} key gives back something else")
    return all_of(faults) if faults else Verdict.passed()


@regional(
    "LIVE-KMS-004",
    title="Each customer key lets in who needs it, and no other account",
    severity=Severity.CRITICAL,
    risk="Others read payments; or an alarm reaches nobody, or nothing is logged, without an error anywhere.",
    fix=f"{_REDEPLOY} Revoke grants that nobody declared (`aws kms revoke-grant`).",
)
def keys_let_in_who_needs_them(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """KMS: GetKeyPolicy, ListGrants."""
    client, account = live.aws.kms(site.region), site.outputs.account
    faults: list[str] = []
    for purpose, arn in _keys(site).items():
        statements = statements_of(client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
        grantees = [
            one.get("GranteePrincipal", "")
            for page in client.get_paginator("list_grants").paginate(KeyId=arn)
            for one in page["Grants"]
        ]
        said = (
            *strangers(statements, account, unbound_services=True),
            *refused(statements, _needed(live, site, purpose)),
            *(f"a grant lets {one} in" for one in grantees if is_foreign(one, account)),
        )
        faults += (f"{purpose} key: {phrase}" for phrase in dict.fromkeys(said))
    return all_of(faults)


def _needed(live: ProbeContext, site: RegionUnderTest, purpose: str) -> tuple[NeededAccess, ...]:
    """The use of a key by services for the environment, by its function, and its administration."""
    outputs, names = site.outputs, live.outputs.names
    account, role = outputs.account, site.declared.function.role_arn

    def through(service: str, *actions: str) -> tuple[NeededAccess, ...]:
        context = {
            "kms:viaservice": f"{service}.{site.region}.amazonaws.com",
            "kms:calleraccount": account,
            "aws:principalarn": role,
            "aws:principalaccount": account,
        }
        return tuple(NeededAccess(role, f"kms:{action}", context=context) for action in actions)

    alarm = {
        "aws:sourceaccount": account,
        "aws:sourcearn": outputs.arn("cloudwatch", f"alarm:{names.alarm('x')}"),
    }
    group = {
        "kms:encryptioncontext:aws:logs:arn": outputs.arn("logs", f"log-group:{names.function_log_group}")
    }
    logs = f"logs.{site.region}.amazonaws.com"
    needed = {
        "data": (
            NeededAccess("dynamodb.amazonaws.com", "kms:DescribeKey", context={"aws:sourceaccount": account}),
            *through("dynamodb", "Decrypt"),
        ),
        "audit": (
            NeededAccess("cloudwatch.amazonaws.com", "kms:Decrypt", context=alarm),
            NeededAccess("cloudwatch.amazonaws.com", "kms:GenerateDataKey", context=alarm),
            NeededAccess(logs, "kms:Encrypt", context=group),
            NeededAccess(logs, "kms:GenerateDataKey", context=group),
            *through("s3", "GenerateDataKey"),
            *through("sns", "Decrypt", "GenerateDataKey"),
        ),
        "application": (*through("ssm", "Decrypt"), *through("lambda", "Decrypt")),
    }
    root = f"arn:{outputs.partition}:iam::{account}:root"
    return (NeededAccess(root, "kms:PutKeyPolicy"), *needed[purpose])

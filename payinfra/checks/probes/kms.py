"""The customer keys of each region."""

from collections.abc import Mapping
from dataclasses import asdict

from payinfra.checks.probes.model import ProbeContext, RegionUnderTest, all_of, differences, regional
from payinfra.checks.verdicts import Severity, Verdict, Verdicts

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
    title="Each customer key rotates",
    severity=Severity.MEDIUM,
    risk="One key encrypts for ever.",
    fix=_REDEPLOY,
)
def keys_rotate(live: ProbeContext, site: RegionUnderTest) -> Verdicts:
    """KMS: GetKeyRotationStatus."""
    client = live.aws.kms(site.region)
    return all_of(
        f"the {purpose} key does not rotate"
        for purpose, arn in _keys(site).items()
        if not client.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"]
    )


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

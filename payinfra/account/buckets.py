"""The state bucket: encrypted, versioned, private, and replicated to the other region."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from payinfra.account.changes import Changes
from payinfra.account.policies import ManagedPolicy
from payinfra.account.roles import TAGS, Roles
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import is_absent, is_denied
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.json_text import parse_json
from payinfra.core.naming import HEALTH_METRICS_REGION, STATE_KEY_ALIAS, STATE_REPLICATION_ROLE, state_replica
from payinfra.stacks.iam_documents import Copied, replication, service_trust, tls_only

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

_CLOSED: Any = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_OWNER: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def state_bucket(name: str, regions: tuple[str, str], aws: Aws, account: str, changes: Changes) -> None:
    """Create or update the state bucket, its replica in the other region, and the replication.

    Args:
        name: of the bucket; the replica's ends in `-replica`.
        regions: of the bucket, then of the replica.

    Raises:
        EnvironmentUnusable: another account owns a bucket of that name.
        ClientError: AWS refused something.
    """
    ends = []
    for region, bucket in zip(regions, (name, state_replica(name)), strict=True):
        key = _key(aws.kms(region), region, account, changes)
        one = _Bucket(aws.s3(region), bucket, region, account, changes)
        one.make(key)
        ends.append((one, Copied(f"arn:aws:s3:::{bucket}", key, region)))
    (here, source), (_, destination) = ends
    roles = Roles(aws.iam(regions[0]), account, changes)
    role = roles.role(
        STATE_REPLICATION_ROLE,
        description=f"Copies Terraform's state from {regions[0]} to {regions[1]}",
        # The bucket is not asked for: that S3 names it when it replicates is not documented (S3 user guide,
        # "Setting up permissions for live replication").
        trust=service_trust("s3.amazonaws.com", {"StringEquals": {"aws:SourceAccount": account}}),
    )
    roles.inline(
        STATE_REPLICATION_ROLE, ManagedPolicy(STATE_REPLICATION_ROLE, replication(source, destination))
    )
    here.copied(role, destination)


def _key(kms: "KMSClient", region: str, account: str, changes: Changes) -> str:
    """Create or update a region's key for state and return its ARN, or in a dry run a placeholder."""
    try:
        known = kms.describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"]["Arn"]
    except kms.exceptions.NotFoundException:
        made = changes.make(f"create key {STATE_KEY_ALIAS} in {region}", lambda: _new_key(kms))
        return made or f"arn:aws:kms:{region}:{account}:{STATE_KEY_ALIAS}"
    if not kms.get_key_rotation_status(KeyId=known)["KeyRotationEnabled"]:
        changes.make(
            f"rotate key {STATE_KEY_ALIAS} in {region} every year",
            lambda: kms.enable_key_rotation(KeyId=known),
        )
    return known


def _new_key(kms: "KMSClient") -> str:
    """Create the key. KMS's default key policy delegates to the account's IAM policies."""
    made = kms.create_key(
        Description="payinfra: Terraform's state",
        Tags=[{"TagKey": key, "TagValue": value} for key, value in TAGS.items()],
    )["KeyMetadata"]
    kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=made["KeyId"])
    kms.enable_key_rotation(KeyId=made["KeyId"])
    return made["Arn"]


class _Bucket:
    """One bucket, created and updated one setting at a time."""

    def __init__(self, s3: "S3Client", name: str, region: str, account: str, changes: Changes) -> None:
        self._s3, self._name, self._region, self._changes = s3, name, region, changes
        self._asked: Any = {"Bucket": name, "ExpectedBucketOwner": account}

    def make(self, key: str) -> None:
        """Create or update the bucket with everything except replication."""
        s3 = self._s3
        self._create()
        self._set(
            "keep every version",
            lambda: s3.get_bucket_versioning(**self._asked).get("Status"),
            "Enabled",
            lambda: s3.put_bucket_versioning(**self._asked, VersioningConfiguration={"Status": "Enabled"}),
        )
        encryption: Any = {
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                    "BucketKeyEnabled": True,
                }
            ]
        }
        self._set(
            f"encrypt with {STATE_KEY_ALIAS}",
            lambda: _encryption(s3.get_bucket_encryption(**self._asked)["ServerSideEncryptionConfiguration"]),
            _encryption(encryption),
            lambda: s3.put_bucket_encryption(**self._asked, ServerSideEncryptionConfiguration=encryption),
        )
        self._set(
            "block all public access",
            lambda: s3.get_public_access_block(**self._asked)["PublicAccessBlockConfiguration"],
            _CLOSED,
            lambda: s3.put_public_access_block(**self._asked, PublicAccessBlockConfiguration=_CLOSED),
        )
        self._set(
            "disable ACLs: the bucket owner owns every object",
            lambda: s3.get_bucket_ownership_controls(**self._asked)["OwnershipControls"],
            _OWNER,
            lambda: s3.put_bucket_ownership_controls(**self._asked, OwnershipControls=_OWNER),
        )
        policy = tls_only(f"arn:aws:s3:::{self._name}")
        self._set(
            "refuse requests without TLS",
            lambda: parse_json(s3.get_bucket_policy(**self._asked)["Policy"]),
            parse_json(policy),
            lambda: s3.put_bucket_policy(**self._asked, Policy=policy),
        )

    def copied(self, role: str, destination: Copied) -> None:
        """Create or update the replication of all objects and deletions to another bucket."""
        s3 = self._s3
        wanted: Any = {
            "Role": role,
            "Rules": [
                {
                    "ID": "all",
                    "Priority": 0,
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Enabled"},
                    "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
                    "Destination": {
                        "Bucket": destination.bucket_arn,
                        "EncryptionConfiguration": {"ReplicaKmsKeyID": destination.key_arn},
                    },
                }
            ],
        }
        self._set(
            f"copy to {destination.bucket_arn.rpartition(':')[2]} in {destination.region}",
            lambda: s3.get_bucket_replication(**self._asked)["ReplicationConfiguration"],
            wanted,
            lambda: s3.put_bucket_replication(**self._asked, ReplicationConfiguration=wanted),
        )

    def _create(self) -> None:
        try:
            self._s3.head_bucket(**self._asked)
        except ClientError as error:
            if is_denied(error):
                raise EnvironmentUnusable(
                    f"Bucket {self._name} belongs to another account, or these credentials may not read it.",
                    "Bucket names are shared by all accounts: choose another --state-bucket.",
                ) from None
            if not is_absent(error):
                raise
        else:
            return
        where: Any = (
            {}
            if self._region == HEALTH_METRICS_REGION
            else {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        )
        self._changes.make(
            f"create bucket {self._name} in {self._region}",
            lambda: self._s3.create_bucket(Bucket=self._name, **where),
        )

    def _set(self, what: str, ask: Callable[[], object], wanted: object, put: Callable[[], object]) -> None:
        """Read a setting, and write it where it differs or is missing."""
        try:
            known = ask()
        except ClientError as error:
            if not is_absent(error):
                raise
            known = None
        if known != wanted:
            self._changes.make(f"bucket {self._name}: {what}", put)


def _encryption(configuration: Mapping[str, Any]) -> tuple[object, ...]:
    """The relevant part of a bucket's encryption: AWS adds settings of its own."""
    rule = configuration["Rules"][0]
    default = rule["ApplyServerSideEncryptionByDefault"]
    return default["SSEAlgorithm"], default.get("KMSMasterKeyID"), rule.get("BucketKeyEnabled", False)

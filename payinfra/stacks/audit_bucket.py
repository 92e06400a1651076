"""The audit trail: a bucket in each region, each copied to the other."""

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
    S3BucketLifecycleConfigurationRuleTransition,
)
from cdktf_cdktf_provider_aws.s3_bucket_object_lock_configuration import (
    S3BucketObjectLockConfigurationA,
    S3BucketObjectLockConfigurationRuleA,
    S3BucketObjectLockConfigurationRuleDefaultRetentionA,
)
from cdktf_cdktf_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_replication_configuration import (
    S3BucketReplicationConfigurationA,
    S3BucketReplicationConfigurationRule,
    S3BucketReplicationConfigurationRuleDeleteMarkerReplication,
    S3BucketReplicationConfigurationRuleDestination,
    S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration,
    S3BucketReplicationConfigurationRuleFilter,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteria,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteriaReplicaModifications,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects,
)
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktf_cdktf_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)

from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.iam_documents import Copied, replication, service_trust, tls_only
from payinfra.stacks.region_context import RegionContext

GLACIER_AFTER_DAYS = 30
BROKEN_UPLOADS_DAYS = 7


def expiration_days(retention_days: int) -> int:
    """After how many days an audit object expires: S3 refuses an expiry that is not after the move to
    Glacier, so a shorter retention ends the day after that."""
    return max(retention_days, GLACIER_AFTER_DAYS + 1)


@dataclass(frozen=True)
class AuditBucketProps:
    """A region's audit bucket.

    Attributes:
        key_arn: the region's key for it.
        retention_days: how long an object, and a version that was replaced, is kept at least.
        object_lock_days: how long an object is locked, in governance mode; None for no lock.
    """

    place: RegionContext
    key_arn: str
    retention_days: int
    object_lock_days: int | None


class AuditBucket(StackComponent):
    """The bucket and all that guards it.

    Attributes:
        name, arn: the bucket's.
        key_arn: the key that encrypts it.
        versioning: replication, at either end, waits for this.
    """

    def __init__(self, scope: Scope, id_: str, *, props: AuditBucketProps) -> None:
        super().__init__(scope, id_)
        place = props.place
        provider = place.provider
        bucket = S3Bucket(
            *self.at("bucket"),
            provider=provider,
            bucket=place.names.audit_bucket(place.region, place.account),
            force_destroy=not place.protected,
            object_lock_enabled=props.object_lock_days is not None,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=place.protected),
        )
        self.name, self.arn = bucket.bucket, bucket.arn
        id_of_bucket = bucket.id
        self.key_arn = props.key_arn
        self.versioning = S3BucketVersioningA(
            *self.at("versioning"),
            provider=provider,
            bucket=id_of_bucket,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        S3BucketServerSideEncryptionConfigurationA(
            *self.at("encryption"),
            provider=provider,
            bucket=id_of_bucket,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="aws:kms", kms_master_key_id=props.key_arn
                    ),
                    bucket_key_enabled=True,
                )
            ],
        )
        closed = S3BucketPublicAccessBlock(
            *self.at("public-access"),
            provider=provider,
            bucket=id_of_bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketOwnershipControls(
            *self.at("ownership"),
            provider=provider,
            bucket=id_of_bucket,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
        )
        S3BucketPolicy(
            *self.at("policy"),
            provider=provider,
            bucket=id_of_bucket,
            policy=tls_only(self.arn),
            # S3 answers 409 when both are written at once.
            depends_on=[closed],
        )
        S3BucketLifecycleConfiguration(
            *self.at("lifecycle"),
            provider=provider,
            bucket=id_of_bucket,
            # S3's default keeps objects below 128 KiB, which all audit objects are, out of Glacier.
            transition_default_minimum_object_size="varies_by_storage_class",
            rule=[
                S3BucketLifecycleConfigurationRule(
                    id="audit",
                    status="Enabled",
                    filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                    transition=[
                        S3BucketLifecycleConfigurationRuleTransition(
                            days=GLACIER_AFTER_DAYS, storage_class="GLACIER"
                        )
                    ],
                    expiration=[
                        S3BucketLifecycleConfigurationRuleExpiration(
                            days=expiration_days(props.retention_days)
                        )
                    ],
                    noncurrent_version_expiration=[
                        S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                            noncurrent_days=props.retention_days
                        )
                    ],
                    abort_incomplete_multipart_upload=[
                        S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                            days_after_initiation=BROKEN_UPLOADS_DAYS
                        )
                    ],
                )
            ],
            depends_on=[self.versioning],
        )
        if props.object_lock_days is not None:
            S3BucketObjectLockConfigurationA(
                *self.at("lock"),
                provider=provider,
                bucket=id_of_bucket,
                rule=S3BucketObjectLockConfigurationRuleA(
                    default_retention=S3BucketObjectLockConfigurationRuleDefaultRetentionA(
                        mode="GOVERNANCE", days=props.object_lock_days
                    )
                ),
                depends_on=[self.versioning],
            )


@dataclass(frozen=True)
class ReplicationProps:
    """Copying from one region's audit bucket to the other's."""

    place: RegionContext
    source: AuditBucket
    destination: AuditBucket
    destination_region: str


class Replication(StackComponent):
    """One direction of the copying, with the role that does it.

    Attributes:
        role_arn: the role's.
    """

    def __init__(self, scope: Scope, id_: str, *, props: ReplicationProps) -> None:
        super().__init__(scope, id_)
        place, source, destination = props.place, props.source, props.destination
        role = IamRole(
            *self.at("role"),
            provider=place.provider,
            name=place.names.replication_role(place.region),
            description=f"Copies audit objects from {place.region} to {props.destination_region}",
            permissions_boundary=place.permissions_boundary,
            # That live replication says which bucket it works for, AWS does not document.
            assume_role_policy=service_trust(
                "s3.amazonaws.com", {"StringEquals": {"aws:SourceAccount": place.account}}
            ),
        )
        policy = IamRolePolicy(
            *self.at("policy"),
            provider=place.provider,
            name=place.names.replication_policy,
            role=role.name,
            policy=replication(
                Copied(source.arn, source.key_arn, place.region),
                Copied(destination.arn, destination.key_arn, props.destination_region),
            ),
        )
        S3BucketReplicationConfigurationA(
            *self.at("configuration"),
            provider=place.provider,
            bucket=source.name,
            role=role.arn,
            rule=[
                S3BucketReplicationConfigurationRule(
                    id="all",
                    status="Enabled",
                    priority=0,
                    filter=S3BucketReplicationConfigurationRuleFilter(prefix=""),
                    delete_marker_replication=S3BucketReplicationConfigurationRuleDeleteMarkerReplication(
                        status="Enabled"
                    ),
                    source_selection_criteria=S3BucketReplicationConfigurationRuleSourceSelectionCriteria(
                        replica_modifications=S3BucketReplicationConfigurationRuleSourceSelectionCriteriaReplicaModifications(
                            status="Enabled"
                        ),
                        sse_kms_encrypted_objects=S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects(
                            status="Enabled"
                        ),
                    ),
                    destination=S3BucketReplicationConfigurationRuleDestination(
                        bucket=destination.arn,
                        storage_class="STANDARD",
                        encryption_configuration=S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration(
                            replica_kms_key_id=destination.key_arn
                        ),
                    ),
                )
            ],
            depends_on=[source.versioning, destination.versioning, policy],
        )
        self.role_arn = role.arn

"""The permissions boundary: the maximum permissions of a role of any environment's stack."""

from payinfra.account.changes import Changes
from payinfra.account.policies import ManagedPolicy
from payinfra.account.roles import Roles
from payinfra.clients.aws import Aws
from payinfra.core.naming import BOUNDARY_POLICY, NAME_PREFIX, PROJECT, Names, Parameter
from payinfra.stacks.iam_documents import StatementProps, document


def boundary(account: str, prefix: str = NAME_PREFIX) -> ManagedPolicy:
    """The permissions of the function's and replication roles, on payinfra's resources."""
    names = Names("*", prefix)
    table = f"arn:aws:dynamodb:*:{account}:table/{names.table}"
    bucket = f"arn:aws:s3:::{names.audit_bucket('*', account)}"
    return ManagedPolicy(
        BOUNDARY_POLICY,
        document(
            StatementProps(
                "Tables",
                (
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                    "dynamodb:PutItem",
                    "dynamodb:Query",
                    "dynamodb:UpdateItem",
                ),
                (table, f"{table}/*"),
            ),
            StatementProps("AuditBuckets", ("s3:GetReplicationConfiguration", "s3:ListBucket"), (bucket,)),
            StatementProps(
                "AuditObjects",
                (
                    "s3:GetObjectLegalHold",
                    "s3:GetObjectRetention",
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionTagging",
                    "s3:PutObject",
                    "s3:ReplicateDelete",
                    "s3:ReplicateObject",
                    "s3:ReplicateTags",
                ),
                (f"{bucket}/*",),
            ),
            StatementProps(
                "Parameters",
                ("ssm:GetParameter",),
                tuple(
                    f"arn:aws:ssm:*:{account}:parameter{names.parameter(what)}"
                    for what in (Parameter.CURSORS, Parameter.EVACUATED)
                ),
            ),
            StatementProps(
                "EvacuationFlag",
                ("ssm:PutParameter",),
                (f"arn:aws:ssm:*:{account}:parameter{names.parameter(Parameter.EVACUATED)}",),
            ),
            StatementProps("Topics", ("sns:Publish",), (f"arn:aws:sns:*:{account}:{names.topic}",)),
            StatementProps(
                "Keys",
                ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"),
                (f"arn:aws:kms:*:{account}:key/*",),
                condition={"StringEquals": {"aws:ResourceTag/Project": PROJECT}},
            ),
            StatementProps(
                "Logs",
                ("logs:CreateLogStream", "logs:PutLogEvents"),
                (f"arn:aws:logs:*:{account}:log-group:{names.function_log_group}:*",),
            ),
            # These have no resource type.
            StatementProps(
                "WithoutResource",
                ("dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"),
                ("*",),
            ),
        ),
    )


def boundary_policy(region: str, aws: Aws, account: str, changes: Changes, prefix: str = NAME_PREFIX) -> str:
    """Create or update the boundary and return its ARN.

    Raises:
        ClientError: AWS refused something.
    """
    return Roles(aws.iam(region), account, changes).policy(boundary(account, prefix))

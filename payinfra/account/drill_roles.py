"""What failover drills on AWS need in the account: two service roles and schedule groups."""

from functools import partial

from payinfra.account.changes import Changes
from payinfra.account.policies import ManagedPolicy
from payinfra.account.roles import Roles
from payinfra.clients.aws import Aws
from payinfra.core.naming import (
    DRILL_FIS_ROLE,
    DRILL_SCHEDULE_GROUP,
    DRILL_SCHEDULER_ROLE,
    NAME_PREFIX,
    Names,
)
from payinfra.stacks.iam_documents import StatementProps, document, service_trust


def drill_roles(
    regions: tuple[str, ...], aws: Aws, account: str, changes: Changes, prefix: str = NAME_PREFIX
) -> None:
    """Create or update the role with which FIS pauses replication, and the role of the schedules that take
    back what a drill has done.

    Raises:
        ClientError: AWS refused something.
    """
    roles, names = Roles(aws.iam(regions[0]), account, changes), Names("*", prefix)
    roles.role(
        DRILL_FIS_ROLE,
        description="FIS pauses the replication of payments tables and audit buckets",
        trust=_trust("fis", account, f"arn:aws:fis:*:{account}:experiment/*"),
    )
    roles.inline(DRILL_FIS_ROLE, ManagedPolicy(DRILL_FIS_ROLE, _pauses_replication(account, names)))
    roles.role(
        DRILL_SCHEDULER_ROLE,
        description="Schedules lift what a failover drill has done and nobody took back",
        trust=_trust(
            "scheduler", account, f"arn:aws:scheduler:*:{account}:schedule-group/{DRILL_SCHEDULE_GROUP}"
        ),
    )
    roles.inline(DRILL_SCHEDULER_ROLE, ManagedPolicy(DRILL_SCHEDULER_ROLE, _lifts_limits(account, names)))
    for region in regions:
        scheduler = aws.scheduler(region)
        try:
            scheduler.get_schedule_group(Name=DRILL_SCHEDULE_GROUP)
        except scheduler.exceptions.ResourceNotFoundException:
            create = partial(scheduler.create_schedule_group, Name=DRILL_SCHEDULE_GROUP)
            changes.make(f"create schedule group {DRILL_SCHEDULE_GROUP} in {region}", create)


def _trust(service: str, account: str, source: str) -> str:
    return service_trust(
        f"{service}.amazonaws.com",
        {"StringEquals": {"aws:SourceAccount": account}, "ArnLike": {"aws:SourceArn": source}},
    )


def _pauses_replication(account: str, names: Names) -> str:
    """The permissions of the actions (FIS user guide, "AWS FIS actions reference", DynamoDB and S3)."""
    buckets = (f"arn:aws:s3:::{names.audit_bucket('*', account)}",)
    table = f"arn:aws:dynamodb:*:{account}:table/{names.table}"
    return document(
        StatementProps(
            "PauseReplication",
            (
                "dynamodb:DeleteResourcePolicy",
                "dynamodb:DescribeTable",
                "dynamodb:GetResourcePolicy",
                "dynamodb:PutResourcePolicy",
            ),
            (table, f"{table}/stream/*"),
        ),
        StatementProps("FindTargets", ("s3:ListAllMyBuckets", "tag:GetResources"), ("*",)),
        StatementProps("PauseCopies", ("s3:PauseReplication",), buckets),
        # FIS user guide, "Use condition keys for aws:s3:bucket-pause-replication".
        StatementProps(
            "PauseRules",
            ("s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"),
            buckets,
            condition={"BoolIfExists": {"s3:isReplicationPauseRequest": "true"}},
        ),
    )


def _lifts_limits(account: str, names: Names) -> str:
    return document(
        StatementProps(
            "LiftLimits",
            ("lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"),
            (f"arn:aws:lambda:*:{account}:function:{names.function}",),
        ),
        # Health checks have no names and no account in their ARNs.
        StatementProps(
            "PutHealthChecksBack", ("route53:UpdateHealthCheck",), ("arn:aws:route53:::healthcheck/*",)
        ),
    )

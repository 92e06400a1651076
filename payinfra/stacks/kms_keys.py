"""Customer keys of KMS: one a purpose in each region, each with a policy that names what may use it."""

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from payinfra.core.naming import KeyPurpose
from payinfra.stacks.component import Scope, StackComponent
from payinfra.stacks.iam_documents import StatementProps, document
from payinfra.stacks.region_context import RegionContext

DELETION_WINDOW_DAYS = 30
DELETION_WINDOW_EPHEMERAL_DAYS = 7
"""The shortest that KMS has."""
ROTATION_DAYS = 365

_USE = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")
_ENVELOPE = ("kms:Decrypt", "kms:GenerateDataKey*")


class CustomerKey(StackComponent):
    """A key with its alias.

    Attributes:
        arn, key_id: the key's.
        alias: the alias's name.
    """

    def __init__(
        self,
        scope: Scope,
        id_: str,
        *,
        place: RegionContext,
        purpose: KeyPurpose,
        users: tuple[StatementProps, ...],
    ) -> None:
        super().__init__(scope, id_)
        key = KmsKey(
            *self.at("key"),
            provider=place.provider,
            description=f"{place.names.stack}: {purpose}",
            enable_key_rotation=True,
            rotation_period_in_days=ROTATION_DAYS,
            deletion_window_in_days=DELETION_WINDOW_DAYS
            if place.protected
            else DELETION_WINDOW_EPHEMERAL_DAYS,
            policy=document(_administration(place), *users),
            lifecycle=TerraformResourceLifecycle(prevent_destroy=place.protected),
        )
        alias = KmsAlias(
            *self.at("alias"),
            provider=place.provider,
            name=place.names.key_alias(purpose),
            target_key_id=key.key_id,
        )
        self.arn = key.arn
        self.key_id = key.key_id
        self.alias = alias.name


@dataclass(frozen=True)
class KeysProps:
    """Who uses a region's keys beside the services.

    Attributes:
        function_role: ARN of the function's role.
        replication_roles: ARNs of the roles that copy out of and into the audit bucket.
    """

    place: RegionContext
    function_role: str
    replication_roles: tuple[str, ...]


class RegionKeySet(StackComponent):
    """The three keys of a region, or one key for all purposes if the footprint is lean."""

    def __init__(self, scope: Scope, id_: str, *, props: KeysProps) -> None:
        super().__init__(scope, id_)
        place = props.place
        if place.lean:
            users = (*_data(props), *_audit(props), *_application(props))
            one = CustomerKey(self, "data", place=place, purpose=KeyPurpose.DATA, users=users)
            self.data = self.audit = self.application = one
            return
        self.data = CustomerKey(self, "data", place=place, purpose=KeyPurpose.DATA, users=_data(props))
        self.audit = CustomerKey(self, "audit", place=place, purpose=KeyPurpose.AUDIT, users=_audit(props))
        self.application = CustomerKey(
            self, "application", place=place, purpose=KeyPurpose.APPLICATION, users=_application(props)
        )


def alarm_publishers(place: RegionContext) -> StatementProps:
    """CloudWatch, for alarms that publish to an encrypted topic (SNS developer guide, "Enable
    compatibility between event sources from AWS services and encrypted topics")."""
    return StatementProps(
        "Alarms",
        _ENVELOPE,
        ("*",),
        principal={"Service": "cloudwatch.amazonaws.com"},
        condition={
            "StringEquals": {"aws:SourceAccount": place.account},
            "ArnLike": {"aws:SourceArn": place.arn("cloudwatch", f"alarm:{place.names.alarm('*')}")},
        },
    )


def _administration(place: RegionContext) -> StatementProps:
    """The account itself, without whom a key could become unmanageable for ever (KMS developer guide,
    "Default key policy"). It lets policies of IAM speak; it admits nobody by itself."""
    return StatementProps(
        "Account", ("kms:*",), ("*",), principal={"AWS": f"arn:aws:iam::{place.account}:root"}
    )


def _through(
    place: RegionContext, service: str, sid: str, actions: tuple[str, ...], *roles: str
) -> StatementProps:
    """Roles of this account, while they work through one service of this region."""
    return StatementProps(
        sid,
        actions,
        ("*",),
        principal={"AWS": f"arn:aws:iam::{place.account}:root"},
        condition={
            "StringEquals": {"kms:ViaService": f"{service}.{place.region}.amazonaws.com"},
            # By name in a condition, not as the principal: KMS would refuse a role that is not there yet,
            # and would keep a dead id in the policy after the role was made anew.
            "ArnEquals": {"aws:PrincipalArn": list(roles)},
        },
    )


def _data(props: KeysProps) -> tuple[StatementProps, ...]:
    place = props.place
    return (
        # DynamoDB developer guide, "Usage notes on encryption at rest": the service looks the key up.
        StatementProps(
            "TableLookUp",
            ("kms:DescribeKey", "kms:Get*", "kms:List*"),
            ("*",),
            principal={"Service": "dynamodb.amazonaws.com"},
            condition={"StringEquals": {"aws:SourceAccount": place.account}},
        ),
        # All who make or use the table, replication included, go through DynamoDB.
        StatementProps(
            "Table",
            (*_USE, "kms:CreateGrant"),
            ("*",),
            principal={"AWS": f"arn:aws:iam::{place.account}:root"},
            condition={
                "StringEquals": {
                    "kms:CallerAccount": place.account,
                    "kms:ViaService": f"dynamodb.{place.region}.amazonaws.com",
                }
            },
        ),
        _through(place, "dynamodb", "FunctionThroughTable", ("kms:Decrypt",), props.function_role),
    )


def _audit(props: KeysProps) -> tuple[StatementProps, ...]:
    place, names = props.place, props.place.names
    groups = (
        names.function_log_group,
        names.access_log_group,
        names.execution_log_group("*"),
    )
    return (
        # CloudWatch Logs user guide, "Encrypt log data": the regional principal, and the group's ARN as
        # encryption context.
        StatementProps(
            "Logs",
            _USE,
            ("*",),
            principal={"Service": f"logs.{place.region}.amazonaws.com"},
            condition={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": [
                        place.arn("logs", f"log-group:{group}") for group in groups
                    ]
                }
            },
        ),
        alarm_publishers(place),
        _through(place, "s3", "FunctionThroughBucket", ("kms:GenerateDataKey",), props.function_role),
        # Lambda publishes as the function's role what it gives up of the table's stream (SNS developer guide,
        # "Securing Amazon SNS data with server-side encryption").
        _through(
            place, "sns", "FunctionThroughTopic", ("kms:Decrypt", "kms:GenerateDataKey"), props.function_role
        ),
        _through(
            place,
            "s3",
            "ReplicationThroughBucket",
            ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"),
            *props.replication_roles,
        ),
    )


def _application(props: KeysProps) -> tuple[StatementProps, ...]:
    return (
        _through(props.place, "lambda", "FunctionEnvironment", ("kms:Decrypt",), props.function_role),
        _through(props.place, "ssm", "FunctionParameters", ("kms:Decrypt",), props.function_role),
    )

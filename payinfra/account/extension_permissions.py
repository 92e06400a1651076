"""What the deploy role needs for the resources that a project adds to the stack.

Actions are those that Terraform's AWS provider 5.100 calls, under the names of the service authorization
reference, as in `payinfra.account.permissions`. Names are those that `region.name()` gives: each pattern
begins with the environment's own.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from payinfra.account.arn_patterns import ArnGroup, ArnLimits
from payinfra.account.permissions import RESOURCE_TYPES
from payinfra.account.scope import Conditions, PermissionScope
from payinfra.clients.aws import Endpoints
from payinfra.core.errors import UsageProblem
from payinfra.core.json_text import parse_json
from payinfra.core.settings import Settings
from payinfra.stacks.iam_documents import StatementProps

WITHOUT_CALLS = frozenset({"aws_caller_identity", "aws_iam_policy_document", "aws_partition", "aws_region"})
"""Data sources that need no permission, or one that every caller has."""


@dataclass(frozen=True)
class NamedService:
    """A service that payinfra itself does not use.

    Attributes:
        sid: the statement's id.
        resources: its ARNs, with `{account}` and `{stack}`.
        actions: for each type of resource.
    """

    sid: str
    resources: tuple[str, ...]
    actions: Mapping[str, tuple[str, ...]]


def _of(service: str, *actions: str) -> tuple[str, ...]:
    return tuple(f"{service}:{action}" for action in actions)


_QUEUE_ATTRIBUTES = _of("sqs", "GetQueueAttributes", "SetQueueAttributes")

SERVICES = (
    NamedService(
        "ExtensionQueues",
        ("arn:aws:sqs:*:{account}:{stack}-*",),
        {
            "aws_sqs_queue": (
                *_of("sqs", "CreateQueue", "DeleteQueue", "GetQueueUrl", "ListQueueTags"),
                *_of("sqs", "TagQueue", "UntagQueue"),
                *_QUEUE_ATTRIBUTES,
            ),
            "aws_sqs_queue_policy": _QUEUE_ATTRIBUTES,
            "aws_sqs_queue_redrive_allow_policy": _QUEUE_ATTRIBUTES,
            "aws_sqs_queue_redrive_policy": _QUEUE_ATTRIBUTES,
        },
    ),
    NamedService(
        "ExtensionSecrets",
        ("arn:aws:secretsmanager:*:{account}:secret:{stack}-*",),
        {
            "aws_secretsmanager_secret": (
                *_of("secretsmanager", "CreateSecret", "DeleteResourcePolicy", "DeleteSecret"),
                *_of("secretsmanager", "DescribeSecret", "GetResourcePolicy", "PutResourcePolicy"),
                *_of("secretsmanager", "RemoveRegionsFromReplication", "ReplicateSecretToRegions"),
                *_of("secretsmanager", "TagResource", "UntagResource", "UpdateSecret"),
            ),
            "aws_secretsmanager_secret_version": _of(
                "secretsmanager",
                "DescribeSecret",
                "GetSecretValue",
                "PutSecretValue",
                "UpdateSecretVersionStage",
            ),
        },
    ),
    NamedService(
        "ExtensionRules",
        ("arn:aws:events:*:{account}:rule/{stack}-*",),
        {
            "aws_cloudwatch_event_rule": (
                *_of("events", "DeleteRule", "DescribeRule", "DisableRule", "EnableRule"),
                *_of("events", "ListTagsForResource", "PutRule", "TagResource", "UntagResource"),
            ),
            "aws_cloudwatch_event_target": _of("events", "ListTargetsByRule", "PutTargets", "RemoveTargets"),
        },
    ),
    NamedService(
        "ExtensionStreams",
        ("arn:aws:kinesis:*:{account}:stream/{stack}-*",),
        {
            "aws_kinesis_stream": (
                *_of("kinesis", "AddTagsToStream", "CreateStream", "DecreaseStreamRetentionPeriod"),
                *_of("kinesis", "DeleteStream", "DescribeStream", "DescribeStreamSummary"),
                *_of("kinesis", "DisableEnhancedMonitoring", "EnableEnhancedMonitoring"),
                *_of("kinesis", "IncreaseStreamRetentionPeriod", "ListTagsForStream"),
                *_of("kinesis", "RemoveTagsFromStream", "StartStreamEncryption", "StopStreamEncryption"),
                *_of("kinesis", "UpdateShardCount", "UpdateStreamMode"),
            )
        },
    ),
)

_WIDER: Mapping[ArnGroup, tuple[str, ...]] = {
    ArnGroup.TABLES: (
        "arn:aws:dynamodb:*:{account}:table/{stack}-*",
        "arn:aws:dynamodb:*:{account}:table/{stack}-*/*",
    ),
    ArnGroup.FUNCTIONS: ("arn:aws:lambda:*:{account}:function:{stack}-*",),
    ArnGroup.BUCKETS: ("arn:aws:s3:::{stack}-*",),
    ArnGroup.OBJECTS: ("arn:aws:s3:::{stack}-*/*",),
    ArnGroup.KEY_ALIASES: ("arn:aws:kms:*:{account}:alias/{stack}-*",),
    ArnGroup.LOG_GROUPS: (
        "arn:aws:logs:*:{account}:log-group:/aws/lambda/{stack}-*",
        "arn:aws:logs:*:{account}:log-group:/{stack}/*",
    ),
    ArnGroup.DASHBOARDS: ("arn:aws:cloudwatch::{account}:dashboard/{stack}-*",),
    ArnGroup.TOPICS: ("arn:aws:sns:*:{account}:{stack}-*",),
    ArnGroup.PARAMETERS: ("arn:aws:ssm:*:{account}:parameter/{stack}/*",),
    ArnGroup.ROLES: ("arn:aws:iam::{account}:role/{stack}-*",),
    ArnGroup.ROLES_TO_BOUND: ("arn:aws:iam::{account}:role/{stack}-*",),
    ArnGroup.ROLES_FOR_LAMBDA: ("arn:aws:iam::{account}:role/{stack}-*",),
}
"""The groups whose names are payinfra's own, and what an extension may call what it adds to them.

The others are limited by tags, or not at all: what an extension adds is among them as it is.
"""
_FUNCTION_OF_A_READER = "arn:aws:lambda:*:{account}:function:{stack}-*"
_ACCOUNT = re.compile(r"\$\{data\.aws_caller_identity\.\w+\.account_id\}")


@dataclass(frozen=True)
class DeclaredPermission:
    """What the extension itself says that deploying a type of resource takes."""

    type: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True)
class ExtensionNeeds:
    """What a project adds to the stack, as far as permissions are concerned.

    Attributes:
        types, data: the types of its resources and data sources.
        permissions: what it says itself.
        stack: the name that the environment's names began with.
    """

    types: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    permissions: tuple[DeclaredPermission, ...] = field(default=())
    stack: str = ""

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what a synthesized stack says of its extension; nothing is needed where it has none."""
        found = parse_json(file.read_bytes())["//"].get("payinfra")
        if found is None:
            return cls()
        return cls(
            tuple(found["types"]),
            tuple(found["data"]),
            tuple(
                DeclaredPermission(one["type"], tuple(one["actions"]), tuple(one["resources"]))
                for one in found["permissions"]
            ),
            found["stack"],
        )

    def statements(self, reach: PermissionScope) -> tuple[StatementProps, ...]:
        """The statements of the deploy role for all of it.

        Raises:
            UsageProblem: nobody has said what deploying one of the types takes.
        """
        known = {*RESOURCE_TYPES, *(type_ for one in SERVICES for type_ in one.actions)}
        said = {one.type for one in self.permissions}
        unknown = sorted({*self.types} - known - said)
        unknown += sorted(f"data.{one}" for one in {*self.data} - WITHOUT_CALLS if f"data.{one}" not in said)
        if unknown:
            raise UsageProblem(
                f"payinfra does not know what deploying {', '.join(unknown)} takes.",
                f'Say it in the extension: stack.deploy_permissions("{unknown[0]}", [actions], [resources]).',
            )
        return (*self._of_services(reach), *self._of_own_types(reach), *self._declared(reach))

    def _of_services(self, reach: PermissionScope) -> Iterator[StatementProps]:
        for service in SERVICES:
            actions = {action for type_ in self.types for action in service.actions.get(type_, ())}
            if actions:
                yield StatementProps(service.sid, tuple(sorted(actions)), _filled(service.resources, reach))

    def _of_own_types(self, reach: PermissionScope) -> Iterator[StatementProps]:
        needs = [RESOURCE_TYPES[one] for one in self.types if one in RESOURCE_TYPES]
        for group in ArnGroup:
            actions = tuple(sorted({action for need in needs for action in need.get(group, ())}))
            limits = _wider(group, reach) if actions else None
            if limits:
                yield StatementProps(
                    f"Extension{group.value}", actions, limits.resources, condition=limits.conditions
                )

    def _declared(self, reach: PermissionScope) -> Iterator[StatementProps]:
        for number, one in enumerate(self.permissions, 1):
            resources = (_ACCOUNT.sub(reach.account, text) for text in one.resources)
            # The stack was synthesized for one environment; the role is for all that are in scope.
            named = tuple(text.replace(self.stack, reach.names.stack) for text in resources)
            if left := [text for text in named if "${" in text]:
                raise UsageProblem(
                    f"deploy_permissions({one.type!r}, …): {left[0]} is known only after a deployment.",
                    "Write the ARN with region.arn(service, resource) and region.name(thing).",
                )
            yield StatementProps(f"ExtensionDeclared{number}", one.actions, named)


NOTHING_ADDED = ExtensionNeeds()
"""Of a project without an extension."""


def _filled(patterns: Sequence[str], reach: PermissionScope) -> tuple[str, ...]:
    return tuple(one.format(account=reach.account, stack=reach.names.stack) for one in patterns)


def _wider(group: ArnGroup, reach: PermissionScope) -> ArnLimits | None:
    """The limits of what is added to a group; None for a group that has room for it already."""
    if group is ArnGroup.STREAM_READERS:
        functions = _filled((_FUNCTION_OF_A_READER,), reach)
        return ArnLimits(("*",), {"ArnLike": {"lambda:FunctionArn": functions}})
    if group not in _WIDER:
        return None
    conditions: Conditions = {}
    if group is ArnGroup.ROLES_TO_BOUND and reach.boundary is not None:
        conditions = {"StringEquals": {"iam:PermissionsBoundary": reach.boundary}}
    if group is ArnGroup.ROLES_FOR_LAMBDA:
        conditions = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    return ArnLimits(_filled(_WIDER[group], reach), conditions)


def needs_of(settings: Settings, endpoints: Endpoints | None) -> ExtensionNeeds:
    """What the project that the settings are of adds to the stack: the stack is synthesized to see it.

    Args:
        settings: of any environment of the project's.
        endpoints: where the embedded AWS answers, for a local environment.

    Raises:
        UsageProblem: the function that extends the stack is not there, or raised.
        ToolFailed: synthesis failed.
    """
    if settings.extend is None:
        return NOTHING_ADDED
    from payinfra import stacks
    from payinfra.stacks import cdktf_bindings

    with tempfile.TemporaryDirectory(prefix="payinfra-") as folder:
        made = stacks.synthesize(
            settings,
            out=Path(folder),
            endpoints=endpoints,
            handlers=settings.handlers,
            bindings=cdktf_bindings.prepare,
        )
        return ExtensionNeeds.read(made / "cdk.tf.json")

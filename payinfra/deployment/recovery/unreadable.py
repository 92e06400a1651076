"""What an import leaves out, because AWS does not keep it: arguments that only the provider needs.

After an import the state lacks them, and a plan would update the resource, or make it anew, to have them: an
API would be deployed again, a function's code sent again, and whatever depends on either would follow. They
are written into the state instead, where it is certain that nothing on AWS would differ.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from payinfra.clients.aws import Aws
from payinfra.deployment.recovery.ownership import IDENTITY
from payinfra.terraform.jsonvalue import JsonValue, items, members, text
from payinfra.terraform.planned import Path, PlannedChange

Certain = Callable[[PlannedChange, Aws], bool]


def _always(_change: PlannedChange, _aws: Aws) -> bool:
    return True


def _same_code(change: PlannedChange, _aws: Aws) -> bool:
    """Whether the function runs the code that the stack would send."""
    return text(change.before, "code_sha256") == text(change.after, "source_code_hash") != ""


def _same_contract(change: PlannedChange, _aws: Aws) -> bool:
    """Whether the deployment says that it is of the contract for which the stack would make one."""
    contract = text(change.after, "triggers", "contract")
    return bool(contract) and contract in text(change.before, "description")


def _replicas_bear_tags(change: PlannedChange, aws: Aws) -> bool:
    """Whether the tags of the table are on each replica, as propagating them would have it."""
    wanted = {name: text(change.before, "tags_all", name) for name in IDENTITY}

    def tags(replica: JsonValue) -> Mapping[str, str]:
        client = aws.dynamodb(text(replica, "region_name"))
        pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=text(replica, "arn"))
        return {tag["Key"]: tag["Value"] for page in pages for tag in page.get("Tags", [])}

    return all(wanted.items() <= tags(replica).items() for replica in items(change.before, "replica"))


UNREADABLE: Mapping[str, tuple[frozenset[str], Certain]] = MappingProxyType(
    {
        "aws_api_gateway_deployment": (frozenset({"triggers"}), _same_contract),
        "aws_dynamodb_table": (frozenset({"replica.propagate_tags"}), _replicas_bear_tags),
        "aws_kms_key": (
            frozenset({"bypass_policy_lockout_safety_check", "deletion_window_in_days"}),
            _always,
        ),
        "aws_lambda_function": (frozenset({"filename", "publish", "source_code_hash"}), _same_code),
        "aws_route53_record": (frozenset({"allow_overwrite"}), _always),
        "aws_route53_zone": (frozenset({"force_destroy"}), _always),
        "aws_s3_bucket": (frozenset({"force_destroy"}), _always),
        "aws_sns_topic_subscription": (
            frozenset({"confirmation_timeout_in_minutes", "endpoint_auto_confirms"}),
            _always,
        ),
    }
)
"""By type: the arguments that the provider does not read, dotted, and when the stack's may be taken."""


def filled(change: PlannedChange, aws: Aws) -> Mapping[str, JsonValue]:
    """The attributes to write into the state; none where the resource differs in anything else.

    Raises:
        ClientError, BotoCoreError: AWS does not answer.
    """
    names, certain = UNREADABLE.get(change.type, (frozenset[str](), _always))
    if not all(_dotted(path) in names or _dotted(path[:1]) in names for path in change.differences()):
        return {}
    values = {name: _with(change, name) for name in names}
    missing = {name.partition(".")[0]: value for name, (value, differs) in values.items() if differs}
    return missing if missing and certain(change, aws) else {}


def _with(change: PlannedChange, name: str) -> tuple[JsonValue, bool]:
    """The value that the state should have for an argument, and whether it has another one."""
    top, _, inner = name.partition(".")
    before, after = change.before.get(top), change.after.get(top)
    if not inner:
        return after, before != after
    blocks = [
        {**members(one), inner: members(other).get(inner)}
        for one, other in zip(items(before), items(after), strict=False)
    ]
    return blocks, list(items(before)) != blocks


def _dotted(path: Path) -> str:
    """A place in a resource as its name is documented, without places in lists."""
    return ".".join(part for part in path if isinstance(part, str))

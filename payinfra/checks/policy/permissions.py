"""What policy statements grant, and which policies a role has."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from payinfra.checks.manifest import (
    SPAN,
    Manifest,
    PolicyDocument,
    Principal,
    Resource,
    Statement,
    Unreadable,
    Unresolved,
)
from payinfra.checks.policy.iam_tables import AwsManagedPolicy, managed_policies
from payinfra.checks.policy.policy_conditions import matches
from payinfra.checks.policy.verdict_helpers import nested

_AWS_POLICY = re.compile(r"arn:[\w-]+:iam::aws:policy/(?:[\w-]+/)*(?P<name>[\w+=,.@-]+)")


@lru_cache(maxsize=4096)
def _like(pattern: str) -> re.Pattern[str]:
    parts = (
        ".*" if part == "*" else "." if part == "?" else re.escape(part)
        for part in re.split(r"([*?])", pattern)
    )
    return re.compile("".join(parts), re.DOTALL | re.IGNORECASE)


@lru_cache(maxsize=16_384)
def like(pattern: str, text: str) -> bool:
    """Whether an action's pattern with `*` and `?` fits the whole text, whatever the case."""
    return _like(pattern).fullmatch(text) is not None


def fits(pattern: str, text: str) -> bool:
    """Whether a pattern fits the whole text in its case.

    What is not known of the pattern may be anything, and of the text is one word.
    """
    return matches(SPAN.sub("*", pattern), SPAN.sub("0", text)) is True


def grants(statement: Statement, action: str) -> bool:
    """Whether an Allow statement's actions include this one."""
    if not statement.allows:
        return False
    if statement.not_actions:
        return not any(like(pattern, action) for pattern in statement.not_actions)
    return any(like(pattern, action) for pattern in statement.actions)


def is_everybody(principal: Principal) -> bool:
    """Whether the principal is `*`."""
    return principal.id == "*" or principal.kind == "*"


@dataclass(frozen=True)
class Source:
    """Where one policy of an identity stands.

    Attributes:
        address: the resource whose policy it is.
        policy: the document; a Gap where it cannot be read.
        by_aws: the name of a policy that AWS wrote; empty for one's own.
    """

    address: str
    policy: PolicyDocument | Unreadable
    by_aws: str = ""


def inline_policies(role: Resource) -> Iterator[Source]:
    """The policies inside a role's own block."""
    found = nested(role, "inline_policy")
    if isinstance(found, Unreadable):
        yield Source(role.address, found)
        return
    for block in found:
        if block.body:
            yield Source(role.address, block.policy("policy"))


def listed_policies(
    role: Resource, manifest: Manifest, path: str = "managed_policy_arns"
) -> Iterator[Source]:
    """The managed policies that a block lists, such as a role's own."""
    if not role.has(path):
        return
    arns = role.texts(path)
    if isinstance(arns, Unreadable):
        yield Source(role.address, arns)
        return
    for arn in arns:
        yield _managed(role, path, arn, manifest)


def attached_policy(attachment: Resource, manifest: Manifest, path: str = "policy_arn") -> Source:
    """The policy that an attachment names."""
    arn = attachment.template(path)
    if isinstance(arn, Unreadable):
        return Source(attachment.address, arn)
    return _managed(attachment, path, arn, manifest)


def _managed(block: Resource, path: str, arn: str, manifest: Manifest) -> Source:
    for reference in manifest.references(arn):
        target = manifest.target(reference)
        if target is None or target.type != "aws_iam_policy":
            continue
        if target.kind.startswith("data."):
            return _looked_up(block, path, target)
        return Source(target.address, target.policy("policy"))
    return _by_arn(block, path, arn)


def _by_arn(block: Resource, path: str, arn: str) -> Source:
    by_aws = _AWS_POLICY.fullmatch(SPAN.sub("aws", arn))
    return Source(block.address, Unresolved(path, arn), by_aws["name"] if by_aws else "")


def _looked_up(block: Resource, path: str, data: Resource) -> Source:
    """A policy that a data source looks up, by ARN or by name."""
    arn, name = data.template("arn"), data.text("name")
    if isinstance(arn, str):
        return _by_arn(block, path, arn)
    if isinstance(name, str) and name in managed_policies():
        return Source(block.address, Unresolved(path, name), name)
    return Source(block.address, Unresolved(path, f"the policy of {data.address}"))


ATTACHMENTS = (("aws_iam_role_policy_attachment", "role"), ("aws_iam_policy_attachment", "roles"))


EXCLUSIVE = "aws_iam_role_policy_attachments_exclusive"


def role_policies(role: Resource, manifest: Manifest) -> tuple[Source, ...]:
    """Every policy of a role: inside it, beside it, attached to it; those that only may be its, as Gaps."""
    found = [*inline_policies(role), *listed_policies(role, manifest)]
    beside = manifest.attached(role, "aws_iam_role_policy", by="role")
    found += [Source(one.address, one.policy("policy")) for one in beside.resources]
    found += [Source(one.address, Unresolved("role", one.address)) for one in beside.unclear]
    for kind, by in ATTACHMENTS:
        beside = manifest.attached(role, kind, by=by)
        found += [attached_policy(one, manifest) for one in beside.resources]
        found += [Source(one.address, Unresolved(by, one.address)) for one in beside.unclear]
    for one in manifest.attached(role, EXCLUSIVE, by="role_name").resources:
        found += listed_policies(one, manifest, "policy_arns")
    return tuple(found)


def role_of(function: Resource, manifest: Manifest) -> Resource | Unreadable:
    """The role that a function runs with."""
    for found in manifest.referents(function, "role"):
        if found.kind == "aws_iam_role":
            return found
    text = function.template("role")
    return text if isinstance(text, Unreadable) else Unresolved("role", text)


@dataclass(frozen=True)
class Granted:
    """What a function's role has been given.

    Attributes:
        statements: its Allow statements, each with the address of its policy.
        unclear: why there may be more, in words.
        denying: its Deny statements.
    """

    statements: tuple[tuple[str, Statement], ...]
    unclear: tuple[str, ...]
    denying: tuple[Statement, ...] = ()


def granted(function: Resource, manifest: Manifest) -> Granted | Unreadable:
    """What a function's role allows."""
    role = role_of(function, manifest)
    if isinstance(role, Unreadable):
        return role
    statements: list[tuple[str, Statement]] = []
    unclear: list[str] = []
    denying: list[Statement] = []
    for source in role_policies(role, manifest):
        if source.by_aws:
            known = managed_policies().get(source.by_aws, AwsManagedPolicy(every_resource="?"))
            if known.whole_service:
                whole = Statement(actions=(known.whole_service,), resources=("*",))
                statements.append((source.address, whole))
            elif known.every_resource:
                unclear.append(f"what AWS's own policy {source.by_aws} allows is not compared")
            continue
        if isinstance(source.policy, Unreadable):
            unclear.append(f"{source.address}: {source.policy.why}")
            continue
        statements += [(source.address, one) for one in source.policy.statements if one.allows]
        denying += [one for one in source.policy.statements if not one.allows]
        unclear += [f"{source.address}: {reason}" for reason in source.policy.unclear]
    return Granted(tuple(statements), tuple(unclear), tuple(denying))


def names(text: str, resource: Resource, manifest: Manifest, *paths: str) -> str | None:
    """What follows after a resource's ARN or name in a template; None where the template means another.

    Args:
        text: the template, `${aws_s3_bucket.audit.arn}/*` or `arn:aws:s3:::payment-demo-audit/*`.
        resource: what it may mean.
        manifest: where it stands.
        paths: the properties that hold its name.
    """
    for reference in manifest.references(text):
        if reference.address == resource.address:
            return _tail(text, reference.address)
    for path in paths:
        name = resource.text(path)
        if isinstance(name, str) and name:
            found = re.fullmatch(rf"arn:.*[:/]{re.escape(name)}(?P<rest>(?:[/:].*)?)", text, re.DOTALL)
            if found is not None:
                return found["rest"]
    return None


def _tail(text: str, address: str) -> str:
    """What follows the span that names the address."""
    last = [span for span in SPAN.finditer(text) if address in span[0]]
    return text[last[-1].end() :] if last else ""


def policy_beside(
    resource: Resource, manifest: Manifest, kind: str, by: str
) -> tuple[tuple[str, PolicyDocument | Unreadable], ...]:
    """The policies of a bucket or key: inside it, and in resources of their own."""
    found: list[tuple[str, PolicyDocument | Unreadable]] = []
    if resource.has("policy"):
        found.append((resource.address, resource.policy("policy")))
    beside = manifest.attached(resource, kind, by=by)
    found += [(one.address, one.policy("policy")) for one in beside.resources]
    found += [(one.address, Unresolved(by, one.address)) for one in beside.unclear]
    return tuple(found)


_USERS = (
    ("aws_lambda_function", "role", "lambda.amazonaws.com"),
    ("aws_s3_bucket_replication_configuration", "role", "s3.amazonaws.com"),
)
_OTHER_USERS = (
    ("aws_api_gateway_account", "cloudwatch_role_arn", "apigateway.amazonaws.com"),
    ("aws_api_gateway_integration", "credentials", "apigateway.amazonaws.com"),
    ("aws_backup_selection", "iam_role_arn", "backup.amazonaws.com"),
    ("aws_cloudwatch_event_target", "role_arn", "events.amazonaws.com"),
    ("aws_ecs_task_definition", "execution_role_arn", "ecs-tasks.amazonaws.com"),
    ("aws_ecs_task_definition", "task_role_arn", "ecs-tasks.amazonaws.com"),
    ("aws_pipes_pipe", "role_arn", "pipes.amazonaws.com"),
    ("aws_scheduler_schedule", "target", "scheduler.amazonaws.com"),
    ("aws_sfn_state_machine", "role_arn", "states.amazonaws.com"),
)


def role_uses(role: Resource, manifest: Manifest) -> Iterator[tuple[str, Resource]]:
    """The functions and replications that take a role on, with their service principal."""
    yield from _uses(role, manifest, _USERS)


def role_services(role: Resource, manifest: Manifest) -> Iterator[tuple[str, Resource, str]]:
    """Everything that takes a role on: service principal, resource, and its ARN as far as it is known."""
    for service, user in _uses(role, manifest, (*_USERS, *_OTHER_USERS)):
        yield service, user, _source_arn(user, manifest)


def _uses(
    role: Resource, manifest: Manifest, users: tuple[tuple[str, str, str], ...]
) -> Iterator[tuple[str, Resource]]:
    for kind, by, service in users:
        for resource in manifest.users(role, kind, by):
            yield service, resource


def _source_arn(user: Resource, manifest: Manifest) -> str:
    """What a service sends as `aws:SourceArn`; empty where that is not known."""
    if user.type == "aws_lambda_function":
        name = user.text("function_name")
        if isinstance(name, str) and isinstance(user.region, str):
            return f"arn:aws:lambda:{user.region}:${{account}}:function:{name}"
    for bucket in manifest.referents(user, "bucket"):
        if bucket.type == "aws_s3_bucket":
            name = bucket.text("bucket")
            return f"arn:aws:s3:::{name}" if isinstance(name, str) else f"${{{bucket.address}.arn}}"
    return ""

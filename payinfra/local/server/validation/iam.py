"""What IAM and STS refuse (IAM and STS API references; IAM user guide, "IAM and AWS STS quotas")."""

from typing import Any

from payinfra.local.server.validation.calls import (
    AwsRefusal,
    Rule,
    Rules,
    ServiceCall,
    for_each,
    joined,
    refuse_if,
)
from payinfra.local.server.validation.policies import PolicyKind, refuse_policy, size
from payinfra.local.server.validation.tags import tags_are_possible

MALFORMED, LIMIT, CONFLICT, MISSING = (
    "MalformedPolicyDocument",
    "LimitExceeded",
    "DeleteConflict",
    "NoSuchEntity",
)
TRUST_MOST, ROLE_MOST, USER_MOST, GROUP_MOST, MANAGED_MOST = 2048, 10_240, 2048, 5120, 6144
ATTACHED_MOST = 10
ACCESS_KEYS_MOST = 2
CHAINED_S = 3600
AN_HOUR_S = 3600


def name_is_free(store: str, parameter: str) -> Rule:
    """AWS: names differ by more than their case (IAM user guide, "IAM identifiers": "names are unique within
    the account, and are not distinguished by case")."""

    def rule(call: ServiceCall) -> None:
        name = call.text(parameter)
        taken = any(one.lower() == name.lower() for one in getattr(call.module("iam"), store))
        refuse_if(taken, "EntityAlreadyExists", f"{parameter} with name {name} already exists.", 409)

    return rule


def trust_is_possible(parameter: str) -> Rule:
    """AWS: a trust policy names who assumes the role, no resource, and has 2,048 characters."""

    def rule(call: ServiceCall) -> None:
        document = call.text(parameter)
        refuse_policy(call, document, PolicyKind.TRUST, MALFORMED, ("sts:", "sts*"))
        refuse_if(
            size(document) > TRUST_MOST, LIMIT, f"Cannot exceed quota for ACLSizePerRole: {TRUST_MOST}", 409
        )

    return rule


def inline_is_possible(kind: str, most: int) -> Rule:
    """AWS: the policies within a role, a user or a group have so many characters in all."""

    def rule(call: ServiceCall) -> None:
        document, name = call.text("PolicyDocument"), call.text("PolicyName")
        refuse_policy(call, document, PolicyKind.IDENTITY, MALFORMED)
        others = _inline(call, kind)
        total = size(document) + sum(size(str(text)) for one, text in others.items() if one != name)
        holder = f"{kind.lower()} {call.text(f'{kind}Name')}"
        refuse_if(total > most, LIMIT, f"Maximum policy size of {most} bytes exceeded for {holder}", 409)

    return rule


def _inline(call: ServiceCall, kind: str) -> dict[str, Any]:
    iam, name = call.module("iam"), call.text(f"{kind}Name")
    if kind == "Role":
        return dict((iam._roles.get(name) or {}).get("InlinePolicies") or {})
    store = iam._user_inline_policies if kind == "User" else iam._group_inline_policies
    return dict(store.get(name) or {})


def managed_is_possible(call: ServiceCall) -> None:
    """AWS: a managed policy has 6,144 characters."""
    document = call.text("PolicyDocument")
    refuse_policy(call, document, PolicyKind.IDENTITY, MALFORMED)
    refuse_if(
        size(document) > MANAGED_MOST, LIMIT, f"Cannot exceed quota for PolicySize: {MANAGED_MOST}", 409
    )


def attached_policy_is_there(call: ServiceCall) -> None:
    """AWS: a policy that is attached is there; a role has ten."""
    arn, iam = call.text("PolicyArn"), call.module("iam")
    refuse_if(
        ":iam::aws:policy/" not in arn and arn not in iam._policies,
        MISSING,
        f"Policy {arn} does not exist or is not attachable.",
        404,
    )
    attached = list((iam._roles.get(call.text("RoleName")) or {}).get("AttachedPolicies") or ())
    refuse_if(
        arn not in attached and len(attached) >= ATTACHED_MOST,
        LIMIT,
        f"Cannot exceed quota for PoliciesPerRole: {ATTACHED_MOST}",
        409,
    )


def versions_go_first(call: ServiceCall) -> None:
    """AWS: a policy is deleted after its other versions."""
    found = call.module("iam")._policies.get(call.text("PolicyArn")) or {}
    refuse_if(
        len(found.get("Versions") or ()) > 1,
        CONFLICT,
        "This policy has more than one version. Before you delete a policy, you must delete the policy's "
        "versions.",
        409,
    )


def two_access_keys(call: ServiceCall) -> None:
    """AWS: a user has two access keys at most."""
    user = call.text("UserName")
    keys = [one for one in call.module("iam")._access_keys.values() if one.get("UserName") == user]
    refuse_if(
        bool(user) and len(keys) >= ACCESS_KEYS_MOST,
        LIMIT,
        f"Cannot exceed quota for AccessKeysPerUser: {ACCESS_KEYS_MOST}",
        409,
    )


def provider_speaks_https(call: ServiceCall) -> None:
    """AWS: an OpenID Connect provider's URL begins with https:// (API reference,
    CreateOpenIDConnectProvider)."""
    url = call.text("Url")
    refuse_if(url.startswith("http://"), "InvalidInput", f"Invalid Open ID Connect Provider URL: {url}")


def session_is_possible(call: ServiceCall) -> None:
    """AWS: a session lasts as long as its role allows, and an hour where a session asks for it (STS API
    reference, AssumeRole, DurationSeconds)."""
    wanted = int(call.parameters.get("DurationSeconds") or 0)
    role = call.module("iam")._roles.get(call.text("RoleArn").rpartition("/")[2]) or {}
    most = int(role.get("MaxSessionDuration") or AN_HOUR_S)
    refuse_if(
        bool(role) and wanted > most,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    caller = str(call.emulator.core("iam_evaluator").caller_arn())
    refuse_if(
        ":assumed-role/" in caller and wanted > CHAINED_S,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    document = call.text("Policy")
    if document:
        refuse_policy(call, document, PolicyKind.IDENTITY, MALFORMED)


def tag_names_differ_in_case(call: ServiceCall) -> None:
    """AWS: IAM's tags differ by more than the case of their names (API reference, TagRole, InvalidInput)."""
    names = [str(one.get("Key", "")).lower() for one in call.entries("Tags")]
    if len(set(names)) < len(names):
        raise AwsRefusal(
            "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )


TAGGED = (
    *("CreateOpenIDConnectProvider", "CreatePolicy", "CreateRole", "CreateUser", "TagPolicy", "TagRole"),
    *("TagUser",),
)
RULES: Rules = joined(
    for_each(TAGGED, tags_are_possible("Tags", "InvalidInput", too_many="LimitExceeded")),
    for_each(TAGGED, tag_names_differ_in_case),
    for_each(("CreatePolicy", "CreatePolicyVersion"), managed_is_possible),
    {
        "AttachRolePolicy": (attached_policy_is_there,),
        "CreateAccessKey": (two_access_keys,),
        "CreateOpenIDConnectProvider": (provider_speaks_https,),
        "CreateRole": (trust_is_possible("AssumeRolePolicyDocument"), name_is_free("_roles", "RoleName")),
        "CreateUser": (name_is_free("_users", "UserName"),),
        "DeletePolicy": (versions_go_first,),
        "PutGroupPolicy": (inline_is_possible("Group", GROUP_MOST),),
        "PutRolePolicy": (inline_is_possible("Role", ROLE_MOST),),
        "PutUserPolicy": (inline_is_possible("User", USER_MOST),),
        "UpdateAssumeRolePolicy": (trust_is_possible("PolicyDocument"),),
    },
)
STS_RULES: Rules = {"AssumeRole": (session_is_possible,)}

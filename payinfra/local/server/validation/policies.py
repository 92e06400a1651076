"""Policy documents that AWS does not take (IAM user guide, "Grammar of the IAM JSON policy language")."""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from payinfra.core.json_text import json_or_none
from payinfra.local.server.validation.calls import AwsRefusal, ServiceCall, texts_in


class PolicyKind(Enum):
    """What a policy is attached to, which says what its statements must name."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


VERSIONS = frozenset({"2008-10-17", "2012-10-17"})
ELEMENTS = frozenset(
    {
        *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
        *("Resource", "NotResource", "Condition"),
    }
)
OPERATORS = frozenset(
    {
        *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan"),
        *("NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals"),
        *("DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan"),
        *("DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals"),
        *("ArnLike", "ArnNotEquals", "ArnNotLike", "Null"),
    }
)
"""IAM user guide, "IAM JSON policy elements: Condition operators"."""
PRINCIPALS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_OPERATOR = re.compile(r"(ForAllValues:|ForAnyValue:)?(\w+?)(IfExists)?")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_ARN = re.compile(r"\*|arn:(aws[a-z-]*|\*|\?+)(:.*)?|\$\{.+")
_SERVICE = re.compile(r"[a-z0-9.-]+\.[a-z0-9.-]+")
_ENTITY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(role|user)/(.+)")


def refuse_policy(
    call: ServiceCall, document: str, kind: PolicyKind, code: str, actions: tuple[str, ...] = ()
) -> None:
    """Refuse a call whose policy AWS would not take.

    Args:
        code: how the service calls such a policy.
        actions: what the actions of its statements must begin with, where its service demands that.

    Raises:
        AwsRefusal: the policy is not possible, or names a principal of the account that is not there.
    """
    problem = next(problems(document, kind, actions), "")
    if not problem and kind is not PolicyKind.IDENTITY:
        problem = next(unknown_principals(call, document), "")
    if problem:
        raise AwsRefusal(code, problem)


def statements_in(policy: Any) -> list[Any]:
    """The statements of a policy that was read: one may stand alone; none where it has no list of them."""
    found = policy.get("Statement") if isinstance(policy, dict) else None
    found = [found] if isinstance(found, dict) else found
    return found if isinstance(found, list) else []


def problems(document: str, kind: PolicyKind, actions: tuple[str, ...] = ()) -> Iterator[str]:
    """What is wrong with a policy, in the order in which it is found."""
    policy = json_or_none(document)
    if not isinstance(policy, dict):
        yield "The policy is not in valid JSON format."
        return
    if set(policy) - {"Version", "Id", "Statement"}:
        yield "Syntax errors in policy: it has an element that no policy has."
    if policy.get("Version", "2012-10-17") not in VERSIONS:
        yield "The policy must contain a valid version string."
    statements = statements_in(policy)
    if not statements:
        yield "Syntax errors in policy: it has no statement."
        return
    for one in statements:
        if isinstance(one, dict):
            yield from _of_statement(one, kind, actions)
        else:
            yield "Syntax errors in policy: a statement is no object."
    sids = [one["Sid"] for one in statements if isinstance(one, dict) and one.get("Sid")]
    if kind is PolicyKind.IDENTITY and len(set(sids)) < len(sids):
        yield "Statement IDs (SID) in a single policy must be unique."


def _of_statement(statement: Mapping[str, Any], kind: PolicyKind, actions: tuple[str, ...]) -> Iterator[str]:
    if set(statement) - ELEMENTS:
        yield f"Syntax errors in policy: unknown element {sorted(set(statement) - ELEMENTS)[0]}."
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"Invalid effect: {statement.get('Effect')}"
    if kind is not PolicyKind.RESOURCE and not re.fullmatch("[A-Za-z0-9]*", str(statement.get("Sid", ""))):
        yield "Statement IDs (SID) must be alpha-numeric."
    if ("Action" in statement) == ("NotAction" in statement):
        yield "Policy statement must contain actions."
    acted = list(texts_in(statement.get("Action", statement.get("NotAction"))))
    if not acted:
        yield "Policy statement must contain actions."
    for one in acted:
        if not _ACTION.fullmatch(one):
            yield "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
        elif actions and one != "*" and not one.lower().startswith(actions):
            yield f"Policy has invalid action: {one}"
    yield from _of_resources(statement, kind)
    yield from _of_principals(statement, kind)
    yield from _of_conditions(statement.get("Condition", {}))


def _of_resources(statement: Mapping[str, Any], kind: PolicyKind) -> Iterator[str]:
    named = [name for name in ("Resource", "NotResource") if name in statement]
    if kind is PolicyKind.TRUST:
        if named:
            yield "Has prohibited field Resource"
        return
    if len(named) != 1 or not list(texts_in(statement[named[0]])):
        yield "Policy statement must contain resources."
        return
    for one in texts_in(statement[named[0]]):
        if kind is PolicyKind.IDENTITY and not _ARN.fullmatch(one):
            yield f'Resource {one} must be in ARN format or "*".'


def _of_principals(statement: Mapping[str, Any], kind: PolicyKind) -> Iterator[str]:
    named = [name for name in ("Principal", "NotPrincipal") if name in statement]
    if kind is PolicyKind.IDENTITY:
        if named:
            yield "Policy document should not specify a principal."
        return
    if len(named) != 1:
        yield "Missing required field Principal"
        return
    principal = statement[named[0]]
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal or set(principal) - PRINCIPALS:
        yield f"Invalid principal in policy: {json.dumps(principal)}"
        return
    for one in texts_in(principal.get("Service")):
        if not _SERVICE.fullmatch(one):
            yield f'Invalid principal in policy: "SERVICE":"{one}"'
    for one in texts_in(principal.get("AWS")):
        if one != "*" and ("*" in one or not re.fullmatch(r"\d{12}|arn:.+|A[A-Z0-9]{15,}", one)):
            yield f'Invalid principal in policy: "AWS":"{one}"'


def _of_conditions(conditions: Any) -> Iterator[str]:
    if not isinstance(conditions, dict):
        yield "Syntax errors in policy: Condition is no object."
        return
    for operator, keys in conditions.items():
        found = _OPERATOR.fullmatch(operator)
        if not found or found[2] not in OPERATORS or (found[2], found[3]) == ("Null", "IfExists"):
            yield f"Invalid Condition type : {operator}."
        if not isinstance(keys, dict):
            yield "Syntax errors in policy: a condition has no keys."


def unknown_principals(call: ServiceCall, document: str) -> Iterator[str]:
    """The roles and users of the account that a policy names and that are not there."""
    iam = call.module("iam")
    for statement in statements_in(json_or_none(document)):
        principal = statement.get("Principal", statement.get("NotPrincipal"))
        named = texts_in(principal.get("AWS")) if isinstance(principal, dict) else iter(())
        for one in named:
            found = _ENTITY.fullmatch(one)
            if not found or found[1] != call.account:
                continue
            store = iam._roles if found[2] == "role" else iam._users
            if (store.get(found[3].rpartition("/")[2]) or {}).get("Arn") != one:
                yield f'Invalid principal in policy: "AWS":"{one}"'


def size(document: str) -> int:
    """A policy's size as IAM counts it: without white space (IAM user guide, "IAM and AWS STS quotas")."""
    return len(re.sub(r"\s", "", document))

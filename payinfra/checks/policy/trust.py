"""Who may take a role on, by its trust policy: strangers, any account through a service, any token.

Sources: IAM user guide, "The confused deputy problem", "Create a role for OpenID Connect federation";
GitHub's "Configuring OpenID Connect in Amazon Web Services"; Amazon Cognito's "Role trust and permissions".
"""

import re
from collections.abc import Iterator, Sequence

from payinfra.checks.manifest import Condition, Manifest, PolicyDocument, Principal, Resource, Statement
from payinfra.checks.model import Verdict
from payinfra.checks.policy.permissions import role_services
from payinfra.checks.policy.policy_conditions import AccessRequest, decide, matches, operator_of
from payinfra.checks.policy.policy_exposure import SOURCE_KEYS, CallerKey, exposed, has_wildcard, is_opaque_in

ASSUME = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")

WITH_SOURCE = frozenset(
    {
        "cloudtrail.amazonaws.com",
        "lambda.amazonaws.com",
        "pipes.amazonaws.com",
        "s3.amazonaws.com",
        "scheduler.amazonaws.com",
        "states.amazonaws.com",
    }
)
"""Service principals that send the source's account or ARN when they take a role on (their own guides)."""

_CLAIMS = frozenset(
    {
        "actor_id",
        "email",
        "enterprise_id",
        "job_workflow_ref",
        "namespace_id",
        "namespace_path",
        "organization_number",
        "project-id",
        "project_id",
        "project_path",
        "repository",
        "repository_id",
        "repository_owner",
        "repository_owner_id",
        "sub",
        "user_id",
    }
)
"""The claims of a token that say whose it is. A branch, a workflow or an environment can be named by
anybody."""

_KINDS = frozenset(
    {
        "branch",
        "environment",
        "org",
        "organization",
        "owner",
        "pipeline",
        "project",
        "project_path",
        "ref",
        "ref_type",
        "repo",
        "repository",
        "serviceaccount",
        "system",
        "team",
        "user",
        "workspace",
    }
)
"""Words in a subject that name what follows, not an owner."""

_APPLICATIONS = ("www.amazon.com", "graph.facebook.com")
_COGNITO = "cognito-identity.amazonaws.com"


def trust_problems(policy: PolicyDocument) -> Iterator[Verdict]:
    """Verdicts on whom a trust policy lets in; what cannot be read of it is left to the caller."""
    trusting = [one for one in policy.statements if one.allows and not one.unclear and _assumes(one)]
    for statement in trusting:
        if not statement.principals and not statement.not_principals:
            yield Verdict.failed(f"{_shown(statement)} names no principal")
    # A role is for somebody: what only says where the call comes from does not name whom.
    anybody = exposed(policy.statements, ASSUME, ignoring=SOURCE_KEYS)
    if anybody is not None:
        who = "everybody but a few" if anybody.not_principals else "the principal *"
        yield Verdict.failed(f"{_shown(anybody)} trusts {who}")
    for principal in dict.fromkeys(one for statement in trusting for one in statement.principals):
        if principal.id == "*" or principal.kind == "*":
            if principal.kind not in ("*", "AWS"):
                yield Verdict.failed(f"it trusts the principal * of the kind {principal.kind}")
        elif principal.id.startswith("${var."):
            yield Verdict.unknown(f"it trusts {principal.id}")
        elif principal.kind == "Service":
            yield from _service(principal, policy)
        elif principal.kind == "Federated":
            yield from _federated(principal, policy)


def _shown(statement: Statement) -> str:
    return statement.sid or "a statement"


def _assumes(statement: Statement) -> bool:
    """Whether a statement is about taking the role on, not only about tags or the source identity."""
    if statement.not_actions:
        return True
    return any(matches(one, action, fold=True) is not False for one in statement.actions for action in ASSUME)


def _service(principal: Principal, policy: PolicyDocument) -> Iterator[Verdict]:
    if principal.id in WITH_SOURCE:
        open_to = exposed(policy.statements, ("sts:AssumeRole",), who=principal)
        if open_to is not None:
            yield Verdict.failed(
                f"{_shown(open_to)} trusts {principal.id} for any account: no condition binds the source"
            )


def _federated(principal: Principal, policy: PolicyDocument) -> Iterator[Verdict]:
    statements = [
        one
        for one in policy.statements
        if one.allows and _assumes(one) and any(each == principal for each in one.principals)
    ]
    bare = next((one for one in statements if not one.conditions), None)
    if bare is not None:
        yield Verdict.failed(f"{_shown(bare)} trusts {principal.id} without a condition")
    elif "saml" not in principal.id:
        yield from _tokens(principal, policy, statements)


def _tokens(
    principal: Principal, policy: PolicyDocument, statements: Sequence[Statement]
) -> Iterator[Verdict]:
    """The audience and the subject of the tokens that are taken."""
    conditions = [one for statement in policy.statements for one in statement.conditions]
    variables = {one.variable.lower() for one in conditions}
    claims = _claims_of(principal)
    keys = {
        variable: CallerKey((("stranger",), None), _is_shared_claim)
        for variable in variables
        if variable.rpartition(":")[2] in claims
    }
    open_to = exposed(policy.statements, ASSUME[2:], who=principal, keys=keys)
    if open_to is not None:
        named = any(one.variable.lower() in keys for one in open_to.conditions)
        what = "a condition that fits any" if named else "no condition on the"
        subject = "audience" if claims == frozenset({"aud"}) else "subject"
        yield Verdict.failed(f"{_shown(open_to)} trusts {principal.id} with {what} {subject} of the token")
        return
    for statement in statements:
        never = [
            one
            for one in statement.conditions
            if one.variable.lower() in keys
            and one.test.lower().endswith("stringequals")
            and one.values
            and all(map(has_wildcard, one.values))
        ]
        if never:
            yield Verdict.failed(
                f"{_shown(statement)} fits no token: {never[0].test} knows no wildcard ({never[0].variable})"
            )
    if principal.id == _COGNITO:
        if not any(_keeps_guests_out(one) for one in conditions):
            yield Verdict.warn("it trusts guests of the identity pool too: no condition on amr")
    elif principal.id not in _APPLICATIONS and not any(_binds_audience(one) for one in statements):
        yield Verdict.warn(f"no condition binds the audience of {principal.id}'s tokens")


def _keeps_guests_out(condition: Condition) -> bool:
    """Whether a condition wants people who have signed in (Cognito's `amr`)."""
    operator = operator_of(condition.test)
    return (
        condition.variable.lower().rpartition(":")[2] == "amr"
        and operator is not None
        and not (operator.if_exists or operator.quantifier == "forallvalues")
        and all(operator.matches(value, "unauthenticated") is operator.negated for value in condition.values)
    )


def _claims_of(principal: Principal) -> frozenset[str]:
    """The claims that tell who somebody is, by provider."""
    if principal.id == _COGNITO:
        return frozenset({"aud"})
    if principal.id in _APPLICATIONS:
        return frozenset({"app_id", "user_id"})
    return _CLAIMS


def _binds_audience(statement: Statement) -> bool:
    for one in statement.conditions:
        operator = operator_of(one.test)
        if one.variable.lower().rpartition(":")[2] in ("aud", "oaud", "azp") and operator is not None:
            return not (operator.negated or operator.if_exists) and all(v.strip("*?") for v in one.values)
    return False


def _is_shared_claim(pattern: str) -> bool:
    """Whether a pattern fits the tokens of owners that it does not name.

    The owner is a whole part before the first wildcard: `repo:shop/*` names it, `repo:shop*` does not.
    """
    wildcard = re.search(r"[*?]", pattern)
    if wildcard is None:
        return False
    before = pattern[: wildcard.start()]
    if "@" in pattern[wildcard.start() :]:
        return has_wildcard(pattern.rpartition("@")[2])
    if is_opaque_in(before):
        return False
    whole = re.split(r"[:/]", before)[:-1]
    return not any(part and part not in _KINDS for part in whole)


def unused_services(role: Resource, policy: PolicyDocument, manifest: Manifest) -> Iterator[Verdict]:
    """Verdicts on what uses the role and is not let in."""
    for service, user, arn in role_services(role, manifest):
        request = AccessRequest(
            Principal("Service", service), "sts:AssumeRole", context={"aws:sourcearn": (arn,)} if arn else {}
        )
        decision = decide(policy.statements, request)
        if decision.allowed is False:
            why = (
                f"{_shown(decision.statement)} of its trust denies {service}"
                if decision.statement is not None
                else f"its trust does not name {service}, or its conditions do not fit"
            )
            yield Verdict.failed(f"{user.address} uses it, and {why}")

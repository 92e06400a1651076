"""Whether the policy of a topic, queue or other resource lets strangers in."""

from payinfra.checks.manifest import Manifest, PolicyDocument, Principal, Resource, Statement, Unreadable
from payinfra.checks.model import Verdict
from payinfra.checks.policy.permissions import policy_beside
from payinfra.checks.policy.policy_exposure import exposed
from payinfra.checks.policy.verdict_helpers import pass_unless


def open_policy(
    resource: Resource, manifest: Manifest, beside: tuple[str, str], actions: tuple[str, ...]
) -> tuple[Verdict, ...]:
    """Verdicts on who may do one of the actions.

    Args:
        resource: whose policy it is.
        manifest: where it stands.
        beside: the type of a policy of its own, and its property that names the resource.
        actions: literal ones that nobody else should do.

    A policy whose resource is not in the file is judged by itself; else it is judged with its resource.
    """
    kind, by = beside
    if resource.type == kind:
        if _has_owner(resource, manifest, by):
            return (Verdict.not_applicable("it is judged with what it belongs to"),)
        policies: tuple[tuple[str, PolicyDocument | Unreadable], ...] = (
            (resource.address, resource.policy("policy")),
        )
    else:
        policies = policy_beside(resource, manifest, kind, by)
    if not policies:
        return (Verdict.not_applicable("it has no policy: only its own account is let in"),)
    found: list[Verdict] = []
    statements: list[Statement] = []
    holder: dict[int, str] = {}
    for address, policy in policies:
        if isinstance(policy, Unreadable):
            found.append(Verdict.unknown(f"its policy is not known: {policy.why}", address))
            continue
        found += [Verdict.unknown(reason, address) for reason in policy.unclear]
        for statement in policy.statements:
            statements.append(statement)
            holder[id(statement)] = address
    open_to = exposed(statements, actions)
    if open_to is not None:
        found.append(Verdict.failed(f"{_shown(open_to)} lets anybody in", holder[id(open_to)]))
    services = dict.fromkeys(
        principal.id
        for statement in statements
        if statement.allows
        for principal in statement.principals
        if principal.kind == "Service"
    )
    for service in services:
        through = exposed(statements, actions, who=Principal("Service", service))
        if through is not None and through is not open_to:
            found.append(
                Verdict.failed(
                    f"{_shown(through)} lets {service} in for any account: no condition binds the source",
                    holder[id(through)],
                )
            )
    return pass_unless(dict.fromkeys(found))


def _has_owner(policy: Resource, manifest: Manifest, by: str) -> bool:
    """Whether a policy belongs, or may belong, to a resource of the file."""
    for owner in manifest.all(policy.type.removesuffix("_policy")):
        attached = manifest.attached(owner, policy.type, by=by)
        if policy in (*attached.resources, *attached.unclear):
            return True
    return False


def _shown(statement: Statement) -> str:
    return statement.sid or "a statement"

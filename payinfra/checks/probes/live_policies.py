"""The policies of deployed resources: whom they let in from outside, and whom they must let in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from payinfra.checks.manifest.documents import from_text
from payinfra.checks.manifest.policies import Principal, Statement
from payinfra.checks.manifest.values import Unreadable
from payinfra.checks.policy.policy_conditions import AccessRequest, decide
from payinfra.checks.policy.policy_exposure import exposed
from payinfra.clients.aws_errors import NoData, is_absent

_ARN_PARTS = 6


@dataclass(frozen=True)
class NeededAccess:
    """A call that a policy must let through.

    Attributes:
        who: who calls: a service, such as `cloudwatch.amazonaws.com`, or the ARN of an identity.
        resource: the ARN that is called; empty where the policy belongs to one resource only.
        context: what the call carries, by the names of condition keys in lower case.
    """

    who: str
    action: str
    resource: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def statements_of(policy: str) -> tuple[Statement, ...]:
    """The statements of a policy's text.

    Raises:
        NoData: it, or a part of it, cannot be read.
    """
    document = from_text(policy, "policy")
    if isinstance(document, Unreadable):
        raise NoData(f"the policy cannot be read: {document.why}")
    if document.unclear:
        raise NoData(f"the policy cannot be read: {'; '.join(document.unclear)}")
    return document.statements


def statements_if_any(read: Callable[[], str]) -> tuple[Statement, ...]:
    """The statements of what may have no policy; none where AWS says that there is none.

    Args:
        read: asks AWS for the policy's text.

    Raises:
        ClientError: AWS refuses to say.
        NoData: it, or a part of it, cannot be read.
    """
    try:
        policy = read()
    except ClientError as error:
        if not is_absent(error):
            raise
        return ()
    return statements_of(policy)


def strangers(
    statements: Sequence[Statement], account: str, *, unbound_services: bool = False
) -> Iterator[str]:
    """A phrase for each Allow that lets somebody in who is not of the account.

    Args:
        unbound_services: services need no condition on the account that they call for.
    """
    denying = [one for one in statements if not one.allows]
    for allow in (one for one in statements if one.allows):
        everybody = bool(allow.not_principals)
        for principal in dict.fromkeys(allow.principals):
            if principal.kind == "*" or principal.id == "*":
                everybody = True
            elif principal.kind == "Service":
                if not unbound_services and _is_open([allow, *denying], allow, principal):
                    yield f"{shown(allow)} lets {principal.id} in for any account"
            elif principal.kind != "AWS" or is_foreign(principal.id, account):
                yield f"{shown(allow)} lets {principal.id} in"
        if everybody and _is_open([allow, *denying], allow, None):
            yield f"{shown(allow)} lets anybody in"


def _is_open(statements: Sequence[Statement], allow: Statement, who: Principal | None) -> bool:
    actions = tuple(map(_sample, allow.actions or ("any:Any",)))
    if who is None:
        return exposed(statements, actions) is not None
    return exposed(statements, actions, who=who) is not None


def _sample(pattern: str) -> str:
    """A literal action that a pattern fits."""
    return "any:Any" if pattern == "*" else pattern.replace("*", "Any").replace("?", "a")


def is_foreign(principal: str, account: str) -> bool:
    """Whether a principal, as policies and grants name one, is an identity of another account."""
    parts = principal.split(":", _ARN_PARTS - 1)
    if len(parts) == _ARN_PARTS:
        return parts[4] != account
    # Else a service; or what IAM writes for a user or role that was deleted, which nobody is.
    return principal.isdecimal() and principal != account


def refused(statements: Sequence[Statement], calls: Sequence[NeededAccess]) -> Iterator[str]:
    """A phrase for each needed call that the statements do not certainly let through."""
    for call in calls:
        context = {name: (value,) for name, value in call.context.items()}
        kind = "AWS" if call.who.startswith("arn:") else "Service"
        request = AccessRequest(Principal(kind, call.who), call.action, call.resource, context)
        found = decide(statements, request)
        if found.allowed is None and found.statement is not None:
            yield f"whether {call.who} may {call.action} depends on {shown(found.statement)}"
        elif not found.allowed:
            yield f"{call.who} may not {call.action}"


def shown(statement: Statement) -> str:
    """A statement as a message names it."""
    return statement.sid or f"a statement on {', '.join(statement.actions or statement.not_actions)}"

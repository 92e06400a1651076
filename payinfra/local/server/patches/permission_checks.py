"""What AWS asks a principal's policies, of a call and of a role in whose name a service works."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

from payinfra.local.server.ministack import Emulator

Refusal = Callable[[str, str, "Iterable[PermissionCheck]"], str]
"""Takes a role's ARN, the name of a session of it, and what is asked; see `asks_the_role`."""


@dataclass(frozen=True)
class PermissionCheck:
    """One thing that somebody must be allowed to do.

    Attributes:
        action: as a policy names it.
        resource: the ARN that it is done on.
        region: where the resource is.
        context: the condition keys that it is judged by, with their values.
    """

    action: str
    resource: str
    region: str
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def service(self) -> str:
        """The service whose action it is."""
        return self.action.partition(":")[0]


@dataclass(frozen=True)
class Call:
    """A request, as far as authorization looks at it."""

    service: str
    action: str
    method: str
    path: str
    headers: Mapping[str, str]
    parameters: Mapping[str, Any]
    body: bytes
    region: str
    account: str

    def text(self, name: str) -> str:
        """A parameter that is one text; empty where there is none."""
        value = self.parameters.get(name)
        value = value[0] if isinstance(value, list) and value else value
        return value if isinstance(value, str) else ""

    def first(self, name: str) -> str:
        """The first of a parameter's texts, in either form that AWS's protocols write a list in."""
        return self.text(f"{name}.member.1") or self.text(name)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in the region and account of the call."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def asks_the_role(emulator: Emulator) -> Refusal:
    """AWS: a service that works in a role's name takes the role on, and may do what the role may do (IAM
    user guide, "IAM roles", "AWS service role").

    Returns:
        a function that says, in AWS's words, what the role may not do of all that is asked; nothing if it may
        do all of it.
    """
    evaluator, actions = emulator.core("iam_evaluator"), emulator.core("iam_actions")
    sts = emulator.service("sts")

    def credentials(role: str, session: str, account: str) -> str:
        key = "ASIA" + hashlib.sha256(f"{role} {session}".encode()).hexdigest()[:16].upper()
        if key not in sts._sessions:
            name = role.rpartition("/")[2]
            sts._sessions[key] = {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
                "UserId": f"{name}:{session}",
                "SecretAccessKey": secrets.token_hex(20),
                "SessionToken": secrets.token_hex(20),
            }
        return key

    def refusal(role: str, session: str, asks: Iterable[PermissionCheck]) -> str:
        account = role.split(":")[4]
        evaluator.pin_request_origin("127.0.0.1", True)
        for ask in asks:
            with emulator.scope(account, ask.region):
                key = credentials(role, session, account)
                refused = evaluator.enforce(
                    key, ask.action, ask.service, ask.region, ask.resource, ask.context
                )
            if refused is not None:
                words: str = actions.identity_denial_message(
                    ask.action, refused.principal_arn, ask.resource, refused.decision == "Deny"
                )
                return words
        return ""

    # Not in the context of whatever request is current: that one's caller is somebody else.
    return lambda role, session, asks: Context().run(refusal, role, session, asks)

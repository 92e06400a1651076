"""IAM policy documents, as typed statements that become the JSON of a policy argument."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Condition = Mapping[str, Mapping[str, str | Sequence[str]]]


@dataclass(frozen=True)
class Statement:
    """One statement of a policy.

    Attributes:
        sid: what it is for, in letters and digits.
        actions: what it allows or denies.
        resources: the ARNs that it is about; "*" in a key's policy means that key.
        principal: who, in a policy that is attached to a resource or a role's trust: the kind ("AWS",
            "Service") and its values; "*" for everyone. None in a policy of an identity.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    principal: Mapping[str, str] | str | None = None
    condition: Condition = field(default_factory=dict)
    effect: str = "Allow"

    def render(self) -> dict[str, object]:
        """The statement as IAM writes it."""
        return {
            "Sid": self.sid,
            "Effect": self.effect,
            **({} if self.principal is None else {"Principal": self.principal}),
            "Action": list(self.actions),
            **({"Resource": list(self.resources)} if self.resources else {}),
            **({"Condition": self.condition} if self.condition else {}),
        }


def document(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": [one.render() for one in statements]})


def service_trust(service: str, condition: Condition) -> str:
    """The trust policy of a role that one AWS service takes on, for `condition`'s source only."""
    return document(
        Statement("Assume", ("sts:AssumeRole",), principal={"Service": service}, condition=condition)
    )

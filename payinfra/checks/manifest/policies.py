"""IAM policy documents as typed statements.

Sources: IAM's "Grammar of the IAM JSON policy language" and the AWS provider's page of
`aws_iam_policy_document` (its defaults, `source_policy_documents`, `override_policy_documents`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """One principal. `kind` is `AWS`, `Service`, `Federated`, `CanonicalUser`, or `*` for everybody."""

    kind: str
    id: str


@dataclass(frozen=True)
class Condition:
    """One condition: `test` is the operator (`ArnLike`), `variable` the key, any of `values` fits."""

    test: str
    variable: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """One statement. Texts are templates: locals are replaced, references stay as `${…}`.

    Attributes:
        unclear: what of the statement could not be read, in words, such as "Action is a number, not text";
            a check that meets something here must not pass the statement.
    """

    sid: str = ""
    effect: str = "Allow"
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[Principal, ...] = ()
    not_principals: tuple[Principal, ...] = ()
    conditions: tuple[Condition, ...] = ()
    unclear: tuple[str, ...] = ()

    @property
    def allows(self) -> bool:
        """Whether it is an Allow statement (anything but a literal Deny counts as one)."""
        return self.effect != "Deny"


@dataclass(frozen=True)
class PolicyDocument:
    """A policy document's statements, in order."""

    statements: tuple[Statement, ...]

    @property
    def unclear(self) -> tuple[str, ...]:
        """Everything that could not be read, of all statements."""
        return tuple(reason for statement in self.statements for reason in statement.unclear)

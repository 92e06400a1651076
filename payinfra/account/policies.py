"""A deploy role's permissions as policy documents within IAM's limits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.account.arn_patterns import limits
from payinfra.account.permissions import Permission
from payinfra.account.scope import PermissionScope
from payinfra.core.json_text import parse_json
from payinfra.stacks.iam_documents import StatementProps, document

SIZE_LIMIT = 6144
"""Characters of a managed policy, white space not counted (IAM user guide, "IAM and AWS STS quotas")."""
FULL = SIZE_LIMIT * 95 // 100
"""A policy takes no more statements beyond this: account numbers, regions and names differ in length, and AWS
adds actions to what a resource type needs."""
ATTACHED_LIMIT = 10
"""IAM's default quota of managed policies attached to a role."""


@dataclass(frozen=True)
class ManagedPolicy:
    """A managed policy. `document` is its JSON."""

    name: str
    document: str


def statements(
    reach: PermissionScope, needed: Sequence[Permission], further: Sequence[StatementProps] = ()
) -> tuple[StatementProps, ...]:
    """A statement for each group of resources, a project's own, and one that denies other regions."""
    allowed = (
        StatementProps(one.target.value, one.actions, found.resources, condition=found.conditions)
        for one in needed
        if (found := limits(one.target, reach)).resources
    )
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": reach.all_regions}}
    return (
        *allowed,
        *further,
        StatementProps("OnlyTheseRegions", ("*",), ("*",), condition=elsewhere, effect="Deny"),
    )


def policies(
    name: str,
    reach: PermissionScope,
    needed: Sequence[Permission],
    further: Sequence[StatementProps] = (),
) -> tuple[ManagedPolicy, ...]:
    """Distribute statements over as few policies as possible, named `name`, a hyphen and a number.

    Args:
        further: statements for the resources that a project adds to the stack.

    Raises:
        ValueError: a statement is too long for a policy, or there are too many for one role.
    """
    full: list[list[StatementProps]] = [[]]
    for statement in statements(reach, needed, further):
        if size(document(*full[-1], statement)) > FULL:
            full.append([])
        full[-1].append(statement)
    made = tuple(ManagedPolicy(f"{name}-{number}", document(*each)) for number, each in enumerate(full, 1))
    if len(made) > ATTACHED_LIMIT or any(size(one.document) > FULL for one in made):
        raise ValueError(f"{name} needs more than {ATTACHED_LIMIT} policies of {FULL} characters")
    return made


def size(text: str) -> int:
    """The length of a document as IAM counts it."""
    return len(json.dumps(parse_json(text), separators=(",", ":")))

"""How wide a statement is: whole services, and every resource where an action knows a narrower form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from payinfra.checks.manifest import Condition, Statement
from payinfra.checks.policy.iam_tables import actions_of, arn_forms
from payinfra.checks.policy.policy_conditions import matches, operator_of

_ANY_NAME = "zq7-any-name"
_NARROWING_KEYS = (
    "aws:resourcetag/",
    "aws:resourceaccount",
    "aws:requesttag/",
    "ecs:cluster",
    "ec2:vpc",
    "kms:resourcealiases",
    "s3:resourceaccount",
)
_TAG_OF_A_SERVICE = re.compile(r"[a-z0-9-]+:resourcetag/")
"""Services' own names for tags: `ec2:ResourceTag/Team`, `secretsmanager:ResourceTag/Team`."""
_MOSTLY = 0.9


def whole_services(statement: Statement) -> Iterator[str]:
    """The actions of a statement that are `*` or all of a service, as they are written."""
    for action in statement.actions:
        if action.strip() and not action.partition(":")[2].strip("*?"):
            yield action


@dataclass(frozen=True)
class Breadth:
    """An action that has a narrower form than every resource.

    Attributes:
        action: as it is written.
        partly: whether it is a pattern of which nearly all actions take every resource only.
    """

    action: str
    partly: bool = False


def narrower_actions(statement: Statement) -> Iterator[Breadth]:
    """The actions of a statement that take an ARN, so that they need not have every resource."""
    if statement.not_actions:
        yield Breadth("everything but a few actions")
    for action in statement.actions:
        share = _share_that_takes_an_arn(action.lower())
        if share > 0:
            yield Breadth(action, partly=share <= 1 - _MOSTLY)


@lru_cache(maxsize=4096)
def _share_that_takes_an_arn(action: str) -> float:
    """Of the actions that a pattern means, the part that takes an ARN; 1 where that is not known."""
    service, _, name = action.partition(":")
    known = actions_of(service)
    if known is None or "${" in action:
        return 1.0
    if not ("*" in name or "?" in name):
        return 0.0 if name in known.every_resource else 1.0
    narrow = sum(matches(name, one) is True for one in known.narrow)
    every = sum(matches(name, one) is True for one in known.every_resource)
    return narrow / (narrow + every) if narrow + every else 1.0


@lru_cache(maxsize=4096)
def is_wide(text: str) -> bool:
    """Whether a resource fits things of any name: `*`, `table/*`, `table/*/index/*`, `parameter*`."""
    if not text.strip("*?"):
        return bool(text)
    parts = text.split(":", 5)
    if parts[0] != "arn" or (len(parts) < 6 and not text.endswith("*")):
        return False
    # A `*` at the end reaches beyond colons: `arn:aws:dynamodb:*` is every ARN of the service.
    parts += ["*"] * (6 - len(parts))
    service, region, account, rest = parts[2], parts[3], parts[4], parts[5]
    if not rest.strip("*?/:"):
        return True
    return any(_covers(form, region, account, rest) for form in arn_forms(service))


def _covers(form: str, region: str, account: str, rest: str) -> bool:
    """Whether a pattern fits what has a form, whatever its name is."""
    form_region, form_account, form_rest = form.split(":", 2)
    if bool(form_region) != bool(region) or bool(form_account) != bool(account):
        return False
    if "$" not in form_rest:
        return False
    if matches(rest, form_rest.replace("$", _ANY_NAME)) is True:
        return True
    ours, theirs = _segments(rest), _segments(form_rest)
    for one, two in zip(ours, theirs, strict=False):
        if "$" in two:
            return two == "$" and one != "" and not one.strip("*?") and len(ours) >= len(theirs)
        if one != two:
            return False
    return False


def _segments(text: str) -> list[str]:
    return text.replace(":", "/").split("/")


def narrowing(statement: Statement) -> Condition | None:
    """A condition that limits which resources a statement is about, such as one on their tags."""
    for condition in statement.conditions:
        operator = operator_of(condition.test)
        if (
            operator is not None
            and not (operator.negated or operator.if_exists or operator.quantifier == "forallvalues")
            and _names_resources(condition.variable.lower())
            and condition.values
            and all(value.strip("*?") for value in condition.values)
        ):
            return condition
    return None


def _names_resources(key: str) -> bool:
    return key.startswith(_NARROWING_KEYS) or _TAG_OF_A_SERVICE.match(key) is not None

"""Finds out whether a policy lets a stranger in: somebody of another account, or a service on their behalf.

A stranger is tried out: every key of the conditions that tells callers apart gets the values that a stranger
may carry, absence included, and the policy is asked. Keys that a stranger may choose freely never keep one
out. A `${…}` stands for one value that is not a stranger's.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from payinfra.checks.manifest import Condition, Principal, Statement
from payinfra.checks.policy.policy_conditions import (
    AccessRequest,
    Values,
    applies,
    matches,
    operator_of,
    some,
)

STRANGER = "999999999999"
_PERSON = f"arn:aws:iam::{STRANGER}:role/stranger"
_SPAN = re.compile(r"\$?[$&]\{(?![*?$]\})[^{}]*\}")
_OPAQUE = "\ue010"
_MOST_WORLDS = 1024
_ARN_PARTS = 6

ANYBODY = Principal("AWS", _PERSON)


def has_wildcard(pattern: str) -> bool:
    """Whether `*` or `?` is in a pattern."""
    return re.search(r"[*?]", pattern) is not None


def is_opaque_in(pattern: str) -> bool:
    """Whether a part of a pattern is a `${…}`, as `exposed` shows it to a `CallerKey`."""
    return _OPAQUE in pattern


def _leading_wildcard(pattern: str) -> bool:
    return pattern.startswith(("*", "?"))


def _wild_owner(pattern: str) -> bool:
    """Whether the first part of a path, such as an organization's id, is not all literal."""
    return has_wildcard(pattern.partition("/")[0])


def _wild_host(pattern: str) -> bool:
    """Whether an e-mail address or URL may be on a host of anybody's."""
    host = pattern.rpartition("@")[2] if "@" in pattern else pattern.partition("://")[2].partition("/")[0]
    return not host or has_wildcard(host)


def fits_any_account(pattern: str) -> bool:
    """Whether an ARN's pattern fits one of another account; buckets have no account in theirs."""
    parts = pattern.split(":", _ARN_PARTS - 1)
    if len(parts) < _ARN_PARTS:
        return has_wildcard(pattern)
    return has_wildcard(parts[4]) or (not parts[4] and _leading_wildcard(parts[5]))


@dataclass(frozen=True)
class CallerKey:
    """A condition key that tells callers apart.

    Attributes:
        foreign: what strangers carry under it; None where they carry nothing.
        is_shared: whether a pattern with wildcards fits a value that a stranger can have.
    """

    foreign: tuple[Values, ...]
    is_shared: Callable[[str], bool] = has_wildcard


_ACCOUNT = CallerKey(((STRANGER,), None))
_ORGANIZATION = CallerKey((("o-stranger",), None))
_ORGANIZATION_PATH = CallerKey((("o-stranger/r-stranger/",), None), _wild_owner)
_KEYS: Mapping[str, CallerKey] = {
    "aws:principalaccount": _ACCOUNT,
    "aws:principalarn": CallerKey(((_PERSON,), None), fits_any_account),
    "aws:principalorgid": _ORGANIZATION,
    "aws:principalorgpaths": _ORGANIZATION_PATH,
    "aws:userid": CallerKey((("AROASTRANGERSTRANGER:me",), None), _leading_wildcard),
    "elasticfilesystem:accessedviamounttarget": CallerKey((("false",), None)),
    "kms:calleraccount": CallerKey(((STRANGER,),)),
    "aws:sourceaccount": _ACCOUNT,
    "aws:sourcearn": CallerKey(((f"arn:aws:sns:us-east-1:{STRANGER}:stranger",), None), fits_any_account),
    "aws:sourceowner": _ACCOUNT,
    "aws:sourceorgid": _ORGANIZATION,
    "aws:sourceorgpaths": _ORGANIZATION_PATH,
    "aws:sourceip": CallerKey((("240.0.0.77",), ("9.9.9.9",), ("2abc:ffff::77",)), lambda _: False),
    "aws:sourcevpc": CallerKey((("vpc-stranger",), None)),
    "aws:sourcevpce": CallerKey((("vpce-stranger",), None)),
    "aws:vpceaccount": _ACCOUNT,
    "aws:vpceorgid": _ORGANIZATION,
    "aws:vpcsourceip": CallerKey((None,), lambda _: False),
    "lambda:eventsourcetoken": CallerKey((("stranger",), None)),
    "sns:endpoint": CallerKey((("stranger@stranger.invalid",),), _wild_host),
}
"""IAM user guide, "AWS global condition context keys". `aws:PrincipalTag`, `sts:ExternalId`, `aws:Referer`
and the like are missing: a stranger chooses what is in them."""

SOURCE_KEYS = frozenset(key for key in _KEYS if key.startswith("aws:source"))
"""The keys that name the resource for which a service calls, or of the network."""


def exposed(
    statements: Sequence[Statement],
    actions: Iterable[str],
    *,
    who: Principal = ANYBODY,
    keys: Mapping[str, CallerKey] | None = None,
    ignoring: Collection[str] = (),
) -> Statement | None:
    """The first Allow by which a stranger gets one of the actions; None where none does.

    Args:
        statements: of one policy, or of several that hold together. An Allow of which a part cannot be read
            is left out: whoever asks says that it is not known.
        actions: literal ones, such as `sns:Publish`.
        who: the principal that the stranger comes as.
        keys: more keys that tell callers apart, such as the claims of a token.
        ignoring: keys that tell nobody apart here.
    """
    pairs = [(_opaque(one), one) for one in statements if not (one.allows and one.unclear)]
    account = STRANGER if who.kind == "AWS" else ""
    telling = {key: one for key, one in {**_KEYS, **(keys or {})}.items() if key not in ignoring}
    seen: set[tuple[bool | None, ...]] = set()
    literal = not any("${" in name for one, _ in pairs for name in (*one.actions, *one.not_actions))
    for action in actions:
        plain = AccessRequest(who, action, account=account)
        answers = tuple(applies(one, plain) for one, _ in pairs)
        if literal and answers in seen:  # an action that the same statements are about has the same answer
            continue
        seen.add(answers)
        known = [pair for pair, answer in zip(pairs, answers, strict=True) if answer is not False]
        if not any(one.allows for one, _ in known):
            continue
        for world in _worlds([one for one, _ in known], telling):
            request = replace(plain, context=world)
            denying = [one for one, _ in known if not one.allows and applies(one, request) is True]
            for one, original in known:
                if not one.allows or any(_covers(deny, one) for deny in denying):
                    continue
                if applies(one, request) is not False:
                    return original
    return None


def _covers(deny: Statement, allow: Statement) -> bool:
    """Whether a Deny is about all that an Allow is about. One on `*` is about whatever the policy is of."""
    if deny.not_resources:
        return all(matches(but, one) is False for one in allow.resources for but in deny.not_resources)
    return not deny.resources or all(
        one == "*" or some(matches(denied, one) for denied in deny.resources) is not False
        for one in allow.resources
    )


def _worlds(statements: Sequence[Statement], keys: Mapping[str, CallerKey]) -> Iterator[Mapping[str, Values]]:
    """What a stranger's call may carry: every combination under the keys that the conditions name."""
    patterns: dict[str, list[str]] = {}
    for statement in statements:
        for condition in statement.conditions:
            key = condition.variable.lower()
            if key in keys:
                patterns.setdefault(key, []).extend(_wanted(condition))
    options = {
        key: (
            # What meets a condition comes first: of very many combinations only the first are tried.
            *((_instance(one),) for one in dict.fromkeys(found) if keys[key].is_shared(one)),
            *keys[key].foreign,
        )
        for key, found in patterns.items()
    }
    for chosen in islice(product(*options.values()), _MOST_WORLDS):
        yield dict(zip(options, chosen, strict=True))


def _wanted(condition: Condition) -> tuple[str, ...]:
    """The values that satisfy a condition; none for a negated one, or one that only asks for presence."""
    operator = operator_of(condition.test)
    if operator is None or operator.negated:
        return ()
    return condition.values


def _instance(pattern: str) -> str:
    """A stranger's value that fits a pattern."""
    parts = pattern.split(":", _ARN_PARTS - 1)
    if len(parts) == _ARN_PARTS and has_wildcard(parts[4]):
        parts[4] = STRANGER
        pattern = ":".join(parts)
    return pattern.replace("*", STRANGER if pattern == "*" else "stranger").replace("?", "9")


def _opaque(statement: Statement) -> Statement:
    """A statement in which every `${…}` is one sign that no stranger's value holds."""

    def texts(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_SPAN.sub(_OPAQUE, value) for value in values)

    def people(principals: tuple[Principal, ...]) -> tuple[Principal, ...]:
        return tuple(Principal(one.kind, _SPAN.sub(_OPAQUE, one.id)) for one in principals)

    return replace(
        statement,
        principals=people(statement.principals),
        not_principals=people(statement.not_principals),
        conditions=tuple(replace(one, values=texts(one.values)) for one in statement.conditions),
    )

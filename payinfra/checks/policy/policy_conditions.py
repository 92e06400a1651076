"""Evaluates IAM policy statements against one request: patterns, conditions, Allow and Deny together.

Pure functions with three answers: True, False, and None where the text holds a `${…}` that only Terraform
knows, or where the request may or may not carry a key.

Sources: IAM user guide, "IAM JSON policy elements: Condition operators", "Condition with multiple context
keys or values", "Set operators for multivalued context keys", "Policy evaluation logic".
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial

from payinfra.checks.manifest import Condition, Principal, Statement

Truth = bool | None
Values = tuple[str, ...] | None
"""What a request carries under a key; None where it surely carries nothing."""

_SPAN = re.compile(r"[$&]\{[^{}]*\}")
_LITERAL_SIGN = re.compile(r"\$?[$&]\{([*?$])\}")
_SAMPLES = ("zq7", "0123456789")
"""Values that an unknown part may have: a pattern that fits both has a wildcard there."""
_SEPARATOR = re.compile(r":(?![^{}]*\})")
_ARN_PARTS = 6
_ROOT = re.compile(r"arn:[^:]*:iam::(?P<account>[^:]*):root")
_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class AccessRequest:
    """One call that a policy lets through or not.

    Attributes:
        principal: who calls; an account's own identity has the kind AWS and any ARN.
        action: `kms:Decrypt`.
        resource: the ARN that is called; empty where the policy belongs to one resource only.
        context: by the keys in lower case, what the call carries. A key that is not listed may be there or
            not: conditions on it are not known.
        account: the account of a caller with the kind AWS; empty for the account that the policy is in.
    """

    principal: Principal
    action: str
    resource: str = ""
    context: Mapping[str, Values] = field(default_factory=dict)
    account: str = ""


@dataclass(frozen=True)
class Decision:
    """What a policy says to a request, and which statement decided.

    Attributes:
        allowed: None where that cannot be known here.
        statement: the Deny that forbids, or the Allow that lets in; None where nothing speaks of it.
    """

    allowed: Truth
    statement: Statement | None = None


def decide(statements: Iterable[Statement], request: AccessRequest) -> Decision:
    """Whether the statements together allow a request: a Deny wins over every Allow."""
    unknown: Statement | None = None
    allowing: Statement | None = None
    for statement in statements:
        holds = applies(statement, request)
        if holds is False:
            continue
        if holds is None:
            unknown = unknown or statement
        elif not statement.allows:
            return Decision(False, statement)
        else:
            allowing = allowing or statement
    if unknown is not None and (allowing is None or not unknown.allows):
        return Decision(None, unknown)
    return Decision(allowing is not None, allowing)


def applies(statement: Statement, request: AccessRequest) -> Truth:
    """Whether a statement covers a request: principal, action, resource and all conditions."""
    truths = [
        _principal(statement, request),
        _action(statement, request.action),
        _resource(statement, request.resource),
    ]
    if statement.unclear:
        truths.append(None)
    truths += [holds(condition, request) for condition in statement.conditions]
    return every(truths)


def every(truths: Iterable[Truth]) -> Truth:
    """True where all are, False where one is, None otherwise."""
    found: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def some(truths: Iterable[Truth]) -> Truth:
    """True where one is, False where none may be, None otherwise."""
    found: Truth = False
    for truth in truths:
        if truth is True:
            return True
        if truth is None:
            found = None
    return found


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _principal(statement: Statement, request: AccessRequest) -> Truth:
    if statement.not_principals:
        return _not(some(_is_principal(one, request) for one in statement.not_principals))
    if not statement.principals:
        # The policy of an identity has none: its principal is the identity.
        return True
    return some(_is_principal(one, request) for one in statement.principals)


def _is_principal(named: Principal, request: AccessRequest) -> Truth:
    who = request.principal
    if named.kind == "*" or (named.id == "*" and named.kind in ("AWS", who.kind)):
        return True
    if named.kind != who.kind:
        return False
    if named.kind == "AWS":
        root = _ROOT.fullmatch(named.id)
        account = root["account"] if root else named.id if _ACCOUNT.fullmatch(named.id) else None
        if account is not None:
            return account == request.account or not request.account
        if request.account:
            return some((named.id == who.id, matches(named.id, who.id))) if "*" in named.id else False
    if named.kind == "Service":
        return _equal(named.id.lower(), who.id.lower())
    return _equal(named.id, who.id)


def _action(statement: Statement, action: str) -> Truth:
    if not (statement.actions or statement.not_actions):
        return None
    if statement.not_actions:
        return _not(some(matches(one, action, fold=True) for one in statement.not_actions))
    return some(matches(one, action, fold=True) for one in statement.actions)


def _resource(statement: Statement, resource: str) -> Truth:
    if not resource:
        return True
    if statement.not_resources:
        return _not(some(matches(one, resource) for one in statement.not_resources))
    if not statement.resources:
        # A trust policy names no resource: it covers its role.
        return True
    return some(matches(one, resource) for one in statement.resources)


@lru_cache(maxsize=8192)
def _pattern(text: str, wild: bool, fold: bool) -> tuple[re.Pattern[str], bool]:
    """A pattern as a regular expression, and whether all of it is known."""
    parts: list[str] = []
    known = True
    position = 0
    for match in re.finditer(r"\$?[$&]\{[^{}]*\}|[*?]", text):
        parts.append(re.escape(text[position : match.start()]))
        sign, literal = match[0], _LITERAL_SIGN.fullmatch(match[0])
        if literal is not None:
            parts.append(re.escape(literal[1]))
        elif sign in ("*", "?"):
            parts.append({"*": ".*", "?": "."}[sign] if wild else re.escape(sign))
        else:
            known = False
            parts.append(".*")
        position = match.end()
    parts.append(re.escape(text[position:]))
    flags = re.DOTALL | (re.IGNORECASE if fold else 0)
    return re.compile("".join(parts), flags), known


def matches(pattern: str, text: str, *, wild: bool = True, fold: bool = False) -> Truth:
    """Whether a pattern fits the whole text; None where one of the two is not all known.

    Args:
        pattern: with `*` and `?` where `wild`, and `${…}` for what is not known.
        text: what the request carries.
        wild: whether the operator knows wildcards.
        fold: whether upper and lower case are the same.
    """
    if pattern == text:
        return True
    expression, known = _pattern(pattern, wild, fold)
    if "${" in text:
        if known and all(expression.fullmatch(_SPAN.sub(sample, text)) for sample in _SAMPLES):
            return True
        ours, theirs = _head(pattern, wild=wild), _head(text, wild=False)
        if fold:
            ours, theirs = ours.lower(), theirs.lower()
        shared = min(len(ours), len(theirs))
        return None if ours[:shared] == theirs[:shared] else False
    if expression.fullmatch(text) is None:
        return False
    return True if known else None


def _head(text: str, *, wild: bool) -> str:
    """What a text begins with, as far as it is known."""
    return re.split(r"\$?[$&]\{|[*?]" if wild else r"\$?[$&]\{", text, maxsplit=1)[0]


def _equal(wanted: str, text: str) -> Truth:
    return matches(wanted, text, wild=False)


def _arn(pattern: str, text: str) -> Truth:
    """ARNs are compared part by part: a wildcard in one part does not reach into the next."""
    ours, theirs = _arn_parts(pattern), _arn_parts(text)
    if len(ours) < _ARN_PARTS or len(theirs) < _ARN_PARTS:
        # What is no ARN, such as `*` alone or one expression, is compared as a whole.
        return matches(pattern, text) if _SPAN.search(pattern + text) or ours[-1].endswith("*") else False
    return every(matches(one, two) for one, two in zip(ours, theirs, strict=True))


def _arn_parts(text: str) -> list[str]:
    """The parts of an ARN; a colon inside `${…}` does not separate."""
    return _SEPARATOR.split(text, maxsplit=_ARN_PARTS - 1)


def _number(compare: Callable[[float, float], bool], wanted: str, text: str) -> Truth:
    try:
        return compare(float(text), float(wanted))
    except ValueError:
        return None


def _date(compare: Callable[[float, float], bool], wanted: str, text: str) -> Truth:
    moments: list[float] = []
    for one in (text, wanted):
        try:
            moments.append(float(one))
        except ValueError:
            try:
                moment = datetime.fromisoformat(one)
            except ValueError:
                return None
            moments.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return compare(moments[0], moments[1])


def _bool(wanted: str, text: str) -> Truth:
    return None if "${" in wanted else wanted.lower() == text.lower()


def _ip(wanted: str, text: str) -> Truth:
    try:
        network = ipaddress.ip_network(wanted, strict=False)
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.version == network.version and address in network


Match = Callable[[str, str], Truth]
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "equals": lambda one, two: one == two,
    "lessthan": lambda one, two: one < two,
    "lessthanequals": lambda one, two: one <= two,
    "greaterthan": lambda one, two: one > two,
    "greaterthanequals": lambda one, two: one >= two,
}
_POSITIVE: Mapping[str, Match] = {
    "stringequals": _equal,
    "stringequalsignorecase": partial(matches, wild=False, fold=True),
    "stringlike": matches,
    "arnequals": _arn,
    "arnlike": _arn,
    "binaryequals": _equal,
    "bool": _bool,
    "ipaddress": _ip,
    **{f"numeric{name}": partial(_number, compare) for name, compare in _COMPARISONS.items()},
    **{f"date{name}": partial(_date, compare) for name, compare in _COMPARISONS.items()},
}
_NEGATED: Mapping[str, str] = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
}


@dataclass(frozen=True)
class Operator:
    """A condition's operator, taken apart.

    Attributes:
        matches: whether one wanted value fits one of the request.
        negated: whether none may fit.
        if_exists: whether an absent key satisfies it.
        quantifier: `forallvalues`, `foranyvalue` or empty.
    """

    matches: Match
    negated: bool
    if_exists: bool
    quantifier: str


@lru_cache(maxsize=512)
def operator_of(test: str) -> Operator | None:
    """An operator by its name, such as `ForAnyValue:StringLikeIfExists`; None for one that IAM has not."""
    quantifier, colon, name = test.lower().rpartition(":")
    if colon and quantifier not in ("forallvalues", "foranyvalue"):
        return None
    base = name.removesuffix("ifexists")
    positive = _POSITIVE.get(_NEGATED.get(base, base))
    if positive is None:
        return None
    return Operator(positive, base in _NEGATED, base != name, quantifier)


def is_null_test(condition: Condition) -> bool:
    """Whether a condition asks only if a key is there."""
    return condition.test.lower() == "null"


def holds(condition: Condition, request: AccessRequest) -> Truth:
    """Whether a condition is met by what a request carries. Keys are the same in any case."""
    key = condition.variable.lower()
    if key not in request.context:
        return None
    carried = request.context[key]
    if is_null_test(condition):
        wanted = "true" if not carried else "false"
        return some(_bool(value, wanted) for value in condition.values)
    operator = operator_of(condition.test)
    if operator is None:
        return None
    if not carried:
        if operator.quantifier == "foranyvalue":
            return False
        return operator.quantifier == "forallvalues" or operator.if_exists or operator.negated
    fits = [some(operator.matches(wanted, one) for wanted in condition.values) for one in carried]
    if operator.quantifier == "forallvalues":
        return every(_not(fit) if operator.negated else fit for fit in fits)
    if operator.quantifier == "foranyvalue":
        return some(_not(fit) if operator.negated else fit for fit in fits)
    return _not(some(fits)) if operator.negated else some(fits)

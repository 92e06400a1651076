"""Why something cannot be judged, what would make it known, and how that is said once.

A region that is a variable without a value keeps a dozen checks from judging a hundred resources. That is one
thing to do something about, and one finding: the gravest of them, which names the others.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from payinfra.checks.manifest import Json, Manifest
from payinfra.checks.manifest.syntax import Traversal, Unparsable, names_in, of_expression, resource_of
from payinfra.checks.manifest.templates import AFTER_APPLY, base_of, spans
from payinfra.checks.outcome import Finding, Stopped
from payinfra.checks.verdicts import Kind

_MOST_STEPS = 200
_NO_FILE = re.compile(r"there is no file .+$|\S+ is no zip that can be read")
_ELSEWHERE = re.compile(r"the code is in (?:S3|a container image)\b")
_GIVE_SOURCE = "Give the configuration that the plan was made from: --source DIR."
_NO_ENVIRONMENT = "the environment is not known"
_OWN = frozenset({"count", "each", "path", "self", "terraform"})


@dataclass(frozen=True)
class Cause:
    """What is missing.

    Attributes:
        names: the variables, or else the resources, locals and outputs, whose values are not known.
        remedy: what makes them known, in one sentence; empty where nothing does before the apply.
    """

    names: tuple[str, ...]
    remedy: str


def cause_in(message: str, manifest: Manifest) -> Cause | None:
    """What is missing, by the expressions and files that a message names; None where it names none."""
    names = _missing(message, manifest)
    if not names:
        if _NO_ENVIRONMENT in message:
            return Cause(("environment",), "Name it (--env NAME), or tag the resources with Environment.")
        if f"${{{AFTER_APPLY}(" in message and manifest.planned and not manifest.has_source:
            return Cause(("configuration",), _GIVE_SOURCE)
        elsewhere = _ELSEWHERE.search(message)
        if elsewhere is not None:
            return Cause(
                (elsewhere[0],), "Judge the code where it is built; waive the finding with that reason."
            )
        absent = _NO_FILE.search(message)
        return Cause((absent[0],), "Build it before the check.") if absent else None
    variables = tuple(sorted(name for name in names if name.startswith("var.")))
    return Cause(variables or tuple(sorted(names)), _remedy(variables, manifest))


def one_per_cause(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, with one for all that cannot be judged for the same cause: the first of the gravest."""
    kept: list[Finding | tuple[str, ...]] = []
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        if finding.verdict is not Kind.UNKNOWN or not finding.cause:
            kept.append(finding)
            continue
        key = (finding.file, *finding.cause)
        if key not in groups:
            kept.append(key)
        groups.setdefault(key, []).append(finding)
    return tuple(one if isinstance(one, Finding) else _joined(groups[one]) for one in kept)


def _joined(findings: list[Finding]) -> Finding:
    gravest = max(findings, key=lambda one: one.severity.rank)
    others = [one for one in findings if one is not gravest]
    if not others:
        return gravest
    counts = Counter(one.id for one in others)
    listed = ", ".join(id if number == 1 else f"{id} ({number})" for id, number in sorted(counts.items()))
    more = f"{len(others)} more judgement{'s' if len(others) > 1 else ''} for the same cause: {listed}"
    return replace(
        gravest,
        message=f"{gravest.message}; {more}",
        stopped=tuple(Stopped(one.id, one.address) for one in others),
    )


def _remedy(variables: tuple[str, ...], manifest: Manifest) -> str:
    if manifest.planned:
        return "" if manifest.has_source else _GIVE_SOURCE
    if variables:
        named = " and ".join(name.removeprefix("var.") for name in variables)
        several = "s" if len(variables) > 1 else ""
        return f"Set the variable{several} {named} (--var NAME=VALUE), or judge a plan (--plan FILE)."
    return "Judge a plan, in which Terraform has evaluated it: --plan FILE."


def _missing(message: str, manifest: Manifest) -> set[str]:
    """The names in a message's expressions that have no value, down to where that begins."""
    found: set[str] = set()
    seen: set[str] = set()
    todo: list[Json] = [message]
    while todo and len(seen) < _MOST_STEPS:
        one = todo.pop()
        if isinstance(one, str):
            todo += _behind(one, manifest, found, seen)
        elif isinstance(one, dict):
            todo += one.values()
        elif isinstance(one, list):
            todo += one
    return found


def _behind(text: str, manifest: Manifest, found: set[str], seen: set[str]) -> list[Json]:
    """Note the names of a text that have no value; give the values of those that have one."""
    more: list[Json] = []
    for span in spans(text):
        try:
            names = names_in(of_expression(span.expression))
        except Unparsable:
            continue
        for name in names:
            known = _value_of(name, manifest.variables, manifest.locals)
            resource = resource_of(name)
            if known is not None or name.root in _OWN:
                key = f"{name.root}.{name.steps[0] if name.steps else ''}"
                if key not in seen and known is not None:
                    seen.add(key)
                    more.append(known)
            elif resource is None or name.root in ("var", "local"):
                found.add(".".join((name.root, *(one for one in name.steps[:1] if isinstance(one, str)))))
            else:
                more += _attribute(resource[0], resource[1][:1], manifest, found, seen)
    return more


def _attribute(
    address: str, steps: tuple[object, ...], manifest: Manifest, found: set[str], seen: set[str]
) -> list[Json]:
    """The configured value of an attribute, if that is what is not known; else the resource is noted."""
    target = manifest.resource(address)
    name = steps[0] if steps and isinstance(steps[0], str) else ""
    value = target.body.get(name) if target is not None else None
    if f"{address}.{name}" in seen:
        return []
    seen.add(f"{address}.{name}")
    if isinstance(value, str) and "${" in value:
        return [value]
    found.add(base_of(address))
    return []


def _value_of(name: Traversal, variables: Mapping[str, Json], locals: Mapping[str, Json]) -> Json:
    first = name.steps[0] if name.steps else ""
    if not isinstance(first, str):
        return None
    return {"var": variables, "local": locals}.get(name.root, {}).get(first)

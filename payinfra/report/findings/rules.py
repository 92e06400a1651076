"""`checks list` and `checks explain`: rules for people and for scripts."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from payinfra.checks.verdicts import Rule
from payinfra.report.findings.document import Json
from payinfra.report.printable import no_command

if TYPE_CHECKING:
    from rich.console import RenderableType


def listed(rules: Sequence[Rule]) -> "RenderableType":
    """A table of all rules."""
    from payinfra.report.results import table

    return table(("id", "severity", "title"), ((rule.id, rule.severity.value, rule.title) for rule in rules))


def explained(rule: Rule, types: Sequence[str] = ()) -> str:
    """Everything about one rule, as lines of text.

    Args:
        rule: the rule.
        types: the resource types that it is asked about; none for a whole manifest, or for source files.
    """
    lines = [f"{rule.id}  {rule.title}", "", f"severity  {rule.severity}"]
    if types:
        lines.append(f"looks at  {', '.join(types)}")
    if rule.controls:
        lines.append(f"controls  {', '.join(rule.controls)}")
    return "\n".join([*lines, f"risk      {rule.risk}", f"fix       {rule.fix}"]) + "\n"


def as_json(rule: Rule, types: Sequence[str] = ()) -> dict[str, Json]:
    """One rule for a script."""
    return {
        "id": rule.id,
        "severity": rule.severity.value,
        "title": rule.title,
        "risk": rule.risk,
        "fix": rule.fix,
        "controls": list(rule.controls),
        "types": list(types),
    }


def render_json(rules: Sequence[dict[str, Json]]) -> str:
    """Rules as one JSON document."""
    return no_command(json.dumps({"checks": list(rules)}, indent=2)) + "\n"

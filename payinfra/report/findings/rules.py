"""`checks list`, `checks explain` and `explain`: rules for people and for scripts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from payinfra.checks.verdicts import Rule
from payinfra.report.documents import document
from payinfra.report.findings.document import Json
from payinfra.report.printable import no_command

_INDENT = len("severity   ")

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class Subject(StrEnum):
    """What a rule is asked about, in a phrase for a person."""

    MANIFEST = "the synthesized Terraform, before a deployment (payinfra check)"
    SOURCE = "Python source files (payinfra check --source)"
    LIVE = "the deployed environment (payinfra verify)"

    @property
    def page(self) -> str:
        """The page of the documentation that lists such rules."""
        return "docs/verify.md" if self is Subject.LIVE else "docs/checks.md"


@dataclass(frozen=True)
class Explanation:
    """A rule, and what is known of its check or probe.

    Attributes:
        types: the resource types that a check is asked about; none for a whole manifest and all else.
        within_s: a probe's deadline in seconds.
        defined_at: the file and line of a company's own; empty for payinfra's.
    """

    rule: Rule
    subject: Subject
    types: tuple[str, ...] = ()
    within_s: float | None = None
    defined_at: str = ""

    @property
    def page(self) -> str:
        """Where the documentation has it; for a company's own, where it is defined."""
        if self.defined_at:
            return self.defined_at
        anchor = "the-probes" if self.subject is Subject.LIVE else self.rule.id.lower()
        return f"{self.subject.page}#{anchor}"


def explanation(one: Explanation) -> str:
    """Everything about a rule, as lines of text."""
    rule = one.rule
    rows = [
        ("severity", rule.severity.value),
        ("judges", one.subject.value),
        *([("resources", ", ".join(one.types))] if one.types else []),
        *([("within", f"{one.within_s:g} s")] if one.within_s is not None else []),
        ("risk", rule.risk),
        ("fix", rule.fix),
        *([("controls", ", ".join(rule.controls))] if rule.controls else []),
        ("docs", one.page),
    ]
    return "\n".join([f"{rule.id}  {rule.title}", "", *(f"{name:<9}  {text}" for name, text in rows)])


def write_lines(console: "Console", lines: str) -> None:
    """Write what `explanation` or `explained` says; a terminal shows it folded between words."""
    from rich.text import Text

    from payinfra.report.folding import FoldedText
    from payinfra.report.results import write

    write(console, FoldedText(Text(lines.rstrip()), _INDENT))


def render_explanation(one: Explanation) -> str:
    """The same as one JSON document."""
    more = {"judges": one.subject.name.lower(), "within_s": one.within_s, "docs": one.page}
    return json.dumps(document("explanation", {**as_json(one.rule, one.types), **more}), indent=2)


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
    lines = [f"{rule.id}  {rule.title}", "", f"severity   {rule.severity}"]
    if types:
        lines.append(f"looks at   {', '.join(types)}")
    if rule.controls:
        lines.append(f"controls   {', '.join(rule.controls)}")
    return "\n".join([*lines, f"risk       {rule.risk}", f"fix        {rule.fix}"]) + "\n"


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
    return no_command(json.dumps(document("checks", {"checks": list(rules)}), indent=2)) + "\n"

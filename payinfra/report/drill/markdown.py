"""A drill's report in Markdown, for a job's summary and for a folder of reports."""

from payinfra.drill.model import DrillReport
from payinfra.report.drill import content
from payinfra.report.findings.markdown import plain
from payinfra.report.printable import visible


def render(report: DrillReport) -> str:
    """A heading with both verdicts, why they are what they are, and every table."""
    lines = [f"## payinfra failover-drill: {content.headline(report)}", ""]
    for section in (*content.overview(report), *content.sections(report), *content.moments(report)):
        lines += _section(section)
    lines += ["### Next", ""]
    lines += [f"- {plain(purpose)}: {_code(command)}" for command, purpose in content.next_steps(report)]
    return "\n".join(lines) + "\n"


def _section(section: content.Section) -> list[str]:
    lines = [f"### {section.title}", ""]
    if section.rows:
        rules = ("---:" if number in section.figures else "---" for number in range(len(section.columns)))
        lines += [_row(section.columns), f"| {' | '.join(rules)} |", *map(_row, section.rows), ""]
    if section.sentences:
        lines += [*(f"{plain(sentence)}  " for sentence in section.sentences), ""]
    return lines


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(plain(cell) for cell in cells)} |"


def _code(command: str) -> str:
    """A command that can be copied as it is."""
    return f"`{visible(command).replace('`', '')}`"

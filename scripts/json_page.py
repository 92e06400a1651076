"""The page about the JSON of the commands, with each one's schema."""

from pathlib import Path

from payinfra.report.documents import COMMANDS


def page() -> str:
    """The page as Markdown."""
    about = Path(__file__).with_name("json.md").read_text(encoding="utf-8")
    return about + "\n".join(_row(command, names) for command, names in COMMANDS.items()) + "\n"


def _row(command: str, names: tuple[str, ...]) -> str:
    linked = ", ".join(f"[{name}](schemas/{name}.json)" for name in names)
    return f"| `payinfra {command}` | {linked or 'variables'} |"

"""What `init` wrote, and what it left alone."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from payinfra.core.project_files import Step
from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.results import next_commands, table, write, write_json


def written(console: Console, steps: Sequence[Step], fmt: Format, *, dry_run: bool) -> None:
    """Each file on a line, and what to try next."""
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "project-files",
                {
                    "dry_run": dry_run,
                    "files": [
                        {"path": str(each.path), "deed": each.deed.value, "why": each.why} for each in steps
                    ],
                },
            ),
        )
        return
    write(console, table(("file", "", "why"), [(str(each.path), each.deed, each.why) for each in steps]))
    if dry_run:
        write(console, Text("Nothing was written: this was a dry run."))
        return
    write(
        console,
        Text("Next:"),
        next_commands(
            (
                ("payinfra doctor", "whether this machine has what it takes"),
                ("payinfra deploy --env dev --local", "deploy two regions on this machine"),
            )
        ),
    )

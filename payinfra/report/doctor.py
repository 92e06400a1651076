"""What there is of what is needed."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from payinfra.report.documents import document
from payinfra.report.formats import Format
from payinfra.report.results import table, write, write_json

if TYPE_CHECKING:
    from payinfra.doctor.findings import Diagnosis, Prerequisite

_TARGETS = {"aws": "AWS", "local": "The embedded AWS"}


def diagnosis(console: Console, found: "Diagnosis", fmt: Format) -> None:
    """Each prerequisite on a line, with the fix where it is missing, and what can be used."""
    if fmt is Format.JSON:
        write_json(
            console,
            document(
                "doctor",
                {
                    "targets": {target.value: found.usable(target) for target in found.targets},
                    "findings": [
                        {
                            "name": each.name,
                            "good": each.good,
                            "known": each.known,
                            "found": each.found,
                            "needed": each.needed,
                            "fix": each.fix,
                            "targets": [target.value for target in each.targets],
                        }
                        for each in found.findings
                    ],
                },
            ),
        )
        return
    rows = [
        (_word(each), each.name, each.found, each.needed, "" if each.good else each.fix)
        for each in found.findings
    ]
    write(
        console,
        table(("", "what", "found", "needed", "fix"), rows),
        *(
            Text(f"{_TARGETS[target]} {'can be used' if found.usable(target) else 'cannot be used yet'}.")
            for target in found.targets
        ),
    )


def _word(each: "Prerequisite") -> str:
    if each.good:
        return "ok"
    return "MISSING" if each.known else "unknown"

"""How a report names a file: as it stands in the repository, so that a reader of the repository finds it."""

from pathlib import Path

from payinfra.checks.locations import from_repository


def in_repository(file: str) -> str:
    """The path from the root of the repository; as it is where it is in none."""
    return from_repository(Path(file)) if file else ""

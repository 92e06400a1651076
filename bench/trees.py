"""Comparing output folders byte for byte."""

import hashlib
from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder, by relative path."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def differing(first: dict[str, str], second: dict[str, str]) -> list[str]:
    """The files that are not the same in both, or are in one only."""
    return sorted(name for name in first | second if first.get(name) != second.get(name))

"""The command line as a process, in an empty folder, with a PATH and an environment of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.project import Project

__all__ = ["Project"]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path)
    yield found
    if found.server.exists():
        found.run("local", "down")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a folder for PATH that holds one program, a shell script."""

    def make(name: str, script: str) -> Path:
        folder = tmp_path / f"bin-{name}"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return folder

    return make

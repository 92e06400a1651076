"""The command line as a process, in an empty folder, with a PATH and an environment of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PAYINFRA = Path(sys.executable).with_name("payinfra")


@dataclass
class Project:
    """An empty folder in which payinfra is run."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The variables of a run: the caller's, without any that payinfra reads, and the project's own."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PAYINFRA_")}
        mine |= {"PAYINFRA_LOCAL_PORT": "0", "COLUMNS": "120", "NO_COLOR": "1"}
        return mine | self.environ

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run payinfra with no terminal."""
        return subprocess.run(
            [PAYINFRA, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path)
    yield found
    if (tmp_path / ".payinfra" / "local" / ".server").exists():
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

"""payinfra as a process, in a folder of its own: what the functional and the end-to-end tests run."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from payinfra.deployment.dependencies import SERVER_FOLDER
from payinfra.local.control import Control
from payinfra.local.lifecycle import RECORD_VARIABLE
from tests.support import published_schemas

PAYINFRA = Path(sys.executable).with_name("payinfra")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float


@dataclass
class Project:
    """A folder in which payinfra runs, with an embedded AWS of its own.

    Attributes:
        measured: whether coverage follows what is started, which makes it slower, if it follows the tests.
    """

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    program: Path = PAYINFRA
    measured: bool = True

    def environment(self) -> dict[str, str]:
        """The caller's variables, without any that payinfra reads, and the project's own."""
        mine = {
            name: value
            for name, value in os.environ.items()
            if name != "CI" and not name.startswith("PAYINFRA_")
            if self.measured or not name.startswith("COVERAGE_PROCESS_")
        }
        record = {name: os.environ[name] for name in (RECORD_VARIABLE,) if name in os.environ}
        fixed = {"PAYINFRA_LOCAL_PORT": "0", "COLUMNS": "140", "NO_COLOR": "1"}
        return mine | record | fixed | self.environ

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start payinfra in a session of its own, so that a signal to it reaches nobody else."""
        return subprocess.Popen(
            [self.program, *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, timeout: float = 600) -> Done:
        """Run payinfra to its end, with no terminal. What it writes as JSON is what its schema says."""
        began = time.monotonic()
        process = self.start(*arguments)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            process.kill()
        published_schemas.hold(arguments, stdout)
        return Done(process.returncode, stdout, stderr, time.monotonic() - began)

    @property
    def server(self) -> Path:
        """The embedded AWS's folder."""
        return self.folder / ".payinfra" / SERVER_FOLDER

    @property
    def control(self) -> Control:
        """The embedded AWS's control."""
        return Control.of(self.server)

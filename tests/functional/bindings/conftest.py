"""One process a mode runs every compatibility case; the tests share what it reports."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

RUN_CASES = Path(__file__).with_name("run_cases.py")
MODES = ("lazy", "eager")


@dataclass(frozen=True)
class Report:
    """What `run_cases.py` printed for one mode."""

    environment_kept: bool
    modules: int
    settled: bool
    cases: Mapping[str, object]


@pytest.fixture(scope="session")
def reports() -> Mapping[str, Report]:
    """The reports of both modes. The processes run side by side."""
    # Without the bytecode cache every import compiles 2,100 modules.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    running = {
        mode: subprocess.Popen(
            [sys.executable, RUN_CASES, mode], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
        )
        for mode in MODES
    }
    printed = {mode: process.communicate(timeout=180) for mode, process in running.items()}
    failed = {mode: error.decode() for mode, (_, error) in printed.items() if running[mode].returncode != 0}
    assert not failed, failed
    return {mode: Report(**json.loads(output)) for mode, (output, _) in printed.items()}


@pytest.fixture(params=MODES)
def report(request: pytest.FixtureRequest, reports: Mapping[str, Report]) -> Report:
    """The report of one mode; a test that asks for it runs once for each."""
    mode: str = request.param
    return reports[mode]

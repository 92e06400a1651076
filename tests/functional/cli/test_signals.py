"""Signals to the command line as a process: it ends in order, whoever still reads what it says."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from payinfra.core.stop_signals import STOP_SIGNALS
from tests.functional.cli.conftest import Project
from tests.support.terminal import Terminal

WITHIN_S = 60
DEPLOY = ("deploy", "--env", "demo", "--yes")
"""Asks AWS who is calling before it does anything."""


@dataclass(frozen=True)
class SilentAws:
    """An AWS that takes calls and answers none."""

    listener: socket.socket

    def environ(self) -> dict[str, str]:
        """The variables that lead there."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.listener.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def called(self) -> None:
        """Wait until somebody calls."""
        self.listener.accept()


@pytest.fixture
def aws(project: Project) -> Iterator[SilentAws]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WITHIN_S)
        found = SilentAws(listener)
        project.environ |= found.environ()
        yield found


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """How it ended, and what it said."""
    try:
        _, stderr = process.communicate(timeout=WITHIN_S)
    finally:
        process.kill()
    return process.returncode, stderr


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_every_signal_ends_a_command_with_the_same_word_and_code(
    project: Project, aws: SilentAws, number: signal.Signals
) -> None:
    process = project.start(*DEPLOY)
    aws.called()
    process.send_signal(number)
    code, said = ended(process)
    assert (code, said.splitlines()[-1]) == (130, "Interrupted."), said
    assert "Traceback" not in said


def test_whoever_presses_ctrl_c_three_times_sees_no_traceback(project: Project, aws: SilentAws) -> None:
    process = project.start(*DEPLOY)
    aws.called()
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert code == 130
    assert "Traceback" not in said
    assert "Exception ignored" not in said


def test_closing_the_terminal_ends_a_command_in_order(project: Project, aws: SilentAws) -> None:
    with Terminal(project, *DEPLOY, all_streams=True) as person:
        aws.called()
        person.close()
        assert person.process.wait(WITHIN_S) == 130


def test_nohup_is_respected(project: Project, aws: SilentAws) -> None:
    with subprocess.Popen(
        ["sh", "-c", 'trap "" HUP; exec "$0" "$@"', project.program, *DEPLOY],
        cwd=project.folder,
        env=project.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        aws.called()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)
    assert (code, said.splitlines()[-1]) == (130, "Interrupted.")


def test_a_reader_of_stderr_that_goes_away_ends_nothing(project: Project) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [project.program, "synth", "--env", "demo", "--format", "json"],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.PIPE,
        stderr=writer,
        timeout=WITHIN_S,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith(b"}")


def test_ctrl_c_while_payinfra_is_still_being_imported_says_nothing(project: Project) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", project.program, "--version"],
        cwd=project.folder,
        env={name: value for name, value in project.environment().items() if "COVERAGE" not in name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    # One of the first modules that are imported once payinfra has said what a Ctrl-C does.
    for line in process.stderr:
        if line.rstrip().endswith("re._constants"):
            break
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    code, said = ended(process)
    assert code == 130
    assert "Traceback" not in said

"""A job that is cancelled: its shell alone is signalled, and payinfra ends in order all the same."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.functional.ci.conftest import GITLAB, Script, read, scripts

WITHIN_S = 30.0
LONG = ("deploy", "destroy", "failover-drill", "reap", "verify")
"""Commands that change something, or are asked to for a while."""

# A payinfra that waits for a signal, takes its time to put things back, and says so.
PAYINFRA = """#!{python}
import os, pathlib, signal, sys

folder = pathlib.Path(os.environ["FOLDER"])
signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
(folder / "began").write_text(str(os.getpid()))
signal.sigwait(signals)
(folder / "go-on").read_text()
(folder / "restored").write_text(" ".join(sys.argv[1:]))
sys.exit(130)
"""


def calls(script: Script) -> Iterator[str]:
    """The lines that call a command which must end in order. What runs after a cancellation need not."""
    for line in script.text.splitlines():
        if re.search(rf"(?:^|\s)payinfra ({'|'.join(LONG)})\b", line):
            yield line.strip()


@pytest.mark.parametrize("script", [one for one in scripts() if any(calls(one))], ids=lambda one: one.where)
def test_every_command_that_must_end_in_order_is_told_of_a_cancellation(script: Script) -> None:
    of_gitlab = ("in_order payinfra ", "exec payinfra failover-drill --restore")
    handed_on = of_gitlab if script.where.startswith("gitlab") else ("exec payinfra ",)
    assert [line for line in calls(script) if not line.startswith(handed_on)] == []


def step(name: str) -> str:
    """The step of GitHub's drill, or the script of GitLab's with what comes before it."""
    if name == "github":
        return next(one.text for one in scripts() if "failover-drill --scenario" in one.text)
    jobs = read(GITLAB)
    function = next(line for line in jobs[".payinfra"]["before_script"] if "in_order()" in line)
    return "\n".join([function, *jobs["drill"]["script"]])


def wait_until(met: Callable[[], bool]) -> None:
    polls = Retrying(
        retry=retry_if_result(lambda it_is: not it_is), stop=stop_after_delay(WITHIN_S), wait=wait_fixed(0.02)
    )
    polls(met)


def has_a_reader(pipe: Path) -> bool:
    """Write to whoever reads a pipe: payinfra, once it has heard the signal."""
    try:
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(descriptor, b"go on")
    os.close(descriptor)
    return True


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("github", signal.SIGINT),
        ("github", signal.SIGTERM),
        ("gitlab", signal.SIGTERM),
        ("gitlab", signal.SIGHUP),
    ],
)
def test_a_signal_to_the_shell_of_a_drill_reaches_payinfra_which_is_waited_for(
    tmp_path: Path, name: str, number: signal.Signals
) -> None:
    program = tmp_path / "payinfra"
    program.write_text(PAYINFRA.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "step.sh").write_text(step(name))
    os.mkfifo(tmp_path / "go-on")
    environ = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "FOLDER": str(tmp_path),
        "GITHUB_WORKSPACE": str(tmp_path),
        "PAYINFRA_ENV": "staging",
        "SCENARIO": "health-check",
    }
    with subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "step.sh"],
        cwd=tmp_path,
        env=environ,
        start_new_session=True,
    ) as shell:
        try:
            wait_until(lambda: (tmp_path / "began").exists())
            shell.send_signal(number)
            wait_until(lambda: has_a_reader(tmp_path / "go-on"))
            assert shell.wait(WITHIN_S) == 130
        finally:
            with contextlib.suppress(ProcessLookupError):  # nobody of the session is left, as it should be
                os.killpg(shell.pid, signal.SIGKILL)
    assert "failover-drill" in (tmp_path / "restored").read_text()


def test_what_was_cut_off_all_the_same_is_put_back_by_the_job_and_by_another_one() -> None:
    workflow = read(GITLAB.parents[4] / ".github" / "workflows" / "payinfra.yml")["jobs"]
    steps = {one.get("name"): one for one in workflow["drill"]["steps"]}
    assert "always()" in steps["Put back what the drill could not"]["if"]
    taken = next(one["with"] for one in workflow["restore"]["steps"] if "download" in one.get("uses", ""))
    kept = steps["Keep the journal"]["with"]
    assert steps["Keep the journal"]["if"] == "${{ always() }}"
    assert kept["include-hidden-files"] == "true"
    assert (kept["name"], kept["path"]) == (taken["pattern"], taken["path"])
    assert workflow["restore"]["concurrency"] == workflow["drill"]["concurrency"]

    jobs = read(GITLAB)
    found = 'export PATH="/tmp/payinfra/bin:$PATH"'
    assert jobs["drill"]["after_script"] == [found, "exec payinfra failover-drill --restore"]
    assert ".payinfra/aws/$PAYINFRA_STAGING/drills/" in jobs["drill"]["artifacts"]["paths"]
    assert (jobs["drill"]["artifacts"]["when"], jobs["restore"]["needs"]) == ("always", ["drill"])

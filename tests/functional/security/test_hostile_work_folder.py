"""Bad luck and bad will in the work folder, met by the real command: one message, and no bug."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.project import PAYINFRA, Done, Project

DEEP = "[" * 100_000
SYNTH = ("synth", "--env", "pr1", "--local")
NOBODY = 54_321  # a number that no machine has a name for


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def refused(done: Done, code: int, *words: str) -> None:
    """It ended with one message and a next step."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == 1
    assert done.stderr.count("next:  ") == 1
    for word in words:
        assert word in done.stderr


def test_a_link_in_place_of_the_lock_overwrites_nothing(project: Project) -> None:
    work = project.folder / ".payinfra" / "local" / "pr1"
    work.mkdir(parents=True)
    victim = project.folder / "victim"
    victim.write_text("precious")
    (work / "lock").symlink_to(victim)
    refused(project.run(*SYNTH), 4, "lock cannot be used: it is a symbolic link")
    assert victim.read_text() == "precious"


def test_a_link_in_place_of_the_work_root_leads_nowhere(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project.folder / ".payinfra").symlink_to(elsewhere)
    refused(project.run(*SYNTH), 2, "outside the project")
    assert not any(elsewhere.iterdir())


TEXTS = {
    "deep": f"a = {DEEP}",
    "work root": 'work_root = "a\\u0000b"',
    "handlers": 'handlers = "\\u0000"',
    "raw": 'env = "\0"',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_senseless_payinfra_toml_is_a_usage_error(project: Project, text: str) -> None:
    (project.folder / "payinfra.toml").write_text(text)
    refused(project.run(*SYNTH), 2)


@pytest.mark.parametrize("command", ["outputs", "status", "verify"])
@pytest.mark.parametrize("content", [DEEP, "\0", "{"], ids=["deep", "null", "cut"])
def test_senseless_outputs_are_no_bug(project: Project, command: str, content: str) -> None:
    work = project.folder / ".payinfra" / "local" / "pr1"
    work.mkdir(parents=True)
    (work / "outputs.json").write_text(content)
    refused(project.run(command, "--env", "pr1", "--local"), 4)


def mounted(folder: Path) -> bool:
    """Make the folder a file system of 300 kB, where this user may."""
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    return mount is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_full_disk_is_one_message(project: Project) -> None:
    """Where nothing can be mounted, a limit of the files' size goes the same way to the same message."""
    small = project.folder / "small"
    small.mkdir()
    if mounted(small):
        try:
            refused(project.run(*SYNTH, "--work-root", str(small)), 4, "the disk is full")
        finally:
            subprocess.run(["umount", small], check=True)
    else:
        limit = 'ulimit -f 200; trap "" XFSZ; exec "$@"'
        limited = ["sh", "-c", limit, "sh", str(PAYINFRA), *SYNTH, "--work-root", str(small)]
        refused(ended(limited, project), 4, "File too large")


def test_a_user_without_a_name_and_a_home_can_work() -> None:
    """As in a container that runs under a number; only the superuser can become one here."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        project = Project(Path(folder), {"JSII_RUNTIME_PACKAGE_CACHE": "disabled"})
        # The interpreter may be in a home that only the superuser can read.
        may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *may_read]
        who = become if os.getuid() == 0 else []
        done = ended([*who, str(PAYINFRA), *SYNTH], project)
        assert done.returncode == 0, done.stderr
        assert "resources in" in done.stdout
        started = ended([*who, str(PAYINFRA), "local", "up"], project)
        stopped = ended([*who, str(PAYINFRA), "local", "down"], project)
        assert (started.returncode, stopped.returncode) == (0, 0), started.stderr + stopped.stderr
        gone = ended([*who, str(PAYINFRA), "status", "--env", "demo", "--local"], project)
        assert (gone.returncode, "next:" in gone.stderr) == (4, True), gone.stderr


def ended(command: list[str], project: Project) -> Done:
    """A command that has ended, run by a user whom the variables do not name."""
    environ = project.environment()
    nameless = {name: value for name, value in environ.items() if name not in ("HOME", "USER", "LOGNAME")}
    ran = subprocess.run(
        command,
        cwd=project.folder,
        env=nameless,
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(ran.returncode, ran.stdout, ran.stderr, 0)

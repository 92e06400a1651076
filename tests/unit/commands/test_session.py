"""The edges of the command line: every failure is one message and the right exit code."""

import errno
import io
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from payinfra import cli
from payinfra.checks.outcome import Finding, Outcome, summarize
from payinfra.checks.verdicts import Kind, Severity
from payinfra.cli import app
from payinfra.commands import session as session_module
from payinfra.commands.help import lines_of
from payinfra.commands.options import STACK, WHERE, settings_from
from payinfra.core.errors import (
    EnvironmentUnusable,
    ExitCode,
    GateFailed,
    Interrupted,
    NotRestored,
    PayinfraError,
    ToolFailed,
    UsageProblem,
)
from payinfra.core.settings import Settings, Target
from payinfra.core.stop_signals import STOP_SIGNALS
from payinfra.deployment.results import ChecksFailed
from payinfra.terraform import Plan
from tests.support.signals import heard, send


def raising(error: BaseException) -> Callable[[], object]:
    def run() -> object:
        raise error

    return run


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (GateFailed, 1),
        (UsageProblem, 2),
        (ToolFailed, 3),
        (EnvironmentUnusable, 4),
        (NotRestored, 5),
        (Interrupted, 130),
        (PayinfraError, 70),
    ],
)
def test_a_failure_is_a_message_a_next_step_and_its_exit_code(
    kind: type[PayinfraError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(raising(kind("It broke.", "Mend it.")))
    assert caught.value.code == code
    assert capsys.readouterr().err == "error: It broke.\nnext:  Mend it.\n"


def test_an_interrupt_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(raising(KeyboardInterrupt()))
    assert caught.value.code == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_bug_is_a_traceback_and_says_that_it_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(raising(ZeroDivisionError("oh")))
    assert caught.value.code == ExitCode.BUG
    said = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in said
    assert "bug in payinfra" in said


def test_a_reader_that_went_away_is_no_failure() -> None:
    stdout = os.dup(1)
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main(raising(BrokenPipeError()))
        assert caught.value.code == ExitCode.DONE
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.resolve({"env": "demo", "target": Target.LOCAL}, folder=tmp_path, environ={})


def test_a_failed_gate_shows_the_findings_on_stderr(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = Finding(
        "PI-S3-001",
        Kind.FAIL,
        Severity.CRITICAL,
        "Buckets are private",
        "aws_s3_bucket.x",
        "it is open",
        "shut it",
        "",
    )
    outcome = Outcome("check", (finding,), (), (), summarize(()))
    with pytest.raises(ChecksFailed), session_module.session(settings):
        raise ChecksFailed(outcome, Severity.HIGH)
    said = capsys.readouterr()
    assert "PI-S3-001" in said.err
    assert "shut it" in said.err
    assert said.out == ""


def test_yes_asks_nobody(settings: Settings) -> None:
    with session_module.session(settings) as session:
        assert session.confirm(True, "Sure?")(Plan(Path("plan"), 1, 0, 0))


@pytest.mark.parametrize(("said", "agrees"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_question_is_answered_by_a_person(settings: Settings, said: str, agrees: bool) -> None:
    asking = typer.Typer()

    @asking.command()
    def ask() -> None:
        with session_module.session(settings) as session:
            session.agree(True, "Never asked?")
            session.agree(False, "Sure?")

    result = CliRunner().invoke(asking, input=said)
    assert "Never asked?" not in result.output
    assert "Sure?" in result.output
    assert (result.exception is None) is agrees
    assert agrees or isinstance(result.exception, GateFailed)


def test_every_setting_has_an_option_and_every_option_a_setting() -> None:
    assert {option.name for option in STACK} == set(Settings.model_fields)
    assert {option.name for option in WHERE} <= {option.name for option in STACK}


def test_every_option_names_its_variable() -> None:
    command = get_command(app).commands["deploy"]  # type: ignore[attr-defined]  # a group has commands
    shown = {line.variable for line in lines_of(command, "PAYINFRA_DEPLOY")}
    assert {f"PAYINFRA_{option.name.upper()}" for option in STACK} <= shown


@pytest.mark.parametrize(("flag", "target"), [(True, Target.LOCAL), (False, Target.AWS), (None, Target.AWS)])
def test_local_is_a_target(
    flag: bool | None, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAYINFRA_TARGET", raising=False)
    assert settings_from({"env": "demo", "target": flag}).target is target


def test_nothing_is_asked_where_nobody_can_answer() -> None:
    with pytest.raises(UsageProblem, match="no terminal"):
        session_module.needs_a_person(False, "deploy")
    session_module.needs_a_person(True, "deploy")


@pytest.mark.parametrize("said", ["true", "1", "True"])
def test_a_ci_job_on_aws_without_a_state_bucket_is_refused_with_what_mends_it(said: str) -> None:
    with pytest.raises(UsageProblem, match="its state in a bucket") as caught:
        session_module.needs_a_shared_state(aws_settings(), "deploy", {"CI": said})
    assert "payinfra bootstrap --state-bucket NAME" in caught.value.hint
    assert "payinfra deploy --env pr1 --state-bucket NAME" in caught.value.hint


def test_a_state_that_outlives_the_job_or_a_person_may_go_on() -> None:
    session_module.needs_a_shared_state(aws_settings(), "deploy", {})
    session_module.needs_a_shared_state(aws_settings(), "deploy", {"CI": "false"})
    session_module.needs_a_shared_state(aws_settings(state_bucket="our-states"), "deploy", {"CI": "true"})
    session_module.needs_a_shared_state(aws_settings(target="local"), "deploy", {"CI": "true"})


def aws_settings(**more: object) -> Settings:
    return Settings.resolve({"env": "pr1", **more}, environ={})


def test_a_jobs_summary_is_appended_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    session_module.to_job_summary("## passed\n")
    assert summary.read_text() == "before\n## passed\n"
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    session_module.to_job_summary("## again\n")
    assert summary.read_text() == "before\n## passed\n"


def test_a_summary_is_a_file_and_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tmp_path / "job.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job))
    file = tmp_path / "summary.md"
    with session_module.summary_for("pr7", file) as summarize:
        summarize("done\n")
    assert file.read_text() == job.read_text() == "done\n"


def test_a_failure_is_summarised_and_still_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    file = tmp_path / "summary.md"
    with pytest.raises(ToolFailed), session_module.summary_for("pr7", file):
        raise ToolFailed("It broke.", "Mend it.")
    assert "It broke." in file.read_text()


def test_a_summary_may_be_the_jobs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tmp_path / "job.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job))
    with session_module.summary_for("pr7", None) as summarize:
        summarize("done\n")
    assert job.read_text() == "done\n"


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_every_signal_ends_a_command_in_order(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    cleaned: list[str] = []

    def run() -> None:
        try:
            send(number)
            pytest.fail("went on")
        finally:
            send(number)
            cleaned.append("up")

    with heard() as last, pytest.raises(SystemExit) as caught:
        cli.main(run)
    assert (caught.value.code, cleaned, last) == (ExitCode.INTERRUPTED, ["up"], [])
    said = capsys.readouterr().err
    assert said.startswith("· Stopping already.")
    assert said.endswith("Interrupted.\n")


def test_a_command_that_ends_well_is_a_success() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(lambda: None)
    assert caught.value.code == ExitCode.DONE


@pytest.mark.parametrize(("said", "code"), [(None, 0), (4, 4)])
def test_a_command_may_choose_its_exit_code(said: int | None, code: int) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(raising(SystemExit(said)))
    assert caught.value.code == code


class Unwritable(io.StringIO):
    """A pipe whose reader has gone, as is found out at the end."""

    def flush(self) -> None:
        raise BrokenPipeError


def test_what_cannot_be_written_at_the_end_changes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Unwritable())
    with pytest.raises(SystemExit) as caught:
        cli.main(lambda: None)
    assert caught.value.code == ExitCode.DONE


def test_a_reader_that_has_gone_keeps_no_verdict_from_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Unwritable())
    with session_module.even_if_nobody_reads():
        raise BrokenPipeError
    with session_module.even_if_nobody_reads():
        pass


def endless() -> None:
    endless()


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (
            raising(OSError(errno.ENOSPC, "No space left on device", "outputs.json")),
            ExitCode.UNUSABLE_ENVIRONMENT,
        ),
        (raising(PermissionError(errno.EACCES, "Permission denied", "lock")), ExitCode.UNUSABLE_ENVIRONMENT),
        (lambda: json.loads("[" * 100_000), ExitCode.UNUSABLE_ENVIRONMENT),
        (raising(OSError(errno.ECONNRESET, "Connection reset")), ExitCode.BUG),
        (endless, ExitCode.BUG),
    ],
    ids=["full", "forbidden", "deep", "defect", "endless"],
)
def test_what_the_machine_is_at_fault_for_is_no_bug(
    run: Callable[[], object], code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(run)
    assert ended.value.code == code
    said = capsys.readouterr().err
    assert ("Traceback" in said) == (code is ExitCode.BUG)
    assert ("next:" in said) == (code is not ExitCode.BUG)

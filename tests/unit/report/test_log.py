"""Log lines: JSON or text, a line each, with the run's id and without credentials."""

import io
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from payinfra import cli
from payinfra.checks.probes.results import ProbeResult
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Action, Event, Notice, ResourceFailed, StageFinished
from payinfra.drill.model import Phase, PhaseBegan, Snapshot
from payinfra.report import log, progress, verify
from payinfra.report.drill import live
from payinfra.report.formats import LOG_FORMAT_VARIABLE, LogFormat

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
SECRET = 'wJalr"XUtnFEMI'


@pytest.fixture
def written() -> list[str]:
    return []


@pytest.fixture
def lines(written: list[str]) -> log.JsonLines:
    environ = {"PAYINFRA_RUN_ID": "run-1", "AWS_SECRET_ACCESS_KEY": SECRET}
    return log.JsonLines(environ, written.append, lambda: AT)


@pytest.mark.parametrize(
    ("event", "level", "fields"),
    [
        (
            StageFinished("plan", 1.5, "2 to add"),
            "info",
            {"stage": "plan", "seconds": 1.5, "detail": "2 to add"},
        ),
        (Notice("Look."), "warning", {"message": "Look."}),
        (ResourceFailed("aws_x.y", Action.CREATE), "error", {"address": "aws_x.y", "action": "create"}),
    ],
)
def test_an_event_is_a_line(
    lines: log.JsonLines, written: list[str], event: Event, level: str, fields: dict[str, object]
) -> None:
    lines.event(event)
    head = {"time": "2026-01-02T03:04:05.678+00:00", "run": "run-1", "level": level}
    name = {"StageFinished": "stage_finished", "Notice": "notice", "ResourceFailed": "resource_failed"}
    assert json.loads(written[0]) == head | {"event": name[type(event).__name__]} | fields


def test_a_failure_is_a_line(lines: log.JsonLines, written: list[str]) -> None:
    lines.problem(EnvironmentUnusable("It is\nbroken.", "Mend it."))
    found = json.loads(written[0])
    assert (found["event"], found["what"], found["next"]) == ("failed", "It is\nbroken.", "Mend it.")
    assert found["exit_code"] == 4


def test_no_line_shows_a_credential_or_moves_a_terminal(lines: log.JsonLines, written: list[str]) -> None:
    lines.event(Notice(f"said {SECRET}\x1b[2J\u202e"))
    for how in LogFormat:
        log.Verbose(lines, how).emit(
            logging.LogRecord("payinfra", 10, "", 0, f"{SECRET}\x1b[2J\n", None, None)
        )
    assert len(written) == 3
    for line in written:
        assert line.isascii()
        assert line.isprintable()
        assert "wJalr" not in line
        assert "(hidden)" in line


def test_verbose_lines_have_the_format_of_the_rest(lines: log.JsonLines, written: list[str]) -> None:
    for how in LogFormat:
        with log.logging_to(log.Verbose(lines, how)):
            logging.getLogger("payinfra.clients.aws").debug("called %s", "sts")
    logging.getLogger("payinfra.clients.aws").debug("nobody hears this")
    assert written[0] == "  03:04:05.678 called sts"
    found = json.loads(written[1])
    assert (found["level"], found["logger"], found["message"]) == (
        "debug",
        "payinfra.clients.aws",
        "called sts",
    )
    assert len(written) == 2


def test_others_logs_are_not_shown(lines: log.JsonLines, written: list[str]) -> None:
    """What botocore logs has bodies with secrets in them."""
    with log.logging_to(log.Verbose(lines, LogFormat.TEXT)):
        logging.getLogger("botocore.endpoint").debug("the body")
    assert written == []


def test_json_is_chosen_by_the_variable() -> None:
    assert log.log_format({}) is LogFormat.TEXT
    assert log.log_format({LOG_FORMAT_VARIABLE: "json"}) is LogFormat.JSON
    assert log.log_format({LOG_FORMAT_VARIABLE: "xml"}) is LogFormat.TEXT


@pytest.fixture
def in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOG_FORMAT_VARIABLE, "json")


@pytest.mark.usefixtures("in_json")
def test_stages_are_followed_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.watching(Console(file=io.StringIO())) as watch:
        watch.emit(Notice("Look."))
    assert json.loads(capsys.readouterr().err)["message"] == "Look."


@pytest.mark.usefixtures("in_json")
def test_a_drill_is_followed_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    with live.watching(Console(file=io.StringIO())) as tell:
        tell(PhaseBegan(Phase.INJECT, 1.5, 2.0))
        tell(Snapshot(2.0, {"us-east-1": 3}, 0, 1, "us-west-2"))
    began, now = map(json.loads, capsys.readouterr().err.splitlines())
    assert (began["event"], began["phase"], began["predicted_s"]) == ("phase_began", "inject", 2.0)
    assert (now["event"], now["by_region"]) == ("snapshot", {"us-east-1": 3})


@pytest.mark.usefixtures("in_json")
def test_probes_are_followed_in_json_quiet_ones_too(capsys: pytest.CaptureFixture[str]) -> None:
    rule = Rule("LIVE-X-001", "It works", Severity.LOW, "a risk", "a fix")
    with verify.watching(Console(file=io.StringIO())) as tell:
        for kind in (Kind.PASS, Kind.FAIL):
            tell(ProbeResult(rule, "us-east-1", (Verdict(kind, "so"),), 0.25))
    passed, failed = map(json.loads, capsys.readouterr().err.splitlines())
    assert (passed["level"], passed["verdict"], passed["seconds"]) == ("info", "PASS", 0.25)
    assert (failed["level"], failed["id"], failed["message"]) == ("warning", "LIVE-X-001", "so")


@pytest.mark.usefixtures("in_json")
@pytest.mark.parametrize(
    ("error", "code"), [(EnvironmentUnusable("No.", "Yes."), 4), (KeyboardInterrupt(), 130)]
)
def test_the_last_word_is_json_too(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        raise error

    with pytest.raises(SystemExit):
        cli.main(run)
    assert json.loads(capsys.readouterr().err)["exit_code"] == code


def test_the_options_are_of_all_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(LOG_FORMAT_VARIABLE, "text")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.app(["--verbose", "--log-format", "json", "version"])
    assert ended.value.code == 0
    assert os.environ[LOG_FORMAT_VARIABLE] == "json"
    assert capsys.readouterr().out.startswith("payinfra ")
    assert not logging.getLogger("payinfra").handlers

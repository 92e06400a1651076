"""The view of what happens: plain lines in a pipe, a live picture on a terminal."""

import json
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from payinfra.checks.probes.results import tell_nobody
from payinfra.core.events import (
    Action,
    Event,
    Notice,
    ResourceFailed,
    ResourceFinished,
    ResourceStarted,
    StageFinished,
    StageSkipped,
    StageStarted,
)
from payinfra.report import verify
from payinfra.report.drill import live as drill
from payinfra.report.formats import LOG_FORMAT_VARIABLE, QUIET_VARIABLE
from payinfra.report.progress import SHOWN_IN_PROGRESS, Progress, ProgressView, live, notices, plain, watching

STORY: tuple[Event, ...] = (
    StageStarted("synth"),
    StageFinished("synth", 0.8, "64 resources"),
    StageSkipped("verify", "not part of this version yet"),
    StageStarted("apply", 2),
    ResourceStarted("aws_kms_key.data", Action.CREATE),
    ResourceFinished("aws_kms_key.data", Action.CREATE, 8.2),
    ResourceStarted("aws_s3_bucket.audit", Action.CREATE),
    ResourceFailed("aws_s3_bucket.audit", Action.CREATE),
    Notice("Interrupted: waiting."),
    StageFinished("apply", 12.0),
)


def test_in_a_pipe_each_thing_that_ended_leaves_a_line(console: Console, printed: Callable[[], str]) -> None:
    with plain(console) as watch:
        for event in STORY:
            watch.emit(event)
    assert printed().splitlines() == [
        "> synth",
        "✓ synth      0.8 s  64 resources",
        "- verify            not part of this version yet",
        "> apply (2 resources)",
        "  created aws_kms_key.data (8 s, 1 of 2)",
        "✗ creating aws_s3_bucket.audit failed",
        "· Interrupted: waiting.",
        "✓ apply     12.0 s",
    ]


def test_what_is_only_read_leaves_no_line(console: Console, printed: Callable[[], str]) -> None:
    with plain(console) as watch:
        watch.emit(StageStarted("plan"))
        for number in range(3):
            watch.emit(ResourceStarted(f"data.aws_zone.z{number}", Action.READ))
            watch.emit(ResourceFinished(f"data.aws_zone.z{number}", Action.READ, 0.1))
        watch.emit(StageFinished("plan", 1.0, "nothing to change"))
    assert printed().splitlines() == ["> plan", "✓ plan       1.0 s  nothing to change"]


def terminal() -> tuple[Console, StringIO]:
    file = StringIO()
    return Console(file=file, force_terminal=True, width=100, _environ={"TERM": "xterm"}), file


def drawn(progress: Progress) -> str:
    console = Console(file=StringIO(), width=100)
    console.print(ProgressView(progress))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_the_picture_shows_stage_count_and_what_is_in_progress_since_when() -> None:
    now = 100.0
    progress = Progress(clock=lambda: now)
    for event in STORY[:5]:
        progress.take(event)
    progress.take(ResourceStarted("aws_sns_topic.alarms", Action.DELETE))
    progress.take(ResourceFinished("aws_sns_topic.alarms", Action.DELETE, 1))
    now = 112.0
    picture = drawn(progress)
    assert "apply" in picture
    assert "1 of 2 resources" in picture
    assert "12 s creating aws_kms_key.data" in picture
    assert "sns" not in picture


def test_the_picture_lists_the_oldest_and_counts_the_rest() -> None:
    moments = iter(range(100))
    progress = Progress(clock=lambda: next(moments))
    progress.take(StageStarted("apply", 40))
    for number in range(SHOWN_IN_PROGRESS + 3):
        progress.take(ResourceStarted(f"aws_kms_key.k{number}", Action.READ))
    picture = drawn(progress)
    assert "aws_kms_key.k0" in picture
    assert f"aws_kms_key.k{SHOWN_IN_PROGRESS}" not in picture
    assert "and 3 more" in picture


def test_between_stages_and_without_a_total_the_picture_is_quiet() -> None:
    progress = Progress()
    assert drawn(progress).strip() == ""
    progress.take(StageStarted("init"))
    assert "resources" not in drawn(progress)
    progress.take(ResourceStarted("a", Action.UPDATE))
    progress.take(ResourceFailed("a", Action.UPDATE))
    progress.take(Notice("hm"))
    assert "updating" not in drawn(progress)
    progress.take(StageSkipped("init", "no"))
    assert drawn(progress).strip() == ""


def test_on_a_terminal_lasting_lines_stay_and_a_question_can_be_asked() -> None:
    console, file = terminal()
    with live(console) as watch:
        for event in STORY:
            watch.emit(event)
        with watch.paused():
            console.print("Apply this plan?")
    said = file.getvalue()
    assert "64 resources" in said
    assert "Apply this plan?" in said


def test_a_pipe_gets_plain_lines_and_a_terminal_the_picture(console: Console) -> None:
    assert watching(console).__class__ is plain(console).__class__
    with watching(console) as watch, watch.paused():
        watch.emit(STORY[1])
    screen, file = terminal()
    with watching(screen) as watch:
        watch.emit(StageStarted("synth"))
    assert "\x1b[" in file.getvalue()


def test_who_has_a_view_of_its_own_is_told_what_is_worth_knowing_and_no_more(
    console: Console, printed: Callable[[], str]
) -> None:
    tell = notices(console)
    for event in STORY:
        tell(event)
    assert printed() == "· Interrupted: waiting.\n"


def test_what_is_worth_knowing_is_a_line_of_json_where_those_are_wanted(
    console: Console,
    printed: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(LOG_FORMAT_VARIABLE, "json")
    tell = notices(console)
    for event in STORY:
        tell(event)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "Interrupted: waiting."
    assert printed() == ""


def test_who_wants_quiet_is_told_nothing(
    console: Console, printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(QUIET_VARIABLE, "1")
    with (
        watching(console) as watch,
        watch.paused(),
        verify.watching(console) as tell,
        drill.watching(console),
    ):
        for event in STORY:
            watch.emit(event)
            notices(console)(event)
        assert tell is tell_nobody
    assert printed() == ""


def test_reads_are_counted_while_they_go_on() -> None:
    progress = Progress()
    progress.take(StageStarted("plan"))
    for number in range(3):
        progress.take(ResourceFinished(f"data.x{number}", Action.READ, 0.1))
    assert "3 done" in drawn(progress)

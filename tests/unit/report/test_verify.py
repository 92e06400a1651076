"""Probes while they run, what changed between runs, and an environment's status."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from payinfra.checks.outcome import Outcome
from payinfra.checks.probes.results import ProbeResult, outcome
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict
from payinfra.core.evacuation import EvacuationFlag
from payinfra.deployment.names import NameStatus
from payinfra.deployment.status import RegionStatus, Status
from payinfra.report import status as status_report
from payinfra.report import verify
from payinfra.report.formats import Format


def a_rule(id: str) -> Rule:
    return Rule(id, "Keys rotate", Severity.HIGH, "They may not.", "Mend it.")


def result(id: str, where: str, *verdicts: Verdict) -> ProbeResult:
    return ProbeResult(a_rule(id), where, verdicts, 0.5)


PASSED = result("LIVE-KMS-002", "us-east-1", Verdict.passed())
FAILED = result("LIVE-KMS-002", "us-west-2", Verdict.failed("a key does not rotate"))
PAIR = result("LIVE-FN-003", "us-east-1, us-west-2", Verdict.passed("same"))


def a_console(*, terminal: bool = False, width: int = 120) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_away_from_a_terminal_only_what_is_not_quiet_is_a_line() -> None:
    console = a_console()
    with verify.watching(console) as tell:
        for each in (PASSED, FAILED, PAIR):
            tell(each)
    assert written(console) == "✗ FAIL  LIVE-KMS-002  us-west-2  a key does not rotate\n"


def test_a_verdict_without_words_is_told_by_its_title() -> None:
    assert verify.line(PASSED).plain.endswith("us-east-1  Keys rotate")


def test_a_message_that_is_said_twice_is_shown_once() -> None:
    twice = result("LIVE-X-001", "us-east-1", Verdict.failed("a"), Verdict.failed("a"), Verdict.failed("b"))
    assert verify.line(twice).plain.endswith("  a; b")


def test_on_a_terminal_a_table_fills_in() -> None:
    console = a_console(terminal=True)
    with verify.watching(console) as tell:
        for each in (PASSED, FAILED, PAIR):
            tell(each)
    assert "LIVE-KMS-002" in written(console)


def test_the_table_has_a_row_a_probe_and_a_column_a_region() -> None:
    board = verify.ProbeGrid()
    board.take(PASSED)
    console = a_console()
    console.print(board)
    for each in (FAILED, PAIR, result("LIVE-X-001", "us-west-2", Verdict.passed())):
        board.take(each)
    console.print(board)
    lines = [line.split() for line in written(console).splitlines()]
    assert lines[:2] == [["us-east-1"], ["LIVE-KMS-002", "Keys", "rotate", "✓", "0.5", "s"]]
    assert lines[2] == ["us-east-1", "us-west-2"]
    assert ["LIVE-FN-003", "Keys", "rotate", "✓", "0.5", "s", "✓", "0.5", "s"] in lines
    assert ["LIVE-KMS-002", "Keys", "rotate", "✓", "0.5", "s", "✗", "0.5", "s"] in lines
    assert ["LIVE-X-001", "Keys", "rotate", "…", "✓", "0.5", "s"] in lines


def test_the_worst_verdict_counts() -> None:
    both = result("LIVE-X-001", "us-east-1", Verdict.passed(), Verdict.error("no answer"))
    assert verify.worst(both) is Kind.ERROR


def changed(before: Outcome, after: Outcome) -> str:
    console = a_console()
    verify.changed(console, before, after)
    return written(console)


def test_from_run_to_run_only_what_changed_is_shown() -> None:
    good, bad = outcome([PASSED]), outcome([FAILED])
    other = outcome([result("LIVE-KMS-002", "us-west-2", Verdict.failed("two keys do not rotate"))])
    assert changed(good, bad) == "FAIL  LIVE-KMS-002 us-west-2: a key does not rotate\n"
    assert changed(bad, other) == "FAIL  LIVE-KMS-002 us-west-2: two keys do not rotate\n"
    assert changed(bad, good) == "PASS  LIVE-KMS-002 us-west-2\n"
    assert changed(bad, bad) == "nothing changed\n"


EAST = RegionStatus("us-east-1", "primary", "http://east", 8, 7, ("errors",), ())
WEST = RegionStatus("us-west-2", "secondary", "http://west", 0, 0, (), ("alarms: no answer",))
STATUS = Status("demo", "local", (EAST, WEST), "failover.x", datetime(2026, 1, 2, tzinfo=UTC))


def test_a_status_is_one_screen() -> None:
    console = a_console()
    status_report.write_status(console, STATUS, Format.TABLE)
    text = written(console)
    assert "7 of 8 checkers say healthy" in text
    assert "errors" in text
    assert "us-west-2: alarms: no answer" in text
    assert "failover.x leads to: unknown (it was not asked for)" in text
    assert text.count("unknown") == 3
    assert "Last deployed: 2026-01-02 00:00:00 UTC" in text


@pytest.mark.parametrize("for_rehearsals", [True, False])
def test_a_status_says_that_names_without_a_domain_serve_rehearsals(for_rehearsals: bool) -> None:
    console = a_console()
    status_report.write_status(console, replace(STATUS, for_rehearsals=for_rehearsals), Format.TABLE)
    said = " ".join(written(console).split())
    assert ("Without --domain the names serve rehearsals, not clients" in said) is for_rehearsals


def test_a_region_that_is_gone_is_said_with_what_to_do() -> None:
    console = a_console()
    gone = replace(EAST, answers=False, ringing=())
    names = (
        NameStatus("failover.x", ("us-west-2",), ("west.host",), 60, 1),
        NameStatus("latency.x", ("us-east-1", "us-west-2"), ("west.host",), 60, 2, "ns3 does not answer"),
    )
    flag = EvacuationFlag("us-east-1", "2026-01-02T00:00:00+00:00", "alice")
    left = replace(WEST, flag=flag)
    status = replace(STATUS, regions=(gone, left), names=names, next_steps=("Evacuate it.",))
    status_report.write_status(console, status, Format.TABLE)
    text = written(console)
    assert "unknown: the region does not answer" in text
    assert "us-east-1 does not answer." in text
    assert "us-east-1 is evacuated since 2026-01-02T00:00:00+00:00, by alice, says us-west-2." in " ".join(
        text.split()
    )
    assert "failover.x leads to us-west-2 according to 1 name server" in text
    assert (
        "latency.x leads to us-east-1 or us-west-2 according to 2 name servers (ns3 does not answer)"
        in " ".join(text.split())
    )
    assert "What to do now:\n- Evacuate it." in text
    console = a_console()
    status_report.write_status(console, status, Format.JSON)
    read = json.loads(written(console))
    assert read["regions"][0]["answers"] is False
    assert read["regions"][0]["flag"] is None
    assert read["regions"][1]["flag"]["region"] == "us-east-1"
    assert read["names"][0]["leads_to"] == ["us-west-2"]
    assert read["next_steps"] == ["Evacuate it."]


def test_a_status_without_a_date_or_an_alarm_says_so() -> None:
    console = a_console()
    quiet = RegionStatus("us-east-1", "primary", "http://east", 8, 8, (), ())
    status_report.write_status(console, Status("demo", "aws", (quiet,), "x", None), Format.TABLE)
    assert "none" in written(console)
    assert "Last deployed: unknown" in written(console)


def test_a_status_as_json() -> None:
    console = a_console()
    status_report.write_status(console, STATUS, Format.JSON)
    read = json.loads(written(console))
    assert read["deployed"] == "2026-01-02T00:00:00+00:00"
    assert read["regions"][0]["ringing"] == ["errors"]
    console = a_console()
    status_report.write_status(console, Status("demo", "aws", (), "x", None), Format.JSON)
    assert json.loads(written(console))["deployed"] is None

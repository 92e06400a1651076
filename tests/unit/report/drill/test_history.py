"""Past drills as a table, as JSON, and in one line of an environment's status."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from rich.console import Console

from payinfra.deployment.status import Status
from payinfra.drill.model import DrillReport, RecoveryTime
from payinfra.drill.report_store import Past, SkippedReport, Trend
from payinfra.report import status as status_report
from payinfra.report.drill.history import LISTED, summary, told, write_history
from payinfra.report.formats import Format

SKIPPED = SkippedReport("20260101T000000Z-aaaa", "it has no report")


def test_a_line_a_drill_then_the_trends_then_what_was_not_read(
    console: Console, printed: Callable[[], str], samples: Mapping[str, DrillReport]
) -> None:
    write_history(console, Past(tuple(samples.values()), (SKIPPED,)), Format.TABLE)
    text = printed()
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("2026") and "\t" in line}
    assert list(lines) == [report.id for report in samples.values()]
    assert "lambda-throttle" in lines[samples["perfect"].id]
    for cell in ("PASS, PASS", "92.0 s", "97.0 s"):
        assert cell in lines[samples["perfect"].id]
    assert "FAIL, PASS" in lines[samples["aborted"].id]
    assert "unknown" in lines[samples["aborted"].id]
    assert "97.0 s" not in lines[samples["reversed"].id]
    assert "RTO of lambda-throttle: █ 92.0 s (predicted 97.0 s; the first of its kind)" in text
    assert text.rstrip().endswith("20260101T000000Z-aaaa: not read, it has no report")


def test_an_id_is_never_folded(samples: Mapping[str, DrillReport], printed: Callable[[], str]) -> None:
    narrow = Console(width=60, force_terminal=False)
    with narrow.capture() as captured:
        write_history(narrow, Past(tuple(samples.values())), Format.TABLE)
    assert all(report.id in captured.get() for report in samples.values())


def test_for_scripts_the_same(
    console: Console, printed: Callable[[], str], samples: Mapping[str, DrillReport]
) -> None:
    write_history(console, Past(tuple(samples.values()), (SKIPPED,)), Format.JSON)
    document = json.loads(printed())
    assert [drill["id"] for drill in document["drills"]] == [report.id for report in samples.values()]
    assert document["drills"][1]["passed"] is False
    assert document["drills"][1]["scenarios"] == ["region-outage", "replication-pause"]
    assert document["trends"][0] == {
        "kind": "lambda-throttle",
        "measured_s": [92.0],
        "latest_s": 92.0,
        "usual_s": None,
        "predicted_s": 97.0,
    }
    assert document["skipped"] == [{"id": SKIPPED.id, "reason": "it has no report"}]


def test_nothing_drilled_is_an_empty_document(console: Console, printed: Callable[[], str]) -> None:
    write_history(console, Past(()), Format.JSON)
    assert json.loads(printed()) == {
        "schema": "payinfra/drills-1",
        "version": 1,
        "drills": [],
        "trends": [],
        "skipped": [],
    }


def test_only_what_cannot_be_read_is_no_table(console: Console, printed: Callable[[], str]) -> None:
    write_history(console, Past((), (SKIPPED,)), Format.TABLE)
    assert printed() == "20260101T000000Z-aaaa: not read, it has no report\n"


def test_a_trend_shows_all_names_the_latest_and_says_how_they_differ() -> None:
    assert told(Trend("x", (80.0, 100.0), 97.0)) == (
        "RTO of x: ▇█ 80.0, 100.0 s (predicted 97.0 s; +20.0 s against the one before)"
    )
    many = Trend("x", (10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 25.0), 30.0)
    assert told(many) == (
        "RTO of x: ▂▃▅▆▇█▄ 30.0, 40.0, 50.0, 60.0, 25.0 s "
        "(predicted 30.0 s; -10.0 s against the median of 6 before)"
    )
    assert told(many).count(",") == LISTED - 1


def test_a_drill_in_one_line(samples: Mapping[str, DrillReport]) -> None:
    assert summary(samples["perfect"]) == (
        "2026-11-23 10:15 UTC, lambda-throttle: resilience PASS, restoration PASS, "
        "RTO 92.0 s (predicted 97.0 s)"
    )
    never = replace(samples["perfect"], recovery=RecoveryTime(97.0, 97.0, None))
    assert summary(never).endswith("RTO never (predicted 97.0 s)")
    assert summary(samples["paused"]).endswith("restoration PASS")


class TestStatus:
    """What an environment's status says of drills."""

    def status(self, console: Console, fmt: Format, **more: object) -> None:
        status = replace(Status("demo", "local", (), "failover.x", None), **more)  # type: ignore[arg-type]  # by name
        status_report.write_status(console, status, fmt)

    def test_never_drilled(self, console: Console, printed: Callable[[], str]) -> None:
        self.status(console, Format.TABLE)
        assert "Last drill: none\n" in printed()
        assert "Not restored" not in printed()

    def test_the_last_drill(self, console: Console, printed: Callable[[], str], perfect: DrillReport) -> None:
        self.status(console, Format.TABLE, drill=perfect)
        assert f"Last drill: {summary(perfect)}" in " ".join(printed().split())

    def test_what_is_not_restored_with_the_command(
        self, console: Console, printed: Callable[[], str]
    ) -> None:
        self.status(console, Format.TABLE, unrestored=("20260101T000000Z-aaaa", "b"))
        assert (
            "Not restored: drill 20260101T000000Z-aaaa, b. Put everything back with "
            "`payinfra failover-drill --restore --env demo --local`."
        ) in " ".join(printed().split())

    def test_what_is_in_place_without_a_journal_with_the_command(
        self, console: Console, printed: Callable[[], str]
    ) -> None:
        self.status(console, Format.TABLE, unrestored=("\x1b[2Jx",))
        assert "Not restored: drill \\x1b[2Jx." in " ".join(printed().split())
        self.status(console, Format.TABLE, in_place=("It is \x1b[31mdark.",), unclear=("Nobody knows.",))
        said = " ".join(printed().split())
        assert "In place: It is \\x1b[31mdark. Nobody knows. Put everything back with `payinfra" in said
        assert "--restore --env demo --local`" in said

    def test_for_scripts(self, console: Console, printed: Callable[[], str], failed: DrillReport) -> None:
        self.status(console, Format.JSON, drill=failed, unrestored=("a",))
        document = json.loads(printed())
        assert (document["drill"]["id"], document["drill"]["restored"]) == (failed.id, "FAIL")
        assert document["unrestored"] == ["a"]

    def test_for_scripts_never_drilled(self, console: Console, printed: Callable[[], str]) -> None:
        self.status(console, Format.JSON)
        assert (json.loads(printed())["drill"], json.loads(printed())["unrestored"]) == (None, [])

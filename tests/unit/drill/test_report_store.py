"""Reports on disk: what is written comes back, what cannot be read says why, and recovery has a trend."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import payinfra.report
from payinfra.drill.model import DrillReport, Mark, RecoveryTime, Scenario
from payinfra.drill.report_store import (
    FILE,
    SCHEMA,
    Trend,
    UnreadableReport,
    from_json,
    kind_of,
    latest,
    past,
    save,
    schema,
    to_json,
    trends,
)
from payinfra.report.drill import rendering
from payinfra.report.formats import DrillFormat
from tests.unit.report.drill.conftest import ABORTED, ALL, FAILED, PAUSED, PERFECT, REVERSED

SCHEMA_FILE = Path(payinfra.report.__file__).parent / "schemas" / "drill-2.json"


@pytest.mark.parametrize("report", ALL.values(), ids=ALL)
def test_what_is_written_comes_back_as_it_was(report: DrillReport) -> None:
    assert from_json(to_json(report)) == report


@settings(deadline=None)  # the machine may be busy, and how long it takes says nothing
@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_a_text_or_a_figure_is_it_comes_back_in_ascii(what: str, at_s: float) -> None:
    report = replace(PAUSED, aborted=what, marks=(Mark(at_s, what),))
    document = to_json(report)
    assert document.isascii()
    assert from_json(document) == report


@pytest.mark.parametrize("report", ALL.values(), ids=ALL)
def test_a_document_fits_the_committed_schema_to_the_field(report: DrillReport) -> None:
    committed = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(committed)
    document = json.loads(to_json(report))

    assert list(Draft202012Validator(committed).iter_errors(document)) == []
    assert set(document) == set(committed["properties"]) == set(committed["required"])


def test_the_committed_schema_is_what_the_values_say() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == schema()


@pytest.mark.parametrize("kind", ["perfect", "failed", "aborted"])
def test_a_report_of_version_1_can_still_be_read_and_shown(kind: str) -> None:
    text = (Path(__file__).parent / "schema_1" / f"{kind}.json").read_text(encoding="utf-8")
    before = json.loads(text)
    report = from_json(text)
    assert (report.id, report.resilience.value) == (before["id"], before["resilience"])
    assert (report.objectives, report.doubts, report.machine) == ((), (), None)
    counted = before["reckoning"]
    assert (report.reconciliation is None) is (counted is None)
    if report.reconciliation is not None:
        assert report.reconciliation.acknowledged == counted["acknowledged"]
    assert from_json(to_json(report)) == report
    for how in (DrillFormat.MARKDOWN, DrillFormat.HTML, DrillFormat.JUNIT):
        assert report.lost_region in rendering.text(report, how)


def test_the_schema_names_every_field_of_every_value() -> None:
    committed = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    known: dict[str, Any] = vars(payinfra.drill.model)
    for name, found in committed["$defs"].items():
        if dataclasses.is_dataclass(known[name]):
            assert set(found["properties"]) == {field.name for field in dataclasses.fields(known[name])}
            assert set(found["required"]) == set(found["properties"])
        else:
            assert found["enum"] == [one.value for one in known[name]]


def test_a_document_says_for_scripts_whether_the_drill_passed() -> None:
    assert [json.loads(to_json(report))["passed"] for report in (PERFECT, FAILED, ABORTED)] == [
        True,
        False,
        False,
    ]


def test_what_a_later_version_added_is_passed_over() -> None:
    document = json.loads(to_json(PERFECT))
    document |= {"weather": "fine", "recovery": {**document["recovery"], "mood": 1}}
    assert from_json(json.dumps(document)) == PERFECT


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text[:-20], "it is not JSON: "),
        (lambda _text: "[]", "its schema is None, and this version reads 'payinfra/drill-2'"),
        (lambda text: text.replace(SCHEMA, "payinfra/drill-9"), "its schema is 'payinfra/drill-9'"),
        (lambda text: text.replace('"rpo": 0', '"rpo": "none"'), "rpo: Input should be a valid integer"),
        (lambda text: text.replace('"hold"', '"rest"'), r"phases.9.phase: Input should be"),
    ],
)
def test_what_is_no_report_says_what_is_wrong(spoil: Callable[[str], str], reason: str) -> None:
    with pytest.raises(UnreadableReport) as refused:
        from_json(spoil(to_json(PERFECT)))
    assert refused.value.what.startswith(reason)


class TestFiles:
    """One folder a drill."""

    def test_a_report_is_its_owners_only(self, tmp_path: Path) -> None:
        file = save(PERFECT, tmp_path / PERFECT.id)
        assert file == tmp_path / PERFECT.id / FILE
        assert file.stat().st_mode & 0o777 == 0o600
        assert from_json(file.read_text(encoding="utf-8")) == PERFECT

    def test_past_drills_come_oldest_first_and_what_cannot_be_read_says_why(self, tmp_path: Path) -> None:
        for report in (FAILED, PERFECT):
            save(report, tmp_path / report.id)
        (tmp_path / "20260101T000000Z-aaaa").mkdir()
        broken = tmp_path / "20260102T000000Z-bbbb"
        broken.mkdir()
        (broken / FILE).write_bytes(b"\xff")
        folder = tmp_path / "20260103T000000Z-cccc"
        (folder / FILE).mkdir(parents=True)
        other = tmp_path / "20260104T000000Z-dddd"
        other.mkdir()
        (other / FILE).write_text("{}", encoding="utf-8")
        (tmp_path / "a file").write_text("", encoding="utf-8")

        found = past(tmp_path)

        assert found.drills == (PERFECT, FAILED)
        reasons = {skipped.id[-4:]: skipped.reason for skipped in found.skipped}
        assert set(reasons) == {"aaaa", "bbbb", "cccc", "dddd"}
        assert reasons["aaaa"] == "it has no report: it is under way, or was killed before it wrote one"
        assert reasons["bbbb"].startswith("report.json cannot be read: 'utf-8' codec")
        assert reasons["cccc"].startswith("report.json cannot be read: [Errno 21]")
        assert reasons["dddd"].startswith("report.json: its schema is None")

    def test_the_latest_is_the_latest_that_can_be_read(self, tmp_path: Path) -> None:
        for report in (PERFECT, PAUSED, FAILED):
            save(report, tmp_path / report.id)
        (tmp_path / "20991231T000000Z-aaaa").mkdir()
        assert latest(tmp_path) == PAUSED

    def test_where_nothing_was_drilled_there_is_nothing(self, tmp_path: Path) -> None:
        assert past(tmp_path / "none").drills == ()
        assert latest(tmp_path / "none") is None
        assert latest(tmp_path) is None


class TestTrends:
    """Recovery times over time."""

    def test_only_drills_that_can_be_compared_are(self) -> None:
        def took(report: DrillReport, seconds: float | None) -> DrillReport:
            return replace(report, recovery=RecoveryTime(97.0, 97.0, seconds))

        fast = replace(took(PERFECT, 9.1), time_scale=10.0)
        reports = [
            took(PERFECT, 92.0),
            took(FAILED, 112.4),
            took(PERFECT, None),
            fast,
            took(PERFECT, 90.0),
            took(PERFECT, 101.0),
            REVERSED,
        ]

        assert trends(reports) == (
            Trend("lambda-throttle", (92.0, 90.0, 101.0), 97.0),
            Trend("region-outage + replication-pause", (112.4,), 97.0),
            Trend("lambda-throttle, time x 10", (9.1,), 97.0),
        )

    def test_the_latest_is_held_against_the_median_before_it(self) -> None:
        trend = Trend("x", (92.0, 90.0, 95.0, 101.0), 97.0)
        assert (trend.latest_s, trend.usual_s) == (101.0, 92.0)
        assert Trend("x", (92.0,), 97.0).usual_s is None

    def test_a_kind_is_what_failed_where_and_how_fast_time_ran(self) -> None:
        assert kind_of(REVERSED) == "health-check, reversed, time x 10"
        both = replace(PERFECT, scenarios=(Scenario.REGION_OUTAGE, Scenario.REPLICATION_PAUSE))
        assert kind_of(both) == "region-outage + replication-pause"


def test_drills_are_ordered_by_when_they_began_whatever_their_folders_are_called(tmp_path: Path) -> None:
    earlier = replace(FAILED, began=PERFECT.began - timedelta(days=1))
    save(earlier, tmp_path / "b")
    save(PERFECT, tmp_path / "a")
    assert past(tmp_path).drills == (earlier, PERFECT)

"""A flag is read as it was written; whatever else stands in its place is none."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from payinfra.core.evacuation import NOT_EVACUATED, EvacuationFlag

FLAG = EvacuationFlag("us-east-1", "2026-03-01T03:12:45+00:00", "alice")


def test_a_flag_is_read_as_it_was_written() -> None:
    assert EvacuationFlag.from_json(FLAG.to_json()) == FLAG
    drilled = replace(FLAG, drill="drill-1", until="2026-03-01T03:30:00+00:00")
    assert EvacuationFlag.from_json(drilled.to_json()) == drilled


def test_a_real_evacuation_names_no_drill_and_has_no_end() -> None:
    assert json.loads(FLAG.to_json()).keys() == {"region", "since", "by"}


@pytest.mark.parametrize(
    "text", [NOT_EVACUATED, "", "[]", "{", '{"region": ""}', '{"region": 1}', "[" * 9999]
)
def test_whatever_else_is_there_is_no_flag(text: str) -> None:
    assert EvacuationFlag.from_json(text) is None


@pytest.mark.parametrize(
    ("until", "stands"),
    [
        ("", True),
        ("2026-03-01T03:30:01+00:00", True),
        ("2026-03-01T04:30:01+01:00", True),
        ("2026-03-01T03:30:00+00:00", False),
        ("2026-03-01T03:30:01", False),
        ("soon", False),
    ],
)
def test_a_flag_with_an_end_stands_until_then(until: str, stands: bool) -> None:
    drilled = replace(FLAG, drill="drill-1", until=until)
    assert drilled.stands(datetime(2026, 3, 1, 3, 30, tzinfo=UTC)) is stands

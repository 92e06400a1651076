"""What is remembered of earlier applies."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.deployment.recovery.apply_log import ApplyLog

FIRST = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> ApplyLog:
    return ApplyLog(tmp_path / "work" / "applied.json")


def test_nothing_is_known_at_first(journal: ApplyLog) -> None:
    journal.end()
    assert (journal.is_open, journal.was_cut_off, journal.first) == (False, False, None)
    assert not journal.file.exists()


def test_an_apply_that_ended_well_was_not_cut_off(journal: ApplyLog) -> None:
    journal.begin(FIRST)
    assert journal.is_open
    journal.end()
    assert (journal.is_open, journal.was_cut_off, journal.first) == (False, False, FIRST)


def test_an_apply_that_did_not_end_is_remembered_after_one_that_did(journal: ApplyLog) -> None:
    journal.begin(FIRST)
    assert journal.was_cut_off
    journal.begin(FIRST + timedelta(hours=1))
    journal.end()
    assert (journal.is_open, journal.was_cut_off, journal.first) == (False, True, FIRST)
    journal.begin(FIRST + timedelta(hours=2))
    journal.end()
    assert journal.was_cut_off


def test_a_first_deployment_that_never_ended_is_told_from_an_update(journal: ApplyLog) -> None:
    assert not journal.never_ended
    journal.begin(FIRST)
    assert journal.never_ended
    journal.end()
    journal.begin(FIRST)
    assert not journal.never_ended
    journal.forget()
    assert not journal.never_ended


def test_a_destroyed_environment_begins_anew(journal: ApplyLog) -> None:
    journal.begin(FIRST)
    journal.forget()
    journal.forget()
    assert (journal.is_open, journal.was_cut_off, journal.first) == (False, False, None)


@pytest.mark.parametrize("damaged", ["", "{", "[]", "[" * 100_000, '{"open": true}', '{"first": "x"}', "\0"])
def test_a_damaged_journal_is_refused_with_a_next_step(journal: ApplyLog, damaged: str) -> None:
    journal.file.parent.mkdir()
    journal.file.write_text(damaged)
    for ask in (lambda: journal.is_open, lambda: journal.first, lambda: journal.begin(FIRST)):
        with pytest.raises(EnvironmentUnusable, match=r"applied\.json.* is damaged") as caught:
            ask()
        assert "Move it away" in caught.value.hint
    assert journal.file.read_text() == damaged
    journal.forget()
    journal.begin(FIRST)
    assert journal.first == FIRST


def test_a_journal_that_is_a_folder_is_refused(journal: ApplyLog) -> None:
    journal.file.mkdir(parents=True)
    with pytest.raises(EnvironmentUnusable, match="Is a directory"):
        _ = journal.was_cut_off


def test_it_is_for_its_owner_only(journal: ApplyLog) -> None:
    journal.begin(FIRST)
    assert stat.S_IMODE(journal.file.stat().st_mode) == 0o600

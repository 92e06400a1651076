"""The journal: whole on disk before anything is done, and readable whatever ended its writer."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payinfra.core.errors import EnvironmentUnusable, NotRestored
from payinfra.drill.faults.actions import FaultAction
from payinfra.drill.faults.health_check import InvertHealthCheck
from payinfra.drill.faults.journal import (
    FILE,
    FaultJournal,
    Header,
    JournalContent,
    open_journals,
    restore_command,
)
from payinfra.drill.faults.lambda_throttle import SetConcurrency
from payinfra.drill.faults.region_outage import Blackout

HEADER = Header(
    drill="20260102T030405Z",
    env="demo",
    target="local",
    account="000000000000",
    regions=("us-east-1", "us-west-2"),
    scenarios=("lambda-throttle", "region-outage"),
    began=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    command="payinfra failover-drill --env demo --local",
)
LIMIT = SetConcurrency("us-east-1", "pay", None)
DARK = Blackout("us-east-1")
CHECK = InvertHealthCheck("hc-1", original=False)


def begin(folder: Path, header: Header = HEADER) -> FaultJournal:
    return FaultJournal.begin(folder / header.drill, header)


def test_a_journal_is_there_with_its_header_for_its_owner_only(tmp_path: Path) -> None:
    journal = begin(tmp_path / "drills")
    assert journal.path == tmp_path / "drills" / HEADER.drill / FILE
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in journal.path.parent.iterdir()] == [FILE]
    assert journal.read() == JournalContent(HEADER, (), (), closed=False)


def test_what_is_announced_done_undone_and_noted_is_read_in_order(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    first, second, third = (journal.announce(one) for one in (LIMIT, DARK, CHECK))
    journal.done(first)
    journal.note("3 payments are removed")
    journal.done(second)
    journal.undone(second)
    record = journal.read()
    assert [(entry.action, entry.done, entry.undone) for entry in record.entries] == [
        (LIMIT, True, False),
        (DARK, True, True),
        (CHECK, False, False),
    ]
    assert [entry.number for entry in record.left] == [first, third]
    assert record.notes == ("3 payments are removed",)
    assert record.open


@dataclass
class Syncs:
    """What was on disk each time that it was forced there."""

    path: Path
    seen: list[str] = field(default_factory=list)

    def __call__(self, descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self.seen.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        else:
            lines = os.pread(descriptor, 10_000, 0) if _readable(descriptor) else self.path.read_bytes()
            self.seen.append(json.loads(lines.splitlines()[-1])["line"])
        os.fsync(descriptor)


def _readable(descriptor: int) -> bool:
    try:
        os.pread(descriptor, 1, 0)
    except OSError:
        return False
    return True


def test_every_line_is_forced_to_disk_before_its_writer_goes_on_and_so_are_the_folders(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "drills" / HEADER.drill
    # The header is written beside the journal, whose name it gets when it is whole.
    syncs = Syncs(folder / f".{FILE}.new")
    journal = FaultJournal.begin(folder, HEADER, sync=syncs)
    assert syncs.seen == ["header", *(str(each) for each in (folder, folder.parent, tmp_path))]
    journal = FaultJournal(journal.path, sync=Syncs(journal.path))
    assert isinstance(journal.sync, Syncs)
    journal.done(journal.announce(LIMIT))
    journal.undone(1)
    journal.close()
    assert journal.sync.seen == ["about to", "done", "undone", "closed"]


def test_lines_say_when(tmp_path: Path) -> None:
    journal = FaultJournal.begin(
        tmp_path / "d", HEADER, now=lambda: datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    )
    journal.announce(DARK)
    line = json.loads(journal.path.read_text().splitlines()[-1])
    assert line["at"] == "2026-01-02T03:04:06.000+00:00"


def test_a_second_journal_does_not_take_the_firsts_place(tmp_path: Path) -> None:
    begin(tmp_path).announce(DARK)
    with pytest.raises(EnvironmentUnusable, match="another drill's journal"):
        begin(tmp_path)
    assert FaultJournal(tmp_path / HEADER.drill / FILE).read().left


def test_a_header_that_a_kill_left_beside_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / HEADER.drill
    folder.mkdir()
    (folder / f".{FILE}.new").write_text('{"line": "hea')
    assert begin(tmp_path).read().header == HEADER


# -- kills -------------------------------------------------------------------------------------------------


def unsynced(_descriptor: int) -> None:
    """Nothing: no disk is needed to tell what was written."""


def fill(journal: FaultJournal) -> bytes:
    """The journal of a drill that announced two actions, made one, and undid it."""
    journal.done(journal.announce(LIMIT))
    journal.announce(DARK)
    journal.undone(1)
    return journal.path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 600))
@example(cut=1)  # the last line is whole, but for its end
def test_a_last_line_cut_short_anywhere_is_passed_over_and_the_journal_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    journal = FaultJournal.begin(tmp_path_factory.mktemp("kill"), HEADER, sync=unsynced)
    header_ends = journal.path.stat().st_size
    whole = fill(journal)
    end = max(header_ends, len(whole) - cut)
    journal.path.write_bytes(whole[:end])
    said = journal.read()
    again = FaultJournal.reopen(journal.path, sync=unsynced)
    assert again.read() == said
    # Every line whose writer can have gone on is there.
    complete = whole[:end].count(b"\n")
    assert len(said.entries) >= sum(b'"about to"' in line for line in whole.split(b"\n")[:complete])
    number = again.announce(CHECK)
    assert again.read().entries[-1].number == number == len(said.entries) + 1
    assert again.read().entries[: len(said.entries)] == said.entries


def test_reopening_a_whole_journal_changes_nothing_and_forces_nothing(tmp_path: Path) -> None:
    whole = fill(begin(tmp_path))
    path = tmp_path / HEADER.drill / FILE
    FaultJournal.reopen(path, sync=refusing("nobody syncs"))
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda lines: [*lines[:1], b"{", *lines[2:]], 2),
        (lambda lines: [*lines[:2], b'{"line":"burned"}', *lines[2:]], 3),
        (lambda lines: [*lines[:1], b'{"line":"done","number":9}', *lines[1:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[0].replace(b'"env":"demo"', b'"env":7'), *lines[1:]], 1),
        (lambda lines: [b""], 1),
    ],
)
def test_a_damaged_journal_is_named_with_its_line_and_stays_open(
    tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    whole = fill(begin(tmp_path))
    path = tmp_path / HEADER.drill / FILE
    path.write_bytes(b"\n".join(damage(whole.split(b"\n"))))
    with pytest.raises(EnvironmentUnusable, match=f"Line {line} of .* damaged") as damaged:
        FaultJournal(path).read()
    assert "by hand" in damaged.value.hint
    assert open_journals(tmp_path) == (path,)


def test_a_journal_of_another_version_is_for_that_version(tmp_path: Path) -> None:
    path = begin(tmp_path).path
    path.write_bytes(path.read_bytes().replace(b'"version":2', b'"version":3'))
    with pytest.raises(EnvironmentUnusable, match="version 3; this payinfra reads 2"):
        FaultJournal(path).read()


def test_a_action_that_this_version_does_not_know_is_named(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    journal.announce(DARK)
    journal.path.write_bytes(
        without_checksums(journal.path.read_bytes().replace(b'"kind":"blackout"', b'"kind":"flood"'))
    )
    with pytest.raises(EnvironmentUnusable, match="flood"):
        journal.read()


def without_checksums(journal: bytes) -> bytes:
    """A journal as version 1 wrote it."""
    lines = [json.loads(line) for line in journal.splitlines()]
    for line in lines:
        del line["sum"]
    lines[0]["version"] = 1
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def test_a_journal_of_the_version_before_can_still_be_restored(tmp_path: Path) -> None:
    now = fill(begin(tmp_path))
    path = tmp_path / HEADER.drill / FILE
    said = FaultJournal(path).read()
    path.write_bytes(without_checksums(now))
    before = FaultJournal.reopen(path)
    assert before.read() == said
    before.undone(2)
    assert before.read().left == ()


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (b'"region":"us-east-1"', b'"region":"us-west-2"', 2),
        (b'"account":"000000000000"', b'"account":"111111111111"', 1),
        (b'"env":"demo"', b'"env":"prod"', 1),
        (b'"target":"local"', b'"target":"other"', 1),
    ],
)
def test_a_line_that_was_changed_is_damaged(tmp_path: Path, before: bytes, after: bytes, line: int) -> None:
    whole = fill(begin(tmp_path))
    path = tmp_path / HEADER.drill / FILE
    path.write_bytes(whole.replace(before, after))
    with pytest.raises(EnvironmentUnusable, match=f"Line {line} of .* damaged"):
        FaultJournal(path).read()


def test_a_line_of_another_environments_journal_is_damaged(tmp_path: Path) -> None:
    own, other = begin(tmp_path / "own"), begin(tmp_path / "other", replace(HEADER, env="prod"))
    other.announce(DARK)
    with own.path.open("ab") as file:
        file.write(other.path.read_bytes().splitlines(keepends=True)[-1])
    with pytest.raises(EnvironmentUnusable, match=r"Line 2 of .* damaged"):
        own.read()


def test_what_is_not_damaged_is_still_told(tmp_path: Path) -> None:
    whole = fill(begin(tmp_path)).splitlines(keepends=True)
    path = tmp_path / HEADER.drill / FILE
    path.write_bytes(b"".join([*whole[:2], b"garbage\n", *whole[2:-1], b'{"line":"burned"}\n']))
    found = FaultJournal(path).salvage()
    assert [entry.action for entry in found.entries] == [LIMIT, DARK]
    assert found.damaged == (3, 6)


def test_what_this_process_has_written_is_known_without_the_file(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    fill(journal)
    said = journal.read()
    shutil.rmtree(journal.path.parent)
    assert journal.known().entries == said.entries
    assert journal.is_lost
    with pytest.raises(EnvironmentUnusable, match="cannot be written"):
        journal.undone(2)
    assert journal.known().left == ()
    journal.close()
    assert not journal.path.exists()
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        FaultJournal(journal.path).known()


# -- what cannot be written --------------------------------------------------------------------------------


def refusing(why: str) -> Callable[[int], None]:
    def sync(_descriptor: int) -> None:
        raise OSError(28, why)

    return sync


def test_what_cannot_be_forced_to_disk_is_not_announced_and_the_journal_stays_whole(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    before = journal.path.read_bytes()
    full = FaultJournal(journal.path, sync=refusing("No space left on device"))
    with pytest.raises(EnvironmentUnusable, match="cannot be written: No space left") as refused:
        full.announce(DARK)
    assert "Make room" in refused.value.hint
    assert journal.path.read_bytes() == before
    assert journal.announce(DARK) == 1


def test_a_drill_without_a_journal_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="No space left"):
        FaultJournal.begin(tmp_path / "d", HEADER, sync=refusing("No space left on device"))
    assert open_journals(tmp_path) == ()


def test_a_journal_that_is_gone_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        FaultJournal.reopen(tmp_path / FILE)


def test_a_journal_that_may_not_be_mended_cannot_be_gone_on_with(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    with journal.path.open("ab") as file:
        file.write(b'{"line":')
    with pytest.raises(EnvironmentUnusable, match="cannot be written"):
        FaultJournal.reopen(journal.path, sync=refusing("Input/output error"))


# -- open and closed ---------------------------------------------------------------------------------------


def journal_of(folder: Path, drill: str, *actions: FaultAction) -> FaultJournal:
    journal = FaultJournal.begin(folder / drill, HEADER)
    for action in actions:
        journal.announce(action)
    return journal


def test_open_journals_are_those_with_something_left_or_without_an_end(tmp_path: Path) -> None:
    killed = journal_of(tmp_path, "3-killed", DARK)
    restored = journal_of(tmp_path, "2-restored", DARK)
    restored.undone(1)
    closed = journal_of(tmp_path, "1-closed", DARK)
    closed.undone(1)
    closed.close()
    assert open_journals(tmp_path) == (restored.path, killed.path)
    restored.close()
    assert open_journals(tmp_path) == (killed.path,)
    assert open_journals(tmp_path / "none") == ()


def test_a_journal_is_not_closed_over_something_that_is_left(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    journal.done(journal.announce(DARK))
    with pytest.raises(NotRestored) as refused:
        journal.close()
    assert "payinfra failover-drill --restore --env demo --local" in refused.value.hint
    assert journal.read().open
    journal.undone(1)
    journal.close()
    whole = journal.path.read_bytes()
    journal.close()
    assert journal.path.read_bytes() == whole
    assert not journal.read().open


def test_a_closed_journal_that_goes_on_is_open(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    journal.close()
    journal.undone(journal.announce(DARK))
    assert journal.read().open


def test_the_command_that_restores() -> None:
    assert restore_command("prod", "aws") == "payinfra failover-drill --restore --env prod"

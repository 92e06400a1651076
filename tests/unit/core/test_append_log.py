"""The append-only log: what it holds outlives kills, and nothing that was changed in it passes for whole."""

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payinfra.core.append_log import AppendLog, LogDamaged, LogHeader, Record, encode, read
from payinfra.core.errors import ExitCode

HEADER = LogHeader("drill-journal", 1, "demo", "123456789012", "aws", {"scenarios": ["outage"]})
RECORDS: tuple[Record, ...] = (
    {"line": "about to", "number": 1},
    ["table", "p", "s", None],
    {"what": "ä\n\0"},
)


def nothing(_descriptor: int) -> None:
    """A disk that needs no time."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def written(path: Path, *records: Record) -> bytes:
    with AppendLog.create(path, HEADER, sync=nothing) as log:
        log.append(*records)
    return path.read_bytes()


# -- what is written ---------------------------------------------------------------------------------


def test_what_was_appended_is_read_back_in_its_order(path: Path) -> None:
    written(path, *RECORDS)
    found = read(path)
    assert found.header == HEADER
    assert found.records == RECORDS
    assert found.torn == 0


def test_every_line_is_json_for_whoever_looks_into_the_file(path: Path) -> None:
    lines = [json.loads(line) for line in written(path, *RECORDS).splitlines()]
    assert [line["record"] for line in lines[1:]] == list(RECORDS)


def test_the_file_is_its_owners_only(path: Path) -> None:
    written(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_goes_on_where_it_ended(path: Path) -> None:
    written(path, {"n": 1})
    with AppendLog.open(path, sync=nothing) as log:
        log.append({"n": 2})
        assert log.cut == 0
    assert read(path).records == ({"n": 1}, {"n": 2})


def test_records_of_many_threads_keep_apart(path: Path) -> None:
    with AppendLog.create(path, HEADER, sync=nothing) as log, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: log.append({"n": n}, {"n": n}, durable=False), range(200)))
    numbers = [record["n"] for record in read(path).records]
    assert sorted(numbers) == sorted([*range(200), *range(200)])
    assert numbers[::2] == numbers[1::2]


def test_closing_twice_closes_nothing_else(path: Path) -> None:
    log = AppendLog.create(path, HEADER, sync=nothing)
    log.close()
    reused = os.open(path, os.O_RDONLY)
    log.close()
    assert os.fstat(reused).st_size
    os.close(reused)


@pytest.mark.parametrize("record", [{"n": float("nan")}, {"n": object()}])
def test_what_json_cannot_hold_is_refused_and_nothing_is_written(path: Path, record: Record) -> None:
    with AppendLog.create(path, HEADER, sync=nothing) as log:
        with pytest.raises((ValueError, TypeError)):
            log.append({"n": 1}, record)
        log.append({"n": 2})
    assert read(path).records == ({"n": 2},)


# -- the disk ----------------------------------------------------------------------------------------


def test_a_new_log_is_on_the_disk_with_its_header_before_it_has_its_name(path: Path) -> None:
    seen: list[str] = []

    def sync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append(f"{kind} {path.exists()}")

    AppendLog.create(path, HEADER, sync=sync).close()
    assert seen == ["file False", "folder True"]


def test_a_durable_record_is_synced_once_for_all_that_come_together(path: Path) -> None:
    synced: list[int] = []
    with AppendLog.create(path, HEADER, sync=nothing) as log:
        log._sync = synced.append
        log.append({"n": 1}, {"n": 2})
        log.append({"n": 3}, durable=False)
    assert len(synced) == 1


def test_a_record_that_the_disk_does_not_take_is_not_in_the_log(path: Path) -> None:
    full = False

    def sync(_descriptor: int) -> None:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")

    with AppendLog.create(path, HEADER, sync=sync) as log:
        log.append({"n": 1})
        full = True
        with pytest.raises(OSError, match="No space"):
            log.append({"n": 2})
        full = False
        log.append({"n": 3})
    assert read(path).records == ({"n": 1}, {"n": 3})


def test_after_a_write_that_could_not_be_taken_back_nothing_is_appended(path: Path) -> None:
    def sync(descriptor: int) -> None:
        # From here on the file can neither be written nor cut: its descriptor is another's, for reading only.
        other = os.open(path, os.O_RDONLY)
        os.dup2(other, descriptor)
        os.close(other)
        raise OSError(errno.EIO, "Input/output error")

    with AppendLog.create(path, HEADER, sync=nothing) as log:
        log._sync = sync
        with pytest.raises(OSError, match="Input/output"):
            log.append({"n": 1})
        with pytest.raises(OSError, match="An earlier write failed"):
            log.append({"n": 2})


# -- a writer that was cut off -----------------------------------------------------------------------


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_wherever_a_file_ends_its_whole_records_are_read_and_the_rest_is_reported(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "journal.jsonl"
    whole = written(path, *RECORDS)
    end = data.draw(st.integers(len(encode({"kind": "x"})) + 90, len(whole)))
    path.write_bytes(whole[:end])
    complete = whole[:end].count(b"\n")
    if complete == 0:
        with pytest.raises(LogDamaged, match="it is no header"):
            read(path)
        return
    found = read(path)
    assert found.records == RECORDS[: complete - 1]
    assert found.torn == end - (whole[:end].rfind(b"\n") + 1)
    with AppendLog.open(path, sync=nothing) as log:
        assert log.cut == found.torn
        log.append({"n": "next"})
    assert read(path).records == (*RECORDS[: complete - 1], {"n": "next"})


def test_zeros_after_a_loss_of_power_are_a_torn_end(path: Path) -> None:
    written(path, {"n": 1})
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\0" * 10 + b"\n" + b"\0" * 9 + b"\n" + b"\0" * 7)
    assert (read(path).records, read(path).torn) == (({"n": 1},), 28)
    AppendLog.open(path, sync=nothing).close()
    assert path.stat().st_size == size


def test_zeros_before_a_whole_record_are_damage(path: Path) -> None:
    written(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b"\0" * 20 + b"\n" + encode({"n": 2}))
    with pytest.raises(LogDamaged, match=r"Line 3 of .* is damaged"):
        read(path)


def test_an_end_that_cannot_be_cut_off_opens_nothing(path: Path) -> None:
    written(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b"half")

    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        AppendLog.open(path, sync=broken)


# -- damage ------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_no_changed_byte_passes_for_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "journal.jsonl"
    whole = bytearray(written(path, *RECORDS))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        found = read(path)
    except LogDamaged:
        return
    # Only the end may be taken for torn, and then it is said.
    assert found.torn > 0
    assert found.header == HEADER
    assert found.records == RECORDS[: len(found.records)]


def test_damage_names_the_line_and_is_no_success(path: Path) -> None:
    lines = written(path, {"n": 1}, {"n": 2}).replace(b'{"n":1}', b'{"n":7}')
    path.write_bytes(lines)
    with pytest.raises(LogDamaged, match=r"Line 2 of .*journal.jsonl is damaged: its checksum") as caught:
        AppendLog.open(path)
    assert (caught.value.line, caught.value.exit_code) == (2, ExitCode.UNUSABLE_ENVIRONMENT)


@pytest.mark.parametrize("line", [b"[]", b"{}", b"x", b'{"crc32":"","record":{}}', b'{"line":"note"}'])
def test_a_line_of_another_form_is_damage(path: Path, line: bytes) -> None:
    path.write_bytes(written(path) + line + b"\n" + encode({"n": 1}))
    with pytest.raises(LogDamaged, match="it is no record"):
        read(path)


def test_a_log_without_its_header_is_damaged(path: Path) -> None:
    path.write_bytes(encode({"n": 1}))
    with pytest.raises(LogDamaged, match=r"Line 1 of .* it is no header"):
        read(path)


# -- links and other things in its place -------------------------------------------------------------


@pytest.mark.parametrize("open_", [read, AppendLog.open])
def test_a_symbolic_link_is_refused(tmp_path: Path, path: Path, open_: Callable[[Path], object]) -> None:
    written(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic") as caught:
        open_(path)
    assert caught.value.errno == errno.ELOOP


def test_a_log_is_never_made_over_anything(tmp_path: Path, path: Path) -> None:
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        AppendLog.create(path, HEADER)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(OSError, match="regular"):
        read(path)


# -- an earlier version's ----------------------------------------------------------------------------


def test_a_log_of_an_earlier_version_is_read_and_goes_on(path: Path) -> None:
    path.write_bytes(b'{"line":"header","version":1}\n{"line":"about to","number":1}\n{"line":"do')
    found = read(path, legacy=True)
    assert (found.header, found.torn) == (None, 11)
    assert [record["line"] for record in found.records] == ["header", "about to"]
    with AppendLog.open(path, legacy=True, sync=nothing) as log:
        log.append({"line": "undone", "number": 1})
    assert [record["line"] for record in read(path, legacy=True).records] == ["header", "about to", "undone"]


@pytest.mark.parametrize("line", [b"no json", b"[1]", b'{"crc32":"00000000","record":{}}'])
def test_in_an_earlier_versions_log_too_damage_is_damage(path: Path, line: bytes) -> None:
    path.write_bytes(line + b"\n" + b'{"line":"closed"}\n')
    with pytest.raises(LogDamaged, match="Line 1"):
        read(path, legacy=True)


# -- compaction --------------------------------------------------------------------------------------


def test_a_log_is_rewritten_in_one_step_and_goes_on(path: Path) -> None:
    with AppendLog.create(path, HEADER, sync=nothing) as log:
        log.append(*({"n": n} for n in range(100)))
        log.rewrite(HEADER, ({"n": n} for n in (98, 99)))
        log.append({"n": 100})
    assert [record["n"] for record in read(path).records] == [98, 99, 100]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_rewriting_that_fails_changes_nothing(path: Path) -> None:
    def records() -> Iterator[Record]:
        yield {"n": 1}
        raise OSError(errno.EIO, "Input/output error")

    with AppendLog.create(path, HEADER, sync=nothing) as log:
        log.append({"n": 0})
        with pytest.raises(OSError, match="Input/output"):
            log.rewrite(HEADER, records())
        log.append({"n": 2})
    assert [record["n"] for record in read(path).records] == [0, 2]


def test_after_a_rewriting_whose_file_was_taken_away_nothing_is_appended(path: Path) -> None:
    def taken_away(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            path.unlink()

    with AppendLog.create(path, HEADER, sync=nothing) as log:
        log._sync = taken_away
        with pytest.raises(FileNotFoundError):
            log.rewrite(HEADER, [])
        with pytest.raises(OSError, match="An earlier write failed"):
            log.append({"n": 1})

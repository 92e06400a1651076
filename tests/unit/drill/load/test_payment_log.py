"""The log has a payment on the disk before anybody may send it, and survives being cut short."""

import errno
import json
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.load.payment_log import NAME, PaymentLog, read
from payinfra.drill.load.payments import DrillPayment
from payinfra.drill.model import Attempt, PaymentOutcome, Result


def payment(number: int = 1) -> DrillPayment:
    return DrillPayment(f"key-{number}", f"pay_{number}", '{"amount":1}', 0.25)


def attempt(number: int = 1) -> Attempt:
    return Attempt("key-1", number, 1.5, 0.125, "us-east-1", 201, Result.ACKNOWLEDGED, again=number > 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def test_what_is_written_is_read(path: Path) -> None:
    with PaymentLog(path) as log:
        log.payment(payment(1)).result()
        log.payment(payment(2)).result()
        log.attempt(attempt(1))
        log.attempt(attempt(2))
        log.removals(("pay_1", "pay_2")).result()
    entries = read(path)
    assert entries.payments == (payment(1), payment(2))
    assert entries.attempts == (attempt(1), attempt(2))
    assert entries.removals == ("pay_1", "pay_2")


def test_another_id_than_expected_is_the_payments_from_then_on(path: Path) -> None:
    with PaymentLog(path) as log:
        log.payment(payment())
        log.named(payment(), "pay_other")
        log.flush()
        assert read(path).payments == (DrillPayment("key-1", "pay_other", '{"amount":1}', 0.25),)


def test_what_people_are_told_is_passed_over(path: Path) -> None:
    with PaymentLog(path) as log:
        log.payment(payment())
        log.judged(payment(), PaymentOutcome.DIVERGED, (("here",), ()))
        log.flush()
        assert read(path).payments == (payment(),)
    assert json.loads(path.read_text().splitlines()[-1])["contents"] == [["here"], []]


def test_only_its_owner_may_read_it(path: Path) -> None:
    PaymentLog(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_after_a_flush_everything_can_be_read(path: Path) -> None:
    with PaymentLog(path) as log:
        for number in range(200):
            log.attempt(attempt(number))
        log.flush()
        assert len(read(path).attempts) == 200


class Disk:
    """A disk whose `fsync` can be held up, or fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.seen: list[str] = []
        self.failure: OSError | None = None

    def sync(self, _file: int) -> None:
        self.seen.append(self.path.read_text())
        self.begun.set()
        assert self.go_on.wait(10)
        if self.failure:
            raise self.failure


@pytest.fixture
def disk(path: Path) -> Disk:
    return Disk(path)


def test_a_payment_may_be_sent_once_it_is_on_the_disk_and_not_before(path: Path, disk: Disk) -> None:
    with PaymentLog(path, disk.sync) as log:
        durable = log.payment(payment())
        assert disk.begun.wait(10)
        assert "key-1" in disk.seen[0]
        assert not durable.done()
        disk.go_on.set()
        durable.result(10)


def test_payments_that_come_while_the_disk_is_busy_get_there_together(path: Path, disk: Disk) -> None:
    with PaymentLog(path, disk.sync) as log:
        first = log.payment(payment(0))
        assert disk.begun.wait(10)
        others = [log.payment(payment(number)) for number in range(1, 100)]
        disk.go_on.set()
        wait([first, *others], 10)
        assert len(disk.seen) == 2
        assert disk.seen[1].count("\n") == 100


def test_attempts_alone_do_not_wait_for_the_disk(path: Path, disk: Disk) -> None:
    with PaymentLog(path, disk.sync) as log:
        log.attempt(attempt())
    assert disk.seen == []
    assert read(path).attempts == (attempt(),)


def test_a_disk_that_fails_lets_no_payment_be_sent_and_takes_the_next(path: Path, disk: Disk) -> None:
    disk.failure = OSError(errno.EIO, "broken")
    disk.go_on.set()
    with PaymentLog(path, disk.sync) as log:
        with pytest.raises(OSError, match="broken"):
            log.payment(payment(1)).result(10)
        disk.failure = None
        log.payment(payment(2)).result(10)
    assert read(path).payments == (payment(2),)


def test_who_gives_up_waiting_does_not_disturb_the_others(path: Path, disk: Disk) -> None:
    with PaymentLog(path, disk.sync) as log:
        given_up = log.payment(payment(1))
        assert not given_up.cancel()
        disk.go_on.set()
        log.payment(payment(2)).result(10)


def test_many_threads_write_whole_lines(path: Path) -> None:
    with PaymentLog(path) as log:

        def write(first: int) -> None:
            noted: list[Future[None]] = [log.payment(payment(first + each)) for each in range(50)]
            wait(noted, 10)

        threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({one.key for one in read(path).payments}) == 400


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_last_line_that_was_cut_short_is_passed_over_and_then_taken_away(path: Path, cut: int) -> None:
    with PaymentLog(path) as log:
        log.payment(payment(1)).result()
        log.payment(payment(2)).result()
    whole = path.read_bytes()
    os.truncate(path, len(whole) - cut)
    assert read(path).payments == (payment(1),)
    with PaymentLog(path) as log:
        log.payment(payment(3)).result()
    assert read(path).payments == (payment(1), payment(3))


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"entry":"other"}',
        '{"entry":"payment","key":"k"}',
        '{"entry":"named","key":"nobody","payment_id":"x"}',
        '{"entry":"attempt","result":"odd"}',
        '{"entry":"removal"}',
    ],
)
def test_another_damaged_line_is_named(path: Path, line: str) -> None:
    PaymentLog(path).close()
    path.write_text(f"{line}\n")
    with pytest.raises(EnvironmentUnusable, match=r"Line 1 .* damaged"):
        read(path)


def test_a_payment_log_that_cannot_be_opened_or_read_is_the_surroundings_fault(tmp_path: Path) -> None:
    open_or_read: tuple[Callable[[Path], object], ...] = (PaymentLog, read)
    for do in open_or_read:
        with pytest.raises(EnvironmentUnusable, match="log"):
            do(tmp_path / "nowhere" / NAME)


def test_closing_twice_is_harmless(path: Path) -> None:
    log = PaymentLog(path)
    log.close()
    log.close()

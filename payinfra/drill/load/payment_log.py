"""The drill's payment log: every payment is in it before it is sent, every removal before it is made.

One JSON object a line, readable by its owner only. Nothing in it is secret: the API key never gets here.
"""

import json
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.load.payments import DrillPayment
from payinfra.drill.model import Attempt, PaymentOutcome, Result

NAME = "ledger.jsonl"
_OF_WORKERS = "ledger-*.jsonl"
"""Beside it: what each load worker was about to send, and what came of it."""

_EXPLANATIONS = ("judged",)
"""Entries that only people read."""

Line = Mapping[str, object]


@dataclass(frozen=True)
class Entries:
    """What a payment log says.

    Attributes:
        removals: ids of payments whose removal was begun.
        damaged: the numbers of lines that make no sense, from 1 on.
    """

    payments: tuple[DrillPayment, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    removals: tuple[str, ...] = ()
    damaged: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Due:
    """Lines to write, and who waits until they are on the disk."""

    text: str
    durable: "Future[None] | None" = None


class PaymentLog:
    """Appends to a payment log, from any thread.

    What several threads or tasks want on the disk at the same time gets there with one `fsync`. A last line
    that was cut short is taken away at the start: nobody can have relied on it.

    Raises:
        EnvironmentUnusable: the file cannot be opened.
    """

    def __init__(self, path: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._sync = sync
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EnvironmentUnusable(
                f"The drill's payment log {path} cannot be written: {error.strerror}.",
                "Make its folder writable, or run elsewhere.",
            ) from None
        self._cut(_whole_lines(path))
        _keep_name(path.parent)
        self._due: queue.SimpleQueue[_Due | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="drill-payment-log", daemon=True)
        self._writer.start()

    def payment(self, payment: DrillPayment) -> "Future[None]":
        """Note a payment. It may be sent once the future is done; OSError in it says that it may not."""
        return self._write_durably({"entry": "payment", **payment_entry(payment)})

    def named(self, payment: DrillPayment, payment_id: str) -> None:
        """Note that the API gives the payment another id than was expected."""
        self.note_name(payment.key, payment_id)

    def note_name(self, key: str, payment_id: str) -> None:
        """The same, of the payment with this key."""
        self._note({"entry": "named", "key": key, "payment_id": payment_id})

    def attempt(self, attempt: Attempt) -> None:
        """Note an attempt. It need not be on the disk before anything else happens."""
        self._note({"entry": "attempt", **attempt_entry(attempt)})

    def judged(
        self, payment: DrillPayment, outcome: PaymentOutcome, contents: Sequence[Sequence[str]]
    ) -> None:
        """Note what each region has of a payment that is not as it should be: it is about to be removed."""
        self._note({"entry": "judged", "key": payment.key, "fate": outcome.value, "contents": contents})

    def removals(self, payment_ids: tuple[str, ...]) -> "Future[None]":
        """Note that these payments are about to be removed; they may be once the future is done."""
        return self._write_durably({"entry": "removal", "payment_ids": payment_ids})

    def flush(self) -> None:
        """Wait until everything that was noted so far is on the disk.

        Raises:
            OSError: it cannot be written.
        """
        durable = _pending()
        self._due.put(_Due("", durable))
        durable.result()

    def close(self) -> None:
        """Write what is due, and close. Harmless when it was closed before."""
        if self._writer.is_alive():
            self._due.put(None)
            self._writer.join()

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _write_durably(self, line: Line) -> "Future[None]":
        durable = _pending()
        self._due.put(_Due(_text(line), durable))
        return durable

    def _note(self, line: Line) -> None:
        self._due.put(_Due(_text(line)))

    def _write(self) -> None:
        going_on = True
        while going_on:
            due = [self._due.get()]
            while not self._due.empty():
                due.append(self._due.get())
            going_on = None not in due
            self._commit([each for each in due if each is not None])
        os.close(self._file)

    def _commit(self, due: list[_Due]) -> None:
        waiting = [each.durable for each in due if each.durable is not None]
        size = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            text = "".join(each.text for each in due).encode()
            while text:
                text = text[os.write(self._file, text) :]
            if waiting:
                self._sync(self._file)
        except OSError as error:
            self._cut(size)
            for one in waiting:
                one.set_exception(error)
        else:
            for one in waiting:
                one.set_result(None)

    def _cut(self, size: int) -> None:
        """Take away what comes after so many bytes: half a line must not stay before a whole one."""
        os.ftruncate(self._file, size)
        os.lseek(self._file, size, os.SEEK_SET)


def worker_log(folder: Path, number: int) -> Path:
    """The payment log of a drill's load worker, counted from 1 on."""
    return folder / _OF_WORKERS.replace("*", f"{number:04d}")


def read(path: Path) -> Entries:
    """Everything that a payment log says, and those of load workers beside it.

    A last line that was cut short is passed over.

    Raises:
        EnvironmentUnusable: one cannot be read, or another line of it makes no sense.
    """
    return _merged(path, whole=True)


def salvage(path: Path) -> Entries:
    """What a payment log, and those of load workers beside it, say in spite of damage.

    Raises:
        EnvironmentUnusable: one cannot be read.
    """
    return _merged(path, whole=False)


def _merged(path: Path, *, whole: bool) -> Entries:
    found = Entries()
    others = sorted(path.parent.glob(_OF_WORKERS)) if path.name == NAME else []
    for part in (path, *others):
        said = _entries_of(part)
        if whole and said.damaged:
            raise EnvironmentUnusable(
                f"Line {said.damaged[0]} of the drill's payment log {part} is damaged.",
                "The other lines are readable: they say which payments were sent.",
            )
        found = Entries(
            found.payments + said.payments,
            found.attempts + said.attempts,
            found.removals + said.removals,
            found.damaged + said.damaged,
        )
    return found


def _entries_of(path: Path) -> Entries:
    try:
        lines = path.read_bytes()[: _whole_lines(path)].splitlines()
    except OSError as error:
        raise EnvironmentUnusable(
            f"The drill's payment log {path} cannot be read: {error.strerror}."
        ) from None
    payments: dict[str, DrillPayment] = {}
    attempts: list[Attempt] = []
    removals: list[str] = []
    damaged: list[int] = []
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            match found["entry"]:
                case "payment":
                    payments[found["key"]] = payment_of(found)
                case "named":
                    known = payments[found["key"]]
                    payments[known.key] = replace(known, payment_id=str(found["payment_id"]))
                case "attempt":
                    attempts.append(attempt_of(found))
                case "removal":
                    removals += map(str, found["payment_ids"])
                case other:
                    _EXPLANATIONS.index(other)
        except (ValueError, KeyError, TypeError):
            damaged.append(number)
    return Entries(tuple(payments.values()), tuple(attempts), tuple(removals), tuple(damaged))


def _pending() -> "Future[None]":
    """A future that nobody who gives up waiting for it can cancel."""
    future: Future[None] = Future()
    future.set_running_or_notify_cancel()
    return future


def payment_entry(payment: DrillPayment) -> dict[str, object]:
    """A payment as it is written."""
    return {
        "key": payment.key,
        "payment_id": payment.payment_id,
        "body": payment.body,
        "at_s": payment.at_s,
    }


def attempt_entry(attempt: Attempt) -> dict[str, object]:
    """An attempt as it is written."""
    return {
        "key": attempt.key,
        "number": attempt.number,
        "at_s": attempt.at_s,
        "seconds": attempt.seconds,
        "region": attempt.region,
        "status": attempt.status,
        "result": attempt.result.value,
        "again": attempt.again,
        "client": attempt.client,
    }


def payment_of(found: Mapping[str, object]) -> DrillPayment:
    """A payment that was written. Raises KeyError, TypeError or ValueError where it makes no sense."""
    return DrillPayment(
        key=str(found["key"]),
        payment_id=str(found["payment_id"]),
        body=str(found["body"]),
        at_s=float(cast(float, found["at_s"])),
    )


def attempt_of(found: Mapping[str, object]) -> Attempt:
    """An attempt that was written. Raises KeyError, TypeError or ValueError where it makes no sense."""
    return Attempt(
        key=str(found["key"]),
        number=int(cast(int, found["number"])),
        at_s=float(cast(float, found["at_s"])),
        seconds=float(cast(float, found["seconds"])),
        region=str(found["region"]),
        status=int(cast(int, found["status"])),
        result=Result(str(found["result"])),
        again=bool(found["again"]),
        client=int(cast(int, found.get("client", 0))),
    )


def _text(line: Line) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"


def _whole_lines(path: Path) -> int:
    """How many bytes of the file are whole lines."""
    return path.read_bytes().rfind(b"\n") + 1


def _keep_name(folder: Path) -> None:
    """A new file's name is on the disk only once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

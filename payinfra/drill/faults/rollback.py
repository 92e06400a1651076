"""Puts back what a drill has done, from its journal alone: after a drill, and after one that was killed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.faults.executor import FaultExecutor, FaultFailed
from payinfra.drill.faults.journal import FaultJournal, JournalEntry, restore_hint
from payinfra.drill.faults.model import ArmWatchdog, Fault, FaultDescription, SetConcurrency, describe
from payinfra.drill.model import Restoration

Say = Callable[[str], None]
Describe = Callable[[Fault], FaultDescription]
Spare = Callable[[Fault], bool]


def nothing(_mutation: Fault) -> bool:
    """Spares nothing."""
    return False


def restore(
    journal: FaultJournal,
    hands: FaultExecutor,
    tell: Say,
    *,
    describe: Describe = describe,
    watchdog: str = "",
    spare: Spare = nothing,
) -> Restoration:
    """Undo, in reverse order, whatever the journal does not say is undone.

    What was announced and never confirmed is undone too: it may have happened. One that cannot be undone
    stops no other; those are tried again as long as others are undone, because what is in place may stand in
    their way. A watchdog stays armed while what it lifts is in place. What the journal says is undone is not
    touched again, so that a second run changes nothing. The journal is not closed: that is for whoever knows
    that nothing else is left.

    Args:
        journal: of the drill, reopened if it was another process's.
        hands: what undoes.
        tell: told of each step in a sentence.
        describe: puts a mutation into words.
        watchdog: goes into the result as it is.
        spare: what stays in place for now.

    Raises:
        EnvironmentUnusable: the journal cannot be read.
    """
    record = journal.read()
    left = [entry for entry in record.left if not spare(entry.mutation)]
    restoring = _Restoring(journal, hands, tell, describe, restore_hint(record.header), left)
    restoring.run()
    return Restoration(tuple(restoring.undone), tuple(restoring.left.values()), watchdog)


@dataclass
class _Restoring:
    """One restoration. `waiting` is in the order of the journal; `left` says why, by number."""

    journal: FaultJournal
    hands: FaultExecutor
    tell: Say
    describe: Describe
    hint: str
    waiting: list[JournalEntry]
    undone: list[str] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)

    def run(self) -> None:
        """Go through what waits until nothing waits, or none of it can be undone."""
        before = len(self.waiting) + 1
        while self.waiting and len(self.waiting) < before:
            before = len(self.waiting)
            for entry in reversed(self.waiting[:]):
                self._undo(entry)

    def _undo(self, entry: JournalEntry) -> None:
        words = self.describe(entry.mutation)
        if self._is_needed(entry.mutation):
            self.left[entry.number] = f"It stays until the function may run again: {words.done}."
            return
        self.tell(f"Restoring: {words.undone}.")
        reason = self._failure(entry.mutation)
        if reason:
            certain = "Not restored" if entry.done else "Perhaps in place"
            self.left[entry.number] = f"{certain}: {words.done} ({reason}). Mend it with: {words.by_hand}"
            self.tell(self.left[entry.number])
            return
        self.waiting.remove(entry)
        self.left.pop(entry.number, None)
        self.undone.append(words.undone)
        self._confirm(entry, words)

    def _failure(self, mutation: Fault) -> str:
        """Why it could not be undone; empty where it was."""
        try:
            self.hands.undo(mutation)
        except FaultFailed as error:
            return error.reason
        except Exception as error:  # noqa: BLE001 - whatever breaks here must not keep the rest in place
            return f"{type(error).__name__}: {error}"
        return ""

    def _confirm(self, entry: JournalEntry, words: FaultDescription) -> None:
        try:
            self.journal.undone(entry.number)
        except EnvironmentUnusable as error:
            self.left[entry.number] = f"It is restored that {words.undone}, but: {error.what} {self.hint}"
            self.tell(self.left[entry.number])

    def _is_needed(self, mutation: Fault) -> bool:
        """Whether it is a watchdog of something that is still in place."""
        return isinstance(mutation, ArmWatchdog) and any(
            isinstance(other.mutation, SetConcurrency)
            and (other.mutation.region, other.mutation.function) == (mutation.region, mutation.function)
            for other in self.waiting
        )

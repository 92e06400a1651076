"""Puts back what a drill has done, from its journal alone: after a drill, and after one that was killed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from payinfra.core.errors import EnvironmentUnusable
from payinfra.drill.faults.actions import ActionDescription, FaultAction
from payinfra.drill.faults.executor import FaultExecutor, FaultFailed
from payinfra.drill.faults.journal import FaultJournal, JournalEntry, restore_hint
from payinfra.drill.model import Restoration

Say = Callable[[str], None]
Describe = Callable[[FaultAction], ActionDescription]
Keep = Callable[[FaultAction], bool]


def describe_for_aws(action: FaultAction) -> ActionDescription:
    """An action in words, with the commands for AWS itself."""
    return action.describe()


def keep_nothing(_action: FaultAction) -> bool:
    """Roll everything back."""
    return False


def restore(
    journal: FaultJournal,
    executor: FaultExecutor,
    tell: Say,
    *,
    describe: Describe = describe_for_aws,
    watchdog: str = "",
    keep: Keep = keep_nothing,
) -> Restoration:
    """Undo, in reverse order, whatever the journal does not say is undone.

    What was announced and never confirmed is undone too: it may have happened. One that cannot be undone
    stops no other; those are tried again as long as others are undone, because what is in place may stand in
    their way. A watchdog stays armed while what it lifts is in place. What the journal says is undone is not
    touched again, so that a second run changes nothing. The journal is not closed: that is for whoever knows
    that nothing else is left.

    Args:
        journal: of the drill, reopened if it was another process's.
        executor: what rolls back.
        tell: told of each step in a sentence.
        describe: puts an action into words.
        watchdog: goes into the result as it is.
        keep: what stays in place for now.

    Raises:
        EnvironmentUnusable: the journal cannot be read.
    """
    record = journal.known()
    left = [entry for entry in record.left if not keep(entry.action)]
    restoring = _Restoring(journal, executor, tell, describe, restore_hint(record.header), left)
    restoring.run()
    return Restoration(tuple(restoring.undone), tuple(restoring.left.values()), watchdog)


@dataclass
class _Restoring:
    """One restoration. `waiting` is in the order of the journal; `left` says why, by number."""

    journal: FaultJournal
    executor: FaultExecutor
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
        words = self.describe(entry.action)
        if self._is_needed(entry.action):
            self.left[entry.number] = f"It stays until what it lifts is rolled back: {words.done}."
            return
        self.tell(f"Restoring: {words.undone}.")
        reason = self._failure(entry.action)
        if reason:
            certain = "Not restored" if entry.done else "Perhaps in place"
            self.left[entry.number] = f"{certain}: {words.done} ({reason}). Mend it with: {words.by_hand}"
            self.tell(self.left[entry.number])
            return
        self.waiting.remove(entry)
        self.left.pop(entry.number, None)
        self.undone.append(words.undone)
        self._confirm(entry, words)

    def _failure(self, action: FaultAction) -> str:
        """Why it could not be undone; empty where it was."""
        try:
            self.executor.rollback(action)
        except FaultFailed as error:
            return error.reason
        except Exception as error:  # noqa: BLE001 - whatever breaks here must not keep the rest in place
            return f"{type(error).__name__}: {error}"
        return ""

    def _confirm(self, entry: JournalEntry, words: ActionDescription) -> None:
        try:
            self.journal.undone(entry.number)
        except EnvironmentUnusable as error:
            if self.journal.is_lost:  # Nobody will look there for what is restored.
                return
            self.left[entry.number] = f"It is restored that {words.undone}, but: {error.what} {self.hint}"
            self.tell(self.left[entry.number])

    def _is_needed(self, action: FaultAction) -> bool:
        """Whether it is a watchdog of something that is still in place."""
        return any(action.guards(other.action) for other in self.waiting)

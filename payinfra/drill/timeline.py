"""Keeps what a drill saw and when, and tells it as it happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from payinfra.drill.clock import DrillClock
from payinfra.drill.model import Mark, Phase, PhaseBegan, PhaseEnded, PhaseTiming, Tell


@dataclass
class Note:
    """What a phase says of itself.

    Attributes:
        detail: one short phrase.
        ended_s: when what it waited for came; None takes the moment at which the phase is left.
        failed: whether it ended without what it was for. One that an exception ends did.
    """

    detail: str = ""
    ended_s: float | None = None
    failed: bool = False


@dataclass
class Recorder:
    """The drill's memory."""

    clock: DrillClock
    tell: Tell
    phases: list[PhaseTiming] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    answers: list[Mark] = field(default_factory=list)

    @contextmanager
    def phase(
        self, phase: Phase, predicted_s: float | None = None, *, since_s: float | None = None
    ) -> Iterator[Note]:
        """Time a phase, also one that fails.

        Args:
            since_s: when it really began, where that was before somebody could wait for its end.
        """
        note, began = Note(), self.clock.elapsed() if since_s is None else since_s
        self.tell(PhaseBegan(phase, began, predicted_s))
        try:
            yield note
        except BaseException:
            note.failed = True
            raise
        finally:
            # What was waited for may have come while the phase before was still being waited for.
            ended = self.clock.elapsed() if note.ended_s is None else max(began, note.ended_s)
            self.phases.append(PhaseTiming(phase, began, ended - began, predicted_s, note.detail))
            self.tell(PhaseEnded(phase, ended, ended - began, note.detail, note.failed))

    def mark(self, what: str) -> None:
        """Remember a moment."""
        self._keep(self.marks, self.clock.elapsed(), what)

    def answer(self, at_s: float, what: str) -> None:
        """Remember what the name servers said from a moment on."""
        self._keep(self.answers, at_s, what)

    def _keep(self, kept: list[Mark], at_s: float, what: str) -> None:
        mark = Mark(at_s, what)
        kept.append(mark)
        self.tell(mark)


def replay(recorder: Recorder, tell: Tell) -> None:
    """Tell somebody who comes later what is recorded so far, and from now on what comes."""
    for timing in recorder.phases:
        tell(PhaseBegan(timing.phase, timing.began_s, timing.predicted_s))
        tell(PhaseEnded(timing.phase, timing.began_s + timing.seconds, timing.seconds, timing.detail))
    recorder.tell = tell

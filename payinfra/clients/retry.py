"""Retrying and waiting until a deadline."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from payinfra.clients.aws_errors import is_transient

if TYPE_CHECKING:
    from tenacity import RetryCallState

Seen = TypeVar("Seen")

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True)
class Deadline:
    """Until when something is retried.

    Attributes:
        ends: the reading of `clock` from which on nothing is retried, in seconds.
        clock: a clock that never goes backwards.
        sleep: waits so many seconds.
    """

    ends: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def within(
        cls,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Self:
        """A deadline that is so many seconds from now."""
        return cls(clock() + seconds, clock, sleep)

    @property
    def left_s(self) -> float:
        """Seconds until the end."""
        return max(0.0, self.ends - self.clock())

    def poll(
        self,
        look: Callable[[], Seen],
        *,
        retry_if: Callable[[BaseException], bool] = is_transient,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> Seen:
        """Call `look` until it returns, at least once, with pauses that double.

        Args:
            look: what is called.
            retry_if: whether to call again after this exception; by default where it may pass by itself.
            first_pause_s: the pause after the first call, in seconds.
            longest_pause_s: the longest pause, in seconds.

        Raises:
            Exception: what `look` raised last.
        """
        # Importing tenacity takes longer than most commands wait.
        from tenacity import Retrying, retry_if_exception, wait_exponential

        grow = wait_exponential(multiplier=first_pause_s, max=longest_pause_s)

        def pause(state: "RetryCallState") -> float:
            return min(grow(state), self.left_s)

        return Retrying(
            retry=retry_if_exception(retry_if),
            stop=lambda _state: self.left_s <= 0,
            wait=pause,
            sleep=self.sleep,
            reraise=True,
        )(look)

    def until(self, holds: Callable[[], bool], *, pause_s: float) -> bool:
        """Call `holds` every `pause_s` seconds until it is true; False where it never is."""
        while not holds():
            left_s = self.left_s
            if left_s <= 0:
                return False
            self.sleep(min(pause_s, left_s))
        return True

    def pauses(
        self, first_pause_s: float = FIRST_PAUSE_S, longest_pause_s: float = LONGEST_PAUSE_S
    ) -> "Pauses":
        """Pauses that double, from the first to the longest one, both in seconds."""
        return Pauses(self, first_pause_s, longest_pause_s)


@dataclass
class Pauses:
    """Pauses between looks whose results are told apart by more than an exception.

    Attributes:
        deadline: no pause goes beyond it.
        next_s: the next pause, in seconds.
        longest_s: the longest pause, in seconds.
    """

    deadline: Deadline
    next_s: float
    longest_s: float

    def wait(self) -> bool:
        """Sleep for the next pause; False at once where the deadline has come."""
        left_s = self.deadline.left_s
        if left_s <= 0:
            return False
        self.deadline.sleep(min(self.next_s, left_s))
        self.next_s = min(2 * self.next_s, self.longest_s)
        return True

"""Whether this region could record a payment: looked at now and then, and believed when it is seen again.

A table that can be read may refuse writes: by a policy, a throttle, a key that is out of reach. The health
page would then say that all is well while every payment fails. So a write is attempted whose condition never
holds: it is authorized, encrypted and charged as any other, one write unit, and stores nothing anywhere.

One refused write is mended by a client's retry and must not move anybody. So it takes several looks in a row
to change what is said. Where the table fails in both regions both pages say so, and Route 53 then answers as
if both were well: with the primary region (Route 53 API reference, ResourceRecordSet, `Failover`).
"""

from collections.abc import Callable

from .deadline import Overdue
from .problems import Unavailable

LOOK_EVERY_MS = 10_000
"""How long a container takes the last look for true. It has one request at a time, and checkers ask often."""
FAILS_TO_FAIL = 2
"""After so many failed looks in a row the region is said to record nothing."""
AT_ONCE_MS = 200
"""A write that comes back within this time leaves time for a read, within what a checker allows."""
LOOKS_TO_RECOVER = 3
"""After so many good ones in a row it is said to record again."""
REMEMBERED_MS = 3 * LOOK_EVERY_MS
"""A failure that was seen longer ago is worth one look: a container that nobody asked for a while may have
slept through the end of it, and would answer 503 to one checker after another in a region that is well."""
WRITE = "write"
"""What is out of reach, in the log and in the page's `checks`."""


class RecordingLook:
    """What the health page says of payments, kept by one container.

    Args:
        read: returns if the table can be read, or raises Unavailable or Overdue.
        attempt: the same for a write.
        clock: now, in milliseconds since the epoch.
    """

    def __init__(
        self, read: Callable[[], None], attempt: Callable[[], None], clock: Callable[[], int]
    ) -> None:
        self._read = read
        self._attempt = attempt
        self._clock = clock
        self._looked: int | None = None
        self._fails = False
        self._contrary = 0
        self._reason = ""

    def __call__(self) -> None:
        """Return if a payment could be recorded now: the table can be read, and has taken writes lately.

        Raises:
            Unavailable, Overdue: it could not.
        """
        now = self._clock()
        if self._looked is None or not 0 <= now - self._looked < LOOK_EVERY_MS:
            self._forget(now)
            self._looked = now
            self._look(now)
        self._read()
        if self._fails:
            raise Unavailable(WRITE, self._reason)

    def _forget(self, now: int) -> None:
        """Take a failure that was seen too long ago for as good as over: the next look decides alone."""
        if self._fails and self._looked is not None and not 0 <= now - self._looked < REMEMBERED_MS:
            self._fails, self._contrary = False, FAILS_TO_FAIL - 1

    def _look(self, began: int) -> None:
        """Attempt a write.

        Raises:
            Unavailable, Overdue: nothing came back in time to read as well.
        """
        try:
            self._attempt()
        except (Unavailable, Overdue) as failure:
            self._take(failure.reason if isinstance(failure, Unavailable) else "Overdue")
            if self._clock() - began > AT_ONCE_MS:
                raise
        else:
            self._take("")

    def _take(self, reason: str) -> None:
        """Follow one look; `reason` is empty for a good one."""
        self._reason = reason or self._reason
        if bool(reason) is self._fails:
            self._contrary = 0
            return
        self._contrary += 1
        if self._contrary >= (LOOKS_TO_RECOVER if self._fails else FAILS_TO_FAIL):
            self._fails, self._contrary = not self._fails, 0

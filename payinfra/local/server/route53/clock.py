"""Time, as the data plane sees it, so that tests bring their own."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class EmulatorClock(Protocol):
    """Where time comes from; every duration is in real (unscaled) seconds."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""
        ...

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let the event loop run for that many seconds."""
        await asyncio.sleep(seconds)

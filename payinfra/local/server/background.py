"""Work that the server does again and again, beside what it is asked.

Whoever does such work looks through what requests and functions change at the same moment, and may fail at it
once. That must not be the end of it: nothing would be saved, trimmed, replicated or judged any more, and
nobody would notice.
"""

import asyncio
import traceback
from collections.abc import Callable


def attempted(work: Callable[[], object]) -> bool:
    """Do it once; say whether it succeeded. A failure is written, in full, to the server's log."""
    try:
        work()
    except Exception:  # noqa: BLE001 - whatever it is, the work is due again
        traceback.print_exc()
        return False
    return True


async def again_and_again(pause_s: float, work: Callable[[], object]) -> None:
    """Do something in a thread of its own, with so many real seconds between two times."""
    while True:
        await asyncio.sleep(pause_s)
        await asyncio.to_thread(attempted, work)

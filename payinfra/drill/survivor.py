"""What the survivor alone had at the moment of failover: the recovery point, before anything comes back."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from payinfra.clients.retry import Deadline
from payinfra.drill.load.payments import payment_id
from payinfra.drill.model import Attempt, SurvivorReading
from payinfra.drill.replicas import Replica

AT_ONCE = 16
EXAMPLES = 20
WITHIN_S = 30.0
"""How long a reading may take, in seconds: the survivor may throttle."""


def acknowledged_before(attempts: Sequence[Attempt], region: str, loss_s: float) -> dict[str, float]:
    """The payments that a region had acknowledged before it was lost: when, by key.

    What another region acknowledged as well, be it later, is not in question.
    """
    elsewhere = {one.key for one in attempts if one.result.good and one.region != region}
    found: dict[str, float] = {}
    for attempt in attempts:
        ended_s = attempt.at_s + attempt.seconds
        if attempt.result.good and attempt.key not in elsewhere and ended_s <= loss_s:
            found[attempt.key] = min(ended_s, found.get(attempt.key, ended_s))
    return found


def read_survivor(
    acknowledged: Mapping[str, float],
    replica: Replica,
    *,
    region: str,
    loss_s: float,
    elapsed: Callable[[], float],
    sleep: Callable[[float], None],
    id_of: Callable[[str], str] = payment_id,
) -> SurvivorReading:
    """Read the survivor's table alone.

    Args:
        acknowledged: as `acknowledged_before` found it.
        replica: the survivor's.
        region: the survivor.
        loss_s: when the other region was lost.
        elapsed: seconds since the drill began.
        sleep: waits for so many seconds.
        id_of: the id of the payment with a key.

    Raises:
        ClientError, BotoCoreError: it could not be read.
    """
    at_s = elapsed()
    deadline = Deadline(at_s + WITHIN_S, elapsed, sleep)

    def is_there(key: str) -> bool:
        items = deadline.poll(partial(replica.read, id_of(key)))
        return any(item.is_payment for item in items)

    keys = tuple(acknowledged)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drill-survivor") as pool:
        there = dict(zip(keys, pool.map(is_there, keys), strict=True))
    missing = sorted((key for key in keys if not there[key]), key=acknowledged.__getitem__)
    return SurvivorReading(
        region=region,
        at_s=at_s,
        acknowledged=len(keys),
        missing=len(missing),
        oldest_s=max((loss_s - acknowledged[key] for key in missing), default=0.0),
        examples=tuple(id_of(key) for key in missing[:EXAMPLES]),
    )

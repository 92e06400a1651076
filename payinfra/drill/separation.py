"""Whether the regions are cut off: a payment, or its audit object, stays in the region that wrote it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from payinfra.clients.aws_errors import NoData
from payinfra.drill.audit_objects import AuditStore
from payinfra.drill.load.payments import payment_id
from payinfra.drill.model import Attempt
from payinfra.drill.replicas import Replica


@dataclass(frozen=True)
class Separation:
    """Looks for the load's latest payments in the region that did not acknowledge them.

    Args:
        attempts: the load's, so far.
        tables: each region's, by region.
        elapsed: seconds since the drill began.
        id_of: the id of the payment with a key.
        settle_s: how long replication may take where nothing keeps it back, in seconds.
    """

    attempts: Callable[[], tuple[Attempt, ...]]
    tables: Mapping[str, Replica]
    elapsed: Callable[[], float]
    settle_s: float
    id_of: Callable[[str], str] = payment_id

    def is_separated(self) -> bool:
        """Whether what each region acknowledged last is not in the other.

        Raises:
            NoData: a region has acknowledged nothing that could tell.
            ClientError, BotoCoreError: a table cannot be read.
        """
        attempts = self.attempts()
        return all(self._stays_in(region, attempts) for region in self.tables)

    def _stays_in(self, region: str, attempts: tuple[Attempt, ...]) -> bool:
        key = next(_settled_in(region, attempts, self.elapsed() - self.settle_s), None)
        if key is None:
            raise NoData(f"{region} has acknowledged nothing that could tell")
        return not any(
            item.is_payment
            for peer, table in self.tables.items()
            if peer != region
            for item in table.read(self.id_of(key))
        )


@dataclass(frozen=True)
class HeldObjects:
    """Looks for the audit object of the load's latest payment in the bucket that it is to be copied to.

    Args:
        attempts: the load's, so far.
        region: the region that it is copied from.
        source, target: the audit buckets.
        prefix: where the objects of the drill's payments are.
        elapsed: seconds since the drill began.
        settle_s: how long a copy may take where nothing keeps it back, in seconds.
        id_of: the id of the payment with a key.
    """

    attempts: Callable[[], tuple[Attempt, ...]]
    region: str
    source: AuditStore
    target: AuditStore
    prefix: str
    elapsed: Callable[[], float]
    settle_s: float
    id_of: Callable[[str], str] = payment_id

    def wait(self) -> bool:
        """Whether the latest object that should have been copied was not.

        Raises:
            NoData: the region has written nothing that could tell.
            ClientError, BotoCoreError: a bucket cannot be read.
        """
        latest_s, attempts = self.elapsed() - self.settle_s, self.attempts()
        written = self._payments(self.source)
        for key in _settled_in(self.region, attempts, latest_s):
            found = self.id_of(key)
            # Else the other region took it, or the table's stream is still to write it.
            if found in written:
                return found not in self._payments(self.target)
        raise NoData(f"{self.region} has written no audit object that could tell")

    def _payments(self, store: AuditStore) -> frozenset[str]:
        return frozenset(one.payment_id for page in store.pages(self.prefix) for one in page)


def _settled_in(region: str, attempts: Sequence[Attempt], latest_s: float) -> Iterator[str]:
    """The keys of the payments that only this region was sent, and acknowledged by then; the last one first.

    What was sent to both regions may be in both without having been replicated or copied.
    """
    elsewhere = {one.key for one in attempts if one.region not in ("", region)}
    for attempt in reversed(attempts):
        if (
            attempt.result.good
            and attempt.key not in elsewhere
            and attempt.at_s + attempt.seconds <= latest_s
        ):
            yield attempt.key

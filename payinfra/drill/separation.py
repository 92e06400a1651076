"""Whether the regions are cut off: a payment that one has acknowledged stays away from the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from payinfra.clients.aws_errors import NoData
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
        # What was sent to both regions is in both without having been replicated.
        elsewhere = {one.key for one in attempts if one.region not in ("", region)}
        latest = self.elapsed() - self.settle_s
        for attempt in reversed(attempts):
            ended_s = attempt.at_s + attempt.seconds
            if attempt.result.good and attempt.key not in elsewhere and ended_s <= latest:
                return not any(
                    item.is_payment
                    for peer, table in self.tables.items()
                    if peer != region
                    for item in table.read(self.id_of(attempt.key))
                )
        raise NoData(f"{region} has acknowledged nothing that could tell")

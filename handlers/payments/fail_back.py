"""Manual fail-back: once the failover name has moved here, it stays here until a person returns it.

Route 53 has no memory: it sends clients back as soon as the primary region's health page passes, whether or
not all data is there. So the standby sets the flag of an evacuation by itself when the name leads to it. It
looks when a health checker requests its page `/evacuation`, which is every few seconds. Outside its own
region it calls only name servers and, for a domain of one's own, the health page that the name leads to.

Route 53 needs more than a minute to notice the flag. Until then the primary region's health page fails:
otherwise a region that recovers at once would get the name back, and lose it again.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .deadline import Overdue
from .evacuation import Evacuation
from .ledger import reason_of
from .problems import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

MANUAL = "manual"
BY = "the fail-back rule"
"""Who has set the flag; payinfra's `status` tells it from a person by this."""
LOOK_EVERY_MS = 5_000
"""How often one container asks name servers at most."""
SETTLED_MS = 120_000
"""How long after the parameter was written the rule sets no flag. After a return the name still leads here
until Route 53 has noticed, which takes two rounds of 30 s and a few seconds. A new environment has the same
time."""
NOTICED_MS = 120_000
"""How long after the rule has set the flag the primary region's health page fails."""
SKEW_MS = 10_000
"""By how much the regions' clocks may differ."""
KEPT_FOR_MS = 5_000
KEPT_UNREAD_MS = 30_000
"""How long a container keeps what it read of the other region's flag, or that it could not read it."""


class FailBackRule:
    """Sets the flag when the failover name leads here.

    Args:
        parameter: the flag's name in Parameter Store.
        peer: the primary region, which is to be kept out of the name.
        leads_here: whether the name servers answer with this region.
        serves: returns if this region could record a payment now, or raises Unavailable or Overdue.
        clock: now, in milliseconds since the epoch.
    """

    def __init__(
        self,
        client: "SSMClient",
        parameter: str,
        peer: str,
        *,
        leads_here: Callable[[], bool],
        serves: Callable[[], None],
        clock: Callable[[], int],
    ) -> None:
        self._client = client
        self._parameter = parameter
        self._peer = peer
        self._leads_here = leads_here
        self._serves = serves
        self._clock = clock
        self._looked: int | None = None

    def __call__(self) -> Evacuation | None:
        """The evacuation that the rule has just begun; None where nothing is to be done.

        Raises:
            Unavailable: Parameter Store does not answer, or refuses.
        """
        now = self._clock()
        if self._looked is not None and 0 <= now - self._looked < LOOK_EVERY_MS:
            return None
        self._looked = now
        if not self._leads_here():
            return None
        try:
            self._serves()
        except (Unavailable, Overdue):
            # An unhealthy region must not keep clients away from the other one.
            return None
        return self._set(now)

    def _set(self, now: int) -> Evacuation | None:
        try:
            found = self._client.get_parameter(Name=self._parameter)["Parameter"]
            changed = int(found["LastModifiedDate"].timestamp() * 1000)
            if now - changed < SETTLED_MS or not _may_be_set(found["Value"], now):
                return None
            since = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="seconds")
            value = json.dumps({"region": self._peer, "since": since, "by": BY})
            self._client.put_parameter(Name=self._parameter, Value=value, Type="String", Overwrite=True)
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("parameter", reason_of(error)) from error
        return Evacuation(self._peer, since)


class HoldingBack:
    """Whether this region is to fail its health check, because the other one has just kept the name.

    Args:
        client: of the other region's Parameter Store.
        region: this region.
    """

    def __init__(self, client: "SSMClient", parameter: str, region: str, clock: Callable[[], int]) -> None:
        self._client = client
        self._parameter = parameter
        self._region = region
        self._clock = clock
        self._since: datetime | None = None
        self._keep_until: int | None = None

    def __call__(self) -> str:
        """Since when the other region has kept the name, as ISO 8601, for the first two minutes; else
        nothing. A flag that cannot be read counts as none."""
        now = self._clock()
        if self._keep_until is None or not 0 < self._keep_until - now <= KEPT_UNREAD_MS:
            try:
                self._since = self._read()
                self._keep_until = now + KEPT_FOR_MS
            except (ClientError, BotoCoreError):
                self._since = None
                self._keep_until = now + KEPT_UNREAD_MS
        if self._since is None or not -SKEW_MS < now - self._since.timestamp() * 1000 < NOTICED_MS:
            return ""
        return self._since.isoformat(timespec="seconds")

    def _read(self) -> datetime | None:
        found = _document(self._client.get_parameter(Name=self._parameter)["Parameter"]["Value"])
        if (found.get("region"), found.get("by")) != (self._region, BY):
            return None
        return _moment(found.get("since"))


def _may_be_set(value: str, now: int) -> bool:
    """Whether nobody has evacuated a region, and no drill holds the rule off. Both may end by themselves.

    When the flag of a drill has ended, the name leads here for a while, as it does after a return.
    """
    found = _document(value)
    held, until = (_moment(found.get(name)) for name in ("held_until", "until"))
    if held is not None and now < held.timestamp() * 1000:
        return False
    return not found.get("region") or (until is not None and until.timestamp() * 1000 + SETTLED_MS <= now)


def _document(value: str) -> dict[str, object]:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _moment(value: object) -> datetime | None:
    """A moment in ISO 8601 with its zone; None for anything else."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None

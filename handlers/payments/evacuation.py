"""Whether the other region is evacuated, as this region's own flag says. Whatever else it says means no."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .ledger import reason_of
from .problems import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

KEPT_FOR_MS = 2_000
"""So many checkers as ask at once cost one look at the parameter; time to evacuate hardly grows by it."""


@dataclass(frozen=True, slots=True)
class Evacuation:
    """The other region, and since when it is evacuated, as ISO 8601; `is_drill`: by a failover drill."""

    region: str
    since: str
    is_drill: bool = False


class ParameterFlag:
    """The flag, kept for two seconds.

    Args:
        peer: the other region: a flag that names any other, or this one, is none.
    """

    def __init__(self, client: "SSMClient", name: str, peer: str, clock: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._peer = peer
        self._clock = clock
        self._kept: tuple[Evacuation | None, int] | None = None

    def __call__(self) -> Evacuation | None:
        """The evacuation of the other region; None while there is none.

        Raises:
            Unavailable: Parameter Store does not answer, or refuses.
        """
        now = self._clock()
        if self._kept is None or not 0 <= now - self._kept[1] < KEPT_FOR_MS:
            self._kept = (self._read(), now)
        return self._kept[0]

    def _read(self) -> Evacuation | None:
        try:
            value = self._client.get_parameter(Name=self._name)["Parameter"]["Value"]
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("parameter", reason_of(error)) from error
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or found.get("region") != self._peer:
            return None
        if "until" in found and self._is_over(str(found["until"])):
            return None
        return Evacuation(self._peer, str(found.get("since", "")), bool(found.get("drill")))

    def _is_over(self, until: str) -> bool:
        """Whether a flag that ends by itself, as a failover drill sets it, has ended. One without a good end
        has."""
        try:
            end = datetime.fromisoformat(until)
        except ValueError:
            return True
        return end.tzinfo is None or self._clock() >= end.timestamp() * 1000

"""The secret that cursors are signed with, read from SSM. No client has it; both regions have the same."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from .ledger import reason_of
from .problems import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

KEPT_FOR_MS = 5 * 60 * 1000


class ParameterSecret:
    """A SecureString, kept for five minutes so that one that was replaced is taken up."""

    def __init__(self, client: "SSMClient", name: str, clock: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._clock = clock
        self._kept: tuple[str, int] | None = None

    def __call__(self) -> str:
        now = self._clock()
        if self._kept is None or now - self._kept[1] >= KEPT_FOR_MS:
            self._kept = (self._fetch(), now)
        return self._kept[0]

    def _fetch(self) -> str:
        try:
            return self._client.get_parameter(Name=self._name, WithDecryption=True)["Parameter"]["Value"]
        except (ClientError, BotoCoreError) as error:
            raise Unavailable("parameter", reason_of(error)) from error

"""An embedded AWS of the tests' own: a real process, real sockets, ports that the system chooses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from payinfra.local import lifecycle
from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints
from tests.support import embedded

REGIONS = ("us-east-1", "us-west-2")


ONCE = Config(read_timeout=10, connect_timeout=2, retries={"max_attempts": 0})


@dataclass(frozen=True)
class Local:
    """One that runs."""

    folder: Path
    endpoints: LocalEndpoints

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client as the account's root."""
        return embedded.client(self.folder, service, region, ONCE)

    @property
    def control(self) -> Control:
        return Control.of(self.folder)

    def again(self) -> "Local":
        """Started again, or as it is."""
        return Local(self.folder, lifecycle.up(self.folder, REGIONS, base_port=0))


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    folder = tmp_path / ".server"
    try:
        yield Local(folder, lifecycle.up(folder, REGIONS, base_port=0))
    finally:
        lifecycle.down(folder)

"""Clients of an embedded AWS of the tests' own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests.support import embedded

ONCE = Config(read_timeout=10, connect_timeout=2, retries={"max_attempts": 0})


@pytest.fixture
def client_of() -> Callable[[Path, str, str], Any]:
    """Makes a client as the account's root, for the embedded AWS of a folder."""
    return lambda folder, service, region: embedded.client(folder, service, region, ONCE)

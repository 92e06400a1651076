import asyncio
from datetime import UTC

import pytest

from payinfra.local.server.route53.clock import SystemClock
from payinfra.local.server.route53.endpoints import loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.9", "127.0.0.9"),
        ("::1", "::1"),
        ("localhost", "127.0.0.1"),
        ("LocalHost.", "127.0.0.1"),
        ("abc123.execute-api.localhost", "127.0.0.1"),
        ("notlocalhost", None),
        ("localhost.example.com", None),
        ("10.0.0.1", None),
        ("203.0.113.5", None),
        ("", None),
    ],
)
def test_only_this_machine_is_loopback(host: str, expected: str | None) -> None:
    assert loopback(host) == expected


def test_the_system_clock_tells_time_and_waits() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    asyncio.run(clock.sleep(0.002))
    assert clock.monotonic() - before >= 0.002
    assert clock.now().tzinfo is UTC

"""The day on which the primary region is lost: evacuated, lived without, and returned to."""

import json
import threading
import time

import pytest

from payinfra.local.faults import ReplicationDelay
from tests.e2e.evacuation.conftest import SCALE, Day

FLAPS = 5
"""How often the primary region comes and goes while it is evacuated."""
DELAY_S = 90.0


def test_with_the_primary_dark_the_survivor_alone_moves_the_name_and_keeps_it(day: Day) -> None:
    """Route 53, IAM and STS, which are global, are refused as well: they share the control's port."""
    day.blackout(day.primary)
    done = day.command(
        "evacuate", day.primary, refuses=(day.port(day.primary),), controls=(day.control_port,)
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["moved"]
    assert said["seconds"] <= said["moves_within_s"]
    assert said["moves_within_s"] == pytest.approx(2 + 2 * (30 / SCALE + 1) + 1)
    # Nothing but the survivor, name servers and, to find the embedded AWS, its control port.
    allowed = {day.port(day.secondary), day.dns_port, day.control_port}
    assert {port for port, _ in day.sent()} == allowed
    to_control = {line for port, line in day.sent() if port == day.control_port and line}
    assert to_control == {"GET /_payinfra/status HTTP/1.1"}
    assert day.pay(day.secondary).status_code == 201
    # It comes and goes, and is healthy in between: the name has moved once.
    led: list[str] = []
    for _ in range(FLAPS):
        day.deployment.control.clear()
        _watch(day, led, 5.0)
        day.blackout(day.primary)
        _watch(day, led, 5.0)
    assert set(led) == {day.secondary}
    day.deployment.control.clear()
    back = day.command("return", day.primary)
    assert back.returncode == 0, back.stderr
    assert json.loads(back.stdout)["back"]
    assert day.leads_to() == day.primary
    assert day.missing(day.primary) == []


def _watch(day: Day, led: list[str], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        led.append(day.leads_to())
        time.sleep(0.2)


def test_the_secondary_is_evacuated_from_the_latency_name(day: Day) -> None:
    done = day.command("evacuate", day.secondary, refuses=(day.port(day.secondary),))
    assert done.returncode == 0, done.stderr
    names = json.loads(done.stdout)["names"]
    assert {answer["region"] for name in names for answer in name["answers"]} == {day.primary}
    back = day.command("return", day.secondary)
    assert back.returncode == 0, back.stderr
    led = [{answer["region"] for answer in name["answers"]} for name in json.loads(back.stdout)["names"]]
    assert led == [{day.primary}, {day.secondary}]


def test_a_return_waits_for_replication_and_no_payment_is_ever_missing(day: Day) -> None:
    assert day.command("evacuate", day.primary).returncode == 0
    delay = day.deployment.control.inject(ReplicationDelay(DELAY_S))
    for _ in range(3):
        assert day.pay(day.secondary).status_code == 201
    assert day.missing(day.primary) == day.paid, "what came late is not there yet"
    ended: list[int] = []
    output: list[str] = []

    def run() -> None:
        back = day.command("return", day.primary)
        output.extend((back.stdout, back.stderr))
        ended.append(back.returncode)

    returning = threading.Thread(target=run)
    returning.start()
    try:
        end = time.monotonic() + 15
        while time.monotonic() < end:
            # A client asks where the name leads, for what has been acknowledged.
            led = day.leads_to()
            assert led == day.secondary
            assert day.missing(led) == []
            assert not ended, output
            time.sleep(0.5)
        day.deployment.control.clear(delay.fault_id)
        while not ended:
            assert day.missing(day.leads_to()) == []
            time.sleep(0.3)
    finally:
        returning.join()
    assert ended == [0], output
    assert "Replication is behind" in output[1]
    assert day.leads_to() == day.primary
    assert day.missing(day.primary) == []


def test_killed_at_every_step_both_commands_end_well_when_run_again(day: Day) -> None:
    for step in range(1, 14):
        day.command("evacuate", day.primary, kills_at=step)
    done = day.command("evacuate", day.primary)
    assert done.returncode == 0, done.stderr
    assert day.leads_to() == day.secondary
    flag = day.flag("secondary")
    assert flag is not None
    assert (flag.region, day.flag("primary")) == (day.primary, None)
    for step in (1, 2, 4, 8, 16, 32, 64, 100, 130):
        day.command("return", day.primary, kills_at=step)
    back = day.command("return", day.primary)
    assert back.returncode == 0, back.stderr
    assert day.leads_to() == day.primary
    assert day.flag("secondary") is None

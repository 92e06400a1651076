"""The watchdog's own process lifts what a killed drill has left in a real embedded AWS."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from payinfra.clients.aws import LOCAL_ACCOUNT
from payinfra.core.evacuation import EvacuationFlag
from payinfra.drill.faults.actions import HoldTimeScale
from payinfra.drill.faults.evacuation import EvacuateRegion
from payinfra.drill.faults.health_check import SetUnhealthy
from payinfra.drill.faults.journal import FaultJournal, Header
from payinfra.drill.faults.region_outage import Blackout
from payinfra.drill.faults.watchdog_process import Order, start
from payinfra.local import lifecycle
from payinfra.local.control import Control
from tests.support import embedded

EAST, WEST = "us-east-1", "us-west-2"
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("watched") / ".server"
    try:
        lifecycle.up(folder, (EAST, WEST), base_port=0)
        yield folder
    finally:
        lifecycle.down(folder)


def test_what_a_killed_drill_has_left_is_lifted_by_a_second_process(server: Path, tmp_path: Path) -> None:
    control, route53 = Control.of(server), embedded.client(server, "route53")
    check = route53.create_health_check(
        CallerReference="watched",
        HealthCheckConfig={
            "Type": "HTTPS",
            "FullyQualifiedDomainName": "pay.example",
            "ResourcePath": "/health",
            "Inverted": True,
            "Disabled": True,
        },
    )["HealthCheck"]["Id"]
    control.hold_time_scale("demo/d", 20.0)
    dark = Blackout(WEST)
    control.inject(dark.fault)
    now = datetime.now(UTC)
    journal = FaultJournal.begin(
        tmp_path / "d",
        Header("d", "demo", "local", LOCAL_ACCOUNT, (EAST, WEST), ("region-outage",), now, "payinfra"),
    )
    for action in (
        HoldTimeScale(20.0, "demo/d"),
        dark,
        SetUnhealthy(check, inverted=False, disabled=False),
    ):
        journal.done(journal.announce(action))
    order = Order.of(
        journal.path, now + timedelta(seconds=1), control, embedded.endpoints_of(server), LOCAL_ACCOUNT
    )
    assert start(order).startswith("armed: process ")
    ends = time.monotonic() + WITHIN_S
    while journal.read().left and time.monotonic() < ends:
        time.sleep(0.2)
    assert journal.read().left == ()
    config = route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
    assert (config["Inverted"], config["Disabled"]) == (False, False)
    status = control.status()
    assert (status.faults, status.time_scale, dict(status.time_scale_holds)) == ((), 1.0, {})


@pytest.mark.parametrize("by_a_person", [False, True])
def test_a_killed_drills_flag_is_lifted_and_a_persons_is_not(
    server: Path, tmp_path: Path, by_a_person: bool
) -> None:
    control, ssm = Control.of(server), embedded.client(server, "ssm", WEST)
    now, name = datetime.now(UTC), "/payment-demo/evacuated"
    drills = EvacuateRegion(EAST, WEST, name, "d", now, now + timedelta(seconds=60))
    person = EvacuationFlag(EAST, now.isoformat(), "alice")
    stands = person if by_a_person else drills.flag
    ssm.put_parameter(Name=name, Value=stands.to_json(), Type="String", Overwrite=True)
    journal = FaultJournal.begin(
        tmp_path / "d",
        Header("d", "demo", "local", LOCAL_ACCOUNT, (EAST, WEST), ("evacuation",), now, "payinfra"),
    )
    journal.done(journal.announce(drills))
    order = Order.of(
        journal.path, now + timedelta(seconds=1), control, embedded.endpoints_of(server), LOCAL_ACCOUNT
    )
    assert start(order).startswith("armed: process ")
    ends = time.monotonic() + WITHIN_S
    while journal.read().left and time.monotonic() < ends:
        time.sleep(0.2)
    assert journal.read().left == ()
    left = EvacuationFlag.from_json(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    assert left == (person if by_a_person else None)

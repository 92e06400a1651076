"""What the survivor carries is shown beside what was needed; what cannot be read stops nobody."""

import itertools
from dataclasses import replace

import pytest

from payinfra.core.errors import ExitCode
from payinfra.core.naming import status_partitions
from payinfra.evacuation import evacuate as evacuation
from payinfra.evacuation.capacity import CapacityLine, capacity
from payinfra.evacuation.survivor import Survivor
from tests.unit.evacuation.conftest import EAST, WEST, TwoRegions, payment


def lines(survivor: Survivor) -> dict[str, CapacityLine]:
    return {line.what: line for line in capacity(survivor)}


def reserving(regions: TwoRegions, concurrency: int) -> Survivor:
    """The survivor, whose function has so much concurrency of its own."""
    survivor = regions.survivor()
    first, second = survivor.live.declared.regions
    own = replace(second, function=replace(second.function, reserved_concurrency=concurrency))
    declared = replace(survivor.live.declared, regions=(first, own))
    return replace(survivor, live=replace(survivor.live, declared=declared))


def test_the_peaks_of_both_regions_are_held_against_the_limit_of_requests(regions: TwoRegions) -> None:
    regions.metrics["Count"] = [60.0, 120.0]
    partitions = itertools.cycle(status_partitions("accepted"))
    regions.tables[WEST] = [
        payment(f"pay_{number}", region=EAST, status={"S": next(partitions)}) for number in range(90)
    ]
    regions.tables[WEST] += [payment(f"pay_own_{number}", region=WEST) for number in range(500)]
    found = lines(regions.survivor())["API's requests a second"]
    assert (found.limit, found.needed, found.enough) == ("100", "2 requests here, 1.5 payments there", True)
    regions.metrics["Count"] = [80.0 * 60]
    assert lines(regions.survivor())["API's requests a second"].enough is False


@pytest.mark.parametrize(("reserved", "enough"), [(100, True), (30, False)])
def test_twice_the_concurrency_must_fit(regions: TwoRegions, reserved: int, enough: bool) -> None:
    regions.metrics["ConcurrentExecutions"] = [20.0, 5.0]
    found = lines(reserving(regions, reserved))["function's concurrency"]
    assert (found.limit, found.needed) == (f"{reserved} reserved", "20 at once")
    assert found.enough is enough


def test_the_accounts_concurrency_is_not_known(regions: TwoRegions) -> None:
    regions.metrics["ConcurrentExecutions"] = [20.0]
    assert lines(regions.survivor())["function's concurrency"].enough is None


def test_what_is_refused_already_is_said(regions: TwoRegions) -> None:
    assert lines(regions.survivor())["function throttled, last 15 min"].enough is True
    regions.metrics |= {"Throttles": [0.0, 3.0], "5XXError": [1.0]}
    found = lines(regions.survivor())
    assert (found["function throttled, last 15 min"].needed, found["API's 5xx, last 15 min"].needed) == (
        "3",
        "1",
    )
    assert not any(
        found[what].enough for what in ("function throttled, last 15 min", "API's 5xx, last 15 min")
    )


def test_what_may_not_be_read_is_unknown_and_stops_nobody(regions: TwoRegions) -> None:
    regions.refused |= {"get_metric_statistics": "AccessDenied", "query": "AccessDeniedException"}
    found = lines(regions.survivor())
    assert not [line for line in found.values() if line.enough is not None]
    assert found["API's requests a second"].needed == "unknown requests here, unknown payments there"
    survivor = regions.survivor()
    planned = evacuation.plan(survivor)
    done = evacuation.evacuate(
        survivor, planned, "alice", lambda _said: None, clock=regions.now, sleep=regions.sleep
    )
    assert done.exit_code is ExitCode.DONE

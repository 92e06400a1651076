"""Writes on their way between the regions of a global table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payinfra.local.faults import FaultRegistry, RegionBlackout, ReplicationDelay, ReplicationPause
from payinfra.local.server.replication import Item, ItemKey, Replicator, Write

EAST, WEST = "us-east-1", "us-west-2"
ONE = ItemKey("1", "payments", "p1", "1")
TWO = ItemKey("1", "payments", "p2", "1")


@dataclass
class Regions:
    """What each region's replica holds, and a clock that moves when told to."""

    board: FaultRegistry = field(default_factory=FaultRegistry)
    now: float = 1000.0
    spread: float = 0.0
    scale: float = 1.0
    held: dict[tuple[str, ItemKey], Item | None] = field(default_factory=dict)
    delivered: list[Write] = field(default_factory=list)
    woken: int = 0

    def __post_init__(self) -> None:
        self.replicator = self.a_replicator()

    def a_replicator(self) -> Replicator:
        return Replicator(
            deliver=self.deliver,
            board=self.board,
            clock=lambda: self.now,
            spread=lambda: self.spread,
            time_scale=lambda: self.scale,
            wake=self.wake,
        )

    def wake(self) -> None:
        self.woken += 1

    def deliver(self, write: Write) -> None:
        self.delivered.append(write)
        self.held[write.target, write.key] = write.item

    def write(self, region: str, item: Item | None, key: ItemKey = ONE) -> None:
        """A write as DynamoDB makes it: here first, then told to the replicator."""
        self.held[region, key] = item
        self.replicator.wrote(key, region, [other for other in (EAST, WEST) if other != region], item)

    def at(self, region: str, key: ItemKey = ONE) -> Item | None:
        return self.held.get((region, key))


@pytest.fixture
def regions() -> Regions:
    return Regions()


def item(value: str) -> Mapping[str, object]:
    return {"value": {"S": value}}


def test_without_faults_a_write_is_in_the_other_region_at_once(regions: Regions) -> None:
    regions.write(EAST, item("a"))
    assert regions.at(WEST) == item("a")
    assert regions.replicator.pending() == ()
    assert regions.replicator.versions() == ()
    assert regions.woken == 0


def test_a_delete_replicates_too(regions: Regions) -> None:
    regions.write(EAST, item("a"))
    regions.write(EAST, None)
    assert regions.at(WEST) is None
    assert len(regions.delivered) == 2


def test_a_delayed_write_arrives_after_its_delay_and_not_before(regions: Regions) -> None:
    regions.board.inject(ReplicationDelay(2.0))
    regions.write(EAST, item("a"))
    assert regions.woken == 1
    assert regions.replicator.pump() == pytest.approx(2.0)
    regions.now += 1.9
    regions.replicator.pump()
    assert regions.at(WEST) is None
    regions.now += 0.2
    assert regions.replicator.pump() is None
    assert regions.at(WEST) == item("a")


@pytest.mark.parametrize(("spread", "seconds"), [(-1.0, 1.5), (0.0, 2.0), (1.0, 2.5)])
def test_jitter_moves_the_delay_both_ways(regions: Regions, spread: float, seconds: float) -> None:
    regions.spread = spread
    regions.board.inject(ReplicationDelay(2.0, 0.5))
    regions.write(EAST, item("a"))
    assert regions.replicator.pump() == pytest.approx(seconds)


def test_the_time_scale_divides_the_delay(regions: Regions) -> None:
    regions.scale = 10.0
    regions.board.inject(ReplicationDelay(2.0))
    regions.write(EAST, item("a"))
    assert regions.replicator.pump() == pytest.approx(0.2)


def test_paused_writes_wait_and_arrive_when_resumed(regions: Regions) -> None:
    pause = regions.board.inject(ReplicationPause())
    regions.write(EAST, item("a"))
    regions.now += 3600
    assert regions.replicator.pump() is None
    assert regions.at(WEST) is None
    assert len(regions.replicator.pending()) == 1
    regions.board.clear(pause.fault_id)
    regions.replicator.pump()
    assert regions.at(WEST) == item("a")
    assert regions.replicator.pending() == ()


@pytest.mark.parametrize("dark", [EAST, WEST])
def test_a_blackout_holds_writes_from_and_to_the_region(regions: Regions, dark: str) -> None:
    fault = regions.board.inject(RegionBlackout(dark))
    regions.write(EAST, item("a"))
    regions.write(WEST, item("b"), TWO)
    assert regions.delivered == []
    regions.board.clear(fault.fault_id)
    regions.replicator.pump()
    assert regions.at(WEST) == item("a")
    assert regions.at(EAST, TWO) == item("b")


def test_the_last_write_wins_in_both_regions(regions: Regions) -> None:
    pause = regions.board.inject(ReplicationPause())
    regions.write(EAST, item("older"))
    regions.now += 1
    regions.write(WEST, item("younger"))
    regions.board.clear(pause.fault_id)
    regions.replicator.pump()
    assert regions.at(EAST) == regions.at(WEST) == item("younger")
    assert [write.target for write in regions.delivered] == [EAST]


def test_a_younger_delete_wins_over_an_older_write(regions: Regions) -> None:
    pause = regions.board.inject(ReplicationPause())
    regions.write(WEST, item("older"))
    regions.now += 1
    regions.write(EAST, None)
    regions.board.clear(pause.fault_id)
    regions.replicator.pump()
    assert regions.at(EAST) is None
    assert regions.at(WEST) is None


def test_writes_that_jitter_overtakes_end_with_the_younger(regions: Regions) -> None:
    regions.board.inject(ReplicationDelay(2.0, 2.0))
    regions.spread = 1.0
    regions.write(EAST, item("older"))
    regions.spread = -1.0
    regions.write(EAST, item("younger"))
    assert regions.at(WEST) == item("younger")
    regions.now += 10
    regions.replicator.pump()
    assert regions.at(WEST) == item("younger")


def test_two_writes_at_one_moment_still_have_an_order(regions: Regions) -> None:
    pause = regions.board.inject(ReplicationPause())
    regions.write(EAST, item("first"))
    regions.write(EAST, item("second"))
    regions.board.clear(pause.fault_id)
    regions.replicator.pump()
    assert regions.at(WEST) == item("second")


def test_a_restart_forgets_neither_the_writes_nor_their_order(regions: Regions) -> None:
    regions.board.inject(ReplicationPause())
    regions.write(EAST, item("older"))
    regions.now += 1
    regions.write(WEST, item("younger"))
    before = regions.replicator
    regions.replicator = regions.a_replicator()
    regions.replicator.restore(before.pending(), before.versions())
    regions.board.clear()
    regions.replicator.pump()
    assert regions.at(EAST) == regions.at(WEST) == item("younger")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([EAST, WEST]), st.sampled_from([ONE, TWO])),
        st.tuples(st.just("delete"), st.sampled_from([EAST, WEST]), st.sampled_from([ONE, TWO])),
        st.tuples(st.just("pause"), st.just(""), st.just(ONE)),
        st.tuples(st.just("delay"), st.just(""), st.just(ONE)),
        st.tuples(st.just("dark"), st.sampled_from([EAST, WEST]), st.just(ONE)),
        st.tuples(st.just("clear"), st.just(""), st.just(ONE)),
        st.tuples(st.just("wait"), st.just(""), st.just(ONE)),
    ),
    max_size=40,
)


@given(STEPS, st.floats(-1, 1))
def test_whatever_happens_the_regions_end_equal_with_each_items_last_write(
    steps: list[tuple[str, str, ItemKey]], spread: float
) -> None:
    regions = Regions(spread=spread)
    last: dict[ItemKey, Item | None] = {}
    for number, (what, region, key) in enumerate(steps):
        regions.now += 0.1
        match what:
            case "write" | "delete":
                last[key] = item(str(number)) if what == "write" else None
                regions.write(region, last[key], key)
            case "pause":
                regions.board.inject(ReplicationPause())
            case "delay":
                regions.board.inject(ReplicationDelay(3.0, 3.0))
            case "dark":
                regions.board.inject(RegionBlackout(region))
            case "clear":
                regions.board.clear()
            case _:
                regions.now += 2
                regions.replicator.pump()
    regions.board.clear()
    regions.now += 100
    regions.replicator.pump()
    for key, value in last.items():
        assert regions.at(EAST, key) == regions.at(WEST, key) == value
    assert regions.replicator.pending() == ()
    assert regions.replicator.versions() == ()


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_meanwhile_keeps_no_write_back(regions: Regions, set_by_s: float) -> None:
    regions.board.inject(ReplicationDelay(5.0))
    regions.write(EAST, item("a"))
    regions.now += 1.0 + set_by_s
    waits = regions.replicator.pump()
    assert waits is None or waits <= 5.0
    regions.now += 5.0
    regions.replicator.pump()
    assert regions.at(WEST) == item("a")
    # Younger is what was written later, whatever the clock says.
    regions.write(WEST, item("b"))
    regions.now += 5.0
    regions.replicator.pump()
    assert (regions.at(EAST), regions.at(WEST)) == (item("b"), item("b"))

"""Faults as values, and the board that holds those in place."""

from datetime import UTC, datetime

import pytest

from payinfra.core.errors import UsageProblem
from payinfra.local.faults import (
    ActiveFault,
    Fault,
    FaultRegistry,
    ObjectReplicationPause,
    RegionBlackout,
    ReplicationDelay,
    ReplicationPause,
    ServiceDelay,
    ServiceDenial,
    ServiceErrors,
    ServiceThrottling,
    describe,
    from_json,
    kind,
    to_json,
)

WEST = RegionBlackout("us-west-2")
EAST = RegionBlackout("us-east-1")
EVERY = (WEST, ReplicationDelay(2.0, 0.5), ReplicationPause())


@pytest.fixture
def board() -> FaultRegistry:
    return FaultRegistry(now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


THROTTLED, LATE = ServiceThrottling("us-east-1", "s3"), ServiceDelay("us-east-1", "dynamodb", 2.5)


DENIED, FAILING = ServiceDenial("us-east-1", "kms"), ServiceErrors("us-east-1", "dynamodb", 30)


@pytest.mark.parametrize(
    "fault", [*EVERY, THROTTLED, LATE, DENIED, FAILING, ObjectReplicationPause("us-west-2")]
)
def test_a_fault_survives_the_wire(fault: Fault) -> None:
    assert from_json(to_json(fault)) == fault
    assert to_json(fault)["kind"] == kind(fault)


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"kind": "earthquake"},
        {"kind": "region-blackout"},
        {"kind": "region-blackout", "region": ""},
        {"kind": "replication-delay", "seconds": -1},
        {"kind": "replication-delay", "seconds": 1, "jitter": 2},
        {"kind": "replication-delay", "seconds": 1, "jitter": "x"},
        {"kind": "replication-delay", "seconds": float("inf")},
        {"kind": "service-throttling", "region": "us-east-1"},
        {"kind": "service-throttling", "region": "", "service": "s3"},
        {"kind": "service-throttling", "region": "us-east-1", "service": "ec2"},
        {"kind": "service-denial", "region": "us-east-1", "service": "ec2"},
        {"kind": "service-errors", "region": "us-east-1", "service": "s3"},
        {"kind": "service-errors", "region": "us-east-1", "service": "s3", "percent": 0},
        {"kind": "service-errors", "region": "us-east-1", "service": "s3", "percent": 101},
        {"kind": "service-delay", "region": "us-east-1", "service": "s3"},
        {"kind": "service-delay", "region": "us-east-1", "service": "s3", "seconds": 0},
        {"kind": "service-delay", "region": "us-east-1", "service": "s3", "seconds": 61},
        {"kind": "service-delay", "region": "us-east-1", "service": "ec2", "seconds": 1},
    ],
)
def test_what_is_no_usable_fault_is_a_usage_problem(value: object) -> None:
    with pytest.raises(UsageProblem) as told:
        from_json(value)
    assert told.value.hint


def test_a_delay_without_jitter_has_none() -> None:
    assert from_json({"kind": "replication-delay", "seconds": 3}) == ReplicationDelay(3.0, 0.0)


def test_each_fault_is_told_in_a_phrase() -> None:
    assert describe(WEST) == "us-west-2 answers nothing"
    assert describe(ReplicationDelay(2.0)) == "replication takes 2 s"
    assert describe(ReplicationDelay(2.0, 0.5)) == "replication takes 2 s, give or take 0.5 s"
    assert describe(ReplicationPause()) == "replication is paused"
    assert describe(ObjectReplicationPause("us-west-2")) == "S3 copies no object from us-west-2"
    assert describe(THROTTLED) == "s3 in us-east-1 throttles every call"
    assert describe(LATE) == "dynamodb in us-east-1 answers 2.5 s late"


def test_a_new_board_fails_nothing(board: FaultRegistry) -> None:
    assert board.list() == ()
    assert not board.dark("us-east-1")
    assert not board.paused()
    assert board.delay() == ReplicationDelay(0.0)


def test_what_is_injected_is_in_place_until_it_is_cleared(board: FaultRegistry) -> None:
    dark, slow, paused = (board.inject(fault) for fault in EVERY)
    assert dark == ActiveFault("fault-1", WEST, "2026-01-02T03:04:05.000+00:00")
    assert board.list() == (dark, slow, paused)
    assert board.dark("us-west-2")
    assert not board.dark("us-east-1")
    assert board.paused()
    assert board.delay() == ReplicationDelay(2.0, 0.5)
    assert board.clear(dark.fault_id) == (dark,)
    assert board.list() == (slow, paused)
    assert board.clear() == (slow, paused)
    assert board.list() == ()


def test_the_same_fault_again_is_the_one_in_place(board: FaultRegistry) -> None:
    assert board.inject(WEST) == board.inject(WEST)
    assert len(board.list()) == 1


def test_a_new_delay_takes_the_old_ones_place_and_a_blackout_only_that_of_its_region(
    board: FaultRegistry,
) -> None:
    board.inject(ReplicationDelay(1.0))
    board.inject(ReplicationDelay(9.0))
    board.inject(EAST)
    board.inject(WEST)
    assert [active.fault for active in board.list()] == [ReplicationDelay(9.0), EAST, WEST]


def test_listeners_hear_of_changes_only(board: FaultRegistry) -> None:
    heard: list[int] = []
    board.on_change(lambda: heard.append(len(board.list())))
    board.inject(WEST)
    board.inject(WEST)
    board.clear("fault-9")
    board.clear()
    board.clear()
    assert heard == [1, 0]


def test_a_service_is_disturbed_in_its_region_only(board: FaultRegistry) -> None:
    board.inject(THROTTLED)
    board.inject(LATE)
    places = [(region, service) for region in ("us-east-1", "us-west-2") for service in ("s3", "dynamodb")]
    assert [place for place in places if board.throttles(*place)] == [("us-east-1", "s3")]
    assert [board.lateness(*place) for place in places] == [0, 2.5, 0, 0]


def test_a_service_is_late_by_what_was_said_last(board: FaultRegistry) -> None:
    board.inject(LATE)
    board.inject(ServiceDelay("us-east-1", "s3", 1.0))
    board.inject(ServiceDelay("us-east-1", "dynamodb", 4.0))
    board.inject(ServiceThrottling("us-west-2", "s3"))
    assert board.inject(THROTTLED) == board.inject(THROTTLED)
    assert board.lateness("us-east-1", "dynamodb") == 4.0
    assert len(board.list()) == 4


def test_a_denied_service_is_denied_in_its_region_alone(board: FaultRegistry) -> None:
    board.inject(DENIED)
    assert board.denies("us-east-1", "kms")
    assert not board.denies("us-west-2", "kms")
    assert not board.denies("us-east-1", "s3")
    assert describe(DENIED) == "kms in us-east-1 denies every call"


@pytest.mark.parametrize("percent", [1, 10, 33, 99, 100])
def test_of_a_hundred_calls_exactly_so_many_fail(board: FaultRegistry, percent: int) -> None:
    board.inject(ServiceErrors("us-east-1", "dynamodb", percent))
    assert [board.fails("us-east-1", "dynamodb") for _ in range(100)].count(True) == percent
    assert not board.fails("us-west-2", "dynamodb")


def test_failures_are_spread_evenly(board: FaultRegistry) -> None:
    board.inject(FAILING)
    calls = [board.fails("us-east-1", "dynamodb") for _ in range(20)]
    assert [calls[first : first + 10].count(True) for first in (0, 10)] == [3, 3]
    assert not any(calls[at] and calls[at + 1] for at in range(19))
    assert describe(FAILING) == "dynamodb in us-east-1 fails 30 of a hundred calls"

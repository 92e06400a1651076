"""A return: the region's probes, replication, the payments of both; only then the flag, and the names."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from payinfra.clients.aws_errors import NotYet
from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed
from payinfra.drill.replicas import Crossing
from payinfra.evacuation.returning import Returned, Waiting, bring_back
from payinfra.payments.records import recorded
from tests.unit.evacuation.conftest import EAST, WEST, Killed, TwoRegions, flag_of, payment

CROSSED = (Crossing(EAST, WEST, 0.2), Crossing(WEST, EAST, 0.5))


@pytest.fixture
def regions() -> TwoRegions:
    """us-east-1 is evacuated, and well again."""
    found = TwoRegions()
    found.flags[WEST] = flag_of(EAST).to_json()
    return found


def record(regions: TwoRegions, item: dict[str, Any], *where: str, audited: bool = True) -> None:
    for region in where:
        regions.tables[region].append(item)
    if audited:
        regions.audited.update(recorded(item).audit_objects)


def run(
    regions: TwoRegions,
    *,
    accept: bool = False,
    within_s: float = 600.0,
    failures: Callable[..., tuple[str, ...]] = lambda *_: (),
    crossings: Callable[..., tuple[Crossing, ...]] = lambda *_: CROSSED,
    told: list[str] | None = None,
    survivor: str = WEST,
    of_drill: bool = False,
) -> Returned:
    tell = [] if told is None else told
    ways = (regions.now, regions.sleep, failures, crossings, lambda _: None)
    waiting = Waiting(within_s, tell.append, *ways)
    return bring_back(regions.survivor(survivor), waiting, accept=accept, of_drill=of_drill)


def test_the_flag_is_lifted_and_the_names_come_back(regions: TwoRegions) -> None:
    record(regions, payment("pay_1"), EAST, WEST)
    done = run(regions)
    assert done.exit_code is ExitCode.DONE
    assert regions.flags[WEST] == "{}"
    assert done.reconciled is not None
    assert (done.reconciled.payments, done.reconciled.open) == (1, ())
    assert done.latency_s == 0.5
    assert 5.0 in regions.slept, "ten times the latency"
    assert {answer.region for name in done.names for answer in name.answers} == {EAST}


def test_the_greatest_recent_latency_counts(regions: TwoRegions) -> None:
    regions.metrics["ReplicationLatency"] = [800.0, 2500.0]
    assert run(regions).latency_s == 2.5
    assert 25.0 in regions.slept


def test_the_secondary_comes_back_to_the_latency_name() -> None:
    regions = TwoRegions()
    regions.flags[EAST] = flag_of(WEST).to_json()
    done = run(regions, survivor=EAST)
    assert done.exit_code is ExitCode.DONE
    assert [{answer.region for answer in name.answers} for name in done.names] == [{EAST}, {WEST}]


def test_a_region_that_is_not_ready_is_waited_for(regions: TwoRegions) -> None:
    ill = ("LIVE-API-002 no answer", "LIVE-FN-001 it failed")
    said = iter([ill, ill, ()])
    told: list[str] = []
    assert run(regions, failures=lambda *_: next(said), told=told).exit_code is ExitCode.DONE
    assert told.count("us-east-1 is not ready: LIVE-API-002 no answer, and 1 more.") == 1


def test_a_region_that_does_not_become_ready_stays_evacuated(regions: TwoRegions) -> None:
    with pytest.raises(GateFailed, match="us-east-1 is not ready: LIVE-FN-001 it failed"):
        run(regions, failures=lambda *_: ("LIVE-FN-001 it failed",))
    assert not regions.changed


def test_replication_that_is_behind_is_waited_for(regions: TwoRegions) -> None:
    tries = iter(range(3))

    def crossings(*_: object) -> tuple[Crossing, ...]:
        if next(tries) < 2:
            raise NotYet("an item written in us-west-2 is not there in us-east-1")
        assert not regions.changed
        return CROSSED

    assert run(regions, crossings=crossings).exit_code is ExitCode.DONE


def test_replication_that_stays_behind_keeps_the_region_evacuated(regions: TwoRegions) -> None:
    def crossings(*_: object) -> tuple[Crossing, ...]:
        raise NotYet("an item is not there")

    with pytest.raises(GateFailed, match="Replication is behind"):
        run(regions, crossings=crossings)
    assert not regions.changed


def test_payments_that_are_open_keep_the_region_evacuated(regions: TwoRegions) -> None:
    record(regions, payment("pay_both"), EAST, WEST)
    record(regions, payment("pay_east"), EAST)
    record(regions, payment("pay_west", region=WEST), WEST)
    record(regions, payment("pay_moved"), EAST)
    record(regions, {**payment("pay_moved"), "status": {"S": "settled"}}, WEST)
    record(regions, payment("pay_twice", "1" * 64), EAST, WEST)
    record(regions, payment("pay_twice", "2" * 64, timestamp={"N": "1772334000000"}), EAST, WEST)
    record(regions, payment("pay_marked", conflict={"BOOL": True}), EAST, WEST)
    record(regions, payment("pay_unaudited"), EAST, WEST, audited=False)
    done = run(regions)
    assert done.exit_code is ExitCode.GATE_FAILED
    assert not regions.changed
    assert done.reconciled is not None
    assert {one.payment_id: one.what for one in done.reconciled.open} == {
        "pay_east": "only us-east-1 has it",
        "pay_west": "only us-west-2 has it",
        "pay_moved": "it is accepted in us-east-1 and settled in us-west-2",
        "pay_twice": "its key was accepted twice, with different bodies",
        "pay_marked": "its key was accepted twice, with different bodies",
        "pay_unaudited": "neither region's audit bucket has its object",
    }
    assert run(regions, accept=True).exit_code is ExitCode.DONE
    assert regions.flags[WEST] == "{}"


def test_a_key_that_somebody_decided_is_not_open(regions: TwoRegions) -> None:
    record(regions, payment("pay_twice", "1" * 64, resolved={"BOOL": True}), EAST, WEST)
    record(regions, payment("pay_twice", "2" * 64, timestamp={"N": "1772334000000"}), EAST, WEST)
    assert run(regions).exit_code is ExitCode.DONE


def test_a_payment_that_arrives_meanwhile_is_not_open(regions: TwoRegions) -> None:
    late = payment("pay_late", region=WEST)
    record(regions, late, WEST)
    sleep = regions.sleep

    def arrives(seconds: float) -> None:
        sleep(seconds)
        if late not in regions.tables[EAST]:
            regions.tables[EAST].append(late)

    ways = (regions.now, arrives, lambda *_: (), lambda *_: CROSSED, lambda _: None)
    waiting = Waiting(600.0, lambda _: None, *ways)
    assert bring_back(regions.survivor(), waiting).exit_code is ExitCode.DONE


def test_killed_before_any_step_it_ends_well_when_run_again() -> None:
    def evacuated(killed_at: int | None = None) -> TwoRegions:
        found = TwoRegions(killed_at=killed_at)
        found.flags[WEST] = flag_of(EAST).to_json()
        record(found, payment("pay_1"), EAST, WEST)
        return found

    whole = evacuated()
    run(whole)
    for step in range(len(whole.calls)):
        regions = evacuated(step)
        with pytest.raises(Killed):
            run(regions)
        regions.killed_at = None
        assert run(regions).exit_code is ExitCode.DONE
        assert regions.flags[WEST] == "{}"
        assert len(regions.changed) == 1


DRILLED = replace(flag_of(EAST), by="failover-drill", drill="drill-1", until="2026-03-01T04:00:00+00:00")


def test_a_drill_returns_from_its_own_evacuation_and_from_no_persons(regions: TwoRegions) -> None:
    with pytest.raises(GateFailed, match=f"evacuated by {flag_of(EAST).by} meanwhile"):
        run(regions, of_drill=True)
    assert not regions.changed
    regions.flags[WEST] = DRILLED.to_json()
    assert run(regions, of_drill=True).lifted
    assert regions.flags[WEST] == "{}"


@pytest.mark.parametrize("of_drill", [True, False])
def test_a_flag_that_somebody_sets_while_a_return_waits_stands(regions: TwoRegions, of_drill: bool) -> None:
    regions.flags[WEST] = DRILLED.to_json()
    persons = flag_of(EAST).to_json()

    def evacuates(*_: object) -> tuple[Crossing, ...]:
        regions.flags[WEST] = persons
        return CROSSED

    with pytest.raises(GateFailed, match="That flag stands"):
        run(regions, crossings=evacuates, of_drill=of_drill)
    assert regions.flags[WEST] == persons
    assert not regions.changed


def test_where_nothing_is_evacuated_there_is_nothing_to_do() -> None:
    regions, told = TwoRegions(), list[str]()
    done = run(regions, told=told)
    assert (done.exit_code, done.flag, done.seconds) == (ExitCode.DONE, None, 0.0)
    assert told == ["No flag says that us-east-1 is evacuated."]


def test_names_that_do_not_come_back_fail_the_gate(regions: TwoRegions) -> None:
    regions.moves_after_s = 1e9
    done = run(regions)
    assert done.lifted
    assert done.exit_code is ExitCode.GATE_FAILED


def test_a_region_that_refuses_to_be_compared_stays_evacuated(regions: TwoRegions) -> None:
    regions.refused["query"] = "AccessDeniedException"
    with pytest.raises(EnvironmentUnusable, match="A region refused") as refused:
        run(regions)
    assert refused.value.hint == "The flag stands. Run the command again."
    assert not regions.changed


@pytest.mark.parametrize("since", ["", "yesterday", "2026-03-01T03:12:45"])
def test_a_flag_whose_time_cannot_be_read_is_no_obstacle(regions: TwoRegions, since: str) -> None:
    regions.flags[WEST] = f'{{"region": "{EAST}", "since": "{since}", "by": "alice"}}'
    record(regions, payment("pay_1"), EAST, WEST)
    assert run(regions).exit_code is ExitCode.DONE

"""An evacuation: one flag at the survivor, the names' move, and nothing else."""

import json

import pytest

from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed
from payinfra.core.evacuation import EvacuationFlag
from payinfra.evacuation import evacuate as evacuation
from tests.unit.evacuation.conftest import EAST, WEST, Killed, TwoRegions, flag_of


def run(regions: TwoRegions, survivor: str = WEST, *, force: bool = False) -> evacuation.Evacuated:
    asked = regions.survivor(survivor)
    return evacuation.evacuate(
        asked,
        evacuation.plan(asked),
        "alice",
        lambda _said: None,
        force=force,
        clock=regions.now,
        sleep=regions.sleep,
    )


@pytest.mark.parametrize(("survivor", "lost"), [(WEST, EAST), (EAST, WEST)])
def test_the_names_move_and_nothing_but_the_survivor_is_called(
    regions: TwoRegions, survivor: str, lost: str
) -> None:
    regions.dark, regions.health[lost] = {lost}, None
    done = run(regions, survivor)
    assert done.exit_code is ExitCode.DONE
    assert done.page == "200"
    assert {answer.region for name in done.names for answer in name.answers} == {survivor}
    flag = EvacuationFlag.from_json(regions.flags[survivor])
    assert flag is not None
    assert (flag.region, flag.by) == (lost, "alice")
    assert regions.flags[lost] == "{}"
    assert not [call for call in regions.calls if lost in call]
    services = {call.partition(" ")[0] for call in regions.calls}
    assert services == {"ssm", "cloudwatch", "dynamodb", "http", "dns"}


def test_it_takes_as_long_as_was_said(regions: TwoRegions) -> None:
    done = run(regions)
    # 2 x (30 s + 1 s for the answer), 2 s of the function's memory and 1 s of the embedded AWS.
    assert done.plan.moves_within_s == 65
    assert done.plan.forgotten_within_s == 60
    assert 60 <= done.seconds <= done.plan.moves_within_s


def test_names_that_do_not_move_fail_the_gate_and_the_flag_stands(regions: TwoRegions) -> None:
    regions.moves_after_s = 1e9
    done = run(regions)
    assert done.exit_code is ExitCode.GATE_FAILED
    assert done.seconds == pytest.approx(3 * 65)
    assert EvacuationFlag.from_json(regions.flags[WEST]) is not None


@pytest.mark.parametrize("health", [503, None])
def test_a_survivor_that_is_ill_is_not_sent_everybody(regions: TwoRegions, health: int | None) -> None:
    regions.health[WEST] = health
    with pytest.raises(GateFailed, match="us-west-2 cannot take over"):
        run(regions)
    assert regions.flags[WEST] == "{}"


def test_but_a_person_may_insist(regions: TwoRegions) -> None:
    regions.health[WEST] = 503
    assert run(regions, force=True).exit_code is ExitCode.DONE


def test_a_flag_that_stands_is_kept_as_it_is(regions: TwoRegions) -> None:
    regions.flags[WEST] = flag_of(EAST).to_json()
    done = run(regions)
    assert done.flag == flag_of(EAST)
    assert not regions.changed


def test_a_flag_that_names_the_survivor_itself_is_none(regions: TwoRegions) -> None:
    regions.flags[WEST] = json.dumps({"region": WEST, "since": "2026", "by": "a mistake"})
    assert evacuation.plan(regions.survivor()).flag is None


def test_killed_before_any_step_it_ends_well_when_run_again() -> None:
    whole = TwoRegions()
    run(whole)
    for step in range(len(whole.calls)):
        regions = TwoRegions(killed_at=step)
        with pytest.raises(Killed):
            run(regions)
        regions.killed_at, begun = None, regions.flags[WEST]
        assert run(regions).exit_code is ExitCode.DONE
        assert len(regions.changed) == 1
        if begun != "{}":
            assert regions.flags[WEST] == begun


@pytest.mark.parametrize(("operation", "done"), [("get_parameter", "read"), ("put_parameter", "set")])
def test_credentials_that_may_not_are_told_which_would(
    regions: TwoRegions, operation: str, done: str
) -> None:
    regions.refused[operation] = "AccessDeniedException"
    with pytest.raises(EnvironmentUnusable, match=f"cannot be {done}") as refused:
        run(regions)
    assert "break-glass" in refused.value.hint


def test_a_survivor_that_does_not_answer(regions: TwoRegions) -> None:
    regions.dark = {WEST}
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        run(regions)


def test_a_zone_without_name_servers(regions: TwoRegions) -> None:
    regions.servers_known = False
    with pytest.raises(EnvironmentUnusable, match="has no name servers"):
        run(regions)


def test_a_drills_flag_is_taken_over_by_a_person_and_stands_from_then_on(regions: TwoRegions) -> None:
    drilled = EvacuationFlag(
        EAST, "2026-03-01T03:00:00+00:00", "failover-drill", "d1", "2026-03-01T04:00:00Z"
    )
    regions.flags[WEST] = drilled.to_json()
    done = run(regions)
    assert (done.flag.by, done.flag.drill, done.flag.until) == ("alice", "", "")
    assert EvacuationFlag.from_json(regions.flags[WEST]) == done.flag

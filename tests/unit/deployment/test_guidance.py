"""What a person is told to do next."""

from dataclasses import replace

from payinfra.core.evacuation import BY_RULE, EvacuationFlag
from payinfra.deployment.guidance import next_steps
from payinfra.deployment.names import Delegation, NameStatus
from payinfra.deployment.status import RegionStatus, Status

EAST = RegionStatus("us-east-1", "primary", "http://east", 8, 8, (), ())
WEST = RegionStatus("us-west-2", "secondary", "http://west", 8, 8, (), ())
NAME = "failover.x"


def command(name: str) -> str:
    return f"payinfra {name} --env demo"


def steps(east: RegionStatus = EAST, west: RegionStatus = WEST, leads_to: tuple[str, ...] = ()) -> str:
    names = (NameStatus(NAME, leads_to),)
    status = Status("demo", "aws", (east, west), NAME, None, names=names, moves_within_s=107.6)
    return "\n".join(next_steps(status, command))


def test_where_all_is_well_there_is_nothing_to_do() -> None:
    assert steps(leads_to=("us-east-1",)) == ""
    assert steps() == ""


def test_clients_that_are_still_sent_to_a_region_that_is_gone_are_moved() -> None:
    said = steps(replace(EAST, answers=False), leads_to=("us-east-1",))
    assert "Clients are still sent to us-east-1. Route 53 moves the name 108 s after" in said
    assert "`payinfra evacuate us-east-1 --env demo`" in said
    assert "`payinfra verify --region us-west-2 --env demo`" in said
    assert "`payinfra deploy --surviving us-west-2 --env demo`" in said
    assert "Deploy again" not in said


def test_a_name_that_has_moved_goes_back_by_itself_unless_it_is_kept() -> None:
    said = steps(replace(EAST, answers=False), leads_to=("us-west-2",))
    assert "us-west-2 has the name. It goes back by itself" in said


def test_a_name_that_is_not_known_is_made_sure_of() -> None:
    assert "Where failover.x leads is not known." in steps(replace(EAST, answers=False))


def test_the_standby_can_be_the_one_that_is_gone() -> None:
    gone = replace(WEST, answers=False)
    for said in (steps(west=gone, leads_to=("us-east-1",)), kept(("us-east-1",), west=gone)):
        assert "`payinfra verify --region us-east-1 --env demo`" in said
        assert "us-east-1 has the name and keeps it" in said
        assert "`payinfra evacuate us-west-2 --env demo`" in said


def test_where_no_region_is_known_nothing_is_moved() -> None:
    said = steps(replace(EAST, answers=False), replace(WEST, answers=False))
    assert said.startswith("No region answers.")
    assert "evacuate" not in said


def test_a_standby_that_has_the_name_points_to_the_primary() -> None:
    said = steps(replace(EAST, healthy=0), leads_to=("us-west-2",))
    assert "us-west-2 has the name, and 0 of 8 checkers find us-east-1 healthy" in said
    said = steps(replace(EAST, checkers=0), leads_to=("us-west-2",))
    assert "what Route 53's checkers make of us-east-1 is not known" in said


def test_a_region_that_is_healthy_and_whose_payments_fail_is_a_persons_to_decide() -> None:
    said = steps(replace(EAST, service_alarms=("errors",)), leads_to=("us-east-1",))
    assert said.startswith("A person decides: us-east-1 has the name, and in it alone errors ring.")
    assert "`payinfra evacuate us-east-1 --env demo` moves clients to us-west-2" in said


def test_what_fails_in_both_regions_moves_nothing() -> None:
    said = steps(
        replace(EAST, service_alarms=("errors",)),
        replace(WEST, service_alarms=("errors",)),
        ("us-east-1",),
    )
    assert said.startswith("Alarms ring in both regions")
    assert "evacuate" not in said


FLAG = EvacuationFlag("us-east-1", "2026-01-02T03:04:05+00:00", "alice")


def test_a_region_that_is_evacuated_already_is_brought_back_once_it_answers() -> None:
    said = steps(replace(EAST, answers=False), replace(WEST, flag=FLAG), ("us-west-2",))
    assert said.startswith("us-east-1 is evacuated since 2026-01-02T03:04:05+00:00, by alice")
    assert "Once us-east-1 answers again, bring it back: `payinfra return us-east-1 --env demo`" in said
    assert "payinfra evacuate" not in said


def test_a_drills_evacuation_is_told_from_a_real_one() -> None:
    drilled = replace(FLAG, by="failover-drill", drill="d1", until="2026-01-02T03:10:00+00:00")
    said = steps(west=replace(WEST, flag=drilled), leads_to=("us-west-2",))
    assert said.startswith("us-east-1 is evacuated by failover drill d1, until 2026-01-02T03:10:00+00:00")
    assert "`payinfra failover-drill --restore --env demo`" in said
    assert "payinfra return" not in said
    # It ends by itself: a region that is really gone is evacuated by a person.
    said = steps(replace(EAST, answers=False), replace(WEST, flag=drilled), ("us-west-2",))
    assert "payinfra evacuate us-east-1" in said


def test_an_evacuation_stands_until_somebody_returns_the_region() -> None:
    said = steps(west=replace(WEST, flag=FLAG), leads_to=("us-west-2",))
    assert "Bring it back when it is well: `payinfra return us-east-1 --env demo`" in said


def test_a_standby_that_checkers_find_unhealthy_is_no_place_to_go_unseen() -> None:
    ringing = replace(EAST, service_alarms=("errors",))
    assert "find us-west-2 unhealthy, too" in steps(ringing, replace(WEST, healthy=1), ("us-east-1",))
    assert "unhealthy, too" not in steps(ringing, WEST, ("us-east-1",))


# -- what keeps a name, and who knows it -------------------------------------------------------------------


def kept(leads_to: tuple[str, ...], east: RegionStatus = EAST, west: RegionStatus = WEST) -> str:
    """What is said where fail-back is manual."""
    names = (NameStatus(NAME, leads_to),)
    status = Status("demo", "aws", (east, west), NAME, None, names=names, failback="manual")
    return "\n".join(next_steps(status, command))


def test_a_flag_of_the_rule_is_nobodys_decision_and_is_returned_all_the_same() -> None:
    flag = replace(FLAG, by=BY_RULE)
    for east in (EAST, replace(EAST, answers=False)):
        said = kept(("us-west-2",), east, replace(WEST, flag=flag))
        assert said.startswith(
            "us-east-1 is evacuated since 2026-01-02T03:04:05+00:00: the failover name had"
        )
        assert "the fail-back rule keeps it away (failback is manual)" in said
        assert "`payinfra return us-east-1 --env demo`" in said


def test_a_name_that_has_just_moved_is_kept_by_the_rule_unless_that_fails() -> None:
    said = kept(("us-west-2",), replace(EAST, answers=False))
    assert said.startswith("us-west-2 has the name. Fail-back is manual: us-west-2 sets the flag")
    assert "more than two minutes, set it: `payinfra evacuate us-east-1 --env demo`" in said
    assert "goes back by itself" not in said


def test_a_domain_that_nobody_delegates_is_mended_last() -> None:
    names = (NameStatus(NAME, ("us-east-1",)),)
    status = Status("demo", "aws", (EAST, WEST), NAME, None, names=names)
    missing = replace(status, delegation=Delegation("x.example", own=("ns-1",)))
    assert next_steps(missing, command)[-1] == (
        "In the zone above x.example, set the NS records of x.example to exactly ns-1."
    )
    gone = replace(missing, regions=(replace(EAST, answers=False), WEST))
    assert next_steps(gone, command)[-1].startswith("In the zone above x.example")
    assert next_steps(replace(status, delegation=Delegation("x.example", ("a",))), command) == ()

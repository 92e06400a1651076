"""A drill's evacuation: its flag is set, seen and lifted, and nobody else's is ever touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from payinfra.clients.aws_errors import NotYet
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import EvacuationFlag
from payinfra.drill.faults.actions import FaultClients
from payinfra.drill.faults.evacuation import EVACUATION, EvacuateRegion, declared_in
from payinfra.drill.faults.executor import AwsFaultExecutor, FaultFailed
from payinfra.drill.faults.leftovers import find
from payinfra.drill.faults.model import EvidenceSources, FaultSearch
from payinfra.drill.faults.registry import action_from_json, action_to_json
from tests.support.clocks import SetClock
from tests.support.drilled import EAST, WEST, Call, FakeCloud, FakeCloudAws, Refused
from tests.unit.checks.probes.conftest import outputs
from tests.unit.drill.faults.cases import ENDS_BY, FLAG, context, evacuable

(ACTION,) = EVACUATION.actions(context())
PERSONS = EvacuationFlag(EAST, "2026-01-02T03:04:05+00:00", "alice")


class Here:
    """The two regions' parameters, and what works with them."""

    def __init__(self) -> None:
        self.world = FakeCloud(checks={"check-us-east-1": {}, "check-us-west-2": {}})
        there = self.world

        class Ours(FakeCloudAws):
            """Also with other time-outs it is this world's."""

            world = there

        self.aws = Ours()
        self.clients = FaultClients(self.aws)
        clock = SetClock()
        self.executor = AwsFaultExecutor(
            self.aws, account=self.world.account, clock=clock.elapsed, sleep=clock.wait
        )

    @property
    def flag(self) -> EvacuationFlag | None:
        return EvacuationFlag.from_json(self.world.parameters.get((WEST, FLAG), "{}"))

    def stands(self, flag: EvacuationFlag) -> None:
        self.world.parameters[WEST, FLAG] = flag.to_json()


@pytest.fixture
def here() -> Here:
    return Here()


def test_the_flag_stands_at_the_survivor_in_the_drills_name_and_ends_by_itself(here: Here) -> None:
    here.executor.inject(ACTION)
    assert here.flag == EvacuationFlag(
        EAST, "2026-01-02T03:04:05+00:00", "failover-drill", "drill-1", ENDS_BY.isoformat(timespec="seconds")
    )
    assert here.world.changes == ["SSM.PutParameter"]
    here.executor.inject(ACTION)  # Once more comes to the same.
    here.executor.rollback(ACTION)
    assert here.flag is None
    here.executor.rollback(ACTION)
    assert here.world.changes == ["SSM.PutParameter"] * 3


def test_where_the_secondary_is_lost_the_primary_keeps_the_flag() -> None:
    (reversed_,) = EVACUATION.actions(context(reverse=True))
    assert isinstance(reversed_, EvacuateRegion)
    assert (reversed_.region, reversed_.survivor) == (WEST, EAST)


@pytest.mark.parametrize("standing", [PERSONS, replace(PERSONS, by="failover-drill", drill="drill-2")])
def test_what_a_person_or_another_drill_has_evacuated_is_not_taken_over(
    here: Here, standing: EvacuationFlag
) -> None:
    here.stands(standing)
    with pytest.raises(FaultFailed) as refused:
        here.executor.inject(ACTION)
    assert "a drill takes nothing over" in refused.value.what
    assert here.flag == standing


def test_a_flag_that_has_ended_by_itself_is_in_nobodys_way(here: Here) -> None:
    ended = replace(PERSONS, by="failover-drill", drill="drill-2", until="2026-01-02T03:10:00+00:00")
    here.stands(ended)
    here.executor.inject(ACTION)
    assert here.executor.is_active(ACTION)
    here.stands(replace(ended, until="2999-01-01T00:00:00+00:00"))
    with pytest.raises(FaultFailed):
        here.executor.inject(ACTION)


def test_an_evacuation_that_a_person_decides_during_the_drill_is_not_lifted(here: Here) -> None:
    here.executor.inject(ACTION)
    here.stands(PERSONS)
    assert not here.executor.is_active(ACTION)
    here.executor.rollback(ACTION)
    assert here.flag == PERSONS


def test_a_real_evacuation_is_no_leftover_and_a_drills_is(here: Here) -> None:
    here.stands(PERSONS)
    assert find(evacuable(), here.clients, is_shared=False).actions == ()
    here.executor.rollback(ACTION)
    assert here.flag == PERSONS
    here.stands(replace(PERSONS, drill="drill-1", until=ENDS_BY.isoformat()))
    assert find(evacuable(), here.clients, is_shared=False).actions == (ACTION,)


@pytest.mark.parametrize("moment", ["", "soon", "2026-01-02T03:04:05"])
def test_a_flag_whose_times_say_nothing_is_found_all_the_same(here: Here, moment: str) -> None:
    here.stands(EvacuationFlag(EAST, moment, "failover-drill", "drill-1", moment))
    (found,) = find(evacuable(), here.clients, is_shared=False).actions
    here.executor.rollback(found)
    assert here.flag is None


def test_an_environment_that_cannot_be_evacuated_has_nothing_left_and_is_not_drilled(here: Here) -> None:
    found = outputs()
    search = FaultSearch(found, found.primary, found.declared.regions[0], here.clients)
    assert list(EVACUATION.leftovers(search)) == []
    with pytest.raises(EnvironmentUnusable, match="could not evacuate a region"):
        declared_in(found)
    with pytest.raises(EnvironmentUnusable):
        EVACUATION.actions(replace(context(), outputs=found))


def test_a_flag_that_cannot_be_looked_at_may_be_in_place(here: Here) -> None:
    def refuse(call: Call) -> BaseException | None:
        return Refused("AccessDeniedException") if call.name == "SSM.GetParameter" else None

    here.world.before = refuse
    unknown = find(evacuable(), here.clients, is_shared=False).unknown
    (said,) = (one for one in unknown if "evacuation is in place in us-east-1" in one)
    assert f"{FLAG} in us-west-2" in said, "the region that was asked is named"


def test_on_aws_a_look_for_leftovers_asks_route_53_hardly_more_than_its_rate(here: Here) -> None:
    """Five calls a second are an account's (Route 53 developer guide, "Quotas")."""
    find(evacuable(), here.clients, is_shared=False)
    assert len([one for one in here.world.calls if one.name.startswith("Route 53")]) <= 6


@pytest.mark.parametrize(
    ("page", "stands", "seen"), [(200, True, True), (404, True, False), (200, False, False)]
)
def test_it_is_seen_by_the_page_and_by_the_flag(page: int, stands: bool, seen: bool) -> None:
    sources = EvidenceSources(lambda: 200, lambda: page, lambda _action: stands, lambda: False, lambda: False)
    assert EVACUATION.sign.is_seen(sources, (ACTION,)) is seen


@pytest.mark.parametrize("page", [0, 429, 503])
def test_a_page_that_does_not_say_is_no_sign_that_it_was_lifted(page: int) -> None:
    sources = EvidenceSources(lambda: 200, lambda: page, lambda _action: True, lambda: False, lambda: False)
    with pytest.raises(NotYet):
        EVACUATION.sign.is_seen(sources, (ACTION,))


def test_the_journal_keeps_it_and_says_how_to_lift_it_by_hand() -> None:
    assert action_from_json(action_to_json(ACTION)) == ACTION
    words = ACTION.describe()
    assert words.by_hand == (
        f"aws ssm put-parameter --name {FLAG} --type String --overwrite --value '{{}}' --region {WEST}"
    )
    assert words.calls == (f"ssm:PutParameter {FLAG} in {WEST}: {EAST}, until 03:04:05 UTC",)


def test_the_flag_ends_after_the_drill_can_have_ended() -> None:
    began = datetime(2026, 1, 2, tzinfo=UTC)
    ends = began + timedelta(seconds=500)
    (action,) = EVACUATION.actions(replace(context(), began=began, ends_by=ends))
    assert isinstance(action, EvacuateRegion)
    assert action.flag.until == "2026-01-02T00:08:20+00:00"

"""A drill of an environment whose names stay where they have moved to: its rule is held off meanwhile."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from handlers.payments import fail_back as rule
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.evacuation import NOT_EVACUATED, EvacuationFlag
from payinfra.core.outputs import DeclaredEvacuation
from payinfra.drill.faults.actions import FaultClients, HoldTimeScale
from payinfra.drill.faults.evacuation import EvacuateRegion
from payinfra.drill.faults.fail_back import COMES_BACK, HoldFailBack
from payinfra.drill.faults.model import FaultContext
from payinfra.drill.faults.scenarios import preparations
from payinfra.drill.model import DrillRequest
from tests.unit.checks.probes.conftest import declared
from tests.unit.drill.faults.cases import EAST, ENDS_BY, WEST, context

PARAMETER = "/payment-demo/evacuated"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOLD = HoldFailBack(WEST, PARAMETER, "drill-1", ENDS_BY)


@dataclass
class Store:
    """The survivor's Parameter Store, with one parameter."""

    value: str = NOT_EVACUATED

    def ssm(self, region: str) -> "Store":
        assert region == WEST
        return self

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        assert Name == PARAMETER
        return {"Parameter": {"Value": self.value}}

    def put_parameter(self, **given: Any) -> None:
        assert (given["Name"], given["Type"], given["Overwrite"]) == (PARAMETER, "String", True)
        self.value = given["Value"]


def clients(store: Store) -> FaultClients:
    return FaultClients(cast(Aws, store))


def may_be_set(store: Store, at: datetime) -> bool:
    """Whether the function's rule would set its flag."""
    return rule._may_be_set(store.value, int(at.timestamp() * 1000))


def test_the_functions_rule_is_held_off_until_the_drill_lets_it_go() -> None:
    store = Store()
    assert not HOLD.is_active(clients(store))
    HOLD.inject(clients(store))
    assert HOLD.is_active(clients(store))
    assert EvacuationFlag.from_json(store.value) is None, "no page says that a region is evacuated"
    assert not may_be_set(store, ENDS_BY - timedelta(seconds=1))
    assert may_be_set(store, ENDS_BY), "a drill that was killed holds nothing off for ever"
    HOLD.rollback(clients(store))
    assert store.value == NOT_EVACUATED


@pytest.mark.parametrize(
    "value", ["{", "[]", json.dumps({"held_until": "x", "drill": "drill-2"}), '{"region": "us-east-1"}']
)
def test_what_somebody_else_has_written_is_left_alone(value: str) -> None:
    store = Store(value)
    HOLD.rollback(clients(store))
    assert store.value == value


def test_an_evacuation_is_not_written_over() -> None:
    store = Store(EvacuationFlag(EAST, "2026-01-02", "alice").to_json())
    with pytest.raises(EnvironmentUnusable, match="us-east-1 is evacuated since 2026-01-02, by alice"):
        HOLD.inject(clients(store))


def test_a_drills_flag_that_has_ended_by_itself_is_written_over() -> None:
    ended = EvacuationFlag(EAST, "2026-01-02", "failover-drill", "drill-2", "2026-01-02T03:10:00+00:00")
    store = Store(ended.to_json())
    HOLD.inject(clients(store))
    assert store.value == HOLD.value
    store.value = replace(ended, until="2999-01-01T00:00:00+00:00").to_json()
    with pytest.raises(EnvironmentUnusable):
        HOLD.inject(clients(store))


def test_a_person_reads_what_is_held_off_and_for_how_long() -> None:
    words = HOLD.describe()
    assert words.done == (
        "drill drill-1 holds the fail-back rule in us-west-2 off, until 2026-01-02 03:04:05 UTC at the latest"
    )
    assert words.undone == "drill drill-1 does not hold the fail-back rule in us-west-2 off"
    assert words.by_hand == (
        "aws ssm put-parameter --name /payment-demo/evacuated --type String --overwrite --value '{}' "
        "--region us-west-2"
    )
    assert words.calls == (
        "ssm:PutParameter /payment-demo/evacuated in us-west-2: held off until 2026-01-02 03:04:05 UTC",
    )


def manual(*, failback: str = "manual", reverse: bool = False, on_aws: bool = False) -> FaultContext:
    """A drill of an environment with this fail-back."""
    drilled = context(reverse=reverse, on_aws=on_aws)
    evacuation = DeclaredEvacuation(
        page="/prod/evacuation",
        parameter=PARAMETER,
        interval_s=30,
        threshold=2,
        serving_checks=("a", "b"),
        flag_checks=("c", "d"),
        name_servers="",
        failback=failback,
    )
    outputs = replace(drilled.outputs, declared_json=declared(evacuation=evacuation).to_json())
    return replace(drilled, outputs=outputs)


def held(asked: FaultContext, scenario: str = "lambda-throttle") -> list[HoldFailBack]:
    found = preparations(DrillRequest((scenario,)), "demo/d", asked)
    return [one for one in found if isinstance(one, HoldFailBack)]


@pytest.mark.parametrize("on_aws", [False, True])
def test_a_drill_that_moves_the_name_holds_the_rule_off_before_anything_else(on_aws: bool) -> None:
    asked = manual(on_aws=on_aws)
    (action,) = held(asked)
    assert action == HoldFailBack(WEST, PARAMETER, "drill-1", ENDS_BY + COMES_BACK)
    first = list(preparations(DrillRequest(("lambda-throttle",)), "demo/d", asked))
    assert first.index(action) == (0 if on_aws else 1)
    assert on_aws or isinstance(first[0], HoldTimeScale)


def test_a_drill_that_keeps_the_name_where_it_is_holds_nothing_off() -> None:
    assert held(manual(), "replication-pause") == []
    assert held(manual(reverse=True)) == [], "the name does not leave the primary"
    assert held(manual(failback="automatic")) == []
    assert held(context()) == [], "an earlier version deployed, which could not evacuate"


def test_the_hold_ends_in_a_moment_of_its_own_zone() -> None:
    assert json.loads(HOLD.value)["held_until"] == ENDS_BY.astimezone(UTC).isoformat(timespec="seconds")


# -- beside the scenario `evacuation`, whose flag is the same parameter -------------------------------------


@dataclass
class TimedStore(Store):
    """A store that knows when its parameter was written, in time that passes when the test says so."""

    now: datetime = NOW
    written: datetime = NOW - timedelta(hours=1)

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        found = super().get_parameter(Name=Name)["Parameter"]
        return {"Parameter": {**found, "LastModifiedDate": self.written}}

    def put_parameter(self, **given: Any) -> None:
        super().put_parameter(**given)
        self.written = self.now


def sets_a_flag(store: TimedStore) -> bool:
    """Whether the standby's rule, to which the name leads, sets a flag of its own."""
    before = store.value
    made = rule.FailBackRule(
        cast(Any, store),
        PARAMETER,
        EAST,
        leads_here=lambda: True,
        serves=lambda: None,
        clock=lambda: int(store.now.timestamp() * 1000),
    )()
    assert (made is None) == (store.value == before)
    return made is not None


def test_the_rule_is_still_before_within_and_after_an_evacuation_drill() -> None:
    store = TimedStore()
    hold = replace(HOLD, until=NOW + timedelta(minutes=20))
    evacuate = EvacuateRegion(EAST, WEST, PARAMETER, "drill-1", NOW, NOW + timedelta(minutes=10))
    with_store = clients(store)
    hold.inject(with_store)
    store.now += timedelta(minutes=3)
    assert not sets_a_flag(store), "the drill holds it off"
    evacuate.inject(with_store)
    assert evacuate.is_active(with_store)
    store.now += timedelta(minutes=3)
    assert not sets_a_flag(store), "the drill's flag stands"
    evacuate.rollback(with_store)
    assert store.value == NOT_EVACUATED
    # Route 53 leads back within 73 s, and until then here.
    store.now += timedelta(seconds=75)
    assert not sets_a_flag(store), "as after every return"
    hold.rollback(with_store)
    assert store.value == NOT_EVACUATED
    # Whatever leads the name here later is none of the drill's.
    store.now += timedelta(minutes=3)
    assert sets_a_flag(store)


def test_a_drill_that_was_killed_while_its_flag_stood_leaves_the_rule_to_work_again() -> None:
    store = TimedStore()
    evacuate = EvacuateRegion(EAST, WEST, PARAMETER, "drill-1", NOW, NOW + timedelta(minutes=10))
    evacuate.inject(clients(store))
    store.now += timedelta(minutes=11)
    assert not sets_a_flag(store), "the name leads back for two minutes after the flag has ended"
    store.now += timedelta(minutes=2)
    assert sets_a_flag(store)

"""Canaries: marked, the same when they are sent again, and removed, also after a run that was killed."""

from dataclasses import replace
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest
from botocore.exceptions import ClientError

from payinfra.checks.probes import canaries
from payinfra.clients import canary
from tests.unit.checks.probes.conftest import (
    EAST,
    FAILOVER,
    NOW,
    OF_CANARIES,
    WEST,
    FakeEnv,
    declared,
    error,
)

CUSTOMER = {"S": "payinfra-canary-demo"}


def item(id: str, minutes_ago: float) -> dict[str, dict[str, str]]:
    at = NOW - timedelta(minutes=minutes_ago)
    number = str(int(at.timestamp() * 1000))
    return {"payment_id": {"S": id}, "timestamp": {"N": number}, "customer_id": CUSTOMER}


def test_a_canary_carries_environment_and_run_and_is_the_same_again(fake: FakeEnv) -> None:
    live = fake.live()
    one = canaries.payment(live, EAST)
    assert one.body["metadata"] == {"canary": "run1", "environment": "demo"}
    assert one == canaries.payment(live, EAST)
    assert one.key != canaries.payment(replace(live, run="run2"), EAST).key
    assert one.key != canaries.payment(live, WEST).key


def test_runs_differ() -> None:
    assert canaries.new_run() != canaries.new_run()


def test_a_payment_without_an_id_is_not_looked_for(fake: FakeEnv) -> None:
    canaries.remove_payment(fake.live(), fake.live().sites[0], "")
    assert fake.calls == []


def test_what_this_run_and_killed_runs_left_is_removed_and_nothing_else(fake: FakeEnv) -> None:
    fake.items = {
        "mine": item("mine", 0),
        "killed": item("killed", 11),
        "going-on": item("going-on", 2),
        "real": {"payment_id": {"S": "real"}, "timestamp": {"N": "5"}},
    }
    canaries.remove_left_over(fake.live())
    assert set(fake.items) == {"going-on", "real"}


def written(minutes_ago: float, name: str, region: str = EAST) -> tuple[str, str]:
    """An audit object of a canary, by region and key."""
    return region, f"{OF_CANARIES}{canaries.milliseconds(NOW - timedelta(minutes=minutes_ago))}/{name}"


def test_objects_of_this_run_and_of_killed_runs_and_without_a_payment_are_removed(fake: FakeEnv) -> None:
    going_on = {written(2, "pay_2-ff.json"), written(2, "another-run-us-east-1")}
    customers = (EAST, "audit/2027/01/15/pay_0-ff.json")
    fake.items = {"pay_2": item("pay_2", 2)}
    gone = [
        written(0, "pay_0-ff.json"),
        written(0, "pay_0-ff.json", WEST),
        written(11, "pay_1-ff.json"),
        written(2, "pay_3-ff.json"),
    ]
    fake.objects = {one: {} for one in (*gone, *going_on, customers)}
    canaries.remove_left_over(fake.live())
    assert set(fake.objects) == {*going_on, customers}


def test_delete_markers_are_removed_too(fake: FakeEnv) -> None:
    deleted: list[str] = []

    def delete(_region: str, call: object) -> dict[str, str]:
        deleted.append(str(call))
        return {}

    fake.say("s3", "list_object_versions", {"DeleteMarkers": [{"Key": "test/x", "VersionId": "7"}]})
    fake.answers["s3", "delete_object"] = delete
    canaries.remove_versions(fake.live(), fake.live().sites[0], "test/")
    assert len(deleted) == 1
    assert "'VersionId': '7'" in deleted[0]


@pytest.mark.parametrize("days", [None, 1])
def test_locked_objects_are_removed_past_their_retention(fake: FakeEnv, days: int | None) -> None:
    fake.declared = declared(retention=replace(declared().retention, object_lock=days))
    fake.objects = {written(11, "pay_1-ff.json"): {}}
    canaries.remove_left_over(fake.live())
    (deletion,) = [call for _, operation, call in fake.parameters if operation == "delete_object"]
    assert deletion["BypassGovernanceRetention"] is (days is not None)
    assert fake.objects == {}


def record(fake: FakeEnv, run: str, minutes_ago: float) -> str:
    """A killed run's record; its name."""
    live = replace(fake.live(), run=run, began=NOW - timedelta(minutes=minutes_ago))
    left = canaries.record(live)
    fake.written_records[left["Name"]] = dict(left)
    return left["Name"]


def test_a_record_carries_environment_and_run_and_is_below_the_environments_name(fake: FakeEnv) -> None:
    left = canaries.record(fake.live())
    assert left["Name"] == f"run1.payinfra-canary.{FAILOVER}"
    assert left["ResourceRecords"] == [
        {"Value": f'"payinfra-canary demo run1 {canaries.milliseconds(NOW)}"'},
    ]


def test_records_of_this_run_and_of_killed_runs_are_removed(fake: FakeEnv) -> None:
    record(fake, "killed", 11)
    record(fake, "run1", 0)
    going_on = record(fake, "going-on", 2)
    canaries.remove_left_over(fake.live())
    assert set(fake.written_records) == {going_on}
    canaries.remove_left_over(replace(fake.live(), began=NOW + timedelta(minutes=9)))
    assert fake.written_records == {}


@pytest.mark.parametrize(
    "values",
    [[], ['"something else"'], ['"payinfra-canary prod run 0"'], ['"payinfra-canary demo run soon"']],
)
def test_a_record_that_is_no_canary_of_the_environment_stays(fake: FakeEnv, values: list[str]) -> None:
    name = f"x.payinfra-canary.{FAILOVER}"
    fake.written_records = {name: {"Name": name, "ResourceRecords": [{"Value": one} for one in values]}}
    canaries.remove_records(replace(fake.live(), began=NOW + timedelta(days=1)))
    assert set(fake.written_records) == {name}


def test_a_record_that_is_gone_already_need_not_be_removed(fake: FakeEnv) -> None:
    live = fake.live()
    client, written = live.aws.route53(EAST), canaries.record(live)
    canary.remove_record(client, "Z1", written)
    fake.say("route53", "change_resource_record_sets", error("AccessDenied"))
    with pytest.raises(ClientError):
        canary.remove_record(client, "Z1", written)


def test_what_never_answers_is_not_waited_for(fake: FakeEnv) -> None:
    held = Event()

    def hangs(_region: str, _call: object) -> None:
        held.wait(30)
        raise error("InternalError")

    for service, operation in (("dynamodb", "query"), ("route53", "list_resource_record_sets")):
        fake.answers[service, operation] = hangs
    began = monotonic()
    canaries.remove_left_over(fake.live(), within_s=0.2)
    held.set()
    assert 0.2 <= monotonic() - began < 2


@pytest.mark.parametrize("code", ["AccessDenied", "InternalError"])
def test_a_region_that_refuses_is_left_as_it_is(fake: FakeEnv, code: str) -> None:
    fake.say("dynamodb", "query", error(code))
    canaries.remove_left_over(fake.live())
    assert ("dynamodb", "query", WEST) in fake.calls

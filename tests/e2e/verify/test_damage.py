"""One kind of damage at a time: `verify` names exactly the probe of it, and what follows from it."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from payinfra.checks.probes.outage import ANSWERS
from payinfra.checks.probes.results import ProbeResult
from payinfra.checks.verdicts import Kind
from payinfra.local.faults import RegionBlackout
from tests.e2e.verify.damages import CASES, PATIENT_S, PAYING, RINGING, ROLE, Broken, broken, named

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployment

ADDRESSES = {
    "aws_dynamodb_table.ledger_table",
    "aws_iam_role_policy.secondary_service_policy",
    "aws_lambda_event_source_mapping.secondary_service_stream",
}
"""What a replica that is made anew changes: itself, and by its new stream who reads that."""

DARK_S = 8.0


def told(at: Broken, expected: set[str]) -> set[str]:
    """What `verify` names. Where that is more than expected it is given more time: on a busy machine probes
    that nothing is the matter with come late."""
    found = named(at.verify())
    return found if found <= expected else named(at.verify(PATIENT_S))


@pytest.fixture(scope="module")
def at(deployment: "Deployment") -> Iterator[Broken]:
    found = Broken(deployment)
    assert found.passes()
    yield found
    deployment.calm()


@pytest.mark.parametrize("id", CASES)
def test_a_damage_is_named_and_nothing_else_is(at: Broken, id: str) -> None:
    damage, follows = CASES[id]
    expected = {id, *follows, *RINGING}
    with broken(damage, at) as seen:
        found = told(seen, expected)
    assert id in found
    assert found <= expected


def test_a_region_that_answers_nothing_hides_nothing_of_the_other(at: Broken) -> None:
    dark, lit = at.deployment.region(ROLE), at.deployment.region("primary")
    results: list[ProbeResult] = []
    at.deployment.control.inject(RegionBlackout(dark))
    try:
        outcome = at.verify(DARK_S, results.append)
    finally:
        at.deployment.control.clear()
    assert all(result.seconds < DARK_S + 1 for result in results)
    assert {result.where for result in results} == {lit}
    gone = next(one for one in outcome.findings if one.id == ANSWERS.id)
    assert gone.address == dark
    assert {one.address for one in gone.stopped} == {dark, lit, f"{lit}, {dark}"}
    assert {one.id for one in outcome.findings} - {ANSWERS.id} <= set(RINGING)
    assert not [one for one in outcome.rules if one.verdict is Kind.PASS]


def test_a_replica_that_was_removed_is_named_and_made_anew_by_a_deployment(at: Broken) -> None:
    here, there = at.client("dynamodb", "primary"), at.client("dynamodb")
    table, key = at.out("dynamodb_table_name"), {"payment_id": {"S": "before"}, "timestamp": {"N": "1"}}
    here.put_item(TableName=table, Item=key)
    removal = {"Delete": {"RegionName": at.deployment.region(ROLE)}}
    here.update_table(TableName=table, ReplicaUpdates=[removal])
    tables = {f"LIVE-DDB-00{number}" for number in (1, 2, 3, 4, 6, 7, 8)}
    # The stream went with the table, so that IAM cannot be asked about it.
    follows = {"LIVE-API-002", "LIVE-DDB-005", "LIVE-FN-005", "LIVE-IAM-001", "LIVE-R53-002", "LIVE-R53-006"}
    follows |= {*PAYING, *RINGING, "LIVE-TAG-001"}
    found = told(at, tables | follows)
    assert tables <= found
    assert found <= tables | follows

    # The region did not serve: in a hurry, so that its alarms need not be waited for.
    with at.deployment.in_a_hurry():
        done = at.deployment.project.run(
            "deploy", "--env", at.deployment.env, "--local", "--yes", "--format", "json"
        )
    assert done.returncode == 0, done.stderr
    deployed = json.loads(done.stdout)
    assert {change["address"] for change in deployed["plan"]["changes"]} == ADDRESSES
    assert deployed["verified"]["FAIL"] == deployed["verified"]["ERROR"] == 0
    assert there.get_item(TableName=table, Key=key)["Item"] == key
    here.delete_item(TableName=table, Key=key)


def test_all_is_well_again(at: Broken) -> None:
    assert at.passes()


def test_nothing_of_it_is_left_that_terraform_would_change(at: Broken) -> None:
    done = at.deployment.project.run(
        "verify", "--env", at.deployment.env, "--local", "--only", "LIVE-SNS-001", "--drift"
    )
    assert done.returncode == 0, done.stdout

"""The table's payments are compared with both buckets, and what is missing is written by the function."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from handlers.payments import core
from handlers.payments.core import Change, Payment
from handlers.payments.ledger import payment_item
from payinfra.core.errors import EnvironmentUnusable, ExitCode, GateFailed
from payinfra.core.naming import STATUS_SHARDS, status_of, status_partitions
from payinfra.payments import records
from payinfra.payments.audit import AT_ONCE, AuditReconciliation, reconcile
from payinfra.payments.function import FunctionOperations
from payinfra.report import payments as report
from payinfra.report.formats import Format
from tests.unit.recorded_payments.conftest import AT_MS, EAST, WEST, item, key, payment_id

if TYPE_CHECKING:
    from tests.unit.recorded_payments.conftest import World

CHANGED: dict[str, Any] = {"status": {"S": "settled"}, "change": {"M": {}}}


def reconciled(world: World, *, write: bool = True) -> AuditReconciliation:
    return reconcile(world.outputs, world.aws, AT_MS, AT_MS + 1000, write=write)


def test_where_nothing_is_missing_nothing_is_asked(world: World) -> None:
    world.places[EAST].items = [item(1), item(2, **CHANGED)]
    world.places[EAST].objects = [key(1), key(2), key(2, "-settled")]
    outcome = reconciled(world)
    assert (outcome.payments, outcome.missing, outcome.exit_code) == (2, (), ExitCode.DONE)
    assert world.places[EAST].asked == world.places[WEST].asked == []


def test_what_is_in_neither_bucket_is_written(world: World) -> None:
    world.places[EAST].items = [item(1), item(2), item(3, **CHANGED)]
    world.places[WEST].items = [item(1), item(4)]
    world.places[EAST].objects = [key(1), key(3)]
    outcome = reconciled(world)
    missing = tuple(payment_id(number) for number in (2, 3, 4))
    assert world.places[EAST].asked == [{"operation": "audit", "payment_ids": list(missing)}]
    assert (outcome.payments, outcome.missing, outcome.written) == (4, missing, missing)
    assert outcome.exit_code is ExitCode.DONE


def test_a_look_writes_nothing_and_fails_the_gate(world: World) -> None:
    world.places[WEST].items = [item(1)]
    outcome = reconciled(world, write=False)
    assert (outcome.missing, outcome.written) == ((payment_id(1),), ())
    assert outcome.exit_code is ExitCode.GATE_FAILED
    assert world.places[EAST].asked == []


def test_what_could_not_be_written_fails_the_gate(world: World) -> None:
    world.places[EAST].items = [item(1), item(2), item(3)]
    world.places[EAST].answers = [
        {"written": [payment_id(1)], "present": [payment_id(2)], "failed": [payment_id(3)]}
    ]
    outcome = reconciled(world)
    assert outcome.written == (payment_id(1), payment_id(2))
    assert outcome.exit_code is ExitCode.GATE_FAILED


def test_only_so_many_are_asked_for_at_once(world: World) -> None:
    world.places[EAST].items = [item(number) for number in range(AT_ONCE + 1)]
    assert len(reconciled(world).written) == AT_ONCE + 1
    assert [len(one["payment_ids"]) for one in world.places[EAST].asked] == [AT_ONCE, 1]


def test_what_is_not_copied_is_told_and_left_to_s3(world: World) -> None:
    world.places[EAST].items = [item(1), item(2)]
    world.places[EAST].objects, world.places[WEST].objects = [key(1)], [key(1), key(2)]
    outcome = reconciled(world)
    assert (outcome.missing, outcome.not_copied) == ((), {EAST: (key(2),), WEST: ()})
    assert outcome.exit_code is ExitCode.DONE


def test_two_bodies_under_one_key_have_an_object_each(world: World) -> None:
    world.places[EAST].items = [item(1), item(1, "e" * 64)]
    world.places[EAST].objects = [key(1)]
    assert reconciled(world).missing == (payment_id(1),)


def test_the_span_is_of_days_too(world: World) -> None:
    day = 24 * 60 * 60 * 1000
    assert list(records.prefixes(AT_MS, AT_MS + 2 * day)) == [
        "audit/2027/01/15/",
        "audit/2027/01/16/",
        "audit/2027/01/17/",
    ]
    assert list(records.prefixes(AT_MS, AT_MS)) == ["audit/2027/01/15/"]


def test_the_newest_of_each_status(world: World) -> None:
    world.places[EAST].items = [item(1), item(2, **CHANGED)]
    found = records.newest_payments(world.aws.dynamodb(EAST), "t", AT_MS, AT_MS + 9, count=5)
    assert [one.status for one in found] == ["accepted", "settled"]


def test_payments_are_found_in_every_shard_and_where_there_is_none(world: World) -> None:
    world.places[EAST].items = [
        item(number, status={"S": partition})
        for number, partition in enumerate(status_partitions("accepted"))
    ]
    client = world.aws.dynamodb(EAST)
    found = list(records.payments(client, "t", AT_MS, AT_MS + 99))
    assert {one.payment_id for one in found} == {payment_id(number) for number in range(STATUS_SHARDS + 1)}
    assert {one.status for one in found} == {"accepted"}
    newest = records.newest_payments(client, "t", AT_MS, AT_MS + 99, count=3)
    assert [one.timestamp_ms - AT_MS for one in newest] == [10, 9, 8]


def test_objects_are_named_as_the_function_names_them() -> None:
    payment = Payment("pay_1", AT_MS, 1, "EUR", "c", "card", "0123456789abcdef" * 4, status="settled")
    known = records.RecordedPayment("pay_1", AT_MS, payment.fingerprint, "settled", True, False)
    assert known.audit_objects == (core.audit_key(payment), core.change_key(payment))
    assert Change(1, EAST, "r").region == EAST


def test_payments_are_listed_by_every_status_that_the_function_knows() -> None:
    assert set(records.STATUSES) == set(core.TRANSITIONS)


@pytest.mark.parametrize("spread", [True, False])
def test_statuses_are_read_as_the_function_writes_them(spread: bool) -> None:
    for number in range(100):
        payment = Payment(payment_id(number), AT_MS, 1, "EUR", "c", "card", "f" * 64, status="settled")
        written = payment_item(payment, spread=spread)["status"]["S"]
        assert written in status_partitions("settled")
        assert status_of(written) == "settled"
    assert core.STATUS_SHARDS == STATUS_SHARDS


class TestFunction:
    def test_a_failure_names_its_log(self, world: World) -> None:
        world.places[EAST].answers = [{"FunctionError": "Unhandled"}]
        with pytest.raises(EnvironmentUnusable) as failed:
            FunctionOperations(world.aws, world.outputs.primary).ask("audit")
        assert "us-east-1 failed at `audit`" in failed.value.what
        assert "p-lambda_log_group_name" in failed.value.hint

    @pytest.mark.parametrize(("status", "error"), [(503, EnvironmentUnusable), (409, GateFailed)])
    def test_a_refusal_is_said(self, world: World, status: int, error: type[Exception]) -> None:
        world.places[EAST].answers = [{"problem": {"status": status, "title": "No.", "detail": "Because."}}]
        with pytest.raises(error, match="No"):
            FunctionOperations(world.aws, world.outputs.primary).ask("resolve")


def shown(outcome: AuditReconciliation, fmt: Format) -> str:
    console = Console(file=io.StringIO(), width=200)
    report.reconciled(console, outcome, fmt)
    return str(console.file.getvalue())  # type: ignore[attr-defined]  # it is the StringIO above


def test_the_report(world: World) -> None:
    world.places[EAST].items = [item(number) for number in range(25)]
    world.places[WEST].objects = [key(0)]
    outcome = reconciled(world, write=False)
    text = shown(outcome, Format.TABLE)
    assert "25 payments from 2027-01-15T08:00:00.000Z to 2027-01-15T08:00:01.000Z." in text
    assert "24 lacked an audit object; 0 have theirs now." in text
    assert text.count("Missing: pay_") == 20
    assert "… and 4 more." in text
    assert "1 objects are not copied to us-east-1 yet." in text
    assert "us-west-2" not in text
    said = json.loads(shown(outcome, Format.JSON))
    assert (said["version"], said["environment"], said["payments"]) == (1, "demo", 25)
    assert len(said["missing"]) == 24
    assert said["not_copied"] == {EAST: [key(0)], WEST: []}


def test_the_report_where_all_is_well(world: World) -> None:
    text = shown(reconciled(world), Format.TABLE)
    assert "0 payments" in text
    assert "Missing" not in text

from pathlib import Path

import pytest

from payinfra.core.errors import ExitCode, GateFailed
from payinfra.terraform.jsonvalue import JsonValue
from payinfra.terraform.plan import (
    GUARDED,
    ChangeAction,
    LostReplica,
    OutputChange,
    Plan,
    ResourceChange,
    guard,
    lost_replicas,
    shown_plan,
    updates_a_table,
)

FILE = Path("saved.tfplan")


def plan(*changes: ResourceChange, lost: tuple[LostReplica, ...] = ()) -> Plan:
    return Plan(FILE, 0, 0, 0, changes=changes, lost_replicas=lost)


def change(kind: str, action: ChangeAction) -> ResourceChange:
    return ResourceChange(f"{kind}.it", kind, action)


@pytest.mark.parametrize("kind", sorted(GUARDED))
@pytest.mark.parametrize("action", [ChangeAction.DELETE, ChangeAction.REPLACE, ChangeAction.UNKNOWN])
def test_losing_what_holds_data_is_refused_and_named(kind: str, action: ChangeAction) -> None:
    with pytest.raises(GateFailed) as caught:
        guard(plan(change(kind, action)))
    assert caught.value.exit_code is ExitCode.GATE_FAILED
    assert f"{GUARDED[kind]} {kind}.it would be" in caught.value.what
    assert "--allow-destroy" in caught.value.hint


def test_every_loss_is_named() -> None:
    doomed = plan(
        change("aws_s3_bucket", ChangeAction.DELETE),
        change("aws_kms_key", ChangeAction.REPLACE),
        lost=(LostReplica("aws_dynamodb_table.payments", "us-west-2"),),
    )
    with pytest.raises(GateFailed) as caught:
        guard(doomed)
    assert "bucket aws_s3_bucket.it would be deleted;" in caught.value.what
    assert "key aws_kms_key.it would be deleted and made anew, empty;" in caught.value.what
    assert "table aws_dynamodb_table.payments would lose its replica in us-west-2." in caught.value.what


def test_the_guard_lets_pass_what_was_allowed() -> None:
    guard(plan(change("aws_s3_bucket", ChangeAction.DELETE)), allow_destroy=True)


@pytest.mark.parametrize(
    "harmless",
    [
        change("aws_lambda_function", ChangeAction.REPLACE),
        change("aws_dynamodb_table", ChangeAction.UPDATE),
        change("aws_s3_bucket", ChangeAction.CREATE),
        change("aws_kms_key", ChangeAction.FORGET),
        change("aws_route53_zone", ChangeAction.MOVE),
    ],
)
def test_the_guard_lets_pass_what_loses_nothing(harmless: ResourceChange) -> None:
    guard(plan(harmless))


def test_a_plan_has_changes_when_something_changes() -> None:
    drift = (change("aws_s3_bucket", ChangeAction.UPDATE),)
    assert not plan().has_changes
    assert plan(change("aws_s3_bucket", ChangeAction.CREATE)).has_changes
    assert not plan(change("aws_caller_identity", ChangeAction.READ)).has_changes
    assert Plan(FILE, 0, 0, 0, outputs=(OutputChange("a", ChangeAction.CREATE, False),)).has_changes
    assert not Plan(FILE, 0, 0, 0, drift=drift).has_changes
    assert Plan(FILE, 0, 0, 0, drift=drift, refresh_only=True).has_changes


def test_only_a_table_that_changes_in_place_can_lose_a_replica_unseen() -> None:
    assert updates_a_table([change("aws_dynamodb_table", ChangeAction.UPDATE)])
    assert not updates_a_table([change("aws_dynamodb_table", ChangeAction.DELETE)])
    assert not updates_a_table([change("aws_s3_bucket", ChangeAction.UPDATE)])


def table(before: list[str], after: list[str], actions: tuple[str, ...] = ("update",)) -> JsonValue:
    def replicas(regions: list[str]) -> JsonValue:
        return {"replica": [{"region_name": region} for region in regions]}

    return {
        "resource_changes": [
            {
                "address": "aws_dynamodb_table.payments",
                "type": "aws_dynamodb_table",
                "change": {"actions": actions, "before": replicas(before), "after": replicas(after)},
            },
            {"address": "aws_s3_bucket.audit", "type": "aws_s3_bucket", "change": {"actions": ["update"]}},
        ]
    }


def test_a_replica_that_an_update_takes_away_is_found() -> None:
    assert lost_replicas(table(["us-west-2", "eu-west-1"], ["eu-west-1"])) == (
        LostReplica("aws_dynamodb_table.payments", "us-west-2"),
    )


def test_a_replica_that_stays_comes_or_goes_with_its_table_is_no_loss() -> None:
    assert lost_replicas(table(["us-west-2"], ["us-west-2"])) == ()
    assert lost_replicas(table([], ["us-west-2"])) == ()
    assert lost_replicas(table(["us-west-2"], [], ("delete",))) == ()


def shown(*actions: str, address: str = "aws_s3_bucket.audit") -> JsonValue:
    return {
        "address": address,
        "type": "aws_s3_bucket",
        "action_reason": "replace_because_tainted",
        "change": {"actions": actions},
    }


def test_a_saved_plan_is_read_as_the_events_would_have_told_it() -> None:
    read = shown_plan(
        FILE,
        {
            "resource_changes": [
                shown("no-op"),
                shown("create"),
                shown("update"),
                shown("delete"),
                shown("delete", "create"),
                shown("create", "delete"),
                shown("read"),
                shown("forget"),
                shown("teleport"),
            ],
            "resource_drift": [shown("update")],
            "output_changes": {
                "key": {"actions": ["create"], "after": "hunter2", "after_sensitive": True},
                "same": {"actions": ["no-op"], "after_sensitive": False},
            },
        },
    )
    assert (read.add, read.change, read.destroy) == (3, 1, 3)
    assert [one.action.value for one in read.changes] == [
        "create",
        "update",
        "delete",
        "replace",
        "replace",
        "read",
        "remove",
        "unknown",
    ]
    assert read.changes[0] == ResourceChange(
        "aws_s3_bucket.audit", "aws_s3_bucket", ChangeAction.CREATE, "replace_because_tainted"
    )
    assert [one.action for one in read.drift] == [ChangeAction.UPDATE]
    assert read.outputs == (OutputChange("key", ChangeAction.CREATE, True),)
    assert "hunter2" not in repr(read)


def test_what_a_saved_plan_takes_in_is_read_with_its_id() -> None:
    def imported(action: str) -> JsonValue:
        change: JsonValue = {"actions": [action], "importing": {"id": "payment-a-audit"}}
        return {"address": "aws_s3_bucket.audit", "type": "aws_s3_bucket", "change": change}

    read = shown_plan(FILE, {"resource_changes": [imported("no-op"), imported("update")]})
    assert [(one.action, one.import_id) for one in read.changes] == [
        (ChangeAction.IMPORT, "payment-a-audit"),
        (ChangeAction.UPDATE, "payment-a-audit"),
    ]
    assert (read.add, read.change, read.destroy) == (0, 1, 0)
    assert read.has_changes

"""What DynamoDB refuses of tables, indexes, replicas and expressions."""

from typing import Any

import pytest

from tests.unit.local.validation.conftest import Sdk

INVALID = "ValidationException"
BOTH = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
KEY = {"id": {"S": "a"}, "at": {"N": "1"}}
V = {":v": {"S": "x"}}


def index(name: str, kind: str = "ALL", **more: Any) -> dict[str, Any]:
    projection = {"ProjectionType": kind, **more}
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
        "Projection": projection,
    }


def table(**changes: Any) -> dict[str, Any]:
    attributes = [("id", "S"), ("at", "N"), *([("by", "S")] if "GlobalSecondaryIndexes" in changes else [])]
    return {
        "TableName": "payments",
        "KeySchema": [
            {"AttributeName": "id", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": kind} for one, kind in attributes],
        "BillingMode": "PAY_PER_REQUEST",
        **changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"GlobalSecondaryIndexes": []},
        {"GlobalSecondaryIndexes": [index(f"i{one}00") for one in range(21)]},
        {"GlobalSecondaryIndexes": [index("one", NonKeyAttributes=["a"])]},
        {"StreamSpecification": {"StreamEnabled": True}},
        {"Tags": [{"Key": "aws:a", "Value": "b"}]},
        {"Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]},
        {"Tags": [{"Key": f"a{one}", "Value": "b"} for one in range(51)]},
    ],
)
def test_such_a_table_is_not_made(sdk: Sdk, changes: dict[str, Any]) -> None:
    assert sdk.refusal("dynamodb", "create_table", **table(**changes)) == INVALID


def test_one_index_is_made_at_a_time(sdk: Sdk) -> None:
    sdk.client("dynamodb").create_table(**table())
    changes = [{"Create": index("one")}, {"Create": index("two")}]
    wanted = {"TableName": "payments", "GlobalSecondaryIndexUpdates": changes}
    assert sdk.refusal("dynamodb", "update_table", **wanted) == "LimitExceededException"


def test_a_stream_is_turned_on_and_off_once(sdk: Sdk) -> None:
    client = sdk.client("dynamodb")
    client.create_table(**table())
    off = {"TableName": "payments", "StreamSpecification": {"StreamEnabled": False}}
    on = {"TableName": "payments", "StreamSpecification": BOTH}
    assert sdk.refusal("dynamodb", "update_table", **off) == INVALID
    assert sdk.refusal("dynamodb", "update_table", **on) == ""
    assert sdk.refusal("dynamodb", "update_table", **on) == INVALID
    client.update_table(TableName="payments", ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    assert sdk.refusal("dynamodb", "update_table", **off) == INVALID


def test_a_replica_takes_both_images(sdk: Sdk) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    sdk.client("dynamodb").create_table(**table(StreamSpecification=stream))
    wanted = {"TableName": "payments", "ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]}
    assert sdk.refusal("dynamodb", "update_table", **wanted) == INVALID


def test_the_source_of_a_replica_stays_for_a_day(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sdk.client("dynamodb")
    client.create_table(**table(StreamSpecification=BOTH))
    client.update_table(TableName="payments", ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    assert sdk.refusal("dynamodb", "delete_table", TableName="payments") == INVALID
    leaves = {"TableName": "payments", "ReplicaUpdates": [{"Delete": {"RegionName": "us-west-2"}}]}
    assert sdk.refusal("dynamodb", "update_table", **leaves) == ""
    assert sdk.refusal("dynamodb", "delete_table", TableName="payments") == ""


def test_time_to_live_is_changed_once(sdk: Sdk) -> None:
    sdk.client("dynamodb").create_table(**table())

    def live(enabled: bool, attribute: str = "ttl") -> str:
        wanted = {"Enabled": enabled, "AttributeName": attribute}
        return sdk.refusal(
            "dynamodb", "update_time_to_live", TableName="payments", TimeToLiveSpecification=wanted
        )

    assert [live(False), live(True), live(True), live(True, "other"), live(False)] == [
        INVALID,
        "",
        INVALID,
        INVALID,
        "",
    ]


def test_what_is_not_kept_is_not_restored(sdk: Sdk) -> None:
    sdk.client("dynamodb").create_table(**table())
    wanted = {"SourceTableName": "payments", "TargetTableName": "then", "UseLatestRestorableTime": True}
    refused = sdk.refusal("dynamodb", "restore_table_to_point_in_time", **wanted)
    assert refused == "PointInTimeRecoveryUnavailableException"


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("SET a = :v SET b = :v", INVALID),
        ("SET a = :v REMOVE a", INVALID),
        ("SET #n.b = :v REMOVE a", INVALID),
        ("SET a = if_not_exists(a, :v), b = :v", ""),
    ],
)
def test_an_update_has_each_section_and_path_once(sdk: Sdk, expression: str, code: str) -> None:
    sdk.client("dynamodb").create_table(**table())
    step = {
        "TableName": "payments",
        "Key": KEY,
        "UpdateExpression": expression,
        "ExpressionAttributeValues": V,
    }
    step |= {"ExpressionAttributeNames": {"#n": "a"}} if "#n" in expression else {}
    assert sdk.refusal("dynamodb", "update_item", **step) == code
    refused = sdk.refusal("dynamodb", "transact_write_items", TransactItems=[{"Update": step}])
    assert refused == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"KeyConditionExpression": "id = :v OR id = :w"}, INVALID),
        ({"KeyConditionExpression": "id = :v AND at <> :w"}, INVALID),
        ({"FilterExpression": "#at > :w"}, INVALID),
        ({"FilterExpression": "size(other) > :w AND begins_with(other, :v)"}, ""),
        ({"QueryFilter": {"a": {"ComparisonOperator": "NULL"}}}, INVALID),
        ({"IndexName": "some", "Select": "ALL_ATTRIBUTES", "KeyConditionExpression": "by = :v"}, INVALID),
        ({"IndexName": "some", "FilterExpression": "by = :v", "KeyConditionExpression": "by = :v"}, INVALID),
    ],
)
def test_a_query_asks_for_what_can_be_asked(sdk: Sdk, changes: dict[str, Any], code: str) -> None:
    sdk.client("dynamodb").create_table(**table(GlobalSecondaryIndexes=[index("some", "KEYS_ONLY")]))
    asked = {"TableName": "payments", "KeyConditionExpression": "id = :v", **changes}
    said = " ".join(str(one) for one in asked.values())
    asked |= {"ExpressionAttributeValues": {**V, **({":w": {"N": "1"}} if ":w" in said else {})}}
    asked |= {"ExpressionAttributeNames": {"#at": "at"}} if "#at" in said else {}
    assert sdk.refusal("dynamodb", "query", **asked) == code


def test_a_step_of_a_transaction_is_one_step(sdk: Sdk) -> None:
    sdk.client("dynamodb").create_table(**table())
    both = {"Put": {"TableName": "payments", "Item": KEY}, "Delete": {"TableName": "payments", "Key": KEY}}
    assert sdk.refusal("dynamodb", "transact_write_items", TransactItems=[both]) == INVALID

"""The table and the keys, row by row."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.synth.stacks.conftest import Block, Synthesized

ROOT = "arn:aws:iam::${data.aws_caller_identity.primary_account.account_id}:root"


def statements(key: "Block") -> dict[str, Any]:
    return {one["Sid"]: one for one in json.loads(key["policy"])["Statement"]}


def test_one_global_table_with_its_keys_and_indexes(local: "Synthesized") -> None:
    (table,) = local.of("dynamodb_table").values()
    assert table["name"] == "payment-pr123-payments"
    assert (table["hash_key"], table["range_key"]) == ("payment_id", "timestamp")
    assert {one["name"]: one["type"] for one in table["attribute"]} == {
        "payment_id": "S",
        "timestamp": "N",
        "status": "S",
        "customer_id": "S",
    }
    assert table["billing_mode"] == "PAY_PER_REQUEST"
    assert [
        (index["name"], index["hash_key"], index["range_key"], index["projection_type"])
        for index in table["global_secondary_index"]
    ] == [
        ("status-index", "status", "timestamp", "ALL"),
        ("customer-index", "customer_id", "timestamp", "ALL"),
    ]


def test_the_table_is_streamed_recoverable_and_encrypted_in_both_regions(local: "Synthesized") -> None:
    (table,) = local.of("dynamodb_table").values()
    assert (table["stream_enabled"], table["stream_view_type"]) == (True, "NEW_AND_OLD_IMAGES")
    assert table["point_in_time_recovery"] == {"enabled": True}
    assert table["server_side_encryption"] == {
        "enabled": True,
        "kms_key_arn": "${aws_kms_key.primary_keys_data_key.arn}",
    }
    assert table["replica"] == [
        {
            "region_name": "us-west-2",
            "kms_key_arn": "${aws_kms_key.secondary_keys_data_key.arn}",
            "point_in_time_recovery": True,
            "propagate_tags": True,
        }
    ]


def test_a_protected_environment_cannot_lose_what_holds_data(
    local: "Synthesized", protected: "Synthesized"
) -> None:
    (table,) = protected.of("dynamodb_table").values()
    assert table["deletion_protection_enabled"] is True
    (ephemeral,) = local.of("dynamodb_table").values()
    assert ephemeral["deletion_protection_enabled"] is False
    for type_ in ("dynamodb_table", "s3_bucket", "kms_key"):
        assert all(one["lifecycle"]["prevent_destroy"] for one in protected.of(type_).values())
        assert not any(one["lifecycle"]["prevent_destroy"] for one in local.of(type_).values())
    for type_ in ("s3_bucket", "route53_zone"):
        assert not any(one["force_destroy"] for one in protected.of(type_).values())
        assert all(one["force_destroy"] for one in local.of(type_).values())


def test_keys_rotate_can_be_rescued_and_have_an_alias(every: "Synthesized") -> None:
    keys = every.of("kms_key")
    purposes = ("data",) if every.settings.footprint == "lean" else ("data", "audit", "application")
    for place in ("primary", "secondary"):
        assert sum(name.startswith(place) for name in keys) == len(purposes)
        for purpose in purposes:
            key = keys[f"{place}_keys_{purpose}_key"]
            assert (key["enable_key_rotation"], key["rotation_period_in_days"]) == (True, 365)
            assert key["deletion_window_in_days"] == (30 if every.settings.protected else 7)
            alias = every.of("kms_alias")[f"{place}_keys_{purpose}_alias"]
            assert alias["name"] == f"alias/payment-{every.settings.env}-{purpose}"
            assert alias["target_key_id"] == f"${{aws_kms_key.{place}_keys_{purpose}_key.key_id}}"


def test_the_key_of_a_lean_region_lets_in_whom_the_three_would(
    lean: "Synthesized", local: "Synthesized"
) -> None:
    for place in ("primary", "secondary"):
        one = statements(lean.of("kms_key")[f"{place}_keys_data_key"])
        three = [
            statements(local.of("kms_key")[f"{place}_keys_{purpose}_key"])
            for purpose in ("data", "audit", "application")
        ]
        assert len(one) == len({sid for key in three for sid in key})
        for sid in {sid for key in three for sid in key}:
            (wanted,) = {json.dumps(key[sid], sort_keys=True) for key in three if sid in key}
            assert json.dumps(one[sid], sort_keys=True) == wanted.replace("pr123", "pr124"), sid


def test_no_key_admits_everyone(every: "Synthesized") -> None:
    for key in every.of("kms_key").values():
        for statement in statements(key).values():
            assert statement["Effect"] == "Allow"
            assert statement["Principal"] != "*"
            assert "*" not in statement["Principal"].values()
            # All but the account's own statement are bound to where they come from.
            assert (statement["Sid"] == "Account") is ("Condition" not in statement)


def test_the_data_key_names_the_table_and_the_function(local: "Synthesized") -> None:
    found = statements(local.of("kms_key")["primary_keys_data_key"])
    assert found["Account"]["Principal"] == {"AWS": ROOT}
    assert found["TableLookUp"]["Principal"] == {"Service": "dynamodb.amazonaws.com"}
    through = {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}
    assert through.items() <= found["Table"]["Condition"]["StringEquals"].items()
    assert "kms:CreateGrant" in found["Table"]["Action"]
    assert found["FunctionThroughTable"]["Condition"]["StringEquals"] == through
    (role,) = found["FunctionThroughTable"]["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    assert role.endswith(":role/payment-pr123-function-us-east-1")


def test_the_audit_key_names_logs_alarms_function_and_both_replications(local: "Synthesized") -> None:
    found = statements(local.of("kms_key")["secondary_keys_audit_key"])
    assert found["Logs"]["Principal"] == {"Service": "logs.us-west-2.amazonaws.com"}
    groups = found["Logs"]["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert [group.split(":log-group:")[1] for group in groups] == [
        "/aws/lambda/payment-pr123-payments",
        "/aws/apigateway/payment-pr123-api",
        "API-Gateway-Execution-Logs_*/prod",
    ]
    assert found["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert set(found["Alarms"]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert found["FunctionThroughBucket"]["Action"] == ["kms:GenerateDataKey"]
    copies = found["ReplicationThroughBucket"]
    assert {"kms:Decrypt", "kms:Encrypt"} <= set(copies["Action"])
    assert [arn.split("/")[1] for arn in copies["Condition"]["ArnEquals"]["aws:PrincipalArn"]] == [
        "payment-pr123-replication-us-west-2",
        "payment-pr123-replication-us-east-1",
    ]


@pytest.mark.parametrize(
    ("sid", "service"), [("FunctionEnvironment", "lambda"), ("FunctionParameters", "ssm")]
)
def test_the_application_key_opens_environment_and_parameters(
    local: "Synthesized", sid: str, service: str
) -> None:
    found = statements(local.of("kms_key")["primary_keys_application_key"])
    assert found[sid]["Action"] == ["kms:Decrypt"]
    assert found[sid]["Condition"]["StringEquals"] == {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}

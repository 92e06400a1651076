"""What an import leaves out is filled in only where nothing on AWS would differ."""

from typing import Any

import pytest

from payinfra.deployment.recovery.unreadable import filled
from payinfra.terraform.planned import PlannedChange
from tests.unit.deployment.recovery.conftest import PAIRS, TAGS, Stubbed

HASH = "4suXs1E="
REPLICA = "arn:aws:dynamodb:us-east-1:000000000000:table/t"


def change(type_: str, before: Any, after: Any, unknown: Any = None) -> PlannedChange:
    return PlannedChange(f"{type_}.x", type_, before, after, unknown)


@pytest.mark.parametrize("type_", ["aws_s3_bucket", "aws_route53_zone"])
def test_arguments_of_the_provider_alone_are_taken_from_the_stack(aws: Stubbed, type_: str) -> None:
    before = {"id": "x", "force_destroy": None}
    assert filled(change(type_, before, {"id": "x", "force_destroy": True}), aws) == {"force_destroy": True}
    assert filled(change(type_, before, {"id": "x", "force_destroy": False}), aws) == {"force_destroy": False}


def test_all_of_them_are_filled_in_at_once(aws: Stubbed) -> None:
    before = {"deletion_window_in_days": None, "bypass_policy_lockout_safety_check": None, "description": "d"}
    after = {**before, "deletion_window_in_days": 7, "bypass_policy_lockout_safety_check": False}
    assert filled(change("aws_kms_key", before, after), aws) == {
        "deletion_window_in_days": 7,
        "bypass_policy_lockout_safety_check": False,
    }


def test_a_resource_that_differs_in_anything_else_is_left_to_the_next_deployment(aws: Stubbed) -> None:
    before = {"force_destroy": None, "tags": {"Owner": "a"}}
    assert filled(change("aws_s3_bucket", before, {"force_destroy": True, "tags": {"Owner": "b"}}), aws) == {}


def test_other_types_are_left_alone(aws: Stubbed) -> None:
    assert filled(change("aws_sns_topic", {"name": "a"}, {"name": "b"}), aws) == {}
    assert filled(change("aws_sns_topic", {"name": "a"}, {"name": "a"}), aws) == {}
    assert filled(change("aws_s3_bucket", {"force_destroy": True}, {"force_destroy": True}), aws) == {}


def test_a_function_is_taken_as_sent_if_its_code_is_the_stacks(aws: Stubbed) -> None:
    before = {"code_sha256": HASH, "filename": None, "publish": None, "source_code_hash": "", "version": "3"}
    after = {"code_sha256": HASH, "filename": "payments.zip", "publish": True, "source_code_hash": HASH}
    unknown = {"version": True}
    assert filled(change("aws_lambda_function", before, after, unknown), aws) == {
        "filename": "payments.zip",
        "publish": True,
        "source_code_hash": HASH,
    }
    other = {**before, "code_sha256": "other"}
    assert filled(change("aws_lambda_function", other, {**after, "code_sha256": "other"}, unknown), aws) == {}
    nothing = {**before, "code_sha256": ""}
    unsent = {**after, "code_sha256": "", "source_code_hash": ""}
    assert filled(change("aws_lambda_function", nothing, unsent, unknown), aws) == {}


def test_a_deployment_is_taken_for_the_contract_that_it_names(aws: Stubbed) -> None:
    type_ = "aws_api_gateway_deployment"
    before = {"description": "contract abc", "triggers": None, "id": "d"}
    after = {"description": "contract abc", "triggers": {"contract": "abc"}}
    unknown = {"id": True}
    assert filled(change(type_, before, after, unknown), aws) == {"triggers": {"contract": "abc"}}
    assert filled(change(type_, {**before, "description": ""}, after, unknown), aws) == {}
    untold = {"triggers": {"contract": "abc"}, "description": None}
    assert filled(change(type_, {**before, "description": ""}, untold, unknown), aws) == {}, "nothing says so"
    assert filled(change(type_, before, {"description": "contract abc", "triggers": {}}, unknown), aws) == {}


def table(propagate: bool) -> dict[str, Any]:
    replica = {"region_name": "us-east-1", "arn": REPLICA, "propagate_tags": propagate, "kms_key_arn": "k"}
    return {"name": "t", "tags_all": TAGS, "replica": [replica]}


def test_tags_count_as_propagated_where_the_replica_bears_them(aws: Stubbed) -> None:
    aws.answers("dynamodb", "list_tags_of_resource", {"Tags": PAIRS}, ResourceArn=REPLICA)
    found = filled(change("aws_dynamodb_table", table(False), table(True)), aws)
    assert found == {"replica": table(True)["replica"]}
    aws.answers("dynamodb", "list_tags_of_resource", {"Tags": PAIRS[:1]}, ResourceArn=REPLICA)
    assert filled(change("aws_dynamodb_table", table(False), table(True)), aws) == {}
    assert filled(change("aws_dynamodb_table", table(True), table(True)), aws) == {}


def test_that_a_record_may_take_anothers_place_is_known_to_the_provider_alone(aws: Stubbed) -> None:
    record = {"name": "_x.pay.example.com", "records": ["_y.acm."], "allow_overwrite": None}
    same = change("aws_route53_record", record, {**record, "allow_overwrite": True})
    assert filled(same, aws) == {"allow_overwrite": True}
    assert filled(change("aws_route53_record", record, {**record, "records": ["_z.acm."]}), aws) == {}

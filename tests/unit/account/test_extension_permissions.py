"""The deploy role gets what a project's own resources need, by their types, and no more."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.account.ci_role import describe
from payinfra.account.extension_permissions import DeclaredPermission, ExtensionNeeds, needs_of
from payinfra.account.permissions import RESOURCE_TYPES
from payinfra.account.scope import PermissionScope
from payinfra.account.trust import principal
from payinfra.core.errors import UsageProblem
from payinfra.core.settings import Settings
from payinfra.stacks.iam_documents import StatementProps

REACH = PermissionScope("123456789012", ("us-east-1", "us-west-2"), env="pr*")
QUEUES = ExtensionNeeds(types=("aws_sqs_queue",), stack="payment-account")


def by_sid(needs: ExtensionNeeds, reach: PermissionScope = REACH) -> dict[str, StatementProps]:
    return {one.sid: one for one in needs.statements(reach)}


def test_a_queue_is_deployed_under_the_environments_names_only() -> None:
    (one,) = by_sid(QUEUES).values()
    assert one.resources == ("arn:aws:sqs:*:123456789012:payment-pr*-*",)
    assert {"sqs:CreateQueue", "sqs:DeleteQueue", "sqs:TagQueue"} < set(one.actions)
    assert not {action for action in one.actions if "Message" in action}


def test_the_role_has_the_statements_beside_its_own() -> None:
    trust = principal("arn:aws:iam::123456789012:root")
    sids = [
        {each["Sid"] for policy in role.policies for each in json.loads(policy.document)["Statement"]}
        for role in (describe(REACH, trust), describe(REACH, trust, QUEUES))
    ]
    assert sids[1] - sids[0] == {"ExtensionQueues"}
    assert sids[0] < sids[1]


def test_what_is_added_to_a_type_of_ours_may_have_a_name_of_its_own() -> None:
    needs = ExtensionNeeds(types=("aws_lambda_function", "aws_lambda_event_source_mapping", "aws_iam_role"))
    found = by_sid(needs, replace(REACH, env="pr1", boundary="arn:aws:iam::123456789012:policy/b"))
    assert found["ExtensionFunctions"].resources == ("arn:aws:lambda:*:123456789012:function:payment-pr1-*",)
    readers = found["ExtensionStreamReaders"]
    assert readers.condition["ArnLike"]["lambda:FunctionArn"] == found["ExtensionFunctions"].resources
    roles = found["ExtensionRolesToBound"]
    assert "iam:PermissionsBoundary" in roles.condition["StringEquals"]
    assert found["ExtensionRolesForLambda"].condition == {
        "StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}
    }
    # What is limited by tags, or not at all, has room for it already.
    assert "ExtensionKeys" not in found


def test_every_type_of_ours_can_be_added() -> None:
    assert by_sid(ExtensionNeeds(types=tuple(RESOURCE_TYPES)))


def test_a_type_that_nobody_knows_is_named_with_what_to_write() -> None:
    needs = ExtensionNeeds(types=("aws_sfn_state_machine",), data=("aws_region", "aws_vpc"))
    with pytest.raises(UsageProblem, match=r"aws_sfn_state_machine, data\.aws_vpc") as caught:
        needs.statements(REACH)
    assert 'deploy_permissions("aws_sfn_state_machine"' in caught.value.hint


def test_what_the_extension_says_is_for_all_environments_in_scope() -> None:
    account = "${data.aws_caller_identity.primary_account.account_id}"
    said = DeclaredPermission(
        "aws_sfn_state_machine",
        ("states:CreateStateMachine",),
        (f"arn:aws:states:us-east-1:{account}:stateMachine:payment-account-refunds",),
    )
    needs = replace(QUEUES, types=("aws_sfn_state_machine",), permissions=(said,))
    (one,) = by_sid(needs).values()
    assert one.resources == ("arn:aws:states:us-east-1:123456789012:stateMachine:payment-pr*-refunds",)
    unknown = replace(said, resources=("${aws_sfn_state_machine.x.arn}",))
    with pytest.raises(UsageProblem, match="known only after a deployment"):
        replace(needs, permissions=(unknown,)).statements(REACH)


def test_a_project_without_an_extension_needs_nothing_and_synthesizes_nothing(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "pr1"}, folder=tmp_path, environ={})
    assert needs_of(settings, None).statements(REACH) == ()
    file = tmp_path / "cdk.tf.json"
    file.write_text('{"//": {"metadata": {}}}')
    assert ExtensionNeeds.read(file).statements(REACH) == ()

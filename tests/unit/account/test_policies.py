"""The deploy role's policies fit into IAM, and leave out what they should."""

import json
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from payinfra.account.arn_patterns import ArnGroup
from payinfra.account.permissions import OPERATIONS, RESOURCE_TYPES, Operation, Permission, permissions
from payinfra.account.policies import SIZE_LIMIT, ManagedPolicy, policies, size, statements
from payinfra.account.scope import PermissionScope
from payinfra.core.naming import (
    API_LOGS_ROLE,
    CI_ROLE,
    DRILL_FIS_ROLE,
    DRILL_SCHEDULER_ROLE,
    STATE_REPLICATION_ROLE,
    Names,
    canary_domain,
)
from payinfra.core.setting_declarations import ENV_MAX, REGIONS
from payinfra.stacks.iam_documents import StatementProps

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/our-boundary"
LONGEST = max(REGIONS, key=len)
EVERYTHING = PermissionScope(
    ACCOUNT,
    ("us-east-1", "us-west-2"),
    domain="pay.example.com",
    hosted_zone_id="Z0123456789ABC",
    state_bucket="our-states",
    boundary=BOUNDARY,
)
LARGEST = PermissionScope(
    ACCOUNT,
    (LONGEST, f"{LONGEST[:-1]}9"),
    env="e" * ENV_MAX,
    domain=f"{'d' * 60}.{'d' * 60}.{'d' * 60}.com",
    hosted_zone_id=f"Z{'0' * 31}",
    state_bucket="b" * 63,
    state_region=LONGEST,
    state_key="k" * 512,
    boundary=f"arn:aws:iam::{ACCOUNT}:policy/{'p' * 128}",
)
REACHES = {
    "everything": EVERYTHING,
    "one": PermissionScope(ACCOUNT, ("us-east-1", "us-west-2"), env="pr1"),
    "largest": LARGEST,
}


def by_sid(reach: PermissionScope) -> Mapping[str, StatementProps]:
    return {one.sid: one for one in statements(reach, permissions())}


def allowing(reach: PermissionScope, action: str) -> list[StatementProps]:
    return [
        one
        for one in by_sid(reach).values()
        if one.effect == "Allow" and any(fnmatchcase(action, pattern) for pattern in one.actions)
    ]


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_each_policy_is_within_iams_limit_and_none_loses_a_statement(reach: PermissionScope) -> None:
    made = policies("payinfra-ci", reach, permissions())
    assert [policy.name for policy in made] == [f"payinfra-ci-{number + 1}" for number in range(len(made))]
    assert all(size(policy.document) <= 0.95 * SIZE_LIMIT for policy in made)
    found = [each for policy in made for each in json.loads(policy.document)["Statement"]]
    assert found == [json.loads(json.dumps(each.render())) for each in statements(reach, permissions())]
    assert len({each["Sid"] for each in found}) == len(found)


def test_white_space_does_not_count() -> None:
    assert size('{ "a":\n  [1, 2] }') == len('{"a":[1,2]}')


def test_what_does_not_fit_is_no_policy() -> None:
    reach = PermissionScope(ACCOUNT, ("us-east-1", "us-west-2"))
    one = Permission(ArnGroup.TABLES, tuple(f"dynamodb:{number:06}" for number in range(SIZE_LIMIT // 10)))
    with pytest.raises(ValueError, match="needs more than 10 policies"):
        policies("payinfra-ci", reach, [one])


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_it_cannot_touch_itself_or_what_else_the_account_has_once(reach: PermissionScope) -> None:
    own = [
        CI_ROLE,
        f"{CI_ROLE}-pr1",
        API_LOGS_ROLE,
        STATE_REPLICATION_ROLE,
        DRILL_FIS_ROLE,
        DRILL_SCHEDULER_ROLE,
    ]
    for name in own:
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        may = {
            action
            for one in by_sid(reach).values()
            if one.effect == "Allow" and "*" not in one.resources
            for resource in one.resources
            if fnmatchcase(arn, resource)
            for action in one.actions
        }
        assert may <= {"iam:PassRole"}
        assert not may or name in (DRILL_FIS_ROLE, DRILL_SCHEDULER_ROLE)


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_a_role_is_passed_to_one_service_only(reach: PermissionScope) -> None:
    services = {
        one.sid: (one.resources, one.condition["StringEquals"]["iam:PassedToService"])
        for one in allowing(reach, "iam:PassRole")
    }
    assert set(services) == {"RolesForLambda", "RolesForS3", "RolesForFis", "RolesForScheduler"}
    for resources, service in services.values():
        assert service in {f"{each}.amazonaws.com" for each in ("lambda", "s3", "fis", "scheduler")}
        assert all(":role/pay" in resource for resource in resources)


def test_a_service_linked_role_is_its_services() -> None:
    one = by_sid(EVERYTHING)["ServiceLinkedRoles"]
    assert one.actions == ("iam:CreateServiceLinkedRole",)
    services = one.condition["StringEquals"]["iam:AWSServiceName"]
    assert set(services) == {
        "replication.dynamodb.amazonaws.com",
        "ops.apigateway.amazonaws.com",
        "fis.amazonaws.com",
    }
    assert all(resource.split("/")[-2] in services for resource in one.resources)


def test_everything_is_everything_of_payinfras() -> None:
    for one in by_sid(EVERYTHING).values():
        for resource in one.resources:
            named = "payment-" in resource or "payinfra" in resource or "our-states" in resource
            assert named or one.condition or one.sid in WITHOUT_NAMES, (one.sid, resource)


WITHOUT_NAMES = {
    "WithoutResource": "AWS has no resource for it",
    "ApiSettings": "it is only read",
    "ApiLists": "they are only read",
    "ExecutionLogs": "AWS dictates the name",
    "Zones": "AWS dictates the id",
    "HealthChecks": "AWS dictates the id, and knows no condition",
    "AnyStreamReader": "AWS dictates the id",
    "Experiments": "AWS dictates the id",
}
"""Statements whose resources cannot be told by name, and which have no condition that would."""


def test_nothing_without_a_resource_changes_anything_but_makes_it() -> None:
    (one,) = (each for each in by_sid(EVERYTHING).values() if each.sid == "WithoutResource")
    verbs = {action.split(":")[1] for action in one.actions}
    assert all(
        verb.startswith(("Describe", "Get", "List"))
        for verb in verbs - {"CreateHealthCheck", "CreateHostedZone"}
    )


def test_one_environment_is_not_another() -> None:
    mine, other = by_sid(REACHES["one"]), Names("pr2")
    for one in mine.values():
        for resource in one.resources:
            assert not fnmatchcase(f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{other.table}", resource) or (
                resource == "*" and one.sid != "Tables"
            )
    assert mine["Keys"].condition == {
        "StringEquals": {
            "aws:ResourceTag/Project": "payment-infrastructure",
            "aws:ResourceTag/EnvironmentSuffix": "pr1",
        }
    }
    assert "arn:aws:s3:::payment-pr1-audit-us-east-1-123456789012" in mine["Buckets"].resources


def test_environments_of_one_kind_are_known_by_the_beginning_of_their_names() -> None:
    mine = by_sid(PermissionScope(ACCOUNT, ("us-east-1", "us-west-2"), env="pr*"))
    assert f"arn:aws:dynamodb:*:{ACCOUNT}:table/payment-pr*-payments" in mine["Tables"].resources
    assert mine["Keys"].condition == {
        "StringEquals": {"aws:ResourceTag/Project": "payment-infrastructure"},
        "StringLike": {"aws:ResourceTag/EnvironmentSuffix": "pr*"},
    }
    used = mine["KeysInUse"].condition["StringLike"]
    assert used["aws:ResourceTag/EnvironmentSuffix"] == "pr*"
    assert "dynamodb.*.amazonaws.com" in used["kms:ViaService"]


def test_other_regions_are_closed_but_for_the_one_of_health_metrics_and_the_states() -> None:
    reach = PermissionScope(ACCOUNT, ("eu-west-1", "eu-west-2"), state_bucket="s", state_region="eu-north-1")
    elsewhere = by_sid(reach)["OnlyTheseRegions"]
    assert (elsewhere.effect, elsewhere.actions, elsewhere.resources) == ("Deny", ("*",), ("*",))
    assert elsewhere.condition == {
        "StringNotEquals": {"aws:RequestedRegion": ("eu-west-1", "eu-west-2", "us-east-1", "eu-north-1")}
    }


def test_without_a_state_bucket_there_is_no_permission_on_one() -> None:
    assert not {"State", "StateBucket", "StateKeys"} & set(by_sid(REACHES["one"]))
    state = by_sid(EVERYTHING)["State"]
    assert state.resources == (
        "arn:aws:s3:::our-states/payinfra/payment-*/terraform.tfstate",
        "arn:aws:s3:::our-states/payinfra/payment-*/terraform.tfstate.tflock",
    )
    assert by_sid(LARGEST)["State"].resources[0] == f"arn:aws:s3:::{'b' * 63}/{'k' * 512}"


def test_a_boundary_must_be_on_every_role_that_is_made() -> None:
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"):
        (one,) = allowing(EVERYTHING, action)
        assert one.condition == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
        (free,) = allowing(REACHES["one"], action)
        assert not free.condition
    for reach in REACHES.values():
        assert not allowing(reach, "iam:DeleteRolePermissionsBoundary")
        assert not allowing(reach, "iam:AttachRolePolicy")


def test_records_are_written_under_the_environments_names_only() -> None:
    names = by_sid(EVERYTHING)["Records"].condition["ForAllValues:StringLike"]
    assert names["route53:ChangeResourceRecordSetsNormalizedRecordNames"] == (
        "payment-*-failover.pay.example.com",
        "payment-*-latency.pay.example.com",
        "*.payment-*-failover.pay.example.com",
        "*.payment-*-latency.pay.example.com",
    )
    own = by_sid(REACHES["one"])["Records"].condition["ForAllValues:StringLike"]
    assert own["route53:ChangeResourceRecordSetsNormalizedRecordNames"] == (
        "failover.payment-pr1.internal",
        "latency.payment-pr1.internal",
        "*.payinfra-canary.failover.payment-pr1.internal",
    )


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_the_canary_of_a_run_is_among_the_names_that_may_be_written(reach: PermissionScope) -> None:
    mine = canary_domain(Names("pr1").failover_domain(reach.domain), "run1")
    others = canary_domain(Names("pr2").failover_domain("elsewhere.example.com"), "run1")
    names = by_sid(replace(reach, env="pr1"))["Records"].condition["ForAllValues:StringLike"]
    (patterns,) = names.values()
    assert any(fnmatchcase(mine, pattern) for pattern in patterns)
    assert not any(fnmatchcase(others, pattern) for pattern in patterns)


def test_probes_alone_may_write_their_canary_and_follow_its_change() -> None:
    found = {one.target: one.actions for one in permissions((), (Operation.VERIFY,))}
    assert found[ArnGroup.RECORDS] == ("route53:ChangeResourceRecordSets",)
    assert "route53:GetChange" in found[ArnGroup.ZONES]


def test_a_permission_comes_from_the_types_and_operations_that_are_asked_for() -> None:
    assert permissions(("aws_s3_bucket_policy",), ()) == (
        Permission(ArnGroup.BUCKETS, ("s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy")),
    )
    assert permissions((), (Operation.REAP,)) == (
        Permission(ArnGroup.WITHOUT_RESOURCE, ("tag:GetResources",)),
    )


@pytest.mark.parametrize("needs", [*RESOURCE_TYPES.values(), *OPERATIONS.values()])
def test_every_action_is_written_as_iam_writes_it(needs: Mapping[ArnGroup, tuple[str, ...]]) -> None:
    for actions in needs.values():
        assert actions
        for action in actions:
            service, _, verb = action.partition(":")
            assert service.islower() or service.isalnum()
            assert verb.isalnum() or verb.removesuffix("*").isalnum()
            assert verb[0].isupper()


def test_a_policy_is_json() -> None:
    policy: ManagedPolicy = policies("payinfra-ci", EVERYTHING, permissions())[0]
    shown: Any = json.loads(policy.document)
    assert shown["Version"] == "2012-10-17"

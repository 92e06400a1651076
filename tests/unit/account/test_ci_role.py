"""The deploy role is made, mended and left alone; it may do its work, and nothing more."""

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from payinfra.account import ci_role
from payinfra.account.changes import Changes
from payinfra.account.policies import ManagedPolicy
from payinfra.account.roles import VERSIONS_KEPT, Roles
from payinfra.account.scope import PermissionScope
from payinfra.account.trust import Trust, github, principal
from payinfra.clients.aws import Aws
from payinfra.local.aws_rules import KEY_TAGS
from payinfra.stacks.iam_documents import StatementProps, document
from tests.unit.account.conftest import ACCOUNT, ENDPOINTS, REGIONS, InProcess

EAST, WEST = REGIONS
REACH = PermissionScope(ACCOUNT, ("us-east-1", "us-west-2"))
OPERATOR = principal(f"arn:aws:iam::{ACCOUNT}:root")


def made(
    aws: InProcess, reach: PermissionScope = REACH, trust: Trust = OPERATOR, *, dry_run: bool = False
) -> list[str]:
    changes = Changes(dry_run)
    ci_role.deploy(ci_role.describe(reach, trust), reach, trust, aws, changes)
    return changes.said


def test_it_is_made_with_all_its_policies_and_then_left_alone(aws: InProcess) -> None:
    role = ci_role.describe(REACH, OPERATOR)
    assert role.arn == f"arn:aws:iam::{ACCOUNT}:role/payinfra-ci"
    said = made(aws)
    assert said[0] == "create role payinfra-ci"
    attached = aws.iam(EAST).list_attached_role_policies(RoleName="payinfra-ci")["AttachedPolicies"]
    assert {one["PolicyName"] for one in attached} == {policy.name for policy in role.policies}
    assert made(aws) == []


def test_a_dry_run_makes_nothing(aws: InProcess) -> None:
    assert made(aws, dry_run=True) == made(aws, dry_run=True)
    assert not [one for one in aws.iam(EAST).list_roles()["Roles"] if one["RoleName"] == "payinfra-ci"]


def test_another_reach_changes_its_policies(aws: InProcess) -> None:
    made(aws)
    said = made(aws, replace(REACH, state_bucket="our-states"))
    assert said
    assert all(what.startswith("change policy payinfra-ci-") for what in said)


def test_policies_that_are_needed_no_more_are_removed_and_others_stay(aws: InProcess) -> None:
    made(aws)
    iam = aws.iam(EAST)
    for name in ("payinfra-ci-9", "theirs"):
        text = document(StatementProps("Any", ("s3:GetObject",), ("*",)))
        arn = iam.create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
        iam.attach_role_policy(RoleName="payinfra-ci", PolicyArn=arn)
    assert made(aws) == ["detach and delete policy payinfra-ci-9"]
    names = [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]]
    assert "theirs" in names
    assert "payinfra-ci-9" not in names


def test_a_policy_is_changed_however_often(aws: InProcess) -> None:
    roles = Roles(aws.iam(EAST), ACCOUNT, Changes())
    for number in range(VERSIONS_KEPT + 2):
        text = document(StatementProps(f"Version{number}", ("s3:GetObject",), ("*",)))
        arn = roles.policy(ManagedPolicy("payinfra-ci-1", text))
    default = aws.iam(EAST).get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    shown: Any = aws.iam(EAST).get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"][
        "Document"
    ]
    assert shown["Statement"][0]["Sid"] == f"Version{VERSIONS_KEPT + 1}"
    assert len(aws.iam(EAST).list_policy_versions(PolicyArn=arn)["Versions"]) <= VERSIONS_KEPT


def test_pipelines_come_with_their_identity_provider(aws: InProcess) -> None:
    trust = github("our-org/our-repo")
    said = made(aws, trust=trust)
    assert said[0] == "create identity provider token.actions.githubusercontent.com"
    assert made(aws, trust=trust) == []
    found = aws.iam(EAST).get_open_id_connect_provider(OpenIDConnectProviderArn=trust.provider_arn(ACCOUNT))
    assert found["ClientIDList"] == ["sts.amazonaws.com"]


def test_an_identity_provider_of_others_is_shared() -> None:
    iam: Any = boto3.client("iam", region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com"
    with Stubber(iam) as answers:
        known = {"Url": "https://gitlab.com", "ClientIDList": ["theirs"]}
        answers.add_response("get_open_id_connect_provider", known, {"OpenIDConnectProviderArn": arn})
        more = {"OpenIDConnectProviderArn": arn, "ClientID": "https://gitlab.com"}
        answers.add_response("add_client_id_to_open_id_connect_provider", {}, more)
        changes = Changes()
        Roles(iam, ACCOUNT, changes).identity_provider("gitlab.com", "https://gitlab.com")
        answers.assert_no_pending_responses()
    assert changes.said == ["add audience https://gitlab.com to identity provider gitlab.com"]


# ---- under the role, with IAM enforced ------------------------------------------------------------------


@pytest.fixture
def pipeline(enforced: InProcess) -> InProcess:
    """Clients that work as the deploy role."""
    made(enforced)
    role = ci_role.describe(REACH, OPERATOR).arn
    return InProcess(ENDPOINTS, role_arn=role, worlds=enforced.worlds)


def refused(call: Any, **arguments: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert "AccessDenied" in caught.value.response["Error"]["Code"], caught.value
    return str(caught.value)


TABLE = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def test_it_makes_environments_tables_and_no_others(pipeline: InProcess) -> None:
    tables: Any = pipeline.dynamodb(EAST)
    tables.create_table(TableName="payment-pr1-payments", **TABLE)
    refused(tables.create_table, TableName="orders", **TABLE)


def test_it_cannot_give_itself_more(pipeline: InProcess) -> None:
    iam = pipeline.iam(EAST)
    everything = document(StatementProps("All", ("*",), ("*",)))
    refused(iam.put_role_policy, RoleName="payinfra-ci", PolicyName="more", PolicyDocument=everything)
    refused(iam.create_policy, PolicyName="payinfra-ci-9", PolicyDocument=everything)
    refused(iam.create_role, RoleName="payinfra-x", AssumeRolePolicyDocument=everything)
    refused(
        iam.update_assume_role_policy,
        RoleName="payinfra-ci",
        PolicyDocument=OPERATOR.document(ACCOUNT),
    )


def test_it_leaves_other_regions_alone(enforced: InProcess) -> None:
    made(enforced, PermissionScope(ACCOUNT, ("us-east-1", "eu-west-1")))
    role = ci_role.describe(REACH, OPERATOR).arn
    here = InProcess(ENDPOINTS, role_arn=role, worlds=enforced.worlds)
    assert here.logs(EAST).describe_log_groups()["logGroups"] == []
    refused(here.logs(WEST).describe_log_groups)


def key(aws: Aws, project: str) -> str:
    made = aws.kms(EAST).create_key(Tags=[{"TagKey": "Project", "TagValue": project}])
    return made["KeyMetadata"]["KeyId"]


def test_a_key_is_its_own_by_its_tag(enforced: InProcess, pipeline: InProcess) -> None:
    mine, theirs = key(pipeline, "payment-infrastructure"), key(enforced, "other")
    kms = pipeline.kms(EAST)
    assert kms.get_key_policy(KeyId=mine)["Policy"]
    refused(kms.get_key_policy, KeyId=theirs)
    refused(kms.schedule_key_deletion, KeyId=theirs)
    refused(kms.create_alias, AliasName="alias/payment-pr1-data", TargetKeyId=theirs)
    kms.create_alias(AliasName="alias/payment-pr1-data", TargetKeyId=mine)
    with pytest.raises(ClientError, match="CreateKey"):
        key(pipeline, "other")


def test_how_old_a_key_is_can_be_asked_before_policies_see_its_tags(
    enforced: InProcess, pipeline: InProcess
) -> None:
    """A deployment tells by it whether it is worth to wait for the tags."""
    rules = enforced.worlds[-1].emulator.rules
    rules.set({KEY_TAGS.name: 300})
    mine = key(pipeline, "payment-infrastructure")
    kms = pipeline.kms(EAST)
    refused(kms.enable_key_rotation, KeyId=mine)
    assert kms.describe_key(KeyId=mine)["KeyMetadata"]["CreationDate"]
    rules.reset()
    kms.enable_key_rotation(KeyId=mine)


def api(aws: Aws, project: str) -> str:
    return aws.apigateway(EAST).create_rest_api(name="payments", tags={"Project": project})["id"]


def test_an_api_is_its_own_by_its_tag_and_so_is_what_is_below_it(
    enforced: InProcess, pipeline: InProcess
) -> None:
    mine, theirs = api(pipeline, "payment-infrastructure"), api(enforced, "other")
    gateway = pipeline.apigateway(EAST)
    assert gateway.get_resources(restApiId=mine)["items"]
    refused(gateway.get_resources, restApiId=theirs)
    refused(gateway.delete_rest_api, restApiId=theirs)
    tagged = f"arn:aws:apigateway:{EAST}::/restapis"
    gateway.tag_resource(resourceArn=f"{tagged}/{mine}", tags={"Owner": "us"})
    refused(
        gateway.tag_resource, resourceArn=f"{tagged}/{theirs}", tags={"Project": "payment-infrastructure"}
    )
    with pytest.raises(ClientError, match="apigateway:POST"):
        api(pipeline, "other")


def test_an_api_is_not_made_with_tags_where_they_may_not_be_put(enforced: InProcess) -> None:
    """As on AWS, which authorizes them by themselves."""
    trust = document(
        StatementProps("Assume", ("sts:AssumeRole",), principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})
    )
    role = enforced.iam(EAST).create_role(RoleName="tagless", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    may = document(StatementProps("Make", ("apigateway:POST",), ("*",)))
    enforced.iam(EAST).put_role_policy(RoleName="tagless", PolicyName="make", PolicyDocument=may)
    tagless = InProcess(ENDPOINTS, role_arn=role, worlds=enforced.worlds)
    assert tagless.apigateway(EAST).create_rest_api(name="payments")["id"]
    with pytest.raises(ClientError, match="apigateway:PUT"):
        api(tagless, "payment-infrastructure")


def test_it_passes_a_functions_role_to_lambda_only(enforced: InProcess, pipeline: InProcess) -> None:
    trusted = document(
        StatementProps("Assume", ("sts:AssumeRole",), principal={"Service": "lambda.amazonaws.com"})
    )
    for name in ("payment-pr1-function-us-east-1", "administrator"):
        enforced.iam(EAST).create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
    functions: Any = pipeline.functions(EAST)
    wanted = {
        "FunctionName": "payment-pr1-payments",
        "Runtime": "python3.11",
        "Handler": "x.y",
        "Code": {"ZipFile": b"PK\x05\x06" + bytes(18)},
    }
    denial = refused(functions.create_function, Role=f"arn:aws:iam::{ACCOUNT}:role/administrator", **wanted)
    assert "iam:PassRole" in denial
    functions.create_function(Role=f"arn:aws:iam::{ACCOUNT}:role/payment-pr1-function-us-east-1", **wanted)
    refused(pipeline.apigateway(EAST).update_account, patchOperations=[])


def test_a_boundary_must_be_given_where_one_is_asked_for(enforced: InProcess) -> None:
    text = document(StatementProps("All", ("*",), ("*",)))
    boundary = enforced.iam(EAST).create_policy(PolicyName="boundary", PolicyDocument=text)["Policy"]["Arn"]
    reach = replace(REACH, boundary=boundary)
    made(enforced, reach)
    iam = InProcess(ENDPOINTS, role_arn=ci_role.describe(reach, OPERATOR).arn, worlds=enforced.worlds).iam(
        EAST
    )
    name, trust = "payment-pr1-function-us-east-1", OPERATOR.document(ACCOUNT)
    refused(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, PermissionsBoundary=boundary)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=text)
    enforced.iam(EAST).delete_role_permissions_boundary(RoleName=name)
    refused(iam.put_role_policy, RoleName=name, PolicyName="own", PolicyDocument=text)


def test_whom_the_trust_does_not_name_is_not_let_in(enforced: InProcess) -> None:
    made(enforced, trust=github("our-org/our-repo"))
    role = ci_role.describe(REACH, OPERATOR).arn
    refused(enforced.sts(EAST).assume_role, RoleArn=role, RoleSessionName="test")
    made(enforced, trust=OPERATOR)
    assert enforced.sts(EAST).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]

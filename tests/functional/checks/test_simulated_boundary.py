"""LIVE-IAM-001 where a permissions boundary allows keys by their tags: IAM's and KMS's own answers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from payinfra.account.boundary import boundary
from payinfra.checks.verdicts import Kind
from payinfra.clients.aws import Aws
from payinfra.core.naming import PROJECT
from payinfra.core.outputs import Declared, DeclaredKeys
from payinfra.local import lifecycle
from tests.support.embedded import endpoints_of
from tests.unit.checks.probes.conftest import EAST, Call, FakeEnv, declared, healthy

if TYPE_CHECKING:
    from mypy_boto3_kms.type_defs import TagTypeDef

ACCOUNT = "000000000000"
ROLE = "bounded"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
EVERYTHING_ELSE = {"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An embedded AWS with a role that the project's boundary keeps to the project's keys."""
    folder = tmp_path_factory.mktemp("embedded-aws")
    try:
        lifecycle.up(folder, ("us-east-1", "us-west-2"), base_port=0)
        aws = Aws(endpoints_of(folder))
        iam = aws.iam(EAST)
        of_keys = [one for one in json.loads(boundary(ACCOUNT).document)["Statement"] if one["Sid"] == "Keys"]
        assert of_keys[0]["Condition"], "the boundary asks for a tag"
        limits = {"Version": "2012-10-17", "Statement": [*of_keys, EVERYTHING_ELSE]}
        made = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(limits))["Policy"]
        iam.create_role(
            RoleName=ROLE,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}),
            PermissionsBoundary=made["Arn"],
        )
        allowed = {"Version": "2012-10-17", "Statement": [EVERYTHING]}
        iam.put_role_policy(RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(allowed))
        yield aws
    finally:
        lifecycle.down(folder)


def of_the_role(aws: Aws, project: str) -> Declared:
    """What is declared, with the bounded role and keys that wear a tag `Project`."""
    tags: list[TagTypeDef] = [{"TagKey": "Project", "TagValue": project}]
    keys = DeclaredKeys(*(aws.kms(EAST).create_key(Tags=tags)["KeyMetadata"]["Arn"] for _ in range(3)))
    whole = declared()
    here = whole.regions[0]
    function = replace(here.function, role_arn=f"arn:aws:iam::{ACCOUNT}:role/{ROLE}")
    return replace(whole, regions=(replace(here, function=function, keys=keys), whole.regions[1]))


@pytest.mark.parametrize(("project", "kind"), [(PROJECT, Kind.PASS), ("another", Kind.FAIL)])
def test_the_tags_of_a_key_decide_whether_the_boundary_allows_its_use(
    aws: Aws, project: str, kind: Kind
) -> None:
    fake: FakeEnv = healthy()
    fake.declared = of_the_role(aws, project)

    def simulate(region: str, call: Call) -> Any:
        if ROLE not in call["PolicySourceArn"]:
            results = [{"EvalActionName": name, "EvalDecision": "allowed"} for name in call["ActionNames"]]
            return {"EvaluationResults": results}
        return aws.iam(region).simulate_principal_policy(**call)

    fake.answers["iam", "simulate_principal_policy"] = simulate
    fake.answers["kms", "list_resource_tags"] = lambda region, call: aws.kms(region).list_resource_tags(
        **call
    )
    (verdict,) = fake.result("LIVE-IAM-001").verdicts
    assert verdict.kind is kind, verdict
    if kind is Kind.FAIL:
        assert "kms:Decrypt" in verdict.message

"""IAM on the embedded AWS: what a permissions boundary looks at."""

import json
import re
from urllib.parse import urlencode

import pytest

from tests.unit.local.conftest import KEY, Ministack, Role

BOUNDARY = f"arn:aws:iam::{KEY}:policy/boundary"


@pytest.mark.parametrize(("worn", "status"), [("payments", 200), ("another", 400)])
def test_a_boundary_s_condition_looks_at_the_tags_of_a_resource(
    world: Ministack, role: Role, worn: str, status: int
) -> None:
    """Though the role's own policy does not."""
    of_ours = {"StringEquals": {"aws:ResourceTag/Project": "payments"}}
    allowed = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*", "Condition": of_ours}
    document = json.dumps({"Statement": [allowed]})
    made = {"Action": "CreatePolicy", "PolicyName": "boundary", "PolicyDocument": document}
    world.query("iam", urlencode(made))
    bound = {"Action": "PutRolePermissionsBoundary", "RoleName": role.name, "PermissionsBoundary": BOUNDARY}
    world.query("iam", urlencode(bound))
    role.may({"Action": "ssm:GetParameter"})
    parameter = {"Name": "/it", "Value": "v", "Type": "String", "Tags": [{"Key": "Project", "Value": worn}]}
    headers = {"x-amz-target": "AmazonSSM.PutParameter", "content-type": "application/x-amz-json-1.1"}
    assert world.call("ssm", "POST", "/", parameter, headers).status == 200
    assert role.operation("AmazonSSM.GetParameter", {"Name": "/it"}).status == status


def simulated(world: Ministack, role: Role, *tags: tuple[str, str]) -> str:
    """IAM's answer whether the role may use a key that wears the project's tag."""
    key = world.kms_key()
    tag = {"KeyId": key, "Tags": [{"TagKey": "Project", "TagValue": "payments"}]}
    headers = {"x-amz-target": "TrentService.TagResource", "content-type": "application/x-amz-json-1.1"}
    assert world.call("kms", "POST", "/", tag, headers).status == 200
    asked = {
        "Action": "SimulatePrincipalPolicy",
        "PolicySourceArn": role.arn,
        "ActionNames.member.1": "kms:Decrypt",
        "ActionNames.member.2": "kms:Encrypt",
        "ResourceArns.member.1": key,
    }
    for number, (name, value) in enumerate(tags, 1):
        entry = f"ContextEntries.member.{number}"
        asked |= {f"{entry}.ContextKeyName": f"aws:ResourceTag/{name}"}
        asked |= {f"{entry}.ContextKeyValues.member.1": value, f"{entry}.ContextKeyType": "string"}
    return world.query("iam", urlencode(asked))


def test_a_simulation_knows_no_tags_but_those_of_the_call_and_minds_the_boundary(
    world: Ministack, role: Role
) -> None:
    of_ours = {"StringEquals": {"aws:ResourceTag/Project": "payments"}}
    allowed = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": of_ours}
    document = json.dumps({"Statement": [allowed]})
    made = {"Action": "CreatePolicy", "PolicyName": "boundary", "PolicyDocument": document}
    world.query("iam", urlencode(made))
    bound = {"Action": "PutRolePermissionsBoundary", "RoleName": role.name, "PermissionsBoundary": BOUNDARY}
    world.query("iam", urlencode(bound))
    role.may({"Action": ["kms:Decrypt", "kms:Encrypt"]})
    decision = r"<EvalActionName>(.+?)</EvalActionName>.*?<EvalDecision>(.+?)</EvalDecision>.*?"
    missing = r"<MissingContextValues>(.*?)</MissingContextValues>"

    def judged(*tags: tuple[str, str]) -> list[tuple[str, ...]]:
        return re.findall(decision + missing, simulated(world, role, *tags), re.DOTALL)

    unknown = "<member>aws:ResourceTag/Project</member>"
    encrypt = ("kms:Encrypt", "implicitDeny", "")
    assert judged() == [("kms:Decrypt", "implicitDeny", unknown), encrypt]
    assert judged(("Project", "payments")) == [("kms:Decrypt", "allowed", ""), encrypt]
    assert judged(("Project", "another")) == [("kms:Decrypt", "implicitDeny", ""), encrypt]


def test_a_simulation_for_a_principal_without_policies_names_no_keys(world: Ministack, role: Role) -> None:
    answer = simulated(world, role)
    assert answer.count("<EvalDecision>implicitDeny</EvalDecision>") == 2
    assert "<member>aws:" not in answer

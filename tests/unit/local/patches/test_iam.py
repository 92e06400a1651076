"""IAM on the embedded AWS: what a permissions boundary looks at."""

import json
from urllib.parse import urlencode

import pytest

from tests.unit.local.conftest import KEY, Role, World

BOUNDARY = f"arn:aws:iam::{KEY}:policy/boundary"


@pytest.mark.parametrize(("worn", "status"), [("payments", 200), ("another", 400)])
def test_a_boundary_s_condition_looks_at_the_tags_of_a_resource(
    world: World, role: Role, worn: str, status: int
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

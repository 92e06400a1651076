"""What a deployment published is read from one region, and each way that fails has a next step."""

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.published_deployment import read
from payinfra.core.access_key import AccessKey
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import Outputs
from payinfra.core.published import PublishedDeployment
from tests.support.outputs import flat_outputs

REGION = "us-west-2"
OUTPUTS = Outputs.from_flat(flat_outputs(primary_region="us-east-1", secondary_region=REGION))
PUBLISHED = PublishedDeployment("prod", REGION, OUTPUTS)


@pytest.fixture
def aws() -> Aws:
    where = Endpoints({REGION: "http://127.0.0.1:9"}, "", access_key=AccessKey("AKIAOFTHETESTS", "secret"))
    return Aws(where, attempts=1)


def test_it_is_one_call_to_the_region(aws: Aws) -> None:
    value = {"Parameter": {"Value": PUBLISHED.to_json()}}
    with Stubber(aws.ssm(REGION)) as ssm:
        ssm.add_response("get_parameter", value, {"Name": "/payment-prod/deployment"})
        assert read(aws, "prod", REGION) == PUBLISHED


@pytest.mark.parametrize(
    ("code", "says", "next_step"),
    [
        ("ParameterNotFound", "has no parameter /payment-prod/deployment", "deployed once more"),
        ("AccessDeniedException", "cannot be read", "ssm:GetParameter in us-west-2"),
    ],
)
def test_a_refusal_has_a_next_step(aws: Aws, code: str, says: str, next_step: str) -> None:
    with Stubber(aws.ssm(REGION)) as ssm:
        ssm.add_client_error("get_parameter", code)
        with pytest.raises(EnvironmentUnusable, match=says) as refused:
            read(aws, "prod", REGION)
    assert next_step in refused.value.hint


def test_a_region_that_does_not_answer(aws: Aws) -> None:
    def silent(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://ssm.us-west-2.amazonaws.com")

    aws.ssm(REGION).meta.events.register("before-send", silent)
    with pytest.raises(EnvironmentUnusable, match="Parameter Store in us-west-2 cannot be asked"):
        read(aws, "prod", REGION)

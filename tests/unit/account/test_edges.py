"""What AWS may answer that is not success."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from payinfra.account.bootstrap import WantedAccount, bootstrap
from payinfra.account.buckets import state_bucket
from payinfra.account.changes import Changes
from payinfra.account.gateway_logs import gateway_logs
from payinfra.core.errors import EnvironmentUnusable
from tests.unit.account.conftest import ACCOUNT, REGIONS, InProcess

EAST, WEST = REGIONS


def scripted(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x")


class Scripted(InProcess):
    """Some clients answer from a script, the others from ministack."""

    def client(self, service: str, region: str) -> Any:
        return SCRIPTS.get((service, region)) or super().client(service, region)


SCRIPTS: dict[tuple[str, str], Any] = {}


@pytest.fixture
def scripts(aws: InProcess) -> Scripted:
    SCRIPTS.clear()
    return Scripted(aws.endpoints, worlds=aws.worlds)


def test_a_bucket_that_is_somebody_elses_is_left_to_them(scripts: Scripted) -> None:
    s3 = SCRIPTS["s3", EAST] = scripted("s3", EAST)
    with Stubber(s3) as answers:
        answers.add_client_error("head_bucket", "403", http_status_code=403)
        with pytest.raises(EnvironmentUnusable, match="our-states belongs to another account") as caught:
            state_bucket("our-states", REGIONS, scripts, ACCOUNT, Changes())
    assert "choose another --state-bucket" in caught.value.hint


@pytest.mark.parametrize("refused", ["head_bucket", "get_bucket_versioning"])
def test_a_refusal_says_what_was_done_before_it(scripts: Scripted, refused: str) -> None:
    s3 = SCRIPTS["s3", EAST] = scripted("s3", EAST)
    with Stubber(s3) as answers:
        if refused != "head_bucket":
            answers.add_response("head_bucket", {})
        answers.add_client_error(refused, "SlowDown")
        with pytest.raises(EnvironmentUnusable, match="SlowDown") as caught:
            bootstrap(WantedAccount(REGIONS, "our-states"), scripts, Changes())
    assert "Done before that: create role payinfra-apigateway-logs; " in caught.value.what
    assert "run it again" in caught.value.hint


def test_a_refusal_at_once_has_nothing_to_say_of_before(scripts: Scripted) -> None:
    gateway = SCRIPTS["apigateway", EAST] = scripted("apigateway", EAST)
    with Stubber(gateway) as answers:
        answers.add_client_error("get_account", "AccessDeniedException")
        with pytest.raises(EnvironmentUnusable) as caught:
            bootstrap(WantedAccount(REGIONS), scripts, Changes())
    assert "Done before that" not in caught.value.what


def test_api_gateway_is_given_time_to_accept_a_new_role_and_is_not_asked_too_often(scripts: Scripted) -> None:
    gateway = SCRIPTS["apigateway", EAST] = scripted("apigateway", EAST)
    slept: list[float] = []
    with Stubber(gateway) as answers:
        answers.add_response("get_account", {})
        answers.add_client_error("update_account", "BadRequestException", "The role cannot be assumed")
        answers.add_client_error("update_account", "TooManyRequestsException", "Too Many Requests")
        answers.add_response("update_account", {})
        gateway_logs((EAST,), scripts, ACCOUNT, Changes(), sleep=slept.append)
        answers.assert_no_pending_responses()
    # One UpdateAccount in 20 seconds is API Gateway's quota.
    assert len(slept) == 2
    assert min(slept) > 20


def test_another_refusal_of_api_gateways_is_not_waited_for(scripts: Scripted) -> None:
    gateway = SCRIPTS["apigateway", EAST] = scripted("apigateway", EAST)
    with Stubber(gateway) as answers:
        answers.add_response("get_account", {})
        answers.add_client_error("update_account", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            gateway_logs((EAST,), scripts, ACCOUNT, Changes(), sleep=lambda _seconds: pytest.fail("waited"))

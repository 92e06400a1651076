"""Working as a role: its session's keys are used, and renewed before they end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from payinfra.clients.assume_role import assumed
from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.errors import UsageProblem
from payinfra.core.naming import SESSION_NAME
from payinfra.core.settings import Settings

ROLE = "arn:aws:iam::123456789012:role/payinfra-ci"
ASKED = {"RoleArn": ROLE, "RoleSessionName": SESSION_NAME}


def session(number: int, lasts: timedelta) -> dict[str, object]:
    return {
        "Credentials": {
            "AccessKeyId": f"ASIA{number:012}",
            "SecretAccessKey": f"secret-{number}",
            "SessionToken": f"token-{number}",
            "Expiration": datetime.now(UTC) + lasts,
        }
    }


def test_a_client_calls_with_the_keys_of_the_roles_session_and_asks_for_them_when_it_first_calls() -> None:
    sts = boto3.client("sts", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(sts) as answers:
        credentials = assumed(ROLE, sts).get_credentials()
        assert credentials is not None
        answers.add_response("assume_role", session(1, timedelta(hours=1)), ASKED)
        first = credentials.get_frozen_credentials()
        keys = (first.access_key, first.secret_key, first.token)
        assert keys == ("ASIA000000000001", "secret-1", "token-1")
        assert credentials.get_frozen_credentials() == first
        answers.assert_no_pending_responses()


def test_a_session_that_is_about_to_end_is_renewed() -> None:
    sts = boto3.client("sts", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(sts) as answers:
        credentials = assumed(ROLE, sts).get_credentials()
        assert credentials is not None
        # Ten minutes before its end botocore must have a new one.
        answers.add_response("assume_role", session(1, timedelta(minutes=11)), ASKED)
        assert credentials.get_frozen_credentials().token == "token-1"
        answers.add_response("assume_role", session(2, timedelta(hours=1)), ASKED)
        assert credentials.get_frozen_credentials().token == "token-2"


def test_clients_of_a_role_have_credentials_that_are_its_own() -> None:
    here = Endpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:3")
    client: Any = Aws(here, role_arn=ROLE).dynamodb("us-east-1")
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert client._request_signer._credentials.method == "assume-role"


@pytest.mark.parametrize("field", ["role_arn", "permissions_boundary"])
def test_what_is_no_arn_is_refused(field: str) -> None:
    with pytest.raises(UsageProblem, match=f"{field.replace('_', '-')} 'payinfra-ci': use a .*ARN"):
        Settings.resolve({"env": "pr1", field: "payinfra-ci"}, environ={})

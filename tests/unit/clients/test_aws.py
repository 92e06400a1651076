"""Clients: each region's own endpoint on the embedded AWS, AWS's own otherwise; who is calling."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.errors import EnvironmentUnusable

EMBEDDED = Endpoints(
    {"us-east-1": "http://127.0.0.1:1", "us-west-2": "http://127.0.0.1:2"}, "http://127.0.0.1:3"
)


def test_each_region_has_its_own_endpoint() -> None:
    aws = Aws(EMBEDDED)
    assert aws.dynamodb("us-east-1").meta.endpoint_url == "http://127.0.0.1:1"
    assert aws.ssm("us-west-2").meta.endpoint_url == "http://127.0.0.1:2"
    assert aws.apigateway("us-west-2").meta.region_name == "us-west-2"


@pytest.mark.parametrize("service", ["iam", "sts", "route53"])
def test_what_is_global_has_the_global_endpoint(service: str) -> None:
    assert EMBEDDED.url(service, "us-west-2") == "http://127.0.0.1:3"


def test_a_client_is_made_once() -> None:
    aws = Aws(EMBEDDED)
    assert aws.dynamodb("us-east-1") is aws.dynamodb("us-east-1")
    assert aws.dynamodb("us-east-1") is not aws.dynamodb("us-west-2")


def test_without_endpoints_aws_itself_is_called() -> None:
    client = Aws().dynamodb("us-west-2")
    assert client.meta.endpoint_url == "https://dynamodb.us-west-2.amazonaws.com"


class Caller(BaseHTTPRequestHandler):
    """An STS that knows who is calling."""

    def do_POST(self) -> None:
        body = b"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
          <GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>
        </GetCallerIdentityResponse>"""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def sts() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Caller) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_account_is_who_sts_says_is_calling(sts: str) -> None:
    assert Aws(Endpoints({}, sts)).account("us-east-1") == "123456789012"


def test_an_aws_that_does_not_answer_is_an_unusable_environment() -> None:
    with pytest.raises(EnvironmentUnusable, match="AWS cannot be reached at http") as caught:
        Aws(EMBEDDED, connect_timeout=0.1, attempts=1).account("us-east-1")
    assert "network" in caught.value.hint
    assert json.dumps(caught.value.what)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (NoCredentialsError(), "No AWS credentials found."),
        (
            ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, "GetCallerIdentity"),
            "The AWS credentials have expired.",
        ),
        (
            ClientError({"Error": {"Code": "OptInRequired", "Message": "no"}}, "GetCallerIdentity"),
            "AWS does not accept the credentials (OptInRequired).",
        ),
        (
            ProfileNotFound(profile="x"),
            "No AWS credentials found. No AWS configuration file has the profile x.",
        ),
        (
            PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "No AWS credentials found: AWS_SECRET_ACCESS_KEY is missing.",
        ),
        (BotoCoreError(), "The AWS credentials cannot be used: "),
    ],
)
def test_missing_and_refused_credentials_are_told_apart(problem: Exception, said: str) -> None:
    class Refusing(Aws):
        def client(self, service: str, region: str) -> Any:
            raise problem

    with pytest.raises(EnvironmentUnusable) as caught:
        Refusing().account("us-east-1")
    assert caught.value.what.startswith(said)
    assert "AWS_PROFILE" in caught.value.hint


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("api1.execute-api.us-west-2.amazonaws.com", "http://127.0.0.1:2"),
        ("api1.execute-api.us-west-2.amazonaws.com.", "http://127.0.0.1:2"),
        ("pay.example.com", "https://pay.example.com"),
    ],
)
def test_an_apis_own_name_is_reached_at_its_regions_endpoint(host: str, url: str) -> None:
    assert Aws(EMBEDDED).url(host) == url
    assert Aws().url(host) == f"https://{host.rstrip('.')}"


def test_s3_without_tls_is_awss_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert Aws().s3_without_tls("us-west-2").meta.endpoint_url == "http://s3.us-west-2.amazonaws.com"


def test_each_service_has_its_client() -> None:
    aws = Aws(EMBEDDED)
    made = [
        *(
            aws.cloudwatch("us-east-1"),
            aws.functions("us-east-1"),
            aws.iam("us-east-1"),
            aws.kms("us-east-1"),
        ),
        *(aws.logs("us-east-1"), aws.route53("us-east-1"), aws.s3("us-east-1"), aws.sns("us-east-1")),
    ]
    names = [client.meta.service_model.service_name for client in made]
    assert names == ["cloudwatch", "lambda", "iam", "kms", "logs", "route53", "s3", "sns"]

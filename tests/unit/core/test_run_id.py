"""One id for everything that a run does."""

import json
import logging
import re
from types import SimpleNamespace

import pytest

from payinfra.clients import aws
from payinfra.clients.http import make_client
from payinfra.core import run_id
from payinfra.terraform.environment import HIDDEN, USER_AGENT, hide, secrets, with_user_agent


def test_an_id_is_made_once_and_left_for_child_processes() -> None:
    environ: dict[str, str] = {}
    made = run_id.run_id(environ)
    assert re.fullmatch(r"[0-9a-f]{16}", made)
    assert environ == {run_id.VARIABLE: made}
    assert run_id.run_id(environ) == made
    assert run_id.run_id({}) != made


def test_the_callers_id_is_taken() -> None:
    assert run_id.run_id({run_id.VARIABLE: "build-12.3"}) == "build-12.3"


@pytest.mark.parametrize("bad", ["a b", "a\r\nX-Evil: 1", "x" * 65, "", "(x)"])
def test_an_id_that_is_no_word_is_not_taken(bad: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", run_id.run_id({run_id.VARIABLE: bad}))


def test_probes_say_whose_requests_theirs_are() -> None:
    with make_client() as client:
        assert client.headers["User-Agent"] == run_id.user_agent()


def test_terraforms_providers_say_so_beside_what_the_caller_has_them_say() -> None:
    assert with_user_agent({}, "payinfra/1 run/2") == {USER_AGENT: "payinfra/1 run/2"}
    assert with_user_agent({USER_AGENT: "team/x"}, "payinfra/1")[USER_AGENT] == "team/x payinfra/1"


def test_calls_to_aws_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = aws.Aws(aws.Endpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:2")).sts(
        "us-east-1"
    )
    assert run_id.user_agent() in vars(client.meta.config)["user_agent"]


def test_a_call_is_logged_without_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    answered = SimpleNamespace(headers={"x-amzn-requestid": "r-1"}, status_code=200)
    model = SimpleNamespace(name="GetParameter")
    caplog.set_level(logging.DEBUG, "payinfra.clients.aws")
    vars(aws)["_note"](
        "ssm", "us-east-1", http_response=answered, model=model, parsed={"Parameter": {"Value": "hush"}}
    )
    assert caplog.messages == ["us-east-1 ssm GetParameter: 200, request r-1"]


def test_credentials_are_known_by_their_names() -> None:
    environ = {
        "AWS_SECRET_ACCESS_KEY": "secret-of-aws",
        "AWS_SESSION_TOKEN": "secret-of-aws-and-more",
        "GITHUB_TOKEN": "ghs_123456789",
        "DB_PASSWORD": "open sesame",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        "TOKEN_URL": "https://example.com/",
        "SHORT_TOKEN": "1234567",
        "HOME": "/home/somebody",
    }
    assert secrets(environ) == ("secret-of-aws-and-more", "ghs_123456789", "secret-of-aws", "open sesame")


def test_a_secret_is_hidden_however_it_is_written() -> None:
    secret = 'a"b\\c&d<e>f'
    for written in (secret, json.dumps(secret), json.dumps(secret).replace("&", "\\u0026")):
        assert secret.partition("b")[2] not in hide(written, (secret,))
    go = 'a\\"b\\\\c\\u0026d\\u003ce\\u003ef'
    assert hide(f'{{"said": "{go}"}}', (secret,)) == f'{{"said": "{HIDDEN}"}}'

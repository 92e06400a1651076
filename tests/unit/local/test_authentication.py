"""Whose signatures the embedded AWS takes: its account's one key, its users', its sessions', no other."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from payinfra.core.access_key import AccessKey
from payinfra.local.credentials import new_access_key
from payinfra.local.server import authentication
from payinfra.local.server.asgi import HttpRequest
from payinfra.local.server.authentication import Authentication, verified
from payinfra.local.server.sigv4 import SignatureRefused
from tests.support.embedded import signed

ROOT = new_access_key()
ANYBODY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
HERE = "us-east-1"
BEARERS = ("AccessKeyId", "SecretAccessKey", "SessionToken")


@pytest.fixture
def guarded(world: Any) -> Iterator[Any]:
    """ministack as the server has it: IAM enforced, and one key of the root's."""
    world.emulator.replace(world.emulator.main, "AUTH", True)
    authentication.install(world.emulator, ROOT)
    token = verified.set("")
    yield world
    verified.reset(token)


def ask(world: Any, key: AccessKey, service: str, parameters: dict[str, str]) -> Any:
    """An answer in the query protocol, to a request that passed the gate with this key."""
    token = verified.set(key.access_key_id)
    try:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        credential = f"{key.access_key_id}/20260101/{HERE}/{service}/aws4_request"
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=x"
        )
        return world.call(service, "POST", "/", urlencode(parameters).encode(), headers)
    finally:
        verified.reset(token)


def found(answer: Any, *names: str) -> list[str]:
    """What an answer in XML says."""
    text = answer.body.decode()
    assert answer.status == 200, text
    return [value for name in names for value in re.findall(f"<{name}>(.+?)</{name}>", text)[:1]]


def request(key: AccessKey, token: str = "", service: str = "sts", secret: str = "") -> HttpRequest:
    headers = {"x_amz_security_token": token} if token else {}
    sender = AccessKey(key.access_key_id, secret or key.secret_access_key)
    lines = signed(sender, service, HERE, "http://127.0.0.1/", "POST", b"", **headers)
    pairs = tuple((name.lower(), value) for name, value in lines.items())
    return HttpRequest("POST", "/", "", (("host", "127.0.0.1"), *pairs))


def anywhere(_claim: object) -> bool:
    return True


def refused(world: Any, sent: HttpRequest) -> str:
    known = Authentication(authentication.known_secrets(world.emulator, ROOT))
    with pytest.raises(SignatureRefused) as told:
        known(sent, anywhere)
    return told.value.code


def known(world: Any, sent: HttpRequest) -> str:
    check = Authentication(authentication.known_secrets(world.emulator, ROOT))
    return check(sent, anywhere).access_key_id


def test_the_folders_key_is_the_root_of_the_account(guarded: Any) -> None:
    assert known(guarded, request(ROOT)) == ROOT.access_key_id
    said = found(ask(guarded, ROOT, "sts", {"Action": "GetCallerIdentity"}), "Arn", "Account")
    assert said == ["arn:aws:iam::000000000000:root", "000000000000"]


@pytest.mark.parametrize("name", ["test", "000000000000", "123456789012", "none", "AKIAIOSFODNN7EXAMPLE"])
def test_no_other_key_is(guarded: Any, name: str) -> None:
    other = AccessKey(name, "test")
    assert refused(guarded, request(other)) == "UnrecognizedClientException"
    answer = ask(guarded, other, "iam", {"Action": "ListUsers"})
    assert (answer.status, b"InvalidClientTokenId" in answer.body) == (403, True)


def test_the_key_without_its_secret_is_nobody(guarded: Any) -> None:
    assert refused(guarded, request(ROOT, secret="test")) == "SignatureDoesNotMatch"
    assert refused(guarded, request(ROOT, token="any")) == "UnrecognizedClientException"


def test_a_key_counts_for_ministack_only_where_its_signature_was_checked(guarded: Any) -> None:
    """Whoever knows the key's id, which is no secret, gets nothing by it: an API's caller, for one."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    headers = form | dict(request(ROOT, service="iam", secret="guess").headers)
    answer = guarded.call("iam", "POST", "/", b"Action=ListUsers", headers)
    assert (answer.status, b"ListUsersResponse" in answer.body) == (403, False)


def user(world: Any) -> AccessKey:
    ask(world, ROOT, "iam", {"Action": "CreateUser", "UserName": "u"})
    made = ask(world, ROOT, "iam", {"Action": "CreateAccessKey", "UserName": "u"})
    return AccessKey(*found(made, "AccessKeyId", "SecretAccessKey"))


def test_a_users_key_is_known_as_long_as_it_is_active(guarded: Any) -> None:
    key = user(guarded)
    assert known(guarded, request(key)) == key.access_key_id
    assert refused(guarded, request(key, secret="guess")) == "SignatureDoesNotMatch"
    said = found(ask(guarded, key, "sts", {"Action": "GetCallerIdentity"}), "Arn")
    assert said == ["arn:aws:iam::000000000000:user/u"]
    change = {"Action": "UpdateAccessKey", "UserName": "u", "Status": "Inactive"}
    ask(guarded, ROOT, "iam", {**change, "AccessKeyId": key.access_key_id})
    assert refused(guarded, request(key)) == "InvalidClientTokenId"


def test_a_user_may_what_its_policies_let_it(guarded: Any) -> None:
    key = user(guarded)
    assert ask(guarded, key, "iam", {"Action": "ListUsers"}).status == 403
    document = json.dumps({"Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]})
    policy = {"Action": "PutUserPolicy", "UserName": "u", "PolicyName": "p", "PolicyDocument": document}
    ask(guarded, ROOT, "iam", policy)
    assert ask(guarded, key, "iam", {"Action": "ListUsers"}).status == 200


def session(world: Any) -> tuple[AccessKey, str]:
    made = {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps(ANYBODY)}
    ask(world, ROOT, "iam", {"Action": "CreateRole", **made})
    role = {"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "mine"}
    key, secret, token = found(ask(world, ROOT, "sts", {"Action": "AssumeRole", **role}), *BEARERS)
    return AccessKey(key, secret), token


def test_a_session_is_known_with_its_token_until_it_ends(guarded: Any) -> None:
    key, token = session(guarded)
    assert known(guarded, request(key, token)) == key.access_key_id
    assert refused(guarded, request(key, token, secret="guess")) == "SignatureDoesNotMatch"
    assert refused(guarded, request(key)) == "InvalidToken"
    assert refused(guarded, request(key, "another")) == "InvalidToken"
    guarded.emulator.service("sts")._sessions[key.access_key_id]["Expiration"] = 1.0
    assert refused(guarded, request(key, token)) == "ExpiredTokenException"


def test_a_functions_credentials_are_known_and_cannot_be_computed(guarded: Any) -> None:
    runtime = guarded.emulator.core("lambda_runtime")
    function = f"arn:aws:lambda:{HERE}:000000000000:function:pay"
    config = {"FunctionName": "pay", "FunctionArn": function, "Role": "arn:aws:iam::000000000000:role/r"}
    given = runtime.execution_credentials(config)
    assert runtime.execution_credentials(config) == given
    key = AccessKey(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
    assert known(guarded, request(key, given["AWS_SESSION_TOKEN"])) == key.access_key_id
    guarded.emulator.service("sts")._sessions.clear()
    again = runtime.execution_credentials(config)
    assert again["AWS_ACCESS_KEY_ID"] == given["AWS_ACCESS_KEY_ID"]
    assert again["AWS_SECRET_ACCESS_KEY"] != given["AWS_SECRET_ACCESS_KEY"]
    assert again["AWS_SESSION_TOKEN"] != given["AWS_SESSION_TOKEN"]


def test_a_signature_for_another_region_is_refused_before_anybody_is_looked_up() -> None:
    def secret_of(_key: str, _token: str) -> str:
        raise AssertionError("nobody is looked up")

    with pytest.raises(SignatureRefused, match="signed for 'us-east-1'"):
        Authentication(secret_of)(request(ROOT), lambda claim: claim.region == "us-west-2")


@pytest.mark.parametrize(
    ("service", "headers", "code", "status", "said"),
    [
        ("s3", {}, "SignatureDoesNotMatch", 403, b"<Code>SignatureDoesNotMatch</Code>"),
        ("s3", {}, "UnrecognizedClientException", 403, b"<Code>InvalidAccessKeyId</Code>"),
        ("iam", {}, "UnrecognizedClientException", 403, b"<Code>InvalidClientTokenId</Code>"),
        ("lambda", {}, "SignatureDoesNotMatch", 403, b"InvalidSignatureException"),
        (
            "dynamodb",
            {"x_amz_target": "DynamoDB_20120810.GetItem"},
            "UnrecognizedClientException",
            400,
            b"UnrecognizedClientException",
        ),
    ],
)
def test_each_service_refuses_in_its_own_words(
    guarded: Any, service: str, headers: dict[str, str], code: str, status: int, said: bytes
) -> None:
    lines = signed(ROOT, service, HERE, "http://127.0.0.1/", "POST", b"", **headers)
    pairs = tuple((name.lower(), value) for name, value in lines.items())
    path = "/2015-03-31/functions" if service == "lambda" else "/"
    sent = HttpRequest("POST", path, "", (("host", "127.0.0.1"), *pairs))
    answer = authentication.refusals(guarded.emulator)(sent, SignatureRefused(code, "why"))
    text = answer.body + dict(answer.headers).get("x-amzn-errortype", "").encode()
    assert (answer.status, said in text) == (status, True), answer
    assert dict(answer.headers)["content-length"] == str(len(answer.body))

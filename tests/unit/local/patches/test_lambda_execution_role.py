"""What Lambda does in the name of a function's role: with the role's permission, and not without."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier
from typing import Any
from zipfile import ZipFile

import pytest

from payinfra.local.server.patches.lambda_execution_role import KMSAccessDeniedException, Sessions

HERE, ACCOUNT = "us-east-1", "000000000000"
FUNCTIONS = "/2015-03-31/functions"
ARN = f"arn:aws:lambda:{HERE}:{ACCOUNT}:function:f"
VIA_LAMBDA = {"StringEquals": {"kms:ViaService": f"lambda.{HERE}.amazonaws.com"}}
DECRYPT = {"Action": "kms:Decrypt", "Condition": VIA_LAMBDA}


def code(text: str = "def f(event, context):\n    return event\n") -> str:
    held = BytesIO()
    with ZipFile(held, "w") as archive:
        archive.writestr("f.py", text)
    return base64.b64encode(held.getvalue()).decode()


def function(world: Any, role: Any, **wanted: object) -> Any:
    body = {
        "FunctionName": "f",
        "Role": role.arn,
        "Runtime": "python3.11",
        "Handler": "f.f",
        "Code": {"ZipFile": code()},
        **wanted,
    }
    return world.json("lambda", "POST", FUNCTIONS, body)


def environment(key: str) -> dict[str, object]:
    return {"KMSKeyArn": key, "Environment": {"Variables": {"AT": "b"}}}


def starts(world: Any, config: dict[str, object]) -> bool:
    """Whether a function gets the credentials that its process is started with."""
    try:
        world.emulator.core("lambda_runtime").execution_credentials(config)
    except KMSAccessDeniedException:
        return False
    return True


def revoke(world: Any, key: str) -> None:
    """Takes back every grant on a key."""
    headers = {"content-type": "application/x-amz-json-1.1"}
    for grant in grants(world, key):
        body = {"KeyId": key, "GrantId": grant["GrantId"]}
        world.call("kms", "POST", "/", body, headers | {"x-amz-target": "TrentService.RevokeGrant"})


def grants(world: Any, key: str) -> list[dict[str, Any]]:
    headers = {"x-amz-target": "TrentService.ListGrants", "content-type": "application/x-amz-json-1.1"}
    listed: list[dict[str, Any]] = json.loads(world.call("kms", "POST", "/", {"KeyId": key}, headers).body)[
        "Grants"
    ]
    return listed


def test_the_grant_that_is_made_with_the_function_opens_its_environment(world: Any, role: Any) -> None:
    key = world.kms_key()
    config = function(world, role, **environment(key))
    (grant,) = grants(world, key)
    assert (grant["GranteePrincipal"], grant["Operations"]) == (role.arn, ["Decrypt"])
    assert grant["Constraints"] == {"EncryptionContextEquals": {"aws:lambda:FunctionArn": ARN}}
    assert starts(world, config)
    changed = world.json("lambda", "PUT", f"{FUNCTIONS}/f/configuration", {"Timeout": 9})
    assert len(grants(world, key)) == 1
    assert starts(world, changed)
    revoke(world, key)
    assert not starts(world, config)


def test_a_role_that_is_made_anew_has_no_grant_and_its_policy_helps(world: Any, role: Any) -> None:
    key = world.kms_key()
    config = function(world, role, **environment(key))
    role.may({"Action": "s3:*"})
    role.delete()
    assert not starts(world, config)
    role.make()
    assert not starts(world, config)
    role.may(DECRYPT)
    assert starts(world, config)
    role.may({**DECRYPT, "Condition": {"StringEquals": {"kms:ViaService": f"ssm.{HERE}.amazonaws.com"}}})
    assert not starts(world, config)
    world.json("lambda", "PUT", f"{FUNCTIONS}/f/configuration", {"Role": role.arn})
    assert starts(world, config)


def test_an_alias_decrypts_for_its_function(world: Any, role: Any) -> None:
    context = {"StringEquals": {"kms:EncryptionContext:aws:lambda:FunctionArn": ARN}}
    key = world.kms_key()
    config = function(world, role, **environment(key))
    revoke(world, key)
    role.may({"Action": "kms:Decrypt", "Condition": context})
    assert starts(world, {**config, "FunctionArn": f"{ARN}:live"})


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"Environment": {"Variables": {"AT": "b"}}},
        {"Environment": {"Variables": {}}, "KMSKeyArn": "a customer's"},
        {
            "Environment": {"Variables": {"AT": "b"}},
            "KMSKeyArn": f"arn:aws:kms:{HERE}:{ACCOUNT}:alias/aws/lambda",
        },
    ],
)
def test_nothing_to_decrypt_takes_nothing(world: Any, role: Any, wanted: dict[str, object]) -> None:
    key = world.kms_key()
    asked = {**wanted, **({"KMSKeyArn": key} if wanted.get("KMSKeyArn") == "a customer's" else {})}
    assert starts(world, function(world, role, **asked))
    assert not grants(world, key)


def test_a_function_that_was_not_made_gets_no_grant(world: Any, role: Any) -> None:
    key = world.kms_key()
    function(world, role, **environment(key))
    revoke(world, key)
    again = {"FunctionName": "f", "Role": role.arn, "Runtime": "python3.11", "Handler": "f.f"}
    refused = world.call(
        "lambda", "POST", FUNCTIONS, {**again, "Code": {"ZipFile": code()}, **environment(key)}
    )
    assert refused.status == 409
    assert not grants(world, key)


def test_whoever_calls_it_is_told_that_it_could_not_start(world: Any, role: Any) -> None:
    key = world.kms_key()
    function(world, role, **environment(key))
    revoke(world, key)
    answer = world.call("lambda", "POST", f"{FUNCTIONS}/f/invocations", {})
    assert (answer.status, dict(answer.headers)["x-amzn-errortype"]) == (502, "KMSAccessDeniedException")
    told = json.loads(answer.body)["Message"]
    assert told.startswith(
        "Lambda was unable to decrypt the environment variables because KMS access was denied."
    )
    assert f"is not authorized to perform: kms:Decrypt on resource: {key}" in told


def lines(world: Any, group: str = "/aws/lambda/f") -> list[str]:
    stored = world.emulator.service("cloudwatch_logs")._log_groups
    with world.emulator.scope(ACCOUNT, HERE):
        streams = (stored.get(group) or {"streams": {}})["streams"].values()
        return [event["message"] for stream in streams for event in stream["events"]]


def group_exists(world: Any, group: str) -> None:
    headers = {"x-amz-target": "Logs_20140328.CreateLogGroup", "content-type": "application/x-amz-json-1.1"}
    assert world.call("logs", "POST", "/", {"logGroupName": group}, headers).status == 200


GROUP = f"arn:aws:logs:{HERE}:{ACCOUNT}:log-group"
WRITE = ["logs:CreateLogStream", "logs:PutLogEvents"]


@pytest.mark.parametrize(
    ("actions", "resource", "exists", "written"),
    [
        (WRITE, f"{GROUP}:/aws/lambda/f:*", True, True),
        (WRITE[:1], f"{GROUP}:/aws/lambda/f:*", True, False),
        (WRITE[1:], f"{GROUP}:/aws/lambda/f:*", True, False),
        (WRITE, f"{GROUP}:/aws/lambda/g:*", True, False),
        (WRITE, f"{GROUP}:/aws/lambda/f:*", False, False),
        ([*WRITE, "logs:CreateLogGroup"], "*", False, True),
    ],
)
def test_a_function_leaves_a_line_if_its_role_may(
    world: Any, role: Any, actions: list[str], resource: str, exists: bool, written: bool
) -> None:
    """With a group that is there, and with one that would have to be made."""
    config = function(world, role)
    role.may({"Action": actions, "Resource": resource})
    if exists:
        group_exists(world, "/aws/lambda/f")
    with world.emulator.scope(ACCOUNT, HERE):
        world.emulator.service("lambda_svc")._emit_lambda_logs({"config": config}, "id", "said", False, 1)
    assert ("said" in lines(world)) == written


def test_the_log_is_written_where_the_function_says(world: Any, role: Any) -> None:
    config = function(world, role, LoggingConfig={"LogGroup": "shared"})
    group_exists(world, "shared")
    role.may({"Action": WRITE, "Resource": f"{GROUP}:shared:*"})
    with world.emulator.scope(ACCOUNT, HERE):
        world.emulator.service("lambda_svc")._emit_lambda_logs(config, "id", "said", False, 1)
    assert "said" in lines(world, "shared")


def test_a_function_goes_on_without_its_log(world: Any, role: Any) -> None:
    function(world, role)
    try:
        answer = world.call("lambda", "POST", f"{FUNCTIONS}/f/invocations", {"a": 1})
    finally:
        world.emulator.core("lambda_runtime").reset()
    assert (answer.status, json.loads(answer.body)) == (200, {"a": 1})
    assert lines(world) == []


def test_processes_that_start_at_one_moment_have_the_same_credentials() -> None:
    at_once = 6
    for number in range(20):
        config = {
            "FunctionArn": f"{ARN}{number}",
            "FunctionName": "f",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/r",
        }
        sessions, start = Sessions(KnownSessions()), Barrier(at_once)

        def process(sessions: Sessions = sessions, start: Barrier = start, config: Any = config) -> str:
            start.wait()
            return sessions.of_function(config)["AWS_SECRET_ACCESS_KEY"]

        with ThreadPoolExecutor(at_once) as pool:
            secrets = [pool.submit(process) for _ in range(at_once)]
            assert len({secret.result() for secret in secrets}) == 1


def test_a_session_is_given_while_others_come_and_expired_ones_go(world: Any) -> None:
    """A session that comes while the expired ones are looked for, as from another thread."""
    sts = world.emulator.service("sts")

    class Coming(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            sts._sessions[f"another {len(sts._sessions)}"] = {}
            return super().get(name, default)

    sts._sessions["expired"] = Coming(Expiration=1.0)
    sts._sessions["lasting"] = Coming(Expiration=time.time() + 3600)
    sts.register_session("new", {"Arn": "a"})
    assert "expired" not in sts._sessions
    assert {"lasting", "new", "another 2"} <= sts._sessions.keys()


class KnownSessions:
    """The sessions that STS knows."""

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, str]] = {}

    def register_session(self, key: str, session: dict[str, str]) -> None:
        self._sessions[key] = session

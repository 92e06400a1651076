"""What a service may do in a role's name, by ministack's own judgement."""

from contextvars import copy_context
from typing import Any

import pytest

from payinfra.local.server.patches.permission_checks import PermissionCheck, asks_the_role

HERE = "us-east-1"
LOGS = f"arn:aws:logs:{HERE}:000000000000:log-group:g:log-stream:"


@pytest.mark.parametrize(
    ("allowed", "missing"),
    [
        (["logs:PutLogEvents", "logs:CreateLogStream"], ""),
        (["logs:*"], ""),
        (["logs:CreateLogStream"], "logs:PutLogEvents"),
        (["logs:PutLogEvents"], "logs:CreateLogStream"),
        (["s3:*"], "logs:CreateLogStream"),
    ],
)
def test_the_first_that_a_role_may_not_do_is_told(
    world: Any, role: Any, allowed: list[str], missing: str
) -> None:
    role.may({"Action": allowed})
    asks = [PermissionCheck(f"logs:{action}", LOGS, HERE) for action in ("CreateLogStream", "PutLogEvents")]
    told = asks_the_role(world.emulator)(role.arn, "f", asks)
    session = "arn:aws:sts::000000000000:assumed-role/r/f"
    assert told == (
        f"User: {session} is not authorized to perform: {missing} on resource: {LOGS} "
        f"because no identity-based policy allows the {missing} action"
        if missing
        else ""
    )


def test_a_denial_is_told_as_one(world: Any, role: Any) -> None:
    role.may({"Action": "logs:*"}, {"Action": "logs:PutLogEvents", "Effect": "Deny"})
    told = asks_the_role(world.emulator)(role.arn, "f", [PermissionCheck("logs:PutLogEvents", LOGS, HERE)])
    assert told.endswith("with an explicit deny in an identity-based policy")


def test_what_is_taken_away_is_missed_at_once_and_a_role_that_is_gone_may_nothing(
    world: Any, role: Any
) -> None:
    refusal, asks = asks_the_role(world.emulator), [PermissionCheck("xray:PutTraceSegments", "*", HERE)]
    role.may({"Action": "xray:*"})
    assert not refusal(role.arn, "f", asks)
    role.may({"Action": "s3:*"})
    assert refusal(role.arn, "f", asks)
    role.may({"Action": "xray:*"})
    role.delete()
    assert refusal(role.arn, "f", asks)


def test_it_is_judged_where_the_resource_is_under_the_conditions_that_it_comes_with(
    world: Any, role: Any
) -> None:
    key = world.kms_key("us-west-2")
    role.may({"Action": "kms:Decrypt", "Condition": {"StringEquals": {"kms:ViaService": "s3"}}})
    refusal = asks_the_role(world.emulator)
    assert not refusal(
        role.arn, "f", [PermissionCheck("kms:Decrypt", key, "us-west-2", {"kms:ViaService": "s3"})]
    )
    assert refusal(
        role.arn, "f", [PermissionCheck("kms:Decrypt", key, "us-west-2", {"kms:ViaService": "ssm"})]
    )


def test_the_caller_in_hand_does_not_matter(world: Any, role: Any) -> None:
    """A route of the gateway is called without any credentials."""
    role.may({"Action": "xray:*"})
    anonymous = copy_context()
    anonymous.run(world.emulator.core("iam_evaluator")._anonymous.set, True)
    refusal = asks_the_role(world.emulator)
    assert not anonymous.run(refusal, role.arn, "f", [PermissionCheck("xray:PutTraceSegments", "*", HERE)])


def test_what_tls_is_asked_for_has_it(world: Any, role: Any) -> None:
    role.may({"Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}})
    asks = [PermissionCheck("s3:ListBucket", "arn:aws:s3:::b", HERE)]
    assert not asks_the_role(world.emulator)(role.arn, "s3-replication", asks)


def test_the_session_is_known_by_its_role(world: Any, role: Any) -> None:
    """And one whose role is gone by its own ARN."""
    resolve = world.emulator.core("iam_evaluator")._resolve_condition_key
    kinds = world.emulator.core("iam_evaluator").EvalContext

    def known(principal: str, name: str = "aws:PrincipalArn") -> object:
        asked = kinds(principal, "AssumedRole", "000000000000", "s3:GetObject", "*", HERE)
        with world.emulator.scope("000000000000", HERE):
            return resolve(name, asked)

    session = "arn:aws:sts::000000000000:assumed-role"
    assert known(f"{session}/r/s") == role.arn
    assert known(f"{session}/gone/s") == f"{session}/gone/s"
    assert known("arn:aws:iam::000000000000:user/u") == "arn:aws:iam::000000000000:user/u"
    assert known(f"{session}/r/s", "aws:PrincipalAccount") == "000000000000"

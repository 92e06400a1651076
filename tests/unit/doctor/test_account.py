"""What the doctor says of an AWS account: each thing that can be missing, with its fix."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.account.arn_patterns import ArnGroup as Group
from payinfra.account.permissions import Permission
from payinfra.clients.aws import Aws
from payinfra.core.settings import Settings, Target
from payinfra.doctor.account import Account, embedded, examine
from payinfra.doctor.findings import Prerequisite

ROLE = "arn:aws:iam::123456789012:role/team/deploy"
SESSION = "arn:aws:sts::123456789012:assumed-role/deploy/me"
NEEDED = (
    Permission(Group.TABLES, ("dynamodb:CreateTable", "dynamodb:DescribeTable")),
    Permission(Group.RECORDS, ("route53:ChangeResourceRecordSets",)),
    Permission(Group.STATE, ("s3:GetObject",)),
)


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, operation)


@dataclass
class FakeAccount:
    """An account.

    Attributes:
        refused: the actions that the caller may not do.
        asked: what the simulator was asked.
    """

    arn: str = SESSION
    has_credentials: bool = True
    may_simulate: bool = True
    gateway_role: str = "arn:aws:iam::123456789012:role/logs"
    buckets: frozenset[str] = frozenset({"states"})
    state_keys: frozenset[str] = frozenset({"alias/payinfra-state"})
    refused: frozenset[str] = frozenset()
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    def get_caller_identity(self) -> dict[str, str]:
        if not self.has_credentials:
            raise denied("GetCallerIdentity")
        return {"Account": "123456789012", "Arn": self.arn}

    def get_account(self) -> dict[str, str]:
        return {"cloudwatchRoleArn": self.gateway_role} if self.gateway_role else {}

    def head_bucket(self, Bucket: str) -> None:
        if Bucket not in self.buckets:
            raise denied("HeadBucket")

    def describe_key(self, KeyId: str) -> None:
        if KeyId not in self.state_keys:
            raise denied("DescribeKey")

    def get_role(self, RoleName: str) -> dict[str, Any]:
        assert RoleName == "deploy"
        return {"Role": {"Arn": ROLE}}

    def get_paginator(self, operation: str) -> "FakeAccount":
        assert operation == "simulate_principal_policy"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        if not self.may_simulate:
            raise denied("SimulatePrincipalPolicy")
        self.asked.append(asked)
        for action in asked["ActionNames"]:
            decision = "implicitDeny" if action in self.refused else "allowed"
            yield {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": decision}]}


@dataclass(frozen=True)
class FakeAws(Aws):
    fake: FakeAccount = field(default_factory=FakeAccount)

    def client(self, service: str, region: str) -> FakeAccount:
        return self.fake


def look(
    fake: FakeAccount, *, silent: str = "", needed: Sequence[Permission] = NEEDED, **flags: object
) -> dict[str, Prerequisite]:
    settings = Settings.resolve({"env": "account", **flags}, environ={})
    account = Account(FakeAws(fake=fake), lambda _url: silent, needed)
    return {finding.name: finding for finding in examine(settings, account)}


def test_an_account_that_has_everything() -> None:
    found = look(FakeAccount(), state_bucket="states")
    assert list(found) == [
        "AWS network",
        "credentials",
        "permissions",
        "API Gateway's CloudWatch role",
        "state bucket",
    ]
    assert all(each.good for each in found.values())
    assert all(each.targets == (Target.AWS,) for each in found.values())
    assert found["credentials"].found == SESSION


def test_without_a_network_nothing_else_is_asked() -> None:
    fake = FakeAccount(has_credentials=False)
    found = look(fake, silent="timed out")
    assert list(found) == ["AWS network"]
    assert "sts.us-west-2.amazonaws.com does not answer: timed out" in found["AWS network"].found
    assert "HTTPS_PROXY" in found["AWS network"].fix


def test_without_credentials_the_account_is_not_asked() -> None:
    found = look(FakeAccount(has_credentials=False))
    assert list(found) == ["AWS network", "credentials"]
    assert not found["credentials"].good
    assert "AWS_PROFILE" in found["credentials"].fix


def test_without_the_role_for_logs_bootstrap_is_the_fix() -> None:
    found = look(FakeAccount(gateway_role=""))["API Gateway's CloudWatch role"]
    assert not found.good
    assert found.fix.startswith("`payinfra bootstrap")


def test_a_state_bucket_that_is_not_there_comes_with_its_fix() -> None:
    found = look(FakeAccount(), state_bucket="other")["state bucket"]
    assert (found.good, "--state-bucket other" in found.fix) == (False, True)
    assert "state bucket" not in look(FakeAccount())


def test_permissions_are_asked_of_the_role_behind_the_session_as_a_deployment_asks() -> None:
    fake = FakeAccount()
    assert look(fake)["permissions"].good
    asked, records = fake.asked  # without a bucket there is nothing to ask about the state
    assert asked["PolicySourceArn"] == ROLE
    assert asked["ActionNames"] == ["dynamodb:CreateTable", "dynamodb:DescribeTable"]
    assert asked["ResourceArns"] == ["arn:aws:dynamodb:*:123456789012:table/payment-*-payments"]
    context = {one["ContextKeyName"]: one["ContextKeyValues"] for one in asked["ContextEntries"]}
    assert context["aws:RequestedRegion"] == ["us-east-1"]
    written = records["ContextEntries"][1]
    # The failover name, the latency name, and the one that `verify` tries the zone with.
    assert (written["ContextKeyType"], len(written["ContextKeyValues"])) == ("stringList", 3)


def test_a_user_is_asked_as_it_is() -> None:
    fake = FakeAccount(arn="arn:aws:iam::123456789012:user/me")
    look(fake)
    assert fake.asked[0]["PolicySourceArn"] == fake.arn


def test_what_is_refused_is_named_and_the_role_is_the_fix() -> None:
    found = look(FakeAccount(refused=frozenset({"dynamodb:CreateTable"})))["permissions"]
    assert (found.good, found.known, found.found) == (False, True, "refused: dynamodb:CreateTable")
    assert "ci-role" in found.fix


def test_of_many_refused_actions_some_are_named() -> None:
    actions = tuple(f"dynamodb:Action{number}" for number in range(7))
    needed = (Permission(Group.TABLES, actions),)
    found = look(FakeAccount(refused=frozenset(actions)), needed=needed)["permissions"]
    assert found.found.endswith("dynamodb:Action4 and 2 more")


def test_a_simulator_that_may_not_be_asked_leaves_it_open() -> None:
    found = look(FakeAccount(may_simulate=False))["permissions"]
    assert (found.good, found.known) == (False, False)
    assert "iam:SimulatePrincipalPolicy" in found.fix


def test_the_root_is_not_asked() -> None:
    fake = FakeAccount(arn="arn:aws:iam::123456789012:root")
    assert look(fake)["permissions"].good
    assert fake.asked == []


@pytest.mark.parametrize("bucket", [None, "states"])
def test_the_state_is_asked_about_where_there_is_a_bucket(bucket: str | None) -> None:
    fake = FakeAccount()
    look(fake, state_bucket=bucket)
    asked = [one["ResourceArns"] for one in fake.asked if "s3:GetObject" in one["ActionNames"]]
    assert asked == ([["arn:aws:s3:::states/payinfra/payment-*/terraform.tfstate"]] if bucket else [])


def test_a_state_bucket_without_the_key_of_its_state_is_no_state_bucket() -> None:
    found = look(FakeAccount(state_keys=frozenset()), state_bucket="states")["state bucket"]
    assert not found.good
    assert "its key alias/payinfra-state" in found.found
    assert "--state-kms-key" in found.fix


# ---- the embedded AWS ---------------------------------------------------------------------------------


def local(role: str | None) -> Settings:
    return Settings.resolve({"env": "account", "target": "local", "role_arn": role}, environ={})


def test_without_a_role_or_a_server_there_is_nothing_to_ask_the_embedded_aws(tmp_path: Path) -> None:
    assert embedded(local(None), lambda _settings: FakeAws()) == []
    assert embedded(local(ROLE), lambda _settings: None) == []
    assert embedded(local(ROLE).model_copy(update={"work_root": tmp_path})) == []


def test_a_role_that_the_embedded_aws_does_not_know_fails_it_and_not_aws() -> None:
    (found,) = embedded(local(ROLE), lambda _settings: FakeAws(fake=FakeAccount(has_credentials=False)))
    assert (found.name, found.good, found.targets) == ("credentials", False, (Target.LOCAL,))


def test_what_a_role_may_do_on_the_embedded_aws_is_asked() -> None:
    fake = FakeAccount(refused=frozenset({"kms:CreateKey"}))
    who, may = embedded(local(ROLE), lambda _settings: FakeAws(fake=fake))
    assert (who.good, may.good, may.targets) == (True, False, (Target.LOCAL,))
    assert may.found == "refused: kms:CreateKey"

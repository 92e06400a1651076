"""State in a bucket, with S3's own lock file: the backend that the stack asks for, and a real Terraform."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from payinfra.clients.aws import Aws, Endpoints
from payinfra.core.access_key import AccessKey
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.events import Event, ResourceStarted
from payinfra.core.naming import STATE_KEY_ALIAS
from payinfra.core.settings import Settings
from payinfra.local import lifecycle
from payinfra.local.server.patches.kms_permissions import SSE, SSE_KEY
from payinfra.stacks import synthesize
from payinfra.terraform import find_binary
from payinfra.terraform.environment import with_access_key
from payinfra.terraform.failures import TerraformFailed
from tests.functional.terraform.test_real_terraform import BLOCKED, Work, stack, unblock
from tests.support.embedded import endpoints_of

BUCKET = "our-states"


@pytest.fixture(scope="module")
def endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """An embedded AWS with a bucket for states."""
    folder = tmp_path_factory.mktemp("embedded-aws")
    try:
        lifecycle.up(folder, ("us-east-1", "us-west-2"), base_port=0)
        found = endpoints_of(folder)
        Aws(found).s3("us-east-1").create_bucket(Bucket=BUCKET)
        kms = Aws(found).kms("us-east-1")
        kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        yield found
    finally:
        lifecycle.down(folder)


def settings(folder: Path, **more: str) -> Settings:
    flags = {"env": "shared", "target": "local", "state_bucket": BUCKET, **more}
    return Settings.resolve(flags, folder=folder, environ={})


class Clone(Work):
    """One checkout of several that share a state."""

    def __init__(self, folder: Path, backend: object, key: AccessKey) -> None:
        super().__init__(folder, find_binary())
        self.environment = with_access_key(os.environ, key.access_key_id, key.secret_access_key)
        self._backend = backend
        self.root.mkdir()
        self.write()

    def write(self, slow: str = "true") -> None:
        stack(self.folder, slow=slow, backend=self._backend)


@pytest.fixture(scope="module")
def clone(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Clone]:
    """Makes checkouts with the backend of the payments stack, as it is synthesized."""
    folder = tmp_path_factory.mktemp("synth")
    made = synthesize(settings(folder), out=folder, endpoints=endpoints)
    backend = json.loads((made / "cdk.tf.json").read_text())["terraform"]["backend"]
    return lambda checkout: Clone(checkout, backend, endpoints.access_key)


def test_a_fresh_clone_reads_what_another_one_deployed(
    tmp_path: Path, clone: Callable[[Path], Clone], endpoints: Endpoints
) -> None:
    clone(tmp_path / "one").deploy()
    fresh = clone(tmp_path / "two").terraform()
    fresh.init()
    assert fresh.outputs()["greeting"].value == "hello"
    assert {one.address for one in fresh.resources()} == {"terraform_data.quick", BLOCKED}
    assert not fresh.plan(tmp_path / "p").has_changes
    keys = Aws(endpoints).s3("us-east-1").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [key["Key"] for key in keys] == ["payinfra/payment-shared/terraform.tfstate"], "no lock is left"
    assert sorted(tmp_path.rglob("*.tfstate")) == [
        tmp_path / "one/data/terraform.tfstate",
        tmp_path / "two/data/terraform.tfstate",
    ]


def test_of_two_at_once_the_second_hears_who_holds_the_lock(
    tmp_path: Path, clone: Callable[[Path], Clone]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    one, two = clone(tmp_path / "one"), clone(tmp_path / "two")
    one.deploy().forget([BLOCKED])
    one.write(slow=f"exec cat {pipe}")
    at_work = threading.Event()

    def look(event: Event) -> None:
        if isinstance(event, ResourceStarted) and event.address == BLOCKED:
            at_work.set()

    one.on_event = look
    first = threading.Thread(target=one.deploy)
    first.start()
    try:
        assert at_work.wait(30)
        second = two.terraform()
        second.init()
        holder = r"Another run holds the state's lock: .+@.+ for apply"
        with pytest.raises(EnvironmentUnusable, match=holder) as caught:
            second.plan(tmp_path / "p")
        assert "`payinfra unlock " in caught.value.hint
        with pytest.raises(EnvironmentUnusable, match=holder):
            second.forget(["terraform_data.quick"])
    finally:
        unblock(pipe)
        first.join()
    assert not two.terraform().plan(tmp_path / "p").has_changes


def test_a_lock_whose_run_is_gone_is_released_by_the_id_in_the_message(
    tmp_path: Path, clone: Callable[[Path], Clone], endpoints: Endpoints
) -> None:
    one = clone(tmp_path / "one")
    one.deploy()
    key, s3 = "payinfra/payment-shared/terraform.tfstate.tflock", Aws(endpoints).s3("us-east-1")
    left = {"ID": "4c58bdb8-4e5d-5548-52cf-35718ba0b1f6", "Operation": "OperationTypeApply", "Who": "ci@gone"}
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(left).encode())
    terraform = one.terraform()
    with pytest.raises(EnvironmentUnusable, match="ci@gone") as caught:
        terraform.plan(tmp_path / "p")
    assert f"`payinfra unlock {left['ID']}`" in caught.value.hint
    with pytest.raises(TerraformFailed, match="force-unlock"):
        terraform.force_unlock("00000000-0000-0000-0000-000000000000")
    terraform.force_unlock(left["ID"])
    assert not terraform.plan(tmp_path / "p").has_changes


def test_a_region_that_is_not_served_cannot_have_the_state(tmp_path: Path, endpoints: Endpoints) -> None:
    with pytest.raises(UsageProblem, match="does not serve eu-west-3"):
        synthesize(settings(tmp_path, state_region="eu-west-3"), out=tmp_path, endpoints=endpoints)


@pytest.fixture
def strict(endpoints: Endpoints) -> Iterator[tuple[AccessKey, str]]:
    """A user whom the bucket's policy lets write nothing but under one key; the user's access key, the key.

    The policy is AWS's own example (S3 user guide, "Using server-side encryption with AWS KMS keys").
    """
    aws = Aws(endpoints)
    iam, s3 = aws.iam("us-east-1"), aws.s3("us-east-1")
    key = aws.kms("us-east-1").describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="ci")
    iam.put_user_policy(UserName="ci", PolicyName="all", PolicyDocument=json.dumps(everything))
    made = iam.create_access_key(UserName="ci")["AccessKey"]
    refused = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    conditions = ({f"s3:{SSE}": "aws:kms"}, {f"s3:{SSE_KEY}": key})
    statements = [{**refused, "Condition": {"StringNotEquals": one}} for one in conditions]
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    try:
        yield AccessKey(made["AccessKeyId"], made["SecretAccessKey"]), key
    finally:
        s3.delete_bucket_policy(Bucket=BUCKET)
        iam.delete_access_key(UserName="ci", AccessKeyId=made["AccessKeyId"])
        iam.delete_user_policy(UserName="ci", PolicyName="all")
        iam.delete_user(UserName="ci")


def backend_of(folder: Path, endpoints: Endpoints, **more: str) -> Any:
    made = synthesize(settings(folder, env="strict", **more), out=folder, endpoints=endpoints)
    return json.loads((made / "cdk.tf.json").read_text())["terraform"]["backend"]


def test_a_bucket_whose_policy_demands_the_key_takes_the_state_and_its_lock(
    tmp_path: Path, endpoints: Endpoints, strict: tuple[AccessKey, str]
) -> None:
    user, key = strict
    backend = backend_of(tmp_path / "synth", endpoints, state_kms_key=key)
    Clone(tmp_path / "one", backend, user).deploy()
    found = (
        Aws(endpoints)
        .s3("us-east-1")
        .head_object(Bucket=BUCKET, Key="payinfra/payment-strict/terraform.tfstate")
    )
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)


@pytest.mark.parametrize("named", ["AES256", "another key"])
def test_a_bucket_whose_policy_demands_the_key_refuses_a_lock_under_anything_else(
    tmp_path: Path, endpoints: Endpoints, strict: tuple[AccessKey, str], named: str
) -> None:
    user, _ = strict
    another = Aws(endpoints).kms("us-east-1").create_key()["KeyMetadata"]["Arn"]
    backend = backend_of(tmp_path / "synth", endpoints, state_kms_key=another)
    if named == "AES256":
        del backend["s3"]["kms_key_id"]
    with pytest.raises((EnvironmentUnusable, TerraformFailed), match="AccessDenied"):
        Clone(tmp_path / "one", backend, user).deploy()

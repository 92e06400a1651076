"""The state of an environment that may have been deployed from elsewhere."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from payinfra.account.environments.state_settings import States
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.settings import Settings


def state(primary: str = "eu-west-1", secondary: str = "eu-central-1") -> str:
    outputs = {"primary_region": {"value": primary}, "secondary_region": {"value": secondary}}
    return json.dumps({"resources": [{}], "outputs": outputs})


@dataclass(frozen=True)
class Bucket:
    """S3 in the region where the bucket is."""

    objects: Mapping[tuple[str, str], str]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if (Bucket, Key) not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "none"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Bucket, Key].encode())}


@dataclass(frozen=True)
class FakeAws(Aws):
    buckets: Mapping[str, Bucket] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Bucket:
        assert service == "s3"
        return self.buckets[region]


def states(folder: Path, aws: Aws | None = None, **flags: object) -> States:
    def resolve(more: Mapping[str, object]) -> Settings:
        return Settings.resolve({**flags, **more}, folder=folder, environ={})

    return States(aws or Aws(), resolve)


def keep(folder: Path, text: str) -> None:
    kept = folder / ".payinfra" / "aws" / "pr1"
    kept.mkdir(parents=True)
    (kept / "terraform.tfstate").write_text(text)


def test_the_regions_are_those_of_the_state_in_the_work_folder(tmp_path: Path) -> None:
    keep(tmp_path, state())
    found = states(tmp_path, primary_region="us-east-2").settings("pr1")
    assert (found.env, found.regions) == ("pr1", ("eu-west-1", "eu-central-1"))


def test_the_regions_are_those_of_the_state_in_the_bucket(tmp_path: Path) -> None:
    aws = FakeAws(buckets={"us-east-1": Bucket({("b-1", "payinfra/payment-pr1/terraform.tfstate"): state()})})
    found = states(tmp_path, aws, state_bucket="b-1").settings("pr1")
    assert found.regions == ("eu-west-1", "eu-central-1")
    assert found.state_region == "us-east-1"  # the bucket does not move with the primary region


def test_a_bucket_elsewhere_is_asked_where_it_is(tmp_path: Path) -> None:
    aws = FakeAws(buckets={"eu-west-3": Bucket({("b-1", "k"): state()})})
    given = states(tmp_path, aws, state_bucket="b-1", state_region="eu-west-3", state_key="k")
    assert given.settings("pr1").state_region == "eu-west-3"


def test_without_a_state_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match=r"It has no state in .*pr1") as missing:
        states(tmp_path).settings("pr1")
    assert "Key=Environment,Values=pr1" in missing.value.hint
    assert "payinfra adopt --env pr1" in missing.value.hint
    aws = FakeAws(buckets={"us-east-1": Bucket({})})
    with pytest.raises(EnvironmentUnusable, match=r"s3://b-1/.* cannot be read: .*NoSuchKey") as missing:
        states(tmp_path, aws, state_bucket="b-1").settings("pr1")
    assert "--state-bucket" in missing.value.hint


def test_a_state_of_nothing_is_no_state(tmp_path: Path) -> None:
    keep(tmp_path, json.dumps({"resources": [], "outputs": {}}))
    with pytest.raises(EnvironmentUnusable, match="is empty"):
        states(tmp_path).settings("pr1")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"resources": [{}], "outputs": {}}', '"x"'])
def test_a_state_without_regions_is_not_guessed_at(tmp_path: Path, text: str) -> None:
    keep(tmp_path, text)
    with pytest.raises(EnvironmentUnusable, match="does not name the regions") as unclear:
        states(tmp_path).settings("pr1")
    assert "payinfra destroy" in unclear.value.hint


def half_destroyed(**arns: str) -> str:
    """A state without outputs that holds one resource a provider, with these ARNs."""
    held = [
        {
            "mode": "managed",
            "type": "aws_kms_key",
            "name": alias,
            "provider": f'provider["registry.terraform.io/hashicorp/aws"].{alias}',
            "instances": [{"attributes": {"arn": arn}}],
        }
        for alias, arn in arns.items()
    ]
    return json.dumps({"resources": held, "outputs": {}})


WEST, CENTRAL = "arn:aws:kms:eu-west-1:1:key/a", "arn:aws:kms:eu-central-1:1:key/b"


@pytest.mark.parametrize(
    ("left", "regions"),
    [
        ({"primary": WEST, "secondary": CENTRAL}, ("eu-west-1", "eu-central-1")),
        # Nothing is left in one of them: a region of the settings takes its place, but never the same one.
        ({"primary": WEST}, ("eu-west-1", "us-east-1")),
        ({"secondary": "arn:aws:kms:us-east-1:1:key/a"}, ("us-west-2", "us-east-1")),
        ({"primary": "arn:aws:iam::1:role/r", "secondary": CENTRAL}, ("us-east-1", "eu-central-1")),
    ],
)
def test_what_a_destruction_left_half_way_names_its_regions(
    tmp_path: Path, left: dict[str, str], regions: tuple[str, str]
) -> None:
    keep(tmp_path, half_destroyed(**left))
    assert states(tmp_path).settings("pr1").regions == regions


@pytest.mark.parametrize(
    "left", [{"primary": "arn:aws:iam::1:role/r"}, {"primary": "no ARN"}, {"global": WEST, "other": CENTRAL}]
)
def test_what_is_left_and_names_no_region_is_not_guessed_at(tmp_path: Path, left: dict[str, str]) -> None:
    keep(tmp_path, half_destroyed(**left))
    with pytest.raises(EnvironmentUnusable, match="does not name the regions"):
        states(tmp_path).settings("pr1")


def test_a_provider_whose_resources_are_in_two_regions_says_nothing(tmp_path: Path) -> None:
    both = json.loads(half_destroyed(primary=WEST, secondary=CENTRAL))
    for one in both["resources"]:
        one["provider"] = both["resources"][0]["provider"]
    keep(tmp_path, json.dumps(both))
    with pytest.raises(EnvironmentUnusable, match="does not name the regions"):
        states(tmp_path).settings("pr1")


def test_a_state_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".payinfra" / "aws" / "pr1" / "terraform.tfstate").mkdir(parents=True)
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        states(tmp_path).settings("pr1")


def test_a_name_that_payinfra_would_not_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem):
        states(tmp_path).settings("../../etc")

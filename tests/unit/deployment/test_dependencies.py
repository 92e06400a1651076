"""What the stages work with."""

from pathlib import Path
from typing import ClassVar

import pytest

from payinfra.clients.aws import Aws, AwsUnreachable
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.terraform.jsonvalue import JsonValue


class Asked(Aws):
    """An AWS of which some regions do not answer, and others refuse."""

    gone: ClassVar[frozenset[str]] = frozenset()
    refuses: ClassVar[frozenset[str]] = frozenset()

    def account(self, region: str) -> str:
        if region in self.gone:
            raise AwsUnreachable(f"{region} cannot be reached")
        if region in self.refuses:
            raise EnvironmentUnusable(f"{region} refuses")
        return f"of {region}"


class FirstGone(Asked):
    gone = frozenset({"us-east-1"})


class BothGone(Asked):
    gone = frozenset({"us-east-1", "us-west-2"})


class FirstRefuses(Asked):
    refuses = frozenset({"us-east-1"})


REGIONS = ("us-east-1", "us-west-2")


def test_whose_credentials_these_are_is_asked_where_somebody_answers() -> None:
    assert dependencies.account_through(Asked(), REGIONS) == "of us-east-1"
    assert dependencies.account_through(FirstGone(), REGIONS) == "of us-west-2"
    with pytest.raises(AwsUnreachable, match="us-west-2"):
        dependencies.account_through(BothGone(), REGIONS)


def test_a_refusal_is_asked_about_once() -> None:
    with pytest.raises(EnvironmentUnusable, match="us-east-1 refuses"):
        dependencies.account_through(FirstRefuses(), REGIONS)


def test_the_last_lines_of_an_api_are_waited_for_on_aws(tmp_path: Path) -> None:
    """API Gateway writes them within seconds as a rule, and each may make its log group again."""
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.late_lines_s(settings) >= 10


def test_aws_itself_has_no_control(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.control(settings) is None


def test_a_plan_is_judged_with_the_stack_that_it_was_made_from(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "pr7", "target": "aws"}, folder=tmp_path, environ={})
    change: JsonValue = {"actions": ["create"], "after": {"bucket": "payment-pr7-audit"}, "after_unknown": {}}
    resource: dict[str, JsonValue] = {"mode": "managed", "type": "aws_s3_bucket", "name": "b"}
    shown: JsonValue = {
        "format_version": "1.2",
        "resource_changes": [{**resource, "address": "aws_s3_bucket.b", "change": change}],
        "configuration": {"root_module": {"resources": [{**resource, "expressions": {"bucket": {}}}]}},
    }
    (tmp_path / "cdk.tf.json").write_text('{"resource": {"aws_s3_bucket": {"b": {"bucket": "x"}}}}')

    outcome = dependencies.check_plan(settings, tmp_path, shown)

    assert outcome.files == ("the plan of pr7",)
    assert outcome.notes == ()
    assert "aws_s3_bucket.b" in [one.address for one in outcome.findings if one.id == "PI-S3-001"]

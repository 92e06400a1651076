"""What the stages work with."""

from pathlib import Path

import pytest

from payinfra.clients.aws import Endpoints
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.terraform.jsonvalue import JsonValue


def test_aws_itself_has_no_control(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.control(settings) is None


def test_a_scripted_account_has_nothing_unless_it_says_so(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "demo", "target": "aws"}, folder=tmp_path, environ={})
    assert dependencies.nothing(settings, None) == ()
    assert dependencies.AWS_DEPENDENCIES.existing is dependencies.existing
    assert dependencies.AWS_DEPENDENCIES.remaining is dependencies.remaining


@pytest.mark.parametrize("target", ["aws", "local"])
def test_what_exists_is_looked_for_where_the_settings_say(tmp_path: Path, target: str) -> None:
    """Nothing answers there, so that who is asked is all that can be told."""
    settings = Settings.resolve({"env": "demo", "target": target}, folder=tmp_path, environ={})
    nowhere = Endpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:1")
    for look in (dependencies.existing, dependencies.remaining):
        with pytest.raises(EnvironmentUnusable, match=r"Could not connect .*http://127\.0\.0\.1:1/"):
            look(settings, nowhere)


def test_a_plan_is_judged_with_the_stack_that_it_was_made_from(tmp_path: Path) -> None:
    settings = Settings.resolve({"env": "pr7", "target": "aws"}, folder=tmp_path, environ={})
    change = {"actions": ["create"], "after": {"bucket": "payment-pr7-audit"}, "after_unknown": {}}
    resource = {"mode": "managed", "type": "aws_s3_bucket", "name": "b"}
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

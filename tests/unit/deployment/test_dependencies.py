"""What the stages work with."""

from pathlib import Path

from payinfra.core.settings import Settings
from payinfra.deployment import dependencies
from payinfra.terraform.jsonvalue import JsonValue


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

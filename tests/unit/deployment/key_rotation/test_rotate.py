"""A new key beside the old one, then without it; killed anywhere, it goes on, and nobody is locked out."""

import io
import json

import httpx
import pytest
from rich.console import Console

from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.naming import tags
from payinfra.core.settings import Settings
from payinfra.deployment.key_rotation.keys import random_value
from payinfra.deployment.key_rotation.model import RegionKeys, RemovedKeys, Rotation, Stage
from payinfra.deployment.key_rotation.rotate import begin, finish
from payinfra.report import rotation as report
from payinfra.report.formats import Format
from payinfra.terraform import ChangeAction, ResourceChange
from tests.unit.deployment.key_rotation.conftest import MADE, NAME, OLD, REGIONS, Cloud, Killed, Workshop

NEW = "the-new-value-of-twenty-and-more"
FORMER = f"{NAME}-former"
CHANGES_OF_A_ROTATION = 15


def rotate(workshop: Workshop) -> Rotation:
    environment, _ = workshop.environment()
    return begin(environment, workshop.cloud.keys())


def settled(cloud: Cloud) -> None:
    assert all(cloud.names(region) == {NAME: OLD} for region in REGIONS)


def overlapping(cloud: Cloud) -> None:
    for region in REGIONS:
        assert cloud.names(region) == {NAME: NEW, FORMER: OLD}
        assert cloud.valid(region) == {NEW, OLD}
        assert cloud.regions[region].parameter["Value"] == NEW
    assert cloud.state == {
        "aws_api_gateway_api_key.a": "new-us-east-1",
        "aws_api_gateway_api_key.b": "new-us-west-2",
        "aws_api_gateway_usage_plan_key.c": "plan-us-east-1/new-us-east-1",
        "aws_api_gateway_usage_plan_key.d": "plan-us-west-2/new-us-west-2",
        "aws_kms_key.k": "untouched",
    }
    assert cloud.outputs.primary.api_key_id == "new-us-east-1"
    assert cloud.outputs.secondary.api_key_id == "new-us-west-2"


def test_both_keys_are_valid_then_only_the_new_one(workshop: Workshop, cloud: Cloud) -> None:
    settled(cloud)
    found = rotate(workshop)
    assert found.stage is Stage.OVERLAP
    overlapping(cloud)
    assert cloud.changes == CHANGES_OF_A_ROTATION

    removed = finish(cloud.outputs, cloud.keys())
    assert removed.keys == {region: f"key-{region}" for region in REGIONS}
    assert all(cloud.valid(region) == {NEW} for region in REGIONS)
    assert all(cloud.names(region) == {NAME: NEW} for region in REGIONS)
    assert cloud.keys().look().stage is Stage.SETTLED
    assert finish(cloud.outputs, cloud.keys()).keys == {}


def test_the_new_key_is_made_as_the_stack_would_make_it(workshop: Workshop, cloud: Cloud) -> None:
    rotate(workshop)
    made = cloud.regions["us-east-1"].keys["new-us-east-1"]
    assert (made["description"], made["enabled"], made["tags"]) == (
        "Calls the payments API",
        True,
        tags("demo"),
    )
    assert cloud.regions["us-west-2"].parameter == {
        "Name": "/payment-demo/api-key",
        "Description": "The API key",
        "Value": NEW,
        "Type": "SecureString",
        "KeyId": "arn:aws:kms:us-west-2:123456789012:key/application",
    }


@pytest.mark.parametrize("kill_at", range(CHANGES_OF_A_ROTATION))
def test_killed_before_any_change_it_goes_on_and_nobody_is_locked_out(
    workshop: Workshop, cloud: Cloud, kill_at: int
) -> None:
    def nobody_is_locked_out() -> None:
        for region in REGIONS:
            assert OLD in cloud.valid(region)
            assert cloud.regions[region].parameter["Value"] in cloud.valid(region)

    cloud.after_each = nobody_is_locked_out
    cloud.kill_at = kill_at
    with pytest.raises(Killed):
        rotate(workshop)
    cloud.kill_at = None
    assert rotate(workshop).stage is Stage.OVERLAP
    overlapping(cloud)


@pytest.mark.parametrize("kill_at", range(4))
def test_a_removal_that_was_killed_goes_on(workshop: Workshop, cloud: Cloud, kill_at: int) -> None:
    rotate(workshop)
    cloud.kill_at = cloud.changes + kill_at
    with pytest.raises(Killed):
        finish(cloud.outputs, cloud.keys())
    cloud.kill_at = None
    assert rotate(workshop).stage is Stage.OVERLAP
    finish(cloud.outputs, cloud.keys())
    assert all(cloud.names(region) == {NAME: NEW} for region in REGIONS)
    assert all(cloud.valid(region) == {NEW} for region in REGIONS)


def test_a_second_run_changes_nothing(workshop: Workshop, cloud: Cloud) -> None:
    rotate(workshop)
    before = cloud.changes
    environment, terraform = workshop.environment()
    assert begin(environment, cloud.keys("yet-another-value-of-twenty")).stage is Stage.OVERLAP
    assert (cloud.changes, terraform.calls) == (before, [])


def test_after_the_end_another_rotation_makes_another_key(workshop: Workshop, cloud: Cloud) -> None:
    rotate(workshop)
    finish(cloud.outputs, cloud.keys())
    environment, _ = workshop.environment()
    begin(environment, cloud.keys("yet-another-value-of-twenty"))
    assert cloud.names("us-west-2") == {NAME: "yet-another-value-of-twenty", FORMER: NEW}


def test_the_state_follows_and_nothing_that_is_pending_is_taken_for_deployed(workshop: Workshop) -> None:
    before = workshop.cloud.outputs.failover_domain
    environment, terraform = workshop.environment()
    begin(environment, workshop.cloud.keys())
    assert terraform.calls == ["forget", "adopt"]
    assert workshop.stages == ["new key", "state", "outputs"]
    assert workshop.cloud.outputs.failover_domain == before


PUBLISHED: dict[str, object] = {"published_primary": {}, "published_secondary": {}, "bucket": {}}
FUNCTION = ResourceChange("aws_lambda_function.f", "aws_lambda_function", ChangeAction.UPDATE)


@pytest.mark.parametrize(("pending", "applied"), [((), ["apply"]), ((FUNCTION,), [])])
def test_what_is_published_follows_unless_something_else_would_change_too(
    workshop: Workshop, pending: tuple[ResourceChange, ...], applied: list[str]
) -> None:
    stack = json.loads(workshop.manifest.read_text())
    stack["resource"]["aws_ssm_parameter"] = PUBLISHED
    workshop.manifest.write_text(json.dumps(stack))
    environment, terraform = workshop.environment()
    terraform.pending = pending
    begin(environment, workshop.cloud.keys())
    assert terraform.calls == ["forget", "adopt", "plan published_primary published_secondary", *applied]
    assert workshop.stages[-1] == "publish"


def test_a_terraform_that_leaves_outputs_as_they_were_is_made_to_look_again(workshop: Workshop) -> None:
    environment, terraform = workshop.environment()
    terraform.leaves_outputs = True
    begin(environment, workshop.cloud.keys())
    assert terraform.calls == ["forget", "adopt", "refresh a b", "apply"]
    assert workshop.cloud.outputs.primary.api_key_id == "new-us-east-1"


def test_it_waits_until_the_apis_have_heard_of_the_key(workshop: Workshop, cloud: Cloud) -> None:
    cloud.deaf = 1
    rotate(workshop)
    assert cloud.slept
    overlapping(cloud)


@pytest.mark.parametrize(("status", "said"), [(403, "403"), (401, "401"), (502, "says nothing of the key")])
def test_a_key_that_is_not_accepted_is_not_published(
    workshop: Workshop, cloud: Cloud, status: int, said: str
) -> None:
    cloud.status = status
    with pytest.raises(GateFailed, match=said) as refused:
        rotate(workshop)
    assert "again" in refused.value.hint
    assert all(cloud.regions[region].parameter["Value"] == OLD for region in REGIONS)
    assert cloud.outputs.primary.api_key_id == "key-us-east-1"
    assert cloud.keys().look().stage is Stage.BEGUN


def test_an_api_that_does_not_answer_is_waited_for(workshop: Workshop, cloud: Cloud) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    environment, _ = workshop.environment()
    keys = cloud.keys()
    object.__setattr__(keys, "http", lambda: httpx.Client(transport=httpx.MockTransport(silent)))
    with pytest.raises(GateFailed, match="refused"):
        begin(environment, keys)


def test_nothing_is_removed_before_the_new_key_is_the_environment_s(workshop: Workshop, cloud: Cloud) -> None:
    cloud.kill_at = CHANGES_OF_A_ROTATION - 1
    with pytest.raises(Killed):
        rotate(workshop)
    with pytest.raises(GateFailed, match="cut off") as refused:
        finish(cloud.outputs, cloud.keys())
    assert "payinfra rotate-key --env demo" in refused.value.hint
    assert all(OLD in cloud.valid(region) for region in REGIONS)
    cloud.kill_at, cloud.changes = 2, 0
    with pytest.raises(Killed):
        rotate(Workshop(cloud, workshop.manifest))


def test_a_key_that_is_being_made_is_not_finished(workshop: Workshop, cloud: Cloud) -> None:
    cloud.kill_at = 1
    with pytest.raises(Killed):
        rotate(workshop)
    with pytest.raises(GateFailed, match="cut off"):
        finish(cloud.outputs, cloud.keys())


def test_two_keys_of_one_name_are_for_a_person_to_sort_out(cloud: Cloud) -> None:
    cloud.regions["us-west-2"].keys["stray"] = {"name": NAME, "value": "x" * 20}
    with pytest.raises(
        EnvironmentUnusable, match=r"us-west-2 has 2 API keys .*: key-us-west-2, stray"
    ) as two:
        cloud.keys().look()
    assert "delete-api-key --region us-west-2" in two.value.hint


def test_a_key_whose_age_is_not_told(cloud: Cloud) -> None:
    del cloud.regions["us-east-1"].keys["key-us-east-1"]["createdDate"]
    current = cloud.keys().look().regions[0].current
    assert current is not None
    assert (current.id, current.created) == ("key-us-east-1", None)


def test_new_values_differ_and_are_as_api_gateway_makes_them() -> None:
    values = {random_value() for _ in range(50)}
    assert len(values) == 50
    assert all(len(value) == 40 and value.isalnum() and value.isascii() for value in values)


# ---- what is shown ----------------------------------------------------------------------------------


def said(found: Rotation | RemovedKeys, fmt: Format) -> str:
    text = io.StringIO()
    console = Console(file=text, width=160)
    if isinstance(found, RemovedKeys):
        report.removed(console, found, fmt)
    else:
        settings = Settings.resolve({"env": "demo", "target": "local"}, environ={})
        report.rotation(console, found, settings, fmt)
    return text.getvalue()


def test_a_rotation_as_a_table_says_the_next_step(workshop: Workshop, cloud: Cloud) -> None:
    assert "  # make another key, beside this one\n  payinfra rotate-key --env demo --local\n" in said(
        cloud.keys().look(), Format.TABLE
    )
    shown = said(rotate(workshop), Format.TABLE)
    assert "Both API keys are valid" in shown
    assert "payinfra rotate-key --env demo --local --finish" in shown
    assert "new-us-east-1, since 2026-05-01 00:00 UTC" in shown
    half = Rotation("demo", (RegionKeys("us-east-1", None, None, None),))
    assert "is being made" in said(half, Format.TABLE)


def test_a_rotation_as_json_holds_no_value(workshop: Workshop, cloud: Cloud) -> None:
    shown = said(rotate(workshop), Format.JSON)
    assert OLD not in shown
    assert NEW not in shown
    assert json.loads(shown)["regions"][0] == {
        "region": "us-east-1",
        "current": {"id": "new-us-east-1", "created": MADE.isoformat()},
        "next": None,
        "former": {"id": "key-us-east-1", "created": MADE.isoformat()},
    }


def test_a_key_without_a_date_is_shown_by_its_id(cloud: Cloud) -> None:
    for region in REGIONS:
        del cloud.regions[region].keys[f"key-{region}"]["createdDate"]
    found = cloud.keys().look()
    assert "since" not in said(found, Format.TABLE)
    assert json.loads(said(found, Format.JSON))["regions"][0]["current"]["created"] is None


def test_what_was_removed_is_said() -> None:
    assert said(RemovedKeys("demo", {"us-east-1": "k1"}), Format.TABLE) == "Removed: k1 in us-east-1.\n"
    assert said(RemovedKeys("demo", {}), Format.TABLE) == "There was no former API key to remove.\n"
    assert json.loads(said(RemovedKeys("demo", {"us-east-1": "k1"}), Format.JSON))["removed"] == {
        "us-east-1": "k1"
    }

"""Results: JSON that parses, tables that say what is there, errors with the next step."""

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from payinfra.checks.outcome import Outcome, summarize
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings, Target
from payinfra.deployment.results import Adopted, Deployed, Destroyed, Synthesized, headline
from payinfra.deployment.smoke_test import SmokeTestResult
from payinfra.deployment.stack_manifest import StackInventory
from payinfra.doctor.findings import Diagnosis, Prerequisite
from payinfra.local.endpoints import LocalEndpoints, LocalStatus
from payinfra.local.faults import ActiveFault, RegionBlackout
from payinfra.report import deploy, doctor, local, results
from payinfra.report.formats import Format
from payinfra.terraform import Change, ChangeAction, Import, Plan

Printed = Callable[[], str]

PLAN = Plan(
    Path("plan"), 2, 1, 0, (Change("aws_kms_key.data", "aws_kms_key", ChangeAction.CREATE, "cannot_update"),)
)
NOTHING = Plan(Path("plan"), 0, 0, 0)
INVENTORY = StackInventory(
    ("us-east-1", "us-west-2"), {("KMS", "us-east-1"): 3, ("DynamoDB", "us-west-2"): 1}
)
VERIFIED = Outcome("verify", (), (), (), summarize(()))
PROOF = SmokeTestResult("us-east-1", "us-west-2", "pay-1", 0.1234)
LOCAL = Settings(env="demo", target=Target.LOCAL)
ACTIVE = ActiveFault("fault-1", RegionBlackout("us-east-1"), "2026-01-01T00:00:00Z")
STATUS = LocalStatus(
    LocalEndpoints({"us-east-1": "http://127.0.0.1:1"}, "http://127.0.0.1:2", "127.0.0.1:3", 42),
    (ACTIVE,),
    20.0,
    3,
    "2026-01-01T00:00:00Z",
)


def test_an_error_says_what_and_what_next(console: Console, printed: Printed) -> None:
    results.problem(console, EnvironmentUnusable("No [bold]Terraform.", "Install it."))
    assert printed() == "error: No [bold]Terraform.\nnext:  Install it.\n"


def test_an_error_without_a_next_step_has_one_line(console: Console, printed: Printed) -> None:
    results.problem(console, GateFailed("Nothing was changed."))
    assert printed() == "error: Nothing was changed.\n"


def test_cells_are_text_and_never_markup(console: Console, printed: Printed) -> None:
    results.write(console, results.table(("name",), [("[red]x[/red]",)]))
    assert "[red]x[/red]" in printed()


def test_headlines() -> None:
    assert headline(PLAN) == "2 to add, 1 to change, 0 to destroy"
    assert headline(NOTHING) == "nothing to change"


def test_synthesized_as_table_and_as_json(console: Console, printed: Printed) -> None:
    result = Synthesized(Path("work"), INVENTORY)
    deploy.synthesized(console, result, Format.TABLE)
    text = printed()
    assert [
        line.split() for line in text.splitlines() if line.startswith((" KMS", " DynamoDB", "KMS", "Dyn"))
    ] == [
        ["DynamoDB", "1"],
        ["KMS", "3"],
    ]
    assert "4 resources in work/cdk.tf.json" in text
    deploy.synthesized(console, result, Format.JSON)
    assert json.loads(printed()[len(text) :])["total"] == 4


def test_a_plan_as_table_and_as_json(console: Console, printed: Printed) -> None:
    deploy.planned(console, PLAN, Format.TABLE)
    text = printed()
    assert "create" in text
    assert "aws_kms_key.data" in text
    assert "Plan: 2 to add" in text
    deploy.planned(console, PLAN, Format.JSON)
    read = json.loads(printed()[len(text) :])
    assert read["summary"] == {"add": 2, "change": 1, "destroy": 0}
    assert read["changes"][0]["address"] == "aws_kms_key.data"


def test_an_empty_plan_says_so(console: Console, printed: Printed) -> None:
    deploy.planned(console, NOTHING, Format.TABLE)
    assert printed() == "Plan: nothing to change.\n"


def test_a_deployment_shows_what_is_where_and_what_to_try(
    console: Console, printed: Printed, some_outputs: Outputs
) -> None:
    deploy.deployed(console, Deployed(PLAN, some_outputs, (PROOF,), VERIFIED, 61.2), LOCAL, Format.TABLE)
    text = printed()
    assert "p-api_endpoint" in text
    assert "s-api_endpoint" in text
    assert "Payment pay-1, sent through us-east-1, was read in us-west-2 after 0.12 s." in text
    assert "0 checks: 0 passed" in text
    assert "payinfra verify --env demo --local" in text
    assert "payinfra outputs --env demo --local" in text
    assert "payinfra local status" in text


def test_a_deployment_without_changes_says_so(
    console: Console, printed: Printed, some_outputs: Outputs
) -> None:
    aws = LOCAL.model_copy(update={"target": Target.AWS})
    deploy.deployed(console, Deployed(NOTHING, some_outputs, (), VERIFIED, 5.0), aws, Format.TABLE)
    assert "nothing to change, in 5 s" in printed()
    assert "local status" not in printed()


def test_a_deployment_as_json(console: Console, printed: Printed, some_outputs: Outputs) -> None:
    deploy.deployed(console, Deployed(PLAN, some_outputs, (PROOF,), VERIFIED, 61.2), LOCAL, Format.JSON)
    read = json.loads(printed())
    assert read["outputs"]["secondary_sns_topic_arn"] == "s-sns_topic_arn"
    assert read["payments"][0]["lag_s"] == 0.123
    assert read["verified"]["PASS"] == 0


def test_destroyed(console: Console, printed: Printed) -> None:
    gone = Plan(Path("plan"), 0, 0, 64)
    deploy.destroyed(console, Destroyed(gone, 30.0), LOCAL, Format.TABLE)
    deploy.destroyed(console, Destroyed(NOTHING, 3.0), LOCAL, Format.TABLE)
    assert printed().splitlines() == [
        "Environment demo: 64 resources destroyed in 30 s.",
        "Environment demo has nothing to destroy.",
    ]


def test_destroyed_as_json(console: Console, printed: Printed) -> None:
    deploy.destroyed(console, Destroyed(Plan(Path("plan"), 0, 0, 64), 30.0), LOCAL, Format.JSON)
    assert json.loads(printed()) == {"environment": "demo", "destroyed": 64, "seconds": 30.0}


def test_outputs(console: Console, printed: Printed, some_outputs: Outputs) -> None:
    deploy.outputs(console, some_outputs, Format.TABLE)
    text = printed()
    assert "p-dynamodb_table_name" in text
    deploy.outputs(console, some_outputs, Format.JSON)
    assert json.loads(printed()[len(text) :]) == some_outputs.to_flat()


def test_settings_show_where_each_value_came_from(console: Console, printed: Printed, tmp_path: Path) -> None:
    settings = Settings.resolve(
        {"env": "demo"}, folder=tmp_path, environ={"PAYINFRA_CORS_ORIGINS": "https://a.example"}
    )
    deploy.settings(console, settings, Format.TABLE)
    text = printed()
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[2:] if line.strip()}
    assert rows["env"] == ["demo", "flag"]
    assert rows["cors_origins"] == ["https://a.example", "PAYINFRA_CORS_ORIGINS"]
    assert rows["domain"] == ["-", "default"]
    deploy.settings(console, settings, Format.JSON)
    assert json.loads(printed()[len(text) :])["dns_ttl"] == {"value": 60, "from": "default"}


def test_a_diagnosis_gives_the_fix_only_where_one_is_needed(console: Console, printed: Printed) -> None:
    findings = (
        Prerequisite("Node", True, "v24", "20", "reinstall"),
        Prerequisite("Terraform", False, "none", "1.10", "get it"),
        Prerequisite("permissions", False, "?", "all", "allow it", (Target.AWS,), known=False),
    )
    found = Diagnosis((Target.AWS, Target.LOCAL), findings)
    doctor.diagnosis(console, found, Format.TABLE)
    text = printed()
    assert "reinstall" not in text
    assert "get it" in text
    assert [line.split()[0] for line in text.splitlines() if "permissions" in line] == ["unknown"]
    assert "AWS cannot be used yet." in text
    doctor.diagnosis(console, found, Format.JSON)
    read = json.loads(printed()[len(text) :])
    assert [each["good"] for each in read["findings"]] == [True, False, False]
    assert read["targets"] == {"aws": False, "local": False}
    assert read["findings"][2]["targets"] == ["aws"]


def test_the_embedded_aws_as_table_and_as_json(console: Console, printed: Printed) -> None:
    local.status(console, STATUS, Format.TABLE)
    text = printed()
    assert "http://127.0.0.1:1" in text
    assert "us-east-1 answers nothing" in text
    local.status(console, STATUS, Format.JSON)
    read = json.loads(printed()[len(text) :])
    assert read["endpoints"] == {"us-east-1": "http://127.0.0.1:1"}
    assert (read["dns"], read["pid"]) == ("127.0.0.1:3", 42)
    assert read["faults"][0]["region"] == "us-east-1"


def test_an_embedded_aws_that_is_down(console: Console, printed: Printed) -> None:
    local.status(console, None, Format.TABLE)
    text = printed()
    assert "payinfra local up" in text
    local.status(console, None, Format.JSON)
    assert json.loads(printed()[len(text) :])["running"] is False


def test_faults_as_json_and_none_at_all(console: Console, printed: Printed) -> None:
    local.faults(console, (), Format.TABLE)
    assert printed() == "No fault is in place.\n"
    local.faults(console, (ACTIVE,), Format.JSON)
    assert json.loads(printed().split("\n", 1)[1])[0]["id"] == "fault-1"


IMPORTS = (
    Import("aws_kms_key.data", "k-1"),
    Import("aws_kms_key.audit", "k-2"),
    Import("aws_iam_role.r", "r"),
)


def test_an_adoption(console: Console, printed: Printed, some_outputs: Outputs) -> None:
    deploy.adopted(console, Adopted(IMPORTS, {}, (), NOTHING, some_outputs, 61.0), LOCAL, Format.TABLE)
    lines = [line.split() for line in printed().splitlines()]
    assert ["IAM", "1"] in lines
    assert ["KMS", "2"] in lines
    assert "Environment demo: 3 resources adopted in 61 s. The plan is empty." in printed()


def test_what_an_adoption_leaves_is_told(console: Console, printed: Printed) -> None:
    refused = {"aws_iam_role.r": "it bears no tags"}
    deploy.adopted(console, Adopted((), refused, ("arn:stray",), PLAN, None, 5.0), LOCAL, Format.TABLE)
    text = " ".join(printed().split())
    assert "Not adopted: aws_iam_role.r: it bears no tags." in text
    assert "Delete by hand what nothing needs: left over" in text
    assert "arn:stray" in text
    assert "Plan: 2 to add, 1 to change, 0 to destroy." in text
    assert "It is not what this stack would deploy" in text


def test_an_adoption_as_json(console: Console, printed: Printed, some_outputs: Outputs) -> None:
    found = Adopted(IMPORTS[:1], {"a.b": "why"}, ("arn:stray",), NOTHING, some_outputs, 61.23)
    deploy.adopted(console, found, LOCAL, Format.JSON)
    said = json.loads(printed())
    assert said["adopted"] == [{"address": "aws_kms_key.data", "id": "k-1"}]
    assert said["refused"] == [{"address": "a.b", "reason": "why"}]
    assert (said["left_over"], said["seconds"]) == (["arn:stray"], 61.2)
    assert said["plan"]["summary"] == {"add": 0, "change": 0, "destroy": 0}
    assert said["outputs"]["api_endpoint"] == "p-api_endpoint"
    assert (found.exit_code, Adopted((), {}, (), PLAN, None, 1.0).exit_code) == (0, 1)

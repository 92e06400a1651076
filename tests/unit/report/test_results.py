"""Results: JSON that parses, tables that say what is there, errors with the next step."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, Group, RenderableType
from rich.text import Text

from payinfra.checks.outcome import Finding, Outcome, summarize
from payinfra.checks.verdicts import Kind, Severity
from payinfra.core.errors import EnvironmentUnusable, GateFailed
from payinfra.core.https_address import HttpsAddress
from payinfra.core.outputs import Outputs
from payinfra.core.settings import Settings, Target
from payinfra.deployment.local_domains import HostedZone
from payinfra.deployment.results import Adopted, Deployed, Destroyed, Synthesized, headline
from payinfra.deployment.smoke_test import SmokeTestResult
from payinfra.deployment.stack_manifest import StackInventory
from payinfra.doctor.findings import Diagnosis, Prerequisite
from payinfra.local.endpoints import LocalEndpoints, LocalStatus
from payinfra.local.faults import ActiveFault, RegionBlackout
from payinfra.report import deploy, doctor, local, plan, results
from payinfra.report.formats import Format, PlanFormat
from payinfra.terraform import ChangeAction, Import, Plan, ResourceChange

Printed = Callable[[], str]

PLAN = Plan(
    Path("plan"),
    2,
    1,
    0,
    (ResourceChange("aws_kms_key.data", "aws_kms_key", ChangeAction.CREATE, "cannot_update"),),
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


def at_a_terminal(width: int, *parts: RenderableType) -> list[str]:
    """The lines of a terminal so wide, without what it does itself to lines that are wider."""
    console = Console(
        file=StringIO(), width=width, force_terminal=True, color_system=None, legacy_windows=False
    )
    results.write(console, *parts)
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


URL = "http://127.0.0.1:46521/_aws/execute-api/98e71543/prod/payments"
ARN = f"arn:aws:kms:us-east-1:000000000000:key/{'x' * 120}"
COMMAND = "payinfra failover-drill --restore --env payments-staging --local"


def test_in_a_pipe_a_row_is_a_line_and_nothing_is_folded_cut_or_padded(
    console: Console, printed: Printed
) -> None:
    rows = [("key", ARN, "two\nlines"), ("a", "", "z")]
    results.write(console, results.table(("name", "value", "more"), rows, title="What"))
    assert printed() == f"What\nname\tvalue\tmore\nkey\t{ARN}\ttwo\\nlines\na\t\tz\n"


def test_in_a_pipe_a_row_that_a_terminal_would_fold_is_not(console: Console, printed: Printed) -> None:
    many = " ".join(["word"] * 100)
    results.write(console, results.table(("a", "b"), [("x", many)]))
    assert printed() == f"a\tb\nx\t{many}\n"


def test_in_a_pipe_a_cell_cannot_make_a_column_of_its_own(console: Console, printed: Printed) -> None:
    results.write(console, results.table(("a", "b"), [("x\ty", "z")]))
    assert printed() == "a\tb\nx\\ty\tz\n"


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_on_a_terminal_no_word_of_a_table_is_broken(width: int) -> None:
    rows = [("us-east-1 (primary)", "8 of 8 checkers say healthy", "none", URL)]
    columns = ("region", "health", "in ALARM", "payments go to")
    lines = at_a_terminal(width, results.table(columns, rows))
    assert sum(URL in line for line in lines) == 1
    assert {word for line in lines for word in line.replace("─", " ").split()} == {
        word for cell in (*columns, *rows[0]) for word in cell.split()
    }


def test_a_table_that_fits_between_words_stays_a_table() -> None:
    rows = [("us-east-1 (primary)", "8 of 8 checkers say healthy", "none", URL)]
    lines = at_a_terminal(100, results.table(("region", "health", "in ALARM", "payments go to"), rows))
    assert max(map(len, lines)) <= 100
    assert any(line.split() == ["region", "health", "in", "ALARM", "payments", "go", "to"] for line in lines)


def test_a_table_that_does_not_fit_is_a_line_for_each_cell_or_for_each_row_of_two() -> None:
    rows = [("a", "b c", URL), ("d", "", "e")]
    lines = at_a_terminal(40, results.table(("one", "two", "three"), rows))
    assert lines == ["one    a", "two    b c", f"three  {URL}", "", "one    d", "three  e", ""]
    lines = at_a_terminal(
        40, results.table(("output", "value"), [("url", URL), ("longer", "x")], title="All")
    )
    assert lines == ["All", f"url     {URL}", "longer  x"]


def test_a_sentence_is_folded_and_a_long_word_in_it_is_not() -> None:
    assert at_a_terminal(40, Text(f"Look at {URL} now.")) == ["Look at", URL, "now."]
    assert at_a_terminal(20, Text("Look at what there is now.")) == ["Look at what there", "is now."]


@pytest.mark.parametrize("width", [20, 60, 80])
def test_a_command_stands_alone_and_whole_on_its_line(width: int) -> None:
    lines = at_a_terminal(width, Group(Text("Next:"), results.next_commands([(COMMAND, "put it back")])))
    assert lines == ["Next:", "  # put it back", f"  {COMMAND}"]


@pytest.mark.parametrize("width", [40, 60, 200])
def test_what_is_where_can_be_copied_at_any_width(width: int, some_outputs: Outputs) -> None:
    primary = replace(some_outputs.primary, api_endpoint=URL)
    done = Deployed(PLAN, replace(some_outputs, primary=primary), (), VERIFIED, 1.0)
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    deploy.deployed(console, done, LOCAL, Format.TABLE)
    file = console.file
    assert isinstance(file, StringIO)
    assert f"  API            {URL}\n" in file.getvalue()


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
    plan.planned(console, PLAN, PlanFormat.TABLE)
    text = printed()
    assert "create" in text
    assert "aws_kms_key.data" in text
    assert "Plan: 2 to add" in text
    plan.planned(console, PLAN, PlanFormat.JSON)
    read = json.loads(printed()[len(text) :])
    assert read["summary"] == {"add": 2, "change": 1, "destroy": 0}
    assert read["changes"][0]["address"] == "aws_kms_key.data"


def test_an_empty_plan_says_so(console: Console, printed: Printed) -> None:
    plan.planned(console, NOTHING, PlanFormat.TABLE)
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
    assert "Without --domain the names serve rehearsals, not clients" in text


def test_a_deployment_names_what_its_probes_warn_of_and_what_to_do(
    console: Console, printed: Printed, some_outputs: Outputs
) -> None:
    finding = Finding(
        "LIVE-SNS-002",
        Kind.WARN,
        Severity.HIGH,
        "The address has confirmed its subscription",
        "us-east-1",
        "ops@example.com has not confirmed yet in us-east-1: no alarm reaches it",
        "Open the confirmation that AWS sent to the address.",
        "Payments fail and nobody is told.",
    )
    verified = replace(VERIFIED, findings=(finding,))
    deploy.deployed(console, Deployed(PLAN, some_outputs, (PROOF,), verified, 61.2), LOCAL, Format.TABLE)
    assert "LIVE-SNS-002  us-east-1  ops@example.com has not confirmed yet in us-east-1" in printed()
    assert "fix LIVE-SNS-002: Open the confirmation that AWS sent to the address." in printed()


def test_a_deployment_without_changes_says_so(
    console: Console, printed: Printed, some_outputs: Outputs
) -> None:
    aws = LOCAL.model_copy(update={"target": Target.AWS, "domain": "pay.test"})
    deploy.deployed(console, Deployed(NOTHING, some_outputs, (), VERIFIED, 5.0), aws, Format.TABLE)
    assert "nothing to change, in 5 s" in printed()
    assert "local status" not in printed()
    assert "rehearsals" not in printed()


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
    marks = {"schema": "payinfra/destruction-1", "version": 1}
    assert json.loads(printed()) == marks | {"environment": "demo", "destroyed": 64, "seconds": 30.0}


def test_outputs(console: Console, printed: Printed, some_outputs: Outputs) -> None:
    deploy.outputs(console, some_outputs, Format.TABLE, everything=True)
    text = printed()
    assert "p-dynamodb_table_name" in text
    deploy.outputs(console, some_outputs, Format.JSON)
    assert json.loads(printed()[len(text) :]) == {
        "schema": "payinfra/outputs-1",
        "version": 1,
        **some_outputs.to_flat(),
    }


def test_settings_show_where_each_value_came_from(console: Console, printed: Printed, tmp_path: Path) -> None:
    settings = Settings.resolve(
        {"env": "demo"}, folder=tmp_path, environ={"PAYINFRA_CORS_ORIGINS": "https://a.example"}
    )
    deploy.settings(console, settings, Format.TABLE)
    text = printed()
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:]}
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


SECURED = LocalEndpoints(
    {},
    "http://127.0.0.1:2",
    "127.0.0.1:3",
    42,
    {"us-west-2": HttpsAddress("127.0.0.2", "127.0.0.1:4570")},
    "/a b/authority.pem",
)


def test_how_to_trust_the_domains_of_the_embedded_aws(console: Console, printed: Printed) -> None:
    local.trust(console, SECURED, [("us-west-2", "pay.test")], Format.TABLE)
    assert "dig +short @127.0.0.1 -p 3 pay.test A\n" in printed()
    assert (
        "curl --cacert '/a b/authority.pem' --connect-to pay.test:443:127.0.0.1:4570 "
        "https://pay.test/health\n"
    ) in printed()
    assert "There is no custom domain yet" not in printed()


def test_without_a_domain_there_is_nothing_to_reach(console: Console, printed: Printed) -> None:
    local.trust(console, SECURED, [], Format.TABLE)
    assert "There is no custom domain yet" in printed()


def test_what_is_to_be_trusted_as_json(console: Console, printed: Printed) -> None:
    local.trust(console, SECURED, [("us-west-2", "pay.test")], Format.JSON)
    assert json.loads(printed())["domains"] == [
        {"name": "pay.test", "region": "us-west-2", "address": "127.0.0.2", "listens": "127.0.0.1:4570"}
    ]


def test_a_status_shows_where_domains_are_served(console: Console, printed: Printed) -> None:
    local.status(console, replace(STATUS, endpoints=SECURED), Format.TABLE)
    assert "https://127.0.0.1:4570, in DNS 127.0.0.2" in printed()
    assert "/a b/authority.pem" in printed()


@pytest.mark.parametrize("fmt", Format)
def test_a_hosted_zone_is_printed_as_a_shell_takes_it(
    console: Console, printed: Printed, fmt: Format
) -> None:
    local.zone(console, HostedZone("Z123", "pay.test", made=True), fmt)
    assert (printed() == "Z123\n") is (fmt is Format.TABLE)
    assert fmt is Format.TABLE or json.loads(printed())["id"] == "Z123"

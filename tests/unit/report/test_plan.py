"""Plans as they are read: losses first, by region and service, twins in one line, all of it with --full."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from payinfra.report import plan as report
from payinfra.report.formats import PlanFormat
from payinfra.terraform import (
    AttributeChange,
    ChangeAction,
    Plan,
    PlannedCosts,
    ResourceChange,
    ReviewedChange,
)
from payinfra.terraform.plan import OutputChange

Printed = Callable[[], str]
EAST, WEST = "us-east-1", "us-west-2"


def change(
    name: str,
    region: str,
    *attributes: AttributeChange,
    action: ChangeAction = ChangeAction.UPDATE,
    kind: str = "f",
) -> ReviewedChange:
    return ReviewedChange(f"aws_lambda_{kind}.{name}", f"aws_lambda_{kind}", action, region, attributes)


def plan(*changes: ReviewedChange, first: bool = False) -> Plan:
    plain = tuple(ResourceChange(one.address, one.type, one.action) for one in changes)
    made = sum(one.action is ChangeAction.CREATE for one in changes)
    return Plan(Path("plan"), made, len(changes) - made, 0, plain, reviewed=changes, first=first)


MEMORY = AttributeChange("memory_size", 512, 1024)
TWINS = (change("primary_f", EAST, MEMORY), change("secondary_f", WEST, MEMORY))
READ = change("secondary_d", WEST, action=ChangeAction.READ)


def table(console: Console, printed: Printed, of: Plan, *, full: bool = False) -> list[str]:
    before = len(printed())
    report.planned(console, of, PlanFormat.TABLE, full=full)
    return printed()[before:].splitlines()


def test_twins_are_one_line_and_reads_are_none(console: Console, printed: Printed) -> None:
    assert table(console, printed, plan(*TWINS, READ)) == [
        "Changed",
        "  us-east-1 and us-west-2, Lambda",
        "    update  aws_lambda_f.{primary,secondary}_f",
        "      memory_size: 512 → 1024",
        "Plan: 0 to add, 3 to change, 0 to destroy.",
    ]


def test_twins_whose_values_name_their_region_are_twins(console: Console, printed: Printed) -> None:
    named = [
        change(f"{role}_f", region, AttributeChange("arn", f"arn:{region}:{role}", known=False))
        for role, region in (("primary", EAST), ("secondary", WEST))
    ]
    lines = table(console, printed, plan(*named))
    both = "arn:{us-east-1,us-west-2}:{primary,secondary}"
    assert lines[3] == f'      arn: "{both}" → (known after the apply)'
    assert len(lines) == 5


def test_twins_whose_values_are_not_one_text_have_a_line_each(console: Console, printed: Printed) -> None:
    named = [
        change(f"{role}_f", region, AttributeChange("peers", f"primary {role}", f"{region}"))
        for role, region in (("primary", EAST), ("secondary", WEST))
    ]
    lines = table(console, printed, plan(*named))
    assert lines[3:5] == [
        '      in us-east-1, peers: "primary primary" → "us-east-1"',
        '      in us-west-2, peers: "primary secondary" → "us-west-2"',
    ]


def test_full_shows_each_by_itself_and_what_is_read(console: Console, printed: Printed) -> None:
    lines = table(console, printed, plan(*TWINS, READ), full=True)
    assert "  us-east-1, Lambda" in lines
    assert "    update  aws_lambda_f.secondary_f" in lines
    assert "    read  aws_lambda_f.secondary_d" in lines


def test_what_differs_in_more_than_the_region_is_not_folded(console: Console, printed: Printed) -> None:
    other = AttributeChange("memory_size", 256, 1024)
    lines = table(console, printed, plan(TWINS[0], change("secondary_f", WEST, other)))
    assert "      memory_size: 512 → 1024" in lines
    assert "      memory_size: 256 → 1024" in lines


def test_losses_come_first_and_say_why(console: Console, printed: Printed) -> None:
    name = AttributeChange("name", "a", "b", replaces=True)
    lost = change("x", EAST, name, action=ChangeAction.REPLACE, kind="z")
    gone = change("y", EAST, action=ChangeAction.DELETE, kind="z")
    lines = table(console, printed, plan(*TWINS, change("w", EAST, action=ChangeAction.CREATE), lost, gone))
    assert [line for line in lines if not line.startswith(" ")][:3] == [
        "Replaced or deleted",
        "Changed",
        "Created",
    ]
    assert '      name: "a" → "b", which makes it anew' in lines
    assert "    delete  aws_lambda_z.y" in lines


def test_a_secret_is_said_to_differ(console: Console, printed: Printed) -> None:
    lines = table(console, printed, plan(change("x", EAST, AttributeChange("value", sensitive=True))))
    assert "      value: differs (sensitive)" in lines


def test_a_long_value_is_whole_only_in_full(console: Console, printed: Printed) -> None:
    long = plan(change("x", EAST, AttributeChange("text", None, "y" * 500)))
    assert "(502 characters, all with --full)" in "".join(table(console, printed, long))
    assert "y" * 500 in "".join(table(console, printed, long, full=True))


def test_a_first_deployment_is_a_summary_by_service(console: Console, printed: Printed) -> None:
    made = [
        change(f"{role}_{at}", region, MEMORY, action=ChangeAction.CREATE)
        for role, region in (("primary", EAST), ("secondary", WEST))
        for at in range(30)
    ]
    text = "\n".join(table(console, printed, plan(*made, first=True)))
    assert "aws_lambda" not in text
    assert "service\tus-east-1\tus-west-2\nLambda\t30\t30" in text
    assert "aws_lambda_f.primary_7" in "".join(table(console, printed, plan(*made, first=True), full=True))
    later = "".join(table(console, printed, plan(*made)))
    assert "aws_lambda_f.{primary,secondary}_7" in later
    assert "memory_size" not in later


def test_a_destruction_is_a_summary_that_names_lost_data(console: Console, printed: Printed) -> None:
    table_ = ResourceChange("aws_dynamodb_table.t", "aws_dynamodb_table", ChangeAction.DELETE)
    lines = table(console, printed, Plan(Path("plan"), 0, 0, 1, (table_,)))
    assert "DynamoDB\t1" in lines
    assert "Lost: table aws_dynamodb_table.t would be deleted." in lines


def test_a_change_that_was_not_reviewed_is_never_hidden(console: Console, printed: Printed) -> None:
    reviewed = plan(*TWINS)
    extra = ResourceChange("aws_kms_key.k", "aws_kms_key", ChangeAction.UPDATE)
    text = "".join(table(console, printed, replace(reviewed, changes=(*reviewed.changes, extra))))
    assert "update  aws_kms_key.k" in text


def test_outputs_that_change_are_named(console: Console, printed: Printed) -> None:
    of = Plan(Path("plan"), 0, 0, 0, outputs=(OutputChange("api", ChangeAction.UPDATE, False),))
    assert table(console, printed, of)[:2] == ["Outputs", "    update  api"]
    assert "**Outputs** that change: api" in report.markdown(of)


def test_scripts_get_each_resource_with_its_region_and_values(console: Console, printed: Printed) -> None:
    report.planned(console, plan(*TWINS), PlanFormat.JSON)
    read = json.loads(printed())
    assert (read["schema"], read["version"]) == ("payinfra/plan-1", 1)
    assert [(one["region"], one["service"]) for one in read["changes"]] == [
        (EAST, "Lambda"),
        (WEST, "Lambda"),
    ]
    assert read["changes"][0]["attributes"] == [
        {
            "path": "memory_size",
            "before": 512,
            "after": 1024,
            "known": True,
            "sensitive": False,
            "replaces": False,
        }
    ]


def test_markdown_has_the_same_and_obeys_nobody(console: Console, printed: Printed) -> None:
    hostile = AttributeChange("tags.x", "a", "<b>@all</b>")
    report.planned(console, plan(*TWINS, change("x", EAST, hostile)), PlanFormat.MARKDOWN)
    text = printed()
    assert text.startswith("**Plan:** 0 to add, 3 to change")
    assert "- update: aws\\_lambda\\_f.\\{primary,secondary\\}\\_f (us-east-1 and us-west-2, Lambda)" in text
    assert "  - memory\\_size: 512 → 1024" in text
    assert "<b>" not in text
    assert "@all" not in text


def test_a_first_deployment_in_a_comment_is_a_table_of_services() -> None:
    made = plan(change("x", EAST, action=ChangeAction.CREATE), first=True)
    assert report.markdown(made)[1] == "| service | us-east-1 |\n| --- | --- |\n| Lambda | 1 |"


@pytest.mark.parametrize(
    ("now", "then", "said"),
    [
        (100.6, 55.0, "55 dollars a month, 46 less than now."),
        (0, 55.0, ", 55 more than now."),
        (9, 9, ", as now."),
    ],
)
def test_a_plan_says_what_it_costs(
    console: Console, printed: Printed, now: float, then: float, said: str
) -> None:
    of = replace(plan(*TWINS), costs=PlannedCosts(now, then))
    assert table(console, printed, of)[-1].endswith(said)
    assert said in report.markdown(of)[0]
    assert report.plan_document(of)["costs"] == {"currency": "USD", "monthly_now": now, "monthly_then": then}
    assert "than now" not in table(console, printed, replace(of, first=True))[-1]


def test_a_plan_says_what_else_stands_and_has_no_known_price(console: Console, printed: Printed) -> None:
    besides = {"aws_sfn_state_machine": 2, "aws_kinesis_stream": 1}
    of = replace(plan(*TWINS), costs=PlannedCosts(9, 9, besides))
    said = ", as now; not priced: aws_sfn_state_machine x 2, aws_kinesis_stream x 1."
    assert table(console, printed, of)[-1].endswith(said)
    assert said in report.markdown(of)[0]
    costs = report.plan_document(of)["costs"]
    assert costs == {"currency": "USD", "monthly_now": 9, "monthly_then": 9, "not_priced": besides}

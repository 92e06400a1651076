"""The page about costs counts what the stack really has, and its sums are right."""

import re
from pathlib import Path

import pytest

from tests.synth.stacks.conftest import Synthesized

PAGE = (Path(__file__).parents[3] / "docs" / "costs.md").read_text(encoding="utf-8")
PRICED = {
    "KMS customer keys": "kms_key",
    "CloudWatch alarms": "cloudwatch_metric_alarm",
    "CloudWatch dashboards": "cloudwatch_dashboard",
    "metric filters' metrics": "cloudwatch_log_metric_filter",
    "Route 53 zone, where you bring no domain": "route53_zone",
    "Route 53 health checks, HTTPS, every 10 s": "route53_health_check",
}

FREE = (
    *("api_gateway_", "dynamodb_table", "iam_", "kms_alias", "lambda_", "s3_bucket", "sns_topic"),
    *("ssm_parameter", "cloudwatch_log_group", "route53_record"),
)
"""Types that cost nothing while nothing happens, or what they store."""


def rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(("what", "kind"), PRICED.items())
def test_what_is_priced_is_what_stands(local: Synthesized, what: str, kind: str) -> None:
    (row,) = (row for row in rows("What stands") if row[0] == what)
    assert int(row[1]) == len(local.of(kind))


def test_nothing_stands_that_costs_and_is_not_priced(local: Synthesized) -> None:
    """Each type of resource has been looked at; a new one makes somebody look at the page."""
    types = {type_.removeprefix("aws_") for type_ in local.content["resource"]}
    assert {type_ for type_ in types if not type_.startswith(FREE)} == set(PRICED.values())


@pytest.mark.parametrize("heading", ["What stands", "What the health checks cause"])
def test_the_sum_is_the_sum(heading: str) -> None:
    table = rows(heading)
    last = next(position for position, row in enumerate(table) if row[0] == "sum")
    total = sum(float(row[-1]) for row in table[:last])
    assert float(table[last][-1]) == pytest.approx(total, abs=0.011)


def test_idle_is_what_stands_and_what_the_checks_cause() -> None:
    stands = float(next(row for row in rows("What stands") if row[0] == "sum")[-1])
    caused = float(next(row for row in rows("What the health checks cause") if row[0] == "both regions")[-1])
    found = re.search(r"about (\d+) dollars a month\*\*, (\d+) cents an hour", PAGE)
    assert found
    assert int(found[1]) == round(stands + caused)
    assert int(found[2]) == round((stands + caused) / 730 * 100)

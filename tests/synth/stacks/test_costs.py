"""The page about costs counts what the stack really has, and its sums are right."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from payinfra.account import costs
from tests.synth.stacks.conftest import Synthesized

PAGE = (
    (Path(__file__).parents[3] / "docs" / "costs.md")
    .read_text(encoding="utf-8")
    .replace("\N{MULTIPLICATION SIGN}", "x")
)
PRICED = {
    "KMS customer keys": "kms_key",
    "CloudWatch alarms": "cloudwatch_metric_alarm",
    "CloudWatch dashboards": "cloudwatch_dashboard",
    "metric filters' metrics": "cloudwatch_log_metric_filter",
    "Route 53 zone, where you bring no domain": "route53_zone",
}
HEALTH_CHECKS = {
    "Route 53 health checks, HTTPS, every 10 s": "_health_check",
    "Route 53 health checks on an evacuation's page, HTTPS, every 30 s": "_evacuation_flag",
    "Route 53 health checks that count others": "_evacuation_serving",
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


@pytest.mark.parametrize(("what", "end"), HEALTH_CHECKS.items())
def test_health_checks_are_priced_by_their_kind(local: Synthesized, what: str, end: str) -> None:
    (row,) = (row for row in rows("What stands") if row[0] == what)
    assert int(row[1]) == sum(name.endswith(end) for name in local.of("route53_health_check"))


def test_nothing_stands_that_costs_and_is_not_priced(local: Synthesized) -> None:
    """Each type of resource has been looked at; a new one makes somebody look at the page."""
    types = {type_.removeprefix("aws_") for type_ in local.content["resource"]}
    assert {type_ for type_ in types if not type_.startswith(FREE)} == {
        *PRICED.values(),
        "route53_health_check",
    }
    assert all(name.endswith(tuple(HEALTH_CHECKS.values())) for name in local.of("route53_health_check"))


UNITS = {"M": 1e6, "k": 1e3, "ms": 1e-3, "": 1.0, "GB": 1.0}
"""What a number is multiplied by. Prices are by the gigabyte and by the second."""

TERM = re.compile(r"(\d[\d.]*)? ?(M|k|ms|GB)?")


def value(arithmetic: str) -> float | None:
    """What a product such as `4.2 M x 3.50 / M` comes to; of `a = b x c`, the last. None where it is none."""
    told = re.sub(r"\(.*?\)", "", arithmetic.rpartition("= ")[2])
    total = 1.0
    for sign, factor in re.findall(r"(^|x|/)([^x/]+)", told):
        term = TERM.fullmatch(factor.strip().removesuffix(" traces"))
        if term is None:
            return None
        number = float(term[1] or 1) * UNITS[term[2] or ""]
        total = total / number if sign == "/" else total * number
    return total


@pytest.mark.parametrize(
    ("arithmetic", "comes_to"),
    [
        ("4.2 M x 3.50 / M", 14.7),
        ("2 M x 20 ms x 0.5 GB x 0.0000166667", 0.333334),
        ("1 a second = 2.7 M traces x 5.00 / M", 13.5),
        ("2 M x 0.005 / 1 k", 10.0),
        ("some words", None),
    ],
)
def test_arithmetic_is_read_as_it_is_written(arithmetic: str, comes_to: float | None) -> None:
    assert value(arithmetic) == (None if comes_to is None else pytest.approx(comes_to))


ARITHMETIC = [
    pytest.param(row, id=row[0])
    for heading in (
        "What the health checks cause",
        "What being able to evacuate costs",
        "What payments cost on top",
    )
    for row in rows(heading)
    if row[1] and row[0] != "KMS"
]


@pytest.mark.parametrize("row", ARITHMETIC)
def test_the_figure_is_what_the_arithmetic_comes_to(row: list[str]) -> None:
    assert float(row[2]) == pytest.approx(value(row[1]), abs=0.0051)


@pytest.mark.parametrize("heading", ["What stands", "What a lean environment costs"])
def test_what_stands_costs_its_number_times_its_price(heading: str) -> None:
    for what, number, price, figure in rows(heading):
        if what != "sum" and number:
            parts = re.findall(r"\d+\.\d\d", re.sub(r"\([^)]*\d[^)]*\)", "", price))
            assert float(figure) == pytest.approx(int(number) * sum(map(float, parts))), what


def test_the_requests_of_health_checks_are_computed() -> None:
    found = re.search(r"\*\*([\d.]+) million a month and\nregion\*\* \(6 / 10 s x 3,600 s x 730 h\)", PAGE)
    assert found
    assert float(found[1]) == pytest.approx(6 / 10 * 3600 * 730 / 1e6, abs=0.005)


def test_what_that_means_follows_from_an_hour() -> None:
    stands = float(next(row for row in rows("What stands") if row[0] == "sum")[-1])
    caused = float(next(row for row in rows("What the health checks cause") if row[0] == "both regions")[-1])
    evacuable = {row[0]: float(row[-1]) for row in rows("What being able to evacuate costs")}
    assert evacuable["sum"] == pytest.approx(sum([*evacuable.values()][:-2]))
    assert evacuable["both regions"] == pytest.approx(2 * evacuable["sum"])
    assert evacuable["sum"] + 0.50 + 1.00 + 0.50 < 5
    slow = re.search(r"which come to ([\d.]+) \(([^)]*)\)", PAGE)
    assert slow
    assert sum(map(float, re.findall(r"\d+\.\d\d", slow[2]))) == pytest.approx(float(slow[1]))
    about = {row[0]: float(row[3]) for row in rows("What that means")}
    idle = stands + caused + evacuable["both regions"]
    lean = float(rows("What a lean environment costs")[-1][-1])
    assert about["a pull request's, one working day of 8 hours"] == pytest.approx(lean / 730 * 8, abs=0.01)
    assert about["the same, open for a week"] == round(lean / 730 * 168)
    assert about["staging"] == round(stands - 2 * 1.00 + 2 * float(slow[1]) + evacuable["both regions"])
    assert about["production, before any payment"] == round(idle - 0.50)


@pytest.mark.parametrize(
    "heading",
    [
        "What stands",
        "What the health checks cause",
        "What a lean environment costs",
        "What payments cost on top",
    ],
)
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
    caused += next(
        float(row[-1]) for row in rows("What being able to evacuate costs") if row[0] == "both regions"
    )
    assert int(found[1]) == round(stands + caused)
    assert int(found[2]) == round((stands + caused) / 730 * 100)


def priced(content: Mapping[str, Any]) -> float:
    """What a synthesized stack costs, as `plan` computes it."""
    return costs.of_resources(
        (kind, block) for kind, blocks in content["resource"].items() for block in blocks.values()
    )


def test_the_product_computes_what_the_page_says(local: Synthesized) -> None:
    stands = float(next(row for row in rows("What stands") if row[0] == "sum")[-1])
    caused = float(next(row for row in rows("What the health checks cause") if row[0] == "both regions")[-1])
    slow = re.search(r"which come to ([\d.]+) \(", PAGE)
    assert slow
    assert costs.TRAFFIC.monthly(costs.FAST_S) * 2 == pytest.approx(caused, abs=0.011)
    assert costs.TRAFFIC.monthly(costs.SLOW_S) == pytest.approx(float(slow[1]), abs=0.011)
    evacuable = next(
        float(row[-1]) for row in rows("What being able to evacuate costs") if row[0] == "both regions"
    )
    assert costs.EVACUATION.monthly(costs.SLOW_S) * 2 == pytest.approx(evacuable, abs=0.025)
    assert priced(local.content) == pytest.approx(stands + caused + evacuable, abs=0.04)


def test_an_idle_environment_stays_within_what_is_promised(local: Synthesized, lean: Synthesized) -> None:
    """What a month may cost: 45 dollars with everything, 25 for an environment that is thrown away."""
    assert priced(local.content) < 45
    assert priced(lean.content) < 25


def test_a_lean_environment_costs_what_the_page_says(lean: Synthesized) -> None:
    table = rows("What a lean environment costs")
    for what, number, *_ in table[:-1]:
        if kind := PRICED.get(what):
            assert int(number) == len(lean.of(kind)), what
    assert {row[0] for row in table} >= {what for what in PRICED if "metric" not in what}
    assert priced(lean.content) == pytest.approx(float(table[-1][-1]), abs=0.04)
    listed = {what: len(lean.of(kind.removeprefix("aws_"))) for what, kind in costs.LISTED.items()}
    # A list does not say how often a health check asks: at most every 10 seconds.
    faster = (
        costs.FAST_HEALTH_CHECK + costs.TRAFFIC.monthly(costs.FAST_S) - costs.TRAFFIC.monthly(costs.SLOW_S)
    )
    assert costs.of_environment(listed, 2) == pytest.approx(priced(lean.content) + 2 * faster)


def test_a_list_of_an_account_comes_to_the_same(local: Synthesized) -> None:
    listed = {what: len(local.of(kind.removeprefix("aws_"))) for what, kind in costs.LISTED.items()}
    assert costs.of_environment(listed, 2) == pytest.approx(priced(local.content))


def test_every_price_of_the_page_is_the_products() -> None:
    for what, number, price, _ in rows("What stands"):
        if what in PRICED and not what.startswith("Route 53 health"):
            assert costs.STANDING[f"aws_{PRICED[what]}"] == float(re.findall(r"\d+\.\d\d", price)[0]), number

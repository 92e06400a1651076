"""A function's runtime is judged by the day on which AWS deprecates it."""

import json
from datetime import date
from pathlib import Path

import pytest

from payinfra.checks.api import CheckRequest, run_checks
from payinfra.checks.manifest import Json, Manifest
from payinfra.checks.policy.awslambda import runtime_is_supported
from payinfra.checks.verdicts import Kind, Verdict
from payinfra.core.setting_declarations import BY_NAME
from tests.unit.checks.engine.test_plan import change, config, document


def judged(runtime: Json, day: date) -> Verdict:
    function: Json = {"runtime": runtime, "handler": "app.handle"}
    manifest = Manifest.from_json({"resource": {"aws_lambda_function": {"f": function}}}, day=day)
    verdict = runtime_is_supported(manifest.all("aws_lambda_function")[0], manifest)
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.parametrize(
    ("day", "kind", "says"),
    [
        (date(2026, 12, 31), Kind.PASS, ""),
        (date(2027, 1, 1), Kind.WARN, "AWS deprecates python3.11 on 2027-06-30, in 180 days"),
        (date(2027, 6, 29), Kind.WARN, "AWS deprecates python3.11 on 2027-06-30, in 1 day"),
        (date(2027, 6, 30), Kind.FAIL, "python3.11 is deprecated since 2027-06-30"),
    ],
)
def test_a_person_is_told_half_a_year_before_the_end(day: date, kind: Kind, says: str) -> None:
    verdict = judged("python3.11", day)
    assert (verdict.kind, verdict.message) == (kind, says)


def test_each_runtime_that_can_be_chosen_has_an_end() -> None:
    for runtime in BY_NAME["lambda_runtime"].choices:
        assert judged(runtime, date(2026, 11, 29)).kind is Kind.PASS
        assert judged(runtime, date(2031, 1, 1)).kind is Kind.FAIL


def test_what_is_left_out_by_a_condition_changes_no_day() -> None:
    manifest = Manifest.from_json({"resource": {"aws_x": {"y": {}}}}, day=date(2027, 1, 1))
    assert manifest.without("count").day == date(2027, 1, 1)


@pytest.mark.parametrize("planned", [False, True])
def test_the_day_of_a_check_is_the_day_of_its_manifests(planned: bool, tmp_path: Path) -> None:
    function = {"runtime": "python3.11", "handler": "app.handle"}
    file = tmp_path / "plan.json"
    if planned:
        function_body = {"runtime": {"constant_value": "python3.11"}}
        root = {"resources": [config("aws_lambda_function", "f", function_body)]}
        shown = document([change("aws_lambda_function.f", function)], root)
        file.write_text(json.dumps(shown))
        request = CheckRequest(plans=(file,), select=("PI-LAM-005",))
    else:
        file = tmp_path / "cdk.tf.json"
        file.write_text(json.dumps({"resource": {"aws_lambda_function": {"f": function}}}))
        request = CheckRequest((file,), select=("PI-LAM-005",))
    for day, kind in ((date(2027, 1, 2), Kind.WARN), (date(2027, 7, 1), Kind.FAIL)):
        (finding,) = run_checks(request, on=day).findings
        assert finding.verdict is kind

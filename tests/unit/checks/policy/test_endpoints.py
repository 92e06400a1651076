"""Where providers and functions are told that AWS is, other than in a provider's own block."""

import json
from pathlib import Path
from typing import Any

import pytest

from payinfra.checks.manifest import Manifest
from payinfra.checks.verdicts import Kind
from tests.unit.checks.policy.test_unusual import gravest, worst

AWAY = "https://collector.example.com"
SERVICES = f"services = away\n[services away]\ndynamodb =\n  endpoint_url = {AWAY}\n"


def kind_of(folder: Path, provider: dict[str, Any]) -> Kind:
    """The verdict on a provider beside the files of a folder."""
    file = folder / "cdk.tf.json"
    topic = {"aws_sns_topic": {"t": {"name": "t"}}}
    stack = {"resource": topic, "provider": {"aws": [{"region": "eu-west-1", **provider}]}}
    file.write_text(json.dumps(stack), encoding="utf-8")
    return gravest("PI-TF-001", Manifest.load(file))


@pytest.mark.parametrize(
    ("text", "profile", "kind"),
    [
        (f"[default]\nendpoint_url = {AWAY}\n", None, Kind.FAIL),
        (f"[default]\n{SERVICES}", None, Kind.FAIL),
        ("[default]\nendpoint_url = http://127.0.0.1:4566\n", None, Kind.PASS),
        (f"[default]\nendpoint_url = http://127.0.0.1:4566\n{SERVICES}", None, Kind.FAIL),
        (f"[profile pay]\nendpoint_url={AWAY}\n", "pay", Kind.FAIL),
        (f"[profile pay]\n{SERVICES}", "pay", Kind.FAIL),
        (f"[profile other]\nendpoint_url={AWAY}\n", "pay", Kind.PASS),
        (f"[default]\nregion = eu-west-1\n[services away]\ns3 =\n  endpoint_url = {AWAY}\n", None, Kind.PASS),
        ("[default]\nendpoint_url = https://dynamodb.eu-west-1.amazonaws.com\n", None, Kind.PASS),
        (f"[default]\nignore_configured_endpoint_urls = true\nendpoint_url = {AWAY}\n", None, Kind.PASS),
        ("[default]\nservices = gone\n", None, Kind.PASS),
        ("no file of AWS's", None, Kind.PASS),
        ("#" * 100_001, None, Kind.PASS),
    ],
)
@pytest.mark.parametrize("named", ["aws/config", "./aws/config", "${path.module}/aws/config"])
def test_a_config_file_beside_the_stack_says_where_calls_go(
    tmp_path: Path, text: str, profile: str | None, kind: Kind, named: str
) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "config").write_text(text, encoding="utf-8")
    provider = {"shared_config_files": [named], **({"profile": profile} if profile else {})}
    assert kind_of(tmp_path, provider) is kind


@pytest.mark.parametrize("named", [["~/.aws/config"], ["gone"], ["${var.file}"], "${var.files}"])
def test_a_config_file_that_is_not_the_stacks_says_nothing(tmp_path: Path, named: object) -> None:
    assert kind_of(tmp_path, {"shared_config_files": named}) is Kind.PASS


def test_a_config_file_outside_the_stack_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"[default]\nendpoint_url = {AWAY}\n", encoding="utf-8")
    assert kind_of(tmp_path, {"shared_config_files": [str(tmp_path / "config")]}) is Kind.PASS


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("AWS_ENDPOINT_URL", AWAY, Kind.FAIL),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://localstack:4566", Kind.FAIL),
        ("AWS_ENDPOINT_URL_S3", "${local.away}", Kind.FAIL),
        ("AWS_ENDPOINT_URL_S3", "${var.url}", Kind.UNKNOWN),
        ("AWS_ENDPOINT_URL_S3", "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com", Kind.PASS),
        ("AWS_ENDPOINT_URL_STS", 'https://${aws_vpc_endpoint.sts.dns_entry[0]["dns_name"]}', Kind.PASS),
        ("AWS_ENDPOINT_URL_STS", "", Kind.PASS),
        ("AWS_ENDPOINT_URL", "http://localhost:2773", Kind.PASS),
        ("ENDPOINT_URL", AWAY, Kind.PASS),
    ],
)
def test_a_functions_variables_say_where_its_calls_go(name: str, value: str, kind: Kind) -> None:
    functions = {
        "f": {"function_name": "f", "environment": [{"variables": {name: value}}]},
        "g": {"function_name": "g"},
    }
    stack = {"aws_lambda_function": functions, "aws_vpc_endpoint": {"sts": {}}}
    more = {"locals": {"away": AWAY}, "provider": {"aws": {"region": "eu-west-1"}}}
    assert worst("PI-TF-001", stack, **more) is kind


def test_functions_of_a_stack_on_this_machine_may_ask_it() -> None:
    local = {"region": "eu-west-1", "endpoints": [{"s3": "http://127.0.0.1:4566"}]}
    function = {"environment": [{"variables": {"AWS_ENDPOINT_URL": "http://host.docker.internal:4566"}}]}
    stack = {"aws_lambda_function": {"f": function}}
    assert worst("PI-TF-001", stack, provider={"aws": local}) is Kind.PASS
    assert worst("PI-TF-001", stack) is Kind.FAIL

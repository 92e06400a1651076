"""The fixture for tests of one's own: typed outputs, and clients of either region."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.outputs import Outputs
from payinfra.pytest_plugin import load
from tests.unit.checks.probes.conftest import outputs

HTTPS = "https://api1.execute-api.us-east-1.amazonaws.com/prod/payments"


def write(folder: Path, endpoint: str) -> Path:
    found: Outputs = replace(outputs(), primary=replace(outputs().primary, api_endpoint=endpoint))
    file = folder / "cfn-outputs" / "flat-outputs.json"
    file.parent.mkdir()
    file.write_text(json.dumps(found.to_flat()))
    return file


def test_on_aws_clients_are_awss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    found = load(write(tmp_path, HTTPS))
    assert found.client("dynamodb").meta.region_name == "us-east-1"
    assert "us-west-2.amazonaws.com" in found.client("dynamodb", "secondary").meta.endpoint_url


def test_an_embedded_aws_that_does_not_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="is not running"):
        load(write(tmp_path, "http://127.0.0.1:4566/x"), tmp_path)


def test_a_deployment_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="cannot be read"):
        load(tmp_path / "absent.json")

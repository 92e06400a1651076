"""Checking a manifest needs neither cdktf nor boto3, and starts fast because it loads neither."""

import subprocess
import sys

import pytest

HEAVY = {
    "boto3",
    "botocore",
    "cdktf",
    "cdktf_cdktf_provider_aws",
    "httpx",
    "jsii",
    "pydantic",
    "rich",
    "typer",
}


@pytest.mark.parametrize(
    "imported",
    [
        "payinfra.checks.api",
        "payinfra.checks.catalogue; payinfra.checks.catalogue.load()",
        "payinfra.report.findings.rendering",
        "payinfra.checks.checkov",
    ],
)
def test_nothing_heavy_is_loaded(imported: str) -> None:
    program = f"import sys; import {imported}; print(*sorted({{one.split('.')[0] for one in sys.modules}}))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) & HEAVY == set()

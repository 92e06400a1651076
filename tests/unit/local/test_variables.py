"""The variables that a shell needs for the embedded AWS."""

import io
import subprocess

import pytest
from rich.console import Console

from payinfra.core.access_key import AccessKey
from payinfra.core.errors import UsageProblem
from payinfra.local.endpoints import LocalEndpoints
from payinfra.local.variables import OVERRIDING, variables
from payinfra.report import local as report
from payinfra.report.formats import VariablesFormat

HERE = LocalEndpoints(
    {"us-east-1": "http://127.0.0.1:4566", "us-west-2": "http://127.0.0.1:4567"},
    "http://127.0.0.1:4560",
    "",
    7,
)
KEY = AccessKey("AKIAX", "se-cr_et")


def test_each_region_has_an_endpoint_and_what_is_global_another() -> None:
    assert variables(HERE, KEY, "us-west-2") == {
        "AWS_ACCESS_KEY_ID": "AKIAX",
        "AWS_SECRET_ACCESS_KEY": "se-cr_et",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4567",
        "AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:4560",
        "AWS_ENDPOINT_URL_ROUTE_53": "http://127.0.0.1:4560",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:4560",
    }


def test_a_region_that_is_not_served_is_said_with_those_that_are() -> None:
    with pytest.raises(UsageProblem, match="'eu-west-1'") as told:
        variables(HERE, KEY, "eu-west-1")
    assert told.value.hint == "It serves us-east-1, us-west-2."


def printed(values: dict[str, str]) -> str:
    held = io.StringIO()
    report.variables(Console(file=held, width=20, force_terminal=True), values, VariablesFormat.SHELL)
    return held.getvalue()


def test_a_shell_takes_them_as_they_are_printed_on_a_narrow_terminal_too() -> None:
    odd = {"A": "x y'z$(reboot)[bold]", "B": "http://127.0.0.1:4566/a/long/way/to/go"}
    shell = 'export AWS_PROFILE=other\neval "$1"\nprintf "%s|%s|%s" "$A" "$B" "${AWS_PROFILE-gone}"'
    done = subprocess.run(["sh", "-c", shell, "sh", printed(odd)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{odd['A']}|{odd['B']}|gone"
    assert set(OVERRIDING) >= {"AWS_PROFILE", "AWS_SESSION_TOKEN"}

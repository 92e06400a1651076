"""The seam to ministack, and where AWS's names are served."""

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.extras import Extra, install_command
from payinfra.local.emulator_environment import environment
from payinfra.local.endpoints import StateFolder
from payinfra.local.server import ministack as seam
from payinfra.local.server.host_names import AwsNames
from payinfra.local.server.route53.endpoints import Address

URLS = {"us-east-1": "http://127.0.0.1:4566", "us-west-2": "http://127.0.0.1:4567"}


def test_the_installed_ministack_is_the_one_the_corrections_were_written_for() -> None:
    assert importlib.metadata.version("ministack") == seam.VERSION
    seam.check_version()


def test_another_ministack_is_refused() -> None:
    with pytest.raises(EnvironmentUnusable, match=r"installed is 2\.0\.0") as told:
        seam.check_version(lambda _name: "2.0.0")
    assert install_command(Extra.LOCAL) in told.value.hint


def test_a_missing_ministack_is_said_so() -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    with pytest.raises(EnvironmentUnusable, match="none is installed"):
        seam.check_version(missing)


def test_the_servers_environment_holds_nothing_of_the_users(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    given = environment(folder, "/bin", "/home/someone")
    assert not {"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY"} & given.keys()
    assert given["AUTH"] == "true"
    assert given["BIND_HOST"] == "127.0.0.1"
    assert given["PATH"] == "/bin"
    kept = ("STATE_DIR", "S3_DATA_DIR", "TMPDIR")
    assert all(Path(given[name]).is_relative_to(tmp_path) for name in kept)


def test_functions_get_the_endpoint_of_their_own_region(world: Any) -> None:
    runtime = world.emulator.core("lambda_runtime")
    original = runtime.execution_credentials
    urls: dict[str, str] = {}
    seam.let_functions_call_their_own_region(world.emulator, urls)
    try:
        urls |= URLS
        for region, url in URLS.items():
            config = {
                "FunctionName": "pay",
                "FunctionArn": f"arn:aws:lambda:{region}:000000000000:function:pay",
                "Role": "arn:r/role",
            }
            given = runtime.execution_credentials(config)
            assert given["AWS_ENDPOINT_URL"] == url
            assert given["AWS_ACCESS_KEY_ID"]
    finally:
        runtime.execution_credentials = original


def test_function_processes_are_ended(world: Any) -> None:
    ended: list[str] = []

    class Runtime:
        def reset(self) -> None:
            ended.append("all")

    class Loaded(seam.Emulator):
        def core(self, name: str) -> Any:
            assert name == "lambda_runtime"
            return Runtime()

    seam.end_functions(Loaded(world.emulator.application, world.emulator.main))
    assert ended == ["all"]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("a1.execute-api.us-east-1.amazonaws.com", 4566),
        ("a1.execute-api.us-west-2.amazonaws.com.", 4567),
        ("A1.Execute-API.US-West-2.AmazonAWS.com", 4567),
        ("d-1.execute-api.us-east-1.amazonaws.com", 4566),
        ("pay.example.com.execute-api.us-west-2.amazonaws.com", 4567),
    ],
)
def test_a_regions_names_are_served_at_its_port(host: str, port: int) -> None:
    assert AwsNames(URLS)(host, 443, "https") == Address("127.0.0.1", port, tls=False)


@pytest.mark.parametrize(
    "host", ["pay.example.com", "a.execute-api.eu-west-1.amazonaws.com", "127.0.0.1", ""]
)
def test_other_names_are_not_ours(host: str) -> None:
    assert AwsNames(URLS)(host, 443, "https") is None

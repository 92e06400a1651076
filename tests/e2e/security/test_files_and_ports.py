"""What a deployment leaves: files that only their owner reads, without secrets; ports on loopback only."""

import contextlib
import http.client
import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from payinfra.local import lifecycle
from tests.e2e.conftest import Deployment

PRIVATE = (
    "terraform.tfstate*",
    "outputs.json",
    "*.tfplan",
    "*.log",
    "server.log",
    "flat-outputs.json",
    "lock",
    "credentials.json",
)
TAKES = {"tcp": "0A", "udp": "07"}
"""The state of a socket that anybody may send to: TCP's LISTEN, and a UDP socket without a peer. (One that
looks a name up has a peer, and takes nobody else's packets.)"""
LOOPBACK = "127.0.0.1"


def files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path


def test_files_with_state_outputs_plans_and_logs_are_their_owners(deployment: Deployment) -> None:
    seen = {
        path for pattern in PRIVATE for path in deployment.project.folder.rglob(pattern) if path.is_file()
    }
    known = {"terraform.tfstate", "outputs.json", "flat-outputs.json", "terraform.log", "credentials.json"}
    assert known <= {path.name for path in seen}
    assert {path: oct(path.stat().st_mode & 0o777) for path in seen if path.stat().st_mode & 0o077} == {}


def test_nobody_else_reaches_any_file_of_the_work_folder(deployment: Deployment) -> None:
    """Each file is closed to others, or lies in a folder that is; the providers' copies hold no secret."""
    root = deployment.project.folder / ".payinfra"
    open_ones = [
        path.relative_to(root)
        for path in files(root)
        if path.stat().st_mode & 0o077
        and not any(
            parent.stat().st_mode & 0o077 == 0 for parent in path.parents if parent.is_relative_to(root)
        )
    ]
    assert [path for path in open_ones if path.parts[0] != "cache"] == []


def test_the_api_key_is_in_the_state_and_nowhere_else(deployment: Deployment) -> None:
    key = deployment.api_key("primary").encode()
    assert len(key) >= 20
    folder = deployment.project.folder
    holders = {path.relative_to(folder) for path in files(folder) if key in path.read_bytes()}
    work = Path(".payinfra", "local")
    allowed = {path for path in holders if path.parts[:3] == (*work.parts, ".server")}
    state = {work / deployment.env / name for name in ("terraform.tfstate", "terraform.tfstate.backup")}
    assert holders - allowed - state == set()
    assert work / deployment.env / "terraform.tfstate" in holders
    assert key.decode() not in deployment.deployed.stdout + deployment.deployed.stderr


def test_the_embedded_awss_secret_is_in_its_file_and_nowhere_else(deployment: Deployment) -> None:
    secret = lifecycle.access_key(deployment.project.server).secret_access_key
    folder = deployment.project.folder
    holders = [path for path in files(folder) if secret.encode() in path.read_bytes()]
    assert holders == [deployment.project.server / "credentials.json"]
    assert secret not in deployment.deployed.stdout + deployment.deployed.stderr


def sockets(pid: int) -> set[str]:
    """The sockets that a process holds, as the kernel names them."""
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found.add(str(each.readlink()))
    return found


def listening(pid: int) -> set[tuple[str, int]]:
    """The addresses at which a process takes TCP connections or UDP packets."""
    mine = sockets(pid)
    found = set()
    for table in ("tcp", "udp"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == TAKES[table] and f"socket:[{fields[9]}]" in mine:
                address, port = fields[1].split(":")
                found.add((socket.inet_ntoa(struct.pack("<I", int(address, 16))), int(port, 16)))
    return found


def test_the_embedded_aws_listens_on_loopback_only(deployment: Deployment) -> None:
    found = listening(deployment.endpoints.pid)
    ports = {urlsplit(url).port for url in deployment.endpoints.regions.values()}
    ports |= {
        urlsplit(deployment.endpoints.global_url).port,
        int(deployment.endpoints.dns.rpartition(":")[2]),
    }
    assert {port for _, port in found} >= ports
    assert {at for at in found if not ipaddress.ip_address(at[0]).is_loopback} == set()
    for table in ("tcp6", "udp6"):
        lines = Path(f"/proc/{deployment.endpoints.pid}/net/{table}").read_text().splitlines()[1:]
        assert not [
            line for line in lines if f"socket:[{line.split()[9]}]" in sockets(deployment.endpoints.pid)
        ]


def answer(url: str, path: str, host: str) -> int:
    """The status of a GET with a Host header of one's own."""
    connection = http.client.HTTPConnection(LOOPBACK, urlsplit(url).port, timeout=10)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "payments.localhost.evil.example"]
)
def test_a_web_page_whose_name_was_rebound_controls_nothing(deployment: Deployment, host: str) -> None:
    port = urlsplit(deployment.endpoints.global_url).port
    assert answer(deployment.endpoints.global_url, "/_payinfra/status", f"{host}:{port}") == 403
    for url in deployment.endpoints.regions.values():
        for path in ("/_ministack/reset", "/_localstack/health", "/_payinfra/status"):
            assert answer(url, path, f"{host}:{urlsplit(url).port}") in (403, 404)

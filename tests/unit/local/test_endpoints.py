"""Ports, the state folder's files, and what is read back from them."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable, UsageProblem
from payinfra.core.https_address import HttpsAddress
from payinfra.local.endpoints import (
    LocalEndpoints,
    PortPlan,
    StateFolder,
    base_port,
    endpoints_from_json,
    endpoints_to_json,
    has_address,
    https_address,
    listen,
    listening_address,
    read_endpoints,
    read_json,
    served_regions,
    write_endpoints,
)

ENDPOINTS = LocalEndpoints(
    {"us-east-1": "http://127.0.0.1:4566"}, "http://127.0.0.1:4560", "127.0.0.1:4553", 7
)


def test_the_ports_follow_from_their_base() -> None:
    plan = PortPlan()
    assert (plan.control, plan.dns, plan.region(0), plan.region(1)) == (4560, 4553, 4566, 4567)


def test_a_base_of_nought_leaves_every_port_to_the_system() -> None:
    plan = PortPlan(0)
    assert (plan.control, plan.dns, plan.region(0), plan.region(1)) == (0, 0, 0, 0)


@pytest.mark.parametrize(("text", "port"), [(None, 4560), ("", 4560), ("0", 0), ("20000", 20000)])
def test_the_base_comes_from_the_environment(text: str | None, port: int) -> None:
    assert base_port({} if text is None else {"PAYINFRA_LOCAL_PORT": text}) == port


@pytest.mark.parametrize("text", ["x", "-1", "80", "65001", "4560.5"])
def test_a_base_that_is_no_usable_port_is_a_usage_problem(text: str) -> None:
    with pytest.raises(UsageProblem, match=text):
        base_port({"PAYINFRA_LOCAL_PORT": text})


def test_us_east_1_is_always_served_and_no_region_twice() -> None:
    assert served_regions(("eu-west-1", "eu-central-1", "eu-west-1")) == (
        "eu-west-1",
        "eu-central-1",
        "us-east-1",
    )
    assert served_regions(("us-east-1", "us-west-2")) == ("us-east-1", "us-west-2")


def test_a_taken_port_is_named_with_the_next_step() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EnvironmentUnusable) as told:
            listen(port, "the region us-east-1")
    assert str(port) in told.value.what
    assert "us-east-1" in told.value.what
    assert "PAYINFRA_LOCAL_PORT" in told.value.hint


def test_a_free_port_listens_on_loopback_only() -> None:
    sock = listen(0, "a test")
    assert sock.getsockname()[0] == "127.0.0.1"
    sock.close()


def test_each_region_has_an_address_for_its_names_where_the_machine_has_it() -> None:
    assert (https_address(0), https_address(1)) == ("127.0.0.1", "127.0.0.2")
    assert (PortPlan().https, PortPlan(0).https) == (4563, 0)
    assert listening_address("127.0.0.2", lambda _address: True) == "127.0.0.2"
    assert listening_address("127.0.0.2", lambda _address: False) == "127.0.0.1"
    assert has_address("127.0.0.1")
    assert not has_address("192.0.2.1"), "an address of the documentation's (RFC 5737)"


def test_the_state_folder_is_its_owners(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "a" / ".server")
    folder.prepare()
    assert folder.root.stat().st_mode & 0o777 == 0o700
    assert folder.state.is_dir()
    assert folder.objects.is_dir()
    assert folder.scratch.is_dir()
    files = (
        *(folder.endpoints, folder.ports, folder.token, folder.lock),
        *(folder.starting, folder.problem, folder.log),
    )
    assert len({file for file in files if file.parent == folder.root}) == 7


def test_a_state_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentUnusable, match="cannot keep its state") as told:
        StateFolder(tmp_path / "file" / ".server").prepare()
    assert told.value.hint


def test_endpoints_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert read_endpoints(folder) is None
    write_endpoints(folder, ENDPOINTS)
    assert read_endpoints(folder) == ENDPOINTS
    secured = replace(
        ENDPOINTS, https={"us-west-2": HttpsAddress("127.0.0.2", "127.0.0.1:4569")}, authority="/a.pem"
    )
    assert endpoints_from_json(endpoints_to_json(secured)) == secured
    earlier = {name: value for name, value in endpoints_to_json(ENDPOINTS).items() if name != "https"}
    assert endpoints_from_json(earlier) == ENDPOINTS


@pytest.mark.parametrize("text", ["", "{", '{"regions": 1}', "[]"])
def test_a_file_that_was_cut_short_says_nothing(tmp_path: Path, text: str) -> None:
    folder = StateFolder(tmp_path)
    folder.endpoints.write_text(text)
    assert read_endpoints(folder) is None
    assert read_json(tmp_path / "absent") is None

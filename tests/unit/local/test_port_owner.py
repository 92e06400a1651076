"""Whose a port is, on the machines that tell."""

import os
import socket
from pathlib import Path

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.local.endpoints import listen
from payinfra.local.port_owner import SERVER, PortOwner, owner_of


def test_a_taken_port_is_this_process_own_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        owner = owner_of(port)
        assert owner is not None
        assert owner.pid == os.getpid()
        with pytest.raises(EnvironmentUnusable) as caught:
            listen(port, "a test")
    assert f"cannot be used: process {os.getpid()} (" in caught.value.what
    assert "Address already in use" not in caught.value.what
    assert caught.value.hint.startswith("Stop it, or set PAYINFRA_LOCAL_PORT")
    assert owner_of(port) is None


def test_another_system_does_not_tell_and_is_not_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert owner_of(taken.getsockname()[1], system="darwin") is None


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert owner_of(4566, tmp_path, "linux") is None
    (tmp_path / "net").mkdir()
    row = "0: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1"
    (tmp_path / "net" / "tcp").write_text(f"head\n{row}\nshort\n")
    (tmp_path / "12").mkdir()
    assert owner_of(4566, tmp_path, "linux") is None
    (tmp_path / "13" / "fd").mkdir(parents=True)
    (tmp_path / "13" / "fd" / "3").symlink_to("socket:[4711]")
    (tmp_path / "13" / "cmdline").write_bytes(b"/usr/bin/nginx\0-g\0")
    assert str(owner_of(4566, tmp_path, "linux")) == "process 13 (nginx)"
    assert owner_of(4567, tmp_path, "linux") is None


def test_another_embedded_aws_is_named_by_its_folder_and_how_to_stop_it(tmp_path: Path) -> None:
    folder = tmp_path / "local" / ".server"
    owner = PortOwner(7, ("python", "-m", SERVER, str(folder), "--regions", "x"))
    assert str(owner) == f"the embedded AWS of {tmp_path} (process 7)"
    assert owner.how_to_stop == "Its folder is gone; end it with `kill 7`"
    folder.mkdir(parents=True)
    assert owner.how_to_stop == f"Stop it with `payinfra local down --work-root {tmp_path}`"
    assert str(PortOwner(8, ())) == "process 8 (unknown)"

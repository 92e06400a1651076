"""Stands in as `sitecustomize`: writes down what a process sends, to which port, and may kill it there.

RECORDER_FILE: where to; a line of JSON for each first piece that a connection or datagram carries.
RECORDER_REFUSES: ports, joined by commas, to which nothing connects.
RECORDER_CONTROLS: ports, joined by commas, that carry nothing but requests to the embedded AWS's control.
RECORDER_KILLS_AT: the number of the line before which the process is killed, as by `kill -9`.
"""

import json
import os
import signal
import socket
from typing import Any

FILE = os.environ.get("RECORDER_FILE", "")
REFUSED = {int(port) for port in os.environ.get("RECORDER_REFUSES", "").split(",") if port}
CONTROLS = {int(port) for port in os.environ.get("RECORDER_CONTROLS", "").split(",") if port}
CONTROL = b"GET /_payinfra/"
KILLS_AT = int(os.environ.get("RECORDER_KILLS_AT", "-1"))
_lines = 0
_connect, _sendall, _send, _sendto = (
    socket.socket.connect,
    socket.socket.sendall,
    socket.socket.send,
    socket.socket.sendto,
)


def _write(address: Any, data: Any) -> None:
    global _lines
    if not isinstance(address, tuple):
        return
    if _lines == KILLS_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    _lines += 1
    said = bytes(data[:120]).decode("latin-1").partition("\r\n")[0]
    with open(FILE, "a", encoding="utf-8") as file:  # noqa: PTH123 - nothing else is imported so early
        file.write(json.dumps({"port": address[1], "said": said}) + "\n")


def connect(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[1] in REFUSED:
        _write(address, b"connect")
        raise ConnectionRefusedError(111, "refused")
    _connect(self, address)


def _peer(self: socket.socket) -> Any:
    try:
        return self.getpeername()
    except OSError:
        return None


def _refuse(address: Any, data: Any) -> None:
    said = bytes(data[:20])
    if isinstance(address, tuple) and address[1] in CONTROLS and said and not said.startswith(CONTROL):
        raise ConnectionResetError(104, "refused")


def sendall(self: socket.socket, data: Any, *flags: Any) -> None:
    _write(_peer(self), data)
    _refuse(_peer(self), data)
    _sendall(self, data, *flags)


def send(self: socket.socket, data: Any, *flags: Any) -> int:
    _write(_peer(self), data)
    _refuse(_peer(self), data)
    return _send(self, data, *flags)


def sendto(self: socket.socket, data: Any, *more: Any) -> int:
    _write(more[-1], b"datagram")
    return _sendto(self, data, *more)


if FILE:
    for name, replaced in (("connect", connect), ("sendall", sendall), ("send", send), ("sendto", sendto)):
        setattr(socket.socket, name, replaced)

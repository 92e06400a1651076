"""A loopback port that serves an ASGI application and can fall silent, connections and all."""

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from hypercorn.utils import wrap_app

from payinfra.local.server.asgi import App

KEEP_ALIVE_S = 600
"""Longer than clients keep an idle connection (Go's HTTP client: 90 s), so that it is the client who closes
it. A server that closes first may cut off a request that it has just been sent; the SDK then tries again
what was done already, and AddPermission, for one, does not bear that."""

MAX_BODY = 256 * 1024 * 1024
ACCEPT_AGAIN_S = 0.1
"""How long a port that could not take a connection waits, in seconds, before it tries again."""

_Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


class _Gate:
    """One connection's side of the silence."""

    def __init__(
        self,
        silent: Callable[[], bool],
        transport: asyncio.WriteTransport,
        swallowed: Callable[[bytes], None],
    ) -> None:
        self.silent = silent
        self.transport = transport
        self.swallowed = swallowed
        self.lost = False

    def swallows(self) -> bool:
        """Whether bytes of this connection go nowhere now. One that lost bytes stays lost."""
        self.lost = self.lost or self.silent()
        return self.lost

    def drop(self) -> None:
        """Reset the connection."""
        self.transport.abort()


class _HeldGate(_Gate):
    """The gate of a connection that lost its first bytes: nobody has answered its handshake."""

    def __init__(self, silent: Callable[[], bool], reset: asyncio.Event) -> None:
        self.silent = silent
        self.lost = True
        self._reset = reset

    def drop(self) -> None:
        """Reset the connection."""
        self._reset.set()


class _Reader(asyncio.StreamReader):
    """Reads from another reader, and loses what arrives in silence."""

    def __init__(self, inner: asyncio.StreamReader, gate: _Gate) -> None:
        super().__init__()
        self._inner = inner
        self._gate = gate

    def at_eof(self) -> bool:
        return self._inner.at_eof()

    async def read(self, n: int = -1) -> bytes:
        while data := await self._inner.read(n):
            if not self._gate.swallows():
                return data
            self._gate.swallowed(data)
        return b""


class _Writer(asyncio.StreamWriter):
    """Writes where another writer writes, and loses what is written in silence."""

    def __init__(self, inner: asyncio.StreamWriter, gate: _Gate) -> None:
        super().__init__(
            inner.transport,
            inner.transport.get_protocol(),
            None,
            asyncio.get_running_loop(),
        )
        self._inner = inner
        self._gate = gate

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._gate.swallows():
            super().write(data)


class _Connection(TCPServer):
    """A connection that ends when the client hangs up, not when its idle time is over."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


@dataclass
class Listener:
    """Serves an application on a socket that already listens.

    Args:
        silent: while it says so the port takes connections, answers nothing and closes none. The
            connections that lost bytes meanwhile are reset by `wake`.
        swallowed: told of the bytes that arrive in silence.
        tls: what connections are secured with; None for plain ones. In silence no handshake is answered.
    """

    app: App
    sock: socket.socket
    silent: Callable[[], bool] = lambda: False
    swallowed: Callable[[bytes], None] = lambda _data: None
    tls: ssl.SSLContext | None = None
    _gates: set[_Gate] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _accepting: asyncio.Task[None] | None = None
    _server: asyncio.Server | None = None
    _context: WorkerContext | None = None

    @property
    def port(self) -> int:
        """The port's number."""
        number: int = self.sock.getsockname()[1]
        return number

    async def start(self) -> None:
        """Begin to serve."""
        context = WorkerContext(None)

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._serve(reader, writer, context))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._context = context
        if self.tls is None:
            self._server = await asyncio.start_server(accept, sock=self.sock, backlog=256)
        else:
            self._accepting = asyncio.create_task(self._accept_secured(self.tls, accept))

    def wake(self) -> None:
        """The silence may be over: resets the connections that it swallowed something of."""
        if not self.silent():
            for gate in list(self._gates):
                if gate.lost:
                    gate.drop()

    async def stop(self, grace: float = 1.0) -> None:
        """Accept no more connections, give open ones `grace` seconds, then drop them."""
        if self._context is None or (self._server is None and self._accepting is None):
            return
        if self._server is not None:
            self._server.close()
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self.sock.close()
        await self._context.terminated.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for gate in list(self._gates):
            gate.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = self._accepting = None

    async def _accept_secured(self, tls: ssl.SSLContext, accept: _Accept) -> None:
        """Accept connections, and do each TLS handshake in a task of its own."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self.sock)
            except OSError:  # The client is gone already, or this process has too many open files for now.
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.create_task(self._secure(connection, tls, accept))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _secure(self, connection: socket.socket, tls: ssl.SSLContext, accept: _Accept) -> None:
        if self.silent():
            await self._hold(connection)
            return
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        # A client that refuses the certificate, or speaks no TLS, is none of the server's concern.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(
                lambda: asyncio.StreamReaderProtocol(reader, accept), connection, ssl=tls
            )

    async def _hold(self, connection: socket.socket) -> None:
        """Keep a connection of a silent region unanswered until it is reset or the client closes it."""
        reset = asyncio.Event()
        gate = _HeldGate(self.silent, reset)
        self._gates.add(gate)
        ends = [asyncio.create_task(reset.wait()), asyncio.create_task(_hung_up(connection))]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            self._gates.discard(gate)
            # Closed with the time to linger at 0, a connection is reset (socket(7), SO_LINGER).
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: WorkerContext
    ) -> None:
        gate = _Gate(self.silent, writer.transport, self.swallowed)
        self._gates.add(gate)
        config = Config()
        config.keep_alive_timeout = KEEP_ALIVE_S
        config.keep_alive_max_requests = sys.maxsize
        config.include_server_header = False
        config.accesslog = None
        config.errorlog = "-"
        try:
            await _Connection(
                wrap_app(cast(ASGIFramework, self.app), MAX_BODY, "asgi"),
                asyncio.get_running_loop(),
                config,
                context,
                {},
                _Reader(reader, gate),
                _Writer(writer, gate),
            )
        finally:
            self._gates.discard(gate)


async def _hung_up(connection: socket.socket) -> None:
    """Return when the client has ended the connection; what it sends until then is lost."""
    with contextlib.suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(connection, 65536):
            pass

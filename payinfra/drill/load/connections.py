"""Connections of the drill's clients: to the current target, made anew when that changes or one fails."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from payinfra.clients.http import trusting
from payinfra.core.run_id import user_agent
from payinfra.drill.load.targets import LoadTarget, TargetResolver

Dial = Callable[[LoadTarget], httpx.AsyncClient]
"""Makes the connections to a target."""

LONGEST_S = 60.0
"""No operation takes longer. Attempts have a shorter time-out of their own, all in all."""
MOST_CONNECTIONS = 512
"""Of all clients together: restoring needs files of its own, and a process may often open 1024 in all."""
SLOT_CONNECTIONS = 16
"""Connections that one client has. httpx looks at all of a client's whenever a request begins or ends: with
hundreds in one, a region that answers nothing would keep this process too busy to send anything."""
SLOT_KEPT_OPEN = 4
"""Of these, how many stay open while nobody needs them."""


def dialer(authority: str = "") -> Dial:
    """Connections that verify certificates, follow no redirect and take no proxy from the environment.

    Args:
        authority: the file of an authority that is trusted beside the machine's own; empty for none.
    """
    context = trusting(authority)
    limits = httpx.Limits(max_connections=SLOT_CONNECTIONS, max_keepalive_connections=SLOT_KEPT_OPEN)

    def dial(_target: LoadTarget) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=context,
            timeout=LONGEST_S,
            limits=limits,
            trust_env=False,
            headers={"User-Agent": user_agent()},
        )

    return dial


@dataclass
class ClientSlot:
    """A client, and how many requests it has under way."""

    client: httpx.AsyncClient
    busy: int = 0


@dataclass
class TargetConnections:
    """The connections to one target, as long as it is the right one and none of them has failed.

    Args:
        most: how many there may be; more requests than that wait for one another.
    """

    target: LoadTarget
    url: str
    dial: Dial
    most: int = MOST_CONNECTIONS
    resolver: TargetResolver | None = None
    users: int = 0
    left: bool = False
    slots: list[ClientSlot] = field(default_factory=list)

    async def post(self, body: str, headers: dict[str, str]) -> httpx.Response:
        """One request.

        Raises:
            httpx.TransportError: nothing answered.
        """
        slot = self._free_slot()
        slot.busy += 1
        try:
            return await slot.client.post(
                self.url,
                content=body,
                headers={"Host": self.target.host, **headers},
                extensions={"sni_hostname": self.target.host},
            )
        finally:
            slot.busy -= 1

    async def close(self) -> None:
        """End every connection."""
        for slot in self.slots:
            await slot.client.aclose()

    def _free_slot(self) -> ClientSlot:
        free = next((slot for slot in self.slots if slot.busy < SLOT_CONNECTIONS), None)
        if free is None and len(self.slots) * SLOT_CONNECTIONS < self.most:
            free = ClientSlot(self.dial(self.target))
            self.slots.append(free)
        return free or min(self.slots, key=lambda slot: slot.busy)


@dataclass
class ConnectionPool:
    """The connections of each target resolver. For one event loop.

    Args:
        most: how many each may have.
    """

    dial: Dial
    most: int = MOST_CONNECTIONS
    _connections: dict[int, TargetConnections] = field(default_factory=dict)
    _finding: dict[int, "asyncio.Task[LoadTarget]"] = field(default_factory=dict)
    _made: int = 0

    async def take(self, route: TargetResolver) -> TargetConnections:
        """Connections that lead where the resolver does. Give them back with `release`.

        Raises:
            Unresolved: it leads nowhere.
        """
        target = route.known() or await self._find(route)
        connections = self._connections.get(id(route))
        if connections is None or connections.left or connections.target != target:
            if connections is not None:
                await self._leave(connections)
            # The next address each time: the one before may be what failed.
            url = target.urls[self._made % len(target.urls)]
            self._made += 1
            connections = self._connections[id(route)] = TargetConnections(
                target, url, self.dial, self.most, resolver=route
            )
        connections.users += 1
        return connections

    async def release(self, connections: TargetConnections, *, failed: bool) -> None:
        """Give connections back; after a failure nobody takes them again."""
        connections.users -= 1
        connections.left = connections.left or failed
        if failed and connections.resolver is not None:
            connections.resolver.failed()
        if connections.left and not connections.users:
            await connections.close()

    async def close(self) -> None:
        """Close every connection, and wait for questions that are still open."""
        await asyncio.gather(*self._finding.values(), return_exceptions=True)
        for connections in self._connections.values():
            await connections.close()

    async def _leave(self, connections: TargetConnections) -> None:
        closed = connections.left and not connections.users
        connections.left = True
        if not connections.users and not closed:
            await connections.close()

    async def _find(self, route: TargetResolver) -> LoadTarget:
        """Ask, in a thread; who comes meanwhile waits for the same answer."""
        task = self._finding.get(id(route))
        if task is None:
            task = self._finding[id(route)] = asyncio.create_task(asyncio.to_thread(route.find))
            task.add_done_callback(lambda done: self._found(id(route), done))
        return await asyncio.shield(task)

    def _found(self, resolver_id: int, done: "asyncio.Task[LoadTarget]") -> None:
        del self._finding[resolver_id]
        with suppress(asyncio.CancelledError):
            # Everybody who waited may have given up; then nobody else looks at what went wrong.
            done.exception()

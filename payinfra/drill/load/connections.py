"""Connections of the drill's clients: to where a way leads now, made anew when that changes or one fails."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from payinfra.core.run_id import user_agent
from payinfra.drill.load.targets import LoadTarget, TargetResolver

Dial = Callable[[LoadTarget], httpx.AsyncClient]
"""Makes the connections to a target."""

LONGEST_S = 60.0
"""No operation takes longer. Attempts have a shorter time-out of their own, all in all."""
MOST_CONNECTIONS = 512
"""Of one way: restoring needs files of its own, and a process may often open 1024 in all."""
LANE = 16
"""Connections that one client has. httpx looks at all of a client's whenever a request begins or ends: with
hundreds in one, a region that answers nothing would keep this process too busy to send anything."""
KEPT = 4
"""Of these, how many stay open while nobody needs them."""


def dialer() -> Dial:
    """Connections that verify certificates, follow no redirect and take no proxy from the environment."""
    context = ssl.create_default_context()
    limits = httpx.Limits(max_connections=LANE, max_keepalive_connections=KEPT)

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
    users: int = 0
    left: bool = False
    lanes: list[ClientSlot] = field(default_factory=list)

    async def post(self, body: str, headers: dict[str, str]) -> httpx.Response:
        """One request.

        Raises:
            httpx.TransportError: nothing answered.
        """
        lane = self._free_slot()
        lane.busy += 1
        try:
            return await lane.client.post(
                self.url,
                content=body,
                headers={"Host": self.target.host, **headers},
                extensions={"sni_hostname": self.target.host},
            )
        finally:
            lane.busy -= 1

    async def close(self) -> None:
        """End every connection."""
        for lane in self.lanes:
            await lane.client.aclose()

    def _free_slot(self) -> ClientSlot:
        free = next((lane for lane in self.lanes if lane.busy < LANE), None)
        if free is None and len(self.lanes) * LANE < self.most:
            free = ClientSlot(self.dial(self.target))
            self.lanes.append(free)
        return free or min(self.lanes, key=lambda lane: lane.busy)


@dataclass
class ConnectionPool:
    """The line of each way. For one event loop."""

    dial: Dial
    _lines: dict[int, TargetConnections] = field(default_factory=dict)
    _finding: dict[int, "asyncio.Task[LoadTarget]"] = field(default_factory=dict)
    _made: int = 0

    async def take(self, route: TargetResolver) -> TargetConnections:
        """A line that leads where the way does. Give it back with `release`.

        Raises:
            Unresolved: it leads nowhere.
        """
        target = route.known() or await self._find(route)
        line = self._lines.get(id(route))
        if line is None or line.left or line.target != target:
            if line is not None:
                await self._leave(line)
            # The next address each time: the one before may be what failed.
            url = target.urls[self._made % len(target.urls)]
            self._made += 1
            line = self._lines[id(route)] = TargetConnections(target, url, self.dial)
        line.users += 1
        return line

    async def release(self, line: TargetConnections, *, failed: bool) -> None:
        """Give a line back; after a failure nobody takes it again."""
        line.users -= 1
        line.left = line.left or failed
        if line.left and not line.users:
            await line.close()

    async def close(self) -> None:
        """Leave every line, and wait for questions that are still open."""
        await asyncio.gather(*self._finding.values(), return_exceptions=True)
        for line in self._lines.values():
            await line.close()

    async def _leave(self, line: TargetConnections) -> None:
        closed = line.left and not line.users
        line.left = True
        if not line.users and not closed:
            await line.close()

    async def _find(self, route: TargetResolver) -> LoadTarget:
        """Ask, in a thread; who comes meanwhile waits for the same answer."""
        task = self._finding.get(id(route))
        if task is None:
            task = self._finding[id(route)] = asyncio.create_task(asyncio.to_thread(route.find))
            task.add_done_callback(lambda done: self._found(id(route), done))
        return await asyncio.shield(task)

    def _found(self, way: int, done: "asyncio.Task[LoadTarget]") -> None:
        del self._finding[way]
        with suppress(asyncio.CancelledError):
            # Everybody who waited may have given up; then nobody else looks at what went wrong.
            done.exception()

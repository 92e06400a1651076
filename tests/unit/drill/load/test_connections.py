"""Connections follow the name, and are made anew after a failure."""

import asyncio
import threading

import httpx
import pytest

from payinfra.drill.load.connections import SLOT_CONNECTIONS, ConnectionPool, TargetConnections, dialer
from payinfra.drill.load.targets import FixedTarget, LoadTarget, NameUnresolved, TargetResolver

EAST = LoadTarget(("http://east-1", "http://east-2"), "east.example", "us-east-1")
WEST = LoadTarget(("http://west",), "west.example", "us-west-2")


class Exchange:
    """Dials clients that answer by themselves, and remembers them."""

    def __init__(self) -> None:
        self.clients: list[httpx.AsyncClient] = []
        self.requests: list[httpx.Request] = []

    def dial(self, _target: LoadTarget) -> httpx.AsyncClient:
        self.clients.append(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))
        return self.clients[-1]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(201)


class FakeResolver:
    """Leads where a test says; has to be asked when told so."""

    def __init__(self, target: LoadTarget) -> None:
        self.target = target
        self.at_hand = True
        self.asked = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.lost = False
        self.failures = 0

    def known(self) -> LoadTarget | None:
        return self.target if self.at_hand else None

    def find(self) -> LoadTarget:
        assert self.go_on.wait(10)
        self.asked += 1
        if self.lost:
            raise NameUnresolved("nowhere")
        return self.target

    def failed(self) -> None:
        self.failures += 1


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


async def call(pool: ConnectionPool, resolver: TargetResolver) -> TargetConnections:
    """A line that has been used, and not been given back."""
    connections = await pool.take(resolver)
    await connections.post("{}", {})
    return connections


def closed(connections: TargetConnections) -> bool:
    assert connections.slots
    return all(slot.client.is_closed for slot in connections.slots)


def test_a_request_names_the_host_and_goes_to_the_address(exchange: Exchange) -> None:
    async def ask() -> None:
        pool = ConnectionPool(exchange.dial)
        connections = await pool.take(FixedTarget(EAST))
        await connections.post("{}", {"x-api-key": "k"})
        await pool.release(connections, failed=False)
        await pool.close()

    asyncio.run(ask())
    (request,) = exchange.requests
    assert (str(request.url), request.headers["Host"]) == ("http://east-1", "east.example")
    assert request.extensions["sni_hostname"] == "east.example"
    assert exchange.clients[0].is_closed


def test_connections_are_kept_while_the_resolver_leads_to_the_same(exchange: Exchange) -> None:
    async def ask() -> None:
        pool, resolver = ConnectionPool(exchange.dial), FakeResolver(EAST)
        first = await call(pool, resolver)
        await pool.release(first, failed=False)
        assert await call(pool, resolver) is first
        assert await call(pool, FixedTarget(EAST)) is not first

    asyncio.run(ask())
    assert len(exchange.clients) == 2


def test_a_change_of_the_answer_makes_them_anew_and_old_ones_end_with_their_last_user(
    exchange: Exchange,
) -> None:
    async def ask() -> None:
        pool, resolver = ConnectionPool(exchange.dial), FakeResolver(EAST)
        idle = await call(pool, resolver)
        await pool.release(idle, failed=False)
        busy = await call(pool, resolver)
        resolver.target = WEST
        new = await call(pool, resolver)
        assert (new.target, closed(busy)) == (WEST, False)
        await pool.release(busy, failed=False)
        assert (closed(busy), closed(new)) == (True, False)
        await pool.release(new, failed=False)
        resolver.target = EAST
        await call(pool, resolver)
        assert closed(new)

    asyncio.run(ask())


def test_after_a_failure_the_next_address_is_tried_and_nobody_else_is_cut_off(exchange: Exchange) -> None:
    async def ask() -> tuple[TargetConnections, TargetConnections, TargetConnections]:
        pool, resolver = ConnectionPool(exchange.dial), FakeResolver(EAST)
        failing, other = await call(pool, resolver), await call(pool, resolver)
        await pool.release(failing, failed=True)
        assert not closed(other)
        after = await call(pool, resolver)
        await pool.release(other, failed=False)
        assert closed(other)
        await pool.release(after, failed=True)
        return failing, after, await call(pool, resolver)

    lines = asyncio.run(ask())
    assert [one.url for one in lines] == ["http://east-1", "http://east-2", "http://east-1"]
    assert len(exchange.clients) == 3


def test_many_who_need_an_answer_wait_for_one_question(exchange: Exchange) -> None:
    resolver = FakeResolver(EAST)
    resolver.at_hand = False
    resolver.go_on.clear()

    async def ask() -> None:
        pool = ConnectionPool(exchange.dial)
        taking = [asyncio.create_task(pool.take(resolver)) for _ in range(20)]
        await asyncio.sleep(0)
        taking[0].cancel()
        resolver.go_on.set()
        lines = await asyncio.gather(*taking[1:])
        assert {one.target for one in lines} == {EAST}
        await pool.close()

    asyncio.run(ask())
    assert (resolver.asked, len(exchange.clients)) == (1, 0)


def test_a_name_that_leads_nowhere_is_told_to_all_and_asked_for_again(exchange: Exchange) -> None:
    resolver = FakeResolver(EAST)
    resolver.at_hand, resolver.lost = False, True

    async def ask() -> None:
        pool = ConnectionPool(exchange.dial)
        told = await asyncio.gather(*(pool.take(resolver) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(one, NameUnresolved) for one in told)
        resolver.lost = False
        assert (await pool.take(resolver)).target == EAST

    asyncio.run(ask())
    assert resolver.asked == 2


def test_the_end_waits_for_a_question_that_nobody_waits_for_any_more(exchange: Exchange) -> None:
    resolver = FakeResolver(EAST)
    resolver.at_hand, resolver.lost = False, True
    resolver.go_on.clear()

    async def ask() -> None:
        pool = ConnectionPool(exchange.dial)
        taking = asyncio.create_task(pool.take(resolver))
        await asyncio.sleep(0)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        resolver.go_on.set()
        await pool.close()

    asyncio.run(ask())
    assert resolver.asked == 1


@pytest.mark.parametrize(
    ("requests", "clients"),
    [(1, 1), (SLOT_CONNECTIONS, 1), (SLOT_CONNECTIONS + 1, 2), (50 * SLOT_CONNECTIONS, 3)],
)
def test_no_client_has_more_than_a_few_requests_and_there_are_no_more_clients_than_may_be(
    requests: int, clients: int
) -> None:
    under_way: list[httpx.AsyncClient] = []
    go_on = asyncio.Event()

    def dial(_target: LoadTarget) -> httpx.AsyncClient:
        async def answer(_request: httpx.Request) -> httpx.Response:
            under_way.append(client)
            await go_on.wait()
            return httpx.Response(201)

        client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        return client

    async def ask() -> None:
        connections = TargetConnections(EAST, EAST.urls[0], dial, most=3 * SLOT_CONNECTIONS)
        asking = [asyncio.create_task(connections.post("{}", {})) for _ in range(requests)]
        while len(under_way) < requests:
            await asyncio.sleep(0)
        assert [slot.busy for slot in connections.slots] == [
            under_way.count(slot.client) for slot in connections.slots
        ]
        go_on.set()
        await asyncio.gather(*asking)
        assert {slot.busy for slot in connections.slots} == {0}
        await connections.close()
        assert closed(connections)

    asyncio.run(ask())
    counts = [under_way.count(client) for client in dict.fromkeys(under_way)]
    assert len(counts) == clients
    assert max(counts) - min(counts) < SLOT_CONNECTIONS


def test_real_connections_take_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async def dial() -> None:
        async with dialer()(EAST) as client:
            assert (client.trust_env, client.follow_redirects) == (False, False)

    asyncio.run(dial())

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


class Way:
    """Leads where a test says; has to be asked when told so."""

    def __init__(self, target: LoadTarget) -> None:
        self.target = target
        self.at_hand = True
        self.asked = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.lost = False

    def known(self) -> LoadTarget | None:
        return self.target if self.at_hand else None

    def find(self) -> LoadTarget:
        assert self.go_on.wait(10)
        self.asked += 1
        if self.lost:
            raise NameUnresolved("nowhere")
        return self.target


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


async def call(board: ConnectionPool, way: TargetResolver) -> TargetConnections:
    """A line that has been used, and not been given back."""
    line = await board.take(way)
    await line.post("{}", {})
    return line


def closed(line: TargetConnections) -> bool:
    assert line.slots
    return all(slot.client.is_closed for slot in line.slots)


def test_a_request_names_the_host_and_goes_to_the_address(exchange: Exchange) -> None:
    async def ask() -> None:
        board = ConnectionPool(exchange.dial)
        line = await board.take(FixedTarget(EAST))
        await line.post("{}", {"x-api-key": "k"})
        await board.release(line, failed=False)
        await board.close()

    asyncio.run(ask())
    (request,) = exchange.requests
    assert (str(request.url), request.headers["Host"]) == ("http://east-1", "east.example")
    assert request.extensions["sni_hostname"] == "east.example"
    assert exchange.clients[0].is_closed


def test_connections_are_kept_while_the_resolver_leads_to_the_same(exchange: Exchange) -> None:
    async def ask() -> None:
        board, way = ConnectionPool(exchange.dial), Way(EAST)
        first = await call(board, way)
        await board.release(first, failed=False)
        assert await call(board, way) is first
        assert await call(board, FixedTarget(EAST)) is not first

    asyncio.run(ask())
    assert len(exchange.clients) == 2


def test_a_change_of_the_answer_makes_them_anew_and_old_ones_end_with_their_last_user(
    exchange: Exchange,
) -> None:
    async def ask() -> None:
        board, way = ConnectionPool(exchange.dial), Way(EAST)
        idle = await call(board, way)
        await board.release(idle, failed=False)
        busy = await call(board, way)
        way.target = WEST
        new = await call(board, way)
        assert (new.target, closed(busy)) == (WEST, False)
        await board.release(busy, failed=False)
        assert (closed(busy), closed(new)) == (True, False)
        await board.release(new, failed=False)
        way.target = EAST
        await call(board, way)
        assert closed(new)

    asyncio.run(ask())


def test_after_a_failure_the_next_address_is_tried_and_nobody_else_is_cut_off(exchange: Exchange) -> None:
    async def ask() -> tuple[TargetConnections, TargetConnections, TargetConnections]:
        board, way = ConnectionPool(exchange.dial), Way(EAST)
        failing, other = await call(board, way), await call(board, way)
        await board.release(failing, failed=True)
        assert not closed(other)
        after = await call(board, way)
        await board.release(other, failed=False)
        assert closed(other)
        await board.release(after, failed=True)
        return failing, after, await call(board, way)

    lines = asyncio.run(ask())
    assert [line.url for line in lines] == ["http://east-1", "http://east-2", "http://east-1"]
    assert len(exchange.clients) == 3


def test_many_who_need_an_answer_wait_for_one_question(exchange: Exchange) -> None:
    way = Way(EAST)
    way.at_hand = False
    way.go_on.clear()

    async def ask() -> None:
        board = ConnectionPool(exchange.dial)
        taking = [asyncio.create_task(board.take(way)) for _ in range(20)]
        await asyncio.sleep(0)
        taking[0].cancel()
        way.go_on.set()
        lines = await asyncio.gather(*taking[1:])
        assert {line.target for line in lines} == {EAST}
        await board.close()

    asyncio.run(ask())
    assert (way.asked, len(exchange.clients)) == (1, 0)


def test_a_name_that_leads_nowhere_is_told_to_all_and_asked_for_again(exchange: Exchange) -> None:
    way = Way(EAST)
    way.at_hand, way.lost = False, True

    async def ask() -> None:
        board = ConnectionPool(exchange.dial)
        told = await asyncio.gather(*(board.take(way) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(one, NameUnresolved) for one in told)
        way.lost = False
        assert (await board.take(way)).target == EAST

    asyncio.run(ask())
    assert way.asked == 2


def test_the_end_waits_for_a_question_that_nobody_waits_for_any_more(exchange: Exchange) -> None:
    way = Way(EAST)
    way.at_hand, way.lost = False, True
    way.go_on.clear()

    async def ask() -> None:
        board = ConnectionPool(exchange.dial)
        taking = asyncio.create_task(board.take(way))
        await asyncio.sleep(0)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        way.go_on.set()
        await board.close()

    asyncio.run(ask())
    assert way.asked == 1


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
        line = TargetConnections(EAST, EAST.urls[0], dial, most=3 * SLOT_CONNECTIONS)
        asking = [asyncio.create_task(line.post("{}", {})) for _ in range(requests)]
        while len(under_way) < requests:
            await asyncio.sleep(0)
        assert [slot.busy for slot in line.slots] == [under_way.count(slot.client) for slot in line.slots]
        go_on.set()
        await asyncio.gather(*asking)
        assert {slot.busy for slot in line.slots} == {0}
        await line.close()
        assert closed(line)

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

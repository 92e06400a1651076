"""The load begins payments at its rate whatever happens, and tries each until it is acknowledged.

Time is the event loop's own here: it goes on to whatever is waited for next.
"""

import asyncio
import json
import selectors
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import httpx
import pytest

from payinfra.drill.load.counters import LoadCounters, LoadSnapshot
from payinfra.drill.load.generator import (
    MOST_LATE_S,
    RETRIES_AT_ONCE,
    LoadGenerator,
    LoadProfile,
    Pace,
    Sender,
)
from payinfra.drill.load.payments import DrillPayment, Maker, payment_id
from payinfra.drill.load.targets import ClientKind, FixedTarget, LoadClient, LoadTarget, NameUnresolved
from payinfra.drill.model import Attempt, Result

EAST, WEST = "us-east-1", "us-west-2"
KEY = "the-api-key"
Answering = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Ahead(selectors.SelectSelector):
    """Waits for nothing but what is ready: the time until the next timer passes at once."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # It never stands still, or a timer that is due in less than a tick would be due for ever.
        self.skipped += (timeout or 0.0) + 1e-7
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time only passes while nothing is left to do."""

    def __init__(self) -> None:
        self.ahead = Ahead()
        super().__init__(self.ahead)

    def time(self) -> float:
        return self.ahead.skipped


@dataclass
class FakeLog:
    """A log whose disk takes a while."""

    takes_s: float = 0.0
    failure: OSError | None = None
    durable: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    def payment(self, payment: DrillPayment) -> "Future[None]":
        noted: Future[None] = Future()
        noted.set_running_or_notify_cancel()

        def write() -> None:
            if self.failure:
                noted.set_exception(self.failure)
                return
            self.durable.add(payment.key)
            noted.set_result(None)

        asyncio.get_running_loop().call_later(self.takes_s, write)
        return noted

    def named(self, payment: DrillPayment, payment_id: str) -> None:
        self.names[payment.key] = payment_id

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)


@dataclass
class FakeResolver:
    """The failover name: leads where a test says, at once."""

    region: str = EAST
    lost: bool = False

    def known(self) -> LoadTarget | None:
        return None if self.lost else target(self.region)

    def find(self) -> LoadTarget:
        raise NameUnresolved("nowhere")

    def failed(self) -> None:
        """What it was told holds."""


def target(region: str) -> LoadTarget:
    return LoadTarget((f"http://{region}/payments",), f"{region}.example", region)


@dataclass
class LoadRun:
    """A load, what it is sent to, and what was seen of it."""

    loop: Loop = field(default_factory=Loop)
    pace: Pace = field(default_factory=lambda: Pace(10.0))
    log: FakeLog = field(default_factory=FakeLog)
    resolver: FakeResolver = field(default_factory=FakeResolver)
    answering: Answering | None = None
    latency_s: float = 0.02
    jitter: Callable[[float, float], float] = lambda _least, most: most
    others: tuple[FixedTarget, ...] = ()
    seen: list[tuple[float, str, str, bytes]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    # -- the clock ---------------------------------------------------------------------------

    def elapsed(self) -> float:
        return self.loop.time()

    def wait(self, seconds: float) -> None:
        raise AssertionError("the load waits in its loop")

    # -- the API -----------------------------------------------------------------------------

    def dial(self, dialled: LoadTarget) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            assert request.headers["Idempotency-Key"] in self.log.durable
            self.requests.append(request)
            self.seen.append(
                (self.loop.time(), dialled.region, request.headers["Idempotency-Key"], request.content)
            )
            if self.answering is not None:
                return await self.answering(request)
            await asyncio.sleep(self.latency_s)
            return good(request, dialled.region)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    def run(
        self, seconds: float, grace_s: float = 0.0, meanwhile: Callable[[], None] | None = None
    ) -> LoadCounters:
        """Let the load run for a while, then stop it; `meanwhile` is done when half of the time is over."""
        counters = LoadCounters(self.elapsed)
        plan = LoadProfile(
            pace=self.pace,
            maker=Maker("dev", "x1"),
            log=self.log,
            clients=(
                LoadClient(self.resolver),
                *(LoadClient(one, ClientKind.PINNED) for one in self.others),
            ),
            api_key=KEY,
            clock=self,
            wall_ms=lambda: int(self.loop.time() * 1000) + 1,
            jitter=self.jitter,
        )
        sender = Sender(plan, counters, self.dial)

        async def go() -> None:
            running = asyncio.create_task(sender.run())
            await asyncio.sleep(seconds / 2)
            if meanwhile:
                meanwhile()
            await asyncio.sleep(seconds / 2)
            sender.stop(grace_s)
            sender.stop(1000.0)
            await running

        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(go())
        return counters

    def tries(self, key: str) -> list[tuple[float, str, str, bytes]]:
        return [one for one in self.seen if one[2] == key]


def good(request: httpx.Request, region: str, status: int = 201, **headers: str) -> httpx.Response:
    body = {"payment_id": payment_id(request.headers["Idempotency-Key"])}
    return httpx.Response(status, json=body, headers={"Payment-Region": region, **headers})


def always(response: httpx.Response | Exception) -> Answering:
    async def answer(_request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return answer


@dataclass
class Then:
    """Gives answers in turn for each payment; the last one for ever."""

    answers: tuple[httpx.Response | Exception | None, ...]
    given: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.headers["Idempotency-Key"]
        answer = self.answers[min(self.given[key], len(self.answers) - 1)]
        self.given[key] += 1
        if isinstance(answer, Exception):
            raise answer
        return good(request, EAST) if answer is None else answer


@pytest.fixture
def world() -> LoadRun:
    return LoadRun()


FIRST = "payinfra-drill-x1-0"


# -- the rate ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.3, 5.0, 40.0])
@pytest.mark.parametrize("latency_s", [0.0, 0.02, 4.0])
def test_payments_are_begun_at_the_rate_however_long_answers_take(rate: float, latency_s: float) -> None:
    world = LoadRun(pace=Pace(rate, resend_every=0), latency_s=latency_s)
    world.run(4.0)
    begun = [at_s for at_s, *_rest in world.seen]
    assert len(begun) == pytest.approx(4 * rate, abs=1)
    assert all(later - earlier == pytest.approx(1 / rate, rel=0.01) for earlier, later in pairwise(begun))


def test_silence_does_not_slow_it_down(world: LoadRun) -> None:
    world.answering = always(httpx.ConnectError("refused"))
    world.run(8.0)
    firsts = [attempt for attempt in world.log.attempts if attempt.number == 1]
    assert len(firsts) == pytest.approx(80, abs=1)


def test_a_process_that_stood_still_does_not_send_everything_at_once(world: LoadRun) -> None:
    def stand_still() -> None:
        world.loop.ahead.skipped += 100.0

    world.pace = replace(world.pace, resend_every=0)
    world.run(20.0, meanwhile=stand_still)
    assert len(world.seen) == pytest.approx(200, abs=2)


def test_a_short_stand_still_is_made_up_for(world: LoadRun) -> None:
    def stand_still() -> None:
        world.loop.ahead.skipped += MOST_LATE_S - 1.0

    world.pace = replace(world.pace, resend_every=0)
    world.run(20.0, meanwhile=stand_still)
    assert len(world.seen) == pytest.approx(10 * world.seen[-1][0], abs=2)


def test_it_gives_signs_of_life_between_rare_payments() -> None:
    world = LoadRun(pace=Pace(0.05))
    assert world.run(15.0).snapshot().heartbeat_s > 14.0


# -- what is sent ------------------------------------------------------------------------------------------


def test_a_payment_is_noted_before_it_is_sent(world: LoadRun) -> None:
    # The API of this world looks for each payment in the log.
    world.log.takes_s = 0.7
    counters = world.run(5.0, grace_s=5.0)
    assert counters.snapshot().waiting == 0
    assert world.seen[0][0] == pytest.approx(0.7)


def test_a_payment_log_that_fails_ends_the_load_and_nothing_is_sent() -> None:
    world = LoadRun(log=FakeLog(failure=OSError("no space left")))
    with pytest.raises(ExceptionGroup, match="unhandled"):
        world.run(5.0)
    assert world.seen == []


def test_what_a_request_carries(world: LoadRun) -> None:
    world.run(0.05)
    (request,) = world.requests
    assert (str(request.url), request.method) == (f"http://{EAST}/payments", "POST")
    carried = {name: request.headers[name] for name in ("Host", "x-api-key", "Content-Type")}
    assert carried == {"Host": f"{EAST}.example", "x-api-key": KEY, "Content-Type": "application/json"}
    assert json.loads(request.content)["metadata"] == {"drill": "x1"}


def test_a_plan_does_not_show_the_key() -> None:
    world = LoadRun()
    plan = LoadProfile(world.pace, Maker("dev", "x1"), world.log, (LoadClient(world.resolver),), KEY, world)
    assert KEY not in repr(plan)
    assert plan.wall_ms() > 1_700_000_000_000


def test_requests_take_the_ways_in_turn() -> None:
    world = LoadRun(pace=Pace(10.0, resend_every=0), others=(FixedTarget(target(WEST)),))
    counters = world.run(9.95, grace_s=1.0)
    assert Counter(region for _at, region, *_rest in world.seen) == {EAST: 50, WEST: 50}
    assert counters.snapshot().by_region == {EAST: 50, WEST: 50}
    # Only what went by the name is in a row.
    assert list(counters.snapshot().streaks) == [EAST]
    assert counters.snapshot().streaks[EAST].length == 50


def test_requests_follow_the_name(world: LoadRun) -> None:
    def switch() -> None:
        world.resolver.region = WEST

    world.run(10.0, meanwhile=switch)
    regions = [region for at_s, region, *_rest in world.seen if at_s < 4.9 or at_s > 5.1]
    assert regions == sorted(regions)
    assert set(regions) == {EAST, WEST}


# -- what answers mean -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (httpx.Response(403), Result.REFUSED),
        (httpx.Response(404), Result.REFUSED),
        (httpx.Response(409), Result.REFUSED),
        (httpx.Response(422), Result.REFUSED),
        (httpx.Response(409, headers={"Retry-After": "1"}), Result.FAILED),
        (httpx.Response(408), Result.FAILED),
        (httpx.Response(429), Result.FAILED),
        (httpx.Response(500), Result.FAILED),
        (httpx.Response(503), Result.FAILED),
        (httpx.Response(302, headers={"Location": "http://elsewhere/"}), Result.FAILED),
        (httpx.Response(200, text="<html>"), Result.FAILED),
        (httpx.Response(200, json=["odd"]), Result.FAILED),
        (httpx.Response(200, json={"other": 1}), Result.FAILED),
        (httpx.Response(204), Result.FAILED),
    ],
)
def test_an_answer_that_acknowledges_nothing(world: LoadRun, answer: httpx.Response, result: Result) -> None:
    world.answering = Then((answer, None))
    counters = world.run(1.0, grace_s=10.0)
    first, *rest = (attempt for attempt in world.log.attempts if attempt.key == FIRST and not attempt.again)
    assert (first.result, first.status, first.region) == (result, answer.status_code, EAST)
    assert [attempt.result for attempt in rest] == ([Result.ACKNOWLEDGED] if result is Result.FAILED else [])
    assert counters.snapshot().waiting == 0


@pytest.mark.parametrize(("status", "header"), [(201, False), (200, False), (200, True)])
def test_an_acknowledgement(world: LoadRun, status: int, header: bool) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        more = {"Idempotent-Replayed": "true"} if header else {}
        return good(request, WEST, status, **more)

    world.answering = answer
    counters = world.run(0.05)
    (attempt,) = world.log.attempts
    assert attempt.result is (Result.REPLAYED if header else Result.ACKNOWLEDGED)
    assert (attempt.region, attempt.status, attempt.number) == (WEST, status, 1)
    assert counters.snapshot().by_region == {WEST: 1}
    assert counters.attempts() == (attempt,)
    assert world.log.names == {}


def test_another_id_than_expected_is_noted(world: LoadRun) -> None:
    world.answering = always(httpx.Response(201, json={"payment_id": "pay_other"}))
    world.run(0.05)
    assert world.log.names == {FIRST: "pay_other"}


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("late"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("half an answer"),
        httpx.PoolTimeout("no connection free"),
        httpx.DecodingError("no gzip"),
        httpx.InvalidURL("odd"),
        httpx.StreamClosed(),
        ssl.SSLError("bad certificate"),
        OSError("too many open files"),
        RuntimeError("client has been closed"),
        ValueError("odd"),
    ],
)
def test_whatever_goes_wrong_is_silence_and_is_tried_again(world: LoadRun, error: Exception) -> None:
    world.answering = Then((error, error, None))
    counters = world.run(1.0, grace_s=10.0)
    tries = [attempt for attempt in world.log.attempts if attempt.key == FIRST and not attempt.again]
    assert [attempt.result for attempt in tries] == [Result.SILENT, Result.SILENT, Result.ACKNOWLEDGED]
    assert (tries[0].region, tries[0].status) == ("", 0)
    assert counters.snapshot().waiting == 0
    assert counters.error_share(EAST, 100.0) == pytest.approx(2 / 3, abs=0.05)


def test_an_answer_that_takes_too_long_is_silence(world: LoadRun) -> None:
    world.latency_s = 60.0
    world.pace = replace(world.pace, time_out_s=3.0)
    world.run(10.0)
    silent = [attempt for attempt in world.log.attempts if attempt.at_s < 6.0]
    assert silent
    assert {(one.result, round(one.seconds, 3)) for one in silent} == {(Result.SILENT, 3.0)}


def test_a_name_that_leads_nowhere_is_silence(world: LoadRun) -> None:
    world.resolver.lost = True
    counters = world.run(2.0)
    assert world.seen == []
    assert {attempt.result for attempt in counters.attempts()} == {Result.SILENT}


# -- trying again ------------------------------------------------------------------------------------------


def test_every_attempt_at_a_payment_is_the_same_request(world: LoadRun) -> None:
    world.answering = Then((httpx.ConnectError("no"), httpx.Response(503), httpx.ReadError("no"), None))
    world.run(2.0, grace_s=60.0)
    bodies = {key: {body for *_rest, one, body in world.seen if one == key} for *_r, key, _b in world.seen}
    assert {len(found) for found in bodies.values()} == {1}
    assert len(set(map(min, bodies.values()))) == len(bodies)
    assert [attempt.number for attempt in world.log.attempts if attempt.key == FIRST][:4] == [1, 2, 3, 4]


def test_pauses_grow_up_to_the_longest() -> None:
    world = LoadRun(pace=Pace(0.1, first_pause_s=0.1, longest_pause_s=1.0, retries=1000.0))
    world.answering = always(httpx.ConnectError("no"))
    world.run(9.0)
    tries = [at_s for at_s, *_rest in world.tries(FIRST)]
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, *[1.0] * (len(pauses) - 4)], abs=0.02)


def test_pauses_are_random_from_nothing_on() -> None:
    asked: list[tuple[float, float]] = []

    def draw(least: float, most: float) -> float:
        asked.append((least, most))
        return least

    pace = Pace(0.1, first_pause_s=0.1, longest_pause_s=0.3, retries=1000.0)
    world = LoadRun(pace=pace, jitter=draw)
    world.answering = Then((*[httpx.ConnectError("no")] * 4, None))
    world.run(5.0)
    assert asked == [(0.0, 0.1), (0.0, 0.2), (0.0, 0.3), (0.0, 0.3)]
    assert world.tries(FIRST)[-1][0] < 0.1


@pytest.mark.parametrize(
    ("said", "pause"), [("1", 1.0), ("30", 2.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.2), ("-1", 0.2)]
)
def test_the_pause_that_an_answer_asks_for_is_kept_within_the_longest(said: str, pause: float) -> None:
    world = LoadRun(pace=Pace(0.1, retries=1000.0))
    world.answering = Then((httpx.Response(503, headers={"Retry-After": said}), None))
    world.run(5.0)
    first, second = (at_s for at_s, *_rest in world.tries(FIRST))
    assert second - first == pytest.approx(pause, abs=0.01)


def test_all_retries_together_keep_to_their_share_of_the_rate(world: LoadRun) -> None:
    world.pace = Pace(10.0, retries=2.0)
    world.answering = always(httpx.ConnectError("no"))
    world.run(10.0)
    by_second = Counter(int(at_s) for at_s, *_rest in world.seen)
    assert max(by_second.values()) <= world.pace.most_a_second + 1
    assert by_second[8] == pytest.approx(30, abs=1)


def test_a_region_that_is_silent_is_not_asked_by_ever_more_retries_at_once() -> None:
    world = LoadRun(pace=Pace(40.0, time_out_s=4.0, retries=4.0), latency_s=60.0)
    counters = world.run(12.0)
    firsts = 40.0 * 4.0
    assert counters.snapshot().in_flight == 0
    sent = [(one.at_s, one.at_s + one.seconds, one.number == 1) for one in counters.attempts()]
    at_once = [first for begin, end, first in sent if begin <= 11.0 < end]
    assert at_once.count(True) == pytest.approx(firsts, abs=2)
    assert at_once.count(False) == RETRIES_AT_ONCE


# -- once more ---------------------------------------------------------------------------------------------


def test_each_so_manieth_acknowledged_payment_is_sent_once_more(world: LoadRun) -> None:
    world.pace = Pace(10.0, resend_every=5, resend_after_s=3.0)
    counters = world.run(10.0, grace_s=5.0)
    again = [attempt for attempt in counters.attempts() if attempt.again]
    assert len(again) == pytest.approx(20, abs=1)
    assert len({attempt.key for attempt in again}) == len(again)
    assert {attempt.number for attempt in again} == {2}
    for attempt in again[:13]:
        first, second = world.tries(attempt.key)
        assert second[0] - first[0] == pytest.approx(3.0, abs=0.5)
        assert second[3] == first[3]
    assert sum(counters.snapshot().by_region.values()) == counters.snapshot().begun


def test_it_is_sent_where_the_name_leads_by_then_as_soon_as_that_is_elsewhere(world: LoadRun) -> None:
    world.pace = Pace(10.0, resend_every=5, resend_after_s=1000.0)
    world.run(10.0, grace_s=5.0, meanwhile=lambda: setattr(world.resolver, "region", WEST))
    again = [attempt for attempt in world.log.attempts if attempt.again]
    elsewhere = [attempt for attempt in again if attempt.at_s < 9.0]
    assert len(elsewhere) == 10
    for attempt in elsewhere:
        first, second = world.tries(attempt.key)
        assert (first[1], second[1]) == (EAST, WEST)
        assert second[0] > 5.0


def test_by_several_ways_it_is_sent_by_the_next(world: LoadRun) -> None:
    world = LoadRun(
        pace=Pace(10.0, resend_every=1, resend_after_s=1000.0), others=(FixedTarget(target(WEST)),)
    )
    world.run(4.0, grace_s=10.0)
    early = [key for at_s, _region, key, _body in world.seen if at_s < 3.5]
    target_resolvers = {tuple(region for _at, region, *_rest in world.tries(key)) for key in early}
    assert target_resolvers == {(EAST, WEST), (WEST, EAST)}


def test_one_that_fails_is_tried_again_too(world: LoadRun) -> None:
    world.pace = Pace(10.0, resend_every=10, resend_after_s=1.0)
    world.answering = Then((None, httpx.ConnectError("no"), None))
    counters = world.run(5.0, grace_s=5.0)
    results = [attempt.result for attempt in counters.attempts() if attempt.again]
    assert set(results) == {Result.SILENT, Result.ACKNOWLEDGED}
    assert counters.snapshot().waiting == 0


def test_what_was_refused_is_not_sent_again(world: LoadRun) -> None:
    world.pace = replace(world.pace, resend_every=1)
    world.answering = always(httpx.Response(422))
    assert not [one for one in world.run(5.0, grace_s=5.0).attempts() if one.again]


# -- the end -----------------------------------------------------------------------------------------------


def test_after_the_stop_nothing_new_begins_and_what_is_open_is_tried_until_the_grace_ends(
    world: LoadRun,
) -> None:
    world.answering = always(httpx.ConnectError("no"))
    counters = world.run(5.0, grace_s=7.0)
    firsts = [attempt.at_s for attempt in counters.attempts() if attempt.number == 1]
    assert max(firsts) < 5.01
    assert max(attempt.at_s for attempt in counters.attempts()) == pytest.approx(12.0, abs=0.5)
    assert world.loop.time() == pytest.approx(12.0, abs=0.5)
    assert (counters.snapshot().waiting, counters.snapshot().in_flight) == (counters.snapshot().begun, 0)


def test_it_ends_as_soon_as_nothing_is_open(world: LoadRun) -> None:
    counters = world.run(5.0, grace_s=1000.0)
    assert world.loop.time() < 10.0
    assert counters.snapshot().waiting == 0
    assert [attempt for attempt in counters.attempts() if attempt.again]


def test_what_is_cut_off_by_the_end_is_noted_as_silence(world: LoadRun) -> None:
    world.latency_s = 4.0
    counters = world.run(2.0)
    assert len(world.seen) == len(counters.attempts()) == len(world.log.attempts)
    assert {attempt.result for attempt in counters.attempts()} == {Result.SILENT}


# -- the thread --------------------------------------------------------------------------------------------


class Quick:
    """A log that has everything at once."""

    def payment(self, _payment: DrillPayment) -> "Future[None]":
        noted: Future[None] = Future()
        noted.set_result(None)
        return noted

    def named(self, _payment: DrillPayment, _payment_id: str) -> None:
        raise AssertionError

    def attempt(self, _attempt: Attempt) -> None:
        """Forget it."""


class Full(Quick):
    """A log without space."""

    def payment(self, _payment: DrillPayment) -> "Future[None]":
        noted: Future[None] = Future()
        noted.set_exception(OSError("no space left"))
        return noted


class Broken(Quick):
    """A log that has a bug."""

    def attempt(self, _attempt: Attempt) -> None:
        raise ZeroDivisionError


def generator(log: Quick, **more: Any) -> LoadGenerator:
    world = LoadRun(latency_s=0.0)
    world.log.durable = {Maker("dev", "x1").make(number, 1, 0.0).key for number in range(1000)}
    plan = LoadProfile(Pace(200.0), Maker("dev", "x1"), log, (LoadClient(world.resolver),), KEY, world)
    return LoadGenerator(plan, world.dial, lambda: world.loop, **more)


def until(load: LoadGenerator, seen: Callable[[LoadSnapshot], bool]) -> LoadSnapshot:
    while not seen(found := load.snapshot()):
        pass
    return found


def test_it_runs_in_a_thread_of_its_own_until_it_is_stopped() -> None:
    load = generator(Quick())
    load.stop(1.0)
    load.start()
    until(load, lambda now: now.by_region.get(EAST, 0) > 20)
    load.stop(1.0)
    ended = load.snapshot()
    assert (ended.waiting, ended.broken) == (0, "")
    assert len(load.attempts()) >= ended.begun > 20
    assert load.error_share(EAST, 1e9) == 0.0
    load.stop(1.0)
    assert load.snapshot() == ended


def test_what_broke_in_the_thread_is_told() -> None:
    for log, why in ((Full(), "no space left"), (Broken(), "ZeroDivisionError")):
        with generator(log) as load:
            assert why in until(load, lambda now: bool(now.broken)).broken


def test_a_loop_that_cannot_be_made_is_told() -> None:
    def no_loop() -> asyncio.AbstractEventLoop:
        raise OSError("too many open files")

    world = LoadRun()
    plan = LoadProfile(world.pace, Maker("dev", "x1"), Quick(), (LoadClient(world.resolver),), KEY, world)
    with LoadGenerator(plan, loop=no_loop) as load:
        assert "too many open files" in until(load, lambda now: bool(now.broken)).broken

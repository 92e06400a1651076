"""A name's answer is kept for its TTL, as an ordinary resolver keeps it, and not a moment longer."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import dns.exception
import pytest

from payinfra.clients.aws import Aws, Endpoints
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.core.https_address import HttpsAddress
from payinfra.core.outputs import Declared, DeclaredRegion, Outputs
from payinfra.drill.load.targets import (
    CachingResolver,
    ClientKind,
    FixedTarget,
    LoadTarget,
    NameUnresolved,
    by_name,
    by_region,
    client_count,
    load_clients,
)

EAST_HOST = "aaa.execute-api.us-east-1.amazonaws.com"
WEST_HOST = "bbb.execute-api.us-west-2.amazonaws.com"
NAME = "pay.demo.internal"
FIRST, SECOND = NameServer("192.0.2.1"), NameServer("192.0.2.2")
AWS = Aws()
EMBEDDED_ENDPOINTS = Endpoints(
    {"us-east-1": "http://127.0.0.1:1", "us-west-2": "http://127.0.0.1:2"}, "http://g"
)
EMBEDDED = Aws(EMBEDDED_ENDPOINTS)


@dataclass
class FakeDns:
    """Answers what a test says; a server that is down raises."""

    answer: DnsResponse
    down: set[NameServer] = field(default_factory=set)
    asked: list[tuple[NameServer, str, str]] = field(default_factory=list)
    takes_s: float = 0.0
    now: float = 100.0
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def servers(self, names: Sequence[str]) -> tuple[NameServer, ...]:
        raise AssertionError("nobody asks for these")

    def ask(self, server: NameServer, name: str, kind: str) -> DnsResponse:
        self.asked.append((server, name, kind))
        assert self.go_on.wait(10)
        self.now += self.takes_s
        if server in self.down:
            raise dns.exception.Timeout
        return self.answer

    def resolve(self, name: str, kind: str) -> DnsResponse:
        raise AssertionError("the machine's resolver does not know the zone")

    def clock(self) -> float:
        return self.now


def answer(*data: str, ttl_s: int = 60) -> DnsResponse:
    return DnsResponse("NOERROR", data, ttl_s)


def to_target(data: tuple[str, ...]) -> LoadTarget:
    return LoadTarget((f"https://{data[0]}/payments",), data[0], "")


def caching(
    asked: FakeDns, servers: Sequence[NameServer] = (FIRST, SECOND), *, least_ttl_s: float = 0.0
) -> CachingResolver:
    return CachingResolver(
        asked, servers, NAME, "CNAME", to_target, clock=asked.clock, least_ttl_s=least_ttl_s
    )


def test_an_answer_is_kept_for_its_ttl_and_no_longer() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=60))
    resolver = caching(asked)
    assert resolver.known() is None
    assert resolver.find().host == EAST_HOST
    asked.answer = answer(WEST_HOST)
    asked.now += 59.9
    found = resolver.known()
    assert found is not None
    assert (found.host, resolver.find().host, len(asked.asked)) == (EAST_HOST, EAST_HOST, 1)
    asked.now += 0.2
    assert resolver.known() is None
    assert (resolver.find().host, len(asked.asked)) == (WEST_HOST, 2)


def test_the_ttl_runs_from_the_question_on() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=10), takes_s=4.0)
    resolver = caching(asked)
    resolver.find()
    asked.now += 5.9
    assert resolver.known() is not None
    asked.now += 0.2
    assert resolver.known() is None


@pytest.mark.parametrize(("least_ttl_s", "kept_s"), [(0.0, 6.0), (4.0, 6.0), (9.0, 9.0)])
def test_a_slow_machine_keeps_an_answer_long_enough_to_send(least_ttl_s: float, kept_s: float) -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=6))
    resolver = caching(asked, least_ttl_s=least_ttl_s)
    resolver.find()
    asked.now += kept_s - 0.1
    assert resolver.known() is not None
    asked.now += 0.2
    assert resolver.known() is None


def test_an_answer_without_ttl_is_asked_for_each_time() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=0))
    resolver = caching(asked)
    assert [resolver.find().host for _ in range(3)] == [EAST_HOST] * 3
    assert len(asked.asked) == 3


def test_the_next_server_is_asked_where_one_does_not_answer() -> None:
    asked = FakeDns(answer(EAST_HOST), down={FIRST})
    assert caching(asked).find().host == EAST_HOST
    assert asked.asked == [(FIRST, NAME, "CNAME"), (SECOND, NAME, "CNAME")]


def test_a_failure_keeps_no_stale_answer_and_is_not_repeated_for_a_second() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=10))
    resolver = caching(asked)
    resolver.find()
    asked.now += 10.0
    asked.down = {FIRST, SECOND}
    with pytest.raises(NameUnresolved, match=r"192.0.2.2 does not answer: Timeout"):
        resolver.find()
    assert resolver.known() is None
    asked.down.clear()
    asked.now += 0.9
    with pytest.raises(NameUnresolved):
        resolver.find()
    assert len(asked.asked) == 3
    asked.now += 0.2
    assert resolver.find().host == EAST_HOST


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (DnsResponse("NXDOMAIN", (), 0), "says NXDOMAIN and no CNAME"),
        (DnsResponse("NOERROR", (), 60), "says NOERROR and no CNAME"),
    ],
)
def test_a_name_without_records_leads_nowhere(said: DnsResponse, why: str) -> None:
    with pytest.raises(NameUnresolved, match=why):
        caching(FakeDns(said)).find()


def test_a_zone_without_servers_leads_nowhere() -> None:
    with pytest.raises(NameUnresolved, match="no name servers"):
        caching(FakeDns(answer(EAST_HOST)), ()).find()


def test_many_who_ask_at_once_are_one_question() -> None:
    asked = FakeDns(answer(EAST_HOST))
    asked.go_on.clear()
    resolver = caching(asked)
    threads = [threading.Thread(target=resolver.find) for _ in range(20)]
    for thread in threads:
        thread.start()
    asked.go_on.set()
    for thread in threads:
        thread.join()
    assert len(asked.asked) == 1


# -- where names lead --------------------------------------------------------------------------------------


def declared(*, delegated: bool) -> Declared:
    regions = tuple(
        SimpleNamespace(region=region, api=SimpleNamespace(execute_host=host, stage="prod"))
        for region, host in (("us-east-1", EAST_HOST), ("us-west-2", WEST_HOST))
    )
    path = "/payments" if delegated else "/prod/payments"
    dns = SimpleNamespace(delegated=delegated, payments_path=path)
    return cast(Declared, SimpleNamespace(dns=dns, regions=regions))


OUTPUTS = cast(Outputs, SimpleNamespace(failover_domain=NAME))


@pytest.mark.parametrize(
    ("aws", "url"),
    [(AWS, f"https://{WEST_HOST}/prod/payments"), (EMBEDDED, "http://127.0.0.1:2/prod/payments")],
)
def test_a_name_of_a_zone_of_its_own_stands_for_a_regional_endpoint(aws: Aws, url: str) -> None:
    asked = FakeDns(answer(WEST_HOST))
    resolver = by_name(aws, OUTPUTS, declared(delegated=False), asked, (FIRST,))
    assert resolver.find() == LoadTarget((url,), WEST_HOST, "us-west-2")
    assert asked.asked == [(FIRST, NAME, "CNAME")]


def test_a_target_that_was_not_declared_is_of_no_known_region() -> None:
    resolver = by_name(AWS, OUTPUTS, declared(delegated=False), FakeDns(answer("odd.example")), (FIRST,))
    assert resolver.find() == LoadTarget(("https://odd.example/prod/payments",), "odd.example", "")


def test_a_delegated_name_is_asked_for_by_itself_at_its_addresses() -> None:
    asked = FakeDns(answer("192.0.2.8", "192.0.2.9"))
    resolver = by_name(AWS, OUTPUTS, declared(delegated=True), asked, (FIRST,))
    urls = ("https://192.0.2.8/payments", "https://192.0.2.9/payments")
    assert resolver.find() == LoadTarget(urls, NAME, "")
    assert asked.asked == [(FIRST, NAME, "A")]


def test_on_the_embedded_aws_a_delegated_name_leads_to_the_port_of_its_address() -> None:
    https = {"us-west-2": HttpsAddress("127.0.0.2", "127.0.0.1:4569")}
    here = Aws(replace(EMBEDDED_ENDPOINTS, https=https))
    resolver = by_name(here, OUTPUTS, declared(delegated=True), FakeDns(answer("127.0.0.2")), (FIRST,))
    found = resolver.find()
    assert (found.urls, found.host) == (("https://127.0.0.1:4569/payments",), OUTPUTS.failover_domain)


def test_a_regions_own_endpoint_needs_no_name() -> None:
    region: DeclaredRegion = declared(delegated=True).regions[1]
    resolver = by_region(AWS, region)
    target = LoadTarget((f"https://{WEST_HOST}/prod/payments",), WEST_HOST, "us-west-2")
    assert (resolver.known(), resolver.find()) == (target, target)


# -- who sends ---------------------------------------------------------------------------------------------

OWN = FixedTarget(LoadTarget(("http://west/payments",), "west", "us-west-2"))


def test_answers_expire_one_after_the_other_whatever_moment_they_were_asked_at() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=60))

    def resolving(age: float) -> CachingResolver:
        return CachingResolver(asked, (FIRST,), NAME, "CNAME", to_target, age=age, clock=asked.clock)

    clients = load_clients(resolving, None, 20)
    named = [one.resolver for one in clients if one.kind is ClientKind.RESOLVES]
    for resolver in named:
        resolver.find()
    expired = []
    for at in range(61):
        asked.now = 100.0 + at
        expired.append(sum(resolver.known() is None for resolver in named))
    assert expired == [at // 3 for at in range(61)]
    # From then on each asks once in a whole TTL.
    named[-1].find()
    asked.now += 59.9
    assert named[-1].known() is not None


def test_some_clients_keep_their_connection_and_ask_only_when_it_failed() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=10))
    keeping = [
        one.resolver
        for one in load_clients(lambda _age: caching(asked), None, 20)
        if one.kind is ClientKind.KEEPS_CONNECTION
    ]
    assert len(keeping) == 2
    first = keeping[0]
    assert first.known() is None
    first.find()
    asked.answer, asked.now = answer(WEST_HOST), asked.now + 1000.0
    kept = first.known()
    assert kept is not None
    assert kept.host == EAST_HOST
    first.failed()
    assert first.known() is None
    assert first.find().host == WEST_HOST


def test_what_a_client_was_told_holds_for_its_ttl_whatever_fails() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=10))
    resolver = caching(asked)
    resolver.find()
    resolver.failed()
    OWN.failed()
    assert resolver.known() is not None
    assert OWN.known() is OWN.find()


def test_a_client_asks_as_its_answer_expires_and_keeps_its_place_among_the_others() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=10))
    resolver = caching(asked)
    assert resolver.refresh_in_s is None
    resolver.find()
    assert resolver.refresh_in_s == 10.0
    asked.now += 10.3
    asked.answer = answer(WEST_HOST, ttl_s=10)
    resolver.refresh()
    known = resolver.known()
    assert known is not None
    assert known.host == WEST_HOST
    left_s = resolver.refresh_in_s
    assert left_s is not None
    assert left_s == pytest.approx(9.7)


def test_a_client_that_asks_far_too_late_begins_anew() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=10))
    resolver = caching(asked)
    resolver.find()
    asked.now += 35.0
    resolver.refresh()
    assert resolver.refresh_in_s == 10.0


def test_what_has_no_answer_or_no_ttl_is_not_asked_for_ahead() -> None:
    asked = FakeDns(answer(EAST_HOST, ttl_s=0))
    resolver = caching(asked)
    resolver.find()
    assert resolver.refresh_in_s is None
    asked.answer = answer(EAST_HOST, ttl_s=10)
    resolver.find()
    asked.down = {FIRST, SECOND}
    asked.now += 10.0
    resolver.refresh()
    assert resolver.refresh_in_s is None


def test_regions_that_are_cut_off_from_each_other_are_both_written_to() -> None:
    clients = load_clients(lambda _age: caching(FakeDns(answer(EAST_HOST))), OWN, 5)
    assert [one.kind for one in clients[:4]] == [ClientKind.RESOLVES, ClientKind.PINNED] * 2
    assert all(one.resolver is OWN for one in clients[1::2])
    assert len(clients) == 2 * (5 + 1)


@pytest.mark.parametrize(
    ("rate", "ttl_s", "count"), [(5.0, 60.0, 20), (5.0, 6.0, 20), (1.0, 1.0, 5), (2.0, 8.0, 11)]
)
def test_there_are_no_more_clients_than_can_send_as_soon_as_they_move(
    rate: float, ttl_s: float, count: int
) -> None:
    assert client_count(rate, ttl_s) == count


def test_another_name_may_be_asked_for() -> None:
    asked = FakeDns(answer(WEST_HOST))
    found = by_name(AWS, OUTPUTS, declared(delegated=False), asked, (FIRST,), name="latency.example", age=0.5)
    assert found.find().region == "us-west-2"
    assert asked.asked == [(FIRST, "latency.example", "CNAME")]

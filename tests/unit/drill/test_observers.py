"""What a drill keeps an poller on."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from payinfra.clients.aws import Endpoints
from payinfra.clients.dns import DnsResponse, NameServer
from payinfra.core.https_address import HttpsAddress
from payinfra.core.outputs import DeclaredDns
from payinfra.core.region_geography import client_in
from payinfra.drill.observers import (
    DnsAnswer,
    FailoverDnsWatcher,
    HealthCheckWatcher,
    HealthPage,
    Poller,
    address_in,
    all_lead_to,
    dns_watcher,
    region_of_answer,
)
from tests.support.clocks import SetClock
from tests.unit.checks.probes.conftest import FAILOVER, LATENCY, declared_region, healthy

EAST, WEST = "us-east-1", "us-west-2"


@dataclass
class Scripted:
    """Gives one copies after the other; an exception among them is raised."""

    samples: list[object]

    def __call__(self) -> Any:
        copies = self.samples.pop(0)
        if isinstance(copies, Exception):
            raise copies
        return copies


def look(*sights: object) -> tuple[Poller[Any], list[tuple[float, object]]]:
    told: list[tuple[float, object]] = []
    clock = SetClock()
    poller: Poller[Any] = Poller(
        Scripted(list(sights)), clock, 0.1, lambda at_s, seen: told.append((at_s, seen))
    )
    for number in range(len(sights)):
        clock.at = float(number)
        poller.poll_once()
    return poller, told


def test_an_poller_tells_of_changes_only() -> None:
    _, told = look(True, True, False, False, True)
    assert told == [(0.0, True), (2.0, False), (4.0, True)]


def test_what_is_seen_became_so_when_it_last_changed() -> None:
    poller, _ = look(True, False, True, False)
    assert poller.since(0.0, lambda good: not good) == 3.0
    assert poller.since(3.5, lambda good: not good) == 3.5
    assert poller.since(0.0, bool) is None


def test_one_wanted_sample_after_another_keeps_the_moment_of_the_first() -> None:
    poller, _ = look(0, 1, 2, 3)
    assert poller.since(0.0, bool) == 1.0


def test_a_look_that_fails_is_nothing_seen() -> None:
    poller, told = look(True, OSError("no answer"), False)
    assert told == [(0.0, True), (2.0, False)]
    assert poller.since(0.0, lambda good: not good) == 2.0


def test_nothing_seen_is_nothing_wanted() -> None:
    poller, _ = look()
    assert poller.since(0.0, bool) is None


def test_an_poller_looks_in_a_thread_of_its_own_until_it_is_shut() -> None:
    seen: list[bool] = []
    poller: Poller[bool] = Poller(lambda: True, SetClock(), 0.001, lambda _at, copies: seen.append(copies))
    poller.start()
    poller.stop()
    assert seen == [True]
    assert poller.since(0.0, bool) == 0.0


def test_an_poller_that_was_never_open_shuts() -> None:
    poller, _ = look()
    poller.stop()
    assert poller.since(0.0, bool) is None


# -- Route 53's conclusion ---------------------------------------------------------------------------------


@dataclass
class FakeRoute53:
    """One health check; `statuses` is what each checker found the last time it asked, at `asked`."""

    config: dict[str, object]
    statuses: list[str]
    asked: int = 0

    def get_health_check(self, **_call: str) -> dict[str, object]:
        return {"HealthCheck": {"HealthCheckConfig": self.config}}

    def get_health_check_status(self, **_call: str) -> dict[str, object]:
        return {
            "HealthCheckObservations": [
                {
                    "Region": "us-east-1",
                    "IPAddress": f"192.0.2.{number}",
                    "StatusReport": {"Status": status, "CheckedTime": self.asked},
                }
                for number, status in enumerate(self.statuses)
            ]
        }


@dataclass(frozen=True)
class FakeAws:
    """Gives that client."""

    client: FakeRoute53
    asked: list[str] = field(default_factory=list)

    def route53(self, region: str) -> FakeRoute53:
        self.asked.append(region)
        return self.client


GOOD, BAD = "Success: HTTP Status Code 200", "Failure: Connection timed out"


def concluded(route53: FakeRoute53, results: int) -> list[bool]:
    """What is concluded after each of so many results of every checker, each seen twice."""
    aws: Any = FakeAws(route53)
    conclusion = HealthCheckWatcher(aws, WEST, "check", threshold=3)
    found = []
    for route53.asked in range(results):
        conclusion.healthy()
        found.append(conclusion.healthy())
    assert set(aws.asked) == {WEST}
    return found


def test_checkers_change_their_minds_after_the_threshold_and_not_at_once() -> None:
    assert concluded(FakeRoute53({}, [BAD] * 8), 4) == [True, True, False, False]


def test_checkers_come_back_after_the_threshold_too() -> None:
    route53 = FakeRoute53({}, [BAD] * 8)
    aws: Any = FakeAws(route53)
    conclusion = HealthCheckWatcher(aws, WEST, "check", threshold=3)
    found = []
    for route53.asked in range(7):
        route53.statuses = [BAD if route53.asked < 3 else GOOD] * 8
        found.append(conclusion.healthy())
    assert found == [True, True, False, False, False, True, True]


@pytest.mark.parametrize(
    ("config", "statuses", "healthy"),
    [
        ({}, [GOOD] * 8, True),
        ({}, [BAD] * 8, False),
        ({}, [GOOD] * 2 + [BAD] * 8, True),
        ({}, [GOOD] + [BAD] * 8, False),
        ({}, [], True),
        ({"Inverted": True}, [GOOD] * 8, False),
        ({"Inverted": True}, [BAD] * 8, True),
        ({"Disabled": True}, [BAD] * 8, True),
        ({"Disabled": True, "Inverted": True}, [GOOD] * 8, False),
    ],
)
def test_route_53_concludes_from_its_checkers_and_the_checks_switches(
    config: dict[str, object], statuses: list[str], healthy: bool
) -> None:
    assert concluded(FakeRoute53(config, statuses), 3)[-1] is healthy


def test_a_page_that_is_not_there_is_the_steady_state_of_an_inverted_check() -> None:
    route53 = FakeRoute53({"Inverted": True}, [BAD] * 8)
    aws: Any = FakeAws(route53)
    conclusion = HealthCheckWatcher(aws, WEST, "check", threshold=2, begins_content=False)
    found = []
    for route53.asked in range(6):
        route53.statuses = [GOOD if route53.asked in (1, 2) else BAD] * 8
        found.append(conclusion.healthy())
    assert found == [True, True, False, False, True, True]
    route53.statuses = []
    assert HealthCheckWatcher(aws, WEST, "check", 2, begins_content=False).healthy()


# -- the name servers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FakeDns:
    """Answers by server."""

    answers: dict[str, tuple[str, ...]]

    def servers(self, _names: object) -> tuple[NameServer, ...]:
        return tuple(NameServer(address) for address in self.answers)

    def ask(self, server: NameServer, _name: str, _kind: str) -> DnsResponse:
        return DnsResponse("NOERROR", self.answers[server.address], 60)

    def resolve(self, name: str, kind: str) -> DnsResponse:
        raise AssertionError(f"nobody asks the machine's resolver for {kind} of {name}")


def answers(*data: tuple[str, ...]) -> tuple[DnsAnswer, ...]:
    dns = FakeDns({f"192.0.2.{number}": one for number, one in enumerate(data, 1)})
    post = FailoverDnsWatcher(
        dns, dns.servers(()), "failover.example", "CNAME", {"east.example": EAST, "west.example": WEST}.get
    )
    return post.ask()


def test_every_name_server_is_asked() -> None:
    found = answers(("east.example",), ("west.example",))
    assert [saying.region for saying in found] == [EAST, WEST]
    assert str(found[0]) == f"192.0.2.1: east.example ({EAST}, TTL 60 s)"


def test_a_poller_says_what_it_saw_how_often_and_when_last() -> None:
    clock, told = SetClock(), iter([True, True, False])
    poller = Poller(lambda: next(told), clock, 1.0, lambda _at_s, _seen: None)
    assert (poller.now(), poller.changes(), poller.polls) == (None, (), 0)
    for clock.at in (1.0, 2.0, 3.0, 4.0):
        poller.poll_once()
    # The fourth time nothing was seen.
    assert (poller.now(), poller.polls, poller.polled_s) == (False, 3, 3.0)
    assert poller.changes() == ((1.0, True), (3.0, False))


def test_the_name_has_switched_when_all_say_so() -> None:
    assert all_lead_to(WEST)(answers(("west.example",), ("west.example",)))
    assert not all_lead_to(WEST)(answers(("west.example",), ("east.example",)))
    assert not all_lead_to(WEST)(answers(("west.example",), ()))


def test_no_answer_leads_nowhere() -> None:
    (found,) = answers(())
    assert str(found) == "192.0.2.1: no answer (no region, TTL 60 s)"
    assert not all_lead_to(WEST)(())


# -- where an answer leads ---------------------------------------------------------------------------------


def live(*, delegated: bool) -> Any:
    """Just enough of the surroundings."""
    dns = DeclaredDns("zone", delegated, 60, "/payments", "/health", ("p", "s"), ())
    regions = (declared_region(EAST), declared_region(WEST))
    return SimpleNamespace(declared=SimpleNamespace(dns=dns, regions=regions))


def test_a_cname_says_by_itself_which_region_it_leads_to() -> None:
    region_of = region_of_answer(live(delegated=False).declared, "failover.example")
    assert [region_of(declared_region(region).api.execute_host) for region in (EAST, WEST)] == [EAST, WEST]
    assert region_of("elsewhere.example") is None


def test_an_address_is_asked_once_which_region_it_is_in() -> None:
    asked: list[str] = []

    def ask(address: str) -> str:
        asked.append(address)
        return WEST

    region_of = region_of_answer(live(delegated=True).declared, "failover.example", ask)
    assert [region_of("192.0.2.1"), region_of("192.0.2.1")] == [WEST, WEST]
    assert asked == ["192.0.2.1"]


def test_the_embedded_aws_has_an_address_for_each_region() -> None:
    https = {EAST: HttpsAddress("127.0.0.1", "127.0.0.1:1"), WEST: HttpsAddress("127.0.0.2", "127.0.0.2:1")}
    region_of = region_of_answer(
        live(delegated=True).declared, "failover.example", endpoints=Endpoints({}, "", https=https)
    )
    assert [region_of("127.0.0.1"), region_of("127.0.0.2"), region_of("127.0.0.3")] == [EAST, WEST, None]


def test_the_health_page_at_an_address_names_its_region() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"region": WEST})

    page = HealthPage("failover.example", "/health", httpx.MockTransport(answer))
    assert page.region("192.0.2.1") == WEST
    assert str(asked[0].url) == "https://192.0.2.1/health"
    assert asked[0].headers["host"] == "failover.example"
    assert asked[0].extensions["sni_hostname"] == "failover.example"


def test_aws_own_endpoints_are_in_their_regions() -> None:
    assert address_in(WEST, {"dynamodb.us-west-2.amazonaws.com": "192.0.2.7"}.__getitem__) == "192.0.2.7"


@pytest.mark.parametrize(
    ("reverse", "name", "asks_as"), [(False, FAILOVER, None), (True, LATENCY, client_in(WEST))]
)
def test_where_the_standby_is_lost_the_latency_name_is_watched_from_near_it(
    reverse: bool, name: str, asks_as: str | None
) -> None:
    found = dns_watcher(healthy().live(), (NameServer("192.0.2.1"),), WEST, reverse=reverse)
    assert (found.name, found.kind) == (name, "CNAME")
    assert getattr(found.dns, "on_behalf_of", None) == asks_as

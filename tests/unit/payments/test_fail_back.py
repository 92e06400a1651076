"""Manual fail-back: the standby keeps the name that has moved to it, and the primary holds itself back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bench.aws_in_process import FLAG
from handlers.payments import aws, fail_back
from handlers.payments.deadline import Overdue
from handlers.payments.fail_back import FailBackRule, HoldingBack
from handlers.payments.problems import Unavailable
from payinfra.core.evacuation import BY_RULE, EvacuationFlag
from tests.unit.payments.conftest import NOW_MS, Site

PRIMARY, STANDBY = "us-east-1", "us-west-2"
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
NAMED = json.dumps({"region": PRIMARY, "since": "2026-03-01T03:12:45+00:00", "by": "alice"})


class Name:
    """The failover name: where it leads, and how often that was asked."""

    def __init__(self) -> None:
        self.here = True
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.here


def works() -> None:
    """A region that records payments."""


@pytest.fixture
def name() -> Name:
    return Name()


def watching(sites: tuple[Site, Site], name: Name, serves: Callable[[], None] = works) -> Site:
    """The standby, with the rule; its parameter was written long ago."""
    site = sites[1]
    site.region.now_ms = NOW_MS
    site.fail_back = FailBackRule(
        site.clients.flag, FLAG, PRIMARY, leads_here=name, serves=serves, clock=site.clock
    )
    site.restart()
    return site


def asked(site: Site) -> int:
    """What a health checker gets, which asks every few seconds."""
    status = site.request("GET", "/evacuation").status
    site.clock.now_ms += fail_back.LOOK_EVERY_MS
    return status


def test_the_name_that_has_moved_here_is_kept(sites: tuple[Site, Site], name: Name) -> None:
    site = watching(sites, name)
    assert asked(site) == 200
    flag = EvacuationFlag.from_json(site.region.flag)
    assert flag == EvacuationFlag(PRIMARY, NOW.isoformat(timespec="seconds"), BY_RULE)
    assert any(line["message"] == "evacuated by the fail-back rule" for line in site.lines())
    assert site.lines()[-1]["events"] == ["FailoverSeen"], "its alarm rings at once"
    name.here = False
    assert [asked(site), asked(site)] == [200, 200], "the flag stands, wherever the name leads"
    assert site.region.calls.count("PutParameter") == 1


def test_a_region_that_flaps_while_the_name_stays_is_not_evacuated(
    sites: tuple[Site, Site], name: Name
) -> None:
    name.here = False
    site = watching(sites, name)
    assert [asked(site) for _ in range(10)] == [404] * 10
    assert site.region.flag == "{}"
    assert "PutParameter" not in site.region.calls


def test_name_servers_are_asked_every_five_seconds_at_most(sites: tuple[Site, Site], name: Name) -> None:
    name.here = False
    site = watching(sites, name)
    for _ in range(10):
        site.request("GET", "/evacuation")
        site.clock.now_ms += 1_000
    assert name.asked == 2
    site.clock.now_ms -= 60_000
    site.request("GET", "/evacuation")
    assert name.asked == 3, "a clock that went back keeps nothing"


@pytest.mark.parametrize("failure", [Unavailable("write", "AccessDenied"), Overdue()])
def test_a_standby_that_is_ill_keeps_nobody(sites: tuple[Site, Site], name: Name, failure: Exception) -> None:
    def ill() -> None:
        raise failure

    site = watching(sites, name, ill)
    assert asked(site) == 404
    assert "PutParameter" not in site.region.calls


def test_after_a_return_the_name_may_lead_here_for_a_while(sites: tuple[Site, Site], name: Name) -> None:
    site = watching(sites, name)
    site.region.flag_written_ms = NOW_MS
    site.clock.now_ms = NOW_MS + fail_back.SETTLED_MS - fail_back.LOOK_EVERY_MS
    assert asked(site) == 404
    assert asked(site) == 200, "a name that never came back is kept again"


@pytest.mark.parametrize(
    ("held_until", "status"),
    [
        (NOW + timedelta(minutes=1), 404),
        (NOW, 200),
        (NOW - timedelta(minutes=1), 200),
        ("tomorrow", 200),
        ("2027-01-15T08:00:00", 200),
    ],
)
def test_a_drill_holds_the_rule_off_until_it_is_over(
    sites: tuple[Site, Site], name: Name, held_until: datetime | str, status: int
) -> None:
    site = watching(sites, name)
    said = held_until if isinstance(held_until, str) else held_until.isoformat()
    site.region.flag = json.dumps({"held_until": said, "drill": "d"})
    assert asked(site) == status


@pytest.mark.parametrize(("minutes", "status"), [(1, 404), (-1, 404), (-2, 200)])
def test_a_drills_own_flag_counts_until_it_ends_and_the_name_has_had_time_to_return(
    sites: tuple[Site, Site], name: Name, minutes: int, status: int
) -> None:
    site = watching(sites, name)
    until = (NOW + timedelta(minutes=minutes)).isoformat()
    site.region.flag = json.dumps({"region": "eu-west-1", "drill": "d", "until": until})
    assert asked(site) == status


def test_what_somebody_has_set_meanwhile_stays(sites: tuple[Site, Site], name: Name) -> None:
    site = watching(sites, name)
    assert site.fail_back is not None
    site.region.flag = NAMED
    assert site.fail_back() is None
    assert site.region.flag == NAMED


@pytest.mark.parametrize("value", ["", "[]", "{", "[" * 100_000])
def test_a_value_that_says_nothing_is_replaced(sites: tuple[Site, Site], name: Name, value: str) -> None:
    site = watching(sites, name)
    site.region.flag = value
    assert asked(site) == 200


def test_a_flag_that_may_not_be_set_evacuates_nothing(sites: tuple[Site, Site], name: Name) -> None:
    site = watching(sites, name)
    site.region.refuse("PutParameter", "AccessDeniedException")
    assert asked(site) == 503
    assert site.lines()[-1]["events"] == ["DependencyUnavailable"]


# -- the primary -----------------------------------------------------------------------------------------


def kept(since: datetime = NOW, region: str = PRIMARY, by: str = BY_RULE) -> str:
    return EvacuationFlag(region, since.isoformat(), by).to_json()


def holding(sites: tuple[Site, Site], flag: str) -> Site:
    primary, standby = sites
    standby.region.flag = flag
    primary.held_back = HoldingBack(standby.clients.flag, FLAG, PRIMARY, primary.clock)
    primary.restart()
    return primary


def test_a_region_that_comes_back_at_once_is_not_found_healthy(sites: tuple[Site, Site]) -> None:
    site = holding(sites, kept())
    reply = site.request("GET", "/health")
    assert reply.status == 503
    assert reply.json()["type"] == "urn:problem:payments:held-back"
    assert (reply.json()["checks"], reply.json()["evacuated"]) == (
        {"table": "ok", "write": "ok", "audit": "unseen"},
        NOW.isoformat(timespec="seconds"),
    )
    assert site.pay().status == 201, "payments are not refused"
    site.clock.now_ms += fail_back.NOTICED_MS
    assert site.request("GET", "/health").status == 200


@pytest.mark.parametrize(
    "flag",
    [
        "{}",
        "[",
        kept(by="alice"),
        kept(region=STANDBY),
        kept(NOW - timedelta(minutes=3)),
        kept(NOW + timedelta(minutes=1)),
        json.dumps({"region": PRIMARY, "by": BY_RULE, "since": "now"}),
    ],
)
def test_nothing_else_holds_a_region_back(sites: tuple[Site, Site], flag: str) -> None:
    assert holding(sites, flag).request("GET", "/health").status == 200


def test_clocks_that_differ_by_seconds_hold_as_well(sites: tuple[Site, Site]) -> None:
    assert holding(sites, kept(NOW + timedelta(seconds=3))).request("GET", "/health").status == 503


def test_a_standby_that_cannot_be_asked_holds_nobody_back_and_is_left_alone(
    sites: tuple[Site, Site],
) -> None:
    site = holding(sites, kept())
    sites[1].region.refuse("GetParameter", "AccessDeniedException")
    for _ in range(10):
        assert site.request("GET", "/health").status == 200
        site.clock.now_ms += 1_000
    assert sites[1].region.calls.count("GetParameter") == 1
    sites[1].region.allow()
    site.clock.now_ms += fail_back.KEPT_UNREAD_MS
    assert site.request("GET", "/health").status == 503


def test_the_other_regions_flag_is_read_once_in_five_seconds(sites: tuple[Site, Site]) -> None:
    site = holding(sites, "{}")
    for _ in range(10):
        site.request("GET", "/health")
        site.clock.now_ms += 1_000
    assert sites[1].region.calls.count("GetParameter") == 2


def test_a_health_checker_is_answered_in_its_time() -> None:
    """Two seconds (Route 53 developer guide): after a look at the table the other region's flag is read."""
    assert aws.HEALTH_PROMISE_S + aws.PEER_FLAG.longest < 2
    assert fail_back.SETTLED_MS > 1000 * (2 * (30 + 1) + 10)
    assert fail_back.NOTICED_MS > 1000 * (2 * (30 + 1) + 10)

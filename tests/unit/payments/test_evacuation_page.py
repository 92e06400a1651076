"""What health checkers are told of an evacuation: 200 only while this region's flag names the other one."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.payments.conftest import Site

HERE, THERE = "us-east-1", "us-west-2"
STANDS = json.dumps({"region": THERE, "since": "2026-03-01T03:12:45+00:00", "by": "alice"})


def test_the_page_says_so_while_the_flag_names_the_other_region(site: Site) -> None:
    site.region.flag = STANDS
    reply = site.request("GET", "/evacuation")
    assert (reply.status, reply.json()) == (200, {"evacuated": THERE, "since": "2026-03-01T03:12:45+00:00"})


def counted(site: Site) -> object:
    """What the function counts of a look at the page, which says that the other region is evacuated."""
    assert site.request("GET", "/evacuation").status == 200
    return site.lines()[-1].get("events", [])


def test_the_region_that_has_the_names_tells_its_own_pager_without_any_payment(site: Site) -> None:
    site.region.flag = STANDS
    assert counted(site) == ["FailoverSeen"]


def test_a_drill_wakes_nobody(site: Site) -> None:
    end = datetime.fromtimestamp(site.clock.now_ms / 1000, UTC) + timedelta(seconds=30)
    site.region.flag = json.dumps({**json.loads(STANDS), "drill": "drill-1", "until": end.isoformat()})
    assert counted(site) == []


@pytest.mark.parametrize(
    "value",
    [
        *("{}", "", "[]", "null", '"us-west-2"', "{", "[" * 100_000, '{"since": "2026"}'),
        json.dumps({"region": HERE}),
        json.dumps({"region": "eu-west-1"}),
        json.dumps({"region": [THERE]}),
    ],
)
def test_whatever_else_stands_there_evacuates_nothing(site: Site, value: str) -> None:
    site.region.flag = value
    reply = site.request("GET", "/evacuation")
    assert (reply.status, reply.json()["type"]) == (404, "urn:problem:payments:not-evacuated")


@pytest.mark.parametrize("code", ["AccessDeniedException", "ParameterNotFound", "ThrottlingException"])
def test_a_flag_that_cannot_be_read_evacuates_nothing(site: Site, code: str) -> None:
    site.region.flag = STANDS
    site.region.refuse("GetParameter", code)
    assert site.request("GET", "/evacuation").status == 503


def test_the_flag_is_read_once_in_two_seconds(site: Site) -> None:
    for _ in range(3):
        assert site.request("GET", "/evacuation").status == 404
    assert site.region.calls.count("GetParameter") == 1
    site.region.flag = STANDS
    site.clock.now_ms += 2_000
    assert site.request("GET", "/evacuation").status == 200
    site.region.flag = "{}"
    site.clock.now_ms -= 10_000
    assert site.request("GET", "/evacuation").status == 404, "a clock that went back keeps nothing"


def test_a_drills_flag_evacuates_until_it_ends_by_itself(site: Site) -> None:
    end = datetime.fromtimestamp(site.clock.now_ms / 1000, UTC) + timedelta(seconds=30)
    drilled = {**json.loads(STANDS), "drill": "drill-1", "until": end.isoformat()}
    site.region.flag = json.dumps(drilled)
    assert site.request("GET", "/evacuation").status == 200
    site.clock.now_ms += 29_000
    assert site.request("GET", "/evacuation").status == 200
    site.clock.now_ms += 2_000
    assert site.request("GET", "/evacuation").status == 404


@pytest.mark.parametrize("until", ["", "soon", 7, "2999-01-01T00:00:00"])
def test_an_end_that_says_no_moment_is_over(site: Site, until: object) -> None:
    site.region.flag = json.dumps({**json.loads(STANDS), "until": until})
    assert site.request("GET", "/evacuation").status == 404

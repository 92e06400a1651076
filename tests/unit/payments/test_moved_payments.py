"""How the standby sees a failover: by the payments of customers whose name leads to it."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.unit.payments.conftest import Site, valid_body

PRIMARY, STANDBY, NAME = "us-east-1", "us-west-2", "failover.example"


def moved(site: Site, key: str = "order-1", host: str = "", **changes: object) -> bool:
    """Pay, and say whether the payment counts as one of a customer who was moved."""
    body: Mapping[str, object] = {**valid_body(), **changes}
    headers = {"Idempotency-Key": key, "Content-Type": "application/json", **({"Host": host} if host else {})}
    assert site.request("POST", "/payments", headers=headers, body=json.dumps(body)).status in (200, 201)
    events = site.lines()[-1]["events"]
    assert isinstance(events, list)
    return "FailoverSeen" in events


def standby(sites: tuple[Site, Site], name: str = "") -> Site:
    site = sites[1]
    site.config = replace(site.config, primary_region=PRIMARY, failover_domain=name)
    site.restart()
    return site


def test_whoever_pays_at_the_standby_was_moved(sites: tuple[Site, Site]) -> None:
    assert moved(standby(sites))


def test_with_a_name_only_those_who_used_it_were(sites: tuple[Site, Site]) -> None:
    site = standby(sites, NAME)
    assert moved(site, host=NAME)
    assert not moved(site, "order-2", host="latency.example")
    assert not moved(site, "order-3")


def test_nobody_is_moved_to_the_primary(sites: tuple[Site, Site]) -> None:
    site = sites[0]
    assert not moved(site)
    site.config = replace(site.config, primary_region=PRIMARY)
    site.restart()
    assert not moved(site, "order-2")


@pytest.mark.parametrize("again", [True, False])
def test_a_replay_and_a_test_payment_tell_nothing(sites: tuple[Site, Site], again: bool) -> None:
    site = standby(sites)
    if again:
        moved(site)
        assert not moved(site)
    else:
        assert not moved(site, "canary-1", customer_id="payinfra-canary-test", amount=1)

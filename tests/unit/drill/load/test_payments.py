"""A drill's payments are what the API takes them for."""

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import openapi
from handlers.payments import app, core
from payinfra.clients.payments_api import REGION_HEADER
from payinfra.core.canary_contract import AMOUNT
from payinfra.drill.load.payments import Maker, customer, payment_id
from payinfra.drill.replicas import CLAIM

NOW_MS = 1_800_000_000_000
IDS = st.builds(
    "{:%Y%m%dT%H%M%SZ}-{}".format,
    st.datetimes(timezones=st.just(UTC)),
    st.text(st.sampled_from("0123456789abcdef"), min_size=4, max_size=4),
)
"""Drills' ids, as `payinfra.drill.session` makes them."""
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


@given(KEYS)
def test_the_id_is_the_one_that_the_api_gives(key: str) -> None:
    assert payment_id(key) == core.payment_id(key)


def test_the_api_and_the_drill_mean_the_same_by_claim_and_region() -> None:
    assert CLAIM == core.CLAIM_RANGE
    assert REGION_HEADER == app.REGION_HEADER
    assert REGION_HEADER in json.dumps(openapi.document())


@given(IDS)
def test_the_api_takes_every_payment_that_is_made(drill: str) -> None:
    made = Maker("dev", drill).make(7, NOW_MS, 1.5)
    read = core.read_payment(made.key, made.body.encode())
    assert (read.payment_id, read.timestamp, read.amount) == (made.payment_id, NOW_MS, AMOUNT)
    assert (read.customer_id, read.metadata) == (customer("dev"), (("drill", drill),))


@pytest.mark.parametrize("drill", ["2026112316380599", "2026-11-23 163805 1"])
def test_an_id_that_looks_like_a_card_number_is_a_bug(drill: str) -> None:
    with pytest.raises(ValueError, match="card numbers"):
        Maker("dev", drill)


def test_payments_of_a_drill_differ_and_their_repetitions_do_not() -> None:
    maker = Maker("dev", "20261123T163805Z-ab12")
    assert maker.make(1, NOW_MS, 0.0) == maker.make(1, NOW_MS, 0.0)
    assert maker.make(1, NOW_MS, 0.0).key != maker.make(2, NOW_MS, 0.0).key
    assert maker.make(1, NOW_MS, 0.0).key != Maker("dev", "other").make(1, NOW_MS, 0.0).key

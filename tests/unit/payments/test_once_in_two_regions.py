"""One key, one payment: random requests to two regions, with replication that comes when it likes.

The model knows only which bodies were acknowledged under each key. Requests may meet a rival in the middle,
in the same region, and replicated writes may arrive there too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from handlers.payments import core
from handlers.payments.conflicts import conflicting_ids
from handlers.payments.problems import Problem

if TYPE_CHECKING:
    from handlers.payments.core import Payment
    from handlers.payments.service import Payments
    from tests.unit.payments.conftest import Site

KEYS = st.sampled_from(["order-1", "order-2"])
# Mostly the same body, as a client that retries sends it.
BODIES = st.sampled_from([(1, 0), (1, 0), (1, 0), (2, 0), (2, 1)])
PLACES = st.sampled_from([0, 1])
Body = tuple[int, int]


class TwoRegions(RuleBasedStateMachine):
    """Both regions' tables and containers, and what clients have been told."""

    def __init__(self, sites: tuple[Site, Site]) -> None:
        super().__init__()
        self.sites = sites
        self.containers: list[Payments] = []
        self.told: dict[str, dict[Body, Payment]] = defaultdict(dict)
        self.rivalries = 0

    @initialize()
    def begin(self) -> None:
        for site in self.sites:
            site.region.reset()
        self.containers = [site.container() for site in self.sites for _ in range(2)]

    @rule(place=PLACES, container=PLACES, key=KEYS, body=BODIES)
    def pay(self, place: int, container: int, key: str, body: Body) -> None:
        self._pay(self.containers[2 * place + container], key, body)

    @rule(
        place=PLACES, key=KEYS, body=BODIES, rival=BODIES, at=st.sampled_from(["Query", "TransactWriteItems"])
    )
    def pay_with_a_rival(self, place: int, key: str, body: Body, rival: Body, at: str) -> None:
        self._during(place, at, lambda: self._pay(self.containers[2 * place + 1], key, rival))
        self._pay(self.containers[2 * place], key, body)

    @rule(place=PLACES, key=KEYS, body=BODIES, count=st.integers(1, 3))
    def pay_while_writes_arrive(self, place: int, key: str, body: Body, count: int) -> None:
        here, there = self.sites[place].region, self.sites[1 - place].region
        self._during(place, "TransactWriteItems", lambda: there.deliver(here, count=count))
        self._pay(self.containers[2 * place], key, body)

    @rule(place=PLACES, count=st.integers(1, 4), backwards=st.booleans())
    def replicate_some(self, place: int, count: int, backwards: bool) -> None:
        here = self.sites[place].region
        if backwards:
            here.outbox.reverse()
        here.deliver(self.sites[1 - place].region, count=count)

    @invariant()
    def each_key_has_no_more_payments_than_bodies_that_were_acknowledged(self) -> None:
        for key, told in self.told.items():
            for site in self.sites:
                under = [at for at in site.region.items() if at[0] == core.payment_id(key)]
                assert len(under) <= 1 + len(told)

    def teardown(self) -> None:
        """Replication catches up; then both regions agree, and every conflict has been seen."""
        primary, secondary = (site.region for site in self.sites)
        primary.allow()
        secondary.allow()
        primary.deliver(secondary)
        secondary.deliver(primary)
        assert primary.items() == secondary.items()
        noticed = [
            payment_id
            for region in (primary, secondary)
            for payment_id in conflicting_ids({"Records": region.changes})
        ]
        for key, told in self.told.items():
            payment_id = core.payment_id(key)
            payments = [at for at in primary.items() if at[0] == payment_id and at[1] != 0]
            assert noticed.count(payment_id) == (1 if len(told) > 1 else 0)
            if len(told) == 1:
                assert len(payments) == 1
                for container in self.containers:
                    self._pay(container, key, *told)

    def _during(self, place: int, operation: str, act: Callable[[], None]) -> None:
        """Once, before the next such operation in this region is answered."""
        region = self.sites[place].region

        def before(asked: str) -> None:
            if asked == operation:
                region.allow()
                act()

        region.before = before

    def _pay(self, container: Payments, key: str, body: Body) -> None:
        told = self.told[key]
        document = {
            "amount": body[0],
            "currency": "EUR",
            "customer_id": "c",
            "payment_method": "card",
            "timestamp": self.sites[0].clock.now_ms + body[1],
        }
        refusal = ""
        try:
            answer = container.make(key, json.dumps(document).encode())
        except Problem as problem:
            refusal = problem.kind
        if refusal:
            # Only if another body has the key; one that was acknowledged is refused only after a conflict.
            assert set(told) - {body}, refusal
            assert refusal in ("idempotency-key-reused", "conflicting-records")
        else:
            assert told.setdefault(body, answer.payment) == answer.payment


def test_one_key_one_payment(sites: tuple[Site, Site]) -> None:
    class Machine(TwoRegions):
        def __init__(self) -> None:
            super().__init__(sites)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=40, stateful_step_count=15, deadline=None)
    )

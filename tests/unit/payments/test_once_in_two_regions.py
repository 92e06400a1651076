"""One key, one payment: random requests to two regions, with replication that comes when it likes.

The model knows only which bodies were acknowledged under each key, and which payments were acknowledged as
settled. Requests may meet a rival in the middle, in the same region, and replicated writes may arrive there
too. The audit log may refuse, and the stream is followed when it likes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from handlers.payments import core
from handlers.payments.problems import Problem, Unavailable

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
        self.settled: set[str] = set()

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

    @rule(place=PLACES, key=KEYS)
    def settle(self, place: int, key: str) -> None:
        """A worker settles what it finds accepted, perhaps while the audit log refuses."""
        refusal = ""
        try:
            self.containers[2 * place].move(core.payment_id(key), core.SETTLED, "batch-1")
        except Problem as problem:
            refusal = problem.kind
        except Unavailable:
            pass  # of the audit log only: the payment is settled
        if refusal:
            assert refusal in ("payment-not-found", "conflicting-records")
        else:
            self.settled.add(key)

    @rule(place=PLACES)
    def refuse_audit(self, place: int) -> None:
        self.sites[place].region.refuse("PutObject", "AccessDenied", status=403)

    @rule(place=PLACES)
    def allow_audit(self, place: int) -> None:
        self.sites[place].region.allow()

    @rule(place=PLACES)
    def follow(self, place: int) -> None:
        self.sites[place].follow()

    @invariant()
    def each_key_has_no_more_payments_than_bodies_that_were_acknowledged(self) -> None:
        for key, told in self.told.items():
            for site in self.sites:
                under = [at for at in site.region.items() if at[0] == core.payment_id(key)]
                assert len([at for at in under if at[1] >= 0]) <= 1 + len(told)

    def teardown(self) -> None:
        """Replication catches up and the streams are followed to their ends. Then both regions agree, every
        conflict is known, what was acknowledged is stored, audited and not set back."""
        primary, secondary = (site.region for site in self.sites)
        primary.allow()
        secondary.allow()
        # A state that is set back by an older copy of the other region is repaired, and that is replicated.
        for _ in range(5):
            primary.deliver(secondary)
            secondary.deliver(primary)
            for site in self.sites:
                site.restart()
                site.follow()
        for region in (primary, secondary):
            assert not region.changes
            assert not region.outbox
        assert primary.items() == secondary.items()
        audited = primary.objects | secondary.objects
        for key, told in self.told.items():
            found = self.sites[0].ledger.find(core.payment_id(key))
            assert found.in_conflict == (len(told) > 1)
            stored = {one.fingerprint: one for one in (*found.payments, *found.displaced)}
            for payment in told.values():
                assert stored[payment.fingerprint].accepted() == replace(
                    payment.accepted(), receipt=stored[payment.fingerprint].receipt
                )
                assert audited[core.audit_key(payment)] == core.audit_record(payment)
            if len(told) == 1:
                (body,) = told
                for container in self.containers:
                    self._pay(container, key, body)
                assert found.claim is not None
                assert found.claim.conflicts == ()
                if key in self.settled:
                    (settled,) = found.payments
                    assert settled.status == core.SETTLED
                    assert core.change_key(settled) in audited
            elif told:
                assert all(payment.conflict for payment in found.payments)

    def _during(self, place: int, operation: str, act: Callable[[], None]) -> None:
        """Once, before the next such operation in this region is answered."""
        region = self.sites[place].region

        def before(asked: str) -> None:
            if asked == operation:
                region.before = usual
                act()
            usual(asked)

        usual = region.before
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
            first = told.setdefault(body, answer.payment)
            assert first.accepted().document() == answer.payment.accepted().document()


def test_one_key_one_payment(sites: tuple[Site, Site]) -> None:
    class Machine(TwoRegions):
        def __init__(self) -> None:
            super().__init__(sites)

    run_state_machine_as_test(
        Machine, settings=settings(max_examples=40, stateful_step_count=15, deadline=None)
    )

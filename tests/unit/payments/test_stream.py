"""The table's stream: audit objects that a request could not write, conflicts, states that were set back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from handlers.payments import core, stream
from handlers.payments.stream import PATIENCE_MS

if TYPE_CHECKING:
    from tests.unit.payments.conftest import Clock, Reply, Site

NOTHING_FAILED: dict[str, object] = {"batchItemFailures": []}


def cut_off(sites: tuple[Site, Site], *, apart_ms: int = 0) -> tuple[Reply, Reply]:
    """Both regions take one key with different bodies, the secondary later; then replication catches up."""
    primary, secondary = sites
    mine = primary.pay(amount=1, customer_id="mine")
    other = secondary.pay(amount=2, customer_id="other", timestamp=primary.clock.now_ms + apart_ms)
    heal(sites)
    return mine, other


def heal(sites: tuple[Site, Site], rounds: int = 3) -> None:
    """Replication catches up, and both functions follow their streams, until nothing is left to do."""
    primary, secondary = sites
    for _ in range(rounds):
        primary.region.deliver(secondary.region)
        secondary.region.deliver(primary.region)
        for site in sites:
            site.follow()


def settle(site: Site, payment_id: str, status: str = "settled", reference: str = "batch-1") -> object:
    return site.operate(operation="move", payment_id=payment_id, status=status, reference=reference)


def shown(site: Site, payment_id: object) -> Reply:
    return site.request("GET", f"/payments/{payment_id}")


class TestAudit:
    def test_what_a_request_could_not_write_the_stream_writes(self, site: Site) -> None:
        site.region.refuse("PutObject", "AccessDenied", status=403)
        made = [site.pay(f"order-{n}") for n in range(5)]
        assert {reply.status for reply in made} == {201}
        assert site.region.objects == {}
        assert site.follow() != NOTHING_FAILED
        site.region.allow()
        site.restart()
        assert site.follow() == NOTHING_FAILED
        written = [json.loads(record) for record in site.region.objects.values()]
        assert [record["payment"] for record in written] == [reply.json() for reply in made]

    def test_the_object_is_the_same_whoever_writes_it(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        secondary.region.refuse("PutObject", "AccessDenied", status=403)
        for site in sites:
            site.pay()
        secondary.region.allow()
        secondary.follow()
        assert primary.region.objects == secondary.region.objects
        (here,), (there,) = (site.region.metadata.values() for site in sites)
        assert (here["region"], there["region"]) == ("us-east-1", "us-west-2")
        assert here == {
            "received-at": "2027-01-15T08:00:00.000+00:00",
            "region": "us-east-1",
            "request-id": "request-1",
            "api-key-id": "key-1",
        }

    def test_the_address_is_kept_where_settings_allow(self, site: Site) -> None:
        site.restart(keep_source_ip=True)
        site.pay()
        (metadata,) = site.region.metadata.values()
        assert metadata["source-ip"] == "203.0.113.7"
        shown_to_others = site.request("GET", "/payments", query={"status": "accepted"})
        assert "203.0.113.7" not in shown_to_others.text
        site.region.objects.clear()
        site.restart()
        site.follow()
        (written_by_the_stream,) = site.region.metadata.values()
        assert written_by_the_stream == metadata

    def test_what_is_there_is_written_once(self, site: Site) -> None:
        site.pay()
        site.restart()
        site.follow()
        assert len(site.region.puts) == 1

    def test_the_other_region_writes_its_own(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        primary.pay()
        primary.region.deliver(secondary.region)
        secondary.follow()
        assert secondary.region.objects == {}

    def test_a_payment_of_an_earlier_version_has_no_receipt(self, site: Site) -> None:
        site.pay()
        batch = cast("list[dict[str, dict[str, dict[str, object]]]]", site.region.stream()["Records"])
        del batch[1]["dynamodb"]["NewImage"]["receipt"]
        site.region.objects.clear()
        site.restart()
        assert site.app.watch({"Records": batch}) == NOTHING_FAILED
        assert list(site.region.metadata.values()) == [{}]

    def test_after_a_failure_no_more_are_tried_and_those_are_handed_over_again(self, site: Site) -> None:
        for n in range(4):
            site.pay(f"order-{n}")
        site.restart()
        site.region.objects.clear()
        site.region.calls.clear()
        names = iter(("PutObject",))

        def fails_second(operation: str) -> None:
            if operation == "PutObject" and next(names, None) is None:
                site.region.refuse("PutObject", "SlowDown", status=503)
                site.region.before(operation)

        site.region.before = fails_second
        batch = site.region.changes
        third = cast("dict[str, dict[str, str]]", batch[3])
        assert site.follow() == {
            "batchItemFailures": [{"itemIdentifier": third["dynamodb"]["SequenceNumber"]}]
        }
        assert site.region.calls == ["PutObject", "PutObject"]
        site.region.allow()
        assert site.follow() == NOTHING_FAILED
        assert len(site.region.objects) == 4

    def test_a_failure_is_counted(self, site: Site, capsys: pytest.CaptureFixture[str]) -> None:
        site.pay()
        site.restart()
        site.region.refuse("PutObject", "AccessDenied", status=403)
        capsys.readouterr()
        site.follow()
        assert json.loads(capsys.readouterr().out)["AuditWriteFailed"] == [1.0]

    def test_an_operator_has_missing_ones_written(self, site: Site) -> None:
        site.region.refuse("PutObject", "AccessDenied", status=403)
        made = [str(site.pay(f"order-{n}").json()["payment_id"]) for n in range(2)]
        failing = site.operate(operation="audit", payment_ids=made)
        assert failing == {"written": [], "present": [], "failed": made}
        site.region.allow()
        unknown = "pay_" + "0" * 40
        answer = site.operate(operation="audit", payment_ids=[*made, unknown])
        assert answer == {"written": made, "present": [unknown], "failed": []}
        assert len(site.region.objects) == 2
        site.restart()
        assert site.operate(operation="audit", payment_ids=made) == {
            "written": [],
            "present": made,
            "failed": [],
        }


@pytest.mark.parametrize("apart_ms", [0, 5])
class TestConflicts:
    """The secondary writes last and wins what stands in one place; `apart_ms` 0 is one place for both."""

    def test_it_is_told_once(
        self, sites: tuple[Site, Site], capsys: pytest.CaptureFixture[str], apart_ms: int
    ) -> None:
        mine, _other = cut_off(sites, apart_ms=apart_ms)
        told = [line for site in sites for line in site.lines() if line["message"] == "conflict"]
        assert [(line["level"], line["payment_id"]) for line in told] == [
            ("ERROR", mine.json()["payment_id"])
        ]
        metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert sum("IdempotencyConflict" in one for one in metrics) == 1

    def test_nobody_is_shown_the_payment_of_another(self, sites: tuple[Site, Site], apart_ms: int) -> None:
        mine, other = cut_off(sites, apart_ms=apart_ms)
        payment_id = mine.json()["payment_id"]
        for site in sites:
            for reply in (
                shown(site, payment_id),
                site.pay(amount=1, customer_id="mine"),
                site.pay(amount=2, customer_id="other", timestamp=other.json()["timestamp"]),
                site.pay(amount=3, customer_id="third"),
            ):
                document = reply.json()
                assert (reply.status, document["type"]) == (409, "urn:problem:payments:conflicting-records")
                assert document["payment_id"] == payment_id
                assert len(cast("list[str]", document["fingerprints"])) == 2
                assert "use a new key" in str(document["detail"])
                assert not {"mine", "other", "customer_id", "amount"} & set(document)
                assert "Retry-After" not in reply.headers

    def test_both_are_kept_and_the_lists_mark_them(self, sites: tuple[Site, Site], apart_ms: int) -> None:
        mine, _other = cut_off(sites, apart_ms=apart_ms)
        payment_id = str(mine.json()["payment_id"])
        for site in sites:
            found = site.ledger.find(payment_id)
            assert {one.amount for one in (*found.payments, *found.displaced)} == {1, 2}
            reply = site.request("GET", "/payments", query={"status": "accepted"})
            listed = cast("list[dict[str, object]]", reply.json()["payments"])
            assert [one["conflict"] for one in listed] == [True] * (2 if apart_ms else 1)

    @pytest.mark.parametrize("amount", [1, 2])
    def test_an_operator_decides(self, sites: tuple[Site, Site], apart_ms: int, amount: int) -> None:
        mine, other = cut_off(sites, apart_ms=apart_ms)
        payment_id = str(mine.json()["payment_id"])
        found = sites[1].ledger.find(payment_id)
        keep = next(one for one in (*found.payments, *found.displaced) if one.amount == amount)
        answer = sites[1].operate(operation="resolve", payment_id=payment_id, fingerprint=keep.fingerprint)
        assert answer == {"payment": replace(keep, conflict=False).document()}
        heal(sites)
        kept, lost = (mine, other) if amount == 1 else (other, mine)
        for site in sites:
            assert shown(site, payment_id).json() == kept.json()
            again = site.pay(
                amount=amount, customer_id=kept.json()["customer_id"], timestamp=kept.json()["timestamp"]
            )
            assert (again.status, again.json()) == (200, kept.json())
            refused = site.pay(
                amount=3 - amount, customer_id=lost.json()["customer_id"], timestamp=lost.json()["timestamp"]
            )
            assert (refused.status, refused.json()["type"]) == (
                422,
                "urn:problem:payments:idempotency-key-reused",
            )
            remaining = site.ledger.find(payment_id)
            assert {one.amount for one in (*remaining.payments, *remaining.displaced)} == {1, 2}
            assert not any(one.conflict for one in remaining.payments)
        assert sites[0].region.items() == sites[1].region.items()

    def test_every_accepted_body_is_audited(self, sites: tuple[Site, Site], apart_ms: int) -> None:
        for site in sites:
            site.region.refuse("PutObject", "AccessDenied", status=403)
        primary, secondary = sites
        primary.pay(amount=1)
        secondary.pay(amount=2, timestamp=primary.clock.now_ms + apart_ms)
        for site in sites:
            site.region.allow()
            site.restart()
        heal(sites)
        records = [json.loads(text) for site in sites for text in site.region.objects.values()]
        assert sorted(record["payment"]["amount"] for record in records) == [1, 2]


class TestOrderOfArrival:
    def test_it_is_held_until_both_payments_are_here(self, sites: tuple[Site, Site], clock: Clock) -> None:
        primary, secondary = sites
        primary.pay(amount=1)
        secondary.pay(amount=2, timestamp=clock.now_ms + 5)
        primary.follow()
        secondary.region.deliver(primary.region, count=1)
        assert primary.follow() != NOTHING_FAILED
        assert "conflict" in primary.log.getvalue()
        secondary.region.deliver(primary.region)
        assert primary.follow() == NOTHING_FAILED
        reply = primary.request("GET", "/payments", query={"status": "accepted"})
        marks = [one["conflict"] for one in cast("list[dict[str, object]]", reply.json()["payments"])]
        assert marks == [True, True]

    def test_but_not_for_ever(self, sites: tuple[Site, Site], clock: Clock) -> None:
        primary, secondary = sites
        primary.pay(amount=1)
        secondary.pay(amount=2, timestamp=clock.now_ms + 5)
        secondary.region.deliver(primary.region, count=1)
        clock.now_ms += PATIENCE_MS
        assert primary.follow() == NOTHING_FAILED

    def test_a_reader_marks_what_the_stream_has_not(self, sites: tuple[Site, Site]) -> None:
        primary, secondary = sites
        made = primary.pay(amount=1)
        secondary.pay(amount=2, timestamp=primary.clock.now_ms + 5)
        secondary.region.deliver(primary.region)
        assert shown(primary, made.json()["payment_id"]).status == 409
        reply = primary.request("GET", "/payments", query={"status": "accepted"})
        marks = [one["conflict"] for one in cast("list[dict[str, object]]", reply.json()["payments"])]
        assert marks == [True, True]
        assert "IdempotencyConflict" in primary.log.getvalue()

    def test_a_decision_that_has_arrived_by_half(self, sites: tuple[Site, Site]) -> None:
        """The claim says whose the key is, and the payment of that one is still under way."""
        mine, _other = cut_off(sites)
        payment_id = str(mine.json()["payment_id"])
        keep = next(one for one in sites[1].ledger.find(payment_id).displaced if one.amount == 1)
        sites[1].operate(operation="resolve", payment_id=payment_id, fingerprint=keep.fingerprint)
        sites[1].region.deliver(sites[0].region, count=1)
        waiting = sites[0].pay(amount=1, customer_id="mine")
        assert (waiting.status, waiting.headers["Retry-After"]) == (409, "1")
        heal(sites)
        assert sites[0].pay(amount=1, customer_id="mine").json() == mine.json()

    def test_a_decision_that_came_too_late(self, sites: tuple[Site, Site]) -> None:
        mine, _other = cut_off(sites)
        payment_id = str(mine.json()["payment_id"])
        site = sites[0]
        (standing,) = site.ledger.find(payment_id).payments
        site.region.refuse(
            "TransactWriteItems", "TransactionCanceledException", reasons=("ConditionalCheckFailed",)
        )
        answer = site.operate(operation="resolve", payment_id=payment_id, fingerprint=standing.fingerprint)
        assert cast("dict[str, object]", answer["problem"])["status"] == 409
        site.region.refuse("TransactWriteItems", "InternalServerError", status=500)
        answer = site.operate(operation="resolve", payment_id=payment_id, fingerprint=standing.fingerprint)
        assert cast("dict[str, object]", answer["problem"])["status"] == 503

    def test_what_is_no_conflict_is_not_decided(self, site: Site) -> None:
        made = site.pay()
        payment_id = str(made.json()["payment_id"])
        (payment,) = site.ledger.find(payment_id).payments
        site.region.calls.clear()
        answer = site.operate(operation="resolve", payment_id=payment_id, fingerprint=payment.fingerprint)
        assert answer == {"payment": made.json()}
        assert site.region.calls == ["Query"]
        answer = site.operate(operation="resolve", payment_id=payment_id, fingerprint="0" * 64)
        assert cast("dict[str, object]", answer["problem"])["status"] == 404


class TestStates:
    def test_a_replay_changes_nothing_of_a_settled_payment(self, site: Site) -> None:
        made = site.pay()
        payment_id = str(made.json()["payment_id"])
        settle(site, payment_id)
        key = (payment_id, site.clock.now_ms)
        worker = {**site.region.items()[key], "settled_by": {"S": "a worker"}}
        site.region._write(worker)
        again = site.pay()
        assert (again.status, again.json()) == (200, made.json() | {"status": "settled"})
        assert again.headers["Idempotent-Replayed"] == "true"
        assert site.region.items()[key] == worker

    def test_a_settled_payment_stays_so_when_the_other_region_restores_it(
        self, sites: tuple[Site, Site]
    ) -> None:
        primary, secondary = sites
        payment_id = str(primary.pay().json()["payment_id"])
        primary.region.deliver(secondary.region, count=1)  # the claim, and not yet the payment
        settle(primary, payment_id)
        assert secondary.pay().status == 200
        heal(sites)
        for site in sites:
            assert shown(site, payment_id).json()["status"] == "settled"
        assert primary.region.items() == secondary.region.items()

    def test_a_settled_payment_stays_so_when_the_other_region_accepts_it_too(
        self, sites: tuple[Site, Site], capsys: pytest.CaptureFixture[str]
    ) -> None:
        primary, secondary = sites
        payment_id = str(primary.pay().json()["payment_id"])
        settle(primary, payment_id)
        assert secondary.pay().status == 201
        heal(sites)
        for site in sites:
            assert shown(site, payment_id).json()["status"] == "settled"
        assert primary.region.items() == secondary.region.items()
        assert "StatusRestored" in capsys.readouterr().out

    def test_two_regions_that_disagree_are_told(
        self, sites: tuple[Site, Site], capsys: pytest.CaptureFixture[str]
    ) -> None:
        primary, secondary = sites
        payment_id = str(primary.pay().json()["payment_id"])
        primary.region.deliver(secondary.region)
        settle(primary, payment_id)
        settle(secondary, payment_id, "failed")
        heal(sites)
        (told,) = [line for line in primary.lines() if line["message"] == "status conflict"]
        assert (told["payment_id"], told["was"], told["now"]) == (payment_id, "settled", "failed")
        assert "StatusConflict" in capsys.readouterr().out

    def test_a_change_is_audited_with_its_reference(self, site: Site) -> None:
        made = site.pay(metadata={"order": "17"})
        settle(site, str(made.json()["payment_id"]))
        settled, accepted = sorted(site.region.objects)
        assert settled == accepted.removesuffix(".json") + "-settled.json"
        record = json.loads(site.region.objects[settled])
        assert record["event"] == "payment.settled"
        assert record["reference"] == "batch-1"
        assert record["payment"] == made.json() | {"status": "settled"}
        assert site.region.metadata[settled] == {
            "received-at": "2027-01-15T08:00:00.000+00:00",
            "region": "us-east-1",
        }

    def test_a_change_whose_object_could_not_be_written(self, sites: tuple[Site, Site]) -> None:
        site, other = sites
        payment_id = str(site.pay().json()["payment_id"])
        site.region.refuse("PutObject", "AccessDenied", status=403)
        answer = cast("dict[str, dict[str, object]]", settle(site, payment_id))
        assert answer["problem"]["status"] == 503
        site.region.allow()
        site.restart()
        site.region.deliver(other.region)
        for one in sites:
            one.follow()
        assert len(site.region.objects) == 2
        assert other.region.objects == {}

    def test_an_audit_object_says_what_was_accepted_whatever_became_of_it(self, site: Site) -> None:
        made = site.pay()
        settle(site, str(made.json()["payment_id"]))
        before = dict(site.region.objects)
        site.region.objects.clear()
        site.restart()
        site.operate(operation="audit", payment_ids=[made.json()["payment_id"]])
        assert site.region.objects == before


@pytest.mark.parametrize(
    "record",
    [
        {"eventName": "INSERT", "dynamodb": {"NewImage": {"fingerprint": {"S": "a"}}}},
        {"eventName": "REMOVE", "dynamodb": {"Keys": {}}},
        {"eventName": "MODIFY"},
        {"eventName": "INSERT", "dynamodb": {"NewImage": {"timestamp": {"N": "x"}}}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": {"timestamp": "text"}}},
        {"eventName": "INSERT", "dynamodb": {"NewImage": "text"}},
        "text",
    ],
)
def test_what_is_no_payment_is_left_alone(
    site: Site, capsys: pytest.CaptureFixture[str], record: object
) -> None:
    assert site.app.watch({"Records": [record]}) == NOTHING_FAILED
    assert capsys.readouterr().out == ""
    assert site.lines() == []
    assert site.region.calls == []


def test_a_deleted_payment_is_no_change_of_it(site: Site) -> None:
    site.pay()
    batch = cast("list[dict[str, dict[str, object]]]", site.region.stream()["Records"])
    for record in batch:
        record["dynamodb"]["OldImage"] = record["dynamodb"].pop("NewImage")
    site.region.calls.clear()
    assert site.app.watch({"Records": batch}) == NOTHING_FAILED
    assert site.region.calls == []


def test_a_table_that_does_not_answer_is_asked_again(sites: tuple[Site, Site]) -> None:
    primary, secondary = sites
    made = primary.pay(amount=1)
    secondary.pay(amount=2)
    primary.follow()
    secondary.region.deliver(primary.region)
    for operation in ("UpdateItem", "PutItem", "Query"):
        primary.region.refuse(operation, "ThrottlingException")
        assert primary.follow() != NOTHING_FAILED
    primary.region.allow()
    while primary.follow() != NOTHING_FAILED:
        pass
    found = primary.ledger.find(str(made.json()["payment_id"]))
    assert {one.amount for one in (*found.payments, *found.displaced)} == {1, 2}


def test_what_fails_for_long_is_given_up_and_told_and_holds_up_nothing(
    sites: tuple[Site, Site], capsys: pytest.CaptureFixture[str]
) -> None:
    primary, secondary = sites
    primary.pay(amount=1)
    secondary.pay(amount=2)
    secondary.region.deliver(primary.region)
    primary.region.objects.clear()
    primary.restart()
    primary.region.refuse("UpdateItem", "ValidationException")
    assert primary.follow() != NOTHING_FAILED
    primary.clock.now_ms += PATIENCE_MS
    capsys.readouterr()
    assert primary.follow() == NOTHING_FAILED
    assert "StreamRecordsGivenUp" in capsys.readouterr().out
    told = [line for line in primary.lines() if line["message"] == "record given up"]
    assert {(line["level"], line["exception"]) for line in told} == {("ERROR", "Unavailable")}
    assert len(primary.region.objects) == 1


def test_a_bug_holds_up_nothing(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.pay("order-1")
    site.pay("order-2")
    site.region.objects.clear()
    site.restart()
    puts = iter((True,))

    def broken(operation: str) -> None:
        if operation == "PutObject" and next(puts, False):
            raise ZeroDivisionError

    site.region.before = broken
    capsys.readouterr()
    assert site.follow() == NOTHING_FAILED
    assert "StreamRecordsGivenUp" in capsys.readouterr().out
    assert len(site.region.objects) == 1


def test_only_streams_are_streams() -> None:
    assert stream.is_stream({"Records": [{"eventSource": "aws:dynamodb"}]})
    for other in (
        {},
        {"Records": None},
        {"Records": [{"eventSource": "aws:s3"}, "text"]},
        {"httpMethod": "GET"},
    ):
        assert not stream.is_stream(other)


def test_every_state_is_listed_and_leads_to_states() -> None:
    for status, following in core.TRANSITIONS.items():
        assert set(following) <= set(core.TRANSITIONS)
        assert not core.may_become(status, status)
    assert core.may_become("accepted", "settled")
    assert core.may_become("accepted", "failed")
    assert not core.may_become("settled", "accepted")
    assert not core.may_become("unheard of", "settled")

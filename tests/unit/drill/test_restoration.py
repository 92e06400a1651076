"""Drills that did not end: put back by their journals, and by what is there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from payinfra.core.environment_lock import exclusive
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import objects_of_tests
from payinfra.drill.clock import Stop
from payinfra.drill.environment import DrillEnvironment
from payinfra.drill.faults.health_check import InvertHealthCheck
from payinfra.drill.faults.journal import ASIDE, FILE, FaultJournal, Header, open_journals
from payinfra.drill.load.payment_log import NAME, PaymentLog
from payinfra.drill.load.payments import Maker
from payinfra.drill.model import Attempt, DrillRequest, Result
from payinfra.drill.restoration import NO_JOURNAL, SETTLED_WITHOUT_IT, restore_all
from payinfra.drill.session import prepared
from payinfra.local.faults import RegionBlackout
from tests.support.drilled import FakeCloud, FakeCloudAws, Refused
from tests.unit.drill.environments import place


def begun(folder: Path, drill: str = "20260102T030405Z-abcd") -> FaultJournal:
    header = Header(
        drill, "demo", "local", "123456789012", ("us-east-1", "us-west-2"), (), datetime.now(UTC), "payinfra"
    )
    return FaultJournal.begin(folder / "drills" / drill, header)


def test_nothing_to_restore_is_nothing_done(tmp_path: Path) -> None:
    world = FakeCloud()
    assert restore_all(place(tmp_path, world), lambda _said: None) == ()
    assert world.changes == []


def test_a_drill_that_sent_nothing_yet_is_restored_and_closed(tmp_path: Path) -> None:
    world, journal, said = FakeCloud(), begun(tmp_path), list[str]()
    world.checks["hc-east"]["Inverted"] = True
    journal.announce(InvertHealthCheck("hc-east", original=False))
    (found,) = restore_all(place(tmp_path, world), said.append)
    assert (found.whole, found.reconciliation) == (True, None)
    assert world.checks["hc-east"]["Inverted"] is False
    assert open_journals(tmp_path / "drills") == ()
    assert said == ["Restoring: health check hc-east is not inverted again."]


def test_a_journal_that_nobody_can_read_stops_no_other(tmp_path: Path) -> None:
    begun(tmp_path, "20260102T030405Z-aaaa").path.write_text('{"line":"header","version":99}\n')
    begun(tmp_path, "20260102T030405Z-bbbb")
    later, whole = restore_all(place(tmp_path), lambda _said: None)
    assert (later.whole, whole.whole) == (False, True)
    assert FILE in later.restoration.left[0]


def test_a_damaged_journal_is_not_needed_where_nothing_differs_from_what_was_declared(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.announce(InvertHealthCheck("check-us-east-1", original=False))
    journal.path.write_text("nonsense\n{}\n")
    world = FakeCloud(checks={"check-us-east-1": {"Inverted": True}, "check-us-west-2": {}})
    damaged, beside = restore_all(place(tmp_path, world), lambda _said: None)
    assert damaged.whole
    assert damaged.restoration.undone == (SETTLED_WITHOUT_IT,)
    assert (beside.drill, beside.restoration.undone) == (
        NO_JOURNAL,
        ("health check check-us-east-1 is enabled and not inverted again",),
    )
    assert world.checks["check-us-east-1"]["Inverted"] is False
    assert restore_all(place(tmp_path, world), lambda _said: None) == ()
    assert journal.path.with_name(ASIDE).exists()


def test_a_damaged_journal_that_cannot_be_set_aside_stays(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.path.write_text("nonsense\n{}\n")
    (journal.path.with_name(ASIDE) / "in the way").mkdir(parents=True)
    (found,) = restore_all(place(tmp_path), lambda _said: None)
    assert not found.whole
    assert "cannot be written" in found.restoration.left[0]


def test_without_credentials_nothing_is_restored(tmp_path: Path) -> None:
    world, journal = FakeCloud(), begun(tmp_path)
    world.before = lambda call: Refused("InvalidClientTokenId", 403) if "STS" in call.name else None
    journal.announce(InvertHealthCheck("hc-east", original=False))
    found, *_ = restore_all(place(tmp_path, world), lambda _said: None, reconciled_within_s=0.0)
    assert not found.whole
    assert world.changes == []


def test_a_damaged_journal_stays_while_something_may_be_in_place(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.path.write_text("nonsense\n{}\n")
    world = FakeCloud(before=lambda call: Refused("AccessDenied") if "HealthCheck" in call.name else None)
    damaged, beside = restore_all(place(tmp_path, world), lambda _said: None)
    assert (damaged.whole, beside.whole) == (False, False)
    assert open_journals(tmp_path / "drills") == (journal.path,)


def test_a_journal_that_is_gone_hides_no_fault(tmp_path: Path) -> None:
    world = FakeCloud(checks={"check-us-east-1": {"Inverted": True, "Disabled": True}, "check-us-west-2": {}})
    (found,) = restore_all(place(tmp_path, world), lambda _said: None)
    assert (found.drill, found.whole) == (NO_JOURNAL, True)
    assert restore_all(place(tmp_path, world), lambda _said: None) == ()


@pytest.mark.parametrize("changed", [{"env": "prod"}, {"target": "aws"}, {"account": "999999999999"}])
def test_another_environments_journal_is_not_this_ones(tmp_path: Path, changed: dict[str, str]) -> None:
    header = replace(begun(tmp_path / "elsewhere").read().header, **changed)  # type: ignore[arg-type]  # texts
    journal = FaultJournal.begin(tmp_path / "drills" / "d", header)
    journal.announce(InvertHealthCheck("hc-east", original=False))
    world = FakeCloud()
    world.checks["hc-east"]["Inverted"] = True
    (found,) = restore_all(place(tmp_path, world), lambda _said: None)
    assert not found.whole
    assert "nothing was done" in found.restoration.left[0]
    assert world.changes == []


def test_what_cannot_be_written_down_is_put_back_all_the_same(tmp_path: Path) -> None:
    world, journal = FakeCloud(), begun(tmp_path)
    world.checks["hc-east"]["Inverted"] = True
    journal.announce(InvertHealthCheck("hc-east", original=False))
    journal.path.chmod(0o400)
    journal.path.parent.chmod(0o500)
    (found,) = restore_all(place(tmp_path, world), lambda _said: None)
    assert world.checks["hc-east"]["Inverted"] is False
    assert found.restoration.undone


class MarkedAws(FakeCloudAws):
    """A world whose table has a payment of a drill, until it is removed."""

    items: ClassVar[list[dict[str, Any]]]
    keys: ClassVar[list[str] | None]

    def _build(self, service: str, region: str) -> Any:
        return self if service in ("dynamodb", "s3") else super()._build(service, region)

    def get_paginator(self, what: str) -> Any:
        if what == "list_tags_of_resource":
            return SimpleNamespace(paginate=lambda **_asked: [{}])
        if what != "query" and self.keys is None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "ListObjectVersions")
        pages: list[dict[str, Any]] = [
            {"Items": list(self.items)}
            if what == "query"
            else {"Versions": [{"Key": key, "VersionId": "v"} for key in self.keys or ()]}
        ]
        return SimpleNamespace(paginate=lambda **_asked: pages)

    def query(self, **_asked: Any) -> dict[str, Any]:
        return {"Items": list(self.items)}

    def delete_item(self, **_asked: Any) -> None:
        self.items.clear()

    def delete_objects(self, **asked: Any) -> dict[str, Any]:
        left = asked["Delete"]["Objects"][1:]
        type(self).keys = []
        return {"Errors": left}


OF_DRILLS = objects_of_tests("payinfra-drill-demo")
ITEM = {
    "payment_id": {"S": "pay_0c"},
    "timestamp": {"N": "1767322000000"},
    "customer_id": {"S": "payinfra-drill-demo"},
}


def marked_place(folder: Path, stored: list[str] | None, item: Mapping[str, Any] = ITEM) -> DrillEnvironment:
    there = FakeCloud()

    class Here(MarkedAws):
        """Also with other time-outs it is this world's."""

        world = there
        items: ClassVar[list[dict[str, Any]]] = [dict(item)]
        keys: ClassVar[list[str] | None] = stored

    return replace(place(folder, there), aws=Here())


def test_payments_without_a_log_are_found_and_removed_with_their_audit_objects(tmp_path: Path) -> None:
    said: list[str] = []
    where = marked_place(tmp_path, [f"{OF_DRILLS}1/pay_0c-1.json", f"{OF_DRILLS}1/pay_0c-2.json"])
    (found,) = restore_all(where, said.append, reconciled_within_s=0.0)
    assert found.drill == NO_JOURNAL
    assert found.restoration.undone == ("1 payment of drills is removed, and 1 audit object",)
    assert found.restoration.left == (
        f"Not removed: audit object {OF_DRILLS}1/pay_0c-2.json of a drill's payment.",
    )
    assert said == ["Found without a payment log: 1 payment of drills. Removing."]


def logged(folder: Path, journal: FaultJournal) -> dict[str, Any]:
    """A payment in the drill's log, acknowledged; the item that the table has of it."""
    payment = Maker("demo", "x1").make(1, 1_767_322_000_000, 1.0)
    with PaymentLog(journal.path.parent / NAME) as log:
        log.payment(payment).result()
        log.attempt(Attempt(payment.key, 1, 1.0, 0.1, "us-east-1", 201, Result.ACKNOWLEDGED))
    sent = json.loads(payment.body)
    return {
        "payment_id": {"S": payment.payment_id},
        "timestamp": {"N": str(sent["timestamp"])},
        "amount": {"N": "1"},
        "metadata": {"M": {"drill": {"S": "x1"}}},
        **{name: {"S": sent[name]} for name in ("currency", "customer_id", "payment_method")},
    }


def test_a_drills_payments_are_read_back_and_removed_with_their_audit_objects(tmp_path: Path) -> None:
    journal, said = begun(tmp_path), list[str]()
    item = logged(tmp_path, journal)
    where = marked_place(tmp_path, [f"{OF_DRILLS}1/{item['payment_id']['S']}-1.json"], item)
    (found,) = restore_all(where, said.append, reconciled_within_s=0.0)
    assert found.whole
    assert found.reconciliation is not None
    assert (found.reconciliation.acknowledged, found.reconciliation.removed) == (1, 1)
    assert found.reconciliation.audit is not None
    assert (found.reconciliation.audit.in_both, found.reconciliation.audit.removed) == (1, 2)
    assert said == ["Reading the drill's payments back, and removing them."]
    assert open_journals(tmp_path / "drills") == ()


def test_a_payment_log_with_garbage_is_read_as_far_as_it_makes_sense(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    item = logged(tmp_path, journal)
    with (journal.path.parent / NAME).open("ab") as file:
        file.write(b'\x00garbage\n{"entry":"payment"}\n')
    (found,) = restore_all(marked_place(tmp_path, [], item), lambda _said: None, reconciled_within_s=0.0)
    assert found.whole
    assert found.restoration.undone == ("2 damaged lines of its payment log: what they said is not counted",)
    assert found.reconciliation is not None
    assert found.reconciliation.removed == 1


def test_audit_objects_that_cannot_be_read_are_a_doubt_and_stop_nothing(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    item = logged(tmp_path, journal)
    where = marked_place(tmp_path, None, item)
    found, beside = restore_all(where, lambda _said: None, reconciled_within_s=0.0)
    assert found.reconciliation is not None
    assert (found.reconciliation.audit, found.whole) == (None, True)
    assert "AccessDenied" in found.reconciliation.audit_problem
    assert "cannot be told" in beside.restoration.left[0]


def test_payments_that_cannot_be_read_back_keep_the_journal_open(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    logged(tmp_path, journal)
    world = FakeCloud(before=lambda call: Refused("AccessDenied", 403) if "Query" in call.name else None)
    (found,) = restore_all(place(tmp_path, world), lambda _said: None, reconciled_within_s=0.0)
    assert "cannot be read in both regions" in found.problem
    assert open_journals(tmp_path / "drills") == (journal.path,)


def test_payments_that_cannot_be_looked_for_are_not_restored(tmp_path: Path) -> None:
    world = FakeCloud(before=lambda call: Refused("AccessDenied", 403) if "Query" in call.name else None)
    (found,) = restore_all(place(tmp_path, world), lambda _said: None, reconciled_within_s=0.0)
    assert found.restoration.left[0].startswith("Whether payments of drills are left cannot be told: ")


def test_while_another_drill_uses_the_embedded_aws_none_begins_and_its_faults_stay(tmp_path: Path) -> None:
    world = FakeCloud()
    world.board.inject(RegionBlackout("us-east-1"))
    shared = tmp_path / "server" / "drill"
    where = replace(place(tmp_path / "demo", world), shared=shared)
    with exclusive(shared, "failover-drill --env other"):
        (found,) = restore_all(where, lambda _said: None)
        with (
            pytest.raises(EnvironmentUnusable, match=r"This embedded AWS is in use: .* --env other"),
            prepared(where, DrillRequest(), Stop(), "payinfra"),
        ):
            raise AssertionError("it was prepared")
    assert "whose fault it is cannot be told" in found.restoration.left[0]
    assert world.board.dark("us-east-1")
    (found,) = restore_all(where, lambda _said: None)
    assert (found.whole, world.board.list()) == (True, ())


def test_payments_that_cannot_be_read_keep_the_journal_open(tmp_path: Path) -> None:
    world, journal = FakeCloud(), begun(tmp_path)
    world.before = lambda _call: EndpointConnectionError(endpoint_url="https://nowhere")
    with PaymentLog(journal.path.parent / NAME) as log:
        log.payment(Maker("demo", "20260102T030405Z-abcd").make(1, 1_767_322_000_000, 1.0)).result()
    where = place(tmp_path, world)
    found, beside = restore_all(where, lambda _said: None, reconciled_within_s=0.0)
    assert not found.whole
    assert not beside.whole
    assert open_journals(tmp_path / "drills") == (journal.path,)


def test_a_restoration_waits_for_nobody_who_holds_the_lock(tmp_path: Path) -> None:
    with exclusive(tmp_path, "deploy"), pytest.raises(EnvironmentUnusable, match="payinfra deploy"):
        restore_all(place(tmp_path), lambda _said: None)

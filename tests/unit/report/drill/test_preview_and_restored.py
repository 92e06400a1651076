"""What a drill is about to do, and what became of drills that did not end."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from payinfra.drill.faults.journal import Header
from payinfra.drill.model import PaymentOutcome, Phase, Reconciliation, Restoration, Restored
from payinfra.drill.prediction import Prediction
from payinfra.report.drill.preview import write_preview
from payinfra.report.drill.restored import write_restored
from payinfra.report.formats import DrillFormat

HEADER = Header(
    drill="20261123T101500Z-4f2a",
    env="demo",
    target="aws",
    account="123456789012",
    regions=("us-east-1", "us-west-2"),
    scenarios=("region-outage", "replication-pause"),
    began=datetime(2026, 11, 23, tzinfo=UTC),
    command="payinfra failover-drill",
)
PHASES = {Phase.SERVING: 65.0, Phase.LOAD: 10.0, Phase.UNHEALTHY: 31.0, Phase.SWITCHED: 1.0}
BROKEN_OFF = Restored("20261123T101500Z-4f2a", Restoration(("concurrency is as it was",), ()), None)
LEFT = Restored(
    "20261123T111500Z-77aa",
    Restoration((), ("the blackout\x1b[2J: clear it",)),
    Reconciliation(
        7,
        6,
        {PaymentOutcome.RECORDED: 5, PaymentOutcome.LOST: 1, PaymentOutcome.UNACKNOWLEDGED: 1},
        removed=5,
        not_removed=("pay_1",),
    ),
    problem="",
)
UNREAD = Restored("20261123T121500Z-0c0c", Restoration((), ()), Reconciliation(0, 0, {}), "the table is gone")


class TestPreview:
    """Before a person says yes."""

    def test_every_call_is_shown_and_every_phase_in_its_order(
        self, console: Console, printed: Callable[[], str]
    ) -> None:
        write_preview(
            console, HEADER, ("lambda:Put\x1b[2J", "route53:Update"), Prediction(PHASES, True, True, 5)
        )
        text = printed()
        assert "Drill region-outage and replication-pause of demo (aws, account 123456789012)." in text
        assert "  lambda:Put\\x1b[2J\n  route53:Update\n" in text
        places = [text.index(f"\n{phase}\t") for phase in Phase if phase in PHASES]
        assert places == sorted(places)
        assert "Recovery: 97.0 s. The whole drill: 107 s at the most." in text

    def test_where_nobody_moves_no_recovery_is_promised(
        self, console: Console, printed: Callable[[], str]
    ) -> None:
        write_preview(console, HEADER, (), Prediction({Phase.HOLD: 30.0}, False, False, 5))
        assert "No client has to recover. The whole drill: 30 s at the most." in printed()
        assert "Recovery" not in printed()


class TestRestored:
    """After `--restore`."""

    def test_nothing_to_restore_says_so(self, console: Console, printed: Callable[[], str]) -> None:
        write_restored(console, (), DrillFormat.TABLE)
        assert printed() == "Nothing to restore: every drill ended.\n"

    def test_each_drill_with_what_was_put_back_and_what_is_left(
        self, console: Console, printed: Callable[[], str]
    ) -> None:
        write_restored(console, (BROKEN_OFF, LEFT, UNREAD), DrillFormat.TABLE)
        assert printed().splitlines() == [
            "20261123T101500Z-4f2a: restored",
            "  put back: concurrency is as it was",
            "20261123T111500Z-77aa: NOT restored",
            "  left: the blackout\\x1b[2J: clear it",
            "  payments: 7 sent (5 recorded, 1 lost, 1 unacknowledged), 5 removed from the table",
            "  not removed: pay_1",
            "20261123T121500Z-0c0c: NOT restored",
            "  payments: the table is gone",
            "  payments: 0 sent (none), 0 removed from the table",
        ]

    @pytest.mark.parametrize("found", [(), (BROKEN_OFF, LEFT)])
    def test_for_scripts_the_same(
        self, found: tuple[Restored, ...], console: Console, printed: Callable[[], str]
    ) -> None:
        write_restored(console, found, DrillFormat.JSON)
        document = json.loads(printed())
        assert document["schema"] == "payinfra/restored-1"
        assert [one["whole"] for one in document["restored"]] == [one.whole for one in found]
        if found:
            assert document["restored"][0]["payments"] is None
            assert document["restored"][1]["left"] == list(LEFT.restoration.left)
            assert document["restored"][1]["payments"] == {
                "sent": 7,
                "acknowledged": 6,
                "removed": 5,
                "not_removed": ["pay_1"],
                "fates": {
                    "recorded": 5,
                    "delayed": 0,
                    "lost": 1,
                    "duplicated": 0,
                    "diverged": 0,
                    "unacknowledged": 1,
                },
            }

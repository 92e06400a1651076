"""The drill's command: what it asks for, how it ends, and what repeats it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from payinfra.commands.drill import (
    allow,
    command_line,
    format_of,
    judge,
    put_back,
    refusals_of,
    refuse_for_the_embedded_generator,
)
from payinfra.core.errors import GateFailed, Interrupted, NotRestored, UsageProblem
from payinfra.drill.clock import Stop
from payinfra.drill.environment import DrillEnvironment
from payinfra.drill.model import (
    Doubt,
    DrillRequest,
    Judgement,
    LoadEngine,
    Reconciliation,
    Restoration,
    Scenario,
)
from payinfra.report.formats import DrillFormat
from tests.support.drilled import FakeCloud, FakeCloudAws
from tests.unit.checks.probes.conftest import outputs
from tests.unit.report.drill.conftest import PERFECT


def place(*, local: bool = True) -> DrillEnvironment:
    nobody: Any = None
    there = FakeCloud()

    class Here(FakeCloudAws):
        """Also with other time-outs it is this world's."""

        world = there

    control = there.control() if local else None
    return DrillEnvironment("local" if local else "aws", outputs(), Here(), control, Path("work"), nobody)


def test_what_is_as_by_default_is_not_said() -> None:
    assert command_line(place(), DrillRequest()) == "payinfra failover-drill --env demo --local"
    assert command_line(place(local=False), DrillRequest()) == "payinfra failover-drill --env demo"


def test_everything_else_is() -> None:
    request = DrillRequest(
        (Scenario.REPLICATION_PAUSE, Scenario.REGION_OUTAGE), True, 10.0, 60.0, 1, 5.0, 6.0, 3, 20.0
    )
    assert command_line(place(), request) == (
        "payinfra failover-drill --env demo --local --scenario replication-pause --scenario region-outage "
        "--reverse --rate 10 --rto 60 --rpo 1 --warm-up 5 --hold 6 --in-a-row 3 --time-scale 20"
    )


def test_objectives_are_repeated_too() -> None:
    request = DrillRequest(rpo_s=2.5, unacknowledged=3, first_attempt=0.95, latency_s=0.8)
    assert command_line(place(), request) == (
        "payinfra failover-drill --env demo --local --rpo-seconds 2.5 --unacknowledged 3 --first-attempt 95 "
        "--latency 0.8"
    )


def test_a_load_of_workers_is_repeated_too() -> None:
    request = DrillRequest(
        load=LoadEngine.LOCUST, workers=3, listen="127.0.0.1:5557", locustfile=Path("our users.py")
    )
    assert command_line(place(), request) == (
        "payinfra failover-drill --env demo --local --load locust --workers 3 --listen 127.0.0.1:5557 "
        "--locustfile 'our users.py'"
    )


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (DrillRequest(rate=500.1), "500 payments a second at most"),
        (DrillRequest(workers=3), "are for a load of Locust's"),
        (DrillRequest(listen="127.0.0.1:1"), "are for a load of Locust's"),
        (DrillRequest(locustfile=Path("x.py")), "are for a load of Locust's"),
    ],
)
def test_what_only_workers_can_do_is_refused_without_them(request_: DrillRequest, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        refuse_for_the_embedded_generator(request_)
    refuse_for_the_embedded_generator(DrillRequest(rate=500.0))


@pytest.mark.parametrize(("protected", "named"), [(False, None), (False, "demo"), (True, "demo")])
def test_who_names_a_protected_environment_may_drill_it(protected: bool, named: str | None) -> None:
    allow("demo", protected=protected, yes_really=named)


@pytest.mark.parametrize(("protected", "named"), [(True, None), (True, "other"), (False, "other")])
def test_nobody_drills_a_protected_environment_by_mistake(protected: bool, named: str | None) -> None:
    with pytest.raises(UsageProblem):
        allow("demo", protected=protected, yes_really=named)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", DrillFormat.HTML),
        ("a.MD", DrillFormat.MARKDOWN),
        ("a.json", DrillFormat.JSON),
        ("a.xml", DrillFormat.JUNIT),
    ],
)
def test_a_files_ending_says_what_it_is(name: str, kind: DrillFormat) -> None:
    assert format_of(Path(name)) is kind


def test_an_unknown_ending_is_a_usage_error() -> None:
    with pytest.raises(UsageProblem, match=r"What kind of report is a\.pdf\?"):
        format_of(Path("a.pdf"))


# -- how it ends -------------------------------------------------------------------------------------------


def asked() -> Stop:
    stop = Stop()
    stop.ask("SIGINT")
    return stop


def test_a_drill_that_passed_ends_well() -> None:
    judge(PERFECT, Stop())


def test_a_drill_that_failed_fails_the_gate() -> None:
    failed = replace(PERFECT, resilience=Judgement.FAILED, reasons=("Too slow.",))
    with pytest.raises(GateFailed, match=r"The drill failed: Too slow\."):
        judge(failed, Stop())


def test_a_drill_that_proved_nothing_fails_the_gate_and_says_what_to_do() -> None:
    doubts = (Doubt("The machine was busy.", "Drill elsewhere."), Doubt("Not judged: slow."))
    doubtful = replace(PERFECT, resilience=Judgement.INCONCLUSIVE, doubts=doubts)
    with pytest.raises(
        GateFailed, match=r"inconclusive: The machine was busy\. Not judged: slow\."
    ) as caught:
        judge(doubtful, Stop())
    assert caught.value.hint == "Drill elsewhere."
    assert caught.value.exit_code == 1


def test_an_interrupted_drill_says_that_all_is_as_it_was() -> None:
    with pytest.raises(Interrupted, match="Everything is as it was"):
        judge(replace(PERFECT, resilience=Judgement.FAILED), asked())


def test_what_is_left_comes_before_everything_else() -> None:
    left = replace(PERFECT, restoration=Restoration((), ("The check is inverted.",)))
    with pytest.raises(NotRestored, match=r"The check is inverted\.") as caught:
        judge(left, asked())
    assert "payinfra failover-drill --restore --env" in caught.value.hint
    assert caught.value.exit_code == 5


def test_a_drill_that_is_refused_after_a_signal_was_interrupted() -> None:
    with pytest.raises(GateFailed, match="not steady"), refusals_of(Stop()):
        raise GateFailed("It is not steady.")
    with pytest.raises(Interrupted, match="before it began"), refusals_of(asked()):
        raise GateFailed("It is not steady.")


LEFT_OVER = {
    "a payment": (
        Reconciliation(2, 2, {}, removed=1, not_removed=("pay_1",)),
        r"1 payment of the drill .* pay_1",
    ),
    "unread": (None, "could not be read back"),
}


@pytest.mark.parametrize("stop", [Stop(), asked()], ids=["to its end", "interrupted"])
@pytest.mark.parametrize(("found", "says"), LEFT_OVER.values(), ids=LEFT_OVER)
def test_a_drill_whose_payments_are_left_does_not_say_that_all_is_as_it_was(
    found: Reconciliation | None, says: str, stop: Stop
) -> None:
    with pytest.raises(NotRestored, match=says) as caught:
        judge(replace(PERFECT, reconciliation=found), stop)
    assert "payinfra failover-drill --restore --env" in caught.value.hint


def test_what_a_restoration_leaves_is_not_a_success(tmp_path: Path) -> None:
    begun = tmp_path / "drills" / "20260102T030405Z-aaaa" / "journal.jsonl"
    begun.parent.mkdir(parents=True)
    begun.write_text('{"line":"header","version":99}\n')
    with pytest.raises(NotRestored, match="Not everything is as it was") as caught:
        put_back(replace(place(), work_dir=tmp_path), DrillFormat.JSON, Stop())
    assert caught.value.exit_code == 5


def test_an_interrupted_restoration_goes_on_to_its_end_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="Everything is as it was"):
        put_back(replace(place(), work_dir=tmp_path), DrillFormat.JSON, asked())


def test_what_a_restoration_leaves_comes_before_the_interrupt(tmp_path: Path) -> None:
    begun = tmp_path / "drills" / "20260102T030405Z-aaaa" / "journal.jsonl"
    begun.parent.mkdir(parents=True)
    begun.write_text('{"line":"header","version":99}\n')
    with pytest.raises(NotRestored):
        put_back(replace(place(), work_dir=tmp_path), DrillFormat.JSON, asked())

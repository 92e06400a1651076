"""What `make chaos` has tried is kept, gone on with, and counted as it was."""

from pathlib import Path

from scripts import reliability
from tests.support.chaos.environment import problems_of, struck
from tests.support.chaos.ledger import ENDED_BEFORE, RECORDED, Ledger, Trial, dice, table
from tests.support.project import Done

GOOD = Trial("kill", 0, "drill", "SIGKILL after 3.1 s: exit -9")
LOST = Trial("kill", 1, "drill", "SIGHUP after 1.0 s: exit 70", ("exit 70: it broke",))


def test_a_ledger_is_kept_after_each_trial_and_gone_on_with(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.json")
    ledger.add(LOST)
    ledger.add(GOOD)
    again = Ledger(tmp_path / "ledger.json")
    assert sorted(again.trials.values(), key=lambda one: one.number) == [GOOD, LOST]
    assert again.open("kill", 4) == [1, 2, 3]  # what was lost is struck again
    again.add(Trial("kill", 1, "drill", f"SIGHUP {ENDED_BEFORE}: exit 0"))
    assert again.open("kill", 2) == [1]  # and so is what came too late
    again.add(Trial("kill", 1, "drill", "SIGHUP after 1.0 s: exit 130"))
    assert again.open("kill", 2) == []


def test_the_folder_that_is_struck_is_made(tmp_path: Path) -> None:
    program = tmp_path / "payinfra"
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o700)
    folder = tmp_path / "new" / "project"
    with struck(folder, "dev-luck", program=program) as (one,):
        assert one.deploy().stdout.strip() == str(folder.resolve())


def test_what_was_lost_does_not_count_as_survived_and_what_came_too_late_not_as_in_time() -> None:
    late = Trial("kill", 2, "drill", f"SIGINT {ENDED_BEFORE}: exit 0")
    rows = table((GOOD, LOST, late)).splitlines()
    assert rows[2:] == [
        "| kills and signals | drill | 3 | 2 | 2 |",
        "| **kills and signals** | | **3** | **2** | **2** |",
    ]


def test_luck_is_the_same_each_time_and_another_for_each_trial() -> None:
    assert dice("kill", 3).random() == dice("kill", 3).random()
    assert dice("kill", 3).random() != dice("kill", 4).random()


def test_a_bug_a_silence_and_a_traceback_are_never_survived() -> None:
    assert problems_of(Done(0, "", "", 1.0)) == []
    assert problems_of(Done(4, "", "error: no\nnext: yes\n", 1.0)) == []
    assert problems_of(Done(70, "", "error: x", 1.0)) != []
    assert problems_of(Done(4, "", "", 1.0)) != []
    failed = Done(1, "FAIL LIVE-IAM-001 in us-east-1\n1\n2\n3\n", "error: it does not work", 1.0)
    (said,) = problems_of(failed, meant=frozenset({0}))
    assert said.startswith("exit 1: LIVE-IAM-001 ")
    assert problems_of(Done(0, "", "Traceback (most recent call last)", 1.0)) != []


def test_the_page_counts_what_was_recorded() -> None:
    page = reliability.page()
    for kind in {one.kind for one in Ledger(RECORDED).trials.values()}:
        count = sum(1 for one in Ledger(RECORDED).trials.values() if one.kind == kind)
        assert f"| **{count}** |" in page

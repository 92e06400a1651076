"""The two verdicts, each reason by itself."""

from dataclasses import replace
from typing import Any

import pytest

from payinfra.drill.model import (
    Attempt,
    Judgement,
    Mark,
    PaymentOutcome,
    Phase,
    PhaseBegan,
    PhaseEnded,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Result,
)
from payinfra.drill.prediction import Prediction
from payinfra.drill.timeline import Recorder, replay
from payinfra.drill.verdict import DrillEvidence, judge, served_between

GOOD = DrillEvidence(
    prediction=Prediction({}, switches=True, moves=True, request_timeout_s=5.0),
    recovery=RecoveryTime(100.0, 100.0, 90.0),
    rpo=0,
    reckoning=Reconciliation(
        100, 99, {PaymentOutcome.RECORDED: 98, PaymentOutcome.DELAYED: 1, PaymentOutcome.UNACKNOWLEDGED: 1}
    ),
    restoration=Restoration(("the check is not inverted again",), ()),
    unsteady=(),
    aborted="",
    silent=(),
)


def reconciled(outcome: PaymentOutcome, count: int, *examples: str) -> Reconciliation:
    return Reconciliation(100, 100, {outcome: count, PaymentOutcome.RECORDED: 100 - count}, examples)


def test_a_good_drill_passes_both() -> None:
    verdict = judge(GOOD)
    assert (verdict.resilience, verdict.restored, verdict.reasons) == (
        Judgement.PASSED,
        Judgement.PASSED,
        (),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"aborted": "The drill was interrupted (SIGINT)."}, "The drill was interrupted (SIGINT)."),
        (
            {"recovery": RecoveryTime(100.0, 100.0, 100.1)},
            "Recovery took 100.1 s; the objective is 100.0 s.",
        ),
        ({"recovery": RecoveryTime(100.0, 100.0, None)}, "The other region never served."),
        ({"silent": ("us-west-2",)}, "us-west-2 did not serve all along."),
        (
            {"reckoning": None},
            "The payments were not read back: nobody knows yet whether one was lost.",
        ),
        (
            {"reckoning": reconciled(PaymentOutcome.LOST, 1, "pay_1")},
            "1 payment: each was acknowledged and is in no region. Among them: pay_1.",
        ),
        (
            {"reckoning": reconciled(PaymentOutcome.DUPLICATED, 2)},
            "2 payments: each is there more than once.",
        ),
        (
            {"reckoning": reconciled(PaymentOutcome.DIVERGED, 1)},
            "1 payment: each is not the same in both regions.",
        ),
        (
            {"reckoning": Reconciliation(5, 0, {PaymentOutcome.UNACKNOWLEDGED: 5})},
            "No payment was acknowledged at all.",
        ),
    ],
)
def test_one_thing_is_enough_to_fail(change: dict[str, Any], reason: str) -> None:
    verdict = judge(replace(GOOD, **change))
    assert (verdict.resilience, verdict.restored) == (Judgement.FAILED, Judgement.PASSED)
    assert verdict.reasons == (reason,)


def test_an_objective_of_lost_payments_covers_losses_and_nothing_else() -> None:
    assert (
        judge(replace(GOOD, rpo=2, reckoning=reconciled(PaymentOutcome.LOST, 2))).resilience
        is Judgement.PASSED
    )
    assert (
        judge(replace(GOOD, rpo=2, reckoning=reconciled(PaymentOutcome.LOST, 3))).resilience
        is Judgement.FAILED
    )
    assert (
        judge(replace(GOOD, rpo=2, reckoning=reconciled(PaymentOutcome.DIVERGED, 1))).resilience
        is Judgement.FAILED
    )


def test_a_drill_that_ended_early_is_not_blamed_for_what_it_did_not_wait_for() -> None:
    verdict = judge(replace(GOOD, aborted="Broken off.", recovery=RecoveryTime(100.0, 100.0, None)))
    assert verdict.reasons == ("Broken off.",)


def test_where_nobody_moves_nobody_recovers() -> None:
    still = Prediction({}, switches=False, moves=False, request_timeout_s=5.0)
    assert judge(replace(GOOD, prediction=still, recovery=RecoveryTime(0.0, 0.0, None))).reasons == ()


@pytest.mark.parametrize(
    "change",
    [{"restoration": Restoration((), ("the check is inverted",))}, {"unsteady": ("an alarm is on",)}],
)
def test_what_is_left_or_unsteady_is_not_restored(change: dict[str, Any]) -> None:
    verdict = judge(replace(GOOD, **change))
    assert (verdict.resilience, verdict.restored) == (Judgement.PASSED, Judgement.FAILED)
    assert len(verdict.reasons) == 1


def test_who_served_between_two_moments() -> None:
    attempts = [
        Attempt("a", 1, 1.0, 0.1, "us-east-1", 201, Result.ACKNOWLEDGED),
        Attempt("b", 1, 5.0, 0.1, "us-west-2", 500, Result.FAILED),
        Attempt("c", 1, 6.0, 0.1, "us-west-2", 200, Result.REPLAYED),
        Attempt("d", 1, 9.0, 0.1, "us-east-1", 201, Result.ACKNOWLEDGED),
    ]
    assert served_between(attempts, 2.0, 5.5) == frozenset()
    assert served_between(attempts, 2.0, 6.0) == {"us-west-2"}


# -- the recorder ------------------------------------------------------------------------------------------


class Ticking:
    """A clock that goes on by one second at each look."""

    def __init__(self) -> None:
        self.at = 0.0

    def elapsed(self) -> float:
        self.at += 1.0
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += seconds


def test_a_phase_is_timed_also_when_it_fails() -> None:
    told: list[object] = []
    recorder = Recorder(Ticking(), told.append)

    def fail() -> None:
        with recorder.phase(Phase.INJECT, 5.0) as note:
            note.detail = "half done"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    ended = PhaseEnded(Phase.INJECT, 2.0, 1.0, "half done", failed=True)
    assert told == [PhaseBegan(Phase.INJECT, 1.0, 5.0), ended]
    assert [timing.seconds for timing in recorder.phases] == [1.0]


def test_a_phase_ends_when_what_it_waited_for_came_but_not_before_it_began() -> None:
    recorder = Recorder(Ticking(), lambda _event: None)
    for ended_s in (1.5, -3.0):
        with recorder.phase(Phase.SWITCHED) as note:
            note.ended_s = ended_s
    assert [timing.seconds for timing in recorder.phases] == [0.5, 0.0]


def test_marks_and_answers_are_kept_apart_and_told() -> None:
    told: list[object] = []
    recorder = Recorder(Ticking(), told.append)
    recorder.mark("inverted")
    recorder.answer(7.5, "ns-1 says west")
    assert recorder.marks == [Mark(1.0, "inverted")]
    assert recorder.answers == [Mark(7.5, "ns-1 says west")]
    assert told == [*recorder.marks, *recorder.answers]


def test_who_comes_later_is_told_what_was_and_what_comes() -> None:
    recorder, told = Recorder(Ticking(), lambda _event: None), list[object]()
    with recorder.phase(Phase.LOCK) as note:
        note.detail = "held"
    replay(recorder, told.append)
    recorder.mark("now")
    assert told == [
        PhaseBegan(Phase.LOCK, 1.0, None),
        PhaseEnded(Phase.LOCK, 2.0, 1.0, "held"),
        Mark(3.0, "now"),
    ]

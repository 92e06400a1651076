"""The two verdicts, each reason by itself."""

from dataclasses import replace
from typing import Any

import pytest

from payinfra.drill.model import (
    AlarmExpectation,
    AlarmRecord,
    Attempt,
    AuditObjectCounts,
    Doubt,
    Judgement,
    Mark,
    Objective,
    PaymentOutcome,
    Phase,
    PhaseBegan,
    PhaseEnded,
    Reconciliation,
    RecoveryTime,
    Restoration,
    Result,
    Unit,
)
from payinfra.drill.timeline import Recorder, replay
from payinfra.drill.verdict import DrillEvidence, figure, judge, served_between

RTO = Objective("RTO", Unit.SECONDS, 90.0, 100.0)
RPO = Objective("RPO", Unit.PAYMENTS, 0.0, 0.0, timed=False)
FIRST = Objective("first attempt", Unit.SHARE, 1.0, 0.99, at_least=True)
BUSY = Doubt("The machine was busy.", "Drill elsewhere.")
GOOD = DrillEvidence(
    recovers=True,
    recovery=RecoveryTime(100.0, 100.0, 90.0),
    reconciliation=Reconciliation(
        100, 99, {PaymentOutcome.RECORDED: 98, PaymentOutcome.DELAYED: 1, PaymentOutcome.UNACKNOWLEDGED: 1}
    ),
    restoration=Restoration(("the check is not inverted again",), ()),
    objectives=(RTO, RPO, FIRST),
)


def reconciled(outcome: PaymentOutcome, count: int, *examples: str) -> Reconciliation:
    return Reconciliation(100, 100, {outcome: count, PaymentOutcome.RECORDED: 100 - count}, examples)


def audited(**changes: Any) -> Reconciliation:
    found = AuditObjectCounts(99, 99, 0, 0)
    return replace(reconciled(PaymentOutcome.RECORDED, 100), audit=replace(found, **changes))


def test_a_good_drill_passes_both() -> None:
    verdict = judge(GOOD)
    assert (verdict.resilience, verdict.restored, verdict.reasons, verdict.doubts) == (
        Judgement.PASSED,
        Judgement.PASSED,
        (),
        (),
    )


TIMED: list[tuple[dict[str, Any], str]] = [
    ({"failure": "us-west-2 does not carry the load."}, "us-west-2 does not carry the load."),
    ({"objectives": (replace(RTO, measured=100.1),)}, "RTO: 100.1 s; the objective is 100.0 s."),
    (
        {"objectives": (replace(FIRST, measured=0.5),)},
        "first attempt: 50.0 %; the objective is 99.0 %.",
    ),
    ({"recovery": RecoveryTime(100.0, 100.0, None)}, "The other region never served every client."),
    ({"silent": ("us-west-2",)}, "us-west-2 did not serve all along."),
    (
        {"alarms": (AlarmRecord("health", "us-east-1", AlarmExpectation.MUST_RING, None, 90.0),)},
        "The alarm health in us-east-1 had to ring within 90 s, and did not.",
    ),
    (
        {"alarms": (AlarmRecord("errors", "us-west-2", AlarmExpectation.MUST_NOT_RING, 12.0),)},
        "The alarm errors in us-west-2 rang, and nothing was to fail there.",
    ),
]
CERTAIN: list[tuple[dict[str, Any], str]] = [
    ({"objectives": (replace(RPO, measured=3.0),)}, "RPO: 3; the objective is 0."),
    (
        {"reconciliation": reconciled(PaymentOutcome.DUPLICATED, 2, "pay_1")},
        "2 payments: each is there more than once. Among them: pay_1.",
    ),
    (
        {"reconciliation": reconciled(PaymentOutcome.DIVERGED, 1)},
        "1 payment: each is not the same in both regions.",
    ),
    (
        {"reconciliation": Reconciliation(5, 0, {PaymentOutcome.UNACKNOWLEDGED: 5})},
        "No payment was acknowledged at all.",
    ),
    (
        {"reconciliation": audited(missing=2, in_both=97, examples=("pay_1",))},
        "2 payments of 99 acknowledged without an audit object in either region. Among them: pay_1.",
    ),
]


@pytest.mark.parametrize(("change", "reason"), TIMED + CERTAIN)
def test_one_thing_is_enough_to_fail(change: dict[str, Any], reason: str) -> None:
    verdict = judge(replace(GOOD, **change))
    assert (verdict.resilience, verdict.restored) == (Judgement.FAILED, Judgement.PASSED)
    assert verdict.reasons == (reason,)


@pytest.mark.parametrize(("change", "reason"), TIMED)
def test_a_busy_machine_excuses_what_came_too_late(change: dict[str, Any], reason: str) -> None:
    verdict = judge(replace(GOOD, excuses=(BUSY,), **change))
    assert (verdict.resilience, verdict.reasons) == (Judgement.INCONCLUSIVE, ())
    assert verdict.doubts == (BUSY, Doubt(f"Not judged: {reason}"))


@pytest.mark.parametrize(("change", "reason"), CERTAIN)
def test_a_busy_machine_excuses_no_loss(change: dict[str, Any], reason: str) -> None:
    verdict = judge(replace(GOOD, excuses=(BUSY,), doubts=(BUSY,), **change))
    assert (verdict.resilience, verdict.reasons) == (Judgement.FAILED, (reason,))


def test_a_busy_machine_that_was_fast_enough_needs_no_excuse() -> None:
    verdict = judge(replace(GOOD, excuses=(BUSY,)))
    assert (verdict.resilience, verdict.doubts) == (Judgement.PASSED, ())


def test_what_proves_nothing_is_inconclusive_whatever_was_measured() -> None:
    doubt = Doubt("The fault was not seen to take effect.", "Look.")
    assert judge(replace(GOOD, doubts=(doubt,))).resilience is Judgement.INCONCLUSIVE
    late = judge(replace(GOOD, doubts=(doubt,), objectives=(replace(RTO, measured=500.0),)))
    assert (late.resilience, late.reasons) == (Judgement.INCONCLUSIVE, ())


def test_payments_that_were_not_read_prove_nothing() -> None:
    verdict = judge(replace(GOOD, reconciliation=None))
    assert verdict.resilience is Judgement.INCONCLUSIVE
    assert verdict.doubts[0].what.startswith("The payments were not read back")
    assert verdict.doubts[0].next_step


def test_what_was_not_measured_is_not_met_and_not_missed() -> None:
    assert replace(RTO, measured=None).met is None
    assert replace(RTO, objective=None).met is None
    assert (RTO.met, replace(RTO, measured=101.0).met) == (True, False)
    assert (FIRST.met, replace(FIRST, measured=0.98).met) == (True, False)


def test_figures_are_in_their_units() -> None:
    assert [figure(value, unit) for value, unit in ((1.25, Unit.SECONDS), (3, Unit.PAYMENTS))] == [
        "1.2 s",
        "3",
    ]
    assert (figure(0.995, Unit.SHARE), figure(None, Unit.SHARE)) == ("99.5 %", "-")


def test_a_drill_that_ended_early_is_not_blamed_for_what_it_did_not_wait_for() -> None:
    verdict = judge(replace(GOOD, failure="Broken off.", recovery=RecoveryTime(100.0, 100.0, None)))
    assert verdict.reasons == ("Broken off.",)


def test_where_nobody_has_to_recover_nobody_has_to() -> None:
    still = replace(GOOD, recovers=False, recovery=RecoveryTime(0.0, 0.0, None))
    assert judge(still).resilience is Judgement.PASSED


@pytest.mark.parametrize(
    "change",
    [
        {"restoration": Restoration((), ("the check is inverted",))},
        {"unsteady": ("an alarm is on",)},
        {"reconciliation": replace(reconciled(PaymentOutcome.RECORDED, 100), not_removed=("pay_1",))},
        {"reconciliation": audited(not_removed=("audit/1", "audit/2"))},
    ],
)
def test_what_is_left_or_unsteady_is_not_restored(change: dict[str, Any]) -> None:
    verdict = judge(replace(GOOD, **change))
    assert (verdict.resilience, verdict.restored) == (Judgement.PASSED, Judgement.FAILED)
    assert len(verdict.reasons) == 1


def test_a_busy_machine_excuses_a_late_return_and_nothing_that_is_left() -> None:
    late = judge(replace(GOOD, unsteady=("Not within 30 s: DNS back.",), excuses=(BUSY,)))
    assert (late.resilience, late.restored) == (Judgement.PASSED, Judgement.INCONCLUSIVE)
    left = judge(replace(GOOD, restoration=Restoration((), ("it is dark",)), excuses=(BUSY,)))
    assert left.restored is Judgement.FAILED


def test_alarms_that_did_as_they_should_say_nothing() -> None:
    good = (
        AlarmRecord("health", "us-east-1", AlarmExpectation.MUST_RING, 40.0, 90.0),
        AlarmRecord("throttles", "us-east-1", AlarmExpectation.MAY_RING, 40.0),
    )
    assert judge(replace(GOOD, alarms=good)).resilience is Judgement.PASSED


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

"""Every probe is broken once on a real deployment, or there is a reason why it cannot be."""

from payinfra.checks.probes.verify import load
from payinfra.checks.verdicts import Kind
from tests.e2e.verify import test_damage
from tests.e2e.verify.damages import CANNOT, CASES, ELSEWHERE
from tests.unit.checks.probes import test_faults


def test_every_probe_has_a_damage_or_a_reason_for_having_none() -> None:
    known = [probe.rule.id for probe in load()]
    assert sorted([*CASES, *ELSEWHERE, *CANNOT]) == sorted(known)


def test_a_damage_that_is_elsewhere_is_there() -> None:
    for name in ELSEWHERE.values():
        assert callable(getattr(test_damage, name))


def test_what_cannot_be_broken_there_is_broken_with_answers_made_up() -> None:
    broken = {
        id for id, _change, kind, _said in test_faults.CASES if kind not in (Kind.PASS, Kind.NOT_APPLICABLE)
    }
    assert set(CANNOT) <= broken
    assert all(len(reason.split()) > 4 for reason in CANNOT.values())


def test_what_follows_from_a_damage_is_a_probe_too() -> None:
    known = {probe.rule.id for probe in load()}
    for _damage, follows in CASES.values():
        assert set(follows) <= known

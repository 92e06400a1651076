"""The gate's arithmetic, and the order in which findings are told."""

import pytest

from payinfra.checks.outcome import (
    Finding,
    Outcome,
    RuleResult,
    SkippedCheck,
    Waived,
    summarize,
    worst_first,
)
from payinfra.checks.verdicts import Kind, Rule, Severity
from payinfra.core.errors import ExitCode


def finding(verdict: Kind = Kind.FAIL, severity: Severity = Severity.HIGH, id: str = "PI-A-001") -> Finding:
    """A finding of that kind."""
    return Finding(id, verdict, severity, "t", "aws_x.y", "m", "f", "r")


def outcome(*findings: Finding) -> Outcome:
    """An outcome with those findings."""
    return Outcome("check", findings, (), (), summarize(()))


@pytest.mark.parametrize(
    ("one", "threshold", "fails"),
    [
        (finding(Kind.FAIL, Severity.HIGH), Severity.HIGH, True),
        (finding(Kind.FAIL, Severity.CRITICAL), Severity.HIGH, True),
        (finding(Kind.FAIL, Severity.MEDIUM), Severity.HIGH, False),
        (finding(Kind.FAIL, Severity.LOW), Severity.LOW, True),
        (finding(Kind.UNKNOWN, Severity.LOW), Severity.CRITICAL, True),
        (finding(Kind.ERROR, Severity.LOW), Severity.CRITICAL, True),
        (finding(Kind.WARN, Severity.CRITICAL), Severity.LOW, False),
    ],
)
def test_what_fails_the_gate(one: Finding, threshold: Severity, fails: bool) -> None:
    expected = ExitCode.GATE_FAILED if fails else ExitCode.DONE

    assert outcome(one).exit_code(threshold) == expected
    assert outcome(one).failing(threshold) == ((one,) if fails else ())


def test_nothing_found_passes() -> None:
    assert outcome().exit_code(Severity.LOW) == ExitCode.DONE


def test_the_worst_come_first_and_warnings_last() -> None:
    warning = finding(Kind.WARN, Severity.CRITICAL)
    low = finding(Kind.FAIL, Severity.LOW)
    unknown = finding(Kind.UNKNOWN, Severity.CRITICAL)
    failure = finding(Kind.FAIL, Severity.CRITICAL)
    error = finding(Kind.ERROR, Severity.CRITICAL)
    second = finding(Kind.FAIL, Severity.CRITICAL, "PI-B-001")

    assert worst_first([warning, low, second, unknown, failure, error]) == (
        error,
        failure,
        second,
        unknown,
        low,
        warning,
    )


def test_a_rules_verdict_is_its_worst() -> None:
    rule = Rule("PI-A-001", "t", Severity.LOW, "r", "f")

    assert RuleResult(rule, {Kind.PASS: 3, Kind.UNKNOWN: 1}).verdict is Kind.UNKNOWN
    assert RuleResult(rule, {Kind.PASS: 3, Kind.NOT_APPLICABLE: 1, Kind.FAIL: 0}).verdict is Kind.PASS
    assert RuleResult(rule, {}).verdict is Kind.NOT_APPLICABLE


def test_the_summary_counts_what_was_and_what_was_not_evaluated() -> None:
    rule = Rule("PI-A-001", "t", Severity.LOW, "r", "f")
    results = (
        RuleResult(rule, {Kind.PASS: 2, Kind.FAIL: 3, Kind.UNKNOWN: 1}),
        RuleResult(rule, {Kind.WARN: 1, Kind.NOT_APPLICABLE: 4, Kind.ERROR: 1}),
    )
    skipped = (SkippedCheck("PI-B-001", "why"),)

    summary = summarize(
        results, [Waived(finding(), "r", "o", "d")], resources=9, ignored=("PI-C-001",), skipped=skipped
    )

    assert summary.counts == {
        Kind.PASS: 2,
        Kind.WARN: 1,
        Kind.FAIL: 2,
        Kind.NOT_APPLICABLE: 4,
        Kind.UNKNOWN: 1,
        Kind.ERROR: 1,
    }
    assert (summary.checks, summary.evaluated, summary.waived, summary.resources) == (2, 6, 1, 9)
    assert (summary.ignored, summary.skipped) == (("PI-C-001",), skipped)

"""An outcome with one of everything in it."""

import pytest

from payinfra.checks.outcome import Finding, Outcome, RuleResult, SkippedCheck, Waived, summarize, worst_first
from payinfra.checks.verdicts import Kind, Rule, Severity

EVIL = "aws_x.evil\x1b[31m\n\u202e|<b>`"


def finding(verdict: Kind, severity: Severity, id: str, **more: str | int) -> Finding:
    """A finding with texts of its own."""
    texts = {
        "address": "aws_s3_bucket.audit",
        "message": f"message of {id}",
        "file": "out/cdk.tf.json",
        **more,
    }
    return Finding(
        id=id,
        verdict=verdict,
        severity=severity,
        title=f"Title of {id}",
        address=str(texts["address"]),
        message=str(texts["message"]),
        fix=f"Fix of {id}.",
        risk=f"Risk of {id}.",
        controls=("AWS FSBP S3.8",),
        construct=str(texts.get("construct", "")),
        file=str(texts["file"]),
        line=int(texts.get("line", 0)),
        note=str(texts.get("note", "")),
    )


def rule(id: str, severity: Severity, **counts: int) -> RuleResult:
    """A rule that ran, with its counts by the kind's name."""
    made = Rule(id, f"Title of {id}", severity, f"Risk of {id}.", f"Fix of {id}.", ("AWS FSBP S3.8",))
    return RuleResult(made, {Kind(kind): count for kind, count in counts.items()})


@pytest.fixture
def outcome() -> Outcome:
    """Findings of every kind, one of them waived, one of another tool, one with an evil name."""
    findings = worst_first(
        [
            finding(Kind.FAIL, Severity.CRITICAL, "PI-S3-001", construct="stack/primary/audit"),
            finding(Kind.FAIL, Severity.CRITICAL, "PI-S3-001", address=EVIL, message="100%\r\n, bad: \x00"),
            finding(
                Kind.FAIL, Severity.LOW, "PI-OUT-001", address="", message="of all", note="waiver 1: late"
            ),
            finding(Kind.UNKNOWN, Severity.MEDIUM, "PI-KMS-001"),
            finding(Kind.ERROR, Severity.HIGH, "PI-ENG-001", address="", message="the check raised KeyError"),
            finding(Kind.FAIL, Severity.MEDIUM, "PI-TST-002", address="a b.py", file="a b.py", line=7),
            finding(Kind.WARN, Severity.LOW, "CKV_AWS_21", message="checkov: Ensure"),
        ]
    )
    waived = (Waived(finding(Kind.FAIL, Severity.HIGH, "PI-LOG-001"), "because @all", "anna", "2026-12-31"),)
    rules = (
        rule("PI-S3-001", Severity.CRITICAL, FAIL=2, PASS=1),
        rule("PI-OUT-001", Severity.LOW, FAIL=1),
        rule("PI-KMS-001", Severity.MEDIUM, UNKNOWN=1),
        rule("PI-ENG-001", Severity.HIGH, ERROR=1),
        rule("PI-TST-002", Severity.MEDIUM, FAIL=1),
        rule("PI-LOG-001", Severity.HIGH, FAIL=1),
        rule("PI-S3-002", Severity.HIGH, PASS=3),
        rule("PI-SNS-001", Severity.HIGH, NOT_APPLICABLE=1),
    )
    return Outcome(
        tool="check",
        findings=findings,
        waived=waived,
        rules=rules,
        summary=summarize(
            rules,
            waived,
            resources=61,
            ignored=("PI-DRY-001",),
            skipped=(SkippedCheck("PI-IAM-005", "needs the package policy_sentry, which is not installed"),),
        ),
        notes=("waiver 2 (PI-X-001, *) is not used: no finding fits it",),
        files=("out/cdk.tf.json",),
    )


@pytest.fixture
def nothing() -> Outcome:
    """An outcome of one rule that passed."""
    rules = (rule("PI-S3-002", Severity.HIGH, PASS=1),)
    return Outcome("verify", (), (), rules, summarize(rules))

"""The comment on a pull request: what stands, what changed, what failed, and nothing that Markdown obeys."""

from dataclasses import replace
from pathlib import Path

from payinfra.checks.outcome import Finding, Outcome, summarize
from payinfra.checks.verdicts import Kind, Severity
from payinfra.core.errors import GateFailed, ToolFailed
from payinfra.core.outputs import Outputs
from payinfra.deployment.results import ChecksFailed, Deployed, Destroyed
from payinfra.deployment.smoke_test import SmokeTestResult
from payinfra.report import job_summary
from payinfra.terraform import ChangeAction, Plan, ResourceChange

CHANGE = ResourceChange("aws_kms_key.data", "aws_kms_key", ChangeAction.CREATE)
PLAN = Plan(Path("plan"), 1, 0, 0, (CHANGE,))
VERIFIED = Outcome("verify", (), (), (), summarize(()))
PROOF = SmokeTestResult("us-east-1", "us-west-2", "pay-1", 0.1234)
FINDING = Finding(
    "PI-S3-001",
    Kind.FAIL,
    Severity.HIGH,
    "Buckets are private",
    "aws_s3_bucket.x",
    "it is open",
    "shut it",
    "",
)


def a_deployment(some_outputs: Outputs, plan: Plan = PLAN) -> Deployed:
    return Deployed(plan, some_outputs, (PROOF,), VERIFIED, 61.2)


def test_a_deployment_tells_where_it_is_what_changed_and_that_it_works(some_outputs: Outputs) -> None:
    text = job_summary.deployed("pr7", a_deployment(some_outputs), Severity.LOW)
    assert text.startswith(job_summary.marker("pr7") + "\n")
    assert "Environment pr7 is deployed and verified" in text
    assert "| us-east-1 | primary | p-api\\_endpoint |" in text
    assert "| us-west-2 | secondary | s-api\\_endpoint |" in text
    assert "Failover name: p-failover\\_domain" in text
    assert "sent through us-east-1 was read in us-west-2 after 0.12 s" in text
    assert "**Plan:** 1 to add, 0 to change, 0 to destroy." in text
    assert "- create: aws\\_kms\\_key.data" in text
    assert "## payinfra verify: passed" in text
    assert text.endswith("In 61 s.\n")


def test_nothing_to_change_has_no_list(some_outputs: Outputs) -> None:
    nothing = replace(a_deployment(some_outputs, Plan(Path("plan"), 0, 0, 0)), proofs=())
    text = job_summary.deployed("pr7", nothing, Severity.LOW)
    assert "**Plan:** nothing to change." in text
    assert "<details>" not in text
    assert "was read in" not in text


def test_a_long_list_is_cut_and_says_so(some_outputs: Outputs) -> None:
    number = job_summary.SHOWN_CHANGES + 3
    many = Plan(Path("plan"), number, 0, 0, (CHANGE,) * number)
    text = job_summary.deployed("pr7", a_deployment(some_outputs, many), Severity.LOW)
    assert text.count("- create: ") == job_summary.SHOWN_CHANGES
    assert "- and 3 more" in text
    assert len(text) < 65_536


def test_a_destruction_is_told() -> None:
    text = job_summary.destroyed("pr7", Destroyed(Plan(Path("plan"), 0, 0, 198), 50.4))
    assert text.startswith(job_summary.marker("pr7"))
    assert "198 resources deleted in 50 s." in text


def test_a_failure_says_what_and_what_next() -> None:
    text = job_summary.failed("pr7", ToolFailed("Terraform said no.", "Ask it again."))
    assert text.startswith(job_summary.marker("pr7"))
    assert "Terraform said no." in text
    assert "Next: Ask it again." in text
    assert "Next:" not in job_summary.failed("pr7", GateFailed("No."))


def test_a_failed_gate_shows_its_findings() -> None:
    failed = ChecksFailed(Outcome("check", (FINDING,), (), (), summarize(())), Severity.HIGH)
    assert "PI-S3-001" in job_summary.failed("pr7", failed)


def test_what_a_tool_said_cannot_become_markdown_or_html() -> None:
    text = job_summary.failed("pr7", ToolFailed("<img src=x> @team ![x](http://x)\n# x", "`rm`"))
    assert "<img" not in text
    assert "@team" not in text
    assert "![" not in text
    assert "\n# x" not in text
    assert "\\`rm\\`" in text

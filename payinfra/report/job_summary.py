"""What a deployment or a destruction came to, as Markdown for a pull request's comment.

The first line is a comment that Markdown does not show: by it CI finds the comment again and updates it in
place. Nothing here is sensitive: results carry no secrets.
"""

from collections.abc import Iterable

from payinfra.checks.verdicts import Severity
from payinfra.core.errors import PayinfraError
from payinfra.core.outputs import Outputs
from payinfra.deployment.results import ChecksFailed, Deployed, Destroyed, ProbesFailed
from payinfra.deployment.smoke_test import SmokeTestResult
from payinfra.report.findings import markdown
from payinfra.report.findings.markdown import plain
from payinfra.report.plan import markdown as plan_markdown
from payinfra.terraform.plan import Plan

SHOWN_CHANGES = 200
"""How many changes are listed. GitHub takes 65,536 characters a comment, GitLab 1,000,000."""


def marker(env: str) -> str:
    """The line by which the comment of an environment is known."""
    return f"<!-- payinfra environment {env} -->"


def deployed(env: str, result: Deployed, fail_on: Severity) -> str:
    """A deployment that stands and works."""
    return _page(
        env,
        f"### Environment {plain(env)} is deployed and verified",
        *_endpoints(result.outputs),
        *_payments(result.proofs),
        *_changes(result.plan),
        markdown.render(result.verified, fail_on),
        f"In {result.seconds:.0f} s.",
    )


def destroyed(env: str, result: Destroyed) -> str:
    """An environment that is gone."""
    return _page(
        env,
        f"### Environment {plain(env)} is destroyed",
        f"{result.plan.destroy} resources deleted in {result.seconds:.0f} s.",
    )


def failed(env: str, error: PayinfraError) -> str:
    """What ended a command, and what to do next; with the findings where a gate had some."""
    parts = [f"### Environment {plain(env)}: failed", plain(error.what)]
    if error.hint:
        parts.append(f"Next: {plain(error.hint)}")
    if isinstance(error, ChecksFailed | ProbesFailed):
        parts.append(markdown.render(error.outcome, error.fail_on))
    return _page(env, *parts)


def _page(env: str, *parts: str) -> str:
    return "\n\n".join((marker(env), *(part.strip("\n") for part in parts))) + "\n"


def _endpoints(outputs: Outputs) -> Iterable[str]:
    rows = ["| region | | API |", "| --- | --- | --- |"]
    rows += [
        f"| {plain(region.region)} | {role} | {plain(region.api_endpoint)} |"
        for region, role in zip(outputs.regions, ("primary", "secondary"), strict=True)
    ]
    return "\n".join(rows), f"Failover name: {plain(outputs.failover_domain)}"


def _payments(proofs: Iterable[SmokeTestResult]) -> Iterable[str]:
    lines = [
        f"- A payment sent through {plain(proof.written_in)} was read in {plain(proof.read_in)}"
        f" after {proof.lag_s:.2f} s."
        for proof in proofs
    ]
    return ("\n".join(lines),) if lines else ()


def _changes(plan: Plan) -> Iterable[str]:
    head, *listed = plan_markdown(plan, at_most=SHOWN_CHANGES)
    if not plan.has_changes:
        return (head,)
    return (head, "\n\n".join(("<details><summary>Each change</summary>", *listed, "</details>")))

"""A second opinion: checkov, when somebody has it, over the same file. Its findings are shown, never gate.

It runs as a process of its own, because it pins boto3. With nothing to evaluate it exits 0 and prints a
bare summary; that, like anything else that is no report, is an ERROR here: an opinion that was asked for and
not given. Source of the report's form: checkov 3.3.30, `common/output/report.py` and
`common/runners/runner_registry.py` (a list of reports, one report, or the summary alone).
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from payinfra.checks.manifest.values import shorten
from payinfra.checks.outcome import Finding
from payinfra.checks.runner import Judged, Record, Site
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict

LIMIT_SECONDS = 600
RULE = Rule(
    id="PI-CKV-001",
    title="checkov evaluated the file",
    severity=Severity.MEDIUM,
    risk="Its silence is taken for its consent.",
    fix="Run the same command by hand and see what it says; it reads files named *.tf.json only.",
)


@dataclass(frozen=True)
class Finished:
    """How a process ended. `code` is None where it did not start, or was stopped at its time limit."""

    code: int | None
    stdout: str
    stderr: str


Run = Callable[[Sequence[str]], Finished]


def run_process(command: Sequence[str], limit_seconds: float = LIMIT_SECONDS) -> Finished:
    """Run a command to its end, with nothing on its stdin."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_seconds,
            check=False,
        )
    except OSError as problem:
        return Finished(None, "", f"it did not start: {problem.strerror}")
    except subprocess.TimeoutExpired:
        return Finished(None, "", f"it was stopped after {limit_seconds:g} seconds")
    return Finished(done.returncode, done.stdout, done.stderr)


def advise(executable: Path, files: Sequence[str], run: Run = run_process) -> Judged:
    """Ask checkov about every file: its failures as WARN under its own ids, and PI-CKV-001."""
    record = Record(RULE)
    findings: list[Finding] = []
    for file in files:
        found, verdict = _ask(executable, file, run)
        findings += found
        record.add(verdict, Site(file))
    judged = record.close()
    counts = dict(judged.result.counts)
    if findings:
        counts[Kind.WARN] = len(findings)
    return Judged(replace(judged.result, counts=counts), (*findings, *judged.findings))


def _ask(executable: Path, file: str, run: Run) -> tuple[list[Finding], Verdict]:
    command = (
        str(executable), "--file", file, "--framework", "terraform_json", "--output", "json",
        "--quiet", "--compact", "--soft-fail", "--skip-download",
    )  # fmt: skip
    done = run(command)
    if done.code != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        ended = "failed" if done.code is None else f"exited with {done.code}"
        return [], Verdict.error(f"checkov {ended}: {shorten(lines[-1])}")
    try:
        reports = _reports(json.loads(done.stdout))
    except (ValueError, RecursionError):
        return [], Verdict.error("checkov printed no report")
    evaluated = sum(_count(one, "passed") + _count(one, "failed") for one in reports)
    unread = sum(_count(one, "parsing_errors") for one in reports)
    findings = [_finding(entry, file) for one in reports for entry in _failures(one)]
    if unread or not evaluated:
        return findings, Verdict.error(
            "checkov could not read the file" if unread else "checkov evaluated nothing"
        )
    return findings, Verdict.passed(f"checkov evaluated {evaluated} checks")


def _reports(document: object) -> list[Mapping[str, object]]:
    entries = document if isinstance(document, list) else [document]
    reports = [entry for entry in entries if isinstance(entry, Mapping)]
    if not reports:
        raise ValueError("no report")
    return reports


def _count(report: Mapping[str, object], name: str) -> int:
    summary = report.get("summary", report)
    number = summary.get(name) if isinstance(summary, Mapping) else None
    return number if isinstance(number, int) else 0


def _failures(report: Mapping[str, object]) -> list[Mapping[str, object]]:
    results = report.get("results")
    failed = results.get("failed_checks") if isinstance(results, Mapping) else None
    return [entry for entry in failed if isinstance(entry, Mapping)] if isinstance(failed, list) else []


def _finding(entry: Mapping[str, object], file: str) -> Finding:
    def text(key: str, default: str) -> str:
        value = entry.get(key)
        return value if isinstance(value, str) and value else default

    title = text("check_name", "a check of checkov's without a name")
    severities = {one.value: one for one in Severity}
    return Finding(
        id=text("check_id", "CKV"),
        verdict=Kind.WARN,
        severity=severities.get(text("severity", "").lower(), Severity.LOW),
        title=title,
        address=text("resource", ""),
        message=f"checkov: {title}",
        fix=text("guideline", "See checkov's policy index for this id."),
        risk="As checkov sees it; this is advice and never fails the gate.",
        file=file,
    )

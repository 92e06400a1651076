"""A second opinion: checkov, when somebody has it, over the same file. Its findings are shown, never gate.

It runs as a process of its own, because it pins boto3, and over a copy without the section `terraform`: it
cannot read one that has more than blocks in it, such as `required_version`, and then reads nothing of the
file (seen with 3.3.30; `handle_block_type` in `terraform_json/parser.py`). No check of its is about that
section. For most findings it knows a resource's name only (`resource.audit`): the type is looked up.

With nothing to evaluate it exits 0 and prints a
bare summary; that, like anything else that is no report, is an ERROR here: an opinion that was asked for and
not given. Source of the report's form: checkov 3.3.30, `common/output/report.py` and
`common/runners/runner_registry.py` (a list of reports, one report, or the summary alone).
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from payinfra.checks.outcome import Finding
from payinfra.checks.redaction import Redactor
from payinfra.checks.runner import Judged, JudgedAt, VerdictRecorder
from payinfra.checks.verdicts import Kind, Rule, Severity, Verdict

LIMIT_SECONDS = 600
_COPY = "cdk.tf.json"
_HOW = (
    *("--framework", "terraform_json", "--output", "json", "--quiet", "--compact"),
    *("--soft-fail", "--skip-download"),
)
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
    record = VerdictRecorder(RULE)
    findings: list[Finding] = []
    for file in files:
        found, verdict = _ask(executable, file, run)
        findings += found
        record.add(verdict, JudgedAt(file, clean=Redactor().clean))
    judged = record.close()
    counts = dict(judged.result.counts)
    if findings:
        counts[Kind.WARN] = len(findings)
    return Judged(replace(judged.result, counts=counts), (*findings, *judged.findings))


def _ask(executable: Path, file: str, run: Run) -> tuple[list[Finding], Verdict]:
    try:
        document: object = json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as problem:
        return [], Verdict.error(f"the file cannot be read again: {problem}")
    sections = document if isinstance(document, Mapping) else {}
    with tempfile.TemporaryDirectory(prefix="payinfra-checkov-") as folder:
        copy = Path(folder) / _COPY
        copy.write_text(json.dumps({name: part for name, part in sections.items() if name != "terraform"}))
        done = run((str(executable), "--file", str(copy), *_HOW))
    if done.code != 0:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        ended = "failed" if done.code is None else f"exited with {done.code}"
        return [], Verdict.error(f"checkov {ended}: {lines[-1]}")
    try:
        reports = _reports(json.loads(done.stdout))
    except (ValueError, RecursionError):
        return [], Verdict.error("checkov printed no report")
    evaluated = sum(_count(one, "passed") + _count(one, "failed") for one in reports)
    unread = sum(_count(one, "parsing_errors") for one in reports)
    types = _types(sections.get("resource"))
    findings = [_finding(entry, file, types) for one in reports for entry in _failures(one)]
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


def _types(resources: object) -> Mapping[str, Sequence[str]]:
    """The types of the resources of each name."""
    found: dict[str, list[str]] = {}
    for kind, named in resources.items() if isinstance(resources, Mapping) else ():
        for name in named if isinstance(named, Mapping) else ():
            found.setdefault(name, []).append(kind)
    return found


def _address(resource: str, types: Mapping[str, Sequence[str]]) -> str:
    """A resource's address, where checkov gives its name only and that is one resource's."""
    kind, _, name = resource.partition(".")
    known = types.get(name, ())
    return f"{known[0]}.{name}" if kind == "resource" and len(known) == 1 else resource


def _finding(entry: Mapping[str, object], file: str, types: Mapping[str, Sequence[str]]) -> Finding:
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
        address=_address(text("resource", ""), types),
        message=f"checkov: {title}",
        fix=text("guideline", "See checkov's policy index for this id."),
        risk="As checkov sees it; this is advice and never fails the gate.",
        file=file,
    )

"""A second opinion is advice; no opinion, where one was asked for, is an error."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from payinfra.checks.checkov import Finished, advise, run_process
from payinfra.checks.runner import Judged
from payinfra.checks.verdicts import Kind, Severity

FAILURE = {
    "check_id": "CKV_AWS_21",
    "check_name": "Ensure versioning",
    "resource": "aws_s3_bucket.audit",
    "guideline": "https://docs.example/21",
    "severity": None,
}
SUMMARY = {"passed": 3, "failed": 1, "skipped": 0, "parsing_errors": 0, "resource_count": 2}
REPORT = {"check_type": "terraform_json", "results": {"failed_checks": [FAILURE]}, "summary": SUMMARY}


def ask(stdout: object = REPORT, code: int | None = 0, stderr: str = "") -> Judged:
    """Checkov's opinion, where it ends like this."""

    def run(command: Sequence[str]) -> Finished:
        assert command[0] == "/bin/checkov"
        assert command[command.index("--file") + 1] == "cdk.tf.json"
        return Finished(code, stdout if isinstance(stdout, str) else json.dumps(stdout), stderr)

    return advise(Path("/bin/checkov"), ["cdk.tf.json"], run)


def test_its_failures_are_warnings_under_its_own_ids() -> None:
    judged = ask()

    (finding,) = judged.findings
    assert (finding.id, finding.verdict, finding.severity) == ("CKV_AWS_21", Kind.WARN, Severity.LOW)
    assert (finding.address, finding.file) == ("aws_s3_bucket.audit", "cdk.tf.json")
    assert finding.fix == "https://docs.example/21"
    assert judged.result.counts == {Kind.PASS: 1, Kind.WARN: 1}
    assert judged.result.message == "checkov evaluated 4 checks"


def test_a_severity_that_it_gives_is_kept() -> None:
    report = {**REPORT, "results": {"failed_checks": [{**FAILURE, "severity": "CRITICAL"}, {}, 3]}}

    assert [one.severity for one in ask([report]).findings] == [Severity.CRITICAL, Severity.LOW]


def test_several_reports_are_added_up() -> None:
    judged = ask([REPORT, {**REPORT, "results": {}}, {"results": 3, "summary": 4}])

    assert judged.result.message == "checkov evaluated 8 checks"
    assert len(judged.findings) == 1


def test_without_failures_there_is_nothing_to_show() -> None:
    judged = ask({"results": {"failed_checks": []}, "summary": {"passed": 1}})

    assert judged.findings == ()
    assert judged.result.counts == {Kind.PASS: 1}


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (ask({"passed": 0, "failed": 0, "parsing_errors": 0, "resource_count": 0}), "evaluated nothing"),
        (ask({**REPORT, "summary": {"passed": "many"}, "results": {}}), "evaluated nothing"),
        (ask({"summary": {"passed": 3, "parsing_errors": 1}}), "could not read the file"),
        (ask(""), "printed no report"),
        (ask("[]"), "printed no report"),
        (ask("3"), "printed no report"),
        (ask("[" * 100_000), "printed no report"),
        (ask(code=2, stderr="Traceback\nValueError: x\n"), "exited with 2: ValueError: x"),
        (ask(code=1), "exited with 1: it said nothing"),
        (ask(code=None, stderr="it did not start: No such file"), "failed: it did not start"),
    ],
)
def test_no_opinion_is_an_error(judged: Judged, said: str) -> None:
    error = judged.findings[-1]

    assert (error.id, error.verdict) == ("PI-CKV-001", Kind.ERROR)
    assert said in error.message
    assert judged.result.counts[Kind.ERROR] == 1


def test_a_real_process_gives_its_code_and_output() -> None:
    program = "import sys; print(sys.stdin.read() + 'out'); print('err', file=sys.stderr); sys.exit(3)"

    assert run_process([sys.executable, "-c", program]) == Finished(3, "out\n", "err\n")


def test_a_program_that_is_not_there_did_not_start(tmp_path: Path) -> None:
    assert run_process([str(tmp_path / "none")]) == Finished(
        None, "", "it did not start: No such file or directory"
    )


def test_a_process_that_does_not_end_is_stopped() -> None:
    waiting = [sys.executable, "-c", "import threading; threading.Event().wait()"]

    assert run_process(waiting, limit_seconds=0.05) == Finished(None, "", "it was stopped after 0.05 seconds")

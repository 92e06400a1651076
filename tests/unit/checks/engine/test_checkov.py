"""A second opinion is advice; no opinion, where one was asked for, is an error."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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


STACK = {
    "terraform": {"required_version": ">= 1.10"},
    "resource": {
        "//": "not a block",
        "aws_s3_bucket": {"audit": {}, "twice": {}},
        "aws_sns_topic": {"alarms": {}, "twice": {}},
    },
}


@dataclass
class Checkov:
    """One that ends as it is told, and keeps what it was given."""

    ends: Finished
    given: dict[str, Any] = field(default_factory=dict)

    def run(self, command: Sequence[str]) -> Finished:
        assert command[0] == "/bin/checkov"
        file = Path(command[command.index("--file") + 1])
        assert file.name == "cdk.tf.json"
        self.given = json.loads(file.read_text())
        return self.ends


Ask = Callable[..., Judged]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Checkov's opinion, where it ends like this."""

    def judged(
        stdout: object = REPORT, code: int | None = 0, stderr: str = "", stack: object = STACK
    ) -> Judged:
        file = tmp_path / "stack.tf.json"
        file.write_text(json.dumps(stack))
        ends = Finished(code, stdout if isinstance(stdout, str) else json.dumps(stdout), stderr)
        return advise(Path("/bin/checkov"), [str(file)], Checkov(ends).run)

    return judged


def test_its_failures_are_warnings_under_its_own_ids(ask: Ask, tmp_path: Path) -> None:
    judged = ask()

    (finding,) = judged.findings
    assert (finding.id, finding.verdict, finding.severity) == ("CKV_AWS_21", Kind.WARN, Severity.LOW)
    assert (finding.address, finding.file) == (
        "aws_s3_bucket.audit",
        str(tmp_path / "stack.tf.json"),
    )
    assert finding.fix == "https://docs.example/21"
    assert judged.result.counts == {Kind.PASS: 1, Kind.WARN: 1}
    assert judged.result.message == "checkov evaluated 4 checks"


def test_it_is_given_all_but_the_section_that_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_text(json.dumps(STACK))
    checkov = Checkov(Finished(0, json.dumps(REPORT), ""))

    advise(Path("/bin/checkov"), [str(file)], checkov.run)

    assert checkov.given == {"resource": STACK["resource"]}


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("resource.alarms", "aws_sns_topic.alarms"),
        ("resource.twice", "resource.twice"),
        ("resource.unknown", "resource.unknown"),
        ("aws_s3_bucket.audit", "aws_s3_bucket.audit"),
    ],
)
def test_a_resource_that_it_names_only_gets_its_type(ask: Ask, said: str, address: str) -> None:
    report = {**REPORT, "results": {"failed_checks": [{**FAILURE, "resource": said}]}}

    assert [one.address for one in ask(report).findings] == [address]


@pytest.mark.parametrize("stack", [{}, [], {"resource": []}, {"resource": {"aws_s3_bucket": [{}]}}])
def test_odd_files_are_its_to_judge(ask: Ask, stack: object) -> None:
    assert [one.address for one in ask(stack=stack).findings] == ["aws_s3_bucket.audit"]


def test_a_file_that_has_gone_meanwhile_is_an_error(tmp_path: Path) -> None:
    judged = advise(Path("/bin/checkov"), [str(tmp_path / "gone.tf.json")], Checkov(Finished(0, "", "")).run)

    assert [one.verdict for one in judged.findings] == [Kind.ERROR]
    assert "cannot be read again" in judged.findings[0].message


def test_a_severity_that_it_gives_is_kept(ask: Ask) -> None:
    report = {**REPORT, "results": {"failed_checks": [{**FAILURE, "severity": "CRITICAL"}, {}, 3]}}

    assert [one.severity for one in ask([report]).findings] == [Severity.CRITICAL, Severity.LOW]


def test_several_reports_are_added_up(ask: Ask) -> None:
    judged = ask([REPORT, {**REPORT, "results": {}}, {"results": 3, "summary": 4}])

    assert judged.result.message == "checkov evaluated 8 checks"
    assert len(judged.findings) == 1


def test_without_failures_there_is_nothing_to_show(ask: Ask) -> None:
    judged = ask({"results": {"failed_checks": []}, "summary": {"passed": 1}})

    assert judged.findings == ()
    assert judged.result.counts == {Kind.PASS: 1}


@pytest.mark.parametrize(
    ("stdout", "said"),
    [
        ({"passed": 0, "failed": 0, "parsing_errors": 0, "resource_count": 0}, "evaluated nothing"),
        ({**REPORT, "summary": {"passed": "many"}, "results": {}}, "evaluated nothing"),
        ({"summary": {"passed": 3, "parsing_errors": 1}}, "could not read the file"),
        ("", "printed no report"),
        ("[]", "printed no report"),
        ("3", "printed no report"),
        ("[" * 100_000, "printed no report"),
    ],
)
def test_no_opinion_is_an_error(ask: Ask, stdout: object, said: str) -> None:
    is_error(ask(stdout), said)


@pytest.mark.parametrize(
    ("code", "stderr", "said"),
    [
        (2, "Traceback\nValueError: x\n", "exited with 2: ValueError: x"),
        (1, "", "exited with 1: it said nothing"),
        (None, "it did not start: No such file", "failed: it did not start"),
    ],
)
def test_a_bad_end_is_an_error(ask: Ask, code: int | None, stderr: str, said: str) -> None:
    is_error(ask(code=code, stderr=stderr), said)


def is_error(judged: Judged, said: str) -> None:
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

"""A terminal gets sentences folded between words, and whole what may be copied; a pipe gets all whole."""

from io import StringIO

import pytest
from rich.text import Text

from payinfra.checks.outcome import Finding, Outcome, summarize
from payinfra.checks.verdicts import Kind, Severity
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Notice
from payinfra.report import progress, results
from payinfra.report.console import SafeConsole
from payinfra.report.findings import rendering
from payinfra.report.folding import FoldedText, folded
from payinfra.report.formats import FindingsFormat

URL = "https://docs.example.com/" + "a" * 70
COMMAND = "`payinfra destroy --env demo --local --yes-really demo`"


def console(width: int, *, is_terminal: bool = True) -> SafeConsole:
    return SafeConsole(file=StringIO(), width=width, force_terminal=is_terminal, color_system=None)


def written(of: SafeConsole) -> list[str]:
    assert isinstance(of.file, StringIO)
    return of.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("text", "indent", "lines"),
    [
        ("a short line", None, ["a short line"]),
        ("one two three four five six", None, ["one two three four", "five six"]),
        ("  - one two three four five", None, ["  - one two three", "  four five"]),
        ("next:  one two three four five", 7, ["next:  one two three", "       four five"]),
        (f"See {URL} for more", None, ["See", URL, "for more"]),
        (f"row   {URL}", 6, [f"row   {URL}"]),
        (f"Type {COMMAND}, then wait", None, ["Type", f"{COMMAND},", "then wait"]),
        ("", None, [""]),
    ],
)
def test_a_line_is_folded_between_words(text: str, indent: int | None, lines: list[str]) -> None:
    assert [part.plain for part in folded(Text(text), 20, indent)] == lines


def test_line_ends_stay_and_styles_too() -> None:
    to = console(12)
    to.print(FoldedText(Text("one two three\n\n  four five six", style="bold")), soft_wrap=True)
    assert written(to) == ["one two", "three", "", "  four five", "  six"]
    assert [part.style for part in folded(Text("one two", style="bold"), 4)] == ["bold", "bold"]


def test_nothing_is_folded_in_a_pipe() -> None:
    to = console(20, is_terminal=False)
    results.write(to, FoldedText(Text("one two three four five six seven")))
    assert written(to) == ["one two three four five six seven"]


def test_a_finding_an_error_and_a_notice_fit_a_narrow_terminal() -> None:
    address = "aws_s3_bucket." + "a_long_name_of_a_bucket" * 3
    finding = Finding(
        *("PI-S3-001", Kind.FAIL, Severity.HIGH, "A title"),
        address=address,
        message="the bucket has no public access block at all, which anyone on the internet may read",
        fix="Add an aws_s3_bucket_public_access_block with all four settings true.",
        risk="",
    )
    to = console(60)
    rendering.write(
        to, Outcome("check", (finding,), (), (), summarize(())), FindingsFormat.TABLE, Severity.HIGH
    )
    results.problem(to, EnvironmentUnusable("What went wrong " * 9, f"Say {COMMAND} and look again at it."))
    progress.notices(to)(Notice("What is worth knowing " * 9))
    assert address in "\n".join(written(to)).split()
    assert [line for line in written(to) if len(line) > 60 and line.strip() not in (address, COMMAND)] == []
    assert f"       {COMMAND}" in [line[: 7 + len(COMMAND)] for line in written(to)]

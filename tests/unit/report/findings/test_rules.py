"""`checks list` and `checks explain`, and the escaping of foreign texts."""

import io
import json

import pytest
from rich.console import Console

from payinfra.checks.verdicts import Rule, Severity
from payinfra.report.findings import rules
from payinfra.report.printable import visible

RULE = Rule("PI-S3-001", "Title", Severity.HIGH, "Risk.", "Fix.", ("AWS FSBP S3.8",))
BARE = Rule("PI-OUT-001", "Title", Severity.LOW, "Risk.", "Fix.")


def test_the_list_has_a_row_a_rule() -> None:
    file = io.StringIO()
    Console(file=file, width=100).print(rules.listed([RULE, BARE]))

    assert "PI-S3-001" in file.getvalue()
    assert "PI-OUT-001" in file.getvalue()


def test_an_explanation_has_everything() -> None:
    assert rules.explained(RULE, ("aws_s3_bucket",)) == (
        "PI-S3-001  Title\n\n"
        "severity   high\n"
        "looks at   aws_s3_bucket\n"
        "controls   AWS FSBP S3.8\n"
        "risk       Risk.\n"
        "fix        Fix.\n"
    )
    assert rules.explained(BARE) == "PI-OUT-001  Title\n\nseverity   low\nrisk       Risk.\nfix        Fix.\n"


def test_rules_are_written_for_scripts() -> None:
    assert json.loads(rules.render_json([rules.as_json(RULE, ("aws_x",))])) == {
        "schema": "payinfra/checks-1",
        "version": 1,
        "checks": [
            {
                "id": "PI-S3-001",
                "severity": "high",
                "title": "Title",
                "risk": "Risk.",
                "fix": "Fix.",
                "controls": ["AWS FSBP S3.8"],
                "types": ["aws_x"],
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 😀", "plain é 😀"),
        ("a\nb\r\t", "a\\nb\\r\\t"),
        ("\x1b[31m\x00\x7f\x9b", "\\x1b[31m\\x00\\x7f\\x9b"),
        ("\u202e\ud800", "\\u202e\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_every_character_is_visible(text: str, shown: str) -> None:
    assert visible(text) == shown

"""Every format of the same outcome, against its committed picture and its own rules."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, XMLPullParser

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from payinfra import __version__
from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Severity
from payinfra.report.findings import rendering, sarif
from payinfra.report.formats import FindingsFormat

PICTURES = Path(__file__).parent / "pictures"
SCHEMA = Path(rendering.__file__).parents[1] / "schemas" / "findings-1.json"
FILES = {
    FindingsFormat.TABLE: "table.txt",
    FindingsFormat.JSON: "findings.json",
    FindingsFormat.SARIF: "findings.sarif",
    FindingsFormat.JUNIT: "junit.xml",
    FindingsFormat.GITHUB: "github.txt",
    FindingsFormat.MARKDOWN: "findings.md",
}


def written(outcome: Outcome, how: FindingsFormat, fail_on: Severity = Severity.HIGH) -> str:
    """What a console that is no terminal gets."""
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=False, color_system=None, legacy_windows=False)
    rendering.write(console, outcome, how, fail_on)
    return file.getvalue()


def parsed_xml(text: str) -> Element:
    """The document's root."""
    parser: XMLPullParser[Element] = XMLPullParser(["end"])
    parser.feed(text)
    parser.close()
    roots = [one for event in parser.read_events() if isinstance(one := event[-1], Element)]
    return roots[-1]


@pytest.mark.parametrize("how", list(FindingsFormat))
def test_a_format_looks_as_it_did(how: FindingsFormat, outcome: Outcome) -> None:
    picture = (PICTURES / FILES[how]).read_text(encoding="utf-8")

    assert written(outcome, how) == picture


@pytest.mark.parametrize("how", list(FindingsFormat))
def test_no_format_lets_a_control_character_through(how: FindingsFormat, outcome: Outcome) -> None:
    text = written(outcome, how)

    assert all(one.isprintable() or one == "\n" for one in text)


@pytest.mark.parametrize("how", list(FindingsFormat))
def test_nothing_found_is_written_too(how: FindingsFormat, nothing: Outcome) -> None:
    text = written(nothing, how)

    assert text == "" if how is FindingsFormat.GITHUB else text.endswith("\n")


def test_only_a_console_draws_a_table(outcome: Outcome) -> None:
    with pytest.raises(ValueError, match="drawn on a console"):
        rendering.text(outcome, FindingsFormat.TABLE, Severity.HIGH)


class TestTable:
    """For a terminal."""

    def test_failures_come_first_then_warnings_counts_and_what_was_not_judged(self, outcome: Outcome) -> None:
        text = written(outcome, FindingsFormat.TABLE)

        kinds = ("FAIL", "WARN", "8 checks", "Not judged", "ERROR", "UNKNOWN", "Failed")
        order = [
            next(kind for kind in kinds if line.startswith(kind))
            for line in text.splitlines()
            if line.startswith(kinds)
        ]
        assert order == ["FAIL"] * 4 + ["WARN", "8 checks", "Not judged", "ERROR", "UNKNOWN", "Failed"]
        assert text.count("fix PI-S3-001: Fix of PI-S3-001.") == 1
        assert "a b.py:7" in text
        assert "waiver 1: late" in text
        assert text.rstrip().endswith(
            "Failed: 2 failures of severity high or above and 2 findings not judged."
        )

    def test_a_finding_is_one_line_in_a_pipe_and_its_address_whole_on_a_terminal(
        self, outcome: Outcome
    ) -> None:
        address = (
            'module.payments["eu"].module.storage.aws_s3_bucket_server_side_encryption_configuration.audit'
        )
        long = replace(outcome.findings[0], address=address, message="word " * 40 + "end")
        one = replace(outcome, findings=(long,))

        def lines(*, terminal: bool) -> list[str]:
            console = Console(file=io.StringIO(), width=40, force_terminal=terminal, color_system=None)
            rendering.write(console, one, FindingsFormat.TABLE, Severity.HIGH)
            assert isinstance(console.file, io.StringIO)
            return console.file.getvalue().splitlines()

        (line,) = [line for line in lines(terminal=False) if line.startswith("FAIL")]
        assert address in line
        assert line.endswith("end")
        folded = lines(terminal=True)
        assert f"    {address}" in folded
        assert {line for line in folded if len(line) > 40} == {f"    {address}"}

    def test_what_is_zero_is_not_counted(self, nothing: Outcome) -> None:
        assert "1 check: 1 passed.\n" in written(nothing, FindingsFormat.TABLE)

    def test_the_line_of_the_source_is_shown(self, outcome: Outcome) -> None:
        found = replace(outcome.findings[0], source_file="stacks/audit.py", source_line=12)

        text = written(replace(outcome, findings=(found,)), FindingsFormat.TABLE)

        assert "aws_s3_bucket.audit  message of PI-S3-001 (stacks/audit.py:12)\n" in text

    def test_a_pass_says_so(self, nothing: Outcome) -> None:
        assert written(nothing, FindingsFormat.TABLE).endswith(
            "Passed: no failure of severity high or above.\n"
        )

    def test_one_finding_is_one(self, outcome: Outcome) -> None:
        one = Outcome(outcome.tool, outcome.findings[:1], (), outcome.rules, outcome.summary)

        assert written(one, FindingsFormat.TABLE).endswith("Failed: 1 failure of severity high or above.\n")

    def test_with_several_files_each_finding_names_its_own(self, outcome: Outcome) -> None:
        several = Outcome(
            outcome.tool, outcome.findings, (), outcome.rules, outcome.summary, (), ("a.tf.json", "b.tf.json")
        )

        assert "out/cdk.tf.json aws_s3_bucket.audit" in written(several, FindingsFormat.TABLE)


class TestJson:
    """For scripts."""

    @pytest.mark.parametrize("which", ["outcome", "nothing"])
    def test_it_fits_the_committed_schema(self, which: str, request: pytest.FixtureRequest) -> None:
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)

        document = json.loads(written(request.getfixturevalue(which), FindingsFormat.JSON))

        assert list(Draft202012Validator(schema).iter_errors(document)) == []
        assert set(document) == set(schema["properties"])
        for finding in document["findings"]:
            assert set(finding) == set(schema["$defs"]["finding"]["properties"])
        assert set(document["summary"]) == set(schema["properties"]["summary"]["properties"])

    def test_texts_come_back_as_they_were(self, outcome: Outcome) -> None:
        document = json.loads(written(outcome, FindingsFormat.JSON))

        assert [one["address"] for one in document["findings"]] == [one.address for one in outcome.findings]

    def test_the_summary_adds_up(self, outcome: Outcome) -> None:
        summary = json.loads(written(outcome, FindingsFormat.JSON))["summary"]

        assert {
            kind: summary[kind] for kind in ("PASS", "WARN", "FAIL", "UNKNOWN", "ERROR", "NOT_APPLICABLE")
        } == {
            "PASS": 4,
            "WARN": 0,
            "FAIL": 4,
            "UNKNOWN": 1,
            "ERROR": 1,
            "NOT_APPLICABLE": 1,
        }
        assert (summary["waived"], summary["ignored"]) == (1, ["PI-DRY-001"])

    @pytest.mark.parametrize(("fail_on", "failed"), [(Severity.LOW, True), (Severity.CRITICAL, True)])
    def test_it_says_whether_the_gate_failed(self, outcome: Outcome, fail_on: Severity, failed: bool) -> None:
        document = json.loads(written(outcome, FindingsFormat.JSON, fail_on))

        assert (document["fail_on"], document["failed"]) == (fail_on.value, failed)

    def test_nothing_found_did_not_fail(self, nothing: Outcome) -> None:
        assert json.loads(written(nothing, FindingsFormat.JSON))["failed"] is False


class TestSarif:
    """The facts of SARIF 2.1.0 that its readers depend on, restated: no package carries its schema."""

    @pytest.fixture
    def run(self, outcome: Outcome) -> dict[str, object]:
        """The one run of the log."""
        log = json.loads(written(outcome, FindingsFormat.SARIF))
        assert log["version"] == "2.1.0"
        assert log["$schema"].endswith("sarif-2.1.0.json")
        (run,) = log["runs"]
        assert isinstance(run, dict)
        return run

    def test_it_has_the_shape_that_the_standard_demands(self, run: dict[str, object]) -> None:
        text = {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
        }
        location = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation", "region"],
                    "properties": {
                        "artifactLocation": {
                            "properties": {"uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~:/%-]+$"}}
                        },
                        "region": {"properties": {"startLine": {"type": "integer", "minimum": 1}}},
                    },
                },
                "logicalLocations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"required": ["fullyQualifiedName", "kind"]},
                },
            },
        }
        levels = {"enum": ["none", "note", "warning", "error"]}
        result = {
            "type": "object",
            "required": [
                "ruleId",
                "ruleIndex",
                "level",
                "kind",
                "message",
                "locations",
                "partialFingerprints",
            ],
            "properties": {
                "kind": {"const": "fail"},
                "level": levels,
                "message": text,
                "locations": {"type": "array", "items": location},
                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                "suppressions": {
                    "items": {
                        "required": ["kind"],
                        "properties": {
                            "kind": {"enum": ["inSource", "external"]},
                            "status": {"const": "accepted"},
                        },
                    }
                },
            },
        }
        rule = {
            "required": ["id", "shortDescription", "fullDescription", "help", "defaultConfiguration"],
            "properties": {
                "shortDescription": text,
                "fullDescription": text,
                "help": text,
                "defaultConfiguration": {"properties": {"level": levels}},
            },
        }
        demanded = Draft202012Validator(
            {
                "required": ["tool", "results", "invocations", "columnKind"],
                "properties": {
                    "tool": {
                        "properties": {
                            "driver": {
                                "required": ["name", "rules"],
                                "properties": {"rules": {"items": rule, "uniqueItems": True}},
                            }
                        }
                    },
                    "results": {"type": "array", "items": result},
                    "invocations": {"items": {"required": ["executionSuccessful"]}},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                },
            }
        )

        assert list(demanded.iter_errors(run)) == []

    def test_every_result_points_at_its_rule(self, outcome: Outcome) -> None:
        (run,) = json.loads(written(outcome, FindingsFormat.SARIF))["runs"]
        rules = run["tool"]["driver"]["rules"]

        assert all(rules[one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
        assert "CKV_AWS_21" in [one["id"] for one in rules]
        assert [rule["properties"]["security-severity"] for rule in rules[:2]] == ["9.5", "2.0"]

    def test_levels_are_real(self, outcome: Outcome) -> None:
        (run,) = json.loads(written(outcome, FindingsFormat.SARIF))["runs"]

        assert [(one["ruleId"], one["level"]) for one in run["results"]] == [
            ("PI-S3-001", "error"),
            ("PI-S3-001", "error"),
            ("PI-ENG-001", "error"),
            ("PI-TST-002", "warning"),
            ("PI-KMS-001", "error"),
            ("PI-OUT-001", "note"),
            ("CKV_AWS_21", "note"),
            ("PI-LOG-001", "error"),
        ]

    def test_waived_findings_are_suppressed_with_their_reason(self, outcome: Outcome) -> None:
        (run,) = json.loads(written(outcome, FindingsFormat.SARIF))["runs"]

        assert [one.get("suppressions") for one in run["results"]].count(None) == 7
        assert (
            run["results"][-1]["suppressions"][0]["justification"] == "because @all (anna, until 2026-12-31)"
        )

    def test_fingerprints_are_stable_and_differ(self, outcome: Outcome) -> None:
        def fingerprints(of: Outcome) -> list[str]:
            (run,) = json.loads(written(of, FindingsFormat.SARIF))["runs"]
            for one in run["results"]:
                prints = one["partialFingerprints"]
                assert prints["primaryLocationLineHash"] == f"{prints['payinfra/v1']}:1"
            return [one["partialFingerprints"]["payinfra/v1"] for one in run["results"]]

        fewer = Outcome(
            outcome.tool,
            outcome.findings[2:],
            outcome.waived,
            outcome.rules,
            outcome.summary,
            (),
            outcome.files,
        )
        twice = Outcome(outcome.tool, outcome.findings[:1] * 2, (), outcome.rules, outcome.summary)

        assert len(set(fingerprints(outcome))) == 8
        assert fingerprints(fewer) == fingerprints(outcome)[2:]
        assert len(set(fingerprints(twice))) == 2

    def test_a_fingerprint_stays_where_lines_move_and_the_environment_is_another(
        self, outcome: Outcome
    ) -> None:
        def fingerprint(**changes: Any) -> str:
            found = replace(outcome.findings[0], **changes)
            (run,) = json.loads(written(replace(outcome, findings=(found,)), FindingsFormat.SARIF))["runs"]
            return str(run["results"][0]["partialFingerprints"]["primaryLocationLineHash"])

        first = fingerprint()
        assert fingerprint(source_file="a.py", source_line=3) == first
        assert fingerprint(source_file="a.py", source_line=9, message="said otherwise") == first
        assert fingerprint(file=".payinfra/aws/pr7/cdk.tf.json") == first
        assert fingerprint(address="aws_s3_bucket.other") != first
        assert fingerprint(id="PI-S3-002") != first

    def test_the_tool_has_a_version_and_a_place_to_read_about_it(self, run: dict[str, object]) -> None:
        driver = run["tool"]["driver"]  # type: ignore[index]  # JSON of a shape that was just validated

        assert driver["version"] == driver["semanticVersion"] == __version__
        assert "informationUri" not in driver or driver["informationUri"].startswith("https://")

    @pytest.mark.parametrize(
        ("urls", "found"),
        [
            ((), {}),
            (("Code, git://example.org/payinfra",), {}),
            (("Code, git://example.org", "Docs, https://example.org/docs"), "https://example.org/docs"),
        ],
    )
    def test_the_place_is_one_that_a_person_can_open(self, urls: tuple[str, ...], found: object) -> None:
        assert sarif._information(urls) == ({"informationUri": found} if found else {})

    def test_a_result_is_at_the_line_that_made_the_resource(self, outcome: Outcome) -> None:
        found = replace(outcome.findings[0], source_file="stacks/audit.py", source_line=12)
        (run,) = json.loads(written(replace(outcome, findings=(found,)), FindingsFormat.SARIF))["runs"]

        physical = run["results"][0]["locations"][0]["physicalLocation"]
        assert physical == {
            "artifactLocation": {"uri": "stacks/audit.py"},
            "region": {"startLine": 12},
        }

    def test_an_absolute_file_is_a_file_uri_and_no_file_is_no_location(self, outcome: Outcome) -> None:
        live = replace(outcome.findings[0], file="", address="", construct="")
        absolute = replace(outcome.findings[0], file="/a b/cdk.tf.json")
        made = Outcome("verify", (live, absolute), (), outcome.rules, outcome.summary)

        (run,) = json.loads(written(made, FindingsFormat.SARIF))["runs"]

        assert run["results"][0]["locations"] == []
        uri = run["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == "file:///a%20b/cdk.tf.json"


class TestJunit:
    """What Jenkins, GitLab and GitHub's actions read."""

    def test_its_counts_are_those_of_its_cases(self, outcome: Outcome) -> None:
        suite = parsed_xml(written(outcome, FindingsFormat.JUNIT))[0]

        assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "12",
            "failures": "2",
            "errors": "2",
            "skipped": "7",
        }

    def test_a_finding_below_the_threshold_fails_at_a_lower_one(self, outcome: Outcome) -> None:
        suite = parsed_xml(written(outcome, FindingsFormat.JUNIT, Severity.LOW))[0]

        assert suite.get("failures") == "4"


class TestGithub:
    """Workflow commands."""

    def test_only_what_fails_the_gate_is_annotated(self, outcome: Outcome) -> None:
        lines = written(outcome, FindingsFormat.GITHUB).splitlines()

        assert len(lines) == len(outcome.failing(Severity.HIGH)) == 4
        assert all(line.startswith("::error file=out/cdk.tf.json,title=") for line in lines)
        assert "CKV_AWS_21" not in "".join(lines)

    def test_an_annotation_is_at_the_line_that_made_the_resource(self, outcome: Outcome) -> None:
        found = replace(outcome.findings[0], source_file="stacks/audit.py", source_line=12)

        text = written(replace(outcome, findings=(found,)), FindingsFormat.GITHUB)

        assert text.startswith("::error file=stacks/audit.py,line=12,title=PI-S3-001 ")

    def test_what_is_of_no_file_is_annotated_without_one(self, outcome: Outcome) -> None:
        live = Outcome("verify", (replace(outcome.findings[0], file=""),), (), outcome.rules, outcome.summary)

        assert written(live, FindingsFormat.GITHUB).startswith("::error title=PI-S3-001 ")

    def test_nothing_in_a_text_can_begin_a_command_or_end_a_property(self, outcome: Outcome) -> None:
        evil = written(outcome, FindingsFormat.GITHUB).splitlines()[1]

        assert "100%25" in evil
        assert "file=a b.py,line=7,title=PI-TST-002 Title of PI-TST-002::" in written(
            outcome, FindingsFormat.GITHUB, Severity.MEDIUM
        )


class TestMarkdown:
    """For a pull request."""

    def test_nothing_in_a_text_is_markup_or_a_mention(self, outcome: Outcome) -> None:
        text = written(outcome, FindingsFormat.MARKDOWN)

        assert "<b>" not in text
        assert "@all" not in text
        rows = [line for line in text.splitlines() if line.startswith("| FAIL")]
        assert all(row.replace("\\|", "").count("|") == 7 for row in rows)

    def test_its_heading_is_the_verdict(self, outcome: Outcome, nothing: Outcome) -> None:
        assert written(outcome, FindingsFormat.MARKDOWN).startswith("## payinfra check: failed\n")
        assert written(nothing, FindingsFormat.MARKDOWN).startswith(
            "## payinfra verify: passed\n\nNo findings.\n"
        )

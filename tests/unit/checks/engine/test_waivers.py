"""A waiver holds what it names until its date; a broken one holds nothing and says why."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from payinfra.checks import waivers
from payinfra.checks.outcome import Finding
from payinfra.checks.verdicts import Kind, Severity
from payinfra.core.errors import EnvironmentUnusable

TODAY = date(2026, 6, 15)
KNOWN = ("PI-S3-001", "PI-LOG-001")
FINDING = Finding("PI-S3-001", Kind.FAIL, Severity.HIGH, "t", "aws_s3_bucket.audit", "m", "f", "r")
GOOD = {
    "id": '"PI-S3-001"',
    "address": '"aws_s3_bucket.*"',
    "reason": '"because"',
    "owner": '"anna"',
    "expires": "2026-06-15",
}


def text(**changes: str) -> str:
    """A file with one waiver; an empty change leaves the field out."""
    fields = {**GOOD, **changes}
    return "[[waiver]]\n" + "".join(f"{name} = {value}\n" for name, value in fields.items() if value)


def apply(content: str, *findings: Finding, ran: tuple[str, ...] | None = None) -> waivers.Applied:
    """The findings after the file's waivers."""
    return waivers.apply(findings, waivers.parse(content, "w.toml", KNOWN, TODAY), ran)


def test_a_waiver_holds_through_its_last_day() -> None:
    applied = apply(text(), FINDING)

    assert applied.findings == ()
    (waived,) = applied.waived
    assert waived.finding == FINDING
    assert (waived.reason, waived.owner, waived.expires) == ("because", "anna", "2026-06-15")
    assert applied.notes == ()


@pytest.mark.parametrize("expires", ['"2026-12-31"', "2026-12-31", "2026-12-31T10:00:00Z"])
def test_a_date_may_be_written_as_toml_or_as_text(expires: str) -> None:
    assert len(apply(text(expires=expires), FINDING).waived) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires": "2026-06-14"}, "it ran out on 2026-06-14"),
        ({"expires": '"next year"'}, "'next year' is not a date such as 2026-12-31"),
        ({"expires": ""}, "it has no expires"),
        ({"expires": "3"}, "it has no expires"),
        ({"reason": ""}, "it has no reason"),
        ({"reason": '" "'}, "it has no reason"),
        ({"owner": "", "reason": ""}, "it has no reason and no owner"),
        ({"address": ""}, "it has no address"),
        ({"adress": '"x"'}, "it has the unknown field 'adress'"),
    ],
)
def test_a_broken_waiver_raises_the_finding_again_and_says_why(changes: dict[str, str], why: str) -> None:
    applied = apply(text(**changes), FINDING)

    assert applied.waived == ()
    (finding,) = applied.findings
    assert finding.note.endswith(f"does not hold: {why}")
    assert replace(finding, note="") == FINDING
    assert applied.notes == (finding.note,)


def test_an_unknown_id_is_said_with_the_nearest_right_one() -> None:
    applied = apply(text(id='"PI-S3-01"'), FINDING)

    assert applied.findings == (FINDING,)
    assert applied.notes == (
        "waiver 1 (PI-S3-01, aws_s3_bucket.*) does not hold: "
        "there is no check PI-S3-01; did you mean 'PI-S3-001'?",
    )


def test_a_waiver_without_id_is_said() -> None:
    assert apply(text(id=""), FINDING).notes == (
        "waiver 1 (no id, aws_s3_bucket.*) does not hold: it has no id",
    )


def test_a_waiver_that_nothing_fits_is_reported_unless_its_check_did_not_run() -> None:
    elsewhere = text(address='"aws_sns_topic.*"')

    assert apply(elsewhere, FINDING).notes == (
        "waiver 1 (PI-S3-001, aws_sns_topic.*) is not used: no finding fits it",
    )
    assert apply(elsewhere, FINDING, ran=("PI-LOG-001",)).notes == ()
    assert apply(elsewhere, FINDING).findings == (FINDING,)


@pytest.mark.parametrize("kind", [Kind.WARN, Kind.UNKNOWN])
def test_warnings_and_unknowns_can_be_waived(kind: Kind) -> None:
    assert len(apply(text(), replace(FINDING, verdict=kind)).waived) == 1


def test_an_error_cannot_be_waived() -> None:
    applied = apply(text(), replace(FINDING, verdict=Kind.ERROR))

    assert applied.waived == ()
    assert applied.findings[0].note.endswith("does not hold: ERROR cannot be waived")


def test_one_waiver_may_hold_several_findings_and_a_good_one_wins_over_a_broken() -> None:
    second = replace(FINDING, address="aws_s3_bucket.other")
    both = text(expires="2026-01-01") + text()

    assert len(apply(text(), FINDING, second).waived) == 2
    assert len(apply(both, FINDING).waived) == 1


@pytest.mark.parametrize(
    "content",
    ["[[waiver", "waiver = 3", "[waiver]\nid = 'x'", "[[waivers]]\nid = 'x'", "a = " + "[" * 5000],
)
def test_a_file_that_is_no_list_of_waivers_is_refused(content: str) -> None:
    with pytest.raises(EnvironmentUnusable, match=r"The waivers file w\.toml"):
        waivers.parse(content, "w.toml", KNOWN, TODAY)


def test_an_entry_that_is_no_table_holds_nothing() -> None:
    assert apply("waiver = [3]").notes == ("waiver 1 (no id, no address) does not hold: it is no table",)


def test_an_empty_file_has_no_waivers() -> None:
    assert waivers.parse("", "w.toml", KNOWN, TODAY) == ()


def test_a_file_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text(text())

    assert [one.id for one in waivers.load(file, KNOWN, TODAY)] == ["PI-S3-001"]


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="No such file"):
        waivers.load(tmp_path / "none.toml", KNOWN, TODAY)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(EnvironmentUnusable, match="no UTF-8 text"):
        waivers.load(tmp_path / "bytes.toml", KNOWN, TODAY)

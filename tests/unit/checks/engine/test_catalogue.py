"""The catalogue is complete, without a double, and its page is the one that is committed."""

import runpy
from pathlib import Path

import pytest

from payinfra.checks import catalogue, docs
from payinfra.checks.catalogue import assemble
from payinfra.core.errors import UsageProblem

PAGE = Path(__file__).parents[4] / "docs" / "checks.md"
PROMISED = {
    "ENG": 1,
    "REG": 3,
    "DDB": 5,
    "IAM": 7,
    "S3": 5,
    "KMS": 3,
    "LOG": 3,
    "API": 8,
    "DNS": 5,
    "LAM": 5,
    "CW": 2,
    "SNS": 1,
    "SSM": 1,
    "NAM": 1,
    "TAG": 2,
    "OUT": 1,
    "SRC": 1,
    "TST": 3,
    "DRY": 1,
}


def test_every_promised_check_is_there() -> None:
    promised = {
        f"PI-{area}-{number:03}" for area, count in PROMISED.items() for number in range(1, count + 1)
    }

    assert promised <= set(catalogue.load().ids)


def test_ids_are_used_once() -> None:
    ids = catalogue.load().ids

    assert len(ids) == len(set(ids))


def test_an_id_that_is_used_twice_is_a_bug() -> None:
    with pytest.raises(ValueError, match="PI-SRC-001 used twice"):
        assemble((), ("imports", "imports"))


def test_a_rule_is_found_whatever_its_case() -> None:
    assert catalogue.load().rule("pi-src-001").id == "PI-SRC-001"


def test_a_rule_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageProblem, match=r"There is no check 'PI-SRC-01'; did you mean 'PI-SRC-001'"):
        catalogue.load().rule("PI-SRC-01")


def test_a_check_says_which_types_it_looks_at() -> None:
    checks = catalogue.load()

    assert checks.types_of("PI-S3-001") == ("aws_s3_bucket",)
    assert checks.types_of("PI-SRC-001") == ()
    assert checks.types_of("PI-NO-001") == ()


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == docs.page(catalogue.load())


def test_the_page_names_every_check_with_its_fix_and_controls() -> None:
    page = docs.page(catalogue.load())

    for rule in catalogue.load().rules:
        assert f"### {rule.id}\n" in page
    assert "- Looks at: `aws_s3_bucket`" in page
    assert "S3.8" in page


def test_the_page_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    docs.main([str(tmp_path / "new" / "page.md")])

    assert (tmp_path / "new" / "page.md").read_text(encoding="utf-8") == docs.page(catalogue.load())


def test_without_a_name_the_page_is_docs_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    monkeypatch.setattr("sys.argv", ["docs"])

    runpy.run_path(docs.__file__, run_name="__main__")

    assert (tmp_path / "docs" / "checks.md").is_file()

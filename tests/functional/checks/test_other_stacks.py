"""Stacks that are written like other people's: how much of them is judged, and that the page says so."""

import re
from pathlib import Path

import pytest

from payinfra.checks.outcome import Outcome
from payinfra.checks.verdicts import Kind
from payinfra.terraform.jsonvalue import parse_object
from scripts import public_stacks

FOLDERS = public_stacks.folders()
MOST_UNKNOWN = 0.05


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    """What is said of each stack, by its name."""
    return {folder.name: public_stacks.judged(folder) for folder in FOLDERS}


def test_at_most_one_finding_in_twenty_is_unknown(outcomes: dict[str, Outcome]) -> None:
    findings = [one for outcome in outcomes.values() for one in outcome.findings]
    unknown = [one for one in findings if one.verdict is Kind.UNKNOWN]

    assert len(outcomes) >= 10
    assert len(findings) > 400
    assert len(unknown) <= MOST_UNKNOWN * len(findings)
    assert not [one for one in findings if one.verdict is Kind.ERROR]


def test_what_is_unknown_of_a_stack_is_said_once(outcomes: dict[str, Outcome]) -> None:
    for name, outcome in outcomes.items():
        unknown = [one for one in outcome.findings if one.verdict is Kind.UNKNOWN]
        assert len(unknown) <= 1, name
        assert all(one.cause and "the code is in" in one.message for one in unknown), name


def test_each_address_is_one_of_the_plan_and_leads_to_a_line(outcomes: dict[str, Outcome]) -> None:
    for folder in FOLDERS:
        plan = (folder / public_stacks.PLAN).read_text(encoding="utf-8")
        for one in outcomes[folder.name].findings:
            if one.address.startswith(("aws_", "module.")):
                assert one.address.replace('"', '\\"') in plan
                assert one.source_file.startswith(f"tests/support/public_stacks/{folder.name}/"), one
                lines = Path(one.source_file).read_text(encoding="utf-8").splitlines()
                assert one.source_line > 0, one
                assert lines[one.source_line - 1].strip(), one


def test_no_finding_says_a_secret_of_a_stack(outcomes: dict[str, Outcome]) -> None:
    said = "".join(one.message + one.fix for outcome in outcomes.values() for one in outcome.findings)

    for secret in ("sk_live_51H", "whsec_MfKQ", "8sPq2mZx91", "correct-horse-battery", "hush-hush-value"):
        files = [file for folder in FOLDERS for file in (folder / public_stacks.PLAN, folder / "main.tf")]
        assert any(secret in file.read_text(encoding="utf-8") for file in files if file.exists()), secret
        assert secret not in said


def test_the_page_has_the_counts_of_today(outcomes: dict[str, Outcome]) -> None:
    page = public_stacks.PAGE.read_text(encoding="utf-8")

    for name, outcome in outcomes.items():
        row = f"| {' | '.join(public_stacks.cells(name, outcome))} |"
        assert row in page, "python -m scripts.public_stacks --page"


@pytest.mark.parametrize("name", ["data-lake", "ledger-cdktf"])
def test_the_real_terraform_still_plans_what_is_kept(name: str, tmp_path: Path) -> None:
    folder = public_stacks.STACKS / name
    kept = parse_object((folder / public_stacks.PLAN).read_text(encoding="utf-8"))
    shown = public_stacks.lasting(public_stacks.planned(folder, tmp_path))

    assert kept is not None
    for part in ("configuration", "variables", "resource_changes", "planned_values"):
        assert shown.get(part) == kept.get(part), f"{part}: python -m scripts.public_stacks"


def test_no_stack_names_a_place_on_the_machine_that_made_it() -> None:
    for file in sorted(public_stacks.STACKS.rglob("*.json")):
        found = re.findall(r'"path":\s*"/[^"]*"', file.read_text(encoding="utf-8"))
        assert [one for one in found if ".tfstate" in one] == [], file

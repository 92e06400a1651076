"""From a request to an outcome, over files in a folder."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from payinfra.checks import api
from payinfra.checks.api import CheckRequest, ShownPlan, run_checks
from payinfra.checks.catalogue import Catalogue
from payinfra.checks.manifest import Manifest, Resource
from payinfra.checks.model import check
from payinfra.checks.outcome import SkippedCheck
from payinfra.checks.source.model import SourceTree, source_check
from payinfra.checks.verdicts import Kind, Severity, Verdict
from payinfra.core.errors import EnvironmentUnusable, ExitCode, UsageProblem


@check(id="PI-T-001", title="Named", severity=Severity.HIGH, on="aws_x", risk="r", fix="f")
def named(resource: Resource, manifest: Manifest) -> Verdict:
    """Pass where it has a name."""
    return Verdict.passed() if resource.has("name") else Verdict.failed("no name")


@check(id="PI-T-002", title="Environment", severity=Severity.LOW, risk="r", fix="f")
def environment(manifest: Manifest) -> Verdict:
    """Say which environment it is, and whether it is protected."""
    return Verdict.warn(f"{manifest.environment} {manifest.protected}")


@check(id="PI-T-003", title="Extra", severity=Severity.LOW, risk="r", fix="f", needs="no_such_package")
def extra(manifest: Manifest) -> Verdict:
    """Never called."""
    raise AssertionError


@source_check(id="PI-T-004", title="Files", severity=Severity.LOW, risk="r", fix="f")
def files(tree: SourceTree) -> Iterator[Verdict]:
    """Fail on each file."""
    for file in tree.files:
        yield Verdict.failed("a file", file=file.shown, line=1)


CHECKS = Catalogue((named, environment, extra), (files,))
DAY = date(2026, 6, 15)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A file with two resources, one of them without a name."""
    file = tmp_path / "cdk.tf.json"
    resources = {"good": {"name": "n"}, "bad": {}}
    file.write_text(json.dumps({"resource": {"aws_x": resources}}))
    return file


def test_a_manifest_is_judged(manifest: Path) -> None:
    outcome = run_checks(
        CheckRequest((manifest,), env="pr1", protected=True, waivers=None), on=DAY, known=CHECKS
    )

    assert [(one.id, one.address, one.message) for one in outcome.findings] == [
        ("PI-T-001", "aws_x.bad", "no name"),
        ("PI-T-002", "", "pr1 True"),
    ]
    assert outcome.tool == "check"
    assert outcome.files == (str(manifest),)
    assert (outcome.summary.checks, outcome.summary.resources) == (2, 2)
    assert outcome.summary.skipped == (
        SkippedCheck("PI-T-003", "needs the package no_such_package, which is not installed"),
    )
    assert outcome.exit_code(Severity.HIGH) == ExitCode.GATE_FAILED
    assert outcome.exit_code(Severity.CRITICAL) == ExitCode.DONE


def test_several_manifests_and_a_source_folder_come_to_one_outcome(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").touch()
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "cdk.tf.json"
    other.write_text(manifest.read_text())
    request = CheckRequest((manifest, other), source=tmp_path / "src", ephemeral=("x*",), env="x1")

    outcome = run_checks(request, on=DAY, known=CHECKS)

    assert [(one.id, one.address) for one in outcome.findings] == [
        ("PI-T-001", "aws_x.bad"),
        ("PI-T-001", "aws_x.bad"),
        ("PI-T-004", "a.py"),
        ("PI-T-002", ""),
        ("PI-T-002", ""),
    ]
    assert outcome.findings[-1].message == "x1 False"
    assert outcome.files == (str(manifest), str(other), (tmp_path / "src").as_posix())


NAMELESS = '{"resource": {"aws_x": {"more": {}}}}'


@pytest.mark.parametrize("by_folder", [True, False])
def test_the_files_of_a_folder_are_one_module_and_each_finding_names_its_own(
    manifest: Path, by_folder: bool
) -> None:
    more = manifest.with_name("more.tf.json")
    more.write_text(NAMELESS)
    manifest.with_name(".hidden.tf.json").write_text("{")
    given = (manifest.parent, manifest) if by_folder else (manifest, more, manifest)

    outcome = run_checks(CheckRequest(given, env="pr1", select=("PI-T-001",)), on=DAY, known=CHECKS)

    assert [(one.address, one.file) for one in outcome.findings] == [
        ("aws_x.bad", str(manifest)),
        ("aws_x.more", str(more)),
    ]
    assert outcome.files == (str(manifest), str(more))
    assert outcome.summary.resources == 3


def test_a_folder_without_terraform_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match=r"has no file of Terraform's"):
        run_checks(CheckRequest((tmp_path,)), on=DAY, known=CHECKS)


def test_terraforms_own_syntax_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_x" "good" {\n  name = "n"\n}\nresource "aws_x" "bad" {\n}\n'
    )

    outcome = run_checks(CheckRequest((tmp_path,), select=("PI-T-001",)), on=DAY, known=CHECKS)

    assert [one.address for one in outcome.findings] == ["aws_x.bad"]


def test_variables_are_taken_from_where_terraform_takes_them_then_files_then_the_request(
    tmp_path: Path,
) -> None:
    names = ("a", "b", "c", "d", "e")
    document = {
        "variable": {name: {"default": f"{name} default"} for name in names},
        "resource": {
            "aws_x": {"it": {"tags": {"Environment": "-".join(f"${{var.{one}}}" for one in names)}}}
        },
    }
    (tmp_path / "main.tf.json").write_text(json.dumps(document))
    (tmp_path / "terraform.tfvars").write_text('b = "B" # by itself\nc = "C"\nd = "D"\ne = "E"\nstray = 1\n')
    (tmp_path / "z.auto.tfvars.json").write_text('{"c": "CC", "d": "DD", "e": "EE"}')
    (tmp_path / "given.tfvars").write_text('d = "DDD"\ne = "EEE"\n')
    request = CheckRequest(
        (tmp_path,),
        select=("PI-T-002",),
        variables={"e": "EEEE"},
        variable_files=(tmp_path / "given.tfvars",),
    )

    outcome = run_checks(request, on=DAY, known=CHECKS)

    assert outcome.findings[0].message.startswith("a default-B-CC-DDD-EEEE ")


def test_a_file_of_values_that_is_none_is_refused(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tfvars").write_text("this is not it")
    request = CheckRequest((manifest,), variable_files=(tmp_path / "bad.tfvars",))

    with pytest.raises(EnvironmentUnusable, match=r"bad\.tfvars cannot be read: .* at line 1"):
        run_checks(request, on=DAY, known=CHECKS)


def plan_of(folder: Path, *names: str) -> Path:
    """A plan that makes these resources, of which none has a name."""
    changes = [
        {
            "address": f"aws_x.{name}",
            "mode": "managed",
            "type": "aws_x",
            "name": name,
            "change": {"actions": ["create"], "after": {"tags": {"Environment": "pr1"}}, "after_unknown": {}},
        }
        for name in names
    ]
    resources = [
        {"mode": "managed", "type": "aws_x", "name": name, "expressions": {"tags": {}}} for name in names
    ]
    document = {
        "format_version": "1.2",
        "resource_changes": changes,
        "configuration": {"root_module": {"resources": resources}},
    }
    file = folder / "plan.json"
    file.write_text(json.dumps(document))
    return file


def test_a_plan_is_judged_and_points_into_the_files_that_it_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('# here\nresource "aws_x" "one" {\n  tags = {}\n}\n')

    outcome = run_checks(CheckRequest(plans=(plan_of(tmp_path, "one"),)), on=DAY, known=CHECKS)

    assert [(one.id, one.address, one.source_line) for one in outcome.findings] == [
        ("PI-T-001", "aws_x.one", 2),
        ("PI-T-002", "", 0),
    ]
    assert outcome.findings[0].source_file.endswith("main.tf")
    assert outcome.findings[1].message == "pr1 False"
    assert outcome.files == (str(tmp_path / "plan.json"),)


def test_files_that_a_plan_was_not_made_from_are_not_used(tmp_path: Path) -> None:
    sources = tmp_path / "other"
    sources.mkdir()
    (sources / "main.tf").write_text('resource "aws_x" "another" {\n}\n')
    plan = ShownPlan("the plan", json.loads(plan_of(tmp_path, "one").read_text()))

    named = run_checks(CheckRequest(plans=(plan,), configuration=sources), on=DAY, known=CHECKS)
    found = run_checks(CheckRequest(plans=(plan,), source=sources), on=DAY, known=CHECKS)
    none = run_checks(CheckRequest(plans=(plan,), configuration=tmp_path / "none"), on=DAY, known=CHECKS)

    assert named.notes == (f"{sources} is not what the plan was made from: not used",)
    assert [named.findings[0].source_file, found.findings[0].source_file] == ["", ""]
    assert (found.notes, none.notes) == ((), ())


def test_files_that_cannot_be_read_are_passed_over_where_nobody_named_them(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("resource {")
    plan = plan_of(tmp_path, "one")

    assert run_checks(CheckRequest(plans=(plan,)), on=DAY, known=CHECKS).findings
    with pytest.raises(
        EnvironmentUnusable, match=r"main\.tf cannot be read: a brace is not closed at line 1"
    ):
        run_checks(CheckRequest(plans=(plan,), configuration=tmp_path), on=DAY, known=CHECKS)


def test_a_source_folder_of_terraform_alone_has_nothing_for_the_source_checks(
    tmp_path: Path, manifest: Path
) -> None:
    sources = tmp_path / "infra"
    sources.mkdir()
    (sources / "main.tf").touch()

    outcome = run_checks(CheckRequest((manifest,), source=sources), on=DAY, known=CHECKS)

    assert "PI-T-004" not in [one.rule.id for one in outcome.rules]
    with pytest.raises(EnvironmentUnusable, match="has no Python file"):
        run_checks(CheckRequest(source=sources), on=DAY, known=CHECKS)


def test_selected_and_ignored(manifest: Path) -> None:
    request = CheckRequest((manifest,), select=("PI-T-00[12]",), ignore=("PI-T-001",))

    outcome = run_checks(request, on=DAY, known=CHECKS)

    assert [one.rule.id for one in outcome.rules] == ["PI-T-002"]
    assert outcome.summary.ignored == ("PI-T-001",)
    assert outcome.summary.skipped == ()


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (CheckRequest(), "nothing to check"),
        (CheckRequest((Path("none"),)), "cannot be read"),
        (CheckRequest(source=Path("none")), "is no folder"),
        (CheckRequest((Path("none"),), waivers=Path("none")), "The waivers file none cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_refused(request_: CheckRequest, said: str) -> None:
    with pytest.raises(EnvironmentUnusable, match=said):
        run_checks(request_, on=DAY, known=CHECKS)


def test_a_check_that_there_is_not_is_a_usage_error() -> None:
    with pytest.raises(UsageProblem, match="There is no check 'PI-NO-001'"):
        run_checks(CheckRequest((Path("none"),), select=("PI-NO-001",)), on=DAY, known=CHECKS)


@pytest.mark.parametrize("id", ["PI-T-004", "PI-T-003"])
def test_a_selection_that_nothing_given_fits_is_refused(manifest: Path, id: str) -> None:
    with pytest.raises(EnvironmentUnusable, match="None of the selected checks"):
        run_checks(CheckRequest((manifest,), select=(id,)), on=DAY, known=CHECKS)


def test_a_source_folder_with_no_source_check_selected_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="None of the selected checks"):
        run_checks(CheckRequest(source=tmp_path, select=("PI-T-001",)), on=DAY, known=CHECKS)


def test_zero_resources_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "cdk.tf.json"
    file.write_text("{}")

    with pytest.raises(EnvironmentUnusable, match="has no resources"):
        run_checks(CheckRequest((file,)), on=DAY, known=CHECKS)


WAIVER = """[[waiver]]
id = "PI-T-001"
address = "aws_x.*"
reason = "because"
owner = "anna"
expires = 2026-06-15
"""


def test_waived_findings_are_counted_apart(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(WAIVER)
    request = CheckRequest((manifest,), waivers=tmp_path / "w.toml")

    held = run_checks(request, on=DAY, known=CHECKS)
    late = run_checks(request, on=DAY + timedelta(days=1), known=CHECKS)

    assert [one.finding.id for one in held.waived] == ["PI-T-001"]
    assert (held.summary.waived, held.summary.counts[Kind.FAIL]) == (1, 0)
    assert held.exit_code(Severity.LOW) == ExitCode.DONE
    assert late.waived == ()
    assert late.exit_code(Severity.HIGH) == ExitCode.GATE_FAILED
    assert late.notes == ("waiver 1 (PI-T-001, aws_x.*) does not hold: it ran out on 2026-06-15",)


def test_the_waivers_file_of_the_current_folder_is_taken_where_it_is(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payinfra-waivers.toml").write_text(WAIVER)

    assert run_checks(CheckRequest((manifest,)), on=DAY, known=CHECKS).summary.waived == 1


def test_checkovs_advice_joins_the_findings(manifest: Path, tmp_path: Path) -> None:
    executable = tmp_path / "checkov"
    report = {
        "summary": {"passed": 1, "failed": 1},
        "results": {"failed_checks": [{"check_id": "CKV_1", "check_name": "n", "resource": "aws_x.bad"}]},
    }
    executable.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(report)}\nEOF\n")
    executable.chmod(0o755)
    request = CheckRequest((manifest,), select=("PI-T-001",), checkov=executable)

    outcome = run_checks(request, on=DAY, known=CHECKS)

    assert [(one.id, one.verdict) for one in outcome.findings] == [
        ("PI-T-001", Kind.FAIL),
        ("CKV_1", Kind.WARN),
    ]
    assert outcome.summary.counts[Kind.WARN] == 1


def test_today_is_a_day_in_utc() -> None:
    before = datetime.now(UTC).date()

    assert before <= api.today() <= datetime.now(UTC).date()

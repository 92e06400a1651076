"""Past drills from the command line: listed, shown in every format, and named when they cannot be."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree.ElementTree import Element, XMLPullParser

import pytest

from payinfra.drill.model import DrillReport, RecoveryTime
from payinfra.drill.report_store import from_json, save
from tests.functional.cli.conftest import Project
from tests.support.outputs import flat_outputs
from tests.support.terminal import Terminal
from tests.unit.checks.probes.conftest import declared
from tests.unit.report.drill.conftest import FAILED, PERFECT

WHERE = ("--env", "demo", "--local")
LATER = replace(
    PERFECT,
    id="20261201T101500Z-cafe",
    began=PERFECT.began + timedelta(days=8),
    recovery=RecoveryTime(97.0, 97.0, 95.4),
)
BROKEN = "20261202T000000Z-dead"


@pytest.fixture
def drilled(project: Project) -> Project:
    """A project in which three drills left a report, and one left none."""
    for report in (PERFECT, FAILED, LATER):
        save(report, folder_of(project, report))
    (folder_of(project, LATER).parent / BROKEN).mkdir()
    return project


def folder_of(project: Project, report: DrillReport) -> Path:
    return project.folder / ".payinfra" / "local" / "demo" / "drills" / report.id


def test_drills_are_listed_with_the_trend_of_their_recovery_time(drilled: Project) -> None:
    done = drilled.run("drills", "list", *WHERE)
    assert done.returncode == 0
    rows = [line for line in done.stdout.splitlines() if "\t" in line]
    assert [line.split("\t")[0] for line in rows[1:]] == [
        PERFECT.id,
        FAILED.id,
        LATER.id,
    ]
    assert "92.0, 95.4 s (predicted 97.0 s; +3.4 s against the one before)" in done.stdout
    assert f"{BROKEN}: not read, it has no report" in done.stdout


def test_for_scripts_the_list_parses(drilled: Project) -> None:
    done = drilled.run("drills", "list", *WHERE, "--format", "json")
    assert len(json.loads(done.stdout)["drills"]) == 3


def test_where_nothing_was_drilled_the_next_step_is_named(project: Project) -> None:
    done = project.run("drills", "list", *WHERE)
    assert (done.returncode, done.stdout) == (
        0,
        "No drill of demo yet. Run one: `payinfra failover-drill --env demo --local`\n",
    )
    assert json.loads(project.run("drills", "list", *WHERE, "--format", "json").stdout)["drills"] == []
    missing = project.run("drills", "show", *WHERE)
    assert missing.returncode == 4
    assert "Environment demo has no drill reports." in missing.stderr
    assert "payinfra failover-drill --env demo --local" in missing.stderr


def test_the_latest_is_shown_unless_another_is_named(drilled: Project) -> None:
    latest = drilled.run("drills", "show", *WHERE)
    assert (latest.returncode, LATER.id in latest.stdout) == (0, True)
    assert "resilience PASS   restoration PASS" in latest.stdout
    other = drilled.run("drills", "show", FAILED.id, *WHERE)
    assert (other.returncode, "resilience FAIL   restoration FAIL" in other.stdout) == (0, True)


def test_every_format_that_parses_parses(drilled: Project) -> None:
    shown = drilled.run("drills", "show", FAILED.id, *WHERE, "--format", "json")
    assert from_json(shown.stdout) == FAILED
    parser: XMLPullParser[Element] = XMLPullParser()
    parser.feed(drilled.run("drills", "show", FAILED.id, *WHERE, "--format", "junit").stdout)
    parser.close()
    assert drilled.run("drills", "show", *WHERE, "--format", "markdown").stdout.startswith("## payinfra")


def test_a_page_is_written_to_a_file_and_nothing_to_stdout(drilled: Project) -> None:
    done = drilled.run("drills", "show", "latest", *WHERE, "--format", "html", "--out", "there/drill.html")
    assert (done.returncode, done.stdout) == (0, "")
    file = drilled.folder / "there" / "drill.html"
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("drill", "code", "said"),
    [
        (PERFECT.id[:-1], 2, f"did you mean '{PERFECT.id}'?"),
        ("../../demo", 2, "Environment demo has no drill '../../demo'"),
        (BROKEN, 4, f"Drill {BROKEN} cannot be shown: it has no report"),
    ],
)
def test_a_drill_that_cannot_be_shown_is_told_from_one_that_never_was(
    drilled: Project, drill: str, code: int, said: str
) -> None:
    done = drilled.run("drills", "show", drill, *WHERE)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in " ".join(done.stderr.split())
    assert "payinfra drills list --env demo --local" in done.stderr


def test_the_last_drill_s_page_is_printed_in_a_pipe_and_opened_on_a_terminal(
    drilled: Project, tmp_path: Path
) -> None:
    page = folder_of(drilled, LATER) / "report.html"
    done = drilled.run("open", *WHERE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{page.as_uri()}\n"
    assert page.exists()
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    drilled.environ["BROWSER"] = str(browser)
    with Terminal(drilled, "open", "report", *WHERE, all_streams=True) as terminal:
        assert terminal.end() == 0
    assert opened.read_text() == f"{page.as_uri()}\n"


def test_what_cannot_be_opened_says_why(project: Project) -> None:
    done = project.run("open", *WHERE)
    assert done.returncode == 4
    assert "payinfra failover-drill --env demo --local" in done.stderr
    done = project.run("open", "console", *WHERE)
    assert done.returncode == 2
    assert "The embedded AWS has no console." in done.stderr


def test_the_dashboard_of_an_environment_on_aws(project: Project) -> None:
    folder = project.folder / ".payinfra" / "aws" / "prod"
    folder.mkdir(parents=True)
    names = {"primary_region": "us-east-1", "secondary_region": "us-west-2", "environment_suffix": "prod"}
    outputs = flat_outputs(**names, declared=declared().to_json())
    (folder / "outputs.json").write_text(json.dumps(outputs))
    done = project.run("open", "console", "--region", "secondary")
    assert done.returncode == 0, done.stderr
    dashboard = declared().regions[1].dashboard
    assert done.stdout == (
        "https://us-west-2.console.aws.amazon.com/cloudwatch/home?region=us-west-2"
        f"#dashboards/dashboard/{dashboard}\n"
    )

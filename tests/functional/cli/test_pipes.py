"""In a pipe nothing is folded, cut or padded, whatever COLUMNS says; on a terminal nothing is broken."""

import json
import os
import re
import subprocess

import pytest

from tests.functional.cli.conftest import Project
from tests.support.outputs import flat_outputs
from tests.support.terminal import Terminal

COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ARN = "arn:aws:kms:us-east-1:000000000000:key/" + "0123456789" * 12


@pytest.fixture
def deployed(project: Project) -> Project:
    folder = project.folder / ".payinfra" / "local" / "demo"
    folder.mkdir(parents=True)
    outputs = flat_outputs(
        primary_region="us-east-1", secondary_region="us-west-2", environment_suffix="demo", kms_key_id=ARN
    )
    (folder / "outputs.json").write_text(json.dumps(outputs))
    project.environ["COLUMNS"] = "40"
    return project


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("outputs", "--all"), f"kms_key_id\t{ARN}"),
        (("settings", "--env", "demo", "--owner", "x" * 100), f"owner\t{'x' * 100}\tflag"),
        (("checks", "list"), "PI-S3-001\tcritical\tBuckets have all four public access blocks"),
        (("init", "--ci", "none"), "payinfra.toml\twritten\tit did not exist"),
    ],
)
def test_a_row_is_a_line_with_tabs(deployed: Project, command: tuple[str, ...], line: str) -> None:
    done = deployed.run(*command)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout.splitlines()
    assert [one for one in done.stdout.splitlines() if one != one.rstrip()] == []


def test_an_address_that_a_check_names_is_found(deployed: Project) -> None:
    name = "a_bucket_with_a_name_that_is_longer_than_any_line_of_this_terminal"
    manifest = {"resource": {"aws_s3_bucket": {name: {"bucket": "x"}}}}
    (deployed.folder / "cdk.tf.json").write_text(json.dumps(manifest))
    done = deployed.run("check", "--manifest", "cdk.tf.json")
    assert done.returncode == 1
    assert f"aws_s3_bucket.{name}" in done.stdout
    assert [one for one in done.stdout.splitlines() if one != one.rstrip()] == []


def test_errors_and_notices_are_whole(deployed: Project) -> None:
    done = deployed.run("--project", "/no/such/" + "folder" * 20, "outputs")
    assert "error: There is no folder /no/such/" + "folder" * 20 in done.stderr


def test_on_a_narrow_terminal_an_arn_is_whole(deployed: Project) -> None:
    with Terminal(deployed, "outputs", "--all", all_streams=True) as terminal:
        # The terminal itself folds what is too long; payinfra puts no line end into it.
        assert terminal.end() == 0
        assert ARN in terminal.said


@pytest.mark.parametrize(
    "command",
    [
        ("check", "--manifest", "cdk.tf.json"),
        ("check", "--manifest", "no-such-folder/cdk.tf.json"),
        ("explain", "PI-DDB-001"),
        ("checks", "explain", "PI-S3-001"),
        ("checks", "list"),
        ("settings", "--env", "demo", "--owner", "payments-team@example.com"),
        ("init", "--dry-run"),
        ("outputs", "--env", "demos"),
        ("outputs", "--all"),
        ("drills", "list"),
        ("local", "status"),
        ("deploi",),
        ("deploy", "--help-all"),
    ],
)
def test_on_a_narrow_terminal_only_what_cannot_be_folded_is_wider(
    deployed: Project, command: tuple[str, ...]
) -> None:
    manifest = {"resource": {"aws_s3_bucket": {"audit": {"bucket": "x"}}}}
    (deployed.folder / "cdk.tf.json").write_text(json.dumps(manifest))
    deployed.environ["COLUMNS"] = "60"
    with Terminal(deployed, *command, all_streams=True) as terminal:
        assert terminal.end() in (0, 1, 2, 4)
    lines = COLOUR.sub("", terminal.said).splitlines()
    assert lines
    wide = [line.strip() for line in lines if len(line.rstrip()) > 60]
    # A name and its value stand on one line, also where the value alone is wider than the terminal.
    assert [
        line for line in wide if len(line.split()) > 2 or not any(len(w) > 30 for w in line.split())
    ] == []


@pytest.mark.parametrize("command", [("outputs",), ("checks", "list"), ("version", "--format", "json")])
def test_a_reader_of_stdout_who_has_seen_enough_makes_no_failure(
    deployed: Project, command: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [deployed.program, *command],
            cwd=deployed.folder,
            env=deployed.environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr

"""The workflows are well formed, safe by others' judgement and ours, and ask for commands that exist."""

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from scripts import docs
from tests.functional.ci.conftest import (
    ACTION,
    GITLAB,
    ROOT,
    TEMPLATE,
    TOOLS,
    WORKFLOWS,
    Script,
    read,
    scripts,
    tool,
)
from tests.support.commands import in_shell, unknown

REUSABLE = ROOT / ".github" / "workflows" / "payinfra.yml"
SHELL = [*ACTION.glob("*.sh"), *(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
OURS = "github.event.pull_request.head.repo.full_name == github.repository"


def test_zizmor_finds_nothing(filled: Path) -> None:
    done = tool("zizmor", "--offline", "--pedantic", "--quiet", "--no-progress", ROOT / ".github", filled)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    path = tmp_path / "bad.yml"
    path.write_text(REUSABLE.read_text().replace("workflow_call:", "pull_request_target:\n  workflow_call:"))
    assert tool("zizmor", "--offline", "--quiet", "--no-progress", path).returncode != 0


MISTAKES = {
    "unexpected key": ("timeout-minutes: 15", "timeout-minute: 15"),
    "is not allowed here": ("PAYINFRA_ENV: pr${{ github.event.number }}", "PAYINFRA_ENV: ${{ env.HOME }}"),
    "is not defined": ("steps.payinfra.outputs.comment", "steps.payinfar.outputs.comment"),
    "needs job": ("needs: check", "needs: chekc"),
    "is unknown": ("runs-on: ubuntu-24.04", "runs-on: ubuntu-2404"),
}
"""Mistakes that GitHub would tell of only when the workflow runs, and some of them not even then."""


def actionlint(*files: Path) -> subprocess.CompletedProcess[str]:
    return tool("actionlint", "-no-color", "-oneline", f"-shellcheck={TOOLS / 'shellcheck'}", *files)


def test_actionlint_finds_nothing(filled: Path) -> None:
    done = actionlint(*WORKFLOWS, filled)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("said", MISTAKES)
def test_actionlint_would_find_something(tmp_path: Path, said: str) -> None:
    right, wrong = MISTAKES[said]
    text = REUSABLE.read_text()
    assert right in text
    path = tmp_path / "bad.yml"
    path.write_text(text.replace(right, wrong))
    done = actionlint(path)
    assert done.returncode == 1
    assert said in done.stdout, done.stdout


@pytest.mark.parametrize("path", [*WORKFLOWS, TEMPLATE], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_workflow_has_the_shape_that_github_wants(path: Path) -> None:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    assert done.returncode == 0, done.stdout


def test_the_action_has_the_shape_that_github_wants() -> None:
    done = tool("check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION / "action.yml")
    assert done.returncode == 0, done.stdout


def test_the_pipeline_has_the_shape_that_gitlab_wants() -> None:
    done = tool(
        "check-jsonschema",
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        GITLAB,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", list(scripts()), ids=lambda script: script.where)
def test_the_shell_in_it_is_sound_and_no_expression_is_pasted_into_it(script: Script) -> None:
    assert "${{" not in script.text, "an expression in a script is code of whoever named the branch"
    done = tool("shellcheck", "--shell=bash", "--exclude=SC2148", "-", text=script.text)
    assert done.returncode == 0, done.stdout


def test_the_scripts_are_sound() -> None:
    done = tool("shellcheck", "--severity=warning", *SHELL)
    assert done.returncode == 0, done.stdout


def uses(content: object) -> Iterator[str]:
    """Every `uses` in a workflow or action."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from [value] if key == "uses" and isinstance(value, str) else uses(value)
    if isinstance(content, list):
        for each in content:
            yield from uses(each)


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION / "action.yml"], ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(path: Path) -> None:
    text = path.read_text()
    for used in uses(read(path)):
        if not used.startswith("./"):
            assert re.search(re.escape(used) + r" # v\d+\.\d+\.\d+$", text, re.MULTILINE)
            assert PINNED.fullmatch(f"{used} # v1.2.3")


def test_the_same_action_has_the_same_commit_everywhere() -> None:
    used = {each for path in (*WORKFLOWS, ACTION / "action.yml") for each in uses(read(path))}
    names = [each.partition("@")[0] for each in used]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", [*WORKFLOWS, TEMPLATE], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_workflow_gives_nothing_that_a_job_does_not_ask_for(path: Path) -> None:
    content = read(path)
    assert content["permissions"] == {}
    assert "pull_request_target" not in list(content["on"])
    for job in content["jobs"].values():
        assert job["permissions"]
        assert "uses" in job or job["timeout-minutes"]
    assert not re.search(r"AWS_SECRET|AWS_ACCESS|\bsecrets\.\w", path.read_text())


def jobs() -> dict[str, Any]:
    """The reusable workflow's jobs."""
    content: dict[str, Any] = read(REUSABLE)["jobs"]
    return content


def test_a_fork_gets_neither_credentials_nor_a_token_that_writes() -> None:
    """A job that a fork's pull request starts asks for no identity; the others want our own repository."""
    for name, job in jobs().items():
        of_forks = "pull_request" in job["if"] and OURS not in job["if"]
        assert of_forks is (name == "check")
        assert ("id-token" in job["permissions"]) is not of_forks
        assert ("pull-requests" in job["permissions"]) <= (not of_forks)


def test_what_a_fork_gets_is_synth_and_check() -> None:
    mine = (script for script in scripts() if script.where == "payinfra.yml:check")
    asked = {words[1] for script in mine for words in in_shell(script.text)}
    assert asked == {"synth", "check"}


def test_jobs_of_one_pull_request_wait_for_each_other() -> None:
    groups = {name: job["concurrency"] for name, job in jobs().items() if name in ("deploy", "destroy")}
    assert groups["deploy"] == groups["destroy"]
    assert "github.event.number" in groups["deploy"]["group"]
    assert groups["deploy"]["cancel-in-progress"] == "false"


def test_the_caller_grants_exactly_what_the_jobs_use() -> None:
    wanted: dict[str, str] = {}
    for job in jobs().values():
        wanted |= job["permissions"]
    assert read(TEMPLATE)["jobs"]["payinfra"]["permissions"] == wanted


def test_the_caller_passes_only_inputs_that_there_are() -> None:
    inputs = read(REUSABLE)["on"]["workflow_call"]["inputs"]
    given = read(TEMPLATE)["jobs"]["payinfra"]["with"]
    assert set(given) <= set(inputs)
    assert {name for name, one in inputs.items() if one.get("required") == "true"} <= set(given)


def test_the_examples_are_the_templates() -> None:
    pages = docs.pages()
    for example, template in (
        ("examples/github/payinfra.yml", TEMPLATE),
        ("examples/gitlab/.gitlab-ci.yml", GITLAB),
    ):
        assert pages[example] == template.read_text()
        assert (docs.DOCS / example).read_text() == template.read_text()


ASKED = [words for script in scripts() for words in in_shell(script.text)]


def test_there_are_commands_in_them() -> None:
    assert {words[1] for words in ASKED} >= {
        "synth",
        "check",
        "deploy",
        "verify",
        "destroy",
        "failover-drill",
        "reap",
    }


@pytest.mark.parametrize("words", ASKED, ids=lambda words: " ".join(words))
def test_every_command_and_option_exists(words: list[str]) -> None:
    assert unknown(words) == set()


def test_a_command_or_option_that_does_not_exist_is_noticed() -> None:
    assert unknown(["payinfra", "nonsense"]) == {"nonsense"}
    assert unknown(["payinfra", "deploy", "--nonsense"]) == {"--nonsense"}


def installation(tmp_path: Path, source: str | None) -> tuple[int, str]:
    """What the GitLab example's own lines ask pip for, with a pip that only tells."""
    lines = [line for line in read(GITLAB)[".payinfra"]["before_script"] if "pip install" in line]
    asked = tmp_path / "asked"
    (tmp_path / "pip").write_text(f'#!/bin/sh\nfor last; do :; done\nprintf %s "$last" > {asked}\n')
    (tmp_path / "pip").chmod(0o755)
    script = re.sub(r"\S*/bin/pip\b", str(tmp_path / "pip"), "\n".join(lines))
    environ = {"PATH": os.defpath} | ({} if source is None else {"PAYINFRA_SOURCE": source})
    done = subprocess.run(["sh", "-euc", script], env=environ, check=False, capture_output=True, text=True)
    return done.returncode, asked.read_text() if asked.exists() else done.stderr


def test_gitlab_installs_payinfra_from_its_source_with_an_extra_that_exists(tmp_path: Path) -> None:
    code, asked = installation(tmp_path, "git+https://gitlab.example.com/platform/payinfra.git@0123abc")
    wanted = Requirement(asked)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (code, wanted.name) == (0, project["name"])
    assert wanted.extras == {"terraform"} <= set(project["optional-dependencies"])
    assert wanted.url == "git+https://gitlab.example.com/platform/payinfra.git@0123abc"
    assert "slim" not in read(GITLAB)["default"]["image"], "pip needs git for such an address"


def test_gitlab_says_what_to_set_where_the_source_is_missing(tmp_path: Path) -> None:
    code, said = installation(tmp_path, None)
    assert code != 0
    assert "PAYINFRA_SOURCE" in said

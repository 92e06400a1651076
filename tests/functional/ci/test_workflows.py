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
    IMAGE,
    ROOT,
    TEMPLATE,
    WORKFLOWS,
    Script,
    read,
    scripts,
    tool,
    tool_path,
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
    return tool("actionlint", "-no-color", "-oneline", f"-shellcheck={tool_path('shellcheck')}", *files)


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
        ("examples/image/Dockerfile", IMAGE),
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


def installation(
    tmp_path: Path, source: str | None, *, there: bool = False, own: bool = False
) -> tuple[int, list[str]]:
    """What the GitLab example's own lines ask pip for, with a pip that only tells; else what they say.

    Args:
        source: the variable PAYINFRA_SOURCE.
        there: whether the job's image has payinfra.
        own: whether the project has packages of its own.
    """
    (block,) = (line for line in read(GITLAB)[".payinfra"]["before_script"] if "pip=" in line)
    venv, asked = tmp_path / "venv", tmp_path / "asked"
    (venv / "bin").mkdir(parents=True)
    programs = {venv / "bin" / "pip": f'echo "$*" >> {asked}', tmp_path / "python": ":"}
    if there:
        programs[tmp_path / "payinfra"] = ":"
    if own:
        (tmp_path / "requirements.txt").write_text("acme-tags==1\n")
    for program, script in programs.items():
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.defpath}"} | ({} if source is None else {"PAYINFRA_SOURCE": source})
    done = subprocess.run(
        ["sh", "-euc", block.replace("/tmp/payinfra", str(venv))],  # noqa: S108 - a job's own
        cwd=tmp_path,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, (asked.read_text() if asked.exists() else done.stderr).splitlines()


SOURCE = "git+https://gitlab.example.com/platform/payinfra.git@0123abc"


def test_gitlab_installs_payinfra_from_its_source_with_an_extra_that_exists(tmp_path: Path) -> None:
    code, (asked,) = installation(tmp_path, SOURCE)
    wanted = Requirement(asked.removeprefix("install --quiet "))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (code, wanted.name) == (0, project["name"])
    assert wanted.extras == {"terraform"} <= set(project["optional-dependencies"])
    assert wanted.url == SOURCE
    assert read(GITLAB)["default"]["image"] == "$PAYINFRA_IMAGE"
    assert "slim" not in read(GITLAB)["variables"]["PAYINFRA_IMAGE"], "pip needs git for such an address"


def test_gitlab_installs_what_the_project_names_and_keeps_payinfras_versions(tmp_path: Path) -> None:
    code, asked = installation(tmp_path, SOURCE, own=True)
    assert (code, asked[1]) == (0, "freeze --exclude payinfra")
    assert asked[2].startswith("install --quiet --constraint ")
    assert asked[2].endswith(" --requirement requirements.txt")
    job = read(GITLAB)[".payinfra"]
    assert job["cache"]["key"]["files"] == ["requirements.txt"]
    assert read(GITLAB)["variables"]["PIP_CACHE_DIR"] == f"$CI_PROJECT_DIR/{job['cache']['paths'][0]}"


def test_in_an_image_that_has_payinfra_gitlab_installs_nothing(tmp_path: Path) -> None:
    assert installation(tmp_path, None, there=True, own=True) == (0, [])


def test_gitlab_says_what_to_set_where_the_source_is_missing(tmp_path: Path) -> None:
    code, said = installation(tmp_path, None)
    assert code != 0
    assert "PAYINFRA_SOURCE" in said[0]


def setup(tmp_path: Path, own: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the action's install.sh with programs that only tell, and a pip that fails for `cannot`."""
    log, venv = tmp_path / "asked", tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    programs = {
        venv / "bin" / "pip": f'echo "$*" >> {log}; case "$*" in *cannot*) exit 1;; esac',
        venv / "bin" / "payinfra": ":",
        tmp_path / "python": ":",
    }
    for program, script in programs.items():
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    done = subprocess.run(
        ["bash", ACTION / "install.sh", venv, own],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:{os.defpath}",
            **dict.fromkeys(("GITHUB_PATH", "GITHUB_OUTPUT"), os.devnull),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    return done, log.read_text().splitlines()


@pytest.mark.parametrize("own", ["", "./requirements.txt"])
def test_the_action_needs_no_packages_of_the_projects_own(tmp_path: Path, own: str) -> None:
    done, asked = setup(tmp_path, own)
    assert (done.returncode, len(asked)) == (0, 2), done.stderr
    assert "requirements-use.lock" in asked[0]


def test_the_action_installs_them_beside_what_payinfra_is_locked_to(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("acme-tags==1\n")
    done, asked = setup(tmp_path, "own.txt")
    assert (done.returncode, asked[2].split()[-2:]) == (0, ["-r", "own.txt"]), done.stderr
    constraints = (tmp_path / "venv" / "constraints.txt").read_text().splitlines()
    assert f"--constraint {tmp_path / 'venv' / 'constraints.txt'}" in asked[2]
    lock = (ROOT / "requirements-use.lock").read_text()
    assert constraints
    assert all(f"{one} " in lock for one in constraints)


def test_packages_that_do_not_go_with_payinfra_are_one_message(tmp_path: Path) -> None:
    (tmp_path / "cannot.txt").write_text("boto3==1.0\n")
    done, _ = setup(tmp_path, "cannot.txt")
    assert done.returncode == 4
    assert "error: cannot.txt cannot be installed beside payinfra" in done.stderr
    assert "next: " in done.stderr


def test_every_job_installs_the_projects_packages() -> None:
    used = [
        one
        for job in jobs().values()
        for one in job["steps"]
        if one.get("uses", "").endswith("/.github/actions/payinfra")
    ]
    assert len(used) == len(jobs())
    assert {one["with"]["requirements"] for one in used} == {
        "${{ inputs.folder }}/${{ inputs.requirements }}"
    }
    assert read(REUSABLE)["on"]["workflow_call"]["inputs"]["requirements"]["default"] == "requirements.txt"


def test_what_pip_downloads_is_kept_under_a_name_of_what_is_installed(tmp_path: Path) -> None:
    steps = {one.get("id", one.get("name")): one for one in read(ACTION / "action.yml")["runs"]["steps"]}
    kept = steps["Keep what pip downloads from run to run"]["with"]
    assert kept["path"] == steps["install"]["env"]["PIP_CACHE_DIR"]
    assert kept["key"] == "${{ steps.packages.outputs.key }}"
    names = []
    for text in ("", "acme-tags==1\n", "acme-tags==2\n"):
        (tmp_path / "own.txt").write_text(text)
        output = tmp_path / "output"
        output.unlink(missing_ok=True)
        environ = {
            "PATH": os.defpath,
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_OUTPUT": str(output),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "REQUIREMENTS": "own.txt" if text else "nowhere.txt",
        }
        script = ["bash", "-euo", "pipefail", "-c", steps["packages"]["run"]]
        subprocess.run(script, cwd=tmp_path, env=environ, check=True)
        names.append(output.read_text())
    assert len({*names}) == 3
    assert all(re.fullmatch(r"key=payinfra-Linux-X64-[0-9a-f]{64}\n", name) for name in names)

"""The lines of shell in the pages that need no deployment work as they are printed."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support import page_commands, page_shell
from tests.support.page_commands import ENDS_WITH, NOT_RUN, ROOT, PageLine, in_page, runnable
from tests.support.page_shell import PageShell

HERE = runnable(on_a_deployment=False)
PLAN_OF_SOMEONE = 'resource "terraform_data" "x" {\n  input = 1\n}\n'
SOURCES = ("payinfra", "handlers", "pyproject.toml", "README.md", "LICENSE")
REPOSITORY = ".venv/bin/python -m hatchling"


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageShell]:
    """A shell beside an embedded AWS with nothing in it, and beside somebody's Terraform."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "main.tf").write_text(PLAN_OF_SOMEONE)
    shell = PageShell(folder, tmp_path_factory.mktemp("bin"))
    try:
        for line in ("payinfra local up", "terraform init"):
            shell.type(PageLine("before the first page", line), "demo")
        yield shell
    finally:
        shell.type(PageLine("after the last page", "payinfra local down"), "demo")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> PageShell:
    """A shell in a copy of the repository with a virtual environment."""
    folder = tmp_path_factory.mktemp("repository")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    return PageShell(folder, tmp_path_factory.mktemp("repository-bin"))


@pytest.mark.parametrize("page", HERE)
def test_its_lines_work_as_they_are_printed(page: str, shell: PageShell, repository: PageShell) -> None:
    for line in HERE[page]:
        (repository if line.text.startswith(REPOSITORY) else shell).type(line, "demo")


def test_many_lines_are_run() -> None:
    assert sum(map(len, HERE.values())) > 30


def test_what_is_not_run_is_listed_once_and_still_shown() -> None:
    listed = Counter(line for entry in NOT_RUN for line in entry.lines)
    assert set(listed.values()) == {1}
    assert (set(listed) | set(ENDS_WITH)) - set(page_commands.shown()) == set()


def test_what_runs_something_else_instead_is_there() -> None:
    for entry in NOT_RUN:
        assert entry.reason
        assert (ROOT / entry.instead).exists(), entry.instead


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        ("Text\n\n    payinfra plan --env x      # what changes\n", ["payinfra plan --env x"]),
        ("    A=$(payinfra key) \\\n      payinfra pay\n", ["A=$(payinfra key) payinfra pay"]),
        ("```console\n$ terraform plan\nNo changes.\n```\n", ["terraform plan"]),
        ("    ✓ verify\n    Next:\n      payinfra verify\n", ["payinfra verify"]),
        ("```yaml\n- run: payinfra synth\n  run: pytest x/\n```\n", ["payinfra synth", "pytest x/"]),
        ("1. x\n\n       make demo\n", ["make demo"]),
        ("```toml\nowner = 1\n```\n\n    {\n", []),
        ("Say `payinfra plan`.\n", []),
    ],
)
def test_lines_of_shell_are_found_in_a_page(page: str, lines: list[str]) -> None:
    assert list(in_page(page)) == lines


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("payinfra --verbose --log-format json deploy --env x", True),
        ("API_KEY=$(payinfra key --env x)", True),
        ("payinfra local fault clear --all", True),
        ("payinfra local rules api-key-delay=4", False),
        ("payinfra check --plan plan.json", False),
        ('eval "$(payinfra completion bash)"', False),
    ],
)
def test_what_needs_a_deployment_is_told_apart(text: str, needs: bool) -> None:
    assert PageLine("x.md", text).needs_a_deployment() is needs


def test_a_line_that_fails_fails_its_page(shell: PageShell) -> None:
    with pytest.raises(AssertionError, match="exit code 2"):
        shell.type(PageLine("x.md", "payinfra deploi --env demo"), "demo")


NO_ANSWER = "ERROR   high     LIVE-IAM-001  us-east-1, us-west-2  no answer within 15 s\r\n"


@pytest.mark.parametrize(
    ("said", "excused"),
    [
        (NO_ANSWER, True),
        (f"{NO_ANSWER}{NO_ANSWER}Failed: 2 findings not judged.\r\n", True),
        (f"{NO_ANSWER}FAIL    high     LIVE-CW-002  us-west-2  in ALARM: payment-x-errors\r\n", False),
        ("ERROR   high     LIVE-IAM-001  us-east-1  AccessDenied: no answer\r\n", False),
        ("Failed: 1 failure of severity high or above.\r\n", False),
        ("resilience INCONCLUSIVE   restoration PASS", True),
        ("resilience FAIL   restoration PASS", False),
        ("resilience INCONCLUSIVE   restoration FAIL", False),
    ],
)
def test_a_line_may_fail_on_a_busy_machine_only_where_nothing_was_judged(said: str, excused: bool) -> None:
    assert page_shell.was_not_judged(said) is excused


def test_an_environments_name_and_what_is_left_open_are_put_in() -> None:
    line = PageLine("x.md", "payinfra destroy --env keep1 --yes-really keep1 --state-bucket NAME")
    assert line.typed("e2e") == "payinfra destroy --env e2e --yes-really e2e --state-bucket our-states"
    assert PageLine("x.md", "payinfra ci-role --env 'pr*'").typed("e2e") == "payinfra ci-role --env 'pr*'"

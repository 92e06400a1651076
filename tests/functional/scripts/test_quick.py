"""`make quick` in a repository of its own, and what it reads of this one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import quick

FILES = {
    ".gitignore": "__pycache__/\n.pytest_cache/\nleft_out.py\n",
    "product.py": "def number():\n    return 1\n",
    "left_out.py": "",
    "tests/unit/test_one.py": "import product\ndef test_one(): assert product.number() == 1\n",
    "tests/unit/test_two.py": "def test_two(): pass\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository, of which one module is new and not added yet."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(
        ["git", "add", ".gitignore", "product.py", "tests/unit/test_one.py"], cwd=tmp_path, check=True
    )
    return tmp_path


def run(root: Path, *arguments: str, **variables: str) -> tuple[str, int]:
    """What it says first, and its exit code."""
    script = "import sys; from pathlib import Path; from scripts.quick import main; "
    script += "sys.exit(main(sys.argv[1:], Path.cwd()))"
    folders = os.pathsep.join((str(root), str(quick.ROOT)))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=root,
        env={**environ, "PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
    )
    return done.stdout.partition(";")[0], done.returncode


def test_each_run_has_what_changed_since_it_passed(root: Path) -> None:
    assert run(root) == ("Tests: 2 of 2 files", 0)
    assert run(root) == ("Tests: 0 of 2 files", 0)
    (root / "product.py").write_text("def number():\n    return 2\n")
    assert run(root) == ("Tests: 1 of 2 files", 1)
    # It is run until it passes.
    assert run(root) == ("Tests: 1 of 2 files", 1)
    (root / "product.py").write_text("def number():\n    return 3 - 2\n")
    assert run(root, PYTEST_ADDOPTS="-k nothing") == ("Tests: 1 of 2 files", 5)
    assert run(root) == ("Tests: 1 of 2 files", 0)
    assert run(root, "--all") == ("Tests: 2 of 2 files", 0)
    (root / quick.STATE).write_text("{")
    assert run(root) == ("Tests: 2 of 2 files", 0)


def test_files_that_git_ignores_or_that_are_gone_are_no_inputs(root: Path) -> None:
    (root / "tests/unit/test_one.py").unlink()
    assert {*quick.read_repository(root, {}).hashes} == {".gitignore", "product.py", "tests/unit/test_two.py"}


@pytest.fixture(scope="module")
def repository() -> quick.Repository:
    return quick.read_repository(quick.ROOT, {})


@pytest.mark.parametrize(
    ("changed", "test"),
    [
        ("payinfra/report/drill/page.html.j2", "tests/unit/report/drill/test_page.py"),
        ("payinfra/report/schemas/findings-1.json", "tests/unit/report/findings/test_formats.py"),
        ("tests/unit/report/drill/pictures/failed.md", "tests/unit/report/drill/test_formats.py"),
        ("tests/unit/drill/schema_1/failed.json", "tests/unit/drill/test_report_store.py"),
        ("tests/support/guards.json", "tests/synth/checks/test_real_stack.py"),
        ("docs/verify.md", "tests/unit/checks/probes/test_page.py"),
        ("docs/scenarios.md", "tests/unit/drill/faults/test_scenarios.py"),
        ("docs/costs.md", "tests/synth/stacks/test_costs.py"),
        ("cdktf.json", "tests/synth/stacks/test_app.py"),
        ("payinfra/core/templates/example/payinfra.toml", "tests/unit/core/test_example_project.py"),
        ("payinfra/drill/faults/lambda_throttle.py", "tests/unit/drill/faults/test_registry.py"),
        ("payinfra/checks/policy/s3.py", "tests/synth/checks/test_real_stack.py"),
        ("payinfra/checks/probes/s3.py", "tests/unit/checks/probes/test_damages.py"),
        ("payinfra/stacks/lazy_index.cjs", "tests/synth/bindings/test_node_side.py"),
        ("tests/support/chaos/recorded.json", "tests/unit/scripts/test_chaos_ledger.py"),
        ("handlers/payments/handler.py", "tests/synth/stacks/test_whole_stack.py"),
        ("handlers/payments/schemas/payment.json", "tests/unit/payments/test_making_a_payment.py"),
        ("payinfra/terraform/terraform.lock.hcl", "tests/unit/terraform/test_mirror.py"),
        ("payinfra/commands/deploy.py", "tests/unit/commands/test_help.py"),
    ],
)
def test_what_tests_of_this_repository_read_is_known(
    repository: quick.Repository, changed: str, test: str
) -> None:
    assert changed in repository.hashes
    assert changed in repository.inputs(test)


def test_a_line_in_the_change_log_runs_few_tests(repository: quick.Repository) -> None:
    reached = [test for test in repository.tests() if "CHANGELOG.md" in repository.inputs(test)]
    assert len(reached) < len(repository.tests()) / 10

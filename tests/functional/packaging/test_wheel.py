"""The wheel by itself: elsewhere, with nothing but what it asks for."""

import ast
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project import Project
from tests.support.wheel import ROOT, build, install


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("elsewhere") / "venv")


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> Project:
    return Project(tmp_path, program=installed)


def tracked() -> Iterator[str]:
    """What git has below payinfra and handlers, by its name in the wheel."""
    done = subprocess.run(
        ["git", "ls-files", "payinfra", "handlers"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in done.stdout.splitlines():
        if (ROOT / name).exists():
            yield (
                name.replace("handlers/", "payinfra/_handlers/", 1) if name.startswith("handlers/") else name
            )


def test_the_wheel_holds_every_file_of_the_package_and_of_the_function(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert set(tracked()) <= inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/", "bench/", "handlers/"))]


def test_it_runs_from_its_own_files(project: Project, installed: Path) -> None:
    python = installed.with_name("python")
    done = subprocess.run(
        [python, "-c", "import payinfra; print(payinfra.__file__)"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(installed.parents[1])
    assert project.run("--help").returncode == 0
    assert project.run("version").stdout.startswith("payinfra ")


def test_it_synthesizes_and_checks_without_the_extras(project: Project) -> None:
    done = project.run("synth", "--env", "pr7", "--format", "json")
    assert done.returncode == 0, done.stderr
    folder = project.folder / json.loads(done.stdout)["folder"]
    with zipfile.ZipFile(folder / "payments.zip") as packed:
        names = set(packed.namelist())
    assert "payments/handler.py" in names
    assert any(name.startswith("aws_lambda_powertools/") for name in names)
    assert project.run("check", "--manifest", str(folder / "cdk.tf.json")).returncode == 0


def test_the_embedded_aws_without_its_extra_says_how_to_get_it(project: Project) -> None:
    done = project.run("local", "up")
    assert done.returncode == 4, done.stderr
    assert "-m pip install " in done.stderr or "uv pip install" in done.stderr
    assert "ministack==" in done.stderr
    assert "Traceback" not in done.stderr


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Each module outside the standard library that a tree imports when it runs, with the file that does."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(_without_type_checking(ast.parse(path.read_text()))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module)]
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in ("payinfra", "handlers", "payments"):
                    yield top, str(path.relative_to(ROOT))


def _without_type_checking(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


def test_whatever_is_imported_is_asked_for() -> None:
    asked = {canonicalize_name(Requirement(line).name) for line in distribution("payinfra").requires or ()}
    home = packages_distributions()
    missing = {
        (module, file)
        for folder in ("payinfra", "handlers")
        for module, file in imported(ROOT / folder)
        if not asked & {canonicalize_name(name) for name in home.get(module, [module])}
    }
    assert missing == set()

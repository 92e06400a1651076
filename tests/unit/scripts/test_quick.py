"""Which tests a change can reach."""

import hashlib
from collections.abc import Mapping
from typing import Literal

import pytest

from scripts.quick import EVERYWHERE, Outcomes, Repository, fingerprints, names_of, passed_now

TREE = {
    "payinfra/__init__.py": "from payinfra.core.version import NUMBER\nHOMES = ('payinfra.report.pages',)\n",
    "payinfra/pytest_plugin.py": "",
    "payinfra/core/__init__.py": "",
    "payinfra/core/version.py": "NUMBER = 1\n",
    "payinfra/core/clock.py": "raise_at = 1\n",
    "payinfra/core/limits.toml": "",
    "payinfra/report/__init__.py": '"""Reports."""\n',
    "payinfra/report/pages.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from payinfra.drill import engine\n"
        "else:\n    import payinfra.core.version\n"
        "def later():\n    from ..core import clock\n    return clock, 'docs/guide.md', 'payinfra.toml'\n"
    ),
    "payinfra/report/page.html.j2": "",
    "payinfra/drill/__init__.py": "",
    "payinfra/drill/engine.py": "",
    "payinfra/drill/faults/__init__.py": "",
    "payinfra/drill/faults/outage.py": "",
    "payinfra/drill/faults/registry.py": (
        "from importlib import import_module\nfrom payinfra.drill import faults\n"
        "def all(): return import_module(f'{faults.__name__}.outage')\n"
    ),
    "payinfra/drill/__main__.py": "import payinfra.drill.engine\n",
    "payinfra/stacks/zip.py": "FOLDER = 'handlers'\n",
    "handlers/payments.py": "",
    "docs/guide.md": "",
    "docs/other.md": "",
    "CHANGELOG.md": "",
    "pyproject.toml": "",
    "requirements.lock": "",
    "scripts/quick.py": "",
    "tests/conftest.py": "",
    "tests/support/figures.py": "",
    "tests/support/place.py": "HERE = __file__\n",
    "tests/unit/report/conftest.py": "from tests.support.figures import ONE\n",
    "tests/unit/report/test_pages.py": "from payinfra.report import pages\n",
    "tests/unit/report/pictures/one.txt": "",
    "tests/unit/drill/test_registry.py": '"""See docs/other.md."""\nimport payinfra.drill.faults.registry\n',
    "tests/unit/drill/test_process.py": (
        "COMMAND = 'from payinfra.drill import engine; payinfra.core.clock.now()'\n"
    ),
    "tests/unit/drill/test_program.py": "COMMAND = ['-m', 'payinfra.drill']\n",
    "tests/unit/core/test_version.py": "from payinfra.core import version\nPAGES = 'docs'\n",
    "tests/unit/core/test_names.py": "def test(): return Path(__file__).parent.rglob('*.py')\n",
    "tests/unit/core/test_texts.py": "from tests.support.place import HERE\nALL = HERE.glob('*')\n",
    "tests/unit/core/test_own.py": "def test(tmp_path): return tmp_path.rglob('*.py')\n",
    "tests/unit/core/test_sources.py": "import inspect\ndef test(): return inspect.getsource(len)\n",
    "tests/unit/core/test_damaged.py": "def (\n",
    "tests/unit/stacks/test_zip.py": "import payinfra.stacks.zip\nRUN = 'helper.py'\n",
    "tests/unit/stacks/helper.py": "",
    "tests/synth/test_stack.py": "NAME = 'guide.md'\n",
    "tests/functional/test_program.py": "import payinfra.report.pages\n",
}
EVERYTHING = {"test_names", "test_texts", "test_sources"}
"""The tests that go through the whole repository."""


def repository(tree: Mapping[str, str]) -> Repository:
    return Repository(
        {path: hashlib.sha256(f"{path} {text}".encode()).hexdigest() for path, text in tree.items()},
        {path: names_of(path, text) for path, text in tree.items() if path.endswith(".py")},
    )


def reached(tree: Mapping[str, str]) -> set[str]:
    """The names of the test modules whose inputs differ from those in `TREE`."""
    before, now = fingerprints(repository(TREE)), fingerprints(repository(tree))
    return {test.rpartition("/")[2].removesuffix(".py") for test in now if before.get(test) != now[test]}


ALL = {
    path.rpartition("/")[2].removesuffix(".py")
    for path in TREE
    if "/test_" in path and "functional" not in path
}


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("payinfra/report/pages.py", {"test_pages"}),
        # An import within a function.
        ("payinfra/core/clock.py", {"test_pages", "test_process"}),
        # An import for types only says nothing about what runs.
        ("payinfra/drill/engine.py", {"test_process", "test_program"}),
        ("payinfra/drill/__main__.py", {"test_program"}),
        # Imported by a name that is computed.
        ("payinfra/drill/faults/outage.py", {"test_registry"}),
        # A file that is no module belongs to its room.
        ("payinfra/report/page.html.j2", {"test_pages"}),
        ("payinfra/core/limits.toml", ALL - {"test_own", "test_damaged", "test_stack"}),
        ("tests/unit/report/pictures/one.txt", {"test_pages"}),
        # What a text names, but not one in a docstring or a message.
        ("docs/guide.md", {"test_version", "test_stack"}),
        ("docs/other.md", {"test_version"}),
        ("handlers/payments.py", {"test_zip"}),
        ("tests/unit/stacks/helper.py", {"test_zip"}),
        ("tests/support/figures.py", {"test_pages"}),
        ("tests/unit/report/conftest.py", {"test_pages"}),
        ("tests/unit/core/test_own.py", {"test_own"}),
        ("tests/unit/core/test_damaged.py", {"test_damaged"}),
        ("CHANGELOG.md", set()),
        ("tests/functional/test_program.py", set()),
        *((path, ALL) for path in EVERYWHERE),
    ],
)
def test_a_change_reaches_what_depends_on_it(changed: str, tests: set[str]) -> None:
    assert reached({**TREE, changed: TREE[changed] + "\n# more\n"}) == tests | EVERYTHING


def test_a_new_module_that_is_imported_instead_of_a_name_is_seen() -> None:
    assert "test_version" in reached({**TREE, "payinfra/core/version/__init__.py": ""})


def test_a_new_file_of_a_room_is_seen() -> None:
    assert reached({**TREE, "payinfra/report/schema.json": ""}) == {"test_pages"} | EVERYTHING


def test_a_file_that_is_gone_is_seen() -> None:
    tree = {path: text for path, text in TREE.items() if path != "payinfra/report/page.html.j2"}
    assert reached(tree) == {"test_pages"} | EVERYTHING


def test_another_machine_is_another_input_of_all() -> None:
    one, other = fingerprints(repository(TREE), ("3.11",)), fingerprints(repository(TREE), ("3.12",))
    assert all(one[test] != other[test] for test in one)


def test_only_what_passed_is_left_out_the_next_time() -> None:
    now = {"a": "1", "b": "2", "c": "3"}
    before = {"c": "3", "gone": "9", "a": "0"}
    assert passed_now(now, before, ["a", "b"], ["b"], 1) == {"a": "1", "c": "3"}


@pytest.mark.parametrize("status", [2, 3, 4, 5])
def test_a_run_that_did_not_end_leaves_nothing_out(status: int) -> None:
    assert passed_now({"a": "1", "b": "2"}, {"a": "0", "b": "2"}, ["a"], [], status) == {"b": "2"}


Phase = tuple[str, Literal["setup", "call", "teardown"], Literal["passed", "failed"]]


@pytest.mark.parametrize(
    ("phase", "failed"),
    [
        (("a.py", "setup", "failed"), {"a.py"}),
        (("b.py", "call", "passed"), set()),
        (("c.py", "teardown", "failed"), {"c.py"}),
    ],
)
def test_a_failure_in_any_phase_fails_the_file(phase: Phase, failed: set[str]) -> None:
    name, when, outcome = phase
    outcomes = Outcomes()
    outcomes.pytest_runtest_logreport(
        pytest.TestReport(f"{name}::test[x::y]", (name, 0, "test"), {}, outcome, None, when)
    )
    assert outcomes.failed == failed

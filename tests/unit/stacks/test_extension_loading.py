"""The function that extends the stack: where it is found, and what is said when its code is wrong."""

import sys
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.errors import GateFailed, UsageProblem
from payinfra.core.project_imports import import_from_project, project_imports
from payinfra.stacks.extension_loading import ExtensionSource

NOBODY: list[object] = [None, None, None]


def project(folder: Path, **files: str) -> Path:
    """A project with a package `acme` of these modules."""
    package = folder / "acme"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    return folder


def call(folder: Path, extend: str = "acme.infra:extend") -> object:
    with ExtensionSource(extend, folder).loaded() as function:
        return function(*NOBODY)  # type: ignore[arg-type]  # it looks at none of them


def test_it_is_imported_from_the_projects_folder_with_what_it_imports(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        infra="from acme.more import ANSWER\ndef extend(stack, primary, secondary):\n    return ANSWER\n",
        more="ANSWER = 42\n",
    )
    before = list(sys.path)
    assert call(folder) == 42
    assert sys.path == before
    assert not [name for name in sys.modules if name == "acme" or name.startswith("acme.")]


def test_packages_without_init_in_one_another_are_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "acme" / "aws" / "queues"
    folder.mkdir(parents=True)
    (folder / "infra.py").write_text("def extend(a, b, c):\n    return 'there'\n")
    with project_imports(tmp_path):
        import_from_project("acme.aws.queues.infra", tmp_path, "a test")
    assert not [name for name in sys.modules if name.partition(".")[0] == "acme"]


@pytest.mark.parametrize("with_init", [True, False])
def test_each_project_gets_its_own_modules_and_the_file_as_it_is_now(tmp_path: Path, with_init: bool) -> None:
    said = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        project(tmp_path / name, infra=f"def extend(a, b, c):\n    return {name!r}\n")
        if not with_init:
            (tmp_path / name / "acme" / "__init__.py").unlink()
        said.append(call(tmp_path / name))
    (tmp_path / "one" / "acme" / "infra.py").write_text("def extend(a, b, c):\n    return 'something else'\n")
    assert [*said, call(tmp_path / "one")] == ["one", "two", "something else"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "def extend(a, b, c):\n    x = 1\n    return 1 / 0\n",
            "acme/infra.py:3: ZeroDivisionError: ",
        ),
        ("x = 1\nraise ValueError('no')\n", "acme/infra.py:2: ValueError: no."),
        ("import sys\nsys.exit('gone')\n", "acme/infra.py:2: SystemExit: gone."),
        ("def extend(:\n", "acme/infra.py:1: SyntaxError: invalid syntax."),
        (
            "\nimport no_such_library\n",
            "acme/infra.py:2: it needs the module 'no_such_library', which is not",
        ),
        ("from acme.nothing import x\n", "acme/infra.py:1: it needs the module 'acme.nothing'"),
        (
            "def other(a, b, c): ...\ndef extendd(a, b, c): ...\n",
            "no function 'extend'; did you mean 'extendd'?",
        ),
        ("def extend(stack): ...\n", "extend in acme/infra.py cannot be called with three arguments."),
        ("extend = 3\n", "extend in acme/infra.py cannot be called with three arguments."),
    ],
)
def test_what_is_wrong_is_one_message_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        call(project(tmp_path, infra=text))
    assert message in caught.value.what
    assert caught.value.hint
    assert "Traceback" not in caught.value.what


def test_a_refusal_of_payinfras_gets_the_line_that_asked(tmp_path: Path) -> None:
    text = (
        "from payinfra.core.errors import UsageProblem\n"
        "def extend(a, b, c):\n"
        "    raise UsageProblem('It is taken.', 'Choose another.')\n"
    )
    with pytest.raises(UsageProblem) as caught:
        call(project(tmp_path, infra=text))
    assert (caught.value.what, caught.value.hint) == ("acme/infra.py:3: It is taken.", "Choose another.")


def test_a_long_or_many_lined_message_is_cut(tmp_path: Path) -> None:
    text = "def extend(a, b, c):\n    raise ValueError('x' * 2000 + '\\nmore')\n"
    with pytest.raises(UsageProblem) as caught:
        call(project(tmp_path, infra=text))
    assert len(caught.value.what) < 400
    assert "more" not in caught.value.what


def test_a_module_that_is_not_there_is_named_with_the_folder(tmp_path: Path) -> None:
    for wanted in ("nowhere.infra:extend", "acme.nowhere:extend"):
        with pytest.raises(UsageProblem, match="there is no module") as caught:
            call(tmp_path if wanted.startswith("nowhere") else project(tmp_path), wanted)
        assert str(tmp_path) in caught.value.what


def test_what_no_line_of_the_projects_raised_is_not_blamed_on_it(tmp_path: Path) -> None:
    folder = project(tmp_path, infra="def extend(a, b, c): ...\n")
    for problem in (KeyError("ours"), GateFailed("no")):
        with pytest.raises(type(problem)), ExtensionSource("acme.infra:extend", folder).loaded():
            raise problem


def test_a_function_of_a_script_is_taken_as_it_is(tmp_path: Path) -> None:
    def extend(stack: object, primary: object, secondary: object) -> str:
        raise ValueError("mine")

    wrong = pytest.raises(UsageProblem, match=r"test_extension_loading\.py:\d+: ValueError: mine")
    with wrong, ExtensionSource(extend, tmp_path).loaded() as function:
        function(*NOBODY)  # type: ignore[arg-type]  # it looks at none of them
    few: Any = lambda: None  # noqa: E731 - shorter than a function
    with (
        pytest.raises(UsageProblem, match="cannot be called with three arguments"),
        ExtensionSource(few, tmp_path).loaded(),
    ):
        pass

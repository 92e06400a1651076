"""Imports a project's own Python, from the folder of payinfra.toml, and says what goes wrong in it."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import cast

from payinfra.core.errors import PayinfraError, UsageProblem, did_you_mean
from payinfra.core.setting_declarations import TOML_NAME

_MOST_SHOWN = 300


def import_from_project(name: str, project: Path, wanted_by: str) -> ModuleType:
    """Import a module of the project's. To be called within `project_imports`.

    Args:
        wanted_by: who names the module, to begin a message with.

    Raises:
        UsageProblem: there is no such module.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Another module that is missing is the project's code's matter: the line that imports it is named.
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise UsageProblem(
            f"{wanted_by}: there is no module {name!r} in {project.resolve()}.",
            "Modules are imported from the folder of payinfra.toml, then from where payinfra is installed.",
        ) from None


def function_from_project(reference: str, project: Path, setting: str, shape: str) -> Callable[..., object]:
    """The function of the project that a setting names. Call this within `project_imports`.

    Args:
        reference: the function, as `MODULE:FUNCTION`.
        setting: the setting's table and name, such as `[stack] extend`.
        shape: its name and arguments, such as `extend(stack, primary, secondary)`.

    Raises:
        UsageProblem: there is no such module or function, or it takes other arguments.
    """
    module_name, _, name = reference.partition(":")
    module = import_from_project(module_name, project, f"{TOML_NAME}: {setting}")
    where = shown_path(Path(getattr(module, "__file__", None) or module_name), project)
    found = getattr(module, name, None)
    if found is None:
        functions = [key for key, value in vars(module).items() if callable(value)]
        raise UsageProblem(
            f"{where} has no function {name!r}{did_you_mean(name, functions)}.",
            f"Name one in {setting}, as MODULE:FUNCTION.",
        )
    return callable_as(found, shape, f"{name} in {where}")


def callable_as(found: object, shape: str, what: str) -> Callable[..., object]:
    """The function, after a check that it takes as many arguments as `shape` has.

    Raises:
        UsageProblem: it cannot.
    """
    # `signature` raises TypeError for what is no function.
    function = cast(Callable[..., object], found)
    arguments = shape.count(",") + 1
    try:
        inspect.signature(function).bind(*(None,) * arguments)
    except TypeError:
        number = ("one argument", "two arguments", "three arguments")[arguments - 1]
        raise UsageProblem(f"{what} cannot be called with {number}.", f"Write `def {shape}:`.") from None
    return function


@contextmanager
def project_imports(project: Path) -> Iterator[None]:
    """Import from the project's folder first; forget afterwards what came from there."""
    folder = project.resolve()
    before = frozenset(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        # A package without `__init__.py` finds its folders through `sys.path` and the package around it, so
        # that all are looked at before one is forgotten.
        own = [
            name
            for name in frozenset(sys.modules) - before
            if any(_is_below(Path(place), folder) for place in list(_places(sys.modules[name])))
        ]
        for name in own:
            del sys.modules[name]
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _places(module: ModuleType) -> Iterator[str]:
    """Where a module is from: its file, and a package's folders. One without `__init__.py` has no file."""
    file: str | None = getattr(module, "__file__", None)
    if file is not None:
        yield file
    yield from getattr(module, "__path__", ())


def _is_below(place: Path, folder: Path) -> bool:
    # An environment of Python's inside the project holds other people's packages.
    return place.is_relative_to(folder) and "site-packages" not in place.parts


@contextmanager
def explained(project: Path) -> Iterator[None]:
    """Turn what the project's own code raises into one message that names its line.

    What no line of the project's raised passes through: it is a bug of payinfra's.

    Raises:
        UsageProblem: the code raised something.
    """
    try:
        yield
    except PayinfraError as error:
        line = line_of(error, project)
        if not line or (isinstance(error, UsageProblem) and error.what.startswith(line)):
            raise
        raise UsageProblem(f"{line}: {error.what}", error.hint) from None
    # What ends a process, too: no file of a project is to end a deployment without a word.
    except (Exception, SystemExit) as error:
        if not (line := line_of(error, project)):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise UsageProblem(
                f"{line}: it needs the module {error.name!r}, which is not installed.",
                "Install it beside payinfra, and name it in requirements.txt beside payinfra.toml for CI.",
            ) from error
        said = str(error).strip().partition("\n")[0]
        if isinstance(error, SyntaxError):
            said = error.msg
        said = said if len(said) <= _MOST_SHOWN else f"{said[:_MOST_SHOWN]}…"
        raise UsageProblem(
            f"{line}: {type(error).__name__}{f': {said}' if said else ''}.".replace("..", "."),
            "Nothing was deployed. Correct that line, and try `payinfra synth`.",
        ) from error


def line_of(error: BaseException, project: Path) -> str:
    """`acme/infra.py:12`: the innermost line of the project's own that raised; empty where none did."""
    folder = project.resolve()
    if isinstance(error, SyntaxError) and error.filename and _is_below(Path(error.filename), folder):
        return f"{shown_path(Path(str(error.filename)), project)}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_below(Path(frame.filename), folder) and not _is_below(Path(frame.filename), _OWN):
            return f"{shown_path(Path(frame.filename), project)}:{frame.lineno}"
    return ""


_OWN = Path(__file__).resolve().parents[1]
"""payinfra's own code: it may be below the project's folder, and is never blamed for the project's."""


def shown_path(file: Path, project: Path) -> str:
    """A file of the project as a person names it: from the project's folder on."""
    folder = project.resolve()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)

"""Checks and probes of a company's own: from installed packages, and from the folder `checks` of the project.

A package names its modules as entry points of the groups `payinfra.checks` and `payinfra.probes`; in the
folder every module is taken, and may hold both. They are made with the same decorators as ours, have
ids with a prefix of their own, and are listed, explained, waived and reported like those.
"""

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Protocol

from payinfra.checks.verdicts import Rule
from payinfra.core.errors import UsageProblem
from payinfra.core.project_imports import explained, project_imports, shown_path
from payinfra.core.setting_declarations import TOML_NAME

FOLDER = "checks"
CHECKS_GROUP, PROBES_GROUP = "payinfra.checks", "payinfra.probes"
OURS = ("PI-", "LIVE-")
"""What the ids of payinfra's own checks and probes begin with."""


class Plugin(Protocol):
    """A check or a probe."""

    @property
    def rule(self) -> Rule:
        """What a person reads about it."""
        ...


def found_in(project: Path | None, installed: Iterable[EntryPoint] | None = None) -> tuple[Plugin, ...]:
    """The checks and probes of a project and of installed packages, in the order of their modules.

    Args:
        project: the folder of payinfra.toml; None for the installed ones only.
        installed: the entry points; None for those of this Python.

    Raises:
        UsageProblem: a module cannot be imported, an id is payinfra's own, or is there twice.
    """
    if installed is None:
        installed = (*entry_points(group=CHECKS_GROUP), *entry_points(group=PROBES_GROUP))
    found: dict[str, Plugin] = {}
    for where, module in (*_packages(installed), *_files(project)):
        for one in _defined_in(module):
            id_ = one.rule.id
            if id_.startswith(OURS):
                raise UsageProblem(
                    f"{where}: {id_} begins as payinfra's own ids do.",
                    "Choose a prefix of your own, such as ACME-S3-001.",
                )
            if id_ in found:
                raise UsageProblem(
                    f"{where}: {id_} is there twice.", "Give each check and each probe an id of its own."
                )
            found[id_] = one
    return tuple(found.values())


def defined_at(one: Plugin, project: Path) -> str:
    """Where a company's own check or probe is defined, such as `checks/queues.py:9`; empty for ours."""
    code = getattr(getattr(one, "judge", None), "__code__", None)
    if code is None or one.rule.id.startswith(OURS):
        return ""
    return f"{shown_path(Path(code.co_filename).resolve(), project)}:{code.co_firstlineno}"


def _defined_in(module: ModuleType) -> Iterator[Plugin]:
    """The checks and probes of a module, without those that it imports."""
    for value in vars(module).values():
        made_in = getattr(getattr(value, "judge", None), "__module__", "")
        if isinstance(getattr(value, "rule", None), Rule) and made_in == module.__name__:
            yield value


def _packages(installed: Iterable[EntryPoint]) -> list[tuple[str, ModuleType]]:
    modules: dict[str, tuple[str, ModuleType]] = {}
    for entry in installed:
        where = f"The entry point {entry.name} of {entry.group}"
        try:
            module = entry.load()
        except Exception as error:
            raise UsageProblem(
                f"{where} cannot be loaded: {type(error).__name__}: {error}.",
                "Mend or uninstall the package that has it.",
            ) from error
        if not isinstance(module, ModuleType):
            raise UsageProblem(f"{where} is no module.", "Name the module that has the checks or probes.")
        modules[module.__name__] = (where, module)
    return list(modules.values())


def _files(project: Path | None) -> list[tuple[str, ModuleType]]:
    # Without a payinfra.toml beside it, a folder of this name is somebody else's.
    if project is None or not (project / TOML_NAME).is_file():
        return []
    folder = project / FOLDER
    files = [file for file in sorted(folder.glob("*.py")) if not file.name.startswith(("_", "test_"))]
    with project_imports(project), explained(project):
        return [(shown_path(file.resolve(), project), _imported(file)) for file in files]


def _imported(file: Path) -> ModuleType:
    """A module of the folder, under a name that no installed one has."""
    name = f"payinfra_project_checks_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise UsageProblem(f"{file} cannot be imported.", "Rename it, or move it away.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

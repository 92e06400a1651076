"""Finds the function that extends the stack, in the project's own Python.

Importing this module loads neither cdktf nor the project's code.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payinfra.core.errors import UsageProblem, did_you_mean
from payinfra.core.project_imports import explained, import_from_project, project_imports, shown_path
from payinfra.core.setting_declarations import TOML_NAME

if TYPE_CHECKING:
    from payinfra.stacks.extension import Extend


@dataclass(frozen=True)
class ExtensionSource:
    """Where the function that extends a stack comes from.

    Attributes:
        extend: the function, or `MODULE:FUNCTION`, which is imported from the project's folder.
        project: the folder of payinfra.toml. Errors name the line of a file below it.
    """

    extend: "Extend | str"
    project: Path = Path()

    @contextmanager
    def loaded(self) -> Iterator["Extend"]:
        """The function, while the project's folder is the first to import from.

        What was imported from the folder is forgotten afterwards, so that each synthesis runs the files as
        they are, and no project gets the modules of another.

        Raises:
            UsageProblem: there is no such module or function, it does not take three arguments, or it
                raised; the message names the line.
        """
        with project_imports(self.project), explained(self._home):
            yield self._function()

    @property
    def _home(self) -> Path:
        """The folder of its code: of the project, or of the script that passes a function."""
        code = getattr(self.extend, "__code__", None)
        return Path(code.co_filename).parent if code else self.project

    def _function(self) -> "Extend":
        found: Any
        if isinstance(self.extend, str):
            module_name, _, name = self.extend.partition(":")
            module = import_from_project(module_name, self.project, f"{TOML_NAME}: [stack] extend")
            found = getattr(module, name, None)
            where = getattr(module, "__file__", None) or module_name
            if found is None:
                functions = [key for key, value in vars(module).items() if callable(value)]
                raise UsageProblem(
                    f"{shown_path(Path(where), self.project)} has no function {name!r}"
                    f"{did_you_mean(name, functions)}.",
                    "Name one in [stack] extend, as MODULE:FUNCTION.",
                )
        else:
            found, where, name = self.extend, "", getattr(self.extend, "__name__", "extend")
        try:
            inspect.signature(found).bind(None, None, None)
        except TypeError:
            place = f" in {shown_path(Path(where), self.project)}" if where else ""
            raise UsageProblem(
                f"{name}{place} cannot be called with three arguments.",
                "Write `def extend(stack, primary, secondary):`.",
            ) from None
        function: Extend = found
        return function

"""Finds the function that extends the stack, in the project's own Python.

Importing this module loads neither cdktf nor the project's code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.core.project_imports import callable_as, explained, function_from_project, project_imports

if TYPE_CHECKING:
    from payinfra.stacks.extension import Extend

_SHAPE = "extend(stack, primary, secondary)"


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
        if isinstance(self.extend, str):
            return function_from_project(self.extend, self.project, "[stack] extend", _SHAPE)
        return callable_as(self.extend, _SHAPE, getattr(self.extend, "__name__", "extend"))

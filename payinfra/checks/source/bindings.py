"""What the installed CDKTF bindings of the AWS provider define, found by reading their files.

Importing them takes seconds (2,135 submodules). A submodule's classes are read from its file by their
`class` lines, and the first class of each of the others, which is its resource or data source, only once a
name is not found where it was looked for.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path

PACKAGE = "cdktf_cdktf_provider_aws"
_CLASS = re.compile(rb"^class (\w+)\b", re.MULTILINE)
_HEAD_BYTES = 16_384


@dataclass(frozen=True)
class BindingsFolder:
    """The bindings' folder."""

    folder: Path

    @cached_property
    def modules(self) -> frozenset[str]:
        """The names of all submodules."""
        return frozenset(
            one.name for one in self.folder.iterdir() if one.is_dir() and not one.name.startswith("_")
        )

    def classes(self, module: str) -> tuple[str, ...]:
        """The classes that a submodule defines, in the order of its file; none without such a module."""
        return self._read(module, None)

    def suggestion(self, name: str, module: str = "") -> str:
        """The nearest right import for a wrong one, as a line of Python; empty where nothing is near.

        Args:
            name: the class that was asked for; empty where only a module was.
            module: the submodule it was asked of; empty for the package itself.
        """
        if not name:
            near = get_close_matches(module, sorted(self.modules), n=1)
            return f"import {PACKAGE}.{near[0]}" if near else ""
        found = _nearest(name, self.classes(module)) if module else ""
        if found:
            return f"from {PACKAGE}.{module} import {found}"
        found = _nearest(name, tuple(self._main_classes))
        return f"from {PACKAGE}.{self._main_classes[found]} import {found}" if found else ""

    @cached_property
    def _main_classes(self) -> dict[str, str]:
        return {
            name: module for module in sorted(self.modules) for name in self._read(module, _HEAD_BYTES)[:1]
        }

    def _read(self, module: str, limit: int | None) -> tuple[str, ...]:
        if module not in self.modules:
            return ()
        try:
            with (self.folder / module / "__init__.py").open("rb") as file:
                head = file.read() if limit is None else file.read(limit)
        except OSError:
            return ()
        return tuple(match.decode() for match in _CLASS.findall(head))


def installed(package: str = PACKAGE) -> BindingsFolder | None:
    """The bindings that Python would import, found without importing them; None where there are none."""
    spec = PathFinder.find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return BindingsFolder(Path(next(iter(places)))) if places else None


def _nearest(name: str, known: tuple[str, ...]) -> str:
    """jsii ends a class in `A` where its name would hide a namespace, so that is tried first."""
    for candidate in (name, f"{name}A"):
        if candidate in known:
            return candidate
    near = get_close_matches(name, known, n=1, cutoff=0.8)
    return near[0] if near else ""

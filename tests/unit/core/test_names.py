"""Names in the code: no two public classes share one, and none is a figure of speech from its past."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RETIRED = frozenset(
    (
        *("hands", "lever", "leash", "strays", "reckoning", "tally", "waves", "signpost", "saying", "sight"),
        *("till", "bench", "switchboard", "lane", "besides"),
    )
)
"""Words that were names of modules, classes or functions, and that a newcomer had to decode."""
RETIRED_CLASSES = frozenset(("Place", "Part", "World", "Title"))
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_DEFINITION = re.compile(r"^[ \t]*(?:async )?(def|class) (\w+)", re.MULTILINE)


def definitions(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Every class and function: the module that defines it, `class` or `def`, and its name."""
    for path in sorted(root.rglob("*.py")):
        for kind, name in _DEFINITION.findall(path.read_text(encoding="utf-8")):
            yield path.relative_to(root), kind, name


def words(name: str) -> set[str]:
    """The words of a name: `_free_lane` and `FreeLane` have `free` and `lane`."""
    return {word.lower() for word in _WORD.findall(name)}


def retired(root: Path) -> list[str]:
    """What bears a retired name, as `module: name`."""
    modules = [f"{path.relative_to(root)}" for path in root.rglob("*.py") if words(path.stem) & RETIRED]
    named = [
        f"{path}: {name}"
        for path, kind, name in definitions(root)
        if words(name) & RETIRED or (kind == "class" and name.strip("_") in RETIRED_CLASSES)
    ]
    return modules + named


def shared(*roots: Path) -> dict[str, list[str]]:
    """The public classes of one name, by that name."""
    found = defaultdict(list)
    for root in roots:
        for path, kind, name in definitions(root):
            if kind == "class" and not name.startswith("_"):
                found[name].append(str(path))
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    assert shared(*(ROOT / folder for folder in ("bench", "handlers", "payinfra", "scripts"))) == {}


@pytest.mark.parametrize("folder", ["bench", "handlers", "payinfra", "scripts", "tests"])
def test_no_module_class_or_function_bears_a_retired_name(folder: str) -> None:
    assert retired(ROOT / folder) == []


def test_what_is_looked_for_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "waves.py").write_text("class World: ...\nclass Same: ...\nasync def take_lane(): ...\n")
    (tmp_path / "other.py").write_text("class Same: ...\nclass _Own: ...\ndef shaking(): ...\n")
    (tmp_path / "third.py").write_text("class _Own: ...\nclass Worlds:\n    def bench(self): ...\n")
    assert retired(tmp_path) == ["waves.py", "third.py: bench", "waves.py: World", "waves.py: take_lane"]
    assert shared(tmp_path) == {"Same": ["other.py", "waves.py"]}

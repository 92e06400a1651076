"""Runs the unit and synth tests that a change can reach: `python -m scripts.quick`, or all with `--all`.

A file of tests runs if it has not passed yet with its inputs as they are now. The inputs are read from the
code, without running it:

- the modules that it and its conftests import, and those that these import, wherever the import stands;
- modules that a text names with dots, as in a script for another process;
- where code imports by name at run time (`import_module`, `pkgutil`), all modules of the packages it imports;
- templates, schemas and all other files that are no modules, in each room from which it imports something;
- every file that a text names, and all files below a folder that a text begins with: `docs/verify.md`;
- the whole repository, where tests themselves walk through its folders or read its source code.

The interpreter, the installed packages, the locked requirements, the project's configuration and this module
are inputs of all tests. docs/adr/0025-tests-that-a-change-reaches.md has the reasons.
"""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
TIERS = ("tests/synth", "tests/unit")
RULES = "scripts/quick.py"
STATE = ".pytest_cache/quick.json"
# What decides for every test whether and how it runs.
EVERYWHERE = (
    "pyproject.toml",
    "requirements.lock",
    "tests/conftest.py",
    # What pytest loads with payinfra's own plug-in.
    *("payinfra/__init__.py", "payinfra/pytest_plugin.py"),
    *("payinfra/core/__init__.py", "payinfra/core/version.py"),
    RULES,
)
WALKS = frozenset({"glob", "rglob", "iterdir", "walk", "listdir", "scandir"})
# How code says where it stands: other folders that tests walk through are of their own making.
STANDS = frozenset({"__file__", "cwd", "getcwd"})
INSPECTS = frozenset({"walk_packages", "iter_modules", "getsource", "getsourcefile", "getfile"})
BY_NAME = frozenset({"import_module", "iter_modules", "walk_packages", "run_path", "run_module"})
PROGRAMS = frozenset({"payinfra"})
PRODUCT = ("payinfra/", "handlers/")
# Files of which nearly every folder has one.
EVERY_FOLDER = frozenset({"__init__.py", "__main__.py", "conftest.py", ".gitignore"})
# Folders that texts name for other reasons than to read them.
NOT_NAMED = frozenset({"payinfra", "."})
_PATH = re.compile(r"\S{1,200}")
_DOTTED = re.compile(r"\b(?:payinfra|handlers|scripts|tests|bench)(?:\.\w+)+")
_WHOLE = re.compile(r"\b(?:import|-m) (payinfra|handlers|scripts)\b(?!\.)")
_FROM = re.compile(r"\bfrom ((?:payinfra|handlers|scripts|tests|bench)[\w.]*) import ([\w, ]+)")


@dataclass(frozen=True)
class SourceNames:
    """What one module of Python names.

    Attributes:
        imports: what it imports, written out in full: modules, and names within them.
        words: the literal texts that may be a path or a name, without docstrings.
        named: the modules of this repository that its texts name.
        walks: whether it goes through folders.
        stands: whether it finds files by where it stands.
        inspects: whether it lists packages or reads source code.
        by_name: whether it imports modules whose names it computes.
    """

    imports: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    walks: bool = False
    stands: bool = False
    inspects: bool = False
    by_name: bool = False


def names_of(path: str, source: str) -> SourceNames:
    """What a module names. One that cannot be parsed names nothing: its own text is an input all the same."""
    try:
        pending: list[ast.AST] = [ast.parse(source)]
    except SyntaxError:
        return SourceNames()
    package = PurePosixPath(path).parent.parts
    imports: set[str] = set()
    texts: set[str] = set()
    used: set[str] = set()
    while pending:
        node = pending.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pending += node.orelse
                continue
            case ast.Expr(value=ast.Constant(value=str())):
                continue
            case ast.Import():
                imports.update(one.name for one in node.names)
            case ast.ImportFrom():
                above = package[: len(package) - node.level + 1] if node.level else ()
                base = ".".join((*above, *([node.module] if node.module else ())))
                imports.update(f"{base}.{one.name}" for one in node.names)
                used.update(one.name for one in node.names)
            case ast.Constant(value=str() as text):
                texts.add(text)
            case ast.Name(id=name) | ast.Attribute(attr=name):
                used.add(name)
            case _:
                pass
        pending += ast.iter_child_nodes(node)
    dotted = {name for text in texts for name in _DOTTED.findall(text)}
    for base, listed in (found for text in texts for found in _FROM.findall(text)):
        dotted.update(f"{base}.{name.split()[0]}" for name in listed.split(",") if name.strip())
    whole: set[str] = set()
    # In a message of payinfra's these words are no program.
    if not path.startswith(PRODUCT):
        whole.update(name for text in texts for name in _WHOLE.findall(text))
        if "-m" in texts:
            whole |= texts & PROGRAMS
            whole.update(f"{name}.__main__" for name in dotted | whole)
    return SourceNames(
        tuple(sorted(imports)),
        tuple(sorted(text for text in texts if _PATH.fullmatch(text))),
        tuple(sorted(dotted.union(whole))),
        not used.isdisjoint(WALKS),
        not used.isdisjoint(STANDS),
        not used.isdisjoint(INSPECTS),
        not used.isdisjoint(BY_NAME),
    )


def room_of(path: str) -> str:
    """The folder whose files belong together: `payinfra/drill`, `tests/unit/drill`, `tests/support`."""
    parts = PurePosixPath(path).parts[:-1]
    return "/".join(parts[: 3 if parts[:1] == ("tests",) and parts[1:2] != ("support",) else 2])


@dataclass
class Repository:
    """The files of a repository, and what each needs.

    Attributes:
        hashes: the content's checksum of every file that git tracks or would add, by its path from the root.
        sources: what each module of Python names.
    """

    hashes: Mapping[str, str]
    sources: Mapping[str, SourceNames]
    _needs: dict[tuple[str, bool], tuple[frozenset[tuple[str, bool]], frozenset[str]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.modules = {
            path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
            for path in self.sources
        }
        self.by_name: dict[str, set[str]] = {}
        self.data: dict[str, set[str]] = {}
        self.folders: dict[str, set[str]] = {}
        for path in self.hashes:
            pure = PurePosixPath(path)
            self.by_name.setdefault(pure.name, set()).add(path)
            if pure.suffix != ".py":
                self.data.setdefault(room_of(path), set()).add(path)
            for folder in pure.parents:
                self.folders.setdefault(str(folder), set()).add(path)

    def tests(self) -> tuple[str, ...]:
        """The files of tests of the tiers, in their order."""
        return tuple(
            path
            for tier in TIERS
            for path in sorted(self.sources)
            if path.startswith(f"{tier}/") and PurePosixPath(path).name.startswith("test_")
        )

    def inputs(self, test: str) -> frozenset[str]:
        """Every file that can change what a file of tests says."""
        conftests = [f"{folder}/conftest.py" for folder in PurePosixPath(test).parents]
        pending = [(path, True) for path in (test, *conftests) if path in self.sources]
        seen: set[tuple[str, bool]] = set()
        files: set[str] = set()
        while pending:
            module = pending.pop()
            if module in seen:
                continue
            seen.add(module)
            if module not in self._needs:
                self._needs[module] = self._read(*module)
            imported, read = self._needs[module]
            pending += imported
            files |= read
        modules = {path for path, _ in seen}
        rooms = {room_of(path) for path in modules}
        return frozenset(modules | files | {path for room in rooms for path in self.data.get(room, ())})

    def _read(self, path: str, wanted: bool) -> tuple[frozenset[tuple[str, bool]], frozenset[str]]:
        """What a module needs, and the files that it reads.

        Args:
            wanted: whether somebody imports the module itself. The packages above it run too, but nobody
                calls what is in them.
        """
        source = self.sources[path]
        if not wanted:
            return frozenset(one for name in source.imports for one in self._resolved(name)), frozenset()
        if not path.startswith(PRODUCT) and (source.inspects or self._walks_here(path)):
            return frozenset(), frozenset(self.hashes)
        # `payinfra.toml` is no module.
        named = {
            name for name in source.named if "." not in name or ".".join(name.split(".")[:2]) in self.modules
        }
        imports = named.union(source.imports)
        found = {module for name in imports for module in self._resolved(name)}
        if source.by_name:
            packages = (self.modules.get(name, "") for name in imports)
            found |= {
                (file, True)
                for package in packages
                if package.endswith("/__init__.py")
                for file in self.folders[package.removesuffix("/__init__.py")]
                if file in self.sources
            }
        read = {file for word in source.words for file in self._named(word)}
        # A module that is run as a file, or imported by a name, needs what it imports.
        beside = {*source.words} | ({f"{word}.py" for word in source.words} if source.by_name else set())
        beside = {str(PurePosixPath(path).parent / name) for name in beside}
        found |= {(file, True) for file in beside if file in self.sources}
        if path.startswith(PRODUCT):
            # What it reads is installed with it: pages are named in messages only.
            read = {file for file in read if file.startswith(PRODUCT)}
        return frozenset(found), frozenset(read)

    def _walks_here(self, path: str) -> bool:
        """Whether a module walks through folders, and it or one that it imports finds files from here."""
        source = self.sources[path]
        beside = (one for name in source.imports for one, _ in self._resolved(name))
        known = (path, *(one for one in beside if not one.startswith(PRODUCT)))
        return source.walks and any(self.sources[one].stands for one in known)

    def _resolved(self, name: str) -> Iterable[tuple[str, bool]]:
        """The modules that importing a name runs: the longest that there is of it, and the packages above."""
        parts = name.split(".")
        found = [
            path
            for length in range(1, len(parts) + 1)
            if (path := self.modules.get(".".join(parts[:length]))) is not None
        ]
        for path in found:
            yield path, path == found[-1]

    def _named(self, word: str) -> Iterable[str]:
        """The files that a text names: by file name, or by folder."""
        if (name := word.rpartition("/")[2]) not in EVERY_FOLDER:
            yield from self.by_name.get(name, ())
        if (first := word.partition("/")[0]) not in NOT_NAMED:
            yield from self.folders.get(first, ())


def read_repository(root: Path, known: Mapping[str, SourceNames]) -> Repository:
    """The files of a repository as they are now.

    Args:
        known: what modules name, by the checksum of their path and content, from an earlier run.
    """
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True)
    contents = {
        path: (root / path).read_bytes()
        for path in sorted({*done.stdout.split("\0")})
        if (root / path).is_file()
    }
    hashes = {path: _checksum(path, content.hex()) for path, content in contents.items()}
    sources = {
        path: known.get(hashes[path]) or names_of(path, content.decode(errors="replace"))
        for path, content in contents.items()
        if path.endswith(".py")
    }
    return Repository(hashes, sources)


def fingerprints(repository: Repository, machine: Sequence[str] = ()) -> dict[str, str]:
    """For each file of tests a checksum of everything that it reads.

    Args:
        machine: what else all tests depend on.
    """
    always = [repository.hashes.get(path, "") for path in EVERYWHERE]
    return {
        test: _checksum(
            *machine, *always, *(repository.hashes[path] for path in sorted(repository.inputs(test)))
        )
        for test in repository.tests()
    }


class Outcomes:
    """A plug-in of pytest that notes which files of tests failed."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test has ended."""
        if report.failed:
            self.failed.add(report.nodeid.partition("::")[0])


def passed_now(
    fingerprint_of: Mapping[str, str],
    before: Mapping[str, str],
    chosen: Iterable[str],
    failed: Iterable[str],
    status: int,
) -> dict[str, str]:
    """The files of tests that have passed, each with the checksum of what it then read.

    A run that was interrupted, or that could not collect its tests, says nothing about those it was to run.
    """
    ended = status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    passed = {*chosen} - {*failed} if ended else set()
    earlier = {test: known for test, known in before.items() if test in fingerprint_of and test not in chosen}
    return earlier | {test: fingerprint_of[test] for test in passed}


def _checksum(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _machine() -> tuple[str, ...]:
    """The interpreter and the installed packages, whose folders' names have their versions."""
    packages = sorted(path.name for path in Path(sysconfig.get_path("purelib")).glob("*-info"))
    return (sys.version, *packages)


def _kept(state: Path, rules: str) -> tuple[dict[str, SourceNames], dict[str, str]]:
    """What modules name, and what has passed, as the last run left it. Without it all tests run."""
    try:
        kept = json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}, {}
    names = kept["names"] if kept["rules"] == rules else {}
    return {key: SourceNames(**value) for key, value in names.items()}, kept["passed"]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Run the tests of a repository, and return pytest's exit code."""
    state = root / STATE
    rules = _checksum(Path(__file__).read_text(encoding="utf-8"))
    known, before = _kept(state, rules)
    repository = read_repository(root, known)
    fingerprint_of = fingerprints(repository, _machine())
    chosen = [test for test, now in fingerprint_of.items() if "--all" in arguments or before.get(test) != now]
    sys.stdout.write(
        f"Tests: {len(chosen)} of {len(fingerprint_of)} files; the others passed with all that they read.\n"
    )
    sys.stdout.flush()
    outcomes = Outcomes()
    status = 0
    if chosen:
        workers = "2" if len(chosen) > 1 else "0"
        options = ["-n", workers, "--dist", "loadfile", "--no-loadscope-reorder"]
        status = int(pytest.main([*options, *chosen], plugins=[outcomes]))
    # What pytest was told to leave out has not passed.
    if "PYTEST_ADDOPTS" not in os.environ:
        passed = passed_now(fingerprint_of, before, chosen, outcomes.failed, status)
        names = {repository.hashes[path]: asdict(source) for path, source in repository.sources.items()}
        state.parent.mkdir(exist_ok=True)
        written = state.with_suffix(".new")
        written.write_text(json.dumps({"rules": rules, "names": names, "passed": passed}), encoding="utf-8")
        written.replace(state)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

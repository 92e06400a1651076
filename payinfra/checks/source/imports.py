"""PI-SRC: what the infrastructure code imports is there."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from payinfra.checks.source.bindings import PACKAGE, BindingsFolder, installed
from payinfra.checks.source.model import SourceFile, SourceTree, source_check
from payinfra.checks.verdicts import Severity, Verdict


@dataclass(frozen=True)
class BindingUse:
    """One thing of the bindings that a file uses: `name` of submodule `module`; either may be empty."""

    module: str
    name: str
    line: int


@source_check(
    id="PI-SRC-001",
    title="Every import of the AWS bindings resolves in the installed package",
    severity=Severity.HIGH,
    risk="Synthesis stops with an ImportError, at the first such import and only at that one.",
    fix="Import the name that the finding suggests.",
)
def imports_resolve(tree: SourceTree) -> Iterator[Verdict]:
    """Compare the imports with the files of the installed bindings."""
    yield from judge_imports(tree, installed())


def judge_imports(tree: SourceTree, bindings: BindingsFolder | None) -> Iterator[Verdict]:
    """Compare the imports with the given bindings."""
    used = False
    for file in tree.files:
        if file.tree is None:
            yield file.unparsed()
            continue
        for wanted in wanted_of(file):
            used = True
            if bindings is None:
                yield Verdict.unknown(f"{PACKAGE} is not installed", file=file.shown, line=wanted.line)
                return
            yield _judge(wanted, bindings, file)
    if not used:
        yield Verdict.not_applicable(f"nothing imports {PACKAGE}")


def wanted_of(file: SourceFile) -> Iterator[BindingUse]:
    """Everything that a file takes from the bindings, by import or through an imported submodule."""
    submodules: dict[str, str] = {}
    packages: set[str] = set()
    for node in file.nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    package, _, module = alias.name.partition(".")
                    if package != PACKAGE:
                        continue
                    if module:
                        yield BindingUse(module.partition(".")[0], "", node.lineno)
                    if alias.asname and module:
                        submodules[alias.asname] = module
                    else:
                        packages.add(alias.asname or package)
            case ast.ImportFrom(module=str(source), names=names, level=0):
                package, _, module = source.partition(".")
                if package != PACKAGE:
                    continue
                for alias in names:
                    if module:
                        yield BindingUse(module, "" if alias.name == "*" else alias.name, node.lineno)
                    elif alias.name != "*":
                        # A class may be asked of the package itself, which has submodules only.
                        is_module = alias.name.islower()
                        yield BindingUse(
                            alias.name if is_module else "", "" if is_module else alias.name, node.lineno
                        )
                        if is_module:
                            submodules[alias.asname or alias.name] = alias.name
            case _:
                pass
    yield from _attributes(file, submodules, packages)


def _attributes(file: SourceFile, submodules: dict[str, str], packages: set[str]) -> Iterator[BindingUse]:
    for node in file.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in submodules:
                if attribute[:1].isupper():
                    yield BindingUse(submodules[name], attribute, node.lineno)
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id=name), attr=module), attr=attribute) if (
                name in packages
            ):
                if attribute[:1].isupper():
                    yield BindingUse(module, attribute, node.lineno)
            case _:
                pass


def _judge(wanted: BindingUse, bindings: BindingsFolder, file: SourceFile) -> Verdict:
    module_there = wanted.module in bindings.modules
    if module_there and (not wanted.name or wanted.name in bindings.classes(wanted.module)):
        return Verdict.passed()
    where = f"{PACKAGE}.{wanted.module}" if wanted.module else PACKAGE
    problem = f"{where} has no {wanted.name}" if not wanted.module or module_there else f"there is no {where}"
    suggestion = bindings.suggestion(wanted.name, wanted.module)
    advice = f"; write `{suggestion}`" if suggestion else ""
    return Verdict.failed(f"{problem}{advice}", file=file.shown, line=wanted.line)

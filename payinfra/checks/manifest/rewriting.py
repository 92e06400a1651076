"""Writes the expressions of a plan's source anew, so that they refer to the whole stack.

`var.key_arn` in a module becomes what the caller passes, `local.key` what it stands for, `each.key` the key,
`module.keys["data"].arn` what that output is: until all that is left are constants, and resources by their
full addresses.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from payinfra.checks.manifest import folders
from payinfra.checks.manifest.configuration import Module, bind, unfolded
from payinfra.checks.manifest.content import Body
from payinfra.checks.manifest.expressions import KnownNames, Resolver, bound
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.syntax import (
    FunctionCall,
    IndexStep,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Splat,
    Step,
    Traversal,
    Unparsable,
    as_template,
    instance_key,
    into,
    of_template,
    of_value,
    replaced,
    resource_of,
    size_of,
)
from payinfra.checks.manifest.templates import is_literal
from payinfra.core.errors import EnvironmentUnusable

_MOST_NODES = 20_000
_MOST_FILE = 256 * 1024
_DIRECTIVE = re.compile(r"(?<!%)%\{")
"""Loops and conditions of a template, which are not evaluated here."""
_INSTALLED = Path(".terraform") / "modules" / "modules.json"
_CALL = re.compile(r"(?:(?P<outer>.*)\.)?module\.(?P<name>[\w-]+)(?P<key>\[.*\])?", re.DOTALL)


def segments(path: str) -> tuple[str, str, Json]:
    """Of `module.a.module.b[0]` the path of the calling module, the name of the call, and the key."""
    match = _CALL.fullmatch(path)
    if match is None:
        return "", "", None
    # A key may hold anything, what looks like a module too.
    outer, name, key = match["outer"] or "", match["name"], match["key"]
    return outer, name, json.loads(key[1:-1]) if key else None


@dataclass(frozen=True)
class ModuleInstance:
    """One instance of a module: who calls it, by which name, and its key. The root has no caller."""

    caller: "ModuleInstance | None" = None
    name: str = ""
    key: Json = None

    @cached_property
    def path(self) -> str:
        """`module.keys["data"]`; empty for the root."""
        if self.caller is None:
            return ""
        own = f"module.{self.name}{instance_key(self.key) if self.key is not None else ''}"
        return f"{self.caller.path}.{own}" if self.caller.path else own

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The path as the beginning of a name."""
        if self.caller is None:
            return ()
        own: tuple[Step, ...] = ("module", self.name)
        if isinstance(self.key, str | int):
            own = (*own, IndexStep(Literal(self.key)))
        return (*self.caller.steps, *own)


class Tree:
    """The configuration of a stack: the root module, and those that it calls as far as they lie beside it."""

    def __init__(self, root: Module) -> None:
        self.root = root
        self._modules: dict[tuple[str, ...], Module | None] = {(): root}

    @cached_property
    def _installed(self) -> Mapping[str, Path]:
        """Where `terraform init` has put each module, by the names of the calls with dots between."""
        try:
            listed = json.loads((self.root.folder / _INSTALLED).read_text(encoding="utf-8"))
            return {one["Key"]: self.root.folder / one["Dir"] for one in listed["Modules"]}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def module(self, instance: ModuleInstance) -> Module | None:
        """The files of a module; None where they are not there, or cannot be read."""
        names: list[str] = []
        at: ModuleInstance | None = instance
        while at is not None and at.caller is not None:
            names.insert(0, at.name)
            at = at.caller
        return self._module(tuple(names))

    def _module(self, names: tuple[str, ...]) -> Module | None:
        if names not in self._modules:
            self._modules[names] = None
            caller = self._module(names[:-1])
            folder = self._installed.get(".".join(names))
            source = call_of(caller, names[-1]).get("source") if caller is not None else None
            if folder is None and caller is not None and isinstance(source, str) and source.startswith("."):
                folder = caller.folder / source
            if folder is not None:
                with suppress(EnvironmentUnusable):  # what cannot be read is followed by the references
                    self._modules[names] = folders.module_of(folder)
        return self._modules[names]


def call_of(module: Module, name: str) -> Body:
    """The block that calls a module; empty where there is none."""
    return _only(module.named("module").get(name))


@dataclass(frozen=True)
class Written:
    """A resource as its source says it, with every expression written anew; its file and line."""

    body: Body
    file: str
    line: int


class Rewriter:
    """Writes expressions anew.

    Args:
        tree: the configuration.
        variables: the values of the root's variables.
        keys: the keys of all instances of each resource, by its full address without an instance.
    """

    def __init__(self, tree: Tree, variables: Mapping[str, Json], keys: Mapping[str, Sequence[Json]]) -> None:
        self._tree = tree
        self._variables = variables
        self._keys = keys
        self._modules: dict[tuple[str, str], list[ModuleInstance]] = {}
        self._known: dict[tuple[str, str, str], Node | None] = {}
        self._under_way: set[tuple[str, str, str]] = set()
        self._resolver = Resolver(KnownNames(), through_resources=False)
        self._files: dict[str, str | None] = {}
        for base in keys:
            self._note(base)

    def _note(self, base: str) -> None:
        """Remember the modules in an address."""
        path = re.sub(r"\.?(?:data\.)?[\w-]+\.[\w-]+$", "", base)
        while path:
            outer, name, _ = segments(path)
            found = self._modules.setdefault((outer, name), [])
            instance = instance_of(path)
            if instance not in found:
                found.append(instance)
            path = outer

    def body(self, instance: ModuleInstance, address: str, key: Json) -> Written | None:
        """A resource of a module, for the instance with a key; None where its source is not there."""
        module = self._tree.module(instance)
        block = module.blocks.get(address) if module is not None else None
        if block is None:
            return None
        own = self._own_names(instance, block.body, key)
        body = {name: self._value(value, instance, own) for name, value in block.body.items()}
        return Written(unfolded(body, self._resolver), block.file, block.line)

    def output(self, name: str) -> Json:
        """An output of the root."""
        root = ModuleInstance()
        return self._value(_only(self._tree.root.named("output").get(name)).get("value"), root, {})

    def provider(self, instance: ModuleInstance, name: str, alias: Json) -> Body | None:
        """The configuration of a provider; None where its source is not there."""
        module = self._tree.module(instance)
        for own, body in module.providers() if module is not None else ():
            if own == name and body.get("alias") == alias:
                found: Body = {}
                for attribute, value in body.items():
                    found[attribute] = self._resolver.expand(self._value(value, instance, {}))
                return found
        return None

    def _own_names(self, instance: ModuleInstance, body: Body, key: Json) -> Mapping[str, Node]:
        """`each` and `count` of an instance."""
        if isinstance(key, bool) or not isinstance(key, str | int):
            return {}
        if isinstance(key, int):
            return {"count": ObjectOf(((Literal("index"), Literal(key)),))}
        each = self._tree_of(body.get("for_each"), instance, {})
        value: Node = Literal(key)
        if each is not None:
            # Of a set the value is the key: a step into a list by a text is the item that is that text.
            value = into(each, (IndexStep(Literal(key)),))
        return {"each": ObjectOf(((Literal("key"), Literal(key)), (Literal("value"), value)))}

    def _value(self, value: Json, instance: ModuleInstance, own: Mapping[str, Node]) -> Json:
        match value:
            case str() if "{" in value:
                tree = self._tree_of(value, instance, own)
                return (
                    value if tree is None or size_of(tree, _MOST_NODES) >= _MOST_NODES else as_template(tree)
                )
            case list():
                return [self._value(item, instance, own) for item in value]
            case dict():
                return {name: self._value(item, instance, own) for name, item in value.items()}
            case _:
                return value

    def _tree_of(self, value: Json, instance: ModuleInstance, own: Mapping[str, Node]) -> Node | None:
        try:
            return replaced(of_value(value), partial(self._name, instance, own), self._contents)
        except Unparsable:
            return None

    def _contents(self, call: FunctionCall) -> Node | None:
        """What `file` and `templatefile` give, where the file is there; None for other functions."""
        match call:
            case FunctionCall("file", (path,), False):
                text = self._file(path)
                # What looks like an expression in it is none.
                return None if text is None else of_value(text.replace("${", "$${").replace("%{", "%%{"))
            case FunctionCall("templatefile", (path, ObjectOf(pairs)), False):
                text = self._file(path)
                names = {key.value: value for key, value in pairs if isinstance(key, Literal)}
                if text is None or len(names) != len(pairs) or _DIRECTIVE.search(text):
                    return None
                try:
                    return bound(of_template(text), {str(name): value for name, value in names.items()})
                except Unparsable:
                    return None
            case _:
                return None

    def _file(self, path: Node) -> str | None:
        """The text of a file that is named from the root's folder; None where it cannot be read."""
        name = self._resolver.expand(as_template(path))
        if not isinstance(name, str) or not is_literal(name):
            return None
        if name not in self._files:
            self._files[name] = None
            file = self._tree.root.folder / name
            with suppress(OSError, ValueError):
                if file.is_file() and file.stat().st_size <= _MOST_FILE:
                    self._files[name] = file.read_text(encoding="utf-8")
        return self._files[name]

    def _name(self, instance: ModuleInstance, own: Mapping[str, Node], name: Traversal) -> Node | None:
        match name:
            case Traversal("var" | "local" as kind, (str(inner), *rest)):
                value = self._remembered(instance, kind, inner)
                return None if value is None else into(value, tuple(rest))
            case Traversal("each" | "count" as kind, steps):
                return into(own[kind], steps) if kind in own else None
            case Traversal("module", (str(call), *rest)):
                return self._output_of(instance, call, tuple(rest))
            case Traversal("path", ("module",)):
                return self._folder_of(instance)
            case _:
                return self._resource(instance, name)

    def _folder_of(self, instance: ModuleInstance) -> Node | None:
        """The folder of a module from the root's, as Terraform's `path.module`."""
        module = self._tree.module(instance)
        if module is None:
            return None
        return Literal(Path(os.path.relpath(module.folder, self._tree.root.folder)).as_posix())

    def _remembered(self, instance: ModuleInstance, kind: str, name: str) -> Node | None:
        key = (instance.path, kind, name)
        if key in self._under_way:
            return None
        if key not in self._known:
            self._under_way.add(key)
            try:
                found = self._look_up(instance, kind, name)
            finally:
                self._under_way.remove(key)
            # Names that name each other twice grow without end.
            if found is not None and size_of(found, _MOST_NODES) >= _MOST_NODES:
                found = None
            self._known[key] = found
        return self._known[key]

    def _look_up(self, instance: ModuleInstance, kind: str, name: str) -> Node | None:
        module = self._tree.module(instance)
        if kind == "local":
            if module is None or name not in module.locals:
                return None
            return self._tree_of(module.locals[name], instance, {})
        if kind == "output":
            block = _only(module.named("output").get(name)) if module is not None else {}
            return self._tree_of(block["value"], instance, {}) if "value" in block else None
        if instance.caller is None:
            return of_value(self._variables[name]) if self._variables.get(name) is not None else None
        caller = self._tree.module(instance.caller)
        call = call_of(caller, instance.name) if caller is not None else {}
        if name in call:
            return self._tree_of(
                call[name], instance.caller, self._own_names(instance.caller, call, instance.key)
            )
        if module is not None and module.variables.get(name) is not None:
            return of_value(module.variables[name])
        return None

    def _output_of(self, instance: ModuleInstance, call: str, steps: tuple[Step, ...]) -> Node | None:
        instances = self._modules.get((instance.path, call), [])
        match steps:
            case (IndexStep(Literal(key)), (str(output) | IndexStep(Literal(str(output)))), *rest):
                chosen = [one for one in instances if one.key == key]
            case (Splat(), str(output), *rest):
                parts = [self._remembered(one, "output", output) for one in instances]
                known = tuple(into(part, tuple(rest)) for part in parts if part is not None)
                return ListOf(known) if len(known) == len(parts) else None
            case (str(output), *rest):
                chosen = [one for one in instances if one.key is None]
            case () | (IndexStep(Literal()),):
                return into(self._whole(instances), steps)
            case _:
                return None
        if len(chosen) != 1:
            return None
        value = self._remembered(chosen[0], "output", output)
        return None if value is None else into(value, tuple(rest))

    def _whole(self, instances: Sequence[ModuleInstance]) -> Node:
        """A module as a value: an object of its outputs; of several instances a list or an object of such."""
        ones = [(one.key, self._outputs(one)) for one in instances]
        if len(ones) == 1 and ones[0][0] is None:
            return ones[0][1]
        if ones and all(isinstance(key, int) for key, _ in ones):
            return ListOf(tuple(outputs for _, outputs in sorted(ones, key=lambda one: str(one[0]).zfill(9))))
        return ObjectOf(tuple((Literal(str(key)), outputs) for key, outputs in ones))

    def _outputs(self, instance: ModuleInstance) -> Node:
        module = self._tree.module(instance)
        names = module.named("output") if module is not None else {}
        known = {name: self._remembered(instance, "output", name) for name in names}
        return ObjectOf(tuple((Literal(name), node) for name, node in known.items() if node is not None))

    def _resource(self, instance: ModuleInstance, name: Traversal) -> Node | None:
        found = resource_of(name)
        if found is None:
            return None
        steps: tuple[Step, ...] = (*instance.steps, name.root, *name.steps)
        at = len(instance.steps) + (3 if name.root == "data" else 2)
        own, rest = steps[:at], steps[at:]
        base = f"{instance.path}.{_plain(own[len(instance.steps) :])}".removeprefix(".")
        keys = [key for key in self._keys.get(base, ()) if isinstance(key, str | int)]
        if rest[:1] == (Splat(),):
            return ListOf(tuple(_traversal((*own, IndexStep(Literal(key)), *rest[1:])) for key in keys))
        if not rest and keys:
            ones = [(key, _traversal((*own, IndexStep(Literal(key))))) for key in keys]
            if all(isinstance(key, int) for key in keys):
                return ListOf(tuple(one for _, one in ones))
            return ObjectOf(tuple((Literal(key), one) for key, one in ones))
        return _traversal(steps)


def with_own_names(value: Json, key: Json) -> Json:
    """A value in which `each.key` and `count.index` are replaced by the key of an instance."""
    names: dict[str, Node] = {}
    if isinstance(key, str):
        names = {"each": ObjectOf(((Literal("key"), Literal(key)),))}
    elif isinstance(key, int) and not isinstance(key, bool):
        names = {"count": ObjectOf(((Literal("index"), Literal(key)),))}
    return bind(value, names) if names else value


def instance_of(path: str) -> ModuleInstance:
    """The instance of a module with that path."""
    if not path:
        return ModuleInstance()
    outer, name, key = segments(path)
    return ModuleInstance(instance_of(outer), name, key)


def _plain(steps: tuple[Step, ...]) -> str:
    return ".".join(step for step in steps if isinstance(step, str))


def _traversal(steps: tuple[Step, ...]) -> Traversal:
    root = steps[0]
    return Traversal(root if isinstance(root, str) else "", steps[1:])


def _only(value: Json) -> Body:
    """A block, written as an object or as a list of one."""
    match value:
        case dict():
            return value
        case [dict(only)]:
            return only
        case _:
            return {}

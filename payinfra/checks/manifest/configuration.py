"""Reads a module's files in Terraform's JSON syntax, and folds in what decides how many blocks there are.

- All files of a folder are one module, as for Terraform; overrides replace what they name.
- A variable is what it is given, else its default. Whether a resource exists is not decided by a default:
  that is a switch, and somebody may turn it.
- `count` and `for_each` make instances with Terraform's addresses; of 0 or of nothing they make none.
- `dynamic` blocks become blocks, behind the static ones of that name.

Source: Terraform's documentation, "JSON Configuration Syntax", "Override Files", "The count Meta-Argument",
"The for_each Meta-Argument", "dynamic Blocks".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from payinfra.checks.manifest import reading
from payinfra.checks.manifest.content import Body, Content, Entry
from payinfra.checks.manifest.expressions import KnownNames, Resolver, Unknown, bound
from payinfra.checks.manifest.functions import SetOfValues, as_number
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.syntax import (
    Conditional,
    IndexStep,
    Literal,
    Node,
    ObjectOf,
    Traversal,
    Unparsable,
    as_json,
    as_template,
    instance_key,
    names_in,
    of_expression,
    of_template,
    of_value,
    resource_of,
)
from payinfra.checks.manifest.templates import is_literal
from payinfra.core.errors import EnvironmentUnusable

_MOST_INSTANCES = 500


@dataclass(frozen=True)
class ConfigurationFile:
    """One file of a module.

    Attributes:
        file: its name.
        root: what stands in it.
        lines: the line of each block in it, by section and labels; nothing where that is not known.
    """

    file: str
    root: Body
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def overrides(self) -> bool:
        """Whether it replaces what other files say."""
        name = Path(self.file).name
        stem = name.removesuffix(".json").removesuffix(".tf")
        return stem == "override" or stem.endswith("_override")


@dataclass(frozen=True)
class _Instance:
    """One instance of a block: its key in the address, the names that are its own, and what decides on it."""

    key: str = ""
    names: Mapping[str, Node] | None = None
    conditional: str = ""


@dataclass(frozen=True)
class Given:
    """The values of variables that somebody gave.

    Attributes:
        values: by name; those of variables that the module does not have are passed over, as for Terraform.
        texts: by name, as on a command line: an expression, unless the variable is a text.
    """

    values: Mapping[str, Json] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


NOTHING_GIVEN = Given()


def read(
    sources: Sequence[ConfigurationFile], folder: Path, given: Given = NOTHING_GIVEN, shown: str = ""
) -> Content:
    """The module that these files make up.

    Args:
        sources: its files.
        folder: where relative paths start from.
        given: the values of variables.
        shown: what a person calls it; the first file by default.

    Raises:
        EnvironmentUnusable: a section is no block, something is there twice, or a given variable is not.
    """
    return Module(sources, folder, shown or sources[0].file, given).content()


@dataclass(frozen=True)
class DeclaredBlock:
    """One resource or data block, before it is known how many it makes. `line` is 0 where it is not known."""

    kind: str
    name: str
    body: Body
    data: bool
    file: str
    line: int = 0

    @property
    def address(self) -> str:
        """Its address within its module, without an instance."""
        return f"data.{self.kind}.{self.name}" if self.data else f"{self.kind}.{self.name}"


class Module:
    """The files of one folder, read together.

    Attributes:
        folder: where relative paths start from.
        locals: unresolved, as they stand.
        variables: the value of each variable that has one, given or by default.
    """

    def __init__(
        self, sources: Sequence[ConfigurationFile], folder: Path, shown: str, given: Given = NOTHING_GIVEN
    ) -> None:
        # What overrides comes last, each kind in the order of the names.
        self._sources = sorted(sources, key=lambda one: one.overrides)
        self.folder = folder
        self._shown = shown
        self.locals = self.named("locals")
        self._declared = {
            name: self._block(body, f"variable {name}") for name, body in self.named("variable").items()
        }
        strays = sorted(given.texts.keys() - self._declared.keys())
        if strays:
            raise EnvironmentUnusable(
                f"{shown} has no variable {strays[0]!r}.", "Give values to the variables that it declares."
            )
        self._given: Mapping[str, Json] = {
            **{name: value for name, value in given.values.items() if name in self._declared},
            **{name: _typed(text, self._declared[name].get("type")) for name, text in given.texts.items()},
        }
        defaults = {name: body["default"] for name, body in self._declared.items() if "default" in body}
        self.variables: Mapping[str, Json] = {**defaults, **self._given}
        self._resolver = Resolver(KnownNames(self.locals, self.variables), through_resources=False)
        self._counted: dict[str, tuple[_Instance, ...]] = {}
        self._counting: set[str] = set()

    def content(self) -> Content:
        """Everything that the files say."""
        return Content(
            file=self._shown,
            folder=self.folder,
            files=tuple(source.file for source in self._sources),
            providers=tuple(self.providers()),
            entries=tuple(self._entries()),
            outputs=tuple(
                (name, unfolded(self._block(body, f"output {name}"), self._resolver))
                for name, body in self.named("output").items()
            ),
            locals=self.locals,
            variables=self.variables,
            sensitive=frozenset(
                name for name, body in self._declared.items() if body.get("sensitive") is True
            ),
            modules=tuple(self.named("module")),
            settings=self._settings(),
            removed=tuple(self._removed()),
        )

    # -- sections ------------------------------------------------------------------------------------

    def named(self, section: str) -> dict[str, Json]:
        """The blocks, or the locals, of a section with one label, by that label, without comments.

        Raises:
            EnvironmentUnusable: two files have one of the same label, and neither is an override file.
        """
        found: dict[str, Json] = {}
        where: dict[str, str] = {}
        for source in self._sources:
            for name, body in reading.section(source.root.get(section), section, source.file).items():
                if name == "//":
                    continue
                if name in found and not source.overrides:
                    raise _twice(f"{section} {name!r}", where[name], source.file)
                before = found.get(name)
                found[name] = _overridden(before, body) if section != "locals" else body
                where[name] = source.file
        return found

    def _settings(self) -> Body:
        """The `terraform` blocks of all files."""
        found: Body = {}
        for source in self._sources:
            value = source.root.get("terraform")
            for block in value if isinstance(value, list) else [value]:
                found |= reading.section(block, "terraform", source.file)
        return found

    def _removed(self) -> Iterator[Body]:
        for source in self._sources:
            value = source.root.get("removed")
            for block in value if isinstance(value, list) else [value]:
                if block is not None:
                    yield reading.section(block, "removed", source.file)

    def _block(self, value: Json, what: str) -> Body:
        return reading.section(value, what, self._shown)

    def providers(self) -> Iterator[tuple[str, Body]]:
        """Name and configuration of each provider."""
        for source in self._sources:
            value = source.root.get("provider")
            for group in value if isinstance(value, list) else [value]:
                for name, bodies in reading.section(group, "provider", source.file).items():
                    if name == "//":
                        continue
                    for body in bodies if isinstance(bodies, list) else [bodies]:
                        block = reading.section(body, f"provider {name}", source.file)
                        yield name, unfolded(block, self._resolver)

    def _labelled(self, section: str) -> Mapping[str, DeclaredBlock]:
        found: dict[str, DeclaredBlock] = {}
        for source in self._sources:
            for kind, name, body in reading.labelled(source.root.get(section), section, source.file):
                line = source.lines.get((section, kind, name), 0)
                one = DeclaredBlock(kind, name, body, section == "data", source.file, line)
                before = found.get(one.address)
                if before is not None and not source.overrides:
                    raise _twice(one.address, before.file, source.file)
                if before is not None:
                    one = replace(before, body={**before.body, **body})
                found[one.address] = one
        return found

    @cached_property
    def blocks(self) -> Mapping[str, DeclaredBlock]:
        """Every resource and data block, by its address within the module."""
        return {**self._labelled("resource"), **self._labelled("data")}

    def _entries(self) -> Iterator[Entry]:
        for address, block in self.blocks.items():
            for instance in self._instances(address):
                body = block.body
                if instance.names is not None:
                    body = _bound(body, instance.names)
                yield Entry(
                    kind=block.kind,
                    name=block.name,
                    address=f"{address}{instance.key}",
                    body=unfolded(body, self._resolver),
                    data=block.data,
                    file=block.file,
                    conditional=instance.conditional,
                )

    # -- count and for_each --------------------------------------------------------------------------

    def _instances(self, address: str) -> tuple[_Instance, ...]:
        if address not in self._counted:
            if address in self._counting:
                return (_Instance(),)
            self._counting.add(address)
            body = self.blocks[address].body
            if body.get("count") is not None:
                found = tuple(self._by_count(body["count"]))
            elif body.get("for_each") is not None:
                found = tuple(self._by_each(body["for_each"]))
            else:
                found = (_Instance(),)
            self._counted[address] = found
        return self._counted[address]

    def _by_count(self, count: Json) -> Iterator[_Instance]:
        if isinstance(count, bool):  # which Terraform refuses
            yield _Instance()
            return
        switch = self._switch(count)
        number = self._number(count)
        if (number is None or switch) and self._surely_some(count):
            yield _Instance()
        elif number is None:
            yield _Instance(conditional=switch or _text(count))
        elif number <= 0:
            if switch:
                yield _Instance(conditional=switch)
        elif number > _MOST_INSTANCES:
            yield _Instance(conditional=switch)
        else:
            for index in range(number):
                names: dict[str, Node] = {"count": ObjectOf(((Literal("index"), Literal(index)),))}
                yield _Instance(instance_key(index), names, switch)

    def _number(self, count: Json) -> int | None:
        try:
            number = as_number(self._resolver.expand(count))
        except Unknown:
            return None
        return number if isinstance(number, int) else None

    def _by_each(self, each: Json) -> Iterator[_Instance]:
        switch = self._switch(each)
        entries = self._same_as(each)
        if entries is None:
            items = _items(self._resolver.expand(each))
            if items is None:
                yield _Instance(conditional=switch or _text(each))
                return
            entries = _keyed(items)
            if entries is None:  # there are some, whatever they are called
                yield _Instance(conditional=switch)
                return
        if not entries and switch:
            yield _Instance(conditional=switch)
        if len(entries) > _MOST_INSTANCES:
            yield _Instance(conditional=switch)
            return
        for key, value in entries:
            pairs: tuple[tuple[Node, Node], ...] = ((Literal("key"), Literal(key)), (Literal("value"), value))
            yield _Instance(instance_key(key), {"each": ObjectOf(pairs)}, switch)

    def _same_as(self, each: Json) -> list[tuple[str, Node]] | None:
        """`for_each = aws_s3_bucket.all`: one for each instance of another block."""
        name = _tree(each)
        if not isinstance(name, Traversal):
            return None
        found = resource_of(name)
        if found is None or found[1] or found[0] not in self.blocks:
            return None
        entries: list[tuple[str, Node]] = []
        for instance in self._instances(found[0]):
            each_object = (instance.names or {}).get("each")
            if not isinstance(each_object, ObjectOf) or instance.conditional:
                return None
            key = each_object.pairs[0][1]
            if not isinstance(key, Literal) or not isinstance(key.value, str):
                return None
            entries.append((key.value, Traversal(name.root, (*name.steps, IndexStep(key)))))
        return entries

    def _switch(self, value: Json) -> str:
        """The variables that decide on a value and were not given, as `${var.closed}`; empty without one."""
        names = sorted(self._behind(value) - self._given.keys())
        return "".join(f"${{var.{name}}}" for name in names)

    def _surely_some(self, count: Json) -> bool:
        """Whether a count is above 0 whichever way its condition goes."""
        tree = _tree(count)
        if not isinstance(tree, Conditional):
            return False
        numbers = [self._number(as_template(branch)) for branch in (tree.yes, tree.no)]
        return all(number is not None and number > 0 for number in numbers) and not any(
            self._switch(as_template(branch)) for branch in (tree.yes, tree.no)
        )

    def _behind(self, value: Json) -> frozenset[str]:
        """The variables that a value depends on, through locals too."""
        found: set[str] = set()
        seen: set[str] = set()
        todo: list[Json] = [value]
        while todo:
            tree = _tree(todo.pop())
            for name in names_in(tree) if tree is not None else ():
                match name:
                    case Traversal("var", (str(variable), *_)):
                        found.add(variable)
                    case Traversal("local", (str(local), *_)) if local not in seen:
                        seen.add(local)
                        todo.append(self.locals.get(local))
        return frozenset(found)


def _typed(text: str, type: Json) -> Json:
    """A value from a command line: a text is one for a variable without a type, or of the type string."""
    if not isinstance(type, str) or type in ("string", "${string}"):
        return text
    try:
        return as_json(of_expression(text))
    except Unparsable:
        return text


def _twice(what: str, first: str, second: str) -> EnvironmentUnusable:
    where = f"twice in {first}" if first == second else f"in {first} and in {second}"
    return EnvironmentUnusable(
        f"{what} is {where}.",
        "All files of a folder are one module, as for Terraform. Keep one of the two.",
    )


def _overridden(before: Json, body: Json) -> Json:
    return {**before, **body} if isinstance(before, dict) and isinstance(body, dict) else body


def _tree(value: Json) -> Node | None:
    try:
        return of_value(value)
    except Unparsable:
        return None


def _text(value: Json) -> str:
    """What decides, as a text with `${…}` in it."""
    if isinstance(value, str) and not is_literal(value):
        return value
    tree = _tree(value)
    return "${each.value}" if tree is None else as_template(tree)


def unfolded(body: Body, resolver: Resolver) -> Body:
    """The body with every `dynamic` block made into blocks, however deep."""
    return _unfold(body, resolver) if _has_dynamic(body) else body


def _unfold(body: Body, resolver: Resolver) -> Body:
    found: Body = {name: _unfold_value(value, resolver) for name, value in body.items() if name != "dynamic"}
    dynamic = body.get("dynamic")
    order = [*body]
    for group in dynamic if isinstance(dynamic, list) else [dynamic]:
        for name, specs in group.items() if isinstance(group, dict) else ():
            for spec in specs if isinstance(specs, list) else [specs]:
                made = _made(name, spec, resolver)
                if made:
                    before = found.get(name)
                    static = before if isinstance(before, list) else [] if before is None else [before]
                    # Terraform keeps them in the order of the file.
                    first = name in body and order.index("dynamic") < order.index(name)
                    found[name] = [*made, *static] if first else [*static, *made]
    return found


def _unfold_value(value: Json, resolver: Resolver) -> Json:
    match value:
        case dict():
            return _unfold(value, resolver)
        case list():
            return [_unfold_value(item, resolver) for item in value]
        case _:
            return value


def _made(name: str, spec: Json, resolver: Resolver) -> list[Json]:
    """The blocks that a `dynamic` block makes; one text with `${…}` in it where that is not known."""
    doubtful: list[Json] = [f'${{dynamic "{name}"}}']
    if not isinstance(spec, dict):
        return doubtful
    each, content = spec.get("for_each"), spec.get("content")
    body = content[0] if isinstance(content, list) and len(content) == 1 else content
    iterator = spec.get("iterator")
    if each is None or not isinstance(body, dict):
        return doubtful
    expanded = resolver.expand(each)
    entries = _items(expanded)
    if entries is None:
        return [_text(expanded)] if isinstance(expanded, str) else doubtful
    own = iterator.removeprefix("${").removesuffix("}") if isinstance(iterator, str) else name
    made: list[Json] = []
    for key, value in entries:
        try:
            pairs = ((Literal("key"), of_value(key)), (Literal("value"), of_value(value)))
        except Unparsable:
            return doubtful
        made.append(_unfold(_bound(body, {own: ObjectOf(pairs)}), resolver))
    return made


def _keyed(items: list[tuple[Json, Json]]) -> list[tuple[str, Node]] | None:
    """The entries of a map, or those of a set, whose values are their keys; None where a key is not known."""
    found: list[tuple[str, Node]] = []
    for key, value in items:
        name = key if isinstance(key, str) else value
        if not isinstance(name, str) or not is_literal(name):
            return None
        try:
            found.append((name, of_value(value)))
        except Unparsable:
            return None
    return found


def _items(value: Json) -> list[tuple[Json, Json]] | None:
    """Keys and values to make blocks of; None where they are not known."""
    match value:
        case dict():
            return [(key, value[key]) for key in sorted(value)]
        case SetOfValues():
            return [(item, item) for item in value]
        case list():
            return list(enumerate(value))
        case _:
            return None


def _has_dynamic(body: Body) -> bool:
    todo: list[Json] = [body]
    while todo:
        match todo.pop():
            case dict(fields):
                if "dynamic" in fields:
                    return True
                todo += fields.values()
            case list(items):
                todo += items
            case _:
                pass
    return False


def _bound(body: Body, names: Mapping[str, Node]) -> Body:
    return {key: bind(value, names) for key, value in body.items()}


def bind(value: Json, names: Mapping[str, Node]) -> Json:
    """A value with the names of an instance or an iterator replaced in every text."""
    match value:
        case str() if "{" in value and any(name in value for name in names):
            try:
                return as_template(bound(of_template(value), names))
            except Unparsable:
                return value
        case list():
            return [bind(item, names) for item in value]
        case dict():
            return {key: bind(item, names) for key, item in value.items()}
        case _:
            return value

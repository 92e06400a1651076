"""Reads a plan, as `terraform show -json` or `tofu show -json` prints it.

Terraform has evaluated everything that is known before the apply: variables, locals, functions, `count`,
`for_each` and `dynamic` blocks. What is known after it only is followed by what the configuration says of it:

- With the source beside the plan, the expression itself, through modules, variables, locals and outputs, down
  to the resources that it refers to: `${module.keys["data"].aws_kms_key.key.arn}/*`.
- Without, the references that the plan has kept. One reference is taken for the value; of several, or of one
  inside of a list, it is only known that the value comes from them: `${known_after_apply(…)}`.

Addresses are Terraform's. Source: Terraform's "JSON Output Format", format version 1.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from payinfra.checks.manifest.content import Body, Content, Entry
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.rewriting import ModuleInstance, Rewriter, Tree, segments, with_own_names
from payinfra.checks.manifest.syntax import Traversal, Unparsable, instance_key, of_expression, resource_of
from payinfra.checks.manifest.templates import AFTER_APPLY, is_literal, references_in
from payinfra.checks.manifest.values import Linked, kind_of
from payinfra.core.errors import EnvironmentUnusable

_LEAST = 6
"""How long a value is at least that is taken for a reference's inside of a longer text."""
_VERSION = re.compile(r"1\.\d+")
_HINT = "Make it with `terraform plan -out FILE` and `terraform show -json FILE > plan.json`."
_VALUE = frozenset({"references", "constant_value"})
"""What the configuration says of a value; of a block it names the properties. Of neither kind is `{}`."""
_NO_REFERENCES: Json = {"references": []}
_GONE = frozenset({("delete",), ("forget",)})
_ZONE = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)[a-z]")
_ARN = re.compile(r"arn:[\w-]+:[\w-]+:([a-z]{2}(?:-[a-z]+)+-\d):")


def plan_in(shown: object, file: str) -> Body:
    """The document, which is a plan; else it is said what it is.

    Raises:
        EnvironmentUnusable: it is none, or one of a format that is not known.
    """
    if not isinstance(shown, dict):
        raise EnvironmentUnusable(f"{file} is no plan of Terraform's.", _HINT)
    version = shown.get("format_version")
    if "lineage" in shown or ("serial" in shown and "resources" in shown):
        raise EnvironmentUnusable(f"{file} is a state, not a plan.", _HINT)
    if isinstance(version, str) and "planned_values" not in shown and "values" in shown:
        raise EnvironmentUnusable(f"{file} shows a state, not a plan.", _HINT)
    if "resource_changes" not in shown and "planned_values" not in shown:
        if {"resource", "provider", "terraform"} & shown.keys():
            raise EnvironmentUnusable(f"{file} is a configuration, not a plan.", "Judge it with --manifest.")
        raise EnvironmentUnusable(f"{file} is no plan of Terraform's.", _HINT)
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        shown_version = version if isinstance(version, str) else "none"
        raise EnvironmentUnusable(
            f"{file} has the format version {shown_version}; payinfra reads 1.x.",
            "Show the plan with Terraform 1.1 or later, or with OpenTofu.",
        )
    if shown.get("errored") is True:
        raise EnvironmentUnusable(f"{file} is a plan that ended with an error.", "Plan again without errors.")
    return shown


def read(shown: object, file: str, folder: Path, source: Tree | None = None) -> Content:
    """The stack as a plan will leave it.

    Args:
        shown: the decoded document.
        file: its name.
        folder: where relative paths in the configuration start from.
        source: the configuration that it was made from.

    Raises:
        EnvironmentUnusable: it is no plan, or a part of it has another form.
    """
    return _Plan(plan_in(shown, file), file, folder, source).content()


class _Plan:
    def __init__(self, shown: Mapping[str, Json], file: str, folder: Path, source: Tree | None) -> None:
        self._shown = shown
        self._file = file
        self._folder = folder
        configuration = _fields(shown.get("configuration"))
        self._root_config = _fields(configuration.get("root_module"))
        self._provider_configs = _fields(configuration.get("provider_config"))
        self._variables = {
            name: escaped(_fields(one).get("value")) for name, one in _fields(shown.get("variables")).items()
        }
        self._changes = [*self._planned(), *self._read_before()]
        self._values = {change.address: change.values for change in self._changes}
        keys: dict[str, list[Json]] = {}
        for change in self._changes:
            keys.setdefault(change.base, []).append(change.index)
        self._keys = keys
        self._instances: dict[str, _Instance] = {"": _Instance("", self._root_config)}
        fitting = source is not None and self._is_of(source)
        self._rewriter = Rewriter(source, self._variables, keys) if source is not None and fitting else None

    def content(self) -> Content:
        """Everything that the plan says."""
        entries = tuple(self._entry(change) for change in self._changes)
        return Content(
            file=self._file,
            folder=self._folder,
            files=(self._file,),
            providers=tuple(self._providers(entries)),
            entries=entries,
            outputs=tuple(self._outputs()),
            variables=self._variables,
            sensitive=frozenset(
                name
                for name, one in _fields(self._root_config.get("variables")).items()
                if _fields(one).get("sensitive") is True
            ),
            planned=True,
            has_source=self._rewriter is not None,
        )

    def _is_of(self, source: Tree) -> bool:
        """Whether a configuration is what the plan was made from: it has the same resources."""
        listed = (
            f"{'data.' if one.get('mode') == 'data' else ''}{_text(one.get('type'))}.{_text(one.get('name'))}"
            for one in _items(self._root_config.get("resources"))
        )
        return set(listed) == source.root.blocks.keys()

    # -- what there is -------------------------------------------------------------------------------

    def _planned(self) -> Iterator["_Change"]:
        for one in _items(self._shown.get("resource_changes")):
            change = _fields(one.get("change"))
            actions = tuple(str(action) for action in _texts(change.get("actions")))
            # One that is replaced is deposed before it is gone: its address has a successor.
            if actions in _GONE or one.get("deposed") is not None:
                continue
            yield _Change.of(
                one,
                values=_fields(change.get("after")),
                unknown=change.get("after_unknown"),
                sensitive=change.get("after_sensitive"),
            )

    def _read_before(self) -> Iterator["_Change"]:
        """The data sources that could be read while planning."""
        values = _fields(_fields(self._shown.get("prior_state")).get("values"))
        todo = [_fields(values.get("root_module"))]
        while todo:
            module = todo.pop(0)
            todo += _items(module.get("child_modules"))
            for one in _items(module.get("resources")):
                if one.get("mode") == "data":
                    values, marks = _fields(one.get("values")), one.get("sensitive_values")
                    yield _Change.of(one, values=values, unknown=None, sensitive=marks)

    def _instance(self, path: str) -> "_Instance":
        found = self._instances.get(path)
        if found is None:
            outer, name, key = segments(path)
            parent = self._instance(outer)
            call = _fields(_fields(parent.config.get("module_calls")).get(name))
            found = _Instance(path, _fields(call.get("module")), parent, name, key, call)
            self._instances[path] = found
        return found

    # -- resources -----------------------------------------------------------------------------------

    def _entry(self, change: "_Change") -> Entry:
        instance = self._instance(change.module)
        config = instance.resources.get((change.mode, change.kind, change.name), {})
        follow = _Follow(self, instance, change.index, config)
        source = self._rewriter.body(instance.trail, change.within, change.index) if self._rewriter else None
        references = _fields(config.get("expressions"))
        body: Body = {}
        computed: Body = {}
        written = source.body if source is not None else {}
        for name in {**change.values, **_fields(change.unknown)}:
            known, unknown = change.values.get(name), _fields(change.unknown).get(name)
            value = _overlaid(known, unknown, written.get(name), references.get(name), follow)
            if value is None:
                continue
            configured = name in references or name in written
            if configured or (_is_blocks(value) and source is None):
                body[name] = value
            elif unknown is not True:
                computed[name] = value
        for name in ("lifecycle", "//"):
            if name in written:
                body[name] = written[name]
        tags = computed.pop("tags_all", None)
        if isinstance(tags, dict) and tags:
            body["tags"] = tags
        depends = [follow.resource_path(name) for name in _texts(config.get("depends_on"))]
        if depends:
            body["depends_on"] = [*depends]
        return Entry(
            kind=change.kind,
            name=change.name,
            address=change.address,
            body=body,
            data=change.mode == "data",
            file=self._file,
            computed=computed,
            sensitive=change.sensitive,
            provider=provider_address(config.get("provider_config_key")),
            source=(source.file, source.line) if source is not None else ("", 0),
        )

    def _outputs(self) -> Iterator[tuple[str, Body]]:
        planned = _fields(_fields(self._shown.get("planned_values")).get("outputs"))
        root = self._instance("")
        for name, config in _fields(self._root_config.get("outputs")).items():
            value = _fields(planned.get(name))
            body: Body = {
                key: _fields(config)[key] for key in ("description", "sensitive") if key in _fields(config)
            }
            if value.get("value") is not None:
                body["value"] = escaped(value["value"])
            else:
                written = self._rewriter.output(name) if self._rewriter else None
                follow = _Follow(self, root, None, {})
                expression = _fields(config).get("expression")
                body["value"] = _overlaid(None, True, written, expression, follow)
            yield name, body

    # -- providers -----------------------------------------------------------------------------------

    def _providers(self, entries: Sequence[Entry]) -> Iterator[tuple[str, Body]]:
        root = self._instance("")
        used = {entry.provider for entry in entries}
        for key, config in self._provider_configs.items():
            one = _fields(config)
            if not one.get("expressions") and provider_address(key) not in used:
                continue  # it is required, and nothing is made with it
            module = one.get("module_address")
            instance = self._instance(module) if isinstance(module, str) else root
            follow = _Follow(self, instance, None, {})
            name, _, alias = provider_address(key).partition(".")
            written = (
                self._rewriter.provider(instance.trail, name, one.get("alias")) if self._rewriter else None
            )
            body: Body = {}
            for attribute, expression in _fields(one.get("expressions")).items():
                value = _configured(expression, follow)
                if _is_open(value) and written is not None and attribute in written:
                    value = written[attribute]
                body[attribute] = value
            if "region" in body and _is_open(body["region"]):
                region = _only_region(entry for entry in entries if entry.provider == provider_address(key))
                if region:
                    body["region"] = region
            if "default_tags" in body and not isinstance(_inside(body["default_tags"], "tags"), dict):
                made = zip(self._changes, entries, strict=True)
                of_it = (change for change, entry in made if entry.provider == provider_address(key))
                tags = _shared_tags(change for change in of_it if change.mode != "data")
                if tags is not None:
                    body["default_tags"] = [{"tags": tags}]
            if alias:
                body["alias"] = alias
            yield name, body

    # -- references ----------------------------------------------------------------------------------

    def value_of(self, variable: str) -> Json:
        """The value of a variable of the root; None where the plan has none."""
        return self._variables.get(variable)

    def known(self, reference: str) -> str:
        """The value that a reference to an attribute has already; empty where it is not known, or no text."""
        try:
            name = of_expression(reference)
        except Unparsable:
            return ""
        found = resource_of(name) if isinstance(name, Traversal) else None
        match found:
            case address, (str(attribute),):
                value = self._values.get(address, {}).get(attribute)
                return value if isinstance(value, str) else ""
            case _:
                return ""

    def keys(self, base: str) -> Sequence[Json]:
        """The keys of all instances of a resource, or a data source."""
        return self._keys.get(base, ())

    def children(self, instance: "_Instance", name: str) -> list["_Instance"]:
        """The instances of a module that an instance of another calls."""
        prefix = f"{instance.path}." if instance.path else ""
        own = re.compile(rf"{re.escape(f'{prefix}module.{name}')}(?:\[[^\]]*\])?")
        paths = {match[0] for change in self._changes if (match := own.match(change.module))}
        return [self._instance(path) for path in sorted(paths)]


@dataclass(frozen=True)
class _Change:
    """One resource or data source as the plan leaves it."""

    address: str
    module: str
    mode: str
    kind: str
    name: str
    index: Json
    values: Mapping[str, Json]
    unknown: Json
    sensitive: Json

    @classmethod
    def of(cls, one: Body, *, values: Mapping[str, Json], unknown: Json, sensitive: Json) -> "_Change":
        address, kind, name = _text(one.get("address")), _text(one.get("type")), _text(one.get("name"))
        mode = _text(one.get("mode")) or "managed"
        index = one.get("index")
        own = f"{'data.' if mode == 'data' else ''}{kind}.{name}"
        own += instance_key(index) if index is not None else ""
        module = one.get("module_address")
        if not isinstance(module, str):
            module = address.removesuffix(own).removesuffix(".")
        kept = {key: escaped(value) for key, value in values.items()}
        return cls(address, module, mode, kind, name, index, kept, unknown, sensitive)

    @property
    def within(self) -> str:
        """The address in its module, without an instance."""
        return f"{'data.' if self.mode == 'data' else ''}{self.kind}.{self.name}"

    @property
    def base(self) -> str:
        """The address without an instance."""
        return f"{self.module}.{self.within}" if self.module else self.within


@dataclass
class _Instance:
    """One instance of a module, with what the plan keeps of its configuration."""

    path: str
    config: Body
    parent: "_Instance | None" = None
    name: str = ""
    key: Json = None
    call: Body = field(default_factory=dict)

    @cached_property
    def resources(self) -> Mapping[tuple[str, str, str], Body]:
        """The configuration of each resource and data source."""
        return {
            (_text(one.get("mode")), _text(one.get("type")), _text(one.get("name"))): one
            for one in _items(self.config.get("resources"))
        }

    @cached_property
    def trail(self) -> ModuleInstance:
        """The way to it."""
        if self.parent is None:
            return ModuleInstance()
        return ModuleInstance(self.parent.trail, self.name, self.key)


class _Follow:
    """Follows the references of one resource to other resources, through modules."""

    def __init__(self, plan: _Plan, instance: _Instance, key: Json, config: Body) -> None:
        self._plan = plan
        self._instance = instance
        self._key = key
        self._config = config

    def references(self, listed: Iterable[str]) -> tuple[dict[str, None], set[str]]:
        """Where references lead: to attributes of resources, in order, and to names that the plan lacks."""
        found: dict[str, None] = {}
        lost: set[str] = set()
        self._collect(listed, self._instance, self._key, self._config, found=found, lost=lost, seen=())
        return found, lost

    def written(self, expression: Json) -> Json:
        """The expression itself, which a plan keeps of a configuration in JSON syntax; None without it."""
        if not isinstance(expression, dict) or not {"constant_value", "references"} <= expression.keys():
            return None
        if self._instance.path:  # its names are those of the module
            return None
        return with_own_names(expression["constant_value"], self._key)

    def rebuilt(self, known: str, listed: Iterable[str]) -> str:
        """A known text in which the known values of references are references again."""
        values = {name: value for name in listed if (value := self._plan.known(name))}
        for name, value in sorted(values.items(), key=lambda one: -len(one[1])):
            if known == value or len(value) >= _LEAST:
                known = known.replace(value, f"${{{name}}}")
        return known

    def constant(self, listed: Iterable[str]) -> Json:
        """The value of the only variable that is listed, through modules that pass it; None without one."""
        instance: _Instance | None = self._instance
        names = [*_most_specific(listed)]
        while instance is not None and len(names) == 1 and re.fullmatch(r"var\.[\w-]+", names[0]):
            name = names[0].removeprefix("var.")
            if instance.parent is None:
                return self._plan.value_of(name)
            expression = _fields(instance.call.get("expressions")).get(name)
            if isinstance(expression, dict) and "constant_value" in expression:
                return escaped(expression["constant_value"])
            names = [*_most_specific(_listed(expression))]
            instance = instance.parent
        return None

    def resource_path(self, name: str) -> str:
        """The address of a resource of the same module."""
        return f"{self._instance.path}.{name}" if self._instance.path else name

    def _collect(
        self,
        listed: Iterable[str],
        instance: _Instance,
        key: Json,
        config: Body,
        *,
        found: dict[str, None],
        lost: set[str],
        seen: tuple[tuple[str, str], ...],
    ) -> None:
        for text in _most_specific(listed):
            root, _, rest = text.partition(".")
            if (instance.path, text) in seen:
                continue
            on = (*seen, (instance.path, text))
            match root:
                case "var":
                    name = re.split(r"[.\[]", rest, maxsplit=1)[0]
                    if instance.parent is None:
                        if self._plan.value_of(name) is None:
                            lost.add(text)
                        continue
                    expression = _fields(instance.call.get("expressions")).get(name)
                    self._collect(
                        _listed(expression),
                        instance.parent,
                        instance.key,
                        instance.call,
                        found=found,
                        lost=lost,
                        seen=on,
                    )
                case "module":
                    self._module(rest, instance, key, found=found, lost=lost, seen=on)
                case "each" if rest.startswith("value"):
                    each = _listed(config.get("for_each_expression"))
                    inner: dict[str, None] = {}
                    self._collect(each, instance, key, config, found=inner, lost=lost, seen=on)
                    tail = rest.removeprefix("value")
                    found |= {f"{one}{tail}" if "." not in _attribute(one) else one: None for one in inner}
                case "each" | "count" | "path" | "self" | "terraform":
                    continue
                case "local":
                    lost.add(text)
                case _:
                    found[self._resource(text, instance, key)] = None

    def _module(
        self,
        rest: str,
        instance: _Instance,
        key: Json,
        *,
        found: dict[str, None],
        lost: set[str],
        seen: tuple[tuple[str, str], ...],
    ) -> None:
        match = re.fullmatch(r"(?P<name>[\w-]+)(?P<index>\[[^\]]*\])?(?:\.(?P<output>[\w-]+))?.*", rest)
        if match is None or match["output"] is None:
            lost.add(f"module.{rest}")
            return
        prefix = f"{instance.path}." if instance.path else ""
        children = self._plan.children(instance, match["name"])
        wanted = match["index"] or (instance_key(key) if key is not None else "")
        same = [one for one in children if one.path == f"{prefix}module.{match['name']}{wanted}"]
        for child in same or children:
            output = _fields(_fields(child.config.get("outputs")).get(match["output"]))
            listed = _listed(output.get("expression"))
            self._collect(listed, child, None, {}, found=found, lost=lost, seen=seen)

    def _resource(self, text: str, instance: _Instance, key: Json) -> str:
        """The full address; of several instances the one with the referrer's own key."""
        match = re.match(r"((?:data\.)?[\w-]+\.[\w-]+)(\[.*?\])?(.*)", text)
        base, index, rest = (match[1], match[2], match[3]) if match else (text, None, "")
        full = f"{instance.path}.{base}" if instance.path else base
        if index is None and key is not None and key in self._plan.keys(full):
            index = instance_key(key)
        return f"{full}{index or ''}{rest}"


def _attribute(reference: str) -> str:
    """The way into a resource that a reference ends with."""
    return re.sub(
        r"^(?:module\.[\w-]+(?:\[[^\]]*\])?\.)*(?:data\.)?[\w-]+\.[\w-]+(?:\[[^\]]*\])?", "", reference
    )


def _most_specific(listed: Iterable[str]) -> Iterator[str]:
    """Terraform lists each reference with all that it is part of, the most specific first."""
    before = ""
    for text in listed:
        if not (before.startswith(text) and before[len(text) : len(text) + 1] in (".", "[")):
            before = text
            yield text


# -- putting together --------------------------------------------------------------------------------


def _overlaid(known: Json, unknown: Json, written: Json, references: Json, follow: _Follow) -> Json:
    """A value as the plan knows it; what it does not know as it is written, or as far as references tell."""
    if written is None:
        written = follow.written(references)
    if unknown is True:
        if written is not None:
            return written
        return None if references is None else _configured(references, follow)
    match known:
        case str():
            if _is_open(written):
                return Linked(str(written), known, str(written))
            return _linked(known, _open_texts(written), references, follow)
        case dict():
            inner = _fields(unknown)
            fields: Body = {}
            for name in known | inner:
                value = _overlaid(
                    known.get(name),
                    inner.get(name),
                    _inside(written, name),
                    _inside(references, name),
                    follow,
                )
                if value is None or value == []:
                    continue
                if _is_configured(name, references, written) or _is_blocks(value):
                    fields[name] = value
            return fields
        case list():
            return _overlaid_list(known, unknown, written, references, follow)
        case _:
            return known


def _is_configured(name: str, references: Json, written: Json) -> bool:
    """Whether a property of a block is the configuration's, not one that AWS or the provider has filled in.

    Of what exists already a plan has those too; a resource that is like it and new has none of them yet.
    """
    if not isinstance(references, dict) or not references or _VALUE & references.keys():
        return True
    return name in references or (isinstance(written, dict) and name in written)


def _overlaid_list(
    known: list[Json], unknown: Json, written: Json, references: Json, follow: _Follow
) -> Json:
    marks = unknown if isinstance(unknown, list) else []
    marks = [*marks, *([None] * (len(known) - len(marks)))]
    if not known:
        return None
    if all(isinstance(item, dict) for item in known):
        single: list[Json] = [written] if isinstance(written, dict) else []
        ours = written if isinstance(written, list) else single
        theirs = references if isinstance(references, list) else []
        return [
            # Of a block that a `dynamic` one made, the plan keeps no references, and the source has no block
            # where its `for_each` cannot be evaluated here.
            _overlaid(item, mark, own, other or (None if isinstance(own, dict) else _NO_REFERENCES), follow)
            for item, mark, own, other in zip(
                known,
                marks,
                _matched(known, ours, _agrees_with_body),
                _matched(known, theirs, _agrees_with_references),
                strict=False,
            )
        ]
    if not any(mark is True for mark in marks):
        texts = _open_texts(written)
        return [_linked(item, texts, references, follow) if isinstance(item, str) else item for item in known]
    # A set has its known items first: those that are written as expressions are the unknown ones.
    open_items = _open_texts(written)
    if isinstance(written, str):
        return written
    items: list[Json] = []
    for item, mark in zip(known, marks, strict=False):
        if mark is not True:
            items.append(item)
        elif open_items:
            items.append(open_items.pop(0))
        else:
            items.append(_after_apply(_listed(references), follow, exact=False))
    return items


def _linked(known: str, written: Iterable[Json], references: Json, follow: _Follow) -> str:
    """A known text with the expression that it came from, where that refers to something."""
    texts = [*dict.fromkeys(text for text in written if isinstance(text, str) and not is_literal(text))]
    joined = "".join(texts)
    listed = [
        f"{one.address}.{one.attribute}" for text in texts for one in references_in(text) if one.attribute
    ]
    if not texts:
        found, _ = follow.references(_listed(references))
        listed = [*found]
        joined = "".join(f"${{{name}}}" for name in listed)
    if not joined:
        return known
    return Linked(follow.rebuilt(known, listed), known, joined)


def _open_texts(value: Json) -> list[Json]:
    return [one for one in value if _is_open(one)] if isinstance(value, list) else []


_Agrees = Callable[[Json, Json], bool]


def _matched(known: list[Json], candidates: list[Json], agrees: _Agrees) -> list[Json]:
    """For each block of a plan the one it was written as: in order, unless the constants say otherwise."""
    left = [*candidates]
    dynamic = len(candidates) != len(known)
    found: list[Json] = []
    for item in known:
        position = next((at for at, one in enumerate(left) if agrees(item, one)), -1 if dynamic else 0)
        found.append(left.pop(position) if position >= 0 else None)
    return found


def _agrees_with_body(known: Json, written: Json) -> bool:
    """Whether a block of a plan may be one that is written: no constant of it says otherwise."""
    if not isinstance(known, dict) or not isinstance(written, dict):
        return True
    return all(name not in known or _may_be(known[name], value) for name, value in written.items())


def _may_be(known: Json, written: Json) -> bool:
    """Whether a known value may come from a written one, whose expressions may have any value."""
    match written:
        case str() if _is_open(written):
            return True
        case dict(fields):
            one = known[0] if isinstance(known, list) and len(known) == 1 else known
            return not isinstance(one, dict) or all(
                name not in one or _may_be(one[name], value) for name, value in fields.items()
            )
        case list(items) if isinstance(known, list):
            if any(isinstance(item, dict | list) for item in items):
                return len(known) != len(items) or all(map(_may_be, known, items))
            # What is not known yet is not among the known items of a set: it says nothing.
            return any(map(_is_open, items)) or _same(known, items)
        case list():
            return True
        case _:
            return known is None or _same(known, written)


def _agrees_with_references(known: Json, references: Json) -> bool:
    if not isinstance(known, dict) or not isinstance(references, dict):
        return True
    return all(
        not isinstance(one, dict)
        or "constant_value" not in one
        or name not in known
        or _same(known[name], escaped(one["constant_value"]))
        for name, one in references.items()
    )


def _same(known: Json, written: Json) -> bool:
    """Whether two values may be one: of lists the order may differ."""
    if isinstance(known, list) and isinstance(written, list):
        return sorted(map(json.dumps, known)) == sorted(map(json.dumps, written))
    if isinstance(known, bool) or isinstance(written, bool) or isinstance(known, list | dict):
        return json.dumps(known).strip('"') == json.dumps(written).strip('"')
    return str(known) == str(written)


def _inside(value: Json, name: str) -> Json:
    """What a block says of one of its properties; a list of one block is the block."""
    match value:
        case {"constant_value": dict(constant)} if isinstance(value, dict):
            return value | {"constant_value": constant[name]} if name in constant else None
        case {"references": _, **rest} if not rest:
            return value  # a map as a whole: its references are each item's
        case dict():
            return value.get(name)
        case [dict(only)]:
            return only.get(name)
        case _:
            return None


def _configured(expression: Json, follow: _Follow) -> Json:
    """A configured value without the plan's: constants, and references as far as they tell something."""
    written = follow.written(expression)
    if written is not None:
        return written
    match expression:
        case {"constant_value": constant, **rest} if not rest:
            return escaped(constant)
        case {"references": list(listed)}:
            return _after_apply([text for text in listed if isinstance(text, str)], follow, exact=True)
        case dict():
            return {name: _configured(one, follow) for name, one in expression.items()} or _nothing_known()
        case list():
            return [_configured(one, follow) for one in expression]
        case _:
            return None


def _nothing_known() -> str:
    return f"${{{AFTER_APPLY}()}}"


def _after_apply(listed: Sequence[str], follow: _Follow, *, exact: bool) -> Json:
    """A text that stands for a value: the reference itself where there is one only, and it may be all."""
    found, lost = follow.references(listed)
    names = [*found, *sorted(lost)]
    if exact and not names:
        constant = follow.constant(listed)
        if constant is not None:
            return constant
    if exact and len(names) == 1 and (lost or _attribute(names[0])):
        return f"${{{names[0]}}}"
    return f"${{{AFTER_APPLY}({', '.join(names)})}}"


def _is_open(value: Json) -> bool:
    return isinstance(value, str) and not is_literal(value)


def _is_blocks(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _only_region(entries: Iterable[Entry]) -> str:
    """The one region that what is known of a provider's resources names; empty where there is not one."""
    found: set[str] = set()
    for entry in entries:
        for body in (entry.body, entry.computed):
            match body.get("availability_zone"):
                case str(zone) if match := _ZONE.fullmatch(zone):
                    found.add(match[1])
            match body.get("arn"):
                case str(arn) if match := _ARN.match(arn):
                    found.add(match[1])
        if entry.kind == "aws_region":
            name = entry.computed.get("name") or entry.body.get("name")
            found |= {name} if isinstance(name, str) else set()
    return next(iter(found)) if len(found) == 1 else ""


def _shared_tags(changes: Iterable["_Change"]) -> Body | None:
    """The tags that a provider's resources have alike, its default ones among them; None where none says."""
    shared: Body | None = None
    takes_tags = False
    for change in changes:
        unknown = _fields(change.unknown).get("tags_all")
        tags = change.values.get("tags_all")
        takes_tags = takes_tags or isinstance(tags, dict) or bool(unknown)
        if isinstance(tags, dict) and not unknown:
            known = _fields(escaped(tags))
            shared = known if shared is None else {k: v for k, v in shared.items() if known.get(k) == v}
    return shared if takes_tags else {}


def provider_address(key: Json) -> str:
    """How a resource names a provider: `aws.primary`; one inside of a module has the module in its alias."""
    if not isinstance(key, str):
        return ""
    module, _, own = key.rpartition(":")
    name, _, alias = own.partition(".")
    parts = [part for part in (module.replace(".", "-"), alias) if part]
    return ".".join((name, "-".join(parts))) if parts else name


def escaped(value: Json) -> Json:
    """A value of a plan as a template says it: what looks like an expression is none any more."""
    match value:
        case str():
            return value.replace("${", "$${").replace("%{", "%%{") if "{" in value else value
        case list():
            return [escaped(item) for item in value]
        case dict():
            return {key: escaped(item) for key, item in value.items()}
        case _:
            return value


# -- reading the document ----------------------------------------------------------------------------


def _fields(value: Json) -> Body:
    """An object; null and an absent one are empty.

    Raises:
        EnvironmentUnusable: it is something else, which no plan has there.
    """
    if value is None or value is False:
        return {}
    if not isinstance(value, dict):
        raise EnvironmentUnusable(f"The plan has {kind_of(value)} where it has an object always.", _HINT)
    return value


def _items(value: Json) -> list[Body]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise EnvironmentUnusable(f"The plan has {kind_of(value)} where it has a list always.", _HINT)
    return [_fields(item) for item in value]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _listed(expression: Json) -> list[str]:
    """The references in an expression, however deep it is."""
    match expression:
        case {"references": list(listed)}:
            return [text for text in listed if isinstance(text, str)]
        case dict():
            return [text for one in expression.values() for text in _listed(one)]
        case list():
            return [text for one in expression for text in _listed(one)]
        case _:
            return []

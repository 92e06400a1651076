"""A whole synthesized file: what is in it, and how its parts refer to each other."""

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TypeVar, cast

from payinfra.checks.manifest import configuration, documents, folders, plan, reading
from payinfra.checks.manifest.blocks import Block, Context, references_of
from payinfra.checks.manifest.configuration import NOTHING_GIVEN, ConfigurationFile, Given
from payinfra.checks.manifest.content import Content, Entry
from payinfra.checks.manifest.expressions import Resolver, Unknown
from payinfra.checks.manifest.json_value import Json
from payinfra.checks.manifest.policies import PolicyDocument
from payinfra.checks.manifest.rewriting import Tree
from payinfra.checks.manifest.templates import Reference, base_of, is_literal, references_in
from payinfra.checks.manifest.values import Linked, Missing, Unreadable, Unresolved, WrongType, kind_of

EPHEMERAL = ("pr[0-9]*", "pr-*", "dev*")
"""Names of environments that are not protected, unless something says so. The same as in the settings."""

Made = TypeVar("Made")
_PHYSICAL_NAME = {
    "aws_api_gateway_rest_api": "name",
    "aws_api_gateway_usage_plan": "name",
    "aws_cloudwatch_log_group": "name",
    "aws_dynamodb_table": "name",
    "aws_iam_role": "name",
    "aws_lambda_function": "function_name",
    "aws_s3_bucket": "bucket",
}
"""The attribute that is the resource's `id` too. Source: the AWS provider's page of each, "Attribute
Reference" (the function's id is its name; a role's, a table's and a log group's too)."""
_ID_IS_NAME = frozenset(_PHYSICAL_NAME) - {"aws_api_gateway_rest_api", "aws_api_gateway_usage_plan"}
_ENVIRONMENT_TAGS = ("EnvironmentSuffix", "Environment")
_PROTECTED_TAG = "Protected"


class Resource(Block):
    """One resource or data source.

    Attributes:
        type: `aws_s3_bucket`.
        kind: the type, with `data.` in front for a data source.
        name: its name in Terraform, `audit`.
        address: Terraform's, `aws_s3_bucket.audit`: with the modules it stands in, with `data.` in front for
            a data source, and with its key where it is one of several instances.
        manifest_file: the file that it stands in.
        conditional: what decides whether it is made at all, `${var.closed}`; empty where it surely is.
        computed: what the provider gave it before, so that it is known though nobody configured it.
        sensitive: which of its values are marked so, in the shape of Terraform's `sensitive_values`.
        source: the file, and the line in it, that made it; empty and 0 where that is not known.
        construct: the construct path from the `//` metadata, `payment/primary/audit`; empty without one.
    """

    __slots__ = (
        "_manifest",
        "_provider",
        "_region",
        "address",
        "computed",
        "conditional",
        "construct",
        "kind",
        "manifest_file",
        "name",
        "sensitive",
        "source",
        "type",
    )

    def __init__(self, entry: Entry, manifest: "Manifest") -> None:
        super().__init__(entry.body, "", manifest)
        self._manifest = manifest
        self._provider = entry.provider
        self._region: str | Unresolved | None = None
        self.type = entry.kind
        self.kind = f"data.{entry.kind}" if entry.data else entry.kind
        self.name = entry.name
        self.address = entry.address
        self.manifest_file = entry.file
        self.conditional = entry.conditional
        self.computed = entry.computed
        self.sensitive = entry.sensitive
        self.source = entry.source
        construct = self.raw("//.metadata.path")
        self.construct = construct if isinstance(construct, str) else ""

    def __repr__(self) -> str:
        """The address, as a failing test should show it."""
        return f"<{self.address}>"

    @property
    def provider(self) -> str | Unresolved:
        """The provider it names, `aws.primary`; the one without alias (`aws`) where it names none."""
        named = self.body.get("provider")
        if named is None:
            return self._provider or self.type.partition("_")[0]
        if not isinstance(named, str):
            return Unresolved("provider", kind_of(named))
        if "$" not in named:
            return named
        inside = named.removeprefix("${").removesuffix("}").strip()
        return inside if "${" not in inside else Unresolved("provider", named)

    @property
    def region(self) -> str | Unresolved:
        """The region it is in: its own `region`, else its provider's."""
        if self._region is None:
            self._region = self._find_region()
        return self._region

    def _find_region(self) -> str | Unresolved:
        own = self.text("region")
        if isinstance(own, Missing):
            return self._manifest.region_of(self.provider)
        return own if isinstance(own, str) else Unresolved("region", own.why)


@dataclass(frozen=True)
class Provider:
    """One configuration of a provider.

    Attributes:
        name: `aws`.
        alias: `primary`; empty where there is none.
        region: where it works; a Gap where that is not known.
        block: its configuration, such as `block.mapping("default_tags.tags")`.
    """

    name: str
    alias: str
    region: str | Unreadable
    block: Block

    @property
    def address(self) -> str:
        """How resources name it: `aws.primary`, or `aws` without alias."""
        return f"{self.name}.{self.alias}" if self.alias else self.name


@dataclass(frozen=True)
class Output:
    """One output of the stack; `block.text("description")`, `block.flag("sensitive")`, and so on."""

    name: str
    block: Block


@dataclass(frozen=True)
class Attached:
    """The companions of a resource, such as the versioning of a bucket.

    Attributes:
        resources: those that surely belong to it.
        unclear: those of the type whose owner cannot be resolved: they may belong to it.
    """

    resources: tuple[Resource, ...]
    unclear: tuple[Resource, ...]


class _Owners:
    """Whose companions the resources of one type are, by one of their properties."""

    def __init__(self, manifest: "Manifest", type: str, by: str) -> None:
        self._by_reference: dict[str, list[Resource]] = {}
        self._perhaps: dict[str, list[Resource]] = {}
        self._by_name: dict[str, list[Resource]] = {}
        self._order = {one.address: number for number, one in enumerate(manifest.all(type))}
        self._unclear: list[Resource] = []
        for one in manifest.all(type):
            owners = [manifest.targets(reference) for reference in one.references(by)]
            for found in owners:
                # Of several instances, none of which is named, one is the owner.
                group = self._by_reference if len(found) == 1 else self._perhaps
                for owner in found:
                    group.setdefault(owner.address, []).append(one)
            if any(owners):
                continue
            name = one.text(by)
            if isinstance(name, str):
                self._by_name.setdefault(name, []).append(one)
            elif not isinstance(name, Missing):
                self._unclear.append(one)

    def referring(self, resource: Resource) -> tuple[Resource, ...]:
        """Those whose property refers to a resource, or to one of several instances that it is."""
        groups = (self._by_reference, self._perhaps)
        return self._sorted(one for group in groups for one in group.get(resource.address, ()))

    def of(self, resource: Resource, name: str | None) -> Attached:
        """The companions of a resource, which is called that."""
        named = [] if name is None else self._by_name.get(name, [])
        sure = self._sorted((*self._by_reference.get(resource.address, ()), *named))
        perhaps = self._perhaps.get(resource.address)
        return Attached(sure, self._sorted((*self._unclear, *perhaps)) if perhaps else tuple(self._unclear))

    def _sorted(self, resources: Iterable[Resource]) -> tuple[Resource, ...]:
        return tuple(sorted(dict.fromkeys(resources), key=lambda one: self._order[one.address]))


class _Scope:
    """Where the names in expressions lead to."""

    def __init__(self, manifest: "Manifest") -> None:
        self._manifest = manifest

    def local(self, name: str) -> Json:
        """The value of a local."""
        if name not in self._manifest.locals:
            raise Unknown
        return self._manifest.locals[name]

    def variable(self, name: str) -> Json:
        """The value of a variable."""
        if name not in self._manifest.variables:
            raise Unknown
        return self._manifest.variables[name]

    def attribute(self, address: str, attribute: str) -> Json:
        """A configured attribute, or one that follows from the configuration."""
        resource = self._manifest.resource(address)
        if resource is None:
            raise Unknown
        if resource.type == "aws_region" and attribute in ("name", "region", "id"):
            region = resource.region
            if isinstance(region, str):
                return region
        if attribute == "id" and resource.type in _ID_IS_NAME:
            attribute = _PHYSICAL_NAME[resource.type]
        value = resource.body.get(attribute)
        if value is None:
            value = resource.computed.get(attribute)
        if value is None:
            raise Unknown
        return value


class Manifest(Context):
    """Read-only. Make one with `load`, or with `parse` or `from_json` in a test.

    Attributes:
        file: the file or folder, as it was given.
        files: every file that was read.
        resources: the managed ones, in the order of the file, one for each instance. What a `count` of 0 or
            an empty `for_each` leaves out is not there.
        data: the data sources.
        providers, outputs: in the order of the file.
        settings: the `terraform` block; removed: the `removed` blocks. Empty in a plan, which has neither.
        locals: unresolved, as they stand.
        variables: those that have a value.
        modules: the names of module calls, whose resources cannot be seen from here.
        planned: whether it is a plan, whose values Terraform has evaluated.
        has_source: whether the configuration that a plan was made from is known as well.
        environment: from the flag, else from the tags, else Unresolved.
        day: the day that the stack is judged on; today in UTC unless another is given.
        protected: from the flag, else from the tag `Protected`, else from the environment's name
            (see EPHEMERAL), else Unresolved.
    """

    def __init__(
        self,
        content: Content,
        *,
        env: str | None = None,
        protected: bool | None = None,
        ephemeral: tuple[str, ...] = EPHEMERAL,
        day: date | None = None,
    ) -> None:
        self._content = content
        self.day = day or datetime.now(UTC).date()
        self._options = (env, protected, ephemeral)
        self.file = content.file
        self.files = content.files
        self.locals = content.locals
        self.variables = content.variables
        self.sensitive_variables = content.sensitive
        self.planned = content.planned
        self.has_source = content.has_source
        self.modules = content.modules
        self._names = Resolver(_Scope(self), through_resources=False)
        self._values = Resolver(_Scope(self), through_resources=True)
        self._reading: list[str] = []
        self._policies: dict[str, PolicyDocument | Unreadable] = {}
        self._referents: dict[tuple[int, str], tuple[Resource, ...]] = {}
        self._owners: dict[tuple[str, str], _Owners] = {}
        self._made: dict[Callable[[Manifest], object], object] = {}
        self._by_address: dict[str, Resource] = {}
        self._instances: dict[str, list[Resource]] = {}
        self._by_type: dict[str, list[Resource]] = {}
        self.providers = tuple(self._providers())
        self._regions = {one.address: one.region for one in reversed(self.providers)}
        entries = [self._resource(entry) for entry in content.entries]
        self.resources = tuple(one for one in entries if not one.kind.startswith("data."))
        self.data = tuple(one for one in entries if one.kind.startswith("data."))
        self.outputs = tuple(Output(name, Block(body, "", self)) for name, body in content.outputs)
        self.settings = Block(content.settings, "", self)
        self.removed = tuple(Block(body, "", self) for body in content.removed)
        self.environment: str | Unresolved = env if env is not None else self._tagged_environment()
        self.protected: bool | Unresolved = (
            protected if protected is not None else self._protection(ephemeral)
        )

    @classmethod
    def load(
        cls,
        *paths: Path,
        env: str | None = None,
        protected: bool | None = None,
        ephemeral: tuple[str, ...] = EPHEMERAL,
        given: Given = NOTHING_GIVEN,
        shown: str = "",
        day: date | None = None,
    ) -> "Manifest":
        """Read the files of one module.

        Args:
            paths: its files, at least one.
            env, protected, ephemeral, day: see the attributes.
            given: the values of variables.
            shown: what a person calls it; the first file by default.

        Raises:
            EnvironmentUnusable: one cannot be read, is no Terraform JSON, or something is said twice.
        """
        sources = [folders.source_of(path) for path in paths]
        content = configuration.read(sources, paths[0].parent, given, shown)
        return cls(content, env=env, protected=protected, ephemeral=ephemeral, day=day)

    @classmethod
    def of_plan(
        cls,
        shown: object,
        *,
        name: str,
        folder: Path = Path(),
        source: Tree | None = None,
        env: str | None = None,
        protected: bool | None = None,
        ephemeral: tuple[str, ...] = EPHEMERAL,
        day: date | None = None,
    ) -> "Manifest":
        """Take a plan, as `terraform show -json` prints it.

        Args:
            shown: the decoded document.
            name: what a person calls it: the file.
            folder: where relative paths in the configuration start from.
            source: the configuration that it was made from, where that is known.
            env, protected, ephemeral, day: as for `load`.

        Raises:
            EnvironmentUnusable: it is no plan, or a part of it has another form.
        """
        content = plan.read(shown, name, folder, source)
        return cls(content, env=env, protected=protected, ephemeral=ephemeral, day=day)

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        file: str = "cdk.tf.json",
        folder: Path = Path(),
        env: str | None = None,
        protected: bool | None = None,
        ephemeral: tuple[str, ...] = EPHEMERAL,
    ) -> "Manifest":
        """Read a file's text. Raises as `load` does."""
        content = configuration.read([ConfigurationFile(file, reading.parse(text, file))], folder)
        return cls(content, env=env, protected=protected, ephemeral=ephemeral)

    @classmethod
    def from_json(
        cls,
        root: dict[str, Json],
        *,
        folder: Path = Path(),
        env: str | None = None,
        protected: bool | None = None,
        given: Given = NOTHING_GIVEN,
        day: date | None = None,
    ) -> "Manifest":
        """Take a decoded file, which must not be changed afterwards. Raises as `load` does."""
        content = configuration.read([ConfigurationFile("cdk.tf.json", root)], folder, given)
        return cls(content, env=env, protected=protected, day=day)

    @property
    def conditions(self) -> tuple[str, ...]:
        """What decides whether some of the resources are made, each once."""
        return tuple(dict.fromkeys(one.conditional for one in self._content.entries if one.conditional))

    def without(self, *conditions: str) -> "Manifest":
        """The same stack, in which nothing is made that these conditions decide about."""
        kept = tuple(one for one in self._content.entries if one.conditional not in conditions)
        env, protected, ephemeral = self._options
        content = replace(self._content, entries=kept)
        return Manifest(content, env=env, protected=protected, ephemeral=ephemeral, day=self.day)

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the file start from."""
        return self._content.folder

    def all(self, *types: str) -> tuple[Resource, ...]:
        """The managed resources of these types, in the order of the file within a type."""
        return tuple(one for kind in types for one in self._by_type.get(kind, ()))

    def resource(self, address: str) -> Resource | None:
        """The resource, or with `data.` in front the data source, of that address.

        An address without an instance's key means the only instance, and is None where there are several.
        """
        found = self._at(address)
        return found[0] if len(found) == 1 else None

    def target(self, reference: Reference) -> Resource | None:
        """What a reference means; None where the file has no such thing, or several."""
        return self.resource(reference.address)

    def targets(self, reference: Reference) -> tuple[Resource, ...]:
        """What a reference may mean: several instances where it does not say which."""
        return self._at(reference.address)

    def _at(self, address: str) -> tuple[Resource, ...]:
        found = self._by_address.get(address)
        if found is not None:
            return (found,)
        instances = self._instances.get(address)
        if instances is not None:
            return tuple(instances)
        # One that stands for all instances, because it is not known how many there are.
        alone = self._by_address.get(base_of(address))
        return (alone,) if alone is not None else ()

    def referents(self, block: Block, path: str = "") -> tuple[Resource, ...]:
        """The resources and data sources that the value at the path refers to, each once."""
        key = (id(block.body), path)
        found = self._referents.get(key)
        if found is None:
            found = self._referents[key] = (
                self._targets(block.references(path))
                if path
                else tuple(dict.fromkeys(chain.from_iterable(self.referents_by_property(block).values())))
            )
        return found

    def referents_by_property(self, block: Block) -> Mapping[str, tuple[Resource, ...]]:
        """The same for each of the block's own properties that refers to anything."""
        found: dict[str, tuple[Resource, ...]] = {}
        for name, value in block.body.items():
            if not isinstance(value, dict | list | Linked) and not (isinstance(value, str) and "${" in value):
                continue
            key = (id(block.body), name)
            targets = self._referents.get(key)
            if targets is None:
                targets = self._referents[key] = self._targets(references_of(value, self))
            if targets:
                found[name] = targets
        return found

    def _targets(self, references: tuple[Reference, ...]) -> tuple[Resource, ...]:
        if not references:
            return ()
        return tuple(dict.fromkeys(chain.from_iterable(self._at(one.address) for one in references)))

    def referrers(self, resource: Resource) -> tuple[Resource, ...]:
        """The resources and data sources that refer to this one anywhere, in the order of the file."""
        return self._referrers.get(resource.address, ())

    def attached(self, resource: Resource, type: str, by: str) -> Attached:
        """Companions of a resource: those of `type` whose property `by` refers to it, or literally names it.

        `manifest.attached(bucket, "aws_s3_bucket_versioning", by="bucket")`.
        """
        return self._owners_of(type, by).of(resource, self._physical_name(resource))

    def users(self, resource: Resource, type: str, by: str) -> tuple[Resource, ...]:
        """The resources of a type whose property `by` refers to a resource, in the order of the file."""
        return self._owners_of(type, by).referring(resource)

    def _owners_of(self, type: str, by: str) -> _Owners:
        owners = self._owners.get((type, by))
        if owners is None:
            owners = self._owners[type, by] = _Owners(self, type, by)
        return owners

    def comes_before(self, first: Resource, second: Resource) -> bool:
        """Whether Terraform makes `first` before `second`: by references or `depends_on`, in any steps."""
        seen = {second.address}
        todo = [second.address]
        while todo:
            for address in self._dependencies.get(todo.pop(), ()):
                if address == first.address:
                    return True
                if address not in seen:
                    seen.add(address)
                    todo.append(address)
        return False

    def references(self, text: str) -> tuple[Reference, ...]:
        """The references in a template, such as a statement's resource; locals are followed."""
        return references_of(text, self)

    def region_of(self, provider: str | Unresolved) -> str | Unresolved:
        """The region of the provider with that address."""
        if isinstance(provider, str) and provider in self._regions:
            region = self._regions[provider]
            return region if isinstance(region, str) else Unresolved("region", region.why)
        return Unresolved("provider", f"no provider {provider if isinstance(provider, str) else ''}".strip())

    def once(self, make: "Callable[[Manifest], Made]") -> "Made":
        """What a function makes of the whole manifest, made once: an index that many judgements look into."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast("Made", self._made[make])

    def resolve(self, value: Json) -> Json:
        """Everything replaced that can be, configured attributes of resources too; the rest stays `${…}`."""
        if isinstance(value, Linked):
            return value.known
        if isinstance(value, str) and "${" not in value:
            return value
        return self._values.expand(value)

    def resolve_names(self, value: Json) -> Json:
        """Only locals and functions replaced: references to resources stay."""
        if isinstance(value, str) and "${" not in value:
            return value
        return self._names.expand(value)

    def policy_of(self, value: Json, path: str) -> PolicyDocument | Unreadable:
        """The value as a policy document; `resource.policy("policy")` is the usual way here."""
        if not isinstance(value, str):
            return WrongType(path, kind_of(value), "a policy document as text")
        if value not in self._policies:
            if value in self._reading:
                return Unresolved(path, value)
            self._reading.append(value)
            try:
                found = self._read_policy(value, path)
            finally:
                self._reading.pop()
            if isinstance(found, Unreadable) and isinstance(value, Linked):
                found = documents.from_text(value.known, path)
            self._policies[value] = found
        return self._policies[value]

    def _read_policy(self, text: str, path: str) -> PolicyDocument | Unreadable:
        named = self.resolve_names(text)
        if not isinstance(named, str):
            return documents.from_json(named, path)
        references = references_in(named)
        if len(references) == 1 and references[0].attribute in ("json", "minified_json"):
            target = self.target(references[0])
            whole = f"${{{references[0].address}.{references[0].attribute}}}"
            if target is not None and target.type == "aws_iam_policy_document" and named.strip() == whole:
                return documents.from_data(target, self.policy_of)
        if named.startswith("${") and not is_literal(named):
            resolved = self.resolve(named)
            if isinstance(resolved, str) and resolved != named:
                return self.policy_of(resolved, path)
        return documents.from_text(named, path)

    @cached_property
    def _dependencies(self) -> Mapping[str, tuple[str, ...]]:
        """What each resource and data source refers to or depends on, by address."""
        found: dict[str, tuple[str, ...]] = {}
        for one in (*self.resources, *self.data):
            addresses = dict.fromkeys(referent.address for referent in self.referents(one))
            named = one.texts("depends_on")
            if not isinstance(named, Unreadable):
                needed = chain.from_iterable(self._at(_address(text)) for text in named)
                addresses |= dict.fromkeys(other.address for other in needed)
            found[one.address] = tuple(addresses)
        return found

    @cached_property
    def _referrers(self) -> Mapping[str, tuple[Resource, ...]]:
        found: dict[str, list[Resource]] = {}
        for one in (*self.resources, *self.data):
            for referent in self.referents(one):
                found.setdefault(referent.address, []).append(one)
        return {address: tuple(resources) for address, resources in found.items()}

    def _physical_name(self, resource: Resource) -> str | None:
        name = resource.text(_PHYSICAL_NAME.get(resource.type, "name"))
        return name if isinstance(name, str) else None

    def _resource(self, entry: Entry) -> Resource:
        one = Resource(entry, self)
        self._by_address[one.address] = one
        base = base_of(one.address)
        if base != one.address:
            self._instances.setdefault(base, []).append(one)
        if not entry.data:
            self._by_type.setdefault(one.type, []).append(one)
        return one

    def _providers(self) -> Iterator[Provider]:
        for name, body in self._content.providers:
            block = Block(body, "", self)
            alias = block.text("alias")
            yield Provider(name, alias if isinstance(alias, str) else "", block.text("region"), block)

    def _tagged(self, key: str) -> set[str]:
        """Every value that the tag has: of the providers' default tags, else of the resources' own."""
        defaults = {value for one in self.providers for value in _tag(one.block, "default_tags.tags", key)}
        return defaults or {value for one in self.resources for value in _tag(one, "tags", key)}

    def _tagged_environment(self) -> str | Unresolved:
        for key in _ENVIRONMENT_TAGS:
            found = sorted(self._tagged(key))
            if len(found) == 1:
                return found[0] if is_literal(found[0]) else Unresolved("environment", found[0])
            if found:
                return Unresolved("environment", f"the tag {key} is {' and '.join(found)}")
        return Unresolved("environment", "neither a flag nor a tag names it")

    def _protection(self, ephemeral: tuple[str, ...]) -> bool | Unresolved:
        match sorted(self._tagged(_PROTECTED_TAG)):
            case ["true" | "false" as found]:
                return found == "true"
            case []:
                pass
            case found:
                return Unresolved("protection", f"the tag {_PROTECTED_TAG} is {' and '.join(found)}")
        if isinstance(self.environment, Unresolved):
            return Unresolved("protection", "the environment is not known")
        return not any(fnmatch.fnmatchcase(self.environment, pattern) for pattern in ephemeral)


def _tag(block: Block, path: str, key: str) -> tuple[str, ...]:
    tags = block.mapping(path)
    if isinstance(tags, Unreadable):
        return ()
    value = tags.get(key)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    return (value,) if isinstance(value, str) and value else ()


def _address(text: str) -> str:
    """The address in one entry of `depends_on`, which is written with or without `${…}`."""
    return text.removeprefix("${").removesuffix("}").strip()

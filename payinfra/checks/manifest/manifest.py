"""A whole synthesized file: what is in it, and how its parts refer to each other."""

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

from payinfra.checks.manifest import documents, reading
from payinfra.checks.manifest.blocks import Block, Context, references_of
from payinfra.checks.manifest.expressions import Resolver, Unknown
from payinfra.checks.manifest.policies import PolicyDocument
from payinfra.checks.manifest.templates import Reference, is_literal, references_in
from payinfra.checks.manifest.values import Json, Missing, Unreadable, Unresolved, WrongType, kind_of

EPHEMERAL = ("pr[0-9]*", "pr-*", "dev*")
"""Names of environments that are not protected, unless something says so. The same as in the settings."""

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
        name: its name in Terraform, `audit`.
        address: `aws_s3_bucket.audit`, with `data.` in front for a data source.
        construct: the construct path from the `//` metadata, `payment/primary/audit`; empty without one.
    """

    __slots__ = ("_manifest", "_region", "address", "construct", "name", "type")

    def __init__(
        self, kind: str, name: str, body: dict[str, Json], manifest: "Manifest", *, data: bool = False
    ) -> None:
        super().__init__(body, "", manifest)
        self._manifest = manifest
        self._region: str | Unresolved | None = None
        self.type = kind
        self.name = name
        self.address = f"data.{kind}.{name}" if data else f"{kind}.{name}"
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
            return self.type.partition("_")[0]
        if not isinstance(named, str):
            return Unresolved("provider", kind_of(named))
        if "$" not in named:
            return named
        inside = named.removeprefix("${").removesuffix("}").strip()
        return inside if "${" not in inside else Unresolved("provider", named)

    @property
    def region(self) -> str | Unresolved:
        """The region it lives in: its own `region`, else its provider's."""
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


class _Scope:
    """Where the names in expressions lead to."""

    def __init__(self, manifest: "Manifest") -> None:
        self._manifest = manifest

    def local(self, name: str) -> Json:
        """The value of a local."""
        if name not in self._manifest.locals:
            raise Unknown
        return self._manifest.locals[name]

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
            raise Unknown
        return value


class Manifest(Context):
    """Read-only. Make one with `load`, or with `parse` or `from_json` in a test.

    Attributes:
        file: the file's path as it was given.
        resources: the managed ones, in the order of the file; a literal `count` of 0 leaves one out.
        data: the data sources.
        providers, outputs: in the order of the file.
        locals: unresolved, as they stand.
        modules: the names of module calls, whose resources cannot be seen from here.
        environment: from the flag, else from the tags, else Unresolved.
        protected: from the flag, else from the tag `Protected`, else from the environment's name
            (see EPHEMERAL), else Unresolved.
    """

    def __init__(
        self,
        root: dict[str, Json],
        *,
        file: str,
        folder: Path,
        env: str | None,
        protected: bool | None,
        ephemeral: tuple[str, ...],
    ) -> None:
        self.file = file
        self._folder = folder
        self.locals: Mapping[str, Json] = _without_comment(
            reading.section(root.get("locals"), "locals", file)
        )
        self._names = Resolver(_Scope(self), through_resources=False)
        self._values = Resolver(_Scope(self), through_resources=True)
        self._reading: list[str] = []
        self._policies: dict[str, PolicyDocument | Unreadable] = {}
        self._referents: dict[tuple[int, str], tuple[Resource, ...]] = {}
        self._by_address: dict[str, Resource] = {}
        self._by_type: dict[str, list[Resource]] = {}
        self.providers = tuple(self._providers(root.get("provider")))
        self.resources = tuple(self._resources(root.get("resource"), data=False))
        self.data = tuple(self._resources(root.get("data"), data=True))
        self.outputs = tuple(
            Output(name, Block(_block(body, f"output {name}", file), "", self))
            for name, body in _without_comment(reading.section(root.get("output"), "output", file)).items()
        )
        self.modules = tuple(_without_comment(reading.section(root.get("module"), "module", file)))
        self.environment: str | Unresolved = env if env is not None else self._tagged_environment()
        self.protected: bool | Unresolved = (
            protected if protected is not None else self._protection(ephemeral)
        )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        env: str | None = None,
        protected: bool | None = None,
        ephemeral: tuple[str, ...] = EPHEMERAL,
    ) -> "Manifest":
        """Read one file.

        Raises:
            EnvironmentUnusable: it cannot be read, is no Terraform JSON, or says something twice.
        """
        text = reading.read_text(path)
        return cls.parse(
            text, file=str(path), folder=path.parent, env=env, protected=protected, ephemeral=ephemeral
        )

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
        root = reading.parse(text, file)
        return cls(root, file=file, folder=folder, env=env, protected=protected, ephemeral=ephemeral)

    @classmethod
    def from_json(
        cls,
        root: dict[str, Json],
        *,
        folder: Path = Path(),
        env: str | None = None,
        protected: bool | None = None,
    ) -> "Manifest":
        """Take a decoded file, which must not be changed afterwards. Raises as `load` does."""
        return cls(root, file="cdk.tf.json", folder=folder, env=env, protected=protected, ephemeral=EPHEMERAL)

    @property
    def folder(self) -> Path:
        """The folder that relative paths in the file start from."""
        return self._folder

    def all(self, *types: str) -> tuple[Resource, ...]:
        """The managed resources of these types, in the order of the file within a type."""
        return tuple(one for kind in types for one in self._by_type.get(kind, ()))

    def resource(self, address: str) -> Resource | None:
        """The resource, or with `data.` in front the data source, of that address."""
        return self._by_address.get(address)

    def target(self, reference: Reference) -> Resource | None:
        """What a reference means; None where the file has no such thing."""
        return self._by_address.get(reference.address)

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
            if not isinstance(value, dict | list) and not (isinstance(value, str) and "${" in value):
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
        targets = (self._by_address.get(reference.address) for reference in references)
        return tuple(dict.fromkeys(one for one in targets if one is not None))

    def referrers(self, resource: Resource) -> tuple[Resource, ...]:
        """The resources and data sources that refer to this one anywhere, in the order of the file."""
        return self._referrers.get(resource.address, ())

    def attached(self, resource: Resource, type: str, by: str) -> Attached:
        """Companions of a resource: those of `type` whose property `by` refers to it, or literally names it.

        `manifest.attached(bucket, "aws_s3_bucket_versioning", by="bucket")`.
        """
        sure: list[Resource] = []
        unclear: list[Resource] = []
        for one in self.all(type):
            referents = self.referents(one, by)
            if resource in referents:
                sure.append(one)
            elif not referents:
                name = one.text(by)
                if isinstance(name, str):
                    sure += [one] if name == self._physical_name(resource) else []
                elif not isinstance(name, Missing):
                    unclear.append(one)
        return Attached(tuple(sure), tuple(unclear))

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
        for one in self.providers:
            if one.address == provider:
                return one.region if isinstance(one.region, str) else Unresolved("region", one.region.why)
        return Unresolved("provider", f"no provider {provider if isinstance(provider, str) else ''}".strip())

    def resolve(self, value: Json) -> Json:
        """Everything replaced that can be, configured attributes of resources too; the rest stays `${…}`."""
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
                self._policies[value] = self._read_policy(value, path)
            finally:
                self._reading.pop()
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
                addresses |= dict.fromkeys(_address(text) for text in named)
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

    def _resources(self, value: Json, *, data: bool) -> Iterator[Resource]:
        for kind, name, body in reading.labelled(value, "data" if data else "resource", self.file):
            if body.get("count") == 0 and body["count"] is not False:
                continue
            one = Resource(kind, name, body, self, data=data)
            self._by_address[one.address] = one
            if not data:
                self._by_type.setdefault(kind, []).append(one)
            yield one

    def _providers(self, value: Json) -> Iterator[Provider]:
        groups = value if isinstance(value, list) else [value]
        for group in groups:
            for name, bodies in _without_comment(reading.section(group, "provider", self.file)).items():
                for body in bodies if isinstance(bodies, list) else [bodies]:
                    block = Block(_block(body, f"provider {name}", self.file), "", self)
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
    return text.removeprefix("${").removesuffix("}").strip().partition("[")[0]


def _without_comment(section: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in section.items() if key != "//"}


def _block(value: Json, what: str, file: str) -> dict[str, Json]:
    return reading.section(value, what, file)

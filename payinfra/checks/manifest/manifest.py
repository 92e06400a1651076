"""A whole synthesized file: what is in it, and how its parts refer to each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from payinfra.checks.manifest.blocks import Block, Context
from payinfra.checks.manifest.policies import Policy
from payinfra.checks.manifest.templates import Reference
from payinfra.checks.manifest.values import Gap, Json, Unresolved

EPHEMERAL = ("pr[0-9]*", "pr-[0-9]*", "dev*")


class Resource(Block):
    """One resource or data source.

    Attributes:
        type: `aws_s3_bucket`.
        name: its name in Terraform, `audit`.
        address: `aws_s3_bucket.audit`, with `data.` in front for a data source.
        provider: the provider it names, `aws.primary`; `aws` where it names none.
        construct: the construct path from the `//` metadata, `payment/primary/audit`; empty without one.
    """

    __slots__ = ("address", "construct", "name", "provider", "type")

    def __init__(
        self, kind: str, name: str, body: dict[str, Json], context: Context, *, data: bool = False
    ) -> None: ...

    @property
    def region(self) -> str | Unresolved:
        """The region it lives in: its provider's."""
        raise NotImplementedError


@dataclass(frozen=True)
class Provider:
    """One configuration of a provider. `address` is `aws.primary`, or `aws` for the one without alias."""

    name: str
    alias: str
    region: str | Gap
    block: Block

    @property
    def address(self) -> str:
        """How resources name it."""
        return f"{self.name}.{self.alias}" if self.alias else self.name


@dataclass(frozen=True)
class Output:
    """One output of the stack."""

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


class Manifest:
    """Read-only. Make one with `load`, or with `parse` in a test.

    Attributes:
        file: the file's path as it was given.
        folder: the folder that relative paths in it start from.
        resources, data: all of them, in the order of the file; a literal `count` of 0 leaves one out.
        providers, outputs: in the order of the file.
        modules: the names of module calls, whose resources cannot be seen from here.
        environment: from the flag, else from the tags, else Unresolved.
        protected: from the flag, else from the tag `Protected`, else from the environment's name
            (see EPHEMERAL), else Unresolved.
    """

    file: str
    folder: Path
    resources: tuple[Resource, ...]
    data: tuple[Resource, ...]
    providers: tuple[Provider, ...]
    outputs: tuple[Output, ...]
    locals: Mapping[str, Json]
    modules: tuple[str, ...]
    environment: str | Unresolved
    protected: bool | Unresolved

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
        raise NotImplementedError

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
        raise NotImplementedError

    def all(self, *types: str) -> tuple[Resource, ...]:
        """The managed resources of these types, in the order of the file."""
        raise NotImplementedError

    def resource(self, address: str) -> Resource | None:
        """The resource, or with `data.` in front the data source, of that address."""
        raise NotImplementedError

    def target(self, reference: Reference) -> Resource | None:
        """What a reference means; None where the file has no such thing."""
        raise NotImplementedError

    def referents(self, block: Block, path: str = "") -> tuple[Resource, ...]:
        """The resources and data sources that the value at the path refers to, each once."""
        raise NotImplementedError

    def referrers(self, resource: Resource) -> tuple[Resource, ...]:
        """The resources and data sources that refer to this one anywhere, in the order of the file."""
        raise NotImplementedError

    def attached(self, resource: Resource, type: str, by: str) -> Attached:
        """Companions of a resource: those of `type` whose property `by` refers to it, or literally names it.

        `manifest.attached(bucket, "aws_s3_bucket_versioning", by="bucket")`.
        """
        raise NotImplementedError

    def comes_before(self, first: Resource, second: Resource) -> bool:
        """Whether Terraform makes `first` before `second`: by references or `depends_on`, in any steps."""
        raise NotImplementedError

    def references(self, text: str) -> tuple[Reference, ...]:
        """The references in a template, such as a statement's resource; locals are followed."""
        raise NotImplementedError

    def resolve(self, value: Json) -> Json:
        """Everything replaced that can be, configured attributes of resources too; the rest stays `${…}`."""
        raise NotImplementedError

    def resolve_names(self, value: Json) -> Json:
        """Only locals and functions replaced: references to resources stay."""
        raise NotImplementedError

    def policy_of(self, value: Json, path: str) -> Policy | Gap:
        """The value as a policy document; `resource.policy("policy")` is the usual way here."""
        raise NotImplementedError

"""What a stack consists of, wherever it was read from: the files of a module, or a plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from payinfra.checks.manifest.values import Json

Body = dict[str, Json]


@dataclass(frozen=True)
class Entry:
    """One resource or data source, or one instance of several.

    Attributes:
        kind: `aws_s3_bucket`.
        name: its name in Terraform.
        address: Terraform's: with the modules and the instance, and `data.` before a data source's type.
        body: what is configured, its `dynamic` blocks made into blocks.
        data: whether it is a data source.
        file: the file that was read.
        conditional: what decides whether it is made at all, `${var.closed}`; empty where it surely is.
        computed: attributes that are known besides, because the provider had given them before.
        sensitive: which values of the body are marked so, in the shape of Terraform's `sensitive_values`.
        provider: the provider's address where the body does not name it.
        source: the file, and the line in it, that made it; empty and 0 where that is not known.
    """

    kind: str
    name: str
    address: str
    body: Body
    data: bool = False
    file: str = ""
    conditional: str = ""
    computed: Mapping[str, Json] = field(default_factory=dict)
    sensitive: Json = None
    provider: str = ""
    source: tuple[str, int] = ("", 0)


@dataclass(frozen=True)
class Content:
    """A whole stack.

    Attributes:
        file: the file or folder, as it was given.
        folder: where relative paths start from.
        files: every file that was read.
        providers: name, and configuration with `alias`, of each.
        entries: resources and data sources.
        outputs: by name.
        locals: unresolved, as they stand.
        variables: the value of each that has one, given or by default.
        sensitive: the names of variables that are marked so.
        modules: the names of module calls whose resources cannot be seen.
        planned: whether this is a plan, whose values Terraform has evaluated.
        settings: the `terraform` block: backend, required providers; empty where it cannot be seen.
        removed: the `removed` blocks.
        has_source: whether the configuration that a plan was made from is known as well.
    """

    file: str
    folder: Path
    files: tuple[str, ...]
    providers: tuple[tuple[str, Body], ...]
    entries: tuple[Entry, ...]
    outputs: tuple[tuple[str, Body], ...] = ()
    locals: Mapping[str, Json] = field(default_factory=dict)
    variables: Mapping[str, Json] = field(default_factory=dict)
    sensitive: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()
    planned: bool = False
    has_source: bool = False
    settings: Body = field(default_factory=dict)
    removed: tuple[Body, ...] = ()

"""A plan as typed values, and the guard that refuses to lose what cannot be made again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from payinfra.core.errors import GateFailed
from payinfra.terraform.jsonvalue import JsonValue, at, items, members, text


class ChangeAction(StrEnum):
    """What a plan means to do with one resource or output (the words of Terraform's JSON events)."""

    NOOP = "noop"
    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    MOVE = "move"
    IMPORT = "import"
    FORGET = "remove"
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, word: str) -> "ChangeAction":
        """The action for Terraform's word; UNKNOWN for one that a later Terraform may bring."""
        return cls(word) if word in cls._value2member_map_ else cls.UNKNOWN


@dataclass(frozen=True)
class ResourceChange:
    """One resource that the plan touches.

    `reason` is Terraform's own word for why, often empty. `import_id` is the provider's id of one that exists
    and is taken into the state; empty for all others.
    """

    address: str
    type: str
    action: ChangeAction
    reason: str = ""
    import_id: str = ""


@dataclass(frozen=True)
class OutputChange:
    """One output whose value the plan changes. Values are never part of a plan's summary."""

    name: str
    action: ChangeAction
    sensitive: bool


@dataclass(frozen=True)
class LostReplica:
    """A region that a global table would leave."""

    address: str
    region: str


@dataclass(frozen=True)
class AttributeChange:
    """One attribute that a plan changes. A secret one has no values here.

    Attributes:
        path: where it is in its resource: `environment[0].variables.TABLE`.
        before: its value now; None where it has none.
        after: its value then; None where it has none, or where only the apply will tell.
        known: whether its value then is known.
        sensitive: whether it is, or may be, a secret: then only that it differs is known.
        replaces: whether it is why the resource is made anew.
    """

    path: str
    before: JsonValue = None
    after: JsonValue = None
    known: bool = True
    sensitive: bool = False
    replaces: bool = False


@dataclass(frozen=True)
class ReviewedChange:
    """One resource that a plan touches, as a person reviews it.

    Attributes:
        region: where it is; empty where that is not known.
        attributes: what changes in it, by path; none where it is deleted or only read.
    """

    address: str
    type: str
    action: ChangeAction
    region: str = ""
    attributes: tuple[AttributeChange, ...] = field(default=(), repr=False)
    reason: str = ""


@dataclass(frozen=True)
class PlannedCosts:
    """What the environment costs on AWS while idle, in dollars a month: now, and after the plan.

    Attributes:
        not_priced: what will stand besides, in numbers by type: an extension has added it, and its price is
            not known.
    """

    now: float
    then: float
    not_priced: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A saved plan: where it is and what applying it would do.

    `add`, `change` and `destroy` are Terraform's own counts: a replacement counts as one of each of add and
    destroy. `drift` is what was found changed outside Terraform. `unfinished` says that the first deployment
    was cut off: it never served, so what it left half made holds no data. `reviewed` has the changes with
    regions and attributes, where the saved plan was read again; `first` says that nothing stands yet.
    `costs` are those of the whole stack, where they were computed. `protected` are the addresses of what it
    deletes and AWS protects against that; only a destruction looks for them.
    """

    file: Path
    add: int
    change: int
    destroy: int
    changes: tuple[ResourceChange, ...] = ()
    outputs: tuple[OutputChange, ...] = ()
    drift: tuple[ResourceChange, ...] = ()
    lost_replicas: tuple[LostReplica, ...] = ()
    refresh_only: bool = False
    unfinished: bool = False
    reviewed: tuple[ReviewedChange, ...] = ()
    first: bool = False
    costs: PlannedCosts | None = None
    protected: tuple[str, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether applying the plan would change a resource, an output or what the state says.

        Reading a data source changes nothing. Drift alone matters to a refresh-only plan.
        """
        changes = any(change.action is not ChangeAction.READ for change in self.changes)
        return changes or bool(self.outputs) or (self.refresh_only and bool(self.drift))

    @property
    def adopts(self) -> int:
        """How many resources that exist already applying the plan would take into the state."""
        return sum(bool(change.import_id) for change in self.changes)


GUARDED: Mapping[str, str] = MappingProxyType(
    {
        "aws_dynamodb_table": "table",
        "aws_dynamodb_global_table": "table",
        "aws_dynamodb_table_replica": "table replica",
        "aws_s3_bucket": "bucket",
        "aws_kms_key": "key",
        "aws_kms_replica_key": "key",
        "aws_kms_external_key": "key",
        "aws_route53_zone": "zone",
    }
)

TABLE = "aws_dynamodb_table"
DELETION_PROTECTION = "deletion_protection_enabled"
"""The argument of `aws_dynamodb_table` that is on as long as AWS refuses to delete the table."""
LOSSES = {
    ChangeAction.DELETE: "would be deleted",
    ChangeAction.REPLACE: "would be deleted and made anew, empty",
    ChangeAction.UNKNOWN: "would be changed in a way that payinfra does not know",
}


def losses(plan: Plan) -> tuple[str, ...]:
    """One phrase for each table, replica, bucket, key or zone that applying the plan would lose."""
    resources = tuple(
        f"{GUARDED[change.type]} {change.address} {LOSSES[change.action]}"
        for change in plan.changes
        if change.type in GUARDED and change.action in LOSSES
    )
    replicas = tuple(
        f"table {lost.address} would lose its replica in {lost.region}" for lost in plan.lost_replicas
    )
    return resources + replicas


def guard(plan: Plan, allow_destroy: bool = False) -> None:
    """Refuse a plan that deletes or replaces a table, a replica, a bucket, a key or a zone.

    Raises:
        GateFailed: it would, `allow_destroy` is false and the environment has been whole; each is named.
    """
    lost = losses(plan)
    if lost and not (allow_destroy or plan.unfinished):
        raise GateFailed(
            "The plan would lose data: " + "; ".join(lost) + ".",
            "Nothing was changed. If that is what you want, run again with --allow-destroy.",
        )


def updates_a_table(changes: Sequence[ResourceChange]) -> bool:
    """Whether a table changes in place: only then can it lose a replica that no event tells of."""
    return any(change.type == TABLE and change.action is ChangeAction.UPDATE for change in changes)


def shown_plan(file: Path, shown: JsonValue) -> Plan:
    """A plan from what ``terraform show -json PLAN`` prints."""
    changes = tuple(
        change
        for change in (_shown_change(one) for one in items(shown, "resource_changes"))
        if change.action is not ChangeAction.NOOP
    )
    outputs = (
        OutputChange(name, _action(items(one, "actions")), at(one, "after_sensitive") is True)
        for name, one in members(shown, "output_changes").items()
    )
    counted = [change.action for change in changes]
    replaced = counted.count(ChangeAction.REPLACE)
    return Plan(
        file=file,
        add=counted.count(ChangeAction.CREATE) + replaced,
        change=counted.count(ChangeAction.UPDATE),
        destroy=counted.count(ChangeAction.DELETE) + replaced,
        changes=changes,
        outputs=tuple(output for output in outputs if output.action is not ChangeAction.NOOP),
        drift=tuple(_shown_change(one) for one in items(shown, "resource_drift")),
        lost_replicas=lost_replicas(shown),
    )


ACTIONS: Mapping[tuple[JsonValue, ...], ChangeAction] = MappingProxyType(
    {
        ("no-op",): ChangeAction.NOOP,
        ("create",): ChangeAction.CREATE,
        ("read",): ChangeAction.READ,
        ("update",): ChangeAction.UPDATE,
        ("delete",): ChangeAction.DELETE,
        ("delete", "create"): ChangeAction.REPLACE,
        ("create", "delete"): ChangeAction.REPLACE,
        ("forget",): ChangeAction.FORGET,
    }
)


def _action(words: Sequence[JsonValue], import_id: str = "") -> ChangeAction:
    if import_id and tuple(words) == ("no-op",):
        return ChangeAction.IMPORT
    return ACTIONS.get(tuple(words), ChangeAction.UNKNOWN)


def shown_action(one: JsonValue) -> ChangeAction:
    """What a plan would do with one of the `resource_changes` of ``terraform show -json``."""
    return _action(items(one, "change", "actions"), text(one, "change", "importing", "id"))


def _shown_change(one: JsonValue) -> ResourceChange:
    import_id = text(one, "change", "importing", "id")
    return ResourceChange(
        address=text(one, "address"),
        type=text(one, "type"),
        action=_action(items(one, "change", "actions"), import_id),
        reason=text(one, "action_reason"),
        import_id=import_id,
    )


def lost_replicas(shown: JsonValue) -> tuple[LostReplica, ...]:
    """The replicas that updated tables lose, from ``terraform show -json PLAN``."""
    return tuple(
        LostReplica(text(change, "address"), region)
        for change in items(shown, "resource_changes")
        if text(change, "type") == TABLE and "update" in items(change, "change", "actions")
        for region in sorted(
            _regions(at(change, "change", "before")) - _regions(at(change, "change", "after"))
        )
    )


def protected_against_deletion(shown: JsonValue) -> tuple[str, ...]:
    """What a plan deletes although its deletion protection is on, from ``terraform show -json PLAN``.

    The values before the plan are AWS's own: Terraform has read them just now.
    """
    return tuple(
        text(change, "address")
        for change in items(shown, "resource_changes")
        if "delete" in items(change, "change", "actions")
        and at(change, "change", "before", DELETION_PROTECTION) is True
    )


def _regions(table: JsonValue) -> frozenset[str]:
    return frozenset(text(replica, "region_name") for replica in items(table, "replica"))

"""Whether something that exists may be adopted. Nothing of anybody else's ever is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

IDENTITY = ("Environment", "Project", "ManagedBy")
"""The tags that tell an environment's resources from all others (see `naming.tags`)."""

CLOCKS_APART = timedelta(minutes=1)
"""How far this machine's clock may be from that of AWS."""


@dataclass(frozen=True)
class FoundResource:
    """Something that exists under the name, or in the place, of a resource that a plan would create.

    Attributes:
        import_id: the provider's id for it.
        arn: its ARN, where parts of it name it by that.
        parent: the ARN or id of what it is a part of; empty for what stands by itself.
        created: when it was made; None where AWS does not say.
        tags: its tags; None for a type that has none.
        tagged_later: the provider tags it with a second call, which may never have been made.
        attributes: values that the provider reads of it and that other resources refer to, beside `arn`; `id`
            where that is not the import id.
        in_use: that the environment uses it, where there may be several of the same name.
    """

    import_id: str
    arn: str = ""
    parent: str = ""
    created: datetime | None = None
    tags: Mapping[str, str] | None = None
    tagged_later: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict, compare=False)
    in_use: bool = False

    @property
    def names(self) -> frozenset[str]:
        """What others call it by."""
        return frozenset(name for name in (self.import_id, self.arn) if name)

    @property
    def known(self) -> Mapping[str, str]:
        """The attributes that other resources may refer to."""
        known = {"id": self.import_id, "arn": self.arn, **self.attributes}
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True)
class OwnershipEvidence:
    """What is known of the environment when something is judged.

    Attributes:
        since: when the environment's first apply began; None where that is not known.
        known: the ids and ARNs of everything in its state.
    """

    since: datetime | None
    known: frozenset[str]

    def against(self, found: FoundResource, tags: Mapping[str, str]) -> str:
        """Why it must not be adopted as a resource with these planned `tags`; empty where it may be.

        A part goes with what it is a part of. What stands by itself must bear the environment's tags and be
        no older than the environment: another one of the same name, with a state elsewhere, has the same.
        """
        if found.parent:
            owned = found.parent in self.known
            return "" if owned else f"it is part of {found.parent}, which is not in this environment's state"
        if found.tags is not None and not bears(found, tags):
            return "it does not bear this environment's tags"
        if self.since is None or found.created is None:
            return "nothing shows that it was made by a deployment of this environment from here"
        if found.created < self.since - CLOCKS_APART:
            return (
                f"it was made at {found.created:%Y-%m-%d %H:%M:%S} UTC, before this environment was first "
                f"deployed from here, at {self.since:%Y-%m-%d %H:%M:%S} UTC"
            )
        return ""


def bears(found: FoundResource, wanted: Mapping[str, str]) -> bool:
    """Whether it bears the environment's tags, which are among the `wanted`, or never got any."""
    tags = found.tags or {}
    if found.tagged_later and not tags:
        return True
    return all(name in wanted and tags.get(name) == wanted[name] for name in IDENTITY)

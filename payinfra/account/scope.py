"""How far a deploy role reaches: which account, environments and regions, and under which conditions."""

from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.core.naming import PROJECT, Names, regions_used

Conditions = dict[str, dict[str, str | Sequence[str]]]


@dataclass(frozen=True)
class PermissionScope:
    """What a deploy role is for.

    Attributes:
        account: the account's twelve digits.
        regions: the primary region, then the secondary.
        env: the one environment that it may touch, or with a `*` at the end those whose names begin so;
            None for all of payinfra's.
        domain: the domain whose records it may write; None where environments have zones of their own.
        hosted_zone_id: the zone of `domain`.
        state_bucket: the bucket that holds Terraform's state; None for none.
        state_region: the region of that bucket; None for the primary one.
        state_key: the state's key, where it is not the usual one.
        boundary: ARN of the policy that must bound every role which it makes; None for none.
    """

    account: str
    regions: tuple[str, str]
    env: str | None = None
    domain: str | None = None
    hosted_zone_id: str | None = None
    state_bucket: str | None = None
    state_region: str | None = None
    state_key: str | None = None
    boundary: str | None = None

    @property
    def names(self) -> Names:
        """The names of its environments; with `*` for each part that may be anything."""
        return Names(self.env or "*")

    @property
    def all_regions(self) -> tuple[str, ...]:
        """Every region that a deployment calls, that of the state included."""
        state = () if self.state_region is None else (self.state_region,)
        return tuple(dict.fromkeys((*regions_used(self.regions), *state)))

    def arn(self, service: str, resource: str) -> str:
        """Something of the account in any region: a statement of its own keeps to the regions."""
        return f"arn:aws:{service}:*:{self.account}:{resource}"

    def role(self, name: str) -> str:
        """A role of the account."""
        return f"arn:aws:iam::{self.account}:role/{name}"

    def tagged(self, which: str) -> Conditions:
        """A condition on the tags of what is touched (`ResourceTag`) or made (`RequestTag`)."""
        project: Conditions = {"StringEquals": {f"aws:{which}/Project": PROJECT}}
        if self.env is None:
            return project
        suffix: dict[str, str | Sequence[str]] = {f"aws:{which}/EnvironmentSuffix": self.env}
        if self.env.endswith("*"):
            return {**project, "StringLike": suffix}
        return {"StringEquals": {**project["StringEquals"], **suffix}}

"""The scope of a deploy role: account, environments, regions and conditions."""

from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.core.naming import NAME_PREFIX, PROJECT, STATE_KEY_ALIAS, Names, regions_used

Conditions = dict[str, dict[str, str | Sequence[str]]]


@dataclass(frozen=True)
class PermissionScope:
    """The scope of a deploy role.

    Attributes:
        account: the account's twelve digits.
        regions: the primary region, then the secondary.
        env: the only environment, or with a trailing `*` a prefix of names; None for all of payinfra's.
        domain: the domain whose records it may write; None where environments have zones of their own.
        hosted_zone_id: the zone of `domain`.
        state_bucket: the bucket that holds Terraform's state; None for none.
        state_region: the region of that bucket; None for the primary one.
        state_kms_key: the key of the state: an ARN, an id or an alias.
        state_key: the state's key; None for the default.
        prefix: what the environments' names begin with.
        failover_name, latency_name: the whole names whose records it may write; None for derived ones.
        layers: the ARNs of the function's layers.
        boundary: ARN of the required permissions boundary of every created role; None for none.
    """

    account: str
    regions: tuple[str, str]
    env: str | None = None
    domain: str | None = None
    hosted_zone_id: str | None = None
    state_bucket: str | None = None
    state_region: str | None = None
    state_kms_key: str = STATE_KEY_ALIAS
    state_key: str | None = None
    boundary: str | None = None
    prefix: str = NAME_PREFIX
    failover_name: str | None = None
    latency_name: str | None = None
    layers: tuple[str, ...] = ()

    @property
    def names(self) -> Names:
        """The names of its environments, with `*` for what may be anything."""
        return Names(self.env or "*", self.prefix, self.failover_name, self.latency_name)

    @property
    def all_regions(self) -> tuple[str, ...]:
        """Every region that a deployment calls, including that of the state."""
        state = () if self.state_region is None else (self.state_region,)
        return tuple(dict.fromkeys((*regions_used(self.regions), *state)))

    def arn(self, service: str, resource: str) -> str:
        """An ARN in any region: a statement of its own limits the regions."""
        return f"arn:aws:{service}:*:{self.account}:{resource}"

    def role(self, name: str) -> str:
        """A role of the account."""
        return f"arn:aws:iam::{self.account}:role/{name}"

    def tagged(self, which: str) -> Conditions:
        """A condition on the tags of existing (`ResourceTag`) or new resources (`RequestTag`)."""
        project: Conditions = {"StringEquals": {f"aws:{which}/Project": PROJECT}}
        if self.env is None:
            return project
        suffix: dict[str, str | Sequence[str]] = {f"aws:{which}/EnvironmentSuffix": self.env}
        if self.env.endswith("*"):
            return {**project, "StringLike": suffix}
        return {"StringEquals": {**project["StringEquals"], **suffix}}

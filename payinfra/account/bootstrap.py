"""Creates or updates everything that an account has once, in the order of its dependencies."""

from dataclasses import dataclass

from payinfra.account.boundary import boundary_policy
from payinfra.account.buckets import state_bucket
from payinfra.account.changes import Changes
from payinfra.account.drill_roles import drill_roles
from payinfra.account.gateway_logs import gateway_logs
from payinfra.account.trace_sampling import trace_sampling
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import NAME_PREFIX


@dataclass(frozen=True)
class WantedAccount:
    """What the account must have.

    Attributes:
        regions: the primary region, then the secondary.
        state_bucket: the bucket for Terraform's state; None for none.
        state_region: of the bucket: one of the two, by default the primary. The replica is in the other.
        boundary: whether to have a permissions boundary for the roles of environments.
        drills: whether to have what failover drills on AWS need.
        prefix: what the environments' names begin with.
    """

    regions: tuple[str, str]
    state_bucket: str | None = None
    state_region: str | None = None
    boundary: bool = False
    drills: bool = False
    prefix: str = NAME_PREFIX

    @property
    def state_regions(self) -> tuple[str, str]:
        """The region of the state bucket, then the region of its replica."""
        here = self.state_region or self.regions[0]
        return here, self.regions[0] if here == self.regions[1] else self.regions[1]


def bootstrap(wanted: WantedAccount, aws: Aws, changes: Changes) -> str:
    """Create or update everything, and return the account's twelve digits. A second run changes nothing.

    Raises:
        EnvironmentUnusable: AWS cannot be reached or refused something, or a bucket's name is taken.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    account = aws.account(wanted.regions[0])
    try:
        gateway_logs(wanted.regions, aws, account, changes)
        trace_sampling(wanted.regions, aws, changes, wanted.prefix)
        if wanted.state_bucket is not None:
            state_bucket(wanted.state_bucket, wanted.state_regions, aws, account, changes)
        if wanted.boundary:
            boundary_policy(wanted.regions[0], aws, account, changes, wanted.prefix)
        if wanted.drills:
            drill_roles(wanted.regions, aws, account, changes, wanted.prefix)
    except (BotoCoreError, ClientError) as error:
        done = f" Done before that: {'; '.join(changes.said)}." if changes.said else ""
        raise EnvironmentUnusable(
            f"The account could not be prepared: {error}.{done}",
            "Fix this and run the command again. What exists already is kept.",
        ) from None
    return account

"""Everything that an account has once, made or mended in the order in which it depends on itself."""

from dataclasses import dataclass

from payinfra.account.boundary import boundary_policy
from payinfra.account.buckets import state_bucket
from payinfra.account.changes import Changes
from payinfra.account.drill_roles import drill_roles
from payinfra.account.gateway_logs import gateway_logs
from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable


@dataclass(frozen=True)
class WantedAccount:
    """What the account is to have.

    Attributes:
        regions: the primary region, then the secondary.
        state_bucket: the bucket for Terraform's state; None for none.
        state_region: the bucket's region: one of the two, by default the primary. It is copied to the other.
        boundary: whether a permissions boundary for the roles of environments is to be there.
        drills: whether failover drills on AWS are to have what they need.
    """

    regions: tuple[str, str]
    state_bucket: str | None = None
    state_region: str | None = None
    boundary: bool = False
    drills: bool = False

    @property
    def state_regions(self) -> tuple[str, str]:
        """The region of the state bucket, then the one that it is copied to."""
        here = self.state_region or self.regions[0]
        return here, self.regions[0] if here == self.regions[1] else self.regions[1]


def bootstrap(wanted: WantedAccount, aws: Aws, changes: Changes) -> str:
    """Make sure of all that is wanted; the account's twelve digits. Again, it changes nothing.

    Raises:
        EnvironmentUnusable: AWS cannot be reached or refused something, or a bucket's name is taken.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    account = aws.account(wanted.regions[0])
    try:
        gateway_logs(wanted.regions, aws, account, changes)
        if wanted.state_bucket is not None:
            state_bucket(wanted.state_bucket, wanted.state_regions, aws, account, changes)
        if wanted.boundary:
            boundary_policy(wanted.regions[0], aws, account, changes)
        if wanted.drills:
            drill_roles(wanted.regions, aws, account, changes)
    except (BotoCoreError, ClientError) as error:
        done = f" Before that it did: {'; '.join(changes.said)}." if changes.said else ""
        raise EnvironmentUnusable(
            f"The account could not be prepared: {error}.{done}",
            "Mend that and run it again: what is there already stays as it is.",
        ) from None
    return account

"""Where a construct stands: what every one of them needs to know, and nothing more."""

from dataclasses import dataclass

from cdktf import TerraformResource
from cdktf_cdktf_provider_aws.provider import AwsProvider

from payinfra.core.naming import Names


@dataclass(frozen=True)
class RegionContext:
    """One region of one environment.

    Attributes:
        region: the region's name.
        provider: the provider that works there.
        account: the account's id, which Terraform learns when it plans.
        names: the environment's names.
        protected: whether what holds data may not be lost.
        permissions_boundary: ARN of the policy that bounds the roles; None for none.
        lean: whether the environment has the lean footprint: one key, and half the alarms.
    """

    region: str
    provider: AwsProvider
    account: str
    names: Names
    protected: bool
    permissions_boundary: str | None = None
    lean: bool = False

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in this region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def role_arn(self, name: str) -> str:
        """The ARN of a role of this account; roles have no region."""
        return f"arn:aws:iam::{self.account}:role/{name}"


def address(resource: TerraformResource) -> str:
    """A resource's address in Terraform, for expressions that cdktf has no method for."""
    return f"{resource.terraform_resource_type}.{resource.friendly_unique_id}"

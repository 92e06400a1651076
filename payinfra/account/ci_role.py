"""The role that CI deploys with: whom it lets in, and what it may do."""

from dataclasses import dataclass

from payinfra.account.changes import Changes
from payinfra.account.permissions import permissions
from payinfra.account.policies import ManagedPolicy, policies
from payinfra.account.roles import Roles
from payinfra.account.scope import PermissionScope
from payinfra.account.trust import Pipelines, Trust
from payinfra.clients.aws import Aws
from payinfra.core.naming import ci_role


@dataclass(frozen=True)
class CiRole:
    """A deploy role, as it is to be.

    Attributes:
        trust: its trust policy, as JSON.
        policies: what it may do, in as many managed policies as IAM's limits ask for.
    """

    name: str
    arn: str
    trust: str
    policies: tuple[ManagedPolicy, ...]


def describe(reach: PermissionScope, trust: Trust) -> CiRole:
    """The role that may deploy, verify, drill and destroy what is within reach, and nothing more."""
    name = ci_role(reach.env)
    return CiRole(
        name,
        f"arn:aws:iam::{reach.account}:role/{name}",
        trust.document(reach.account),
        policies(name, reach, permissions()),
    )


def deploy(role: CiRole, reach: PermissionScope, trust: Trust, aws: Aws, changes: Changes) -> None:
    """Make the role, or make it what it should be; and the identity provider where pipelines need one."""
    roles = Roles(aws.iam(reach.regions[0]), reach.account, changes)
    if isinstance(trust, Pipelines):
        roles.identity_provider(trust.host, trust.audience)
    roles.role(role.name, description="Deploys payment environments from CI", trust=role.trust)
    arns = tuple(roles.policy(policy) for policy in role.policies)
    roles.attached(role.name, arns, prefix=f"{role.name}-")

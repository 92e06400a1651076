"""The role that CI deploys with: whom it trusts, and what it may do."""

from dataclasses import dataclass

from payinfra.account.changes import Changes
from payinfra.account.extension_permissions import NOTHING_ADDED, ExtensionNeeds
from payinfra.account.permissions import permissions
from payinfra.account.policies import ManagedPolicy, policies
from payinfra.account.roles import Roles
from payinfra.account.scope import PermissionScope
from payinfra.account.trust import Pipelines, Trust
from payinfra.clients.aws import Aws
from payinfra.core.naming import ci_role


@dataclass(frozen=True)
class CiRole:
    """A deploy role.

    Attributes:
        trust: its trust policy, as JSON.
        policies: its permissions, in as many managed policies as IAM's limits require.
    """

    name: str
    arn: str
    trust: str
    policies: tuple[ManagedPolicy, ...]


def describe(reach: PermissionScope, trust: Trust, extension: ExtensionNeeds = NOTHING_ADDED) -> CiRole:
    """The least-privilege role that deploys, verifies, drills and destroys what is in scope.

    Args:
        extension: what the project adds to the stack.

    Raises:
        UsageProblem: nobody has said what deploying a resource of the extension takes.
    """
    name = ci_role(reach.env)
    return CiRole(
        name,
        f"arn:aws:iam::{reach.account}:role/{name}",
        trust.document(reach.account),
        policies(name, reach, permissions(), extension.statements(reach)),
    )


def deploy(role: CiRole, reach: PermissionScope, trust: Trust, aws: Aws, changes: Changes) -> None:
    """Create or update the role, and the identity provider where pipelines need one."""
    roles = Roles(aws.iam(reach.regions[0]), reach.account, changes)
    if isinstance(trust, Pipelines):
        roles.identity_provider(trust.host, trust.audience)
    roles.role(role.name, description="Deploys payment environments from CI", trust=role.trust)
    arns = tuple(roles.policy(policy) for policy in role.policies)
    roles.attached(role.name, arns, prefix=f"{role.name}-")

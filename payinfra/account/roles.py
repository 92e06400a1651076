"""Creates and updates the roles and managed policies of an account."""

from functools import partial
from typing import TYPE_CHECKING

from payinfra.account.changes import Changes
from payinfra.account.policies import ManagedPolicy
from payinfra.core.json_text import parse_json
from payinfra.core.naming import PROJECT

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import PolicyVersionTypeDef

VERSIONS_KEPT = 5
"""Versions of a managed policy that IAM keeps (IAM user guide, "IAM and AWS STS quotas")."""
TAGS = {"Project": PROJECT, "ManagedBy": "payinfra"}


class Roles:
    """The roles of an account.

    Every method is idempotent: what is already correct is neither changed nor recorded.

    Args:
        iam: the account's IAM.
        account: its twelve digits.
        changes: makes and records the changes.
    """

    def __init__(self, iam: "IAMClient", account: str, changes: Changes) -> None:
        self._iam, self._account, self._changes = iam, account, changes

    def arn(self, name: str) -> str:
        """A role's ARN."""
        return f"arn:aws:iam::{self._account}:role/{name}"

    def role(self, name: str, *, description: str, trust: str) -> str:
        """Create or update a role with this trust policy, and return its ARN."""
        iam = self._iam
        try:
            known = iam.get_role(RoleName=name)["Role"]
        except iam.exceptions.NoSuchEntityException:
            self._changes.make(
                f"create role {name}",
                lambda: iam.create_role(
                    RoleName=name,
                    Description=description,
                    AssumeRolePolicyDocument=trust,
                    Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
                ),
            )
        else:
            if not same(known["AssumeRolePolicyDocument"], trust):
                self._changes.make(
                    f"change who may assume role {name}",
                    lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust),
                )
        return self.arn(name)

    def inline(self, role: str, policy: ManagedPolicy) -> None:
        """Create or update an inline policy of a role."""
        iam = self._iam
        try:
            known: object = iam.get_role_policy(RoleName=role, PolicyName=policy.name)["PolicyDocument"]
        except iam.exceptions.NoSuchEntityException:
            known = None
        if not same(known, policy.document):
            self._changes.make(
                f"{'write' if known is None else 'change'} policy {policy.name} of role {role}",
                lambda: iam.put_role_policy(
                    RoleName=role, PolicyName=policy.name, PolicyDocument=policy.document
                ),
            )

    def attached(self, role: str, arns: tuple[str, ...], *, prefix: str) -> None:
        """Attach exactly these policies of those named `prefix…` to a role."""
        iam = self._iam
        known = self._attached(role)
        for arn in arns:
            if arn not in known:
                attach = partial(iam.attach_role_policy, RoleName=role, PolicyArn=arn)
                self._changes.make(f"attach {_name(arn)} to role {role}", attach)
        for arn in known:
            if arn not in arns and _name(arn).startswith(prefix):
                self._changes.make(f"detach and delete policy {_name(arn)}", partial(self._delete, role, arn))

    def policy(self, policy: ManagedPolicy) -> str:
        """Create or update a managed policy and return its ARN."""
        iam, arn = self._iam, f"arn:aws:iam::{self._account}:policy/{policy.name}"
        try:
            default = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        except iam.exceptions.NoSuchEntityException:
            self._changes.make(
                f"create policy {policy.name}",
                lambda: iam.create_policy(
                    PolicyName=policy.name,
                    PolicyDocument=policy.document,
                    Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
                ),
            )
            return arn
        known = iam.get_policy_version(PolicyArn=arn, VersionId=default)["PolicyVersion"]["Document"]
        if not same(known, policy.document):
            self._changes.make(
                f"change policy {policy.name}", lambda: self._new_version(arn, policy.document)
            )
        return arn

    def identity_provider(self, host: str, audience: str) -> None:
        """Create or update the identity provider `host` with this audience."""
        iam, arn = self._iam, f"arn:aws:iam::{self._account}:oidc-provider/{host}"
        try:
            known = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        except iam.exceptions.NoSuchEntityException:
            self._changes.make(
                f"create identity provider {host}",
                lambda: iam.create_open_id_connect_provider(Url=f"https://{host}", ClientIDList=[audience]),
            )
            return
        if audience not in known["ClientIDList"]:
            self._changes.make(
                f"add audience {audience} to identity provider {host}",
                lambda: iam.add_client_id_to_open_id_connect_provider(
                    OpenIDConnectProviderArn=arn, ClientID=audience
                ),
            )

    def _attached(self, role: str) -> tuple[str, ...]:
        iam = self._iam
        try:
            pages = list(iam.get_paginator("list_attached_role_policies").paginate(RoleName=role))
        except iam.exceptions.NoSuchEntityException:  # a dry run created no role
            return ()
        return tuple(each["PolicyArn"] for page in pages for each in page["AttachedPolicies"])

    def _new_version(self, arn: str, document: str) -> None:
        versions = self._versions(arn)
        if len(versions) >= VERSIONS_KEPT:
            oldest = min(
                (one for one in versions if not one["IsDefaultVersion"]), key=lambda one: one["CreateDate"]
            )
            self._iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
        self._iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)

    def _versions(self, arn: str) -> "list[PolicyVersionTypeDef]":
        pages = self._iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn)
        return [version for page in pages for version in page["Versions"]]

    def _delete(self, role: str, arn: str) -> None:
        self._iam.detach_role_policy(RoleName=role, PolicyArn=arn)
        for version in self._versions(arn):
            if not version["IsDefaultVersion"]:
                self._iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        self._iam.delete_policy(PolicyArn=arn)


def same(known: object, wanted: str) -> bool:
    """Whether a policy document from AWS, as text or parsed, equals the wanted one."""
    found: object = parse_json(known) if isinstance(known, str) else known
    wished: object = parse_json(wanted)
    return found == wished


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]

"""Sessions that work as a role, renewed before they expire.

Imports boto3: `payinfra.clients.aws` imports this module when it is needed.
"""

from typing import TYPE_CHECKING

import boto3
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from payinfra.core.naming import SESSION_NAME

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


class AssumedRole(CredentialProvider):
    """Credentials of a role, for a session."""

    METHOD = "assume-role"

    def __init__(self, role_arn: str, sts: "STSClient") -> None:
        super().__init__()
        self._role_arn, self._sts = role_arn, sts

    def load(self) -> Credentials:
        """Credentials that are requested on first use, and again before they expire."""
        return DeferredRefreshableCredentials(refresh_using=self._renewed, method=self.METHOD)

    def _renewed(self) -> dict[str, str]:
        found = self._sts.assume_role(RoleArn=self._role_arn, RoleSessionName=SESSION_NAME)["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }


def assumed(role_arn: str, sts: "STSClient") -> boto3.session.Session:
    """A session whose clients call as the role. `sts` calls as whoever may assume it."""
    core = Session()
    core.register_component("credential_provider", CredentialResolver([AssumedRole(role_arn, sts)]))
    return boto3.session.Session(botocore_session=core)

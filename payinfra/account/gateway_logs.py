"""API Gateway's role for logs, which an account has once a region and which no environment may own."""

import time
from collections.abc import Callable
from functools import partial

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from payinfra.account.changes import Changes
from payinfra.account.preflight import ROLE_POLICY
from payinfra.account.roles import Roles
from payinfra.clients.aws import Aws
from payinfra.core.naming import API_LOGS_ROLE
from payinfra.stacks.iam_documents import service_trust

BELIEVED_WITHIN_S = 90.0
"""A new role takes some seconds until API Gateway finds that it may assume it."""


def gateway_logs(
    regions: tuple[str, ...],
    aws: Aws,
    account: str,
    changes: Changes,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make sure that API Gateway may write logs in each region. A role that is set already stays.

    Raises:
        ClientError: AWS refused something.
    """
    without = [
        region for region in regions if not aws.apigateway(region).get_account().get("cloudwatchRoleArn")
    ]
    if not without:
        return
    roles = Roles(aws.iam(regions[0]), account, changes)
    role = roles.role(
        API_LOGS_ROLE,
        description="API Gateway writes access and execution logs",
        trust=service_trust("apigateway.amazonaws.com", {}),
    )
    roles.attached(API_LOGS_ROLE, (ROLE_POLICY,), prefix=API_LOGS_ROLE)
    patience = Retrying(
        retry=retry_if_exception(_not_believed_yet),
        stop=stop_after_delay(BELIEVED_WITHIN_S),
        wait=wait_fixed(3.0),
        sleep=sleep,
        reraise=True,
    )
    for region in without:
        update = partial(
            patience,
            aws.apigateway(region).update_account,
            patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}],
        )
        changes.make(f"let API Gateway in {region} write logs as {API_LOGS_ROLE}", update)


def _not_believed_yet(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] == "BadRequestException"

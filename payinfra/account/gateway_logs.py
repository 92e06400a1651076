"""API Gateway's logging role: a setting of an account and region, which no environment may own."""

import time
from collections.abc import Callable
from functools import partial

from payinfra.account.changes import Changes
from payinfra.account.roles import Roles
from payinfra.clients.aws import Aws
from payinfra.clients.aws_errors import code_of, is_transient
from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.naming import API_LOGS_ROLE
from payinfra.stacks.iam_documents import service_trust

ROLE_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
"""AWS's own policy for the role with which API Gateway writes logs (API Gateway developer guide, "Set up
CloudWatch logging for REST APIs")."""

ACCEPTED_WITHIN_S = 120.0
"""How long API Gateway may take to accept a new role: it refuses one that it cannot assume yet."""
PAUSE_S = 21.0
"""API Gateway takes one UpdateAccount in 20 seconds (API Gateway developer guide, "API Gateway quotas")."""


def gateway_logs(
    regions: tuple[str, ...],
    aws: Aws,
    account: str,
    changes: Changes,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Let API Gateway write logs in each region. A role that is set already is kept.

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
    for region in without:
        update = partial(
            Deadline.within(ACCEPTED_WITHIN_S, sleep=sleep).poll,
            partial(
                aws.apigateway(region).update_account,
                patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}],
            ),
            retry_if=_may_be_accepted_later,
            first_pause_s=PAUSE_S,
            longest_pause_s=PAUSE_S,
        )
        changes.make(f"let API Gateway in {region} write logs as {API_LOGS_ROLE}", update)


def _may_be_accepted_later(error: BaseException) -> bool:
    """Whether API Gateway may not assume the role yet, or was asked too often."""
    from botocore.exceptions import ClientError

    refused = isinstance(error, ClientError) and code_of(error) == "BadRequestException"
    return refused or is_transient(error)


def account_settings(aws: Aws, regions: tuple[str, str]) -> str:
    """Check that API Gateway has its CloudWatch role in each region, and return what was found, in a phrase.

    No environment's stack has this role: the first one destroyed would take it from all others. Without it,
    API Gateway refuses a stage with logs, in the middle of an apply.

    Raises:
        EnvironmentUnusable: a region has none, or the setting cannot be read.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        without = [
            region for region in regions if not aws.apigateway(region).get_account().get("cloudwatchRoleArn")
        ]
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentUnusable(
            f"API Gateway's account settings cannot be read: {error}.",
            "Allow apigateway:GET on /account, in both regions.",
        ) from None
    if without:
        raise EnvironmentUnusable(
            f"API Gateway has no CloudWatch role in {' and '.join(without)}, so it cannot write logs.",
            f"Run `payinfra bootstrap {_flags(regions)}` once for the account: it creates and sets the role.",
        )
    return "API Gateway may write logs"


def _flags(regions: tuple[str, str]) -> str:
    primary, secondary = regions
    return f"--aws --primary-region {primary} --secondary-region {secondary}"

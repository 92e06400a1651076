"""What an environment needs of its account but may not own, looked at before anything is changed."""

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable

ROLE_POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
"""AWS's own policy for the role with which API Gateway writes logs (API Gateway developer guide, "Set up
CloudWatch logging for REST APIs")."""


def account_settings(aws: Aws, regions: tuple[str, str]) -> str:
    """Look for API Gateway's CloudWatch role, one per account and region; what was found, in a phrase.

    It belongs to no environment's stack: the first one destroyed would take it from all others. Without it
    API Gateway refuses a stage that logs, in the middle of an apply.

    Raises:
        EnvironmentUnusable: a region has none, or the question was refused.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        without = [
            region for region in regions if not aws.apigateway(region).get_account().get("cloudwatchRoleArn")
        ]
    except (BotoCoreError, ClientError) as error:
        raise EnvironmentUnusable(
            f"API Gateway does not tell its account settings: {error}.",
            "Allow apigateway:GET on /account, in both regions.",
        ) from None
    if without:
        raise EnvironmentUnusable(
            f"API Gateway has no CloudWatch role in {' and '.join(without)}, so it cannot write logs.",
            f"Run `payinfra bootstrap {_flags(regions)}`: once an account, it makes the role and sets it.",
        )
    return "API Gateway may write logs"


def _flags(regions: tuple[str, str]) -> str:
    primary, secondary = regions
    return f"--aws --primary-region {primary} --secondary-region {secondary}"

"""The rules of every service, by service and operation."""

from collections.abc import Mapping

from payinfra.local.server.validation import (
    acm,
    api_gateway,
    cloudwatch,
    dynamodb,
    functions,
    iam,
    kms,
    logs,
    route53,
    s3,
    sns,
    ssm,
)
from payinfra.local.server.validation.calls import Rules

RULES: Mapping[str, Rules] = {
    "acm": acm.RULES,
    "apigateway": api_gateway.RULES,
    "dynamodb": dynamodb.RULES,
    "iam": iam.RULES,
    "kms": kms.RULES,
    "lambda": functions.RULES,
    "logs": logs.RULES,
    "monitoring": cloudwatch.RULES,
    "route53": route53.RULES,
    "s3": s3.RULES,
    "sns": sns.RULES,
    "sqs": sns.SQS_RULES,
    "ssm": ssm.RULES,
    "sts": iam.STS_RULES,
}

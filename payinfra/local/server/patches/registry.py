"""All patches, in the order in which they are applied."""

from payinfra.local.server.ministack import Emulator
from payinfra.local.server.patches import (
    acm,
    api_gateway,
    api_gateway_deployments,
    api_gateway_mock,
    authorization,
    cloudwatch_logs,
    cloudwatch_metrics,
    custom_domains,
    dynamodb,
    function_environment,
    iam,
    kms_tags,
    lambda_concurrency,
    lambda_event_sources,
    lambda_execution_role,
    lambda_integration,
    lambda_log_lines,
    lambda_workers,
    log_metrics,
    route53,
    s3,
    s3_replication,
    sns,
    sqs,
    streams,
    tagging,
    validation,
    xray,
)
from payinfra.local.server.routing import ResponsePatch

ANSWERS: tuple[ResponsePatch, ...] = (
    api_gateway.what_was_not_set_is_not_described,
    api_gateway.mock_integration_has_no_method,
    api_gateway.domain_is_available,
    route53.no_zone_is_signed,
)
"""Those that look at a request and its answer."""


def install(emulator: Emulator) -> None:
    """Apply those that reach into a service."""
    for service in (
        acm,
        custom_domains,
        api_gateway_deployments,
        api_gateway,
        api_gateway_mock,
        s3_replication,
        cloudwatch_metrics,
        lambda_workers,
        lambda_concurrency,
        dynamodb,
        lambda_execution_role,
        function_environment,
        lambda_integration,
        lambda_log_lines,
        iam,
        cloudwatch_logs,
        log_metrics,
        route53,
        s3,
        sns,
        sqs,
        lambda_event_sources,
        streams,
        tagging,
        xray,
        authorization,
        kms_tags,
        validation,
    ):
        service.install(emulator)

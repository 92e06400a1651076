"""All corrections, in the order in which they are made."""

from payinfra.local.app import AnswerCorrection
from payinfra.local.corrections import (
    api_deployments,
    api_gateway,
    authorization,
    bucket_copies,
    cloudwatch,
    cold_starts,
    dynamodb,
    function_roles,
    functions,
    iam,
    log_groups,
    route53,
    s3,
    stream_readers,
    streams,
    tagging,
    traces,
)
from payinfra.local.emulator import Emulator

ANSWERS: tuple[AnswerCorrection, ...] = (
    api_gateway.what_was_not_set_is_not_described,
    api_gateway.mock_integration_has_no_method,
    api_gateway.domain_is_available,
    route53.no_zone_is_signed,
)
"""Those that look at a request and its answer."""


def install(emulator: Emulator) -> None:
    """Makes those that reach into a service."""
    for service in (
        api_deployments,
        api_gateway,
        bucket_copies,
        cloudwatch,
        cold_starts,
        dynamodb,
        function_roles,
        functions,
        iam,
        log_groups,
        route53,
        s3,
        stream_readers,
        streams,
        tagging,
        traces,
        authorization,
    ):
        service.install(emulator)

"""Calls that AWS refuses are refused: after IAM has allowed them, before ministack does them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from payinfra.local.server.ministack import Emulator
from payinfra.local.server.validation.answers import Answer, written
from payinfra.local.server.validation.calls import AwsRefusal, ServiceCall
from payinfra.local.server.validation.models import fits_its_model, known
from payinfra.local.server.validation.requests import SentRequest, UnreadableRequest, read
from payinfra.local.server.validation.rules import RULES

SERVICES = {
    "acm": "acm",
    "apigateway_v1": "apigateway",
    "cloudwatch": "monitoring",
    "cloudwatch_logs": "logs",
    "dynamodb": "dynamodb",
    "dynamodb_streams": "dynamodbstreams",
    "iam": "iam",
    "kms": "kms",
    "lambda_svc": "lambda",
    "route53": "route53",
    "s3": "s3",
    "sns": "sns",
    "sqs": "sqs",
    "ssm": "ssm",
    "sts": "sts",
}
"""ministack's modules, with the names that requests are signed for, and DynamoDB's streams beside it."""

Handle = Callable[..., Awaitable[Any]]


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    for name, service in SERVICES.items():
        module = emulator.service(name)
        emulator.replace(
            module, "handle_request", only_what_aws_takes(emulator, service, module.handle_request)
        )


def only_what_aws_takes(emulator: Emulator, service: str, original: Handle) -> Handle:
    """AWS: refuses a request that its operation's model or documentation rules out."""
    responses = emulator.core("responses")

    def refusal(method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any) -> Answer | None:
        sent = SentRequest(
            service, method, quote(path, safe="/:$%()@*+!,=~"), urlencode(query, doseq=True), headers, body
        )
        try:
            found = read(sent)
        except UnreadableRequest:
            # What no SDK sends. ministack has an answer to that.
            return None
        try:
            parameters = known(found.parameters)
            fits_its_model(service, found.operation, parameters)
            rules = RULES.get(service, {}).get(found.operation.name, ())
            if rules:
                call = ServiceCall(
                    emulator,
                    service,
                    found.operation.name,
                    parameters,
                    headers,
                    responses.get_region(),
                    responses.get_account_id(),
                )
                for rule in rules:
                    rule(call)
        except AwsRefusal as refused:
            status, answered, said = written(refused, service, headers)
            # An answer to HEAD has no body (RFC 9110, section 9.3.2).
            return status, answered, b"" if method == "HEAD" else said
        return None

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any, **more: Any
    ) -> Any:
        refused = refusal(method, path, headers, body, query)
        return refused if refused else await original(method, path, headers, body, query, **more)

    return handle

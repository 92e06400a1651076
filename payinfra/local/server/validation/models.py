"""Requests that break the model of their operation, which AWS refuses before it does anything."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from botocore.model import OperationModel

from payinfra.local.server.validation.calls import AwsRefusal
from payinfra.local.server.validation.requests import UNKNOWN
from payinfra.local.server.validation.shapes import faults

CODES: Mapping[str, str] = MappingProxyType(
    {
        "acm": "ValidationException",
        "apigateway": "BadRequestException",
        "dynamodb": "ValidationException",
        "dynamodbstreams": "ValidationException",
        "iam": "ValidationError",
        "kms": "ValidationException",
        "lambda": "ValidationException",
        "logs": "InvalidParameterException",
        "monitoring": "ValidationError",
        "route53": "InvalidInput",
        "sns": "InvalidParameter",
        "ssm": "ValidationException",
        "sts": "ValidationError",
    }
)
"""How each service calls such a request ("Common Errors" of its API reference). S3 and SQS have a code of its
own for each parameter, which ministack knows."""
ITEMS = frozenset(
    {
        *("BatchGetItem", "BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan"),
        *("TransactGetItems", "TransactWriteItems", "UpdateItem"),
    }
)
"""The operations on items: ministack judges their parameters by itself, and each payment makes several."""


def fits_its_model(service: str, operation: OperationModel, parameters: Mapping[str, Any]) -> None:
    """AWS validates a request by its operation's model: what is required, types, enums, patterns, lengths and
    ranges (each API reference, "Request Parameters").

    Args:
        parameters: those that the model knows: AWS ignores others.

    Raises:
        AwsRefusal: it does not fit.
    """
    if service not in CODES or (service == "dynamodb" and operation.name in ITEMS):
        return
    found = [str(one) for one in faults(operation.input_shape, parameters)]
    if not found:
        return
    said = "; ".join(one.removeprefix(".") for one in found)
    plural = "s" if len(found) > 1 else ""
    code = CODES[service]
    if service == "lambda" and any(one.startswith(".Runtime: ") for one in found):
        code = "InvalidParameterValueException"
    raise AwsRefusal(code, f"{len(found)} validation error{plural} detected: {said}")


def known(value: Any) -> Any:
    """A request's parameters without those that its model does not have."""
    if isinstance(value, dict):
        return {key: known(one) for key, one in value.items() if not str(key).startswith(UNKNOWN)}
    return [known(one) for one in value] if isinstance(value, list) else value

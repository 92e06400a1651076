"""What the function asks of AWS is known to the models of the botocore that runs it.

`make oldest` runs these tests with the oldest boto3 that the function supports.
"""

import ast
from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest

from payinfra.stacks.lambda_zip import handlers_folder

SERVICES = ("dynamodb", "s3", "ssm")
"""Of which the function makes clients."""


@cache
def operations() -> dict[str, tuple[str, frozenset[str]]]:
    """The service and the parameters of each operation, by the name of the client's method."""
    session = botocore.session.get_session()
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for service in SERVICES:
        client = session.create_client(service, region_name="us-east-1")
        for method, operation in client.meta.method_to_api_mapping.items():
            shape = client.meta.service_model.operation_model(operation).input_shape
            found[method] = (service, frozenset(shape.members if shape else ()))
    return found


def calls() -> Iterator[tuple[str, str]]:
    """The calls of clients in the function's code, with the parameters that stand in them."""
    known = operations()
    for file in sorted((handlers_folder() / "payments").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in known
            ):
                for keyword in node.keywords:
                    if keyword.arg is not None:
                        yield node.func.attr, keyword.arg


@pytest.mark.parametrize(("method", "parameter"), sorted(set(calls())))
def test_the_model_knows_the_parameter(method: str, parameter: str) -> None:
    _, parameters = operations()[method]
    assert parameter in parameters


def test_the_audit_objects_condition_is_among_what_is_asked() -> None:
    assert ("put_object", "IfNoneMatch") in set(calls())


def test_no_service_is_missing_here() -> None:
    tree = ast.parse((handlers_folder() / "payments" / "aws.py").read_bytes())
    made = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "create_client"
        and isinstance(node.args[0], ast.Constant)
    }
    assert made == set(SERVICES)

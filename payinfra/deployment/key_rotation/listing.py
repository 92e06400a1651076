"""The API keys and usage plans of a region, page by page."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_apigateway import APIGatewayClient
    from mypy_boto3_apigateway.type_defs import ApiKeyTypeDef, UsagePlanTypeDef


def api_keys(client: "APIGatewayClient", beginning: str) -> Iterator["ApiKeyTypeDef"]:
    """The API keys whose names begin so. Their values are not asked for."""
    for page in client.get_paginator("get_api_keys").paginate(nameQuery=beginning, includeValues=False):
        yield from page.get("items", ())


def joined(client: "APIGatewayClient", usage_plan: str) -> Iterator[str]:
    """The ids of the keys that a usage plan lets in."""
    for page in client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=usage_plan):
        yield from (one.get("id", "") for one in page.get("items", ()))


def usage_plans(client: "APIGatewayClient", name: str) -> Iterator["UsagePlanTypeDef"]:
    """The usage plans of this name, of which there may be several."""
    for page in client.get_paginator("get_usage_plans").paginate():
        yield from (one for one in page.get("items", ()) if one.get("name") == name)

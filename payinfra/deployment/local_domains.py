"""Domains in the embedded AWS: the hosted zone of one, and the custom domain names that lead to APIs."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from payinfra.clients.aws import Aws


@dataclass(frozen=True)
class HostedZone:
    """A domain's hosted zone; `made` says whether it is new."""

    id: str
    domain: str
    made: bool


def hosted_zone(aws: Aws, domain: str) -> HostedZone:
    """The domain's hosted zone, made where there is none.

    Raises:
        ClientError, BotoCoreError: Route 53 refuses, or does not answer.
    """
    route53 = aws.route53("us-east-1")
    name = domain.rstrip(".").lower()
    # From this name on, in the order of names.
    for zone in route53.list_hosted_zones_by_name(DNSName=name)["HostedZones"]:
        if zone["Name"].rstrip(".").lower() == name:
            return HostedZone(zone["Id"].rpartition("/")[2], name, made=False)
    made = route53.create_hosted_zone(Name=name, CallerReference=str(uuid.uuid4()))["HostedZone"]
    return HostedZone(made["Id"].rpartition("/")[2], name, made=True)


def custom_domains(aws: Aws, regions: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Region and name of each custom domain name.

    Raises:
        ClientError, BotoCoreError: API Gateway refuses, or does not answer.
    """
    return tuple(
        (region, name)
        for region in regions
        for name in sorted(
            domain["domainName"]
            for page in aws.apigateway(region).get_paginator("get_domain_names").paginate()
            for domain in page.get("items", [])
        )
    )

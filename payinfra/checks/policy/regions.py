"""Checks of the pair of regions: both are there, they are alike, and neither leans on the other."""

import re
from collections.abc import Iterator

from payinfra.checks.manifest import Json, Manifest, Missing, Resource, Unreadable, texts_in
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.encryption import key_at
from payinfra.checks.policy.regional_nature import is_regional, may_cross, standing_once
from payinfra.checks.policy.symmetry import differences, find_twins
from payinfra.checks.policy.verdict_helpers import (
    SERVING,
    aws_providers,
    aws_resources,
    nested,
    pass_unless,
    provider_region,
    region_of,
    serving_regions,
)

_FREE = frozenset(
    {
        "access_policy",
        "alarm_description",
        "assume_role_policy",
        "dashboard_body",
        "depends_on",
        "description",
        "environment",
        "lifecycle",
        "policy",
        "provider",
        "replica",
        "replication_configuration",
        "tags",
        "triggers",
        "user_data",
        "user_data_base64",
        "value",
        "//",
    }
)
"""Properties that AWS does not act on in the resource's own region, or that have a rule of their own."""

_REGIONAL_ARN = re.compile(r"arn:[\w-]+:(?:acm|execute-api|kms|lambda|logs|sns|sqs):([a-z]{2}-[a-z-]+-\d):")
_MOST_SHOWN = 5


@check(
    id="PI-REG-001",
    title="Two regions have an AWS provider with an alias of its own, and every resource names one",
    severity=Severity.CRITICAL,
    risk="With one provider everything is made in one region, and is lost with it.",
    fix="Configure one aliased provider a region and give every resource its provider.",
)
def both_regions_have_a_provider(manifest: Manifest) -> tuple[Verdict, ...]:
    """Resources of no configured provider would go wherever the caller's environment points."""
    return pass_unless(_providers(manifest))


def _providers(manifest: Manifest) -> Iterator[Verdict]:
    providers = aws_providers(manifest)
    regions = {provider.address: provider_region(provider) for provider in providers}
    unclear = {address: region for address, region in regions.items() if isinstance(region, Unreadable)}
    for address, gap in unclear.items():
        yield Verdict.unknown(gap.why, address)
    aliased = {region for address, region in regions.items() if "." in address and isinstance(region, str)}
    if len(aliased) < 2 and not unclear:
        shown = ", ".join(sorted(aliased)) or "no region"
        plain = sorted({region for region in regions.values() if isinstance(region, str)} - aliased)
        beside = f", the one without is for {', '.join(plain)}" if plain else ""
        yield Verdict.failed(f"providers with an alias cover {shown}{beside}; two regions need one each")
    for address, region in regions.items():
        if "." not in address and len(aliased) >= 2 and region not in aliased:
            yield Verdict.failed("this provider's region has no provider with an alias", address)
    for resource in aws_resources(manifest):
        if not isinstance(resource.provider, str):
            yield Verdict.unknown(f"its provider is not known: {resource.provider.why}", resource.address)
        elif resource.provider not in regions:
            yield Verdict.failed(f"its provider {resource.provider} is not configured", resource.address)


@check(
    id="PI-REG-002",
    title="The regions are symmetrical, type by type and property by property",
    severity=Severity.HIGH,
    risk="What the other region lacks is found out on the day it has to carry everything.",
    fix="Make both regions with one construct, so that they differ in nothing but the region.",
)
def regions_are_symmetrical(manifest: Manifest) -> tuple[Verdict, ...]:
    """Leaves out what is global by nature: Route 53, table, dashboards, health check alarms, common roles."""
    regions = serving_regions(manifest)
    if len(regions) < 2:
        return (Verdict.not_applicable(f"{len(regions)} region is served from"),)
    return pass_unless(_asymmetries(manifest, regions))


def _asymmetries(manifest: Manifest, regions: tuple[str, ...]) -> Iterator[Verdict]:
    first, *others = regions
    once = standing_once(manifest)
    for resource in aws_resources(manifest):
        region = region_of(resource)
        if isinstance(region, Unreadable) and resource.address not in once:
            yield Verdict.unknown(f"its region is not known: {region.why}", resource.address)
    for other in others:
        twins = find_twins(manifest, first, other, once)
        for kind, here, there in twins.uneven:
            yield Verdict.failed(f"{kind}: {here} in {first}, {there} in {other}")
        for one in twins.alone:
            elsewhere = other if one.region == first else first
            says = f"nothing in {elsewhere} is its twin"
            serving = one.type in SERVING
            yield Verdict.failed(says, one.address) if serving else Verdict.warn(says, one.address)
        for one, two in twins.pairs:
            found = differences(one, two, twins)
            if found:
                shown = "; ".join(found[:_MOST_SHOWN])
                more = f"; and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
                yield Verdict.failed(f"differs from {one.address} in {shown}{more}", two.address)


@check(
    id="PI-REG-003",
    title="No reference crosses regions where AWS wants one of the resource's own region",
    severity=Severity.HIGH,
    risk="A key, topic or certificate of another region is refused on apply, or fails with that region.",
    fix="Refer to the resource of the same region.",
)
def references_stay_in_their_region(manifest: Manifest) -> tuple[Verdict, ...]:
    """Replication, policies, environments and values that only inform may cross."""
    if not aws_resources(manifest):
        return (Verdict.not_applicable(),)
    return pass_unless(
        verdict for resource in aws_resources(manifest) for verdict in _crossings(resource, manifest)
    )


def _crossings(resource: Resource, manifest: Manifest) -> Iterator[Verdict]:
    if resource.type == "aws_dynamodb_table":
        yield from _replica_keys(resource, manifest)
    if not is_regional(resource):
        return
    home = region_of(resource)
    referents = manifest.referents_by_property(resource)
    for name, value in resource.body.items():
        if name in _FREE:
            continue
        for target in referents.get(name, ()):
            region = region_of(target)
            if (
                may_cross(resource, name, target)
                or not is_regional(target)
                or target.type == "aws_dynamodb_table"
            ):
                continue
            if isinstance(home, Unreadable) or isinstance(region, Unreadable):
                gap = home if isinstance(home, Unreadable) else region
                yield Verdict.unknown(f"{name} refers to {target.address}: {_why(gap)}", resource.address)
            elif region != home:
                yield Verdict.failed(
                    f"{name} refers to {target.address} in {region}, it is itself in {home}", resource.address
                )
        for region in sorted(_regions_named(value)):
            if region != home and not may_cross(resource, name, None):
                yield Verdict.failed(
                    f"{name} names an ARN of {region}, it is itself in {home}", resource.address
                )


def _replica_keys(table: Resource, manifest: Manifest) -> Iterator[Verdict]:
    replicas = nested(table, "replica")
    for replica in () if isinstance(replicas, Unreadable) else replicas:
        region, key = replica.text("region_name"), key_at(replica, "kms_key_arn", manifest)
        if isinstance(key, Missing) or (isinstance(key, Unreadable) and isinstance(region, Missing)):
            continue
        if isinstance(key, Unreadable) or isinstance(region, Unreadable):
            gap = key if isinstance(key, Unreadable) else region
            yield Verdict.unknown(f"{replica.path}: {_why(gap)}", table.address)
        elif key.region not in (None, region):
            where = key.region.why if isinstance(key.region, Unreadable) else key.region
            yield Verdict.failed(f"{replica.path} is in {region}, its key: {where}", table.address)


def _why(gap: str | Unreadable) -> str:
    return gap.why if isinstance(gap, Unreadable) else gap


def _regions_named(value: Json) -> set[str]:
    """The regions of the ARNs in a property, in its nested blocks too."""
    return {region for text in texts_in(value) if "arn:" in text for region in _REGIONAL_ARN.findall(text)}

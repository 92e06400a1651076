"""The check of the checking itself."""

import json
from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Reference, Unreadable
from payinfra.checks.model import ENGINE_ID, Severity, Verdict, check
from payinfra.checks.policy.verdict_helpers import (
    aws_providers,
    aws_resources,
    pass_unless,
    provider_region,
    region_of,
)


@check(
    id=ENGINE_ID,
    title="The file is read whole, every region holds a resource and every check runs",
    severity=Severity.CRITICAL,
    risk="A gate that judged nothing, or half of the stack, looks exactly like one that found nothing.",
    fix="Synthesize again, name each region literally in its provider, and keep resources out of modules.",
)
def everything_is_read(manifest: Manifest) -> tuple[Verdict, ...]:
    """The runner adds an ERROR of this id whenever a check crashed."""
    return pass_unless(_unread(manifest), f"{len(manifest.resources)} resources read")


def _unread(manifest: Manifest) -> Iterator[Verdict]:
    for name in manifest.modules:
        yield Verdict.unknown("what a module makes cannot be seen in this file", f"module.{name}")
    providers = aws_providers(manifest)
    if not providers:
        yield Verdict.failed("no AWS provider is configured, so that no resource has a region")
    homes = {region for resource in aws_resources(manifest) if isinstance(region := region_of(resource), str)}
    for provider in providers:
        region = provider_region(provider)
        if isinstance(region, Unreadable):
            yield Verdict.unknown(f"the region is not known: {region.why}", provider.address)
        elif region not in homes:
            yield Verdict.failed(f"{region} holds no resource", provider.address)


@check(
    id="PI-ENG-002",
    title="Every reference leads to something in the file",
    severity=Severity.HIGH,
    risk="Terraform refuses the file, or what guarded the resource is gone and only its name is left.",
    fix="Add what is missing, or remove the reference.",
)
def references_lead_somewhere(manifest: Manifest) -> tuple[Verdict, ...]:
    """Attributes of resources and data sources; what an index or a function picks is left to Terraform."""
    if manifest.planned or manifest.modules or not manifest.resources:
        return (Verdict.not_applicable("Terraform itself has followed them, or modules hide some"),)
    found: dict[tuple[str, str], None] = {}
    for resource in (*manifest.resources, *manifest.data):
        for reference in resource.references():
            if (
                _is_plain(reference)
                and not manifest.targets(reference)
                and f"{reference.address}[" not in json.dumps(resource.body, default=str)
            ):
                found[reference.address, resource.address] = None
    missing: dict[str, list[str]] = {}
    for address, user in found:
        missing.setdefault(address, []).append(user)
    return pass_unless(
        Verdict.failed(f"the file has no such thing, and {users[0]} refers to it", address)
        for address, users in missing.items()
    )


def _is_plain(reference: Reference) -> bool:
    """Whether a reference names one resource, without an instance's key or a module."""
    if not reference.attribute or reference.attribute.startswith("["):
        return False
    return "[" not in reference.address and reference.address.count(".") <= 1 + reference.kind.startswith(
        "data."
    )

"""Classifies an environment by its resources: regions, state, age, protection and idle costs."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from payinfra.account.costs import OF_NO_PRICE_LISTED
from payinfra.account.environments.model import (
    Cost,
    Environment,
    Facts,
    Protection,
    ResourceKind,
    State,
    TaggedResource,
)
from payinfra.core.naming import KeyPurpose, Names

WHOLE: Mapping[ResourceKind, int] = {
    ResourceKind.TABLE: 1,
    ResourceKind.FUNCTION: 1,
    ResourceKind.API: 1,
    ResourceKind.BUCKET: 1,
    ResourceKind.TOPIC: 1,
    ResourceKind.KEY: len(KeyPurpose),
}
"""The minimum number of each in a region; with the lean footprint, one key is enough."""

NOT_LEAN = "api-latency"
"""The id of an alarm that a region has only if its footprint is full (`payinfra.stacks.monitoring`)."""

_SERVING = (ResourceKind.TABLE, ResourceKind.FUNCTION, ResourceKind.API, ResourceKind.BUCKET)
"""Kinds that only a serving region has; the region of health metrics may have a topic and a key."""

_PAID = {
    ResourceKind.KEY: "keys",
    ResourceKind.HEALTH_CHECK: "health checks",
    ResourceKind.ZONE: "hosted zones",
    ResourceKind.ALARM: "alarms",
}

ONE_OWNED = "hosted zone, or certificates of a domain"


def environment_of(found: TaggedResource) -> str:
    """The environment in a resource's tags; empty where it has no such tag."""
    return found.tags.get("Environment") or found.tags.get("EnvironmentSuffix") or ""


def region_of_health_check(found: TaggedResource) -> str:
    """The region that a health check's name contains; empty for any other resource."""
    # What it begins with is the project's matter: `payment`, or the name_prefix of its settings.
    before, _, region = found.tags.get("Name", "").rpartition(Names(environment_of(found), "").health(""))
    return region if found.kind is ResourceKind.HEALTH_CHECK and before else ""


def judge(
    name: str,
    resources: Sequence[TaggedResource],
    facts: Mapping[str, Facts],
    *,
    unknown: Sequence[str],
    blind: bool,
    protected_by_settings: Callable[[str], bool],
) -> Environment:
    """An environment.

    Args:
        resources: the existing ones, without those that wait to be deleted.
        facts: by ARN, of the resources that were described.
        unknown: what could not be described, and why.
        blind: whether a region could not be read at all.
        protected_by_settings: whether the settings protect an environment of this name.
    """
    checked = {region for each in resources if (region := region_of_health_check(each))}
    serving = {each.region for each in resources if each.kind in _SERVING}
    lacks = tuple(_lacking(resources, sorted(serving | checked), checked))
    known = [facts[each.arn] for each in resources if each.arn in facts]
    return Environment(
        name=name,
        owner=next((owner for each in resources if (owner := each.tags.get("Owner"))), ""),
        regions=tuple(sorted(serving | checked)),
        state=State.COMPLETE if not lacks else State.UNKNOWN if blind else State.PARTIAL,
        lacks=lacks,
        protection=_protection(name, resources, facts, protected_by_settings, blind=blind),
        born=min((each.born for each in known if each.born), default=None),
        resources=len(resources),
        costs=tuple(_costs(resources, known)),
        unknown=tuple(unknown),
        not_priced=tuple(_not_priced(resources)),
    )


def age_s(environment: Environment, now: datetime) -> int | None:
    """Seconds since the oldest resource was created; None where that is unknown."""
    return None if environment.born is None else max(0, int((now - environment.born).total_seconds()))


def _lacking(resources: Sequence[TaggedResource], regions: Sequence[str], checked: set[str]) -> Iterable[str]:
    there = Counter((each.kind, each.region) for each in resources)
    # A full footprint that has lost keys must not pass for a lean one: its alarms, or other keys, tell.
    lean = all(there[ResourceKind.KEY, region] <= 1 for region in regions) and not any(
        each.kind is ResourceKind.ALARM and each.name.endswith(f"-{NOT_LEAN}") for each in resources
    )
    for region in regions:
        for kind, number in WHOLE.items():
            wanted = 1 if lean and kind is ResourceKind.KEY else number
            missing = wanted - there[kind, region]
            if missing > 0:
                yield f"{kind} in {region}" if wanted == 1 else f"{missing} of {wanted} {kind}s in {region}"
        if region not in checked:
            yield f"{ResourceKind.HEALTH_CHECK} of {region}"
    if len(regions) < 2:
        yield "second region"
    if not any(kind in (ResourceKind.ZONE, ResourceKind.CERTIFICATE) for kind, _ in there):
        yield ONE_OWNED


def _protection(
    name: str,
    resources: Iterable[TaggedResource],
    facts: Mapping[str, Facts],
    protected_by_settings: Callable[[str], bool],
    *,
    blind: bool,
) -> Protection:
    """Protection by the table's deletion protection, otherwise by the settings.

    It is unknown where a table could not be read: an unknown result is not permission.
    """
    tables = [each.arn for each in resources if each.kind is ResourceKind.TABLE]
    if protected_by_settings(name) or any(facts[arn].deletion_protected for arn in tables if arn in facts):
        return Protection.PROTECTED
    if blind or any(arn not in facts for arn in tables):
        return Protection.UNKNOWN
    return Protection.EPHEMERAL


def _costs(resources: Iterable[TaggedResource], facts: Iterable[Facts]) -> Iterable[Cost]:
    there = Counter(each.kind for each in resources)
    yield from (Cost(what, there[kind]) for kind, what in _PAID.items() if there[kind])
    recoverable = sum(1 for each in facts if each.recoverable)
    if recoverable:
        yield Cost("tables with point-in-time recovery", recoverable)


def _not_priced(resources: Iterable[TaggedResource]) -> Iterable[Cost]:
    """What a project's extension has added of services that payinfra does not know the prices of."""
    found = Counter(what for each in resources if (what := _unknown_to_costs(each.arn)))
    return (Cost(what, number) for what, number in sorted(found.items()))


def _unknown_to_costs(arn: str) -> str:
    """Service and type of an ARN, such as `states stateMachine`; empty where that costs nothing by itself."""
    _, _, service, _, _, path = (arn.split(":", 5) + [""] * 6)[:6]
    if service in OF_NO_PRICE_LISTED:
        return ""
    type_, *name = re.split("[:/]", path.removeprefix("/"), maxsplit=1)
    return f"{service} {type_}" if name else service

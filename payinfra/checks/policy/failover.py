"""Where a record's answer leads and which region a health check watches, as far as the file tells.

Sources: Route 53 developer guide, "How Amazon Route 53 chooses records when health checking is configured"
and "Values specific for alias records: Evaluate target health"; the endpoints page of each service for its
host names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from payinfra.checks.manifest import Block, Manifest, Missing, Resource, Unreadable
from payinfra.checks.policy.regional_nature import is_regional
from payinfra.checks.policy.verdict_helpers import is_region, nested

RECORD = "aws_route53_record"
CHECK = "aws_route53_health_check"
ZONE = "aws_route53_zone"
CALCULATED = "CALCULATED"
BY_ALARM = "CLOUDWATCH_METRIC"
_HOST = re.compile(
    r"[A-Za-z0-9_.${}-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws|awsapprunner\.com)", re.IGNORECASE
)
_REGION_IN_HOST = re.compile(r"(?<![a-z0-9])((?:us|eu|ap|sa|ca|af|me|il|mx|cn)(?:-[a-z]+)+-\d)(?![a-z0-9])")
_GLOBAL_HOST = re.compile(r"\.(?:cloudfront\.net|awsglobalaccelerator\.com)\.?$")
_ONE_REGION = re.compile(r"\.execute-api\.|\.elb\.|\.lambda-url\.|\.awsapprunner\.com$|\.compute\.")
_EXECUTE_API = re.compile(r"\.execute-api\.[a-z0-9-]+\.amazonaws\.com", re.IGNORECASE)
_MOST_STEPS = 5


def hosts(block: Block, path: str, manifest: Manifest) -> tuple[str, ...]:
    """The host names at a property, with everything replaced that can be."""
    texts = block.texts(path)
    found = () if isinstance(texts, Unreadable) else texts
    if isinstance(texts, Unreadable) and not isinstance(texts, Missing):
        one = block.template(path)
        found = (one,) if isinstance(one, str) else ()
    resolved = (manifest.resolve(text) for text in found)
    return tuple(plain_name(text) for text in resolved if isinstance(text, str))


def answers(record: Resource, manifest: Manifest) -> tuple[str, ...]:
    """What a record answers: its values, or the name of its alias's target."""
    return (*hosts(record, "records", manifest), *hosts(record, "alias.name", manifest))


def regions_of_record(record: Resource, manifest: Manifest) -> frozenset[str]:
    """The regions that a record's answer is in; none where that is not known."""
    return frozenset(_led(record, manifest, ()))


def _led(record: Resource, manifest: Manifest, seen: tuple[str, ...]) -> Iterator[str]:
    if record.address in seen or len(seen) > _MOST_STEPS:
        return
    names = answers(record, manifest)
    named = [region for name in names for region in _regions_named(name)]
    if named:
        yield from named
        return
    for path in ("records", "alias"):
        for one in manifest.referents(record, path):
            if one.type == RECORD:
                yield from _led(one, manifest, (*seen, record.address))
            else:
                yield from _home(one)
    for other in _records_of(names, manifest):
        if other is not record:
            yield from _led(other, manifest, (*seen, record.address))


def _by_name(manifest: Manifest) -> Mapping[str | None, list[Resource]]:
    found: dict[str | None, list[Resource]] = {}
    for record in manifest.all(RECORD):
        found.setdefault(name_of(record, manifest), []).append(record)
    return found


def _records_of(names: Iterable[str], manifest: Manifest) -> Iterator[Resource]:
    """The records that answer for one of these names."""
    by_name = manifest.once(_by_name)
    for name in dict.fromkeys(names):
        yield from by_name.get(name, ())


def name_of(record: Resource, manifest: Manifest) -> str | None:
    """The name that a record answers for; None where it is not known."""
    name = record.body.get("name")
    resolved = manifest.resolve(name) if isinstance(name, str) else None
    if not isinstance(resolved, str):
        return None
    own, zone = plain_name(resolved), _zone_name(record, manifest)
    if not zone or "${" in own or own == zone or own.endswith(f".{zone}"):
        return own
    return f"{own}.{zone}" if own else zone


def plain_name(text: str) -> str:
    """A host name as DNS compares it: in lower case, without the dot of the root."""
    return (text if "${" in text else text.lower()).rstrip(".")


def _zone_name(record: Resource, manifest: Manifest) -> str:
    """The name of a record's zone, which the provider appends to names without it; empty if not known."""
    for zone in manifest.referents(record, "zone_id"):
        name = zone.text("name")
        if zone.type == ZONE and isinstance(name, str):
            return plain_name(name)
    return ""


def zone_of(record: Resource, manifest: Manifest) -> str | Unreadable:
    """What tells a record's zone from others: its address where it is in the file, or its id."""
    text = record.template("zone_id")
    if isinstance(text, Unreadable):
        return text
    for zone in manifest.referents(record, "zone_id"):
        if zone.type == ZONE and text.strip() in (f"${{{zone.address}.{one}}}" for one in ("id", "zone_id")):
            return zone.address
    resolved = manifest.resolve(text)
    return resolved if isinstance(resolved, str) else text


def _home(resource: Resource) -> Iterator[str]:
    if is_regional(resource) and isinstance(resource.region, str) and is_region(resource.region):
        yield resource.region


def _regions_named(name: str) -> Iterator[str]:
    for host in _HOST.findall(name.lower()):
        yield from _REGION_IN_HOST.findall(host)


def regions_of_check(check: Resource, manifest: Manifest) -> frozenset[str]:
    """The regions that a health check watches; none where that is not known."""
    return frozenset(_watched(check, manifest, ()))


def _watched(check: Resource, manifest: Manifest, seen: tuple[str, ...]) -> Iterator[str]:
    if check.address in seen or len(seen) > _MOST_STEPS:
        return
    kind = check.text("type")
    if kind == CALCULATED:
        for child in children(check, manifest):
            yield from _watched(child, manifest, (*seen, check.address))
        return
    if kind == BY_ALARM:
        region = check.text("cloudwatch_alarm_region")
        yield from (region,) if isinstance(region, str) else ()
        return
    names = hosts(check, "fqdn", manifest)
    named = [region for name in names for region in _regions_named(name)]
    yield from named
    if named:
        return
    for path in ("fqdn", "ip_address"):
        for one in manifest.referents(check, path):
            if one.type == RECORD:
                yield from _led(one, manifest, ())
            else:
                yield from _home(one)
    for record in _records_of(names, manifest):
        yield from _led(record, manifest, ())


def children(check: Resource, manifest: Manifest) -> tuple[Resource, ...]:
    """The health checks that a calculated one counts."""
    return tuple(one for one in manifest.referents(check, "child_healthchecks") if one.type == CHECK)


def is_execute_api(check: Resource, manifest: Manifest) -> bool:
    """Whether a check asks an API's own name, which answers on port 443 with TLS and SNI only."""
    return any(_EXECUTE_API.search(name) for name in hosts(check, "fqdn", manifest))


def is_one_region(name: str) -> bool:
    """Whether a host name is of a regional service."""
    return _ONE_REGION.search(name) is not None


def is_global(name: str) -> bool:
    """Whether a host name is one that no region owns."""
    return _GLOBAL_HOST.search(name) is not None


def alias_watches(record: Resource, manifest: Manifest) -> bool | Unreadable:
    """Whether an alias record follows its target's own health.

    Load balancers have one. CloudFront and buckets have none that Route 53 could ask.
    """
    flag = record.flag("alias.evaluate_target_health")
    if isinstance(flag, Missing):
        return False
    if flag is not True:
        return flag
    aliases = nested(record, "alias")
    kinds = {one.type for one in manifest.referents(record, "alias")}
    if isinstance(aliases, Unreadable) or kinds & {"aws_cloudfront_distribution", "aws_s3_bucket"}:
        return aliases if isinstance(aliases, Unreadable) else False
    return not any(
        is_global(name) or name.startswith("s3-website") for name in hosts(record, "alias.name", manifest)
    )

"""Checks of Route 53: a pair of answers for one name, each watched from outside, and soon forgotten."""

import re
from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.routes import API, METHOD, api_of, is_open_path, path_of
from payinfra.checks.policy.verdict_helpers import pass_unless, verdict_for_gap

_RECORD = "aws_route53_record"
_CHECK = "aws_route53_health_check"
_POLICIES = (
    "failover_routing_policy",
    "latency_routing_policy",
    "weighted_routing_policy",
    "geolocation_routing_policy",
    "geoproximity_routing_policy",
    "multivalue_answer_routing_policy",
    "cidr_routing_policy",
)
_REGIONAL_NAME = re.compile(r"\.execute-api\.[a-z0-9-]+\.amazonaws\.com|\.elb\.[a-z0-9-]+\.amazonaws\.com")
_WITH_PATH = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH")
_WITHOUT_PATH = ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL", "TCP")
_MOST_TTL_S = 60


def _is_routed(record: Resource) -> bool:
    """Whether a record is one of several answers for its name."""
    return any(record.has(policy) for policy in _POLICIES)


def _routed(manifest: Manifest) -> tuple[Resource, ...]:
    return tuple(record for record in manifest.all(_RECORD) if _is_routed(record))


def _key(record: Resource, manifest: Manifest) -> tuple[str, ...] | Unreadable:
    """What makes records answers for the same question: zone, name and type."""
    found: list[str] = []
    for path in ("zone_id", "name", "type"):
        text = record.template(path)
        if isinstance(text, Unreadable):
            return text
        resolved = manifest.resolve(text)
        found.append((resolved if isinstance(resolved, str) else text).rstrip("."))
    return tuple(found)


def _target(record: Resource) -> str:
    """Where a record leads, as it is written."""
    parts = (record.raw("records"), record.raw("alias"))
    return "".join(str(part) for part in parts if not isinstance(part, Unreadable))


@check(
    id="PI-DNS-001",
    title="A failover name has one PRIMARY and one SECONDARY answer, in different places",
    severity=Severity.CRITICAL,
    risk="When the primary region fails there is nothing to fail over to, or the same region again.",
    fix="Write two failover records for the name, PRIMARY and SECONDARY, each to its region's endpoint.",
)
def failover_pairs_are_whole(manifest: Manifest) -> tuple[Verdict, ...]:
    """Two regions with APIs and no failover record at all are a failure too."""
    records = [record for record in manifest.all(_RECORD) if record.has("failover_routing_policy")]
    if not records:
        served = {api.region for api in manifest.all(API)}
        if len(served) > 1 or manifest.all(_RECORD, _CHECK):
            return (Verdict.failed("no record has a failover_routing_policy"),)
        return (Verdict.not_applicable(),)
    return pass_unless(_pairs(records, manifest))


def _pairs(records: list[Resource], manifest: Manifest) -> Iterator[Verdict]:
    groups: dict[tuple[str, ...], dict[str, list[Resource]]] = {}
    for record in records:
        key, role = _key(record, manifest), record.text("failover_routing_policy.type")
        if isinstance(key, Unreadable):
            yield verdict_for_gap(key, f"the record's {key.path} is not set", record.address)
        elif isinstance(role, Unreadable):
            yield verdict_for_gap(role, "its failover_routing_policy has no type", record.address)
        elif role not in ("PRIMARY", "SECONDARY"):
            yield Verdict.failed(f"its failover type is {role!r}", record.address)
        else:
            groups.setdefault(key, {}).setdefault(role, []).append(record)
    for roles in groups.values():
        everyone = [record for group in roles.values() for record in group]
        for role in ("PRIMARY", "SECONDARY"):
            count = len(roles.get(role, []))
            if count != 1:
                yield Verdict.failed(f"its name has {count} {role} answers", everyone[0].address)
        targets = {_target(record) for record in everyone}
        if len(everyone) == 2 and len(targets) == 1:
            yield Verdict.failed(f"it leads to where {everyone[0].address} leads", everyone[1].address)


@check(
    id="PI-DNS-002",
    title="Every routed record has a set identifier of its own",
    severity=Severity.CRITICAL,
    on=_RECORD,
    risk="Route 53 refuses the record, or the second answer overwrites the first.",
    fix="Give each record of a name another set_identifier.",
)
def record_has_a_set_identifier(record: Resource, manifest: Manifest) -> Verdict:
    """Unique among the records of one zone, name and type."""
    if not _is_routed(record):
        return Verdict.not_applicable("it has no routing policy")
    own = record.text("set_identifier")
    if isinstance(own, Unreadable):
        return verdict_for_gap(own, "it has no set_identifier")
    if not own:
        return Verdict.failed("its set_identifier is empty")
    key = _key(record, manifest)
    for other in _routed(manifest):
        if other is not record and other.text("set_identifier") == own and _key(other, manifest) == key:
            return Verdict.failed(f"its set_identifier {own!r} is that of {other.address} too")
    return Verdict.passed()


@check(
    id="PI-DNS-003",
    title="Every routed record has a health check",
    severity=Severity.CRITICAL,
    on=_RECORD,
    risk="A record without a health check counts as healthy for ever: traffic stays in the lost region.",
    fix="Set health_check_id to a health check of the record's own region.",
)
def record_has_a_health_check(record: Resource, manifest: Manifest) -> Verdict:
    """Two answers for one name must not hang on one health check."""
    if not _is_routed(record):
        return Verdict.not_applicable("it has no routing policy")
    found = _checks_of(record, manifest)
    if not found:
        own = record.text("health_check_id")
        if isinstance(own, Unreadable):
            return verdict_for_gap(own, "it has no health_check_id")
        if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", own):
            return Verdict.failed(f"its health_check_id {own!r} is no health check's")
        return Verdict.unknown("its health check is made elsewhere")
    key = _key(record, manifest)
    for other in _routed(manifest):
        if other is not record and _key(other, manifest) == key and _checks_of(other, manifest) == found:
            return Verdict.failed(f"its health check is that of {other.address} too")
    return Verdict.passed()


def _checks_of(record: Resource, manifest: Manifest) -> tuple[Resource, ...]:
    return tuple(one for one in manifest.referents(record, "health_check_id") if one.type == _CHECK)


@check(
    id="PI-DNS-004",
    title="A health check watches one region's own name, on a path without a key",
    severity=Severity.HIGH,
    on=_CHECK,
    risk="A check of the shared name follows the failover; one of a path that needs a key always gets 403.",
    fix="Set fqdn to the region's execute-api name and resource_path to the stage's health path.",
)
def health_check_watches_its_region(health_check: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """What the records that carry the check lead to must be what it watches."""
    kind = health_check.text("type")
    if isinstance(kind, Unreadable):
        return (verdict_for_gap(kind, "it has no type"),)
    if kind in _WITHOUT_PATH:
        return (Verdict.not_applicable(f"{kind} checks request no path"),)
    if kind not in _WITH_PATH:
        return (Verdict.failed(f"its type is {kind!r}"),)
    return pass_unless((*_name_problems(health_check, manifest), *_path_problems(health_check, manifest)))


def _name_problems(health_check: Resource, manifest: Manifest) -> Iterator[Verdict]:
    name = health_check.template("fqdn")
    if isinstance(name, Unreadable):
        if health_check.has("ip_address"):
            return
        yield verdict_for_gap(name, "it names no fqdn")
        return
    resolved = manifest.resolve(name)
    shown = resolved if isinstance(resolved, str) else name
    shared = {
        text.rstrip(".")
        for record in _routed(manifest)
        if isinstance(text := manifest.resolve(record.body.get("name")), str)
    }
    if shown.rstrip(".") in shared:
        yield Verdict.failed(f"it watches {shown}, the name that fails over")
        return
    if any(one.type == _RECORD and _is_routed(one) for one in manifest.referents(health_check, "fqdn")):
        yield Verdict.failed(f"it watches {shown}, the name that fails over")
        return
    watched = _apis(health_check, "fqdn", manifest)
    if not watched and not _REGIONAL_NAME.search(shown):
        yield Verdict.unknown(f"whether {shown} is one region's own name is not known")
    for record in _routed(manifest):
        if health_check not in _checks_of(record, manifest):
            continue
        led = _apis(record, "records", manifest) or _apis(record, "alias", manifest)
        if watched and led and not {one.region for one in watched} & {one.region for one in led}:
            yield Verdict.failed(f"{record.address} carries it, but leads to {led[0].address}")


def _apis(resource: Resource, path: str, manifest: Manifest) -> list[Resource]:
    """The APIs that a value leads to, through stages and domain names."""
    found: list[Resource] = []
    for one in manifest.referents(resource, path):
        if one.type in (API, "aws_api_gateway_domain_name"):
            found.append(one)
        elif one.type in ("aws_api_gateway_stage", "aws_api_gateway_deployment"):
            api = api_of(one, manifest)
            found += [api] if api is not None else []
    return found


def _path_problems(health_check: Resource, manifest: Manifest) -> Iterator[Verdict]:
    path = health_check.text("resource_path")
    if isinstance(path, Missing):
        yield Verdict.failed("it has no resource_path")
        return
    if isinstance(path, Unreadable):
        known = health_check.template("resource_path")
        if not isinstance(known, str) or not known.rpartition("/")[2] or "}" in known.rpartition("/")[2]:
            yield Verdict.unknown(path.why)
            return
        path = known
    apis = [one for one in _apis(health_check, "fqdn", manifest) if one.type == API]
    wanted = "/" + path.lstrip("/").partition("/")[2]
    routes = [
        (method, route)
        for method in manifest.all(METHOD)
        if not apis or api_of(method, manifest) in apis
        for route in (path_of(method, manifest),)
    ]
    here = [
        method for method, route in routes if route == wanted and method.text("http_method") in ("GET", "ANY")
    ]
    if here:
        for method in here:
            required = method.flag("api_key_required")
            if required is True:
                yield Verdict.failed(f"{path} is {method.address}, which requires a key")
            elif isinstance(required, Unreadable) and not isinstance(required, Missing):
                yield Verdict.unknown(f"whether {method.address} requires a key is not known")
    elif routes and not any(isinstance(route, Unreadable) for _, route in routes):
        yield Verdict.failed(f"{path} is no route that answers GET")
    elif not is_open_path(path):
        yield Verdict.unknown(f"whether {path} answers without a key is not known")


@check(
    id="PI-DNS-005",
    title="Routed records live at most 60 seconds",
    severity=Severity.MEDIUM,
    on=_RECORD,
    risk="Clients keep the lost region's answer for as long as the TTL says.",
    fix="Set ttl to 60 or less.",
)
def record_is_soon_forgotten(record: Resource, _manifest: Manifest) -> Verdict:
    """An alias record has the TTL of its target, which cannot be set."""
    if not _is_routed(record):
        return Verdict.not_applicable("it has no routing policy")
    if record.has("alias"):
        return Verdict.not_applicable("an alias has its target's TTL")
    match record.number("ttl"):
        case Unreadable() as gap:
            return verdict_for_gap(gap, "it has no ttl")
        case ttl if not 0 <= ttl <= _MOST_TTL_S:
            return Verdict.failed(f"its ttl is {ttl:g} s")
        case _:
            return Verdict.passed()

"""Checks of Route 53: a pair of answers for one name, each watched from outside, and soon forgotten."""

import re
from collections.abc import Iterator, Mapping, Sequence

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.failover import (
    alias_watches,
    answers,
    children,
    is_execute_api,
    is_one_region,
    name_of,
    plain_name,
    regions_of_check,
    regions_of_record,
    zone_of,
)
from payinfra.checks.policy.openapi import Definition, definition_of
from payinfra.checks.policy.routes import API, METHOD, api_of, is_open_path, path_of
from payinfra.checks.policy.verdict_helpers import flag_off, nested, pass_unless, verdict_for_gap

_RECORD = "aws_route53_record"
_CHECK = "aws_route53_health_check"
_MULTIVALUE = "multivalue_answer_routing_policy"
_POLICIES = (
    "failover_routing_policy",
    "latency_routing_policy",
    "weighted_routing_policy",
    "geolocation_routing_policy",
    "geoproximity_routing_policy",
    _MULTIVALUE,
    "cidr_routing_policy",
)
_BY_PLACE = ("geolocation_routing_policy", "cidr_routing_policy")
"""Each place has one answer: where that fails, Route 53 knows none of another region for the same place."""

_ENTRANCES = (API, "aws_apigatewayv2_api", "aws_lambda_function_url", "aws_lb", "aws_alb")
_OTHER_DNS = ("akamai_", "cloudflare_", "dnsimple_", "google_dns_", "ns1_", "ultradns_")
_DISTRIBUTION = "aws_cloudfront_distribution"
_ENDPOINT_GROUP = "aws_globalaccelerator_endpoint_group"
_GATEWAY_NAMES = ("aws_api_gateway_domain_name", "aws_apigatewayv2_domain_name")
_WITH_PATH = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH")
_WITHOUT_PATH = ("CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL", "TCP")
_MOST_TTL_S = 60


def _is_routed(record: Resource) -> bool:
    """Whether a record is one of several answers for its name."""
    return any(record.has(policy) for policy in _POLICIES) and not _is_alone(record)


def _is_alone(record: Resource) -> bool:
    """Whether the only policy that is written is the multivalue one, and off."""
    return record.flag(_MULTIVALUE) is False and not any(
        record.has(policy) for policy in _POLICIES if policy != _MULTIVALUE
    )


def _find_routed(manifest: Manifest) -> tuple[Resource, ...]:
    return tuple(record for record in manifest.all(_RECORD) if _is_routed(record))


def _routed(manifest: Manifest) -> tuple[Resource, ...]:
    return manifest.once(_find_routed)


def _by_question(manifest: Manifest) -> Mapping[tuple[str, ...] | Unreadable, list[Resource]]:
    """The routed records that answer the same question."""
    found: dict[tuple[str, ...] | Unreadable, list[Resource]] = {}
    for record in _routed(manifest):
        found.setdefault(_key(record, manifest), []).append(record)
    return found


def _others(record: Resource, manifest: Manifest) -> Iterator[Resource]:
    """The other answers to a record's question."""
    for other in manifest.once(_by_question).get(_key(record, manifest), ()):
        if other is not record:
            yield other


def _by_check(manifest: Manifest) -> Mapping[str, list[Resource]]:
    """The routed records that carry a health check, by its address."""
    found: dict[str, list[Resource]] = {}
    for record in _routed(manifest):
        for one in dict.fromkeys(_checks_of(record, manifest)):
            found.setdefault(one.address, []).append(record)
    return found


def _carriers(health_check: Resource, manifest: Manifest) -> Sequence[Resource]:
    return manifest.once(_by_check).get(health_check.address, ())


def _shared_names(manifest: Manifest) -> frozenset[str | None]:
    return frozenset(name_of(record, manifest) for record in _routed(manifest))


def _key(record: Resource, manifest: Manifest) -> tuple[str, ...] | Unreadable:
    """What makes records answers for the same question: zone, name and type."""
    zone, name, kind = zone_of(record, manifest), record.template("name"), record.template("type")
    for one in (zone, name, kind):
        if isinstance(one, Unreadable):
            return one
    return (str(zone), name_of(record, manifest) or str(name), str(kind))


def _target(record: Resource) -> str:
    """Where a record leads, as it is written."""
    parts = (record.raw("records"), record.raw("alias"))
    return "".join(str(part) for part in parts if not isinstance(part, Unreadable))


@check(
    id="PI-DNS-001",
    title="A failover name has one PRIMARY and one SECONDARY answer, in different regions",
    severity=Severity.CRITICAL,
    risk="When the primary region fails there is nothing to fail over to, or the same region again.",
    fix="Write two failover records for the name, PRIMARY and SECONDARY, each to its region's endpoint.",
)
def failover_pairs_are_whole(manifest: Manifest) -> tuple[Verdict, ...]:
    """Two regions with entrances of their own and no failover record at all are a failure too.

    Answers by latency or weight in several regions, and an accelerator over several, fail over as well.
    Answers by place do not, and CloudFront's origin groups only where nothing is written.
    """
    records = [record for record in manifest.all(_RECORD) if record.has("failover_routing_policy")]
    if records:
        return pass_unless(_pairs(records, manifest))
    other = _other_failover(manifest)
    if other:
        return (Verdict.passed(other),)
    if _has_origin_group(manifest):
        return (Verdict.warn("CloudFront's origin groups fail over for GET, HEAD and OPTIONS, not for POST"),)
    if any(one.type.startswith(_OTHER_DNS) for one in manifest.resources):
        return (Verdict.warn("another provider answers for names; whether it fails over is not known here"),)
    served = {one.region for one in manifest.all(*_ENTRANCES) if _is_public(one)}
    if len(served) > 1 or manifest.all(_CHECK) or any(map(_is_routed, manifest.all(_RECORD))):
        return (Verdict.failed("no record has a failover_routing_policy"),)
    return (Verdict.not_applicable(),)


def _other_failover(manifest: Manifest) -> str:
    """What else moves clients to another region; empty where nothing does."""
    groups: dict[tuple[str, ...], set[str]] = {}
    for record in _routed(manifest):
        key = _key(record, manifest)
        if not isinstance(key, Unreadable) and not any(record.has(policy) for policy in _BY_PLACE):
            groups.setdefault(key, set()).update(regions_of_record(record, manifest))
    if any(len(regions) > 1 for regions in groups.values()):
        return "answers of several regions share a name"
    regions = {one.text("endpoint_group_region") for one in manifest.all(_ENDPOINT_GROUP)}
    return "an accelerator serves several regions" if len(regions) > 1 else ""


def _is_public(entrance: Resource) -> bool:
    """Whether clients on the internet may come in: load balancers say so where they may not."""
    return entrance.flag("internal") is not True


def _has_origin_group(manifest: Manifest) -> bool:
    """Whether a distribution turns to another origin where one fails."""
    return any(nested(one, "origin_group") for one in manifest.all(_DISTRIBUTION))


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
        if len(everyone) == 2:
            yield from _apart(everyone[0], everyone[1], manifest)


def _apart(first: Resource, second: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """Whether two answers lead to two regions."""
    if _target(first) == _target(second):
        yield Verdict.failed(f"it leads to where {first.address} leads", second.address)
        return
    here, there = regions_of_record(first, manifest), regions_of_record(second, manifest)
    if here and here == there:
        shown = " and ".join(sorted(here))
        yield Verdict.failed(f"it leads to {shown}, where {first.address} leads too", second.address)
    elif not (here and there):
        unclear = first if not here else second
        yield Verdict.warn("the region that it leads to is not known", unclear.address)


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
    for other in _others(record, manifest):
        if other.text("set_identifier") == own:
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
    """Two answers for one name must not hang on one health check.

    An alias may follow its load balancer's health instead; the SECONDARY is the last resort anyway.
    """
    if not _is_routed(record):
        return Verdict.not_applicable("it has no routing policy")
    found = _checks_of(record, manifest)
    if not found:
        return _without_check(record, manifest)
    for other in _others(record, manifest):
        if _checks_of(other, manifest) == found:
            return Verdict.failed(f"its health check is that of {other.address} too")
    return Verdict.passed()


def _without_check(record: Resource, manifest: Manifest) -> Verdict:
    own = record.text("health_check_id")
    if isinstance(own, str):
        if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", own):
            return Verdict.failed(f"its health_check_id {own!r} is no health check's")
        return Verdict.unknown("its health check is made elsewhere")
    if not isinstance(own, Missing):
        return Verdict.unknown(own.why)
    watches = alias_watches(record, manifest)
    if isinstance(watches, Unreadable):
        return Verdict.unknown(watches.why)
    if watches:
        if any(one.type in _GATEWAY_NAMES for one in manifest.referents(record, "alias")):
            return Verdict.warn("evaluate_target_health says nothing of the function behind API Gateway")
        return Verdict.passed("it follows its target's health")
    if record.text("failover_routing_policy.type") == "SECONDARY":
        return Verdict.warn("it has no health_check_id; it is still answered as the last resort")
    return Verdict.failed("it has no health_check_id")


def _checks_of(record: Resource, manifest: Manifest) -> tuple[Resource, ...]:
    return tuple(one for one in manifest.referents(record, "health_check_id") if one.type == _CHECK)


@check(
    id="PI-DNS-004",
    title="A health check is on and asks one region's own name over HTTPS, on a path without a key",
    severity=Severity.HIGH,
    on=_CHECK,
    risk="A check that is off, inverted, of the shared name, of another region or of a path that needs a "
    "key says "
    "nothing of its region: traffic stays where it fails, or leaves where it works.",
    fix="Set type HTTPS, fqdn to the region's execute-api name and resource_path to the stage's health path; "
    "neither disabled nor invert_healthcheck.",
)
def health_check_watches_its_region(health_check: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """What the records that carry the check lead to must be what it watches."""
    kind = health_check.text("type")
    if isinstance(kind, Unreadable):
        return (verdict_for_gap(kind, "it has no type"),)
    if kind not in (*_WITH_PATH, *_WITHOUT_PATH):
        return (Verdict.failed(f"its type is {kind!r}"),)
    found = [
        *flag_off(health_check, "disabled", "it is disabled, and counts as healthy for ever"),
        *_inversion(health_check, manifest),
        *_region_problems(health_check, manifest),
    ]
    if kind in _WITH_PATH:
        found += (*_name_problems(health_check, manifest), *_path_problems(health_check, manifest))
    if kind in ("CALCULATED", "CLOUDWATCH_METRIC"):
        found += _indirect_problems(health_check, manifest)
        if not found:
            return (Verdict.not_applicable(f"{kind} checks request no path"),)
    else:
        found += _protocol_problems(health_check, kind, manifest)
    return pass_unless(found)


def _is_plain(health_check: Resource) -> bool:
    inverted = health_check.flag("invert_healthcheck")
    return inverted is False or isinstance(inverted, Missing)


def _inversion(health_check: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """An inverted check is a switch where it only counts beside one that watches an endpoint as it is."""
    beside = [
        other
        for counting in manifest.all(_CHECK)
        for counted in (children(counting, manifest),)
        if health_check in counted
        for other in counted
    ]
    if not _carriers(health_check, manifest) and any(_is_plain(other) for other in beside):
        return ()
    return flag_off(health_check, "invert_healthcheck", "it is inverted: what fails counts as healthy")


def _protocol_problems(health_check: Resource, kind: str, manifest: Manifest) -> Iterator[Verdict]:
    """API Gateway answers with TLS on port 443, to who names the host first (SNI)."""
    gateway = is_execute_api(health_check, manifest)
    if kind == "TCP":
        says = "it only opens a connection, which works while every payment fails"
        yield Verdict.failed(says) if gateway else Verdict.warn(says)
    elif kind.startswith("HTTP_") or kind == "HTTP":
        if gateway:
            yield Verdict.failed("it asks over HTTP, which API Gateway does not answer")
        else:
            yield Verdict.warn("it asks over HTTP")
    elif gateway:
        port = health_check.number("port")
        if port != 443 and not isinstance(port, Unreadable):
            yield Verdict.failed(f"it asks port {port:g}, and API Gateway answers on 443 only")
        for api in _apis(health_check, "fqdn", manifest):
            if api.flag("disable_execute_api_endpoint") is True:
                yield Verdict.failed(f"it asks the endpoint that {api.address} turns off")
        if health_check.flag("enable_sni") is False:
            yield Verdict.failed("it sends no SNI, and API Gateway answers nobody without")


def _indirect_problems(health_check: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """What makes a check of checks, or of an alarm, say that all is well for ever."""
    if health_check.text("type") == "CLOUDWATCH_METRIC":
        if health_check.text("insufficient_data_health_status") == "Healthy":
            yield Verdict.warn("an alarm without data counts as healthy")
        asked = health_check.text("cloudwatch_alarm_region")
        for alarm in manifest.referents(health_check, "cloudwatch_alarm_name"):
            if isinstance(asked, str) and isinstance(alarm.region, str) and alarm.region != asked:
                yield Verdict.failed(f"it looks for {alarm.address} in {asked}, which is in {alarm.region}")
        return
    if isinstance(health_check.raw("child_healthchecks"), Missing):
        yield Verdict.failed("it counts no health checks")
        return
    match health_check.number("child_health_threshold"):
        case Unreadable() as gap:
            yield verdict_for_gap(gap, "it does not say how many of its checks must be healthy")
        case 0:
            yield Verdict.failed("it is healthy with none of its checks: child_health_threshold is 0")
        case wanted:
            yield from _counting_problems(health_check, wanted, manifest)


def _counting_problems(health_check: Resource, wanted: float, manifest: Manifest) -> Iterator[Verdict]:
    """What a check that wants so many healthy ones makes of those that it counts."""
    counted = health_check.texts("child_healthchecks")
    if not isinstance(counted, Unreadable) and wanted > len(counted):
        yield Verdict.failed(f"it is never healthy: it wants {wanted:g} of {len(counted)} checks")
    found = children(health_check, manifest)
    switches = [one for one in found if not _is_plain(one)]
    if switches and not isinstance(counted, Unreadable) and wanted < len(counted):
        yield Verdict.failed(
            f"it is healthy with {wanted:g} of {len(counted)} checks, and {switches[0].address}, which is "
            "inverted, is one while nothing answers there"
        )
    led = {one for record in _carriers(health_check, manifest) for one in regions_of_record(record, manifest)}
    for one in found:
        watched = regions_of_check(one, manifest)
        if _is_plain(one) and led and watched and not watched & led:
            yield Verdict.failed(f"it counts {one.address}, which watches {' and '.join(sorted(watched))}")


def _region_problems(health_check: Resource, manifest: Manifest) -> Iterator[Verdict]:
    watched = regions_of_check(health_check, manifest)
    for record in _carriers(health_check, manifest):
        led = regions_of_record(record, manifest)
        if watched and led and not watched & led:
            here, there = " and ".join(sorted(watched)), " and ".join(sorted(led))
            yield Verdict.failed(f"it watches {here}; {record.address} carries it and leads to {there}")


def _name_problems(health_check: Resource, manifest: Manifest) -> Iterator[Verdict]:
    name = health_check.template("fqdn")
    if isinstance(name, Unreadable):
        if health_check.has("ip_address"):
            return
        yield verdict_for_gap(name, "it names no fqdn")
        return
    resolved = manifest.resolve(name)
    shown = plain_name(resolved if isinstance(resolved, str) else name)
    shared = manifest.once(_shared_names)
    fails_over = any(
        one.type == _RECORD and _is_routed(one) for one in manifest.referents(health_check, "fqdn")
    )
    if shown in shared or fails_over:
        yield Verdict.failed(f"it watches {shown}, the name that fails over")
        return
    led = {answer for record in _carriers(health_check, manifest) for answer in answers(record, manifest)}
    if not (
        regions_of_check(health_check, manifest)
        or is_one_region(shown)
        or shown in led
        or _apis(health_check, "fqdn", manifest)
    ):
        yield Verdict.unknown(f"whether {shown} is one region's own name is not known")


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
    path = path.partition("?")[0]
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
        return
    documents = [*map(definition_of, apis or manifest.all(API))]
    read = [one for one in documents if isinstance(one, Definition)]
    unread = any(isinstance(one, Unreadable) and not isinstance(one, Missing) for one in documents)
    asked = [
        one
        for document in read
        for one in document.operations
        if one.path == wanted and one.verb in ("GET", "ANY")
    ]
    lost = unread or any(isinstance(route, Unreadable) for _, route in routes)
    if asked:
        if asked[0].guard:
            yield Verdict.failed(f"{path} is {asked[0].shown}, where {asked[0].guard}")
    elif (routes or read) and not lost:
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

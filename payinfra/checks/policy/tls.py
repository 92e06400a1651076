"""Checks of what is spoken with clients: TLS of today, and pages of named origins only."""

import re
from collections.abc import Iterator

from payinfra.checks.manifest import Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.verdict_helpers import nested, pass_unless, verdict_for_gap

_OLD = re.compile(
    r"TLS_1_[01]|TLSv1(?:_2016|\.1_2016)?|SSLv3"
    r"|ELBSecurityPolicy-(?:2016-08|2015-05|FS-2018-06|(?:TLS|TLS13|FS)-1-[01]-\S+)"
)
"""API Gateway's, CloudFront's and load balancers' names for what takes less than TLS 1.2. A load balancer's
policy names the oldest version that it takes: `ELBSecurityPolicy-TLS13-1-0-2021-06` takes TLS 1.0."""

_DISTRIBUTION = "aws_cloudfront_distribution"
_LISTENERS = ("aws_alb_listener", "aws_lb_listener")
_OF_ORIGINS = ("SSLv3", "TLSv1", "TLSv1.1")
_RULES = ("aws_alb_listener_rule", "aws_lb_listener_rule")
"""One type by two names."""

_POLICY = {
    "aws_api_gateway_domain_name": "security_policy",
    "aws_apigatewayv2_domain_name": "domain_name_configuration.security_policy",
    _DISTRIBUTION: "viewer_certificate.minimum_protocol_version",
    **dict.fromkeys(_LISTENERS, "ssl_policy"),
}
_ENCRYPTED = ("HTTPS", "TLS")
_FORWARDS = {
    "aws_api_gateway_integration": ("type", "uri"),
    "aws_apigatewayv2_integration": ("integration_type", "integration_uri"),
    "aws_sns_topic_subscription": ("protocol", "endpoint"),
}
"""What forwards what it gets, with the properties that say how and where to."""

_TO_A_SERVER = ("HTTP", "HTTP_PROXY", "http", "https")
_DOMAINS = ("aws_elasticsearch_domain", "aws_opensearch_domain")


@check(
    id="PI-TLS-001",
    title="Clients, and servers behind an entrance, are spoken to with TLS 1.2 or later",
    severity=Severity.MEDIUM,
    on=(*_POLICY, *_FORWARDS, *_DOMAINS),
    risk="Card data crosses the network under a protocol that PCI DSS no longer takes for encryption.",
    fix="Set security_policy to TLS_1_2, ssl_policy to ELBSecurityPolicy-TLS13-1-2-2021-06, and redirect "
    "HTTP.",
)
def clients_get_tls(resource: Resource, manifest: Manifest) -> tuple[Verdict, ...]:
    """What AWS takes where nothing is set counts too."""
    if resource.type in _LISTENERS:
        protocol = _protocol(resource, manifest)
        if isinstance(protocol, Unreadable):
            return (Verdict.unknown(protocol.why),)
        if protocol == "HTTP":
            return pass_unless(_plain_http(resource, manifest), "it redirects to HTTPS")
        if protocol not in _ENCRYPTED:
            return (Verdict.not_applicable("it is not spoken to by browsers or clients of HTTP"),)
    if resource.type in _FORWARDS:
        return _forwarding(resource)
    if resource.type in _DOMAINS:
        return pass_unless(_endpoint(resource))
    if resource.type == _DISTRIBUTION:
        return pass_unless((*_behaviours(resource), *_oldest_version(resource), *_origins_of(resource)))
    return pass_unless(_oldest_version(resource))


def _forwarding(resource: Resource) -> tuple[Verdict, ...]:
    """Whether a server on the internet gets its calls and messages over TLS; a VPC's network is private."""
    how, where = _FORWARDS[resource.type]
    kind, to = resource.text(how), resource.template(where)
    if kind not in _TO_A_SERVER or resource.text("connection_type") == "VPC_LINK":
        return (Verdict.not_applicable("it forwards nothing to a server on the internet"),)
    if isinstance(to, Unreadable):
        return (verdict_for_gap(to, f"it has no {where}"),)
    if kind == "http" or to.lower().startswith("http://"):
        return (Verdict.failed(f"it forwards over plain HTTP ({where})"),)
    if to.startswith("${"):
        return (Verdict.unknown(f"where it forwards to is not known ({where})"),)
    return (Verdict.passed(),)


def _endpoint(domain: Resource) -> Iterator[Verdict]:
    """How a search domain answers; without a word of it the provider asks for HTTPS."""
    at = "domain_endpoint_options"
    if domain.flag(f"{at}.enforce_https") is False:
        yield Verdict.failed("it answers over plain HTTP (enforce_https)")
    if domain.text(f"{at}.tls_security_policy") == "Policy-Min-TLS-1-0-2019-07":
        yield Verdict.failed("it takes TLS 1.0 (tls_security_policy)")


def _protocol(listener: Resource, manifest: Manifest) -> str | Unreadable:
    """What a listener speaks: HTTP where it does not say, except behind a Gateway Load Balancer."""
    found = listener.text("protocol")
    if not isinstance(found, Missing):
        return found
    balancers = manifest.referents(listener, "load_balancer_arn")
    return "" if any(one.text("load_balancer_type") == "gateway" for one in balancers) else "HTTP"


def _plain_http(listener: Resource, manifest: Manifest) -> Iterator[Verdict]:
    """A redirect keeps the protocol of the request unless it names another; a fixed answer is no service."""
    for rule in _rules_of(listener, manifest):
        actions = nested(rule, "action")
        kinds = ["?"] if isinstance(actions, Unreadable) else [one.text("type") for one in actions]
        if "forward" in kinds:
            yield Verdict.failed(f"{rule.address} forwards what comes over plain HTTP")
    kind = listener.text("default_action.type")
    if kind == "fixed-response":
        return
    if kind != "redirect":
        yield Verdict.failed("it answers over plain HTTP")
        return
    match listener.text("default_action.redirect.protocol"):
        case Unreadable() as gap:
            yield verdict_for_gap(gap, "its redirect names no protocol, and leads to plain HTTP")
        case "HTTP" | "#{protocol}":
            yield Verdict.failed("it redirects to plain HTTP")
        case _:
            pass


def _rules_of(listener: Resource, manifest: Manifest) -> Iterator[Resource]:
    for kind in _RULES:
        yield from manifest.users(listener, kind, "listener_arn")


def _origins_of(distribution: Resource) -> Iterator[Verdict]:
    """How CloudFront speaks with servers behind it. Websites of S3 know no TLS, and hold what is public."""
    origins = nested(distribution, "origin")
    for origin in () if isinstance(origins, Unreadable) else origins:
        name = origin.template("domain_name")
        if isinstance(name, str) and ("s3-website" in name or "website_endpoint" in name):
            continue
        if origin.text("custom_origin_config.origin_protocol_policy") == "http-only":
            yield Verdict.failed(f"{origin.path} is asked over plain HTTP (origin_protocol_policy)")
        versions = origin.texts("custom_origin_config.origin_ssl_protocols")
        old = [one for one in (() if isinstance(versions, Unreadable) else versions) if one in _OF_ORIGINS]
        if "SSLv3" in old:
            yield Verdict.failed(f"{origin.path} may be asked with SSLv3 (origin_ssl_protocols)")
        elif old:
            yield Verdict.warn(f"{origin.path} may be asked with {old[0]} (origin_ssl_protocols)")


def _behaviours(distribution: Resource) -> Iterator[Verdict]:
    """Those of a distribution's cache behaviours that answer over plain HTTP as well."""
    for path in ("default_cache_behavior", "ordered_cache_behavior"):
        blocks = nested(distribution, path)
        if isinstance(blocks, Unreadable):
            yield Verdict.unknown(blocks.why)
            continue
        for block in blocks:
            match block.text("viewer_protocol_policy"):
                case "allow-all":
                    yield Verdict.failed(f"{block.path} answers over plain HTTP (viewer_protocol_policy)")
                case Unreadable() as gap if not isinstance(gap, Missing):
                    yield Verdict.unknown(gap.why)
                case _:
                    pass


def _oldest_version(resource: Resource) -> Iterator[Verdict]:
    path = _POLICY[resource.type]
    if resource.flag("viewer_certificate.cloudfront_default_certificate") is True:
        # CloudFront takes TLS 1.0 under its own certificate, whatever else is said.
        yield Verdict.failed("under CloudFront's own certificate it takes TLS 1.0")
        return
    match resource.text(path):
        case Missing() if resource.type == "aws_api_gateway_domain_name":
            yield Verdict.warn("it does not say which TLS it asks for (security_policy)")
        case Missing():
            yield Verdict.failed(f"it has no {path}, and AWS's default takes TLS 1.0")
        case Unreadable() as gap:
            yield Verdict.unknown(gap.why)
        case "":
            yield Verdict.failed(f"its {path} is empty")
        case text if _OLD.fullmatch(text):
            yield Verdict.failed(f"its {path} is {text}")
        case _:
            pass


_HEADER = re.compile(r"(?:^|\.)access-control-allow-origin$", re.IGNORECASE)
_ORIGINS = re.compile(r"(?i)(?:^|_)(?:cors|allowed?)_?(?:allow_?)?origins?$")
_ANY = re.compile(r"[\"']?(?:https?(?:://)?)?\*[\"']?")
"""Every origin, or every origin of a scheme: `https://*`."""

_CORS = {
    "aws_apigatewayv2_api": ("cors_configuration", "allow_origins"),
    "aws_cloudfront_response_headers_policy": ("cors_config", "access_control_allow_origins.items"),
    "aws_lambda_function_url": ("cors", "allow_origins"),
    "aws_s3_bucket": ("cors_rule", "allowed_origins"),
    "aws_s3_bucket_cors_configuration": ("cors_rule", "allowed_origins"),
}
"""The blocks that name origins, and the property of each."""

_CORS_TYPES = (
    "aws_api_gateway_gateway_response",
    "aws_api_gateway_integration_response",
    "aws_lambda_function",
    *_CORS,
)


@check(
    id="PI-TLS-002",
    title="Only pages of named origins may call",
    severity=Severity.MEDIUM,
    on=_CORS_TYPES,
    risk="Any page that a customer opens may call the API from their browser and read the answers.",
    fix="Name the origins of your own pages instead of *.",
)
def origins_are_named(resource: Resource, _manifest: Manifest) -> tuple[Verdict, ...]:
    """CORS of APIs, function URLs and buckets, headers of the gateway's answers, and origins given to
    functions."""
    origins = list(_origins(resource))
    if not origins:
        return (Verdict.not_applicable("it says nothing of other origins"),)
    return pass_unless(
        verdict if isinstance(verdict, Verdict) else Verdict.failed(f"{path} is {verdict}")
        for path, verdict in origins
        if isinstance(verdict, Verdict) or any(_ANY.fullmatch(part.strip()) for part in verdict.split(","))
    )


def _origins(resource: Resource) -> Iterator[tuple[str, str | Verdict]]:
    """Every origin that is let in, as it is written."""
    if resource.type.startswith("aws_api_gateway_"):
        parameters = resource.mapping("response_parameters")
        if isinstance(parameters, Unreadable):
            if not isinstance(parameters, Missing):
                yield "response_parameters", Verdict.unknown(parameters.why)
            return
        for name, value in parameters.items():
            if _HEADER.search(name) and isinstance(value, str):
                yield name, value
        return
    if resource.type == "aws_lambda_function":
        variables = resource.mapping("environment.variables")
        for name, value in () if isinstance(variables, Unreadable) else variables.items():
            if _ORIGINS.search(name) and isinstance(value, str):
                yield name, value
        return
    holder, path = _CORS[resource.type]
    blocks = nested(resource, holder)
    if isinstance(blocks, Unreadable):
        yield holder, Verdict.unknown(blocks.why)
        return
    for block in blocks:
        texts = block.texts(path)
        if isinstance(texts, Unreadable):
            yield path, verdict_for_gap(texts, f"it names no {path}")
            continue
        yield from ((path, text) for text in texts)

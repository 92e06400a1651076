"""Checks of what is spoken with clients: TLS of today, and pages of named origins only."""

import re
from collections.abc import Iterator

from payinfra.checks.manifest import Block, Manifest, Missing, Resource, Unreadable
from payinfra.checks.model import Severity, Verdict, check
from payinfra.checks.policy.verdict_helpers import nested, pass_unless, verdict_for_gap

_OLD = re.compile(
    r"TLS_1_[01]|TLSv1(?:_2016|\.1_2016)?|SSLv3|ELBSecurityPolicy-(?:2016-08|2015-05|TLS-1-[01]-\S+|FS-2018-06)"
)
_POLICY = {
    "aws_api_gateway_domain_name": "security_policy",
    "aws_apigatewayv2_domain_name": "domain_name_configuration.security_policy",
    "aws_cloudfront_distribution": "viewer_certificate.minimum_protocol_version",
    "aws_lb_listener": "ssl_policy",
}
_ENCRYPTED = ("HTTPS", "TLS")


@check(
    id="PI-TLS-001",
    title="Clients are spoken to with TLS 1.2 or later",
    severity=Severity.MEDIUM,
    on=tuple(_POLICY),
    risk="Card data crosses the network under a protocol that PCI DSS no longer takes for encryption.",
    fix="Set security_policy to TLS_1_2, ssl_policy to ELBSecurityPolicy-TLS13-1-2-2021-06, and redirect "
    "HTTP.",
)
def clients_get_tls(resource: Resource, _manifest: Manifest) -> Verdict:
    """What AWS takes where nothing is set counts too."""
    path = _POLICY[resource.type]
    if resource.type == "aws_lb_listener":
        protocol = resource.text("protocol")
        if protocol == "HTTP":
            kind = resource.text("default_action.type")
            if kind == "redirect":
                return Verdict.passed("it redirects to HTTPS")
            return Verdict.failed("it answers over plain HTTP")
        if protocol not in _ENCRYPTED:
            return Verdict.not_applicable("it is not spoken to by browsers or clients of HTTP")
    match resource.text(path):
        case Missing() if resource.type == "aws_api_gateway_domain_name":
            return Verdict.warn("it does not say which TLS it asks for (security_policy)")
        case Missing():
            return Verdict.failed(f"it has no {path}, and AWS's default takes TLS 1.0")
        case Unreadable() as gap:
            return Verdict.unknown(gap.why)
        case "":
            return Verdict.failed(f"its {path} is empty")
        case text if _OLD.fullmatch(text):
            return Verdict.failed(f"its {path} is {text}")
        case _:
            return Verdict.passed()


_HEADER = re.compile(r"(?:^|\.)access-control-allow-origin$", re.IGNORECASE)
_ORIGINS = re.compile(r"(?i)(?:^|_)(?:cors|allowed?)_?(?:allow_?)?origins?$")
_ANY = frozenset({"*", "'*'", '"*"'})
_CORS_TYPES = (
    "aws_api_gateway_gateway_response",
    "aws_api_gateway_integration_response",
    "aws_apigatewayv2_api",
    "aws_lambda_function",
    "aws_lambda_function_url",
    "aws_s3_bucket_cors_configuration",
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
        verdict if isinstance(verdict, Verdict) else Verdict.failed(f"{path} is *")
        for path, verdict in origins
        if isinstance(verdict, Verdict) or any(part.strip() in _ANY for part in verdict.split(","))
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
    blocks, path = _cors(resource)
    if isinstance(blocks, Unreadable):
        yield "cors", Verdict.unknown(blocks.why)
        return
    for block in blocks:
        texts = block.texts(path)
        if isinstance(texts, Unreadable):
            yield path, verdict_for_gap(texts, f"it names no {path}")
            continue
        yield from ((path, text) for text in texts)


def _cors(resource: Resource) -> tuple[tuple[Block, ...] | Unreadable, str]:
    if resource.type == "aws_apigatewayv2_api":
        return nested(resource, "cors_configuration"), "allow_origins"
    if resource.type == "aws_lambda_function_url":
        return nested(resource, "cors"), "allow_origins"
    return nested(resource, "cors_rule"), "allowed_origins"

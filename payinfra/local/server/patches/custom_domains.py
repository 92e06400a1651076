"""API Gateway's custom domain names, as AWS makes them."""

from collections.abc import Callable, Mapping
from typing import Any

from payinfra.local.server.ministack import Emulator

Wanted = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def install(emulator: Emulator) -> None:
    """Apply the patches."""
    gateway, acm = emulator.service("apigateway_v1"), emulator.service("acm")
    emulator.replace(
        gateway, "_create_domain_name", certificate_covers_the_name(gateway, acm, gateway._create_domain_name)
    )


def certificate_covers_the_name(
    gateway: Any, acm: Any, original: Callable[[Wanted], Answer]
) -> Callable[[Wanted], Answer]:
    """AWS: a custom domain has an issued certificate of its region, on which its name is.

    API Gateway developer guide, "Get certificates ready in AWS Certificate Manager".
    """

    def create(wanted: Wanted) -> Answer:
        arn = str(wanted.get("regionalCertificateArn") or "")
        problem = _problem(acm._certificates.get(arn), str(wanted.get("domainName", "")).lower())
        if arn and problem:
            refused: Answer = gateway._v1_error("BadRequestException", f"{problem}: {arn}", 400)
            return refused
        return original(wanted)

    return create


def _problem(certificate: Wanted | None, name: str) -> str:
    """Why a certificate cannot be a domain name's; empty where it can."""
    if certificate is None:
        return "The certificate is not in the region of the domain name"
    if certificate["Status"] != "ISSUED":
        return "The certificate is not issued"
    if not any(_covers(one.lower(), name) for one in certificate["SubjectAlternativeNames"]):
        return f"The certificate does not cover the domain name {name}"
    return ""


def _covers(pattern: str, name: str) -> bool:
    """Whether a certificate's name stands for a domain name: a wildcard does for one label (RFC 6125)."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name

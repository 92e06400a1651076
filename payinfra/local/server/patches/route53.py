"""Route 53's control plane, as AWS answers it."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from payinfra.local.server.asgi import AsgiResponse, HttpRequest, answer
from payinfra.local.server.ministack import Emulator

_DNSSEC = re.compile(r"/2013-04-01/hostedzone/[^/]+/dnssec")
_NOT_SIGNING = (
    b'<GetDNSSECResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">'
    b"<Status><ServeSignature>NOT_SIGNING</ServeSignature></Status><KeySigningKeys/></GetDNSSECResponse>"
)


def no_zone_is_signed(request: HttpRequest, response: AsgiResponse, region: str) -> AsgiResponse:
    """AWS: says of a zone without DNSSEC that it is not signed. Terraform asks before it empties a zone."""
    del region
    asked = request.method == "GET" and _DNSSEC.fullmatch(request.path)
    return answer(200, _NOT_SIGNING, "text/xml") if asked else response


def install(emulator: Emulator) -> None:
    """Apply the patches that reach into the service."""
    route53 = emulator.service("route53")
    emulator.replace(route53, "_build_health_check_el", truth_in_lower_case(route53._build_health_check_el))
    emulator.replace(route53, "_parse_health_check_config", keep_lists(route53._parse_health_check_config))


def keep_lists(
    original: Callable[[Element], dict[str, Any]],
) -> Callable[[Element], dict[str, Any]]:
    """AWS: a health check keeps the regions that it is to be made from, and the checks that it counts."""

    def parse(element: Element) -> dict[str, Any]:
        config = original(element)
        for name in ("Regions", "ChildHealthChecks"):
            if name in config:
                config[name] = [
                    one.text
                    for listing in element
                    if listing.tag.rpartition("}")[2] == name
                    for one in listing
                ]
        return config

    return parse


def truth_in_lower_case(original: Callable[[Element, Any], None]) -> Callable[[Element, Any], None]:
    """AWS: a health check's switches are `true` or `false` (XML Schema), which alone boto3 reads as such."""

    def build(parent: Element, check: Any) -> None:
        original(parent, check)
        for element in parent.iter():
            if element.text in ("True", "False"):
                element.text = element.text.lower()

    return build

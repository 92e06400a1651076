"""Route 53's control plane, as AWS answers it."""

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from payinfra.local.emulator import Emulator


def install(emulator: Emulator) -> None:
    """Makes the corrections that reach into the service."""
    route53 = emulator.service("route53")
    emulator.replace(
        route53, "_parse_health_check_config", keep_checker_regions(route53._parse_health_check_config)
    )


def keep_checker_regions(
    original: Callable[[Element], dict[str, Any]],
) -> Callable[[Element], dict[str, Any]]:
    """AWS: a health check keeps the regions that it is to be made from."""

    def parse(element: Element) -> dict[str, Any]:
        config = original(element)
        if "Regions" in config:
            config["Regions"] = [
                region.text
                for listing in element
                if listing.tag.endswith("}Regions") or listing.tag == "Regions"
                for region in listing
            ]
        return config

    return parse

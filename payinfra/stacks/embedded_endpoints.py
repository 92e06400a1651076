"""Where Terraform's provider finds the embedded AWS: an AWS config file for each region, beside cdk.tf.json.

The provider's block could name the endpoints itself. But each provider process then spends 2 to 3 s of a
processor on that block alone, whatever is in it, and a plan starts four of them (AWS provider 5.100.0). From
a config file the AWS SDK has them at once ("Service-specific endpoints", AWS SDKs and Tools Reference Guide).
"""

from collections.abc import Iterable
from pathlib import Path

from payinfra.clients.aws import Endpoints
from payinfra.core.private_files import replace_file

CONFIG_SUFFIX = ".aws-config"
_SECTION = "embedded-aws"
_GLOBAL_SERVICES = ("iam", "route_53", "sts")
"""`payinfra.clients.aws.GLOBAL_SERVICES`, as AWS's config files name them."""


def config_file(region: str) -> str:
    """The name of a region's file."""
    return f"{region}{CONFIG_SUFFIX}"


def write_config_files(folder: Path, endpoints: Endpoints, regions: Iterable[str]) -> None:
    """Write the file of each region into a stack's folder. No credentials are in it.

    Raises:
        KeyError: the embedded AWS does not serve one of the regions.
        OSError: a file cannot be written.
    """
    for region in regions:
        replace_file(folder / config_file(region), _config(endpoints, region).encode())


def _config(endpoints: Endpoints, region: str) -> str:
    elsewhere = "".join(
        f"{service} =\n  endpoint_url = {endpoints.global_url}\n" for service in _GLOBAL_SERVICES
    )
    return (
        f"[default]\nendpoint_url = {endpoints.regions[region]}\nservices = {_SECTION}\n\n"
        f"[services {_SECTION}]\n{elsewhere}"
    )

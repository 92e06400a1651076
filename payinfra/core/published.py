"""What a deployment publishes in each of its regions: enough to work on an environment without its folder.

It is the value of one parameter of Parameter Store, `Names.parameter(Parameter.DEPLOYMENT)`, as JSON: a few
fields that a person can read, and all outputs, compressed. Terraform writes it. A String parameter of the
standard tier, which costs nothing, holds `VALUE_MAX` bytes (Systems Manager user guide, "Managing parameter
tiers").
"""

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.json_text import parse_json
from payinfra.core.outputs import Outputs

SCHEMA = "payinfra-deployment"
VERSION = 1
"""Raised when a field is renamed or removed, or changes its meaning; not when one is added."""
VALUE_MAX = 4096
_DEPLOY_AGAIN = "Deploy the environment with this version of payinfra."


@dataclass(frozen=True)
class PublishedDeployment:
    """A deployment as one of its regions tells of it.

    Attributes:
        region: the region whose parameter this is.
        outputs: of the last deployment that wrote it.
    """

    env: str
    region: str
    outputs: Outputs

    @property
    def peer_region(self) -> str:
        """The other region."""
        first, second = self.outputs.primary_region, self.outputs.secondary_region
        return second if self.region == first else first

    def to_json(self) -> str:
        """The parameter's value."""
        flat = json.dumps(self.outputs.to_flat(), sort_keys=True, separators=(",", ":"))
        packed = base64.b64encode(gzip.compress(flat.encode(), mtime=0)).decode()
        return json.dumps(document(self.env, self.region, self.outputs, packed))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the parameter's value.

        Raises:
            EnvironmentUnusable: it is not what a deployment publishes, or of another version.
        """
        try:
            found = parse_json(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise EnvironmentUnusable("The published deployment cannot be read.", _DEPLOY_AGAIN)
        if found.get("version") != VERSION:
            raise EnvironmentUnusable(
                f"The published deployment has version {found.get('version')!r}; "
                f"this payinfra reads {VERSION}.",
                _DEPLOY_AGAIN,
            )
        outputs = Outputs.from_flat(_unpacked(str(found.get("outputs", ""))))
        return cls(str(found.get("env", "")), str(found.get("region", "")), outputs)


def document(env: str, region: str, outputs: Outputs, packed: str) -> dict[str, object]:
    """The fields of the parameter's value.

    Args:
        packed: the flat outputs as JSON, compressed with gzip, in base64; or what Terraform makes them of.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "env": env,
        "region": region,
        "primary_region": outputs.primary_region,
        "secondary_region": outputs.secondary_region,
        "failover_domain": outputs.failover_domain,
        "latency_domain": outputs.latency_domain,
        "api_endpoint": next(one.api_endpoint for one in outputs.regions if one.region == region),
        "outputs": packed,
    }


def _unpacked(packed: str) -> Mapping[str, object]:
    try:
        flat = parse_json(gzip.decompress(base64.b64decode(packed, validate=True)))
    except (ValueError, OSError, EOFError, zlib.error):
        flat = None
    if not isinstance(flat, dict):
        raise EnvironmentUnusable("The published deployment's outputs cannot be read.", _DEPLOY_AGAIN)
    return flat

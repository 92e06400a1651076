"""Our own cdk.tf.json, as far as the pipeline must know it before Terraform does.

Anybody's file, with all that may be wrong in one, is read by `payinfra.checks.manifest`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class ManifestBlock:
    """A resource or a data source.

    Attributes:
        address: `aws_kms_key.data`, with `data.` in front for a data source.
        type: `aws_kms_key`.
        provider: `aws.primary`.
        text: its configuration as JSON.
    """

    address: str
    type: str
    provider: str
    text: str


@dataclass(frozen=True)
class StackFile:
    """What a synthesized stack holds.

    Attributes:
        regions: each provider's region, by its address.
    """

    regions: Mapping[str, str]
    resources: tuple[ManifestBlock, ...]
    data: tuple[ManifestBlock, ...]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read one of our own cdk.tf.json files, in which every resource names its provider."""
        content = json.loads(file.read_bytes())

        def blocks(section: str, prefix: str = "") -> tuple[ManifestBlock, ...]:
            return tuple(
                ManifestBlock(f"{prefix}{kind}.{name}", kind, block["provider"], json.dumps(block))
                for kind, named in content.get(section, {}).items()
                for name, block in named.items()
            )

        providers = content["provider"]["aws"]
        regions = {f"aws.{provider['alias']}": provider["region"] for provider in providers}
        return cls(regions, blocks("resource"), blocks("data", "data."))

"""Lets Terraform's state follow: it forgets the former keys, and takes the new ones in their place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from payinfra.core.json_text import parse_json
from payinfra.core.outputs import Outputs
from payinfra.terraform import Import

KEY, JOINED = "aws_api_gateway_api_key", "aws_api_gateway_usage_plan_key"
PUBLISHED = "published_"
"""What the names of `PublishedDeployments`' parameters begin with in the stack."""


@dataclass(frozen=True)
class Addresses:
    """Where a region's key and its place in the usage plan are in the stack."""

    key: str
    joined: str


def addresses(manifest: Path) -> Mapping[str, Addresses]:
    """The addresses in a synthesized stack, by the alias of the region's provider.

    Raises:
        StopIteration, KeyError: the stack has no API key, which is a bug.
    """
    resources: Mapping[str, Mapping[str, Mapping[str, Any]]] = parse_json(manifest.read_bytes())["resource"]

    def of(kind: str, alias: str) -> str:
        provider = f"aws.{alias}"
        return next(
            f"{kind}.{name}" for name, found in resources[kind].items() if found["provider"] == provider
        )

    return {alias: Addresses(of(KEY, alias), of(JOINED, alias)) for alias in ("primary", "secondary")}


def published_addresses(manifest: Path) -> tuple[str, ...]:
    """Where the documents are in a synthesized stack that the deployment publishes of itself."""
    parameters = parse_json(manifest.read_bytes())["resource"].get("aws_ssm_parameter", {})
    return tuple(f"aws_ssm_parameter.{name}" for name in parameters if name.startswith(PUBLISHED))


@dataclass(frozen=True)
class StateImport:
    """What the state is to forget and to take in, and what its outputs about keys depend on."""

    forget: tuple[str, ...]
    imports: tuple[Import, ...]
    targets: tuple[str, ...]

    @classmethod
    def of(cls, manifest: Path, outputs: Outputs, keys: Mapping[str, str]) -> "StateImport":
        """The adoption of these keys, region to id."""
        found = addresses(manifest)
        plans = {one.region: one.api.usage_plan_id for one in outputs.declared.regions}
        forget: list[str] = []
        imports: list[Import] = []
        targets: list[str] = []
        for region, alias in zip(outputs.regions, ("primary", "secondary"), strict=True):
            at, key = found[alias], keys[region.region]
            forget += (at.key, at.joined)
            imports += (Import(at.key, key), Import(at.joined, f"{plans[region.region]}/{key}"))
            targets.append(at.key)
        return cls(tuple(forget), tuple(imports), tuple(targets))

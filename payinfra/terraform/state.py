"""What a state knows, from what ``terraform state pull`` prints (format 4, Terraform 0.12 and later)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from payinfra.terraform.jsonvalue import JsonValue, at, items, members, number, text

SOURCE = re.compile(r'provider\["(?:[^"]*/)?(?P<name>[^"/]+)"\](?P<alias>(?:\.\w+)?)')


@dataclass(frozen=True)
class Kept:
    """A resource in the state.

    `provider` is its provider's name and alias, as in `aws.primary`. `tainted` says that its creation was cut
    off or failed half-way: Terraform would make it anew. Attributes may be secret; a repr never shows them.
    `sensitive` names the attributes that Terraform holds to be secret, as a whole or in part.
    """

    address: str
    type: str
    provider: str
    tainted: bool
    attributes: Mapping[str, JsonValue] = field(repr=False)
    sensitive: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The provider's id; empty where it has none."""
        return text(self.attributes, "id")


MANAGED, DATA = "managed", "data"


def kept(state: JsonValue, modes: Collection[str] = (MANAGED,)) -> tuple[Kept, ...]:
    """The resources of a state, without those that wait to be deleted after a replacement.

    Args:
        modes: `managed` for resources, `data` for data sources, whose addresses begin with `data.`.
    """
    return tuple(
        Kept(
            address=_address(resource, instance),
            type=text(resource, "type"),
            provider=_provider(text(resource, "provider")),
            tainted=text(instance, "status") == "tainted",
            attributes=members(instance, "attributes"),
            sensitive=_sensitive(instance),
        )
        for resource in items(state, "resources")
        if text(resource, "mode") in modes
        for instance in items(resource, "instances")
        if not text(instance, "deposed")
    )


def _sensitive(instance: JsonValue) -> frozenset[str]:
    """The first step of each path to what is secret."""
    paths = items(instance, "sensitive_attributes")
    return frozenset(text(path[0], "value") for path in paths if isinstance(path, list) and path)


def _provider(source: str) -> str:
    """`aws.primary` from ``provider["registry.terraform.io/hashicorp/aws"].primary``."""
    named = SOURCE.fullmatch(source)
    return f"{named['name']}{named['alias']}" if named else ""


def _address(resource: JsonValue, instance: JsonValue) -> str:
    module = text(resource, "module")
    data = "data." * (text(resource, "mode") == DATA)
    name = f"{module}." * bool(module) + f"{data}{text(resource, 'type')}.{text(resource, 'name')}"
    key = at(instance, "index_key")
    if key is None:
        return name
    return f'{name}["{key}"]' if isinstance(key, str) else f"{name}[{key}]"


def with_attributes(
    state: JsonValue, values: Mapping[str, Mapping[str, JsonValue]]
) -> Mapping[str, JsonValue]:
    """The next version of a state, in which resources have these attributes: address to name to value."""

    def instance(resource: JsonValue, one: JsonValue) -> JsonValue:
        given = values.get(_address(resource, one), {})
        return {**members(one), "attributes": {**members(one, "attributes"), **given}}

    def resource(one: JsonValue) -> JsonValue:
        if text(one, "mode") != "managed":
            return one
        return {**members(one), "instances": [instance(one, each) for each in items(one, "instances")]}

    return {
        **members(state),
        "serial": number(state, "serial") + 1,
        "resources": [resource(one) for one in items(state, "resources")],
    }

"""The resources that a plan would create, with what is known of them beforehand.

From ``terraform show -json PLAN`` ("JSON Output Format" in Terraform's documentation): `resource_changes` has
the values, `configuration` the provider of each resource, and that provider's region.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from payinfra.terraform.jsonvalue import JsonValue, items, members, text


@dataclass(frozen=True)
class Creation:
    """A resource that a plan would create in `region`, by `provider`: name and alias, as in `aws.primary`.

    Values that are known only after the apply are missing. They may be secret; a repr never shows them.
    """

    address: str
    type: str
    provider: str
    region: str
    values: Mapping[str, JsonValue] = field(repr=False)

    def value(self, name: str) -> str:
        """A string among the planned values; empty where it is not known yet."""
        return text(self.values, name)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that it would have, the provider's default ones with it."""
        return {name: text(self.values, "tags_all", name) for name in members(self.values, "tags_all")}


def creations(shown: JsonValue) -> tuple[Creation, ...]:
    """The resources that a shown plan would only create; a replacement is none."""
    configured = {
        text(one, "address"): text(one, "provider_config_key")
        for one in items(shown, "configuration", "root_module", "resources")
    }
    return tuple(
        Creation(
            address=text(one, "address"),
            type=text(one, "type"),
            provider=configured.get(text(one, "address"), ""),
            region=_region(shown, configured.get(text(one, "address"), "")),
            values=members(one, "change", "after"),
        )
        for one in items(shown, "resource_changes")
        if tuple(items(one, "change", "actions")) == ("create",)
    )


def _region(shown: JsonValue, provider: str) -> str:
    return text(
        shown, "configuration", "provider_config", provider, "expressions", "region", "constant_value"
    )

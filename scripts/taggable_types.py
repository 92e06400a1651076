"""Write the list of the types of the AWS provider that take tags.

    terraform providers schema -json | python -m scripts.taggable_types

in a folder that was initialised with the provider's version that payinfra binds.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from payinfra.checks.policy.naming import TAGGABLE

NOTE = "# Written by `python -m scripts.taggable_types` from the AWS provider's schema; changes are lost.\n"


def taggable(schemas: Mapping[str, Any]) -> Iterator[str]:
    """The types whose tags the provider merges with its default ones."""
    provider = next(schema for name, schema in schemas.items() if name.endswith("/hashicorp/aws"))
    for kind, schema in sorted(provider["resource_schemas"].items()):
        if "tags_all" in schema["block"].get("attributes", {}):
            yield kind


def main() -> None:
    """Read the schema from stdin and write the list."""
    kinds = taggable(json.load(sys.stdin)["provider_schemas"])
    TAGGABLE.write_text(NOTE + "".join(f"{kind}\n" for kind in kinds), encoding="utf-8")


if __name__ == "__main__":
    main()

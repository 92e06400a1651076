"""Write the table of the attributes that the AWS provider calls sensitive.

    terraform providers schema -json | python -m scripts.sensitive_attributes

in a folder that was initialised with the provider's version that payinfra binds.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TABLE = Path("payinfra") / "checks" / "sensitive_attributes.json"
SECTIONS = {
    "resource_schemas": "",
    "data_source_schemas": "data.",
    "ephemeral_resource_schemas": "ephemeral.",
}


def sensitive(block: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The paths of the sensitive attributes of a block."""
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("sensitive") or attribute.get("write_only"):
            yield path + name
        if nested := attribute.get("nested_type"):
            yield from sensitive(nested, f"{path}{name}.")
    for name, inner in block.get("block_types", {}).items():
        yield from sensitive(inner["block"], f"{path}{name}.")


def main() -> None:
    """Read the schema from stdin and write the table."""
    schemas = json.load(sys.stdin)["provider_schemas"]
    provider = next(schema for name, schema in schemas.items() if name.endswith("/hashicorp/aws"))
    table = {
        f"{prefix}{kind}": paths
        for section, prefix in SECTIONS.items()
        for kind, schema in sorted(provider.get(section, {}).items())
        if (paths := sorted(sensitive(schema["block"])))
    }
    lines = ",\n".join(f"{json.dumps(kind)}: {json.dumps(paths)}" for kind, paths in table.items())
    TABLE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

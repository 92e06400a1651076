"""The convention of every JSON document on stdout: `schema` says what it is, `version` which edition of that.

The schemas are published in docs/schemas, a file each, such as `plan-1.json`. A new field is no new version.
One that goes, or changes its meaning, is.
"""

from collections.abc import Mapping

VERSIONS: Mapping[str, int] = {}


def document(name: str, fields: Mapping[str, object]) -> dict[str, object]:
    """A document of a kind, with its marks first."""
    return {"schema": f"payinfra/{name}", "version": VERSIONS.get(name, 1), **fields}

"""Import blocks: resources that exist and that a plan takes into the state.

Terraform's documentation, "Import" (since 1.5): a block names an address of the configuration and the id by
which the provider finds the resource. The plan that sees it shows the import, and what would then be changed,
like any other change; nothing is in the state until that plan is applied.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PLACED = "imports.tf.json"


@dataclass(frozen=True)
class Import:
    """A resource to take into the state: its address in the stack, and the provider's id for it."""

    address: str
    id: str


@contextmanager
def placed(folder: Path, imports: Sequence[Import]) -> Iterator[None]:
    """Keep the import blocks beside the stack while the block runs: a saved plan carries them with it.

    Those that a killed run left behind are removed first.
    """
    file = folder / PLACED
    file.unlink(missing_ok=True)
    if imports:
        file.write_text(json.dumps({"import": [{"to": one.address, "id": one.id} for one in imports]}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)

"""What pages of the documentation show, for tests that hold payinfra to it."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def policy(page: str, after: str, env: str, account: str) -> dict[str, Any]:
    """The first policy on a page after some words, for an environment and an account."""
    text = (DOCS / page).read_text(encoding="utf-8")
    _, _, rest = text.partition(after)
    shown = re.search(r"^( +)\{\n(?:\1.*\n)+?\1\}\n", rest, re.MULTILINE)
    assert shown, f"docs/{page} shows no policy after {after!r}"
    made = textwrap.dedent(shown[0]).replace("payment-prod", f"payment-{env}").replace("ACCOUNT", account)
    read: dict[str, Any] = json.loads(made)
    return read

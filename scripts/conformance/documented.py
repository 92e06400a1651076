"""The policies that pages of the documentation show, for who holds payinfra to them."""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def of_operators(env: str, account: str) -> dict[str, Any]:
    """What those need who decide about payments, with `conflicts resolve` and `audit reconcile`."""
    return policy("account.md", "`conflicts resolve`", env, account)


def policy(page: str, after: str, env: str, account: str) -> dict[str, Any]:
    """The first policy on a page after some words, for an environment and an account.

    Raises:
        LookupError: there is none.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    _, _, rest = text.partition(after)
    shown = re.search(r"^( +)\{\n(?:\1.*\n)+?\1\}\n", rest, re.MULTILINE)
    if shown is None:
        raise LookupError(f"docs/{page} shows no policy after {after!r}")
    made = textwrap.dedent(shown[0]).replace("ACCOUNT", account)
    made = made.replace("payment-prod", f"payment-{env}").replace('"prod"', f'"{env}"')
    read: dict[str, Any] = json.loads(made)
    return read

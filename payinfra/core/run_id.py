"""One id for everything that a run does: log lines, calls to AWS and by Terraform, and payments."""

import os
import re
import secrets
from collections.abc import MutableMapping

from payinfra.core.version import __version__

VARIABLE = "PAYINFRA_RUN_ID"
"""Set by a caller that has an id already, such as a CI run. Otherwise an id is made and set, so that child
processes have the same one."""

_SHAPE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def run_id(environ: MutableMapping[str, str] = os.environ) -> str:
    """This run's id: letters, digits, dots, hyphens and underscores, at most 64."""
    if not _SHAPE.fullmatch(environ.get(VARIABLE, "")):
        environ[VARIABLE] = secrets.token_hex(8)
    return environ[VARIABLE]


def user_agent(environ: MutableMapping[str, str] = os.environ) -> str:
    """What calls add to their User-Agent header. CloudTrail records it as `userAgent` with each call."""
    return f"payinfra/{__version__} run/{run_id(environ)}"

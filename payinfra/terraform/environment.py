"""The environment that Terraform runs in: the caller's, less what would change what Terraform does unseen."""

import json
import os
import re
from collections.abc import Mapping

from payinfra.terraform.mirror import CONFIG_VARIABLE

# Extra arguments (a -target, a -lock=false) and another workspace would make Terraform do something else than
# the plan says; a reattached provider is a developer's.
UNWANTED_PREFIXES = ("TF_CLI_ARGS",)
UNWANTED = frozenset({"TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT", "TF_REATTACH_PROVIDERS", CONFIG_VARIABLE})
ALWAYS = {
    "TF_IN_AUTOMATION": "1",
    "TF_INPUT": "0",
    "CHECKPOINT_DISABLE": "1",
    # Terraform reads a 14 MB schema and then is gone: collecting garbage less often saves a third of the CPU.
    "GOGC": "400",
}
# Names by which credentials go: AWS's own, a CI system's tokens, whatever else a shell may hold.
_SECRET = re.compile(r"(?i)(SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_KEY|API_KEY)(?!.*(FILE|PATH|URL|URI)$)")
USER_AGENT = "TF_APPEND_USER_AGENT"
"""What Terraform's providers add to the User-Agent of their calls."""
SHORTEST_SECRET = 8
HIDDEN = "(hidden)"


def scrubbed(caller: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Terraform's environment: the caller's without what it must not hear, then payinfra's `own`."""
    kept = {name: value for name, value in caller.items() if not is_unwanted(name)}
    return {**ALWAYS, **kept, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", **own}


def with_user_agent(caller: Mapping[str, str], ours: str) -> dict[str, str]:
    """The variable by which providers say whose calls theirs are: what the caller has in it, then ours."""
    return {USER_AGENT: " ".join(part for part in (caller.get(USER_AGENT, ""), ours) if part)}


def with_access_key(caller: Mapping[str, str], access_key_id: str, secret_access_key: str) -> dict[str, str]:
    """The caller's variables with an AWS access key in place of all by which the caller's own would be found.

    A variable, unlike a provider's argument, is in no file of Terraform's.
    """
    kept = {name: value for name, value in caller.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def is_unwanted(name: str) -> bool:
    """Whether a variable of the caller's is kept from Terraform."""
    return name in UNWANTED or name.startswith(UNWANTED_PREFIXES)


def ignored_arguments(caller: Mapping[str, str]) -> tuple[str, ...]:
    """The variables by which the caller hoped to pass Terraform arguments, or another workspace."""
    return tuple(
        sorted(
            name
            for name, value in caller.items()
            if value and (name.startswith(UNWANTED_PREFIXES) or name == "TF_WORKSPACE")
        )
    )


def secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Credentials that must not be repeated, should a message quote one; the longest first."""
    values = {value for name, value in environment.items() if _SECRET.search(name)}
    long_enough = (value for value in values if len(value) >= SHORTEST_SECRET)
    return tuple(sorted(long_enough, key=lambda value: (-len(value), value)))


def hide(text: str, secret_values: tuple[str, ...]) -> str:
    """`text` with each secret replaced, as it is or as JSON writes it."""
    for secret in secret_values:
        in_json = json.dumps(secret, ensure_ascii=False)[1:-1]
        # Go's encoder, which is Terraform's, escapes three characters more.
        in_go = in_json.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
        for written in (secret, in_json, in_go):
            text = text.replace(written, HIDDEN)
    return text

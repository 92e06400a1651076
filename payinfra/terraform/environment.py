"""The environment that Terraform runs in: the caller's, less what would change what Terraform does unseen."""

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
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
SHORTEST_SECRET = 8
HIDDEN = "(hidden)"


def scrubbed(caller: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Terraform's environment: the caller's without what it must not hear, then payinfra's `own`."""
    kept = {name: value for name, value in caller.items() if not is_unwanted(name)}
    return {**ALWAYS, **kept, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", **own}


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
    """Credentials that must not be repeated, should an error message quote one."""
    values = (environment.get(name, "") for name in SECRET_VARIABLES)
    return tuple(value for value in values if len(value) >= SHORTEST_SECRET)


def hide(text: str, secret_values: tuple[str, ...]) -> str:
    """`text` with each secret replaced."""
    for secret in secret_values:
        text = text.replace(secret, HIDDEN)
    return text

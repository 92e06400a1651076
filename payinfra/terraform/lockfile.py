"""Puts the shipped dependency lock beside the stack: every machine runs the same provider, byte for byte.

The lock speaks of registry.terraform.io. OpenTofu's registry serves builds of its own with other hashes: for
OpenTofu nothing is placed, and `init` writes a lock for this machine.
"""

from pathlib import Path

from payinfra.terraform.jsonvalue import JsonValue, members, parse, text

SHIPPED = Path(__file__).with_name("terraform.lock.hcl")
REGISTRY = "registry.terraform.io"
PROVIDER = "hashicorp/aws"
VERSION = "5.100.0"
PLACED = ".terraform.lock.hcl"
READ_ONLY = "-lockfile=readonly"


def place(folder: Path, registry: str) -> tuple[str, ...]:
    """Copy the lock into `folder` where the stack there uses the provider that it locks.

    Returns the arguments that `init` needs besides: the lock is read-only where it covers the whole stack.
    """
    sources = required_sources(folder)
    if registry != REGISTRY or PROVIDER not in sources:
        return ()
    target = folder / PLACED
    if sources == {PROVIDER}:
        target.write_bytes(SHIPPED.read_bytes())
        return (READ_ONLY,)
    if not target.exists():
        target.write_bytes(SHIPPED.read_bytes())
    return ()


def required_sources(folder: Path) -> frozenset[str]:
    """The providers that the JSON configuration in `folder` asks for, as namespace/type."""
    return frozenset(
        _full(text(wanted, "source") or name)
        for file in sorted(folder.glob("*.tf.json"))
        for name, wanted in members(_read(file), "terraform", "required_providers").items()
    )


def _read(file: Path) -> JsonValue:
    try:
        return parse(file.read_bytes())
    except ValueError:
        return None  # Terraform will say what is wrong with it, and where


def _full(source: str) -> str:
    source = source.removeprefix(f"{REGISTRY}/")
    return source if "/" in source else f"hashicorp/{source}"

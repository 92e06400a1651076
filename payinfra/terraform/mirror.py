"""Where Terraform gets the provider: the registry, or a folder that mirrors it where that cannot be reached.

A mirror is a folder that holds `registry.terraform.io/NAMESPACE/TYPE/VERSION/PLATFORM/` (unpacked) or
`registry.terraform.io/NAMESPACE/TYPE/terraform-provider-TYPE_VERSION_PLATFORM.zip` (packed).
Terraform is told of it, and of the cache that all environments share, in a CLI configuration file that
payinfra writes. A configuration file of the person's own is left alone.
"""

import json
import os
import platform as host
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from payinfra.core.errors import UsageProblem
from payinfra.core.events import Emit, Notice
from payinfra.core.private_files import replace_file
from payinfra.terraform import lockfile

VARIABLE = "PAYINFRA_PROVIDER_MIRROR"
CONFIG_VARIABLE = "TF_CLI_CONFIG_FILE"
CACHE_VARIABLE = "TF_PLUGIN_CACHE_DIR"
FHS_ADD_ON = Path("/opt")  # Filesystem Hierarchy Standard 3.0, section 3.13: add-on packages
CONFIG_NAME = "payinfra.tfrc"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386", "armv7l": "arm"}


class Origin(StrEnum):
    """How a mirror was found."""

    SET = "set"
    IMPLIED = "implied"
    ADD_ON = "add-on"


@dataclass(frozen=True)
class Mirror:
    """A folder that serves providers in place of the registry."""

    path: Path
    origin: Origin


def platform_name(system: str = "", machine: str = "") -> str:
    """This machine as Terraform names it, such as linux_amd64."""
    machine = (machine or host.machine()).lower()
    return f"{(system or host.system()).lower()}_{ARCHITECTURES.get(machine, machine)}"


def serves(mirror: Path, registry: str, platform: str) -> bool:
    """Whether the folder holds the provider that payinfra needs, for this platform."""
    provider = mirror / registry / lockfile.PROVIDER
    packed = f"terraform-provider-{provider.name}_{lockfile.VERSION}_{platform}.zip"
    return (provider / lockfile.VERSION / platform).is_dir() or (provider / packed).is_file()


def implied_folders(
    environment: Mapping[str, str], home: Path, registry: str = lockfile.REGISTRY
) -> tuple[Path, ...]:
    """The folders that Terraform looks into by itself when no configuration says otherwise.

    From Terraform's documentation, "Implied Local Mirror Directories": its own folder in the home folder (on
    macOS also one under Library), and the XDG data folders. OpenTofu looks into the same ones; but where
    there is no `.terraform.d`, and XDG_DATA_HOME is set, into a folder of its own there instead (from its
    source, `cliconfig.PluginDir` and `implicitProviderSource`).
    """
    own = home / ".terraform.d"
    if registry != lockfile.REGISTRY and environment.get("XDG_DATA_HOME") and not own.exists():
        own = Path(environment["XDG_DATA_HOME"]) / "opentofu"
    data_home = environment.get("XDG_DATA_HOME") or str(home / ".local/share")
    data_dirs = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    xdg = [data_home, *data_dirs.split(":")]
    return (
        own / "plugins",
        home / "Library/Application Support/io.terraform/plugins",
        *(Path(folder) / "terraform/plugins" for folder in xdg if folder),
    )


def find_mirror(
    environment: Mapping[str, str], *, registry: str, platform: str, home: Path, add_on: Path = FHS_ADD_ON
) -> Mirror | None:
    """The mirror to use: the one that PAYINFRA_PROVIDER_MIRROR names, else one that serves the provider.

    Raises:
        UsageProblem: PAYINFRA_PROVIDER_MIRROR names something that is no mirror.
    """
    named = environment.get(VARIABLE)
    if named:
        path = Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - Path's fails without a home
        if not (path / registry).is_dir():
            problem = f"holds no folder named {registry}" if path.is_dir() else "is not a folder"
            raise UsageProblem(
                f"{VARIABLE} names {path}, which {problem}.",
                f"Name a folder that holds {registry}/{lockfile.PROVIDER}/{lockfile.VERSION}/{platform}, "
                f"or unset {VARIABLE}.{_other_registry(path, registry)}",
            )
        return Mirror(path, Origin.SET)
    for folder in implied_folders(environment, home, registry):
        if serves(folder, registry, platform):
            return Mirror(folder, Origin.IMPLIED)
    for folder in _below(add_on):
        if serves(folder, registry, platform):
            return Mirror(folder, Origin.ADD_ON)
    return None


def _other_registry(path: Path, registry: str) -> str:
    """What to know of a mirror that was made for Terraform, where OpenTofu is to use it."""
    if registry == lockfile.REGISTRY or not (path / lockfile.REGISTRY).is_dir():
        return ""
    return (
        f" It mirrors {lockfile.REGISTRY}, which is Terraform's; `tofu providers mirror FOLDER`, in the "
        "folder of a synthesized stack, makes one for OpenTofu."
    )


def _below(folder: Path) -> Sequence[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return ()


def named_config(environment: Mapping[str, str]) -> Path | None:
    """The CLI configuration file that TF_CLI_CONFIG_FILE names, where it exists."""
    named = environment.get(CONFIG_VARIABLE)
    return Path(named) if named and Path(named).is_file() else None


def default_config(environment: Mapping[str, str], home: Path, registry: str) -> Path | None:
    """The CLI configuration file that is read where none is named, if there is one.

    OpenTofu looks for its own first, and then in the XDG configuration folder (its documentation, "CLI
    Configuration File", section "Locations").
    """
    places = [home / ".terraformrc"]
    if registry != lockfile.REGISTRY:
        places.insert(0, home / ".tofurc")
        if config_home := environment.get("XDG_CONFIG_HOME"):
            places.append(Path(config_home) / "opentofu" / "tofurc")
    return next((place for place in places if place.is_file()), None)


def config_text(mirror: Mirror | None, cache: Path | None, registry: str, own: str = "") -> str:
    """A CLI configuration: the mirror for all that it holds, the registry for the rest, and the cache.

    `own` is the person's own configuration, which comes first; a cache that it names is kept.
    """
    lines = ["# Written by payinfra; changes are lost.", own]
    if cache and "plugin_cache_dir" not in own:
        lines.append(f"plugin_cache_dir = {json.dumps(str(cache))}")
    # Terraform finds an implied folder by itself, as long as nothing here says how to install providers.
    if mirror and mirror.origin is not Origin.IMPLIED:
        served = json.dumps(
            [
                f"{registry}/{folder.parent.name}/{folder.name}"
                for folder in sorted((mirror.path / registry).glob("*/*"))
                if folder.is_dir()
            ]
        )
        lines += [
            "provider_installation {",
            "  filesystem_mirror {",
            f"    path    = {json.dumps(str(mirror.path))}",
            f"    include = {served}",
            "  }",
            "  direct {",
            f"    exclude = {served}",
            "  }",
            "}",
        ]
    return "\n".join(line for line in lines if line) + "\n"


def configure(
    environment: Mapping[str, str],
    *,
    mirror: Mirror | None,
    cache: Path | None,
    data_dir: Path,
    registry: str,
    home: Path,
    emit: Emit,
) -> dict[str, str]:
    """The variables that tell Terraform where providers come from; writes a configuration file if need be.

    A TF_CLI_CONFIG_FILE that names an existing file is used as it is. So is the default file in the home
    folder, unless a mirror must be named: then a copy with the mirror added is used. A default file that says
    itself how providers are installed yields only to PAYINFRA_PROVIDER_MIRROR. Beside a file that is used as
    it is, the shared cache is set by its variable, unless the file or the environment names another.
    """
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    set_by_hand = mirror is not None and mirror.origin is Origin.SET
    to_be_named = mirror is not None and mirror.origin is not Origin.IMPLIED
    named = named_config(environment)
    if named:
        if set_by_hand:
            emit(Notice(f"{VARIABLE} is not used: {named} says where providers come from."))
        return {CONFIG_VARIABLE: str(named), **_cache_beside(named, cache, environment)}
    own = default_config(environment, home, registry)
    text = own.read_text() if own else ""
    decided = "provider_installation" in text or text.lstrip().startswith("{")
    if own and not set_by_hand and (decided or not to_be_named):
        return _cache_beside(own, cache, environment)
    data_dir.mkdir(parents=True, exist_ok=True)
    written = data_dir / CONFIG_NAME
    # Private: the person's own file, whose text is in it, may hold credentials.
    replace_file(written, config_text(mirror, cache, registry, "" if decided else text))
    return {CONFIG_VARIABLE: str(written)}


def _cache_beside(config: Path, cache: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    chosen = environment.get(CACHE_VARIABLE) or "plugin_cache_dir" in config.read_text()
    return {CACHE_VARIABLE: str(cache)} if cache and not chosen else {}

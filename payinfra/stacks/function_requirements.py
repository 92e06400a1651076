"""The packages that a function of one's own needs: from its requirements.txt, for Lambda's platform.

Each is pinned with its hash, so that the same file gives the same zip on any machine. `uv` resolves them
where it is there, else `pip` does; both read their own configuration, so that a company's index is used.
"""

import ast
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from payinfra.core.errors import ToolFailed, UsageProblem
from payinfra.core.settings import Settings

REQUIREMENTS = "requirements.txt"
"""In the folder of the handlers."""
_DONE = ".payinfra-complete"
_INSTALLERS = frozenset(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", ".lock"))
"""What an installer notes of itself in a package's metadata, which differs from machine to machine."""
_WITHOUT_PIP = "No module named pip"
"""What Python says where it was installed without pip, as uv does."""
_MOST_SHOWN = 600


@dataclass(frozen=True)
class FunctionPlatform:
    """What the function runs on.

    Attributes:
        python: the runtime's version, such as `3.11`.
        architecture: `x86_64` or `arm64`, as Lambda calls them.
    """

    python: str = "3.11"
    architecture: str = "x86_64"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What an environment's function runs on."""
        python = settings.lambda_runtime.removeprefix("python")
        return cls(python, settings.lambda_architecture or cls.architecture)

    @property
    def machine(self) -> str:
        """The architecture as wheels name it."""
        return "aarch64" if self.architecture == "arm64" else self.architecture

    @property
    def wheels(self) -> tuple[str, ...]:
        """The kinds of wheels that run there, without the machine, the newest first.

        Up to Python 3.11 it is Amazon Linux 2 with glibc 2.26, from 3.12 on Amazon Linux 2023 with glibc 2.34
        (Lambda developer guide, "Lambda runtimes"; Amazon Linux user guides).
        """
        old = ("manylinux_2_17", "manylinux2014")
        return old if self.python == "3.11" else ("manylinux_2_28", *old)


Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def installed(
    handlers: Path,
    cache: Path,
    platform: FunctionPlatform,
    *,
    run: Run = _run,
    which: Callable[[str], str | None] = shutil.which,
) -> Path | None:
    """The folder with the packages of the handlers' requirements.txt; None without such a file.

    Args:
        handlers: the folder of the function's packages.
        cache: a folder; what was installed there for the same file and platform is taken again.
        platform: what the function runs on.
        run: runs a program; tests pass their own.
        which: finds a program on PATH.

    Raises:
        UsageProblem: the file has no hash for some package, or cannot be read.
        ToolFailed: the packages cannot be installed for Lambda.
    """
    file = handlers / REQUIREMENTS
    if not file.is_file():
        return None
    try:
        text = file.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{file} cannot be read: {error.strerror}.", "Make it readable.") from None
    if not any(line.strip() and not line.lstrip().startswith(b"#") for line in text.splitlines()):
        return None
    if b"--hash" not in text:
        raise UsageProblem(
            f"{file} has no hashes: the zip would not be the same everywhere.",
            "Write it with `uv pip compile --generate-hashes` or `pip-compile --generate-hashes`.",
        )
    said = f"{platform.python} {platform.architecture} {platform.wheels}\0".encode()
    folder = cache / hashlib.sha256(said + text).hexdigest()[:32]
    if (folder / _DONE).is_file():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as made:
        target = Path(made) / "site"
        done = run(_command(file, target, platform, which("uv")))
        if done.returncode:
            if _WITHOUT_PIP in done.stderr:
                raise ToolFailed(
                    f"{file} cannot be installed for Lambda: neither uv nor pip is there.",
                    "Install uv, or pip into the environment that payinfra runs in.",
                )
            lines = [line for line in (done.stderr or done.stdout).strip().splitlines() if line.strip()]
            said_last = " ".join(lines[-6:])[-_MOST_SHOWN:]
            raise ToolFailed(
                f"{file} cannot be installed for Lambda (Python {platform.python}, {platform.architecture}): "
                f"{said_last}",
                "Each package needs a wheel for that platform and a hash; pin one that has both.",
            )
        target.mkdir(exist_ok=True)
        (target / _DONE).touch()
        if not folder.exists():
            target.rename(folder)
    return folder


def _command(file: Path, target: Path, platform: FunctionPlatform, uv: str | None) -> list[str]:
    """What installs the file's packages, and nothing that it does not name."""
    if uv is not None:
        return [
            *(uv, "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
            *("--python-version", platform.python, "--target", str(target), "--requirement", str(file)),
            *("--python-platform", f"{platform.machine}-{platform.wheels[0]}"),
        ]
    platforms = (f"{kind}_{platform.machine}" for kind in platform.wheels)
    return [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile"),
        *("--implementation", "cp", "--python-version", platform.python),
        *(word for one in platforms for word in ("--platform", one)),
        *("--target", str(target), "--requirement", str(file)),
    ]


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files that go into the zip, by their names there, without what an installer notes of itself."""
    for path in sorted(folder.rglob("*")):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        in_metadata = name.parts[0].endswith(".dist-info")
        skipped = "__pycache__" in name.parts or name.parts[0] == "bin" or name.name == _DONE
        if path.is_file() and not skipped and not (in_metadata and name.name in _INSTALLERS):
            yield str(name), path


def check_handler(package: Path) -> None:
    """Hold a function of one's own against what the stack expects of it, without running it.

    The API calls `payments.handler.handle`, and Route 53 asks `GET /health`: where that is not answered, no
    region ever counts as healthy.

    Raises:
        UsageProblem: there is no entry point, it takes other arguments, no module names the health page, or a
            module is no Python.
    """
    file = package / "handler.py"
    if not file.is_file():
        raise UsageProblem(
            f"{file} is not there: the function is called as {package.name}.handler.handle.",
            "Write it, with `def handle(event, context):`. docs/adopt.md says what it must answer.",
        )
    trees = {path: _parsed(path) for path in sorted(package.rglob("*.py"))}
    defined = [node for node in trees[file].body if _defines(node, "handle")]
    if not defined:
        raise UsageProblem(
            f"{file} defines no `handle`, which the function is called by.",
            "Write `def handle(event, context):`.",
        )
    for node in defined:
        if isinstance(node, ast.FunctionDef) and not _takes_two(node.args):
            raise UsageProblem(
                f"{file}:{node.lineno}: handle takes other arguments than an event and a context.",
                "Write `def handle(event, context):`.",
            )
    if not any("/health" in text for tree in trees.values() for text in _texts(tree)):
        raise UsageProblem(
            f"Nothing in {package} answers GET /health, so that no region would ever count as healthy.",
            'Answer it with 200 and a JSON object: {"status": "ok", "region": AWS_REGION, "version": …}.',
        )


def _texts(tree: ast.Module) -> Iterator[str]:
    """The texts that a module works with: not its docstrings, which answer nothing."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise UsageProblem(
            f"{file}:{error.lineno}: {error.msg}.", "Correct that line: Lambda could not import it."
        ) from None


def _defines(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.FunctionDef(name=found):
            return found == name
        case ast.Assign(targets=targets):
            return any(isinstance(one, ast.Name) and one.id == name for one in targets)
        case ast.ImportFrom(names=names) | ast.Import(names=names):
            return any((one.asname or one.name) == name for one in names)
        case _:
            return False


def _takes_two(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    needed = positional - len(arguments.defaults)
    required = [None for one in arguments.kw_defaults if one is None]
    return not required and needed <= 2 and (positional >= 2 or arguments.vararg is not None)

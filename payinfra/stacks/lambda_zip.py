"""The function's zip: the same bytes from the same input on any machine.

It holds the packages of the handlers' folder and, beside them, the pure Python packages that the payments
function imports, read from where they are installed: without network. What the folder's requirements.txt
names is installed for Lambda's platform first, and may be compiled.
"""

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from payinfra.core.errors import ToolFailed
from payinfra.core.private_files import replace_file
from payinfra.stacks.function_requirements import files_of

ZIP_LIMIT = 2 * 1024 * 1024
"""Bytes. Larger code starts slower."""
UPLOAD_LIMIT = 50 * 1024 * 1024
UNPACKED_LIMIT = 250 * 1024 * 1024
"""Bytes of a zip with packages of one's own, and of what is in it (Lambda developer guide, "Lambda
quotas")."""

HANDLER_PACKAGE = "payments"
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say, so that no build's time is in it."""
_PERMISSIONS = 0o100644
_COMPILED = frozenset((".so", ".pyd", ".dylib", ".dll"))
_NOT_NEEDED = frozenset((".pyc", ".pyi", ".typed"))


@dataclass(frozen=True)
class Library:
    """A distribution whose files go into the zip.

    Attributes:
        distribution: its name as pip knows it.
        without: folders and files of it that the function never imports.
    """

    distribution: str
    without: tuple[str, ...] = ()


LIBRARIES = (
    Library(
        "aws-lambda-powertools",
        without=(
            "aws_lambda_powertools/event_handler/openapi/swagger_ui",
            *(
                f"aws_lambda_powertools/utilities/{part}"
                for part in (
                    *("batch", "feature_flags", "idempotency", "kafka"),
                    *("parser", "streaming", "validation"),
                )
            ),
        ),
    ),
    Library("jmespath"),
    Library("typing_extensions"),
    Library("fastjsonschema"),
)


def handlers_folder() -> Path:
    """The folder of the functions' packages: beside payinfra in a checkout, inside it when installed."""
    here = Path(__file__).parent.parent
    installed = here / "_handlers"
    return installed if installed.is_dir() else here.parent / "handlers"


def build_zip(
    out: Path, handlers: Path, *, libraries: Iterable[Library] = LIBRARIES, requirements: Path | None = None
) -> str:
    """Write the zip to `out`, unless the same input was written there before.

    Args:
        out: the zip; a file beside it, with the suffix `.inputs`, remembers its digest and what it was
            made of.
        handlers: the folder that holds the package `payments`; all packages in it are taken.
        libraries: the installed distributions that go with it.
        requirements: the folder with the packages of the handlers' requirements.txt; None without one.

    Returns:
        The zip's SHA-256 in base64, as Lambda and Terraform's `source_code_hash` have it.

    Raises:
        ToolFailed: a file is missing or compiled, a library is not installed, or the zip is too large.
    """
    sources = sorted(_sources(handlers, libraries, requirements))
    memory = out.with_suffix(".inputs")
    fingerprint = _fingerprint(sources)
    content = _as_remembered(out, memory, fingerprint)
    if content is None:
        content = _zip(sources)
        limit = ZIP_LIMIT if requirements is None else UPLOAD_LIMIT
        if len(content) > limit:
            raise ToolFailed(
                f"The function's zip would have {len(content)} bytes; at most {limit} are allowed.",
                f"Look for large files below {handlers}."
                if requirements is None
                else "Take large packages out of requirements.txt, and give them as a layer.",
            )
        unpacked = sum(source.path.stat().st_size for source in sources)
        if unpacked > UNPACKED_LIMIT:
            raise ToolFailed(
                f"The function's code would have {unpacked} bytes unpacked; Lambda takes {UNPACKED_LIMIT}.",
                "Take large packages out of requirements.txt.",
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, content)
        replace_file(memory, f"{fingerprint} {hashlib.sha256(content).hexdigest()}")
    return base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")


def _as_remembered(out: Path, memory: Path, fingerprint: str) -> bytes | None:
    """The zip that is there, if it was made of the same input and is still whole; else None."""
    try:
        made_of, _, digest = memory.read_text(encoding="ascii").partition(" ")
        content = out.read_bytes()
    except (OSError, ValueError):
        return None
    whole = made_of == fingerprint and hashlib.sha256(content).hexdigest() == digest
    return content if whole else None


@dataclass(frozen=True, order=True)
class _Source:
    """A file, by its name in the zip."""

    name: str
    path: Path


def _sources(handlers: Path, libraries: Iterable[Library], requirements: Path | None) -> Iterator[_Source]:
    if not (handlers / HANDLER_PACKAGE / "__init__.py").is_file():
        raise ToolFailed(
            f"{handlers / HANDLER_PACKAGE} is no Python package.",
            "Give the folder that holds the function's code.",
        )
    own = {package.name for package in _packages(handlers)}
    for package in _packages(handlers):
        yield from _of_package(package, handlers)
    pinned = [
        _Source(name, path)
        for name, path in (() if requirements is None else files_of(requirements))
        if PurePosixPath(name).parts[0] not in own
    ]
    yield from pinned
    # What requirements.txt pins is taken in the place of what payinfra is installed with.
    taken = own | {PurePosixPath(source.name).parts[0] for source in pinned}
    for library in libraries:
        yield from (one for one in _installed(library) if PurePosixPath(one.name).parts[0] not in taken)


def _packages(handlers: Path) -> tuple[Path, ...]:
    """The Python packages of the folder. Tests stay at home."""
    found = (path.parent for path in handlers.glob("*/__init__.py"))
    return tuple(sorted(path for path in found if path.name != "tests"))


def _of_package(package: Path, handlers: Path) -> Iterator[_Source]:
    for path in sorted((package, *package.rglob("*"))):
        if path.is_symlink():
            raise ToolFailed(
                f"{path} is a symbolic link: what it leads to may lie outside the function's code.",
                "Put the file itself there, or remove the link.",
            )
        if path.is_file() and _belongs(PurePosixPath(path.relative_to(handlers).as_posix())):
            yield _Source(path.relative_to(handlers).as_posix(), path)


def _installed(library: Library) -> Iterator[_Source]:
    try:
        distribution = importlib.metadata.distribution(library.distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ToolFailed(
            f"{library.distribution} is not installed, but goes into the function's zip.",
            "Install payinfra again with its dependencies.",
        ) from None
    for file in distribution.files or ():
        name = file.as_posix()
        # Metadata names the installer, and scripts lie outside: neither is code that is imported.
        if name.startswith("..") or file.parts[0].endswith(".dist-info"):
            continue
        if not any(name == part or name.startswith(f"{part}/") for part in library.without) and _belongs(
            file
        ):
            yield _Source(name, Path(str(file.locate())))


def _belongs(name: PurePosixPath) -> bool:
    if name.suffix in _COMPILED:
        raise ToolFailed(f"{name} is compiled code; the zip holds pure Python only.", "Leave it out.")
    return "__pycache__" not in name.parts and name.suffix not in _NOT_NEEDED


def _fingerprint(sources: Iterable[_Source]) -> str:
    """What the files are, told without reading them: name, size and time of change."""
    found = hashlib.sha256()
    for source in sources:
        status = source.path.stat()
        found.update(f"{source.name}\0{source.path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _zip(sources: Iterable[_Source]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for source in sources:
            entry = zipfile.ZipInfo(source.name, date_time=_TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix on every machine, or the permissions would not count
            entry.external_attr = _PERMISSIONS << 16
            archive.writestr(entry, source.path.read_bytes())
    return buffer.getvalue()

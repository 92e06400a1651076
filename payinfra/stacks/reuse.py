"""The output of a synthesis, reused while nothing that it depends on has changed.

What a synthesis depends on is hashed by content: the settings, the endpoints of the embedded AWS, the
function's zip, every file of payinfra itself, the bindings as they are installed, the variables that cdktf,
jsii and Node read, and whatever files the caller adds. A record beside the output says what it was made of
and what it was; where either differs, or the record is damaged, there is nothing to reuse.
"""

import hashlib
import importlib.metadata
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from payinfra.core.json_text import parse_json
from payinfra.core.private_files import replace_file
from payinfra.stacks.lambda_zip import handlers_folder

if TYPE_CHECKING:
    from payinfra.clients.aws import Endpoints
    from payinfra.core.settings import Settings

logger = logging.getLogger(__name__)

BINDINGS = ("cdktf", "cdktf-cdktf-provider-aws", "constructs", "jsii")
"""The distributions that build and write the stack."""

VARIABLES = ("CDKTF_", "JSII_", "SYNTH_HCL_OUTPUT", "TERRAFORM_BINARY_NAME", "NODE_")
"""Beginnings of the variables that cdktf 0.21, jsii 1.142 and Node read (`process.env` in their sources)."""

_PACKAGE = Path(__file__).parent.parent


def installed(name: str) -> str:
    """A distribution as it is installed: its version, its folder, and the hashes of its files.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    found = importlib.metadata.distribution(name)
    return f"{found.version}\n{found.locate_file('')}\n{found.read_text('RECORD')}"


def fingerprint(
    settings: "Settings",
    *,
    endpoints: "Endpoints | None",
    code_sha256: str,
    files: Iterable[Path] = (),
    package: Path = _PACKAGE,
    handlers: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    distribution: Callable[[str], str] = installed,
) -> str:
    """What a synthesis depends on, as one SHA-256 in hexadecimal digits.

    Args:
        settings: all of them count, also the few that no resource is made of.
        endpoints: where the embedded AWS answers; its access key is in no output.
        code_sha256: of the function's zip.
        files: what else the stack is made of, such as a user's own modules; a folder counts with all that is
            in it.
        package: payinfra's own code.
        handlers: the functions that payinfra comes with, whose schemas are the API's; None for where it is.
        environ: the environment's variables, of which those of cdktf, jsii and Node count.
        distribution: describes a distribution by its name.

    Raises:
        OSError: one of the files cannot be read.
    """
    found = hashlib.sha256()

    def add(name: str, value: bytes) -> None:
        # With its length before it, no value can look like the beginning of the next.
        for part in (name.encode(), value):
            found.update(f"{len(part)}:".encode())
            found.update(part)

    add("settings", settings.model_dump_json().encode())
    add("work folder", os.fsencode(settings.work_dir.absolute()))
    if endpoints is not None:
        known = [list(endpoints.regions.items()), endpoints.global_url, endpoints.dns]
        add("endpoints", json.dumps(known).encode())
    add("code", code_sha256.encode())
    add("Python", sys.version.encode())
    for name in sorted(environ):
        if name.startswith(VARIABLES):
            add(f"variable {name}", os.fsencode(environ[name]))
    for name in BINDINGS:
        add(f"distribution {name}", distribution(name).encode())
    for folder in (package, handlers or handlers_folder()):
        for path in _files_below(folder):
            add(f"payinfra {path.relative_to(folder)}", path.read_bytes())
    for given in files:
        for path in _files_below(given) if given.is_dir() else (given,):
            add(f"file {path.absolute()}", path.read_bytes())
    return found.hexdigest()


def _files_below(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if not entry.is_dir():
                yield Path(entry.path)
            elif entry.name != "__pycache__":
                yield from _files_below(Path(entry.path))


def reusable(record: Path, made_of: str, out: Path) -> bool:
    """Whether `out` still holds, whole and unchanged, what was synthesized of just this.

    Args:
        record: what `remember` wrote.
        made_of: the fingerprint of what a synthesis would be made of now.
        out: the folder of the output.
    """
    try:
        checksum, _, text = record.read_bytes().partition(b"\n")
        if checksum.decode("ascii") != hashlib.sha256(text).hexdigest():
            return False
        remembered = parse_json(text)
        if remembered["made_of"] != made_of:
            return False
        kept: dict[str, str] = remembered["files"]
        whole = all(_digest(out / name) == digest for name, digest in kept.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if whole:
        logger.info("Nothing that the stack depends on has changed: its last synthesis in %s is used.", out)
    return whole


def remember(record: Path, made_of: str, out: Path) -> None:
    """Write down that `out` was synthesized of this.

    Raises:
        OSError: the output cannot be read, or the record cannot be written.
    """
    files = {str(path.relative_to(out)): _digest(path) for path in _files_below(out) if _synthesized(path)}
    text = json.dumps({"made_of": made_of, "files": files}, indent=1).encode()
    replace_file(record, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def _synthesized(path: Path) -> bool:
    """Whether a file of the output is the synthesis's: Terraform hides its own, and the zip has a record."""
    return not path.name.startswith(".") and path.suffix != ".inputs"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

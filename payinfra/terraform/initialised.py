"""Remembers that a folder was initialised, so that a run that changes nothing need not do it again.

`terraform init` costs a second even when nothing is to be done, for it hashes the provider. What it depends
on is put in a fingerprint; Terraform itself still checks the provider against the lock at every plan.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from payinfra.core.private_files import replace_file
from payinfra.terraform.binary import Binary
from payinfra.terraform.jsonvalue import JsonValue, at, parse
from payinfra.terraform.lockfile import PLACED
from payinfra.terraform.mirror import CONFIG_VARIABLE

STAMP = "initialised"
LOCAL = "local"
BACKEND = "terraform.tfstate"  # in TF_DATA_DIR: not the state, but where it is kept


def fingerprint(folder: Path, binary: Binary, environment: Mapping[str, str]) -> str | None:
    """What `init` depends on, as one hash; None where that cannot be told."""
    if any(folder.glob("*.tf")):
        return None  # in Terraform's own language, which is not read here
    wanted: list[JsonValue] = [binary.kind.value, str(binary.version)]
    for file in sorted(folder.glob("*.tf.json")):
        try:
            content = parse(file.read_bytes())
        except ValueError:
            return None
        if at(content, "module") is not None:
            return None  # modules may come from anywhere
        wanted.append(at(content, "terraform"))
    lock, config = folder / PLACED, Path(environment.get(CONFIG_VARIABLE, "/dev/null"))
    wanted += [lock.read_text() if lock.exists() else "", config.read_text()]
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def is_current(data_dir: Path, mark: str | None) -> bool:
    """Whether the last `init` was for the same fingerprint and all that it made is still there."""
    stamp = data_dir / STAMP
    if mark is None or not stamp.exists() or _is_damaged(data_dir / BACKEND):
        return False
    return stamp.read_text() == _stamp(data_dir, mark)


def forget_stale_note(data_dir: Path, folder: Path) -> None:
    """Remove Terraform's note of where the state is kept, where `init` would stumble over it without need.

    That is one that is damaged, and one that leads to a file where the stack's state is in a file, too: which
    file, the work folder says, and not the note. A project that was moved or copied has an old place in it.
    """
    note = data_dir / BACKEND
    if _is_damaged(note) or (_kind_of(_read(note)) == LOCAL == _kind_of(_stack(folder))):
        note.unlink(missing_ok=True)


def remember(data_dir: Path, mark: str | None) -> None:
    """Note that `init` has ended well."""
    if mark is not None:
        replace_file(data_dir / STAMP, _stamp(data_dir, mark))


def _read(file: Path) -> JsonValue:
    """A file's content; None where there is none or it is damaged."""
    try:
        return parse(file.read_bytes())
    except (OSError, ValueError):
        return None


def _is_damaged(note: Path) -> bool:
    return note.exists() and _read(note) is None


def _kind_of(backend: JsonValue) -> str:
    """The kind of backend that a note or a stack names: both have it below `backend`."""
    match at(backend, "backend"):
        case {"type": str(kind)}:
            return kind
        case {"local": _}:
            return LOCAL
        case _:
            return ""


def _stack(folder: Path) -> JsonValue:
    """The settings for Terraform in a synthesized stack."""
    found = [at(_read(file), "terraform") for file in sorted(folder.glob("*.tf.json"))]
    return next((one for one in found if at(one, "backend") is not None), None)


def local_state(folder: Path) -> Path | None:
    """The file that holds the state of a stack's folder; None where the state is elsewhere."""
    path = at(_stack(folder), "backend", LOCAL, "path")
    return folder / path if isinstance(path, str) else None


def forget(data_dir: Path) -> None:
    """Let the next `init` run in any case."""
    (data_dir / STAMP).unlink(missing_ok=True)


def _stamp(data_dir: Path, mark: str) -> str:
    """The fingerprint with what there is: Terraform's note of the backend, and each provider that has a file.

    A provider is HOST/NAMESPACE/TYPE/VERSION/PLATFORM, a link into the cache or the mirror that may dangle.
    """
    packages = (folder for folder in data_dir.glob("providers/*/*/*/*/*") if any(folder.glob("*")))
    made = [data_dir / BACKEND, *packages]
    return "\n".join([mark, *sorted(str(path.relative_to(data_dir)) for path in made if path.exists())])

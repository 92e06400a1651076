"""The zip is the same bytes from the same input, holds what the function imports, and nothing else."""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from payinfra.core.errors import ToolFailed
from payinfra.stacks.lambda_zip import LIBRARIES, ZIP_LIMIT, Library, build_zip, handlers_folder

NO_LIBRARIES: tuple[Library, ...] = ()


@pytest.fixture
def handlers(tmp_path: Path) -> Path:
    package = tmp_path / "handlers" / "payments"
    (package / "schemas").mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "handler.py").write_text("def handle(): ...\n", encoding="utf-8")
    (package / "schemas" / "payment.json").write_text("{}", encoding="utf-8")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "handler.cpython-311.pyc").write_bytes(b"\0")
    return package.parent


def names(zip_file: Path) -> list[str]:
    with zipfile.ZipFile(zip_file) as archive:
        return archive.namelist()


def test_it_holds_the_package_sorted_and_without_caches(handlers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "payments.zip"
    build_zip(out, handlers, libraries=NO_LIBRARIES)
    assert names(out) == ["payments/__init__.py", "payments/handler.py", "payments/schemas/payment.json"]


def test_its_hash_is_that_of_its_bytes(handlers: Path, tmp_path: Path) -> None:
    out = tmp_path / "payments.zip"
    told = build_zip(out, handlers, libraries=NO_LIBRARIES)
    assert base64.b64decode(told) == hashlib.sha256(out.read_bytes()).digest()


def test_same_input_same_bytes_whenever_and_with_whatever_permissions(handlers: Path, tmp_path: Path) -> None:
    first = build_zip(tmp_path / "a.zip", handlers, libraries=NO_LIBRARIES)
    handler = handlers / "payments" / "handler.py"
    os.utime(handler, (1, 1))
    handler.chmod(0o755)
    assert build_zip(tmp_path / "b.zip", handlers, libraries=NO_LIBRARIES) == first
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
        assert {entry.create_system for entry in archive.infolist()} == {3}


def test_an_unchanged_input_is_not_packed_again(handlers: Path, tmp_path: Path) -> None:
    out = tmp_path / "payments.zip"
    first = build_zip(out, handlers, libraries=NO_LIBRARIES)
    written = out.stat().st_ino
    assert build_zip(out, handlers, libraries=NO_LIBRARIES) == first
    assert out.stat().st_ino == written


def test_a_change_is_packed(handlers: Path, tmp_path: Path) -> None:
    out = tmp_path / "payments.zip"
    first = build_zip(out, handlers, libraries=NO_LIBRARIES)
    (handlers / "payments" / "handler.py").write_text("def handle(): return 1\n", encoding="utf-8")
    assert build_zip(out, handlers, libraries=NO_LIBRARIES) != first


def test_a_zip_that_was_removed_is_made_again(handlers: Path, tmp_path: Path) -> None:
    out = tmp_path / "payments.zip"
    first = build_zip(out, handlers, libraries=NO_LIBRARIES)
    out.unlink()
    assert build_zip(out, handlers, libraries=NO_LIBRARIES) == first


@pytest.mark.parametrize("harm", [lambda whole: whole[:100], lambda whole: whole[:-1] + b"x", lambda _: b""])
def test_a_zip_that_was_damaged_is_made_again(
    handlers: Path, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "out.zip"
    first, whole = build_zip(out, handlers, libraries=()), out.read_bytes()
    out.write_bytes(harm(whole))
    assert build_zip(out, handlers, libraries=()) == first
    assert out.read_bytes() == whole


def test_a_memory_of_an_earlier_version_is_no_proof(handlers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zip"
    first = build_zip(out, handlers, libraries=())
    memory = out.with_suffix(".inputs")
    memory.write_text(memory.read_text().split()[0])
    out.write_bytes(b"PK")
    assert build_zip(out, handlers, libraries=()) == first


@pytest.mark.parametrize("place", ["payments/link.py", "payments/folder", "payments"])
def test_a_symbolic_link_is_not_followed_into_the_zip(handlers: Path, tmp_path: Path, place: str) -> None:
    secrets = tmp_path / "secrets"
    (secrets / "deep").mkdir(parents=True)
    for name in ("__init__.py", "key.pem"):
        (secrets / name).write_text("secret")
    link = handlers / place
    if link.is_dir():
        link.rename(handlers / "moved")
    link.symlink_to(secrets / "key.pem" if place.endswith(".py") else secrets)
    with pytest.raises(ToolFailed, match="is a symbolic link"):
        build_zip(tmp_path / "out.zip", handlers, libraries=())
    assert not (tmp_path / "out.zip").exists()


def test_nothing_partial_is_left_behind(handlers: Path, tmp_path: Path) -> None:
    build_zip(tmp_path / "out" / "payments.zip", handlers, libraries=NO_LIBRARIES)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["payments.inputs", "payments.zip"]


def test_a_folder_without_the_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="is no Python package"):
        build_zip(tmp_path / "payments.zip", tmp_path, libraries=NO_LIBRARIES)


def test_compiled_code_is_refused(handlers: Path, tmp_path: Path) -> None:
    (handlers / "payments" / "fast.so").write_bytes(b"\x7fELF")
    with pytest.raises(ToolFailed, match=r"payments/fast\.so is compiled code"):
        build_zip(tmp_path / "payments.zip", handlers, libraries=NO_LIBRARIES)


def test_a_library_that_is_not_installed_is_named(handlers: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="no-such-library is not installed"):
        build_zip(tmp_path / "payments.zip", handlers, libraries=[Library("no-such-library")])


def test_too_large_a_zip_is_refused(handlers: Path, tmp_path: Path) -> None:
    (handlers / "payments" / "noise.bin").write_bytes(os.urandom(ZIP_LIMIT))
    with pytest.raises(ToolFailed, match=f"at most {ZIP_LIMIT} are allowed"):
        build_zip(tmp_path / "payments.zip", handlers, libraries=NO_LIBRARIES)
    assert not (tmp_path / "payments.zip").exists()


def test_a_library_comes_without_metadata_scripts_and_what_is_left_out(
    handlers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "payments.zip"
    build_zip(out, handlers, libraries=[Library("jmespath", without=("jmespath/functions.py",))])
    found = [name for name in names(out) if not name.startswith("payments/")]
    assert "jmespath/parser.py" in found
    assert "jmespath/functions.py" not in found
    assert all(name.startswith("jmespath/") for name in found)


def test_the_real_zip_is_small_and_pure(tmp_path: Path) -> None:
    out = tmp_path / "payments.zip"
    build_zip(out, handlers_folder())
    assert out.stat().st_size < ZIP_LIMIT
    tops = {name.split("/")[0] for name in names(out)}
    assert tops == {
        "aws_lambda_powertools",
        "fastjsonschema",
        "jmespath",
        "payments",
        "typing_extensions.py",
    }
    assert {Path(name).suffix for name in names(out)} == {".py", ".json"}
    for library in LIBRARIES:
        for part in library.without:
            assert not [name for name in names(out) if name.startswith(f"{part}/")]


def test_the_real_zip_is_imported_from_itself(tmp_path: Path) -> None:
    out = tmp_path / "payments.zip"
    build_zip(out, handlers_folder())
    # Only the zip and what a Lambda runtime has, boto3: the site-packages that tests run with stay out.
    code = (
        "import sys, importlib.util as u\n"
        "class Runtime:\n"
        "    names = ('boto3', 'botocore', 's3transfer', 'dateutil', 'six', 'urllib3', 'jmespath')\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        if name.split('.')[0] not in cls.names[:-1] or path is not None: return None\n"
        f"        from importlib.machinery import PathFinder\n"
        f"        return PathFinder.find_spec(name, [p for p in {[p for p in sys.path if p]!r}])\n"
        "sys.meta_path.append(Runtime)\n"
        f"sys.path.insert(0, {str(out)!r})\n"
        "from payments import handler\n"
        "assert callable(handler.handle)\n"
        "import aws_lambda_powertools, fastjsonschema\n"
        f"for module in (handler, aws_lambda_powertools, fastjsonschema):\n"
        f"    assert module.__file__.startswith({str(out)!r}), module.__file__\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_an_installed_payinfra_brings_its_own_handlers() -> None:
    assert (handlers_folder() / "payments" / "handler.py").is_file()

"""A function's own packages, by the real installers: for Lambda's platform, and the same zip each time."""

import base64
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from payinfra.core.errors import ToolFailed
from payinfra.stacks.function_requirements import FunctionPlatform, installed
from payinfra.stacks.lambda_zip import build_zip

Which = Callable[[str], str | None]
INSTALLERS: dict[str, Which] = {
    "pip": lambda _name: None,
    **({"uv": shutil.which} if shutil.which("uv") else {}),
}
X86, ARM = FunctionPlatform("3.12", "x86_64"), FunctionPlatform("3.12", "arm64")


def wheel(folder: Path, machine: str) -> str:
    """Write a compiled package for a machine into a folder; its hash."""
    folder.mkdir(exist_ok=True)
    file = folder / f"acme_risk-1.0-cp312-cp312-manylinux_2_28_{machine}.whl"
    content = {
        "acme_risk/__init__.py": b"from .core import score\n",
        "acme_risk/core.so": machine.encode(),
        "acme_risk-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: acme-risk\nVersion: 1.0\n",
        "acme_risk-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n"
            f"Tag: cp312-cp312-manylinux_2_28_{machine}\n"
        ).encode(),
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}\n"
        for name, data in content.items()
    )
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        archive.writestr("acme_risk-1.0.dist-info/RECORD", f"{record}acme_risk-1.0.dist-info/RECORD,,\n")
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture
def handlers(tmp_path: Path) -> Path:
    folder = tmp_path / "handlers"
    (folder / "payments").mkdir(parents=True)
    (folder / "payments" / "__init__.py").touch()
    hashes = [wheel(tmp_path / "wheels", machine) for machine in ("x86_64", "aarch64")]
    lines = " ".join(f"--hash=sha256:{each}" for each in hashes)
    (folder / "requirements.txt").write_text(f"acme-risk==1.0 {lines}\n")
    return folder


def from_folder(wheels: Path) -> Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]:
    """Runs an installer whose own configuration names a folder of wheels and no index."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    configured = {
        **{f"{tool}_FIND_LINKS": str(wheels) for tool in ("PIP", "UV")},
        **{f"{tool}_NO_INDEX": "1" for tool in ("PIP", "UV")},
        "PIP_CONFIG_FILE": os.devnull,
        "UV_CACHE_DIR": str(wheels.parent / "uv-cache"),
        "UV_NO_CONFIG": "1",
    }
    return lambda command: subprocess.run(
        command, capture_output=True, text=True, check=False, env=mine | configured
    )


@pytest.mark.parametrize("which", INSTALLERS.values(), ids=INSTALLERS.keys())
def test_compiled_packages_are_those_of_lambdas_machine_and_the_zip_is_the_same(
    handlers: Path, tmp_path: Path, which: Which
) -> None:
    run = from_folder(tmp_path / "wheels")
    digests: dict[FunctionPlatform, set[str]] = {X86: set(), ARM: set()}
    for platform, compiled in ((X86, b"x86_64"), (ARM, b"aarch64")):
        for number in range(2):
            cache, out = tmp_path / f"cache{number}", tmp_path / f"{platform.machine}{number}.zip"
            folder = installed(handlers, cache, platform, run=run, which=which)
            digests[platform].add(build_zip(out, handlers, libraries=(), requirements=folder))
            with zipfile.ZipFile(out) as archive:
                assert archive.read("acme_risk/core.so") == compiled
                assert "payments/__init__.py" in archive.namelist()
                assert "acme_risk-1.0.dist-info/RECORD" not in archive.namelist()
    assert [len(each) for each in digests.values()] == [1, 1]
    assert digests[X86] != digests[ARM]


@pytest.mark.parametrize("which", INSTALLERS.values(), ids=INSTALLERS.keys())
def test_another_content_than_the_hashes_say_is_refused(handlers: Path, tmp_path: Path, which: Which) -> None:
    file = handlers / "requirements.txt"
    file.write_text(f"acme-risk==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ToolFailed, match=r"(?i)hash"):
        installed(handlers, tmp_path / "cache", X86, run=from_folder(tmp_path / "wheels"), which=which)
    file.write_text(f"acme-risk==1.0 --hash=sha256:{wheel(tmp_path / 'wheels', 'x86_64')}\n")
    (tmp_path / "wheels" / "acme_risk-1.0-cp312-cp312-manylinux_2_28_x86_64.whl").unlink()
    with pytest.raises(ToolFailed, match=r"cannot be installed for Lambda \(Python 3\.12, x86_64\)"):
        installed(handlers, tmp_path / "cache", X86, run=from_folder(tmp_path / "wheels"), which=which)

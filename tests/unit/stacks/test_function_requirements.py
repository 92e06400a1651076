"""A function of one's own: what it must have, and the packages that go with it."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from payinfra.core.errors import ToolFailed, UsageProblem
from payinfra.core.settings import Settings
from payinfra.stacks import lambda_zip
from payinfra.stacks.function_requirements import (
    FunctionPlatform,
    check_handler,
    files_of,
    installed,
)
from payinfra.stacks.lambda_zip import Library, build_zip, handlers_folder

HASHED = "six==1.17.0 --hash=sha256:0\n"
X86 = FunctionPlatform()


class Installer:
    """Puts a package where an installer would, and remembers how it was called."""

    def __init__(self, problem: str = "") -> None:
        self.problem, self.calls = problem, list[Sequence[str]]()

    def __call__(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        self.calls.append(command)
        if self.problem:
            return subprocess.CompletedProcess(list(command), 1, "", self.problem)
        target = Path(command[list(command).index("--target") + 1])
        for name, content in {
            "fast/__init__.py": "",
            "fast/core.so": "compiled",
            "fast/__pycache__/x.pyc": "x",
            "fast-1.dist-info/METADATA": "Name: fast",
            "fast-1.dist-info/RECORD": "of this machine",
            "bin/fast": "#!/usr/bin/python",
        }.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(content)
        return subprocess.CompletedProcess(list(command), 0, "", "")


@pytest.fixture
def handlers(tmp_path: Path) -> Path:
    folder = tmp_path / "handlers"
    (folder / "payments").mkdir(parents=True)
    (folder / "payments" / "__init__.py").touch()
    (folder / "payments" / "handler.py").write_text(
        'ROUTES = ["/payments", "/health"]\ndef handle(event, context): ...\n'
    )
    return folder


def test_without_requirements_nothing_is_installed(handlers: Path, tmp_path: Path) -> None:
    run = Installer()
    assert installed(handlers, tmp_path / "cache", X86, run=run) is None
    (handlers / "requirements.txt").write_text("# none yet\n\n")
    assert installed(handlers, tmp_path / "cache", X86, run=run) is None
    assert run.calls == []


def test_they_are_installed_once_for_the_platform(handlers: Path, tmp_path: Path) -> None:
    (handlers / "requirements.txt").write_text(HASHED)
    run = Installer()
    folder = installed(handlers, tmp_path / "cache", X86, run=run, which=lambda _name: "/bin/uv")
    assert folder == installed(handlers, tmp_path / "cache", X86, run=run)
    (command,) = run.calls
    assert command[:3] == ["/bin/uv", "pip", "install"]
    assert {"--require-hashes", "--no-deps", "x86_64-manylinux_2_17", "3.11"} <= set(command)
    arm = installed(
        handlers, tmp_path / "cache", FunctionPlatform("3.12", "arm64"), run=run, which=lambda _: None
    )
    assert arm != folder
    assert run.calls[1][:4] == [sys.executable, "-m", "pip", "install"]
    assert {"--require-hashes", "manylinux2014_aarch64", "3.12"} <= set(run.calls[1])


def test_wheels_are_no_newer_than_the_runtimes_glibc(handlers: Path, tmp_path: Path) -> None:
    (handlers / "requirements.txt").write_text(HASHED)
    run = Installer()
    new = FunctionPlatform("3.12", "arm64")
    for which in (lambda _name: "/bin/uv", lambda _name: None):
        for platform in (X86, new):
            cache = tmp_path / f"{len(run.calls)}"
            installed(handlers, cache, platform, run=run, which=which)
    said = [{word for word in command if "manylinux" in word} for command in run.calls]
    assert said == [
        {"x86_64-manylinux_2_17"},
        {"aarch64-manylinux_2_28"},
        {"manylinux_2_17_x86_64", "manylinux2014_x86_64"},
        {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"},
    ]


@pytest.mark.parametrize(
    ("given", "python", "machine"),
    [
        ({}, "3.11", "x86_64"),
        ({"lambda_runtime": "python3.13"}, "3.13", "x86_64"),
        ({"lambda_runtime": "python3.12", "lambda_architecture": "arm64"}, "3.12", "aarch64"),
    ],
)
def test_the_platform_is_the_settings(given: dict[str, object], python: str, machine: str) -> None:
    platform = FunctionPlatform.of(Settings.resolve({"env": "pr7", **given}, environ={}))
    assert (platform.python, platform.machine) == (python, machine)


def test_what_cannot_be_installed_is_said_and_not_kept(handlers: Path, tmp_path: Path) -> None:
    (handlers / "requirements.txt").write_text(HASHED)
    run = Installer("a\nERROR: no wheel for fast")
    for _ in range(2):
        with pytest.raises(ToolFailed, match="no wheel for fast"):
            installed(handlers, tmp_path / "cache", X86, run=run)
    assert len(run.calls) == 2
    assert not list((tmp_path / "cache").iterdir())


def test_without_an_installer_it_says_what_to_install(handlers: Path, tmp_path: Path) -> None:
    (handlers / "requirements.txt").write_text(HASHED)
    run = Installer("/opt/payinfra/bin/python: No module named pip")
    with pytest.raises(ToolFailed, match="neither uv nor pip is there") as caught:
        installed(handlers, tmp_path / "cache", X86, run=run, which=lambda _name: None)
    assert "Install uv" in caught.value.hint


def test_without_hashes_they_are_refused(handlers: Path, tmp_path: Path) -> None:
    (handlers / "requirements.txt").write_text("six==1.17.0\n")
    with pytest.raises(UsageProblem, match="has no hashes") as caught:
        installed(handlers, tmp_path / "cache", X86, run=Installer())
    assert "--generate-hashes" in caught.value.hint


def test_the_zip_has_all_packages_and_what_is_pinned(handlers: Path, tmp_path: Path) -> None:
    (handlers / "acme").mkdir()
    (handlers / "acme" / "__init__.py").write_text("RISK = 1\n")
    for name in ("tests", "notes"):
        (handlers / name).mkdir()
    (handlers / "tests" / "__init__.py").touch()
    (handlers / "requirements.txt").write_text(HASHED)
    folder = installed(handlers, tmp_path / "cache", X86, run=Installer())
    assert folder is not None
    hashes = {build_zip(tmp_path / f"{n}.zip", handlers, libraries=(), requirements=folder) for n in "ab"}
    assert len(hashes) == 1
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == [
            "acme/__init__.py",
            "fast-1.dist-info/METADATA",
            "fast/__init__.py",
            "fast/core.so",
            "payments/__init__.py",
            "payments/handler.py",
        ]


def test_what_is_pinned_takes_the_place_of_what_payinfra_brings(handlers: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "jmespath").mkdir(parents=True)
    (folder / "jmespath" / "__init__.py").write_text("PINNED = 1\n")
    build_zip(tmp_path / "a.zip", handlers, libraries=(Library("jmespath"),), requirements=folder)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert [name for name in archive.namelist() if "jmespath" in name] == ["jmespath/__init__.py"]


@pytest.mark.parametrize("limit", ["UPLOAD_LIMIT", "UNPACKED_LIMIT"])
def test_lambdas_limits_hold(
    handlers: Path, tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "large.bin").write_bytes(hashlib.sha512(b"x").digest() * 100)
    monkeypatch.setattr(lambda_zip, limit, 300)
    with pytest.raises(ToolFailed, match="300"):
        build_zip(tmp_path / "a.zip", handlers, libraries=(), requirements=folder)


def test_the_shipped_function_meets_its_own_contract() -> None:
    check_handler(handlers_folder() / "payments")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "handler.py is not there: the function is called as payments.handler.handle"),
        ("def handel(event, context): ...\n", "defines no `handle`"),
        ("def handle(event): ...\n", "handler.py:1: handle takes other arguments"),
        ("def handle(a, b, c): ...\n", "takes other arguments"),
        ("def handle(a, b, *, c): ...\n", "takes other arguments"),
        ("def handle(event, context): ...\n", "answers GET /health"),
        ('def handle(event, context):\n    """Answers /health."""\n', "answers GET /health"),
        ("def handle(:\n", "handler.py:1: invalid syntax"),
    ],
)
def test_a_function_that_lacks_something_is_refused(handlers: Path, text: str | None, said: str) -> None:
    file = handlers / "payments" / "handler.py"
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(UsageProblem) as caught:
        check_handler(handlers / "payments")
    assert said in caught.value.what
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "from payments.app import handle\n",
        "import payments.app as handle\n",
        "handle = lambda event, context: None\n",
        "def handle(event, context=None, *more): ...\n",
        "def handle(*both): ...\n",
    ],
)
def test_an_entry_point_may_be_made_in_many_ways(handlers: Path, text: str) -> None:
    (handlers / "payments" / "handler.py").write_text(f"PATH = '/health'\n{text}")
    check_handler(handlers / "payments")


HERE, THERE = (f"arn:aws:lambda:{region}:123456789012:layer:tools:3" for region in ("us-east-1", "us-west-2"))


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((HERE,), "needs an ARN in both regions"),
        ((HERE, THERE.replace(":3", ":4")), "with the same version"),
        ((HERE, THERE, HERE.replace("us-east-1", "eu-west-1")), "is in neither region"),
        (
            tuple(one.replace("tools", f"t{n}") for n in range(6) for one in (HERE, THERE)),
            "6 a region are too many",
        ),
        (("tools",), "use ARNs of layers' versions"),
    ],
)
def test_layers_are_the_same_in_both_regions(tmp_path: Path, layers: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        Settings.resolve({"env": "shop", "lambda_layers": layers}, folder=tmp_path, environ={})


def test_each_region_takes_its_own_layers(tmp_path: Path) -> None:
    flags = {"env": "shop", "lambda_layers": (HERE, THERE)}
    settings = Settings.resolve(flags, folder=tmp_path, environ={})
    assert [settings.layers_in(region) for region in settings.regions] == [(HERE,), (THERE,)]
    with pytest.raises(UsageProblem, match="embedded AWS has no layers"):
        Settings.resolve({**flags, "target": "local"}, folder=tmp_path, environ={})


def test_files_of_a_folder_skip_what_an_installer_notes(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path, ignore_errors=True)
    Installer()(["--target", str(tmp_path)])
    assert [name for name, _ in files_of(tmp_path)] == [
        "fast/__init__.py",
        "fast/core.so",
        "fast-1.dist-info/METADATA",
    ]

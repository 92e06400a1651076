"""What the server does again and again goes on after a failure, which is in the log."""

import asyncio

import pytest

from payinfra.local.server.background import again_and_again, attempted
from payinfra.local.server.time_scale import TimeScale


class Work:
    """Something that fails the first time."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1
        if self.times == 1:
            raise RuntimeError("dictionary changed size during iteration")


async def _until_twice(repeating: "asyncio.Task[None]", work: Work) -> None:
    while work.times < 2:
        done, _ = await asyncio.wait({repeating}, timeout=0.01)
        assert not done, repeating.exception()
    repeating.cancel()


def test_a_failure_ends_nothing_that_is_done_in_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    async def run(work: Work) -> None:
        await _until_twice(asyncio.create_task(again_and_again(0.0, work)), work)

    asyncio.run(run(Work()))
    assert "RuntimeError: dictionary changed size during iteration" in capsys.readouterr().err


def test_a_failure_ends_nothing_that_is_done_in_emulated_time(capsys: pytest.CaptureFixture[str]) -> None:
    async def run(work: Work) -> None:
        await _until_twice(asyncio.create_task(TimeScale().every(0.0, work)), work)

    asyncio.run(run(Work()))
    assert "RuntimeError: dictionary changed size during iteration" in capsys.readouterr().err


def test_what_succeeds_says_so_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    work = Work()
    assert [attempted(work), attempted(work)] == [False, True]
    assert capsys.readouterr().err.count("Traceback") == 1

"""What all tests need."""

import gc
import os
import signal
from collections.abc import Generator

import pytest


def pytest_configure() -> None:
    """Hear an interrupt, also where a shell runs the tests in the background and has them ignore it.

    Tests press Ctrl-C, on themselves and on processes that inherit what is ignored. Their clients ask no
    metadata service of EC2 for credentials: where there is none, that takes seconds.
    """
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what collection makes from the garbage collector.

    Modules, tests and their parameters are more than a million objects, which stay to the end. Going through
    all of them again and again took more than a quarter of the time of the unit and synth tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()

"""What all tests need."""

import os
import signal


def pytest_configure() -> None:
    """Hear an interrupt, also where a shell runs the tests in the background and has them ignore it.

    Tests press Ctrl-C, on themselves and on processes that inherit what is ignored. Their clients ask no
    metadata service of EC2 for credentials: where there is none, that takes seconds.
    """
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""A real browser without a window and without a network."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # As the owner of a domain can have its names resolved to whatever machine a browser runs on.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
    # Not every browser keeps pages of the internet away from this machine.
    "--disable-features=LocalNetworkAccessChecks",
)
NONE = """\
No browser was found, and the drill's page is tested in a real one.
Install one and run the tests again:
    Debian:            apt-get install -y chromium
    elsewhere:         .venv/bin/playwright install chromium
or name the program of a Chromium that is there: PAYINFRA_TEST_BROWSER=/path/to/chromium"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a profile of its own, new and empty. Who has none is told how to get one.

    Not longer than a file: as long as Playwright works, its thread has a running event loop, and nobody else
    may run one there.
    """
    named = os.environ.get("PAYINFRA_TEST_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        started = _started(playwright, named)
        if isinstance(started, Error):
            pytest.fail(f"{NONE}\n\n{started.message}", pytrace=False)
        yield started
        started.close()


def _started(playwright: Playwright, named: str | None) -> Browser | Error:
    """The browser; without a program's name the one that Playwright may have installed."""
    try:
        return playwright.chromium.launch(executable_path=named, headless=True, args=list(FLAGS))
    except Error as error:
        return error

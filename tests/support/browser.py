"""Chromium for the tests: the machine's, or the one that Playwright installed. As a program: whether there is one."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--disable-quic", "--no-first-run", "--disable-component-update", "--disable-sync")


def executable(playwright: Playwright) -> str | None:
    """The browser's path; None when there is none."""
    own = playwright.chromium.executable_path
    return next((path for name in _NAMES if (path := shutil.which(name))), own if Path(own).exists() else None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A headless browser, gone afterwards."""
    with sync_playwright() as playwright:
        # Chromium has no sandbox for root.
        sandboxed = os.geteuid() != 0
        browser = playwright.chromium.launch(
            executable_path=executable(playwright), args=FLAGS, chromium_sandbox=sandboxed
        )
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    with sync_playwright() as found:
        sys.exit(executable(found) is None)

"""The system's Chromium, driven by Playwright. Nothing is downloaded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 20_000  # milliseconds, on a machine that has much else to do

expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser. In CI it must be installed; elsewhere the tests are skipped without it."""
    command = next(filter(None, map(shutil.which, NAMES)), None)
    if command is None:
        reason = "needs chromium, such as Debian's package of that name"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # Root has no sandbox. The pages are our own.
        browser = playwright.chromium.launch(executable_path=command, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()

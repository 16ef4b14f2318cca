"""Make the screenshots of the inspector in `docs/img`: `python docs/screenshots.py`.

It needs the extra `test` and Chromium. The page takes the fonts of the machine: these pictures were made with Debian's
`fonts-inter` and `fonts-jetbrains-mono`. Make them while the machine has nothing else to do, for fair times.
"""

import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

FOLDER: Final = Path(__file__).parent / "img"
WIDTH: Final = 1280
EXAMPLES: Final = ("Plain", "Structured output", "Vision", "Tools", "Thinking")


def run(page: Page, example: str) -> None:
    """Run an example to its end."""
    page.get_by_role("button", name=example).click()
    page.fill("#key", "any word")
    page.click("#run")
    expect(page.locator("#run-status")).to_have_text("done")


def shoot(browser: Browser, url: str, scheme: Literal["light", "dark"], example: str, line: str) -> None:
    """Write one picture: an example with a chosen line, and a run of it."""
    page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme=scheme)
    page.goto(url)
    for other in EXAMPLES:
        run(page, other)
    run(page, example)
    page.locator(".line.adjusted", has_text=line).first.click()
    page.mouse.move(0, 0)
    height = page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    options = {"format": "webp", "quality": 90, "captureBeyondViewport": True, "clip": clip}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", options)
    (FOLDER / f"inspector-{scheme}.webp").write_bytes(b64decode(taken["data"]))
    page.close()


def main() -> None:
    """Start the server on a free port, and the system's browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    command = [sys.executable, "-m", "chatcompat", "serve", "--inspect", "--port", "0", "--no-access-log"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        url = next(line.split()[-1] for line in server.stdout or () if line.split()[:1] == ["inspector"])
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            shoot(browser, url, "light", "Thinking", "budget_tokens")
            shoot(browser, url, "dark", "Tools", "minLength")
        finally:
            browser.close()
            server.terminate()


if __name__ == "__main__":
    main()

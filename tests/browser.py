"""A real browser for tests of the page: the distribution's Chromium, driven by Playwright. Where
either is missing, tests that want it are skipped, and say so.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 400, "height": 800}
SERIOUS = ("serious", "critical")


@contextmanager
def browser() -> "Iterator[Browser]":
    """Chromium without a window."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"no browser is installed: looked for {', '.join(PROGRAMS)}")
    pytest.importorskip("playwright", reason="playwright is not installed")
    from playwright.sync_api import sync_playwright

    # In a container root is who runs the tests, and Chromium's own sandbox refuses to start.
    options = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield started
        finally:
            started.close()


class Watched:
    """A page, and what went on in it. `hosts`: whom it asked for anything; `errors`: what its
    console complained of, and what its scripts raised.
    """

    def __init__(self, context: "BrowserContext", url: str) -> None:
        self.context, self.url = context, url
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        self.page: Page = context.new_page()
        context.set_default_timeout(60_000)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def open(self, path: str = "/") -> "Page":
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, name: str = "Anna", key: str = "") -> "Page":
        """By a name, or by a key where one is wanted."""
        page = self.open("/sign-in")
        field, value = ("#key", key) if key else ("#name", name)
        page.fill(field, value)
        page.press(field, "Enter")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    def axe(self) -> list[str]:
        """What axe finds serious, each with where it is."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{each['id']}: {[node['target'] for node in each['nodes']]}"
            for each in found
            if each["impact"] in SERIOUS
        ]


@contextmanager
def watched(browser: "Browser", url: str, **options: Any) -> Iterator[Watched]:
    """A page of its own, with its own cookies. `options`: of Playwright's context, such as
    `locale`, `color_scheme`, `viewport`.
    """
    context = browser.new_context(**options)
    try:
        yield Watched(context, url)
    finally:
        context.close()

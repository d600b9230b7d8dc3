"""Asking a person, and saying good beside a better answer, in a real browser by keyboard alone."""

from typing import TYPE_CHECKING

import pytest

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import open_ledger
from llmops.tasks.review.finding import find
from llmops.tasks.review.reviewing import Review, submit
from tests.browser import PHONE, watched
from tests.chat.apps import TALL
from tests.deployments.app.apps import Listening
from tests.deployments.app.page.test_browser import SEEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


def test_what_is_said_of_an_answer_by_keyboard_and_what_comes_back(
    chromium: "Browser", served: Listening
) -> None:
    home = served.towers.home
    with watched(chromium, served.url, locale="fa", viewport=PHONE, color_scheme="dark") as seen:
        page = seen.open("/")
        page.keyboard.type("Ann")
        page.keyboard.press("Enter")
        page.locator("#question").fill(TALL)
        page.keyboard.press("Enter")
        page.locator(".turn[data-state=done]").wait_for()
        page.locator(".person summary").press("Enter")
        page.locator(".person textarea").fill("Is it so?")
        page.locator(".person button.main").press("Enter")
        page.locator(".person p[role=status]").wait_for()
        page.locator(".thumb").first.press("Enter")
        page.locator(".more summary").press("Enter")
        page.locator(".more textarea").nth(1).fill("It is 330 m.")
        page.locator(".more button.main").press("Enter")
        page.locator(".unsure").wait_for()
        assert page.evaluate("document.activeElement.value") == "down"
        assert seen.axe() == []
        page.keyboard.press("Enter")
        page.locator(".saved:not(:empty)").wait_for()
        page.set_viewport_size({"width": 1100, "height": 560})
        page.evaluate("scrollTo(0, 0)")
        page.locator(".thumb").first.press("Enter")  # up, and the better answer still stands there
        page.wait_for_function(SEEN, arg=".unsure .choices")
        page.locator(".unsure button").nth(1).press("Enter")
        page.set_viewport_size({"width": 400, "height": 800})
        page.locator(".saved:not(:empty)").wait_for()
        (item,) = find(home, "guide", state="open").items
        said = Review("bad", "It is **330 metres** tall.")
        submit(home, "guide", item.id, pseudonym(open_ledger(home), "guide/rev"), said)
        page.reload()
        page.locator(".persons strong", has_text="330 metres").wait_for()
        page.locator("#talks .answered").wait_for(state="attached")
        assert page.locator(".person summary").count() == 0
        assert seen.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert seen.errors == []

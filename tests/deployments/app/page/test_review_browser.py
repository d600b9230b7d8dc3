"""The tab Review in a real browser: by keyboard alone, in every language, with drafts that stay."""

import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from llmops.deployments.app.page.texts import LANGUAGES, texts_of
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.review import review_leases
from llmops.tasks.review import items
from tests.browser import PHONE, watched
from tests.chat.apps import TALL
from tests.deployments.app.apps import Listening

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


def waiting(served: Listening, count: int = 1) -> list[str]:
    import requests

    home, found = served.towers.home, []
    for _ in range(count):
        body: dict[str, Any] = {
            "model": "guide",
            "messages": [{"role": "user", "content": TALL}],
        }
        reply = requests.post(f"{served.url}/v1/chat/completions", json=body, timeout=60)
        trace = reply.json()["trace_id"]
        served.app.state.services.traces.enter(trace)
        found.append(items.ask_a_person(home, "guide", "", trace, "", "<b>really?</b>"))
    return found


def drafts(served: Listening) -> list[str]:
    with open_ledger(served.towers.home).read() as connection:
        kept = connection.scalars(select(review_leases.c.draft)).all()
    return [each["correction"] for each in kept if each]


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_an_answer_is_reviewed_by_keyboard_on_a_phone(
    chromium: "Browser", served: Listening, code: str
) -> None:
    (item,) = waiting(served)
    dark = {"color_scheme": "dark"} if code in ("zh", "fa") else {}
    with watched(chromium, served.url, locale=LANGUAGES[code].tag, viewport=PHONE, **dark) as seen:
        page = seen.open("/review")
        page.keyboard.type(f"Ann {code}")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{served.url}/review")
        assert seen.axe() == []
        page.locator("#start").press("Enter")
        page.wait_for_url(f"{served.url}/review/{item}")
        assert seen.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("j")
        page.keyboard.press("Space")
        page.keyboard.press("c")
        page.keyboard.type("gbds 330 m")
        saved = texts_of(code)("review.saved")
        page.locator("#draft", has_text=saved).wait_for()
        page.keyboard.type("etres")
        page.goto(f"{served.url}/review")  # who leaves at once has typed it all the same
        page.locator(".items .asked", has_text=TALL).first.wait_for()
        deadline = time.monotonic() + 20
        while "gbds 330 metres" not in drafts(served) and time.monotonic() < deadline:
            time.sleep(0.05)
        page.goto(f"{served.url}/review/{item}")
        assert page.locator("#correction").input_value() == "gbds 330 metres"
        assert page.locator("[name=relevant-1]").is_checked()
        page.keyboard.press("g")  # good, and a better answer: which of the two is meant?
        page.locator("#unsure").wait_for()
        assert page.evaluate("document.activeElement.value") == "bad"
        assert page.locator("#correction").input_value() == "gbds 330 metres"
        assert seen.axe() == []
        page.keyboard.press("b")
        page.wait_for_url(f"{served.url}/review?nothing")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert seen.hosts == {served.url.removeprefix("http://")}
        assert seen.errors == []
    done = items.item(served.towers.home, "guide", item)
    assert (done.verdict, done.reviews[0].correction) == ("bad", "gbds 330 metres")
    assert done.reviews[0].relevant

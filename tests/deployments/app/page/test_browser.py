"""The page in a real browser: every language, light and dark, on a phone, by keyboard alone."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmops.deployments.app.page.texts import LANGUAGES, texts_of
from tests.browser import PHONE, watched
from tests.chat.apps import TEXTS, Towers, copied
from tests.deployments.app.apps import Listening, listening
from tests.llm_faults import Answer
from tests.openai_server import Service, serving
from tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_signing_in_works_in_every_language_by_keyboard(
    chromium: "Browser", served: Listening, code: str
) -> None:
    dark = {"color_scheme": "dark"} if code in ("zh", "fa") else {}
    with watched(chromium, served.url, locale=LANGUAGES[code].tag, viewport=PHONE, **dark) as seen:
        page = seen.open()
        assert page.evaluate("document.documentElement.dir") == LANGUAGES[code].direction
        assert page.evaluate("document.activeElement.id") == "name"
        assert seen.axe() == []
        page.keyboard.type("مریم")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{served.url}/")
        page.locator("a.skip").press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.locator("details.menu summary").press("Enter")
        assert page.get_by_role("button", name=texts_of(code)("shell.sign_out")).is_visible()
        assert seen.axe() == []
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert seen.hosts == {served.url.removeprefix("http://")}
        assert seen.errors == []


SEEN = """selector => {
  const element = document.querySelector(selector);
  if (!element) return false;
  const { top, bottom } = element.getBoundingClientRect();
  const foot = document.getElementById("composer").getBoundingClientRect().top;
  return top >= 0 && top < foot && (bottom <= foot || top < 120);
}"""
"""Whether something is not hidden behind the box of the next question."""
QUESTION = "How tall is the Eiffel Tower?"


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_asking_works_in_every_language_by_keyboard(
    chromium: "Browser", served: Listening, code: str
) -> None:
    t = texts_of(code)
    dark = {"color_scheme": "dark"} if code in ("en", "ja") else {}
    with watched(chromium, served.url, locale=LANGUAGES[code].tag, viewport=PHONE, **dark) as seen:
        page = seen.sign_in()
        assert seen.axe() == []
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        page.wait_for_selector(".turn[data-state=done]")
        assert page.locator("#question").input_value() == ""
        before = page.locator(".answer").inner_html()
        page.locator("button.cite").first.press("Enter")
        mark = page.locator("figure.passage mark")
        assert mark.inner_text() == "The Eiffel Tower is 330 metres tall."
        assert page.evaluate("document.activeElement.className") == "passage"
        assert page.evaluate(SEEN, "figure.passage")
        page.get_by_role("button", name=t("ask.thumb_down")).press("Enter")
        page.wait_for_selector("details.more[open]")
        assert page.evaluate(SEEN, "details.more")
        page.get_by_label(t("ask.correction")).fill("It is 330 m.")
        assert seen.axe() == []
        page.get_by_role("button", name=t("ask.save")).press("Enter")
        page.get_by_text(t("ask.saved")).wait_for()
        page.locator("figure.passage").press("Escape")
        assert "cite" in page.evaluate("document.activeElement.className")
        page.get_by_text(t("ask.ask_person"), exact=True).press("Enter")
        page.wait_for_selector(".person details[open]")
        page.wait_for_function(SEEN, arg=".person details")
        page.get_by_role("button", name=t("ask.person_send")).press("Enter")
        page.get_by_text(t("ask.person_asked")).wait_for()
        page.reload()
        page.wait_for_selector(".turn[data-state=done]")
        assert page.locator(".answer").inner_html() == before
        page.locator("button.cite").first.press("Enter")
        assert mark.inner_text() == "The Eiffel Tower is 330 metres tall."
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert seen.hosts == {served.url.removeprefix("http://")}
        assert seen.errors == []


def test_nothing_that_documents_and_people_write_is_run(
    chromium: "Browser", shelf: Workshop, tmp_path: Path
) -> None:
    evil = '<img src=x onerror="pwned=1"><script>pwned=1</script>'
    with serving(lambda _: f"So {evil} [x](javascript:pwned=1) [1].") as model:
        towers = copied(shelf, tmp_path)
        towers.shop.build({**TEXTS, "evil.txt": f"The evil tower {evil} is 13 metres tall."})
        llm = {"name": "openai", "model": "m", "base_url": model.base_url, "api_key": "k"}
        with listening(towers, llm=llm) as app, watched(chromium, app.url) as seen:
            page = seen.sign_in(evil)
            page.fill("#question", f"How tall is the evil tower? {evil}")
            page.press("#question", "Enter")
            page.wait_for_selector(".turn[data-state=done]")
            for button in page.locator("button.source").all():
                button.click()
                page.wait_for_selector("figure.passage")
            page.get_by_role("button", name="Bad answer").click()
            page.get_by_label("Comment").fill(evil)
            page.get_by_role("button", name="Save").click()
            page.get_by_text("Saved.").wait_for()
            page.reload()
            page.wait_for_selector(".turn[data-state=done]")
            page.wait_for_selector(".list a")
            assert "<script>pwned=1</script>" in page.inner_text(".question")
            assert page.evaluate("typeof pwned") == "undefined"
            assert page.locator("main img, main script").count() == 0
            assert seen.errors == []


def test_an_answer_goes_on_without_its_page_and_ends_with_stop(
    chromium: "Browser", towers: Towers, service: Service
) -> None:
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    with listening(towers, llm=llm) as app, watched(chromium, app.url) as seen:
        page = seen.sign_in()
        service.latency = 2.0
        page.fill("#question", QUESTION)
        page.press("#question", "Enter")
        page.wait_for_selector(".turn[data-state=writing]")
        address = page.url
        assert "/ask/c/conv-" in address
        page.close()
        again = seen.context.new_page()
        again.goto(address)
        again.wait_for_selector(".turn[data-state=done]")
        assert "330 metres" in again.inner_text(".answer")
        service.latency = 0.0
        service.script = [Answer(200, b"", hang=True)]
        again.fill("#question", "And Big Ben?")
        again.press("#question", "Enter")
        again.get_by_role("button", name="Stop").click()
        again.wait_for_selector(".turn[data-state=stopped]")
        deadline = time.monotonic() + 10
        while service.under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        assert service.under_way == 0


def test_what_was_typed_outlives_a_reload_and_the_application(
    chromium: "Browser", towers: Towers
) -> None:
    with listening(towers) as app, watched(chromium, app.url) as seen:
        page = seen.sign_in()
        page.fill("#question", "half a question")
        page.reload()
        assert page.input_value("#question") == "half a question"
        app.stop()
        page.press("#question", "Enter")
        page.get_by_text(texts_of("en")("errors.offline")).wait_for()
        assert page.input_value("#question") == "half a question"

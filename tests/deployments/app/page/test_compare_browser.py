"""The tab Compare in a real browser: by keyboard alone, in every language, on a phone, light and
dark.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from llmops.deployments.app.page.texts import LANGUAGES, texts_of
from tests.browser import PHONE, watched
from tests.chat.apps import TALL, copied
from tests.deployments.app.apps import Listening, listening
from tests.openai_server import serving
from tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
SAVED = "document.getElementById('saved-1').innerHTML = `<p><code>${'word '.repeat(50)}</code>`"
"""A long command, as it stands under a draft that was saved."""
HOSTILE = "It is <img src=x onerror=document.title='owned'> 330 metres tall [1]."


@pytest.fixture(scope="module")
def tried(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """With a model beside the offline one."""
    towers = copied(shelf, tmp_path_factory.mktemp("tried"))
    with serving(lambda messages: HOSTILE) as service:
        other = {"name": "openai", "model": "other", "base_url": service.base_url}
        with listening(towers, compare={"llms": [other]}) as found:
            yield found


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_a_draft_is_compared_and_voted_on_by_keyboard(
    chromium: "Browser", tried: Listening, code: str
) -> None:
    t = texts_of(code)
    dark = {"color_scheme": "dark"} if code in ("zh", "fa") else {}
    with watched(chromium, tried.url, locale=LANGUAGES[code].tag, viewport=PHONE, **dark) as seen:
        seen.sign_in(f"Anna {code}")
        page = seen.open("/compare")
        page.focus("#question")
        page.keyboard.type(TALL)
        page.focus("[data-edit='1']")
        page.keyboard.press("Enter")
        page.wait_for_selector("#text-1-0:focus")
        page.keyboard.press("Control+A")
        page.keyboard.type("Be brief.")
        page.keyboard.press("Enter")
        page.keyboard.type("{{passages}}")
        assert page.locator(".row").count() == 0
        page.focus("#compare-form button.main")
        page.keyboard.press("Enter")
        page.wait_for_selector(".vote")
        assert page.input_value("#text-1-0") == "Be brief.\n{{passages}}"
        shown = page.inner_text("#results")
        assert "330 metres" in shown
        assert "<img src=x" in shown
        assert "extractive" not in shown
        top = page.evaluate("document.querySelector('.row').getBoundingClientRect().top")
        assert 0 <= top < PHONE["height"] - 100
        assert seen.axe() == []
        page.focus(".vote button")
        page.keyboard.press("Enter")
        page.wait_for_selector(".voted")
        assert "extractive" in page.inner_text("#results")
        page.wait_for_selector(".row:focus")
        page.reload()
        page.wait_for_selector(".voted")
        assert page.input_value("#text-1-0") == "Be brief.\n{{passages}}"
        page.locator("details.votes summary").press("Enter")
        page.wait_for_selector(".pairs li")
        assert t("compare.liked") in page.inner_text(".votes")
        assert seen.axe() == []
        page.evaluate(SAVED)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.documentElement.dir") == LANGUAGES[code].direction
        assert page.title() != "owned"
        assert seen.hosts == {tried.url.removeprefix("http://")}
        assert seen.errors == []

"""Training from the tab *Review* in a real browser: every language, a phone's width, light and
dark, by keyboard alone.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from llmops.deployments.app.page.texts import LANGUAGES, texts_of
from tests.browser import PHONE, watched
from tests.chat.apps import copied
from tests.deployments.app.apps import Listening, listening
from tests.deployments.app.page.test_training import CONFIG, PLANNED, left, trained
from tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
SCHEMES = {"en": "light", "zh": "dark", "ja": "light", "fa": "dark"}


@pytest.fixture(scope="module")
def lessons(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with listening(copied(shelf, tmp_path_factory.mktemp("lessons"))) as found:
        yield found


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_a_training_is_looked_at_by_keyboard(
    chromium: "Browser", lessons: Listening, code: str
) -> None:
    t = texts_of(code)
    file = lessons.towers.folder / "lessons.yaml"
    file.unlink(missing_ok=True)
    options = {"locale": LANGUAGES[code].tag, "viewport": PHONE, "color_scheme": SCHEMES[code]}
    with watched(chromium, lessons.url, **options) as seen:
        seen.sign_in()
        page = seen.open("/review")
        page.locator("#train").press("Enter")
        page.get_by_text(t("training.none")).wait_for()
        assert seen.axe() == []
        file.write_text(CONFIG)
        left(lessons, "train-plan", PLANNED, began=3)
        left(lessons, "train", trained("promoted"))
        seen.open("/review").locator("#train").press("Enter")
        page.wait_for_selector("button[value=train]")
        assert page.get_by_text(t("training.live")).count() == 1
        assert seen.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.locator("details summary").last.press("Enter")
        assert page.get_by_text("the measured reason").is_visible()
        assert (seen.hosts, seen.errors) == ({lessons.url.removeprefix("http://")}, [])

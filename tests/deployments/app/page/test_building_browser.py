"""The tabs *Build* and *Knowledge* in a real browser: every language, a phone's width, light and
dark, by keyboard alone, with names that are meant to do harm.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from llmops.deployments.app.page.texts import LANGUAGES, texts_of
from llmops.tasks.knowledge import quarantine
from llmops.tasks.knowledge.quarantine import Failure
from tests.browser import PHONE, watched
from tests.chat.apps import BASE, TEXTS, copied
from tests.deployments.app.apps import Listening, listening
from tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload

pytestmark = pytest.mark.slow
HOSTILE = '<img src=x onerror=alert(1)>"\u202e.txt'
SCHEMES = {"en": "light", "zh": "dark", "ja": "light", "fa": "dark"}


@pytest.fixture(scope="module")
def versions(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """A knowledge base of two versions, with something in quarantine."""
    towers = copied(shelf, tmp_path_factory.mktemp("versions"))
    towers.shop.build({**TEXTS, "pisa.txt": "The tower of Pisa leans.", HOSTILE: "<script>"})
    failure = Failure(source="memory", uri=HOSTILE, stage="parse", error="E", reason="<b>")
    quarantine.put(towers.shop.handle, [failure], "stages")
    with listening(towers) as found:
        yield found


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_knowledge_is_looked_through_by_keyboard(
    chromium: "Browser", versions: Listening, code: str
) -> None:
    t, scheme = texts_of(code), SCHEMES[code]
    tag = LANGUAGES[code].tag
    options = {"locale": tag, "viewport": PHONE, "color_scheme": scheme}
    with watched(chromium, versions.url, **options) as seen:
        seen.sign_in()
        page = seen.open(f"/knowledge/{BASE}")
        assert seen.axe() == []
        page.locator("#q").focus()
        page.keyboard.type("tower of Pisa")
        page.keyboard.press("Enter")
        page.wait_for_selector(".passages mark")
        assert page.get_by_text(t("knowledge.mode_text"), exact=True).count() >= 1
        assert seen.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        seen.open(f"/knowledge/{BASE}/versions/2")
        page.locator(".changed summary").press("Enter")
        page.wait_for_selector(".diff .new")
        assert seen.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("img").count() == 0
        assert (seen.hosts, seen.errors) == ({versions.url.removeprefix("http://")}, [])


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_a_knowledge_base_is_put_together_by_keyboard(
    chromium: "Browser", versions: Listening, code: str
) -> None:
    tag = LANGUAGES[code].tag
    options = {"locale": tag, "viewport": PHONE, "color_scheme": SCHEMES[code]}
    with watched(chromium, versions.url, **options) as seen:
        seen.sign_in()
        page = seen.open("/build")
        assert seen.axe() == []
        page.fill("#kb", f"guide-{code}")
        page.keyboard.press("Enter")
        page.wait_for_selector("#draft")
        file: FilePayload = {
            "name": "a.md",
            "mimeType": "text/markdown",
            "buffer": b"The lamp is lit.",
        }
        page.set_input_files("#upload", [file])
        page.locator("button[value=upload]").press("Enter")
        page.wait_for_selector(".files li")
        page.locator(".add summary").last.press("Enter")
        page.locator("button[value='add-clean:links']").press("Enter")
        page.wait_for_selector("[name='clean.2.policy']")
        page.fill("[name='chunk.size']", "9999")
        page.keyboard.press("Enter")
        page.wait_for_selector("#chunk-size[aria-invalid]")
        assert "knowledge_base: guide" in page.locator(".yaml").inner_text()
        assert seen.axe() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert (seen.hosts, seen.errors) == ({versions.url.removeprefix("http://")}, [])

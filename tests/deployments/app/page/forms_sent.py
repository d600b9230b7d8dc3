"""Forms as a browser sends them: every field that a page holds, and the button that was pressed."""

from html.parser import HTMLParser
from typing import Any

from httpx2 import Response

from tests.deployments.app.page.pages import OWN, Visitor

Files = list[tuple[str, tuple[str, bytes]]]


class Fields(HTMLParser):
    """The fields of the form with an id, as they stand in a page."""

    def __init__(self, text: str, form: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._form, self._inside, self._name, self._text = form, False, "", ""
        self._chosen: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = own.get("id") == self._form
        if not self._inside:
            return
        if tag == "input" and own.get("type") not in ("file", "checkbox") and "name" in own:
            self.found[own["name"]] = own.get("value", "")
        if tag in ("select", "textarea"):
            self._name, self._text, self._chosen = own["name"], "", None
        if tag == "option" and self._name and (self._chosen is None or "selected" in own):
            self._chosen = own.get("value", "")

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if self._inside and tag in ("select", "textarea"):
            self.found[self._name] = self._text if tag == "textarea" else self._chosen or ""
            self._name = ""


def fields_of(text: str) -> dict[str, str]:
    """Those of the draft."""
    return Fields(text, "draft").found


def sent(
    visitor: Visitor, fields: dict[str, str], files: Files | None = None, **headers: str
) -> Response:
    """Send the draft."""
    parts: list[tuple[str, Any]] = [(name, (None, text)) for name, text in fields.items()]
    client = visitor.app.client
    jar = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.request(
        "POST",
        "/build/draft",
        files=[*parts, *((name, file) for name, file in files or [])],
        headers={**OWN, "cookie": jar, **named},
        follow_redirects=False,
    )

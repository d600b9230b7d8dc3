"""What all tabs of the page have in common: layout, languages, theme, and who is signed in.

A tab is four things, all of its name (here `knowledge`):

- `page/knowledge.py` with a `router`, entered in `PAGE_ROUTERS` of `application.py`. All its paths
  begin with the tab's, `/knowledge`, and `PAGES` in `admission.py` says which act that wants.
  Whoever gets there is signed in, and what changes something comes from a page of ours. Finer acts
  are asked for with `visit_of(request).may("…")`; labels are `visit_of(request).labels`. Both, and
  `person_of(services, visit, "")`, go for sessions without a key, too. A form's fields:
  `await form_of(request)`. Blocking work belongs in `asyncio.to_thread`.
- an entry of `TABS` below: whoever may not do its act does not see it.
- `templates/knowledge/…`: a whole page extends `layout.html` and is answered by
  `page(request, "knowledge/page.html", "knowledge", …)`, what htmx swaps in by
  `fragment(request, "knowledge/versions.html", …)`. Both know `t("section.name", n=3)` for words,
  `reader` (language, theme, session), `may("act")`, `asset("name.css")`, and the macros of
  `macros.html`: `when(moment)`, `number(value)`, `usd(value)` are shown as the reader's locale has
  them. Autoescape is on: what comes from documents, people or models is text, never `|safe`;
  Markdown of answers goes through `markdown.py`, the text of a passage through `shown_passage`.
- a section of each of `texts/*.yaml`, and `static/knowledge.css` or `.js` where needed. The policy
  of the page allows neither inline script nor inline style, no `eval` and no other host: so no
  `style=`, no `onclick=`, no `hx-on`, no `hx-vals="js:…"`. htmx does what a form or a link cannot;
  what stands inside of an element with `hx-target` or `hx-swap` has the same, unless it says so.

Raise `HttpProblem` for what goes wrong: `errors.py` says it in the reader's language (`errors.CODE`
of the texts), as a page or as a notice, with the request's id.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse

from llmops.deployments.app.cookies import cookies
from llmops.deployments.app.page.asset_files import address
from llmops.deployments.app.page.passage_text import shown_parts, shown_passage
from llmops.deployments.app.page.prompt_names import shown_prompt
from llmops.deployments.app.page.texts import LANGUAGES, Language, PageTexts, preferred, texts_of
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.visit import AppVisit, visit_of
from llmops.tasks.access.roles import Act

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)
LANGUAGE_COOKIE, THEME_COOKIE = "llmops-language", "llmops-theme"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "same-origin",  # with none, browsers name no origin where a form is sent
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "vary": "cookie, accept-language, hx-request",
}
MOST_FIELDS = 200


class Tab(NamedTuple):
    """`act`: what whoever sees it may do; its words are `NAME.tab`."""

    name: str
    path: str
    act: Act


TABS: tuple[Tab, ...] = (
    Tab("ask", "/", "ask"),
    Tab("compare", "/compare", "review"),
    Tab("build", "/build", "knowledge"),
    Tab("knowledge", "/knowledge", "search"),
    Tab("review", "/review", "review"),
)


class Reader(NamedTuple):
    """Whoever looks at the page."""

    language: Language
    theme: Theme
    visit: AppVisit

    @property
    def texts(self) -> PageTexts:
        return texts_of(self.language.code)


def reader_of(connection: HTTPConnection) -> Reader:
    held = cookies(connection.scope)
    code = held.get(LANGUAGE_COOKIE, "")
    if code not in LANGUAGES:
        code = preferred(connection.headers.get("accept-language", ""))
    theme = next((each for each in THEMES if each == held.get(THEME_COOKIE)), THEMES[0])
    return Reader(LANGUAGES[code], theme, visit_of(connection))


def swaps(connection: HTTPConnection) -> bool:
    """Whether htmx asks, which wants a part of a page."""
    return "hx-request" in connection.headers


def tabs_of(visit: AppVisit) -> list[Tab]:
    """What somebody may see."""
    return [tab for tab in TABS if visit.may(tab.act)] if visit.session else []


def page(
    connection: HTTPConnection,
    template: str,
    tab: str = "",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """A whole page. `tab`: which one is open, "" for none."""
    reader = reader_of(connection)
    shown = {"tabs": tabs_of(reader.visit), "open_tab": tab, **context}
    return _answer(connection, reader, template, status, headers, shown)


def fragment(
    connection: HTTPConnection,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    """A part of a page, which htmx puts in its place."""
    return _answer(connection, reader_of(connection), template, status, headers, context)


def rendered(connection: HTTPConnection, template: str, **context: object) -> str:
    """The same, as text: for what is sent in a stream."""
    return _rendered(connection, reader_of(connection), template, context)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, each once. Raises HttpProblem for what is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpProblem(400, "a form is wanted", code="invalid_value")
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise HttpProblem(400, "the form cannot be read", code="invalid_value") from error
    return dict(pairs)


def _answer(
    connection: HTTPConnection,
    reader: Reader,
    template: str,
    status: int,
    headers: Mapping[str, str] | None,
    context: Mapping[str, object],
) -> HTMLResponse:
    text = _rendered(connection, reader, template, context)
    return HTMLResponse(text, status, {**HEADERS, **(headers or {})})


def _rendered(
    connection: HTTPConnection, reader: Reader, template: str, context: Mapping[str, object]
) -> str:
    return (
        environment()
        .get_template(template)
        .render(
            app=connection.app.title,
            reader=reader,
            session=reader.visit.session,
            may=reader.visit.may,
            t=reader.texts,
            request_id=reader.visit.request_id,
            path=connection.url.path,
            **context,
        )
    )


@cache
def environment() -> Environment:
    """What renders templates. A name that is not there is an error, never nothing."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"asset": address, "languages": list(LANGUAGES.values()), "themes": THEMES}
    made.globals |= {
        "shown_passage": shown_passage,
        "shown_parts": shown_parts,
        "shown_prompt": shown_prompt,
    }
    return made

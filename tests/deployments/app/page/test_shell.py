"""What all tabs have in common: languages, theme, files, and how problems are told."""

import json
import re
from hashlib import sha256
from pathlib import Path
from string import Formatter
from urllib.parse import quote

import pytest

from llmops.deployments.app.page import asset_files, shell
from llmops.deployments.app.page.asset_files import digest
from llmops.deployments.app.page.texts import LANGUAGES, PageTexts, preferred, texts_of, words
from tests.deployments.app.apps import App
from tests.deployments.app.page.pages import Visitor

HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""htmx.org 2.0.11 of npm, `dist/htmx.min.js`."""
TEMPLATES = Path(shell.__file__).parent / "templates"


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def bare(template: str) -> list[str]:
    """What a template says in words of its own."""
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<svg.*?</svg>", " ", template, flags=re.DOTALL)
    said = re.findall(r'(?:title|placeholder|aria-label|alt)="([^"]*)"', text)
    said.append(re.sub(r"<[^>]*>", " ", text, flags=re.DOTALL))
    return [word for each in said for word in re.findall(r"[^\W\d_]{2,}", each)]


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_language_says_everything(code: str) -> None:
    english, own = words("en"), words(code)
    assert list(own) == list(english)
    assert {name for name in own if holes(own[name]) != holes(english[name])} == set()
    assert [name for name, text in own.items() if not text.strip()] == []


@pytest.mark.parametrize("code", sorted(set(LANGUAGES) - {"en"}))
def test_nothing_is_left_in_english(code: str) -> None:
    english, own = words("en"), words(code)
    assert [name for name in own if own[name] == english[name]] == []


def test_no_template_says_anything_itself() -> None:
    assert bare('<p title="Oops">{{ t("x") }} well <b>done</b></p>') == ["Oops", "well", "done"]
    files = sorted(TEMPLATES.rglob("*.html"))
    assert {file.name: said for file in files if (said := bare(file.read_text()))} == {}


def test_every_text_that_a_template_names_is_there() -> None:
    named = {
        (file.name, name)
        for file in TEMPLATES.rglob("*.html")
        for name in re.findall(r"""\bt(?:\.html)?\(['"]([a-z_.0-9]+)['"][,)]""", file.read_text())
    }
    assert len(named) > 10
    assert [each for each in named if each[1] not in words("en")] == []


def test_no_template_breaks_the_policy_of_the_page() -> None:
    for file in TEMPLATES.rglob("*.html"):
        text = file.read_text()
        assert not re.search(r"\sstyle=|\son\w+=|hx-on|js:|javascript:|\|\s*safe\b", text), (
            file.name
        )
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style", text), file.name
        assert not re.search(r"https?://|//[a-z]", text), file.name


def test_htmx_is_the_file_that_was_looked_at() -> None:
    content = (asset_files.FOLDER / "htmx.min.js").read_bytes()
    assert sha256(content).hexdigest() == HTMX
    assert "Zero-Clause BSD" in (asset_files.FOLDER / "htmx.LICENSE.txt").read_text()


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"),
        ("fa", "fa"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de-DE,de;q=0.9,ja;q=0.5,en;q=0.3", "ja"),
        ("en;q=0.2, FA-IR", "fa"),
        ("fa;q=0, ja;q=0.1", "ja"),
        ("*", "en"),
        ("fa;q=nonsense", "en"),
        ("," * 100, "en"),
    ],
)
def test_the_browser_s_language_is_taken(accepted: str, code: str) -> None:
    assert preferred(accepted) == code


def test_numbers_in_texts_have_the_digits_of_the_language() -> None:
    assert texts_of("fa").digits(1405) == "۱۴۰۵"
    assert texts_of("fa").digits("v2") == "v2"
    assert texts_of("ja").digits(12) == "12"
    with pytest.raises(KeyError):
        PageTexts("en")("shell.nothing")


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_the_page_speaks_every_language(app: App, code: str) -> None:
    visitor, language = Visitor(app), LANGUAGES[code]
    shown = visitor.get("/sign-in", accept_language=language.tag).text
    assert f'<html lang="{language.tag}" dir="{language.direction}"' in shown
    assert texts_of(code)("sign_in.go") in shown


def test_language_and_theme_are_kept(app: App) -> None:
    visitor = Visitor(app)
    moved = visitor.post("/preferences", {"language": "fa", "theme": "dark", "next": "/sign-in"})
    assert (moved.status_code, moved.headers["location"]) == (303, "/sign-in")
    shown = visitor.get("/sign-in", accept_language="en").text
    assert 'lang="fa" dir="rtl" data-theme="dark"' in shown
    visitor.post("/preferences", {"language": "xx", "theme": "<b>"})
    assert visitor.cookies["llmops-language"] == "fa"


@pytest.mark.parametrize(
    "path",
    ["//evil.example.com", "https://evil.example.com", "/\\evil.com", "/v1/models", "x", "/\t/"],
)
def test_nobody_is_led_elsewhere(app: App, path: str) -> None:
    moved = Visitor(app).post("/preferences", {"theme": "dark", "next": path})
    assert moved.headers["location"] == "/"
    assert Visitor(app).get(f"/sign-in?next={quote(path)}").text.count("evil") == 0


def test_files_may_be_kept_for_good_and_change_their_address(app: App) -> None:
    shown = Visitor(app).get("/sign-in").text
    names = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', shown))
    assert {name.rpartition("/")[2] for name in names} >= {"shell.css", "shell.js", "htmx.min.js"}
    for name in names:
        response = app.get(name)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        assert response.headers["x-content-type-options"] == "nosniff"
    packed = app.get(f"/static/{digest()}/htmx.min.js", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    plain = app.get(f"/static/{digest()}/htmx.min.js", accept_encoding="identity")
    assert packed.content == plain.content
    old = app.get("/static/000000000000/shell.css")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    "name", ["nothing.js", "../shell.py", "..%2fshell.py", "%2e%2e/shell.py", ""]
)
def test_no_file_but_those_is_served(app: App, name: str) -> None:
    assert app.get(f"/static/{digest()}/{name}").status_code in (401, 404)


def test_the_policy_of_the_page_lets_in_nothing_foreign_or_inline(app: App) -> None:
    policy = Visitor(app).get("/sign-in").headers["content-security-policy"]
    rules = dict(each.split(" ", 1) for each in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "form-action")} == {"'self'"}
    assert "unsafe" not in policy


def test_problems_are_told_in_the_reader_s_language_with_the_request(app: App) -> None:
    visitor = Visitor(app)
    visitor.sign_in()
    page = visitor.get("/ask/x/nothing/there", accept_language="ja")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert texts_of("ja")("errors.status_404") in page.text
    assert page.headers["x-request-id"] in page.text
    part = visitor.get("/ask/x/nothing/there", accept_language="fa", hx_request="true")
    assert texts_of("fa")("errors.status_404") in part.text
    assert "<html" not in part.text
    assert part.headers["x-request-id"] in part.text
    program = app.get("/v1/nothing")
    assert set(json.loads(program.text)["error"]) >= {"message", "code", "request_id"}

"""The tab *Build* as a browser's forms use it, without a browser."""

import html
import json
import re
import time
from collections.abc import Iterator

import pytest

from llmops.tasks.retrieval.golden import read_golden
from tests.chat.apps import Towers, copied
from tests.commandline import PLUGINS
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.forms_sent import fields_of, sent
from tests.deployments.app.page.pages import Visitor
from tests.workshop import Workshop

HOSTILE = '"><script>alert(1)</script>'
THEIRS = """\
flow: index
knowledge_base: theirs  # keep this name
sources: [{name: files, path: docs}]
embed: {name: openai, model: m, dimensions: 3, api_key: sk-in-the-file}
"""


@pytest.fixture(scope="module")
def towers(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Towers:
    found = copied(shelf, tmp_path_factory.mktemp("build"))
    (found.folder / "docs").mkdir()
    (found.folder / "theirs.yaml").write_text(THEIRS)
    return found


@pytest.fixture(scope="module")
def opened(towers: Towers) -> Iterator[App]:
    with application(towers, build={"upload_mb": 1, "files": 3}) as found:
        yield found


@pytest.fixture(scope="module")
def visitor(opened: App) -> Visitor:
    found = Visitor(opened)
    found.sign_in()
    return found


def draft(visitor: Visitor, kb: str = "guide") -> dict[str, str]:
    return fields_of(visitor.get(f"/build/draft?kb={kb}").text)


def pressed(visitor: Visitor, fields: dict[str, str], action: str, **more: str) -> str:
    response = sent(visitor, {**fields, **more, "action": action})
    assert response.status_code == 200, response.text
    return response.text


def test_the_configs_of_the_project_are_listed_and_the_folder_is_named(
    visitor: Visitor, towers: Towers
) -> None:
    """It runs outside of a project's folder here, and says so."""
    shown = visitor.get("/build").text
    assert "theirs.yaml" in shown
    assert "does not run in a project" in shown
    assert str(towers.folder) in html.unescape(shown)
    assert 'value="towers"' in shown  # what the application wants, and no config builds


def test_buttons_add_plugins_and_their_own_fields(visitor: Visitor) -> None:
    fields = draft(visitor)
    assert fields["sources.0.name"] == "files"
    shown = pressed(visitor, fields, "add-sources:memory")
    added = fields_of(shown)
    assert (added["sources.1.name"], added["sources.1.complete"]) == ("memory", "yes")
    assert "Documents given in the config" in shown  # a third party's own words
    shown = pressed(visitor, added, "add-clean:links")
    assert fields_of(shown)["clean.2.policy"] == "keep_text"
    gone = fields_of(pressed(visitor, fields_of(shown), "remove-sources.1"))
    assert "sources.1.name" not in gone
    chosen = fields_of(pressed(visitor, fields, "show", **{"embed.name": "openai"}))
    assert chosen["embed.model"] == ""


def test_htmx_gets_the_form_alone(visitor: Visitor) -> None:
    part = sent(visitor, {**draft(visitor), "action": "add-clean:pii"}, hx_request="true").text
    assert part.lstrip().startswith('<form id="draft"')
    assert "<html" not in part


def test_mistakes_stand_beside_their_fields(visitor: Visitor) -> None:
    shown = pressed(visitor, draft(visitor), "check", **{"chunk.size": "many"})
    place = re.search(r'id="chunk-size"[^>]*aria-invalid="true"', shown)
    assert place is not None
    assert re.search(r'id="wrong-chunk-size">[^<]*valid integer', shown)
    assert "flow: index\nknowledge_base: guide\n" in html.unescape(shown)


def test_what_is_typed_is_text_and_nothing_else(visitor: Visitor) -> None:
    fields = draft(visitor)
    shown = pressed(
        visitor,
        {**fields, "knowledge_base": HOSTILE, "sources.0.path": HOSTILE},
        "check",
        **{"golden.0.question": HOSTILE, "golden.0.uri": HOSTILE, "chunk.size": HOSTILE},
    )
    assert "<script>alert" not in shown
    assert fields_of(shown)["sources.0.path"] == HOSTILE


def test_files_are_uploaded_under_safe_names_into_the_project(
    visitor: Visitor, towers: Towers
) -> None:
    files = [
        ("files", ("../../escape.txt", b"one")),
        ("files", (HOSTILE + ".md", b"two")),
    ]
    shown = sent(visitor, {**draft(visitor), "action": "upload"}, files).text
    folder = towers.folder / "uploads" / "guide"
    assert sorted(each.name for each in folder.iterdir()) == ["escape.txt", "script-.md"]
    assert fields_of(shown)["sources.0.path"] == "uploads/guide"
    assert "escape.txt" in shown
    assert "<script>alert" not in shown
    assert not (towers.folder.parent / "escape.txt").exists()
    many = [("files", (f"{n}.txt", b"x")) for n in range(3)]
    refused = sent(visitor, {**draft(visitor), "action": "upload"}, many).text
    assert "3 are allowed" in refused
    gone = sent(visitor, {**draft(visitor), "action": "drop:escape.txt"}).text
    assert ("escape.txt" in gone, len(list(folder.iterdir()))) == (False, 1)
    nowhere = sent(visitor, {**draft(visitor, ""), "action": "upload"}, files[:1]).text
    assert "no name of a knowledge base" in nowhere


def test_files_that_nothing_can_be_read_from_are_refused_at_once(visitor: Visitor) -> None:
    psd = b"8BPS\x00\x01" + bytes(40)
    files = [("files", (name, data)) for name, data in (
        ("none.txt", b""), ("x.psd", psd), ("y.bin", bytes(range(256)) * 4), ("good.md", b"# One"),
    )]  # fmt: skip
    shown = html.unescape(
        sent(visitor, {**draft(visitor, "mixed"), "action": "upload"}, files).text
    )
    assert "'none.txt' was not taken: the file is empty (0 bytes)" in shown
    assert "'x.psd' was not taken: it is a picture of a kind that is not read" in shown
    assert "'y.bin' was not taken: " in shown
    (kept,) = re.findall(r'value="drop:([^"]+)"', shown)
    assert kept == "good.md"
    assert 'data-sure="Remove “good.md” for good?"' in shown
    fields = fields_of(shown)
    asked = {"golden.0.question": "Which?", "golden.0.uri": "bad.md", "embed.name": "hash"}
    wrong = html.unescape(pressed(visitor, fields, "check", **asked))
    assert "there is no document 'bad.md' among the files" in wrong
    right = pressed(visitor, fields, "check", **asked | {"golden.0.pick": "good.md"})
    assert "Everything is right." in right
    assert '<option value="good.md" selected>' in right


def test_a_name_that_is_none_is_offered_as_one(visitor: Visitor) -> None:
    shown = visitor.get("/build/draft?kb=Office+guide").text
    assert fields_of(shown)["knowledge_base"] == "office-guide"
    assert fields_of(shown)["sources.0.path"] == "uploads/office-guide"
    assert "“Office guide” is offered as “office-guide”" in shown


def test_questions_that_are_there_are_listed_and_removed(visitor: Visitor, towers: Towers) -> None:
    config = "flow: index\nknowledge_base: asked\nsources: [{name: files, path: docs}]\n"
    (towers.folder / "asked.yaml").write_text(config + "gate: {golden: [a.jsonl, b.jsonl]}\n")
    rows = [{"id": n, "question": f"Why {n}?", "relevant": [{"uri": f"{n}.md"}]} for n in "ab"]
    file = towers.folder / "a.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    fields = fields_of(visitor.get("/build/draft?file=asked.yaml").text)
    shown = pressed(visitor, fields, "forget:a")
    assert ("Why a?" in shown, "Why b?" in shown) == (False, True)
    assert [each.id for each in read_golden(file).questions] == ["b"]
    assert "the last question is not removed" in pressed(visitor, fields, "forget:b")
    assert "there is no such question" in pressed(visitor, fields, "forget:x")
    (towers.folder / "asked.yaml").unlink()


def test_an_upload_that_is_too_large_is_not_read(visitor: Visitor) -> None:
    large = [("files", ("a.txt", b"x" * 1_100_000))]
    assert sent(visitor, {**draft(visitor), "action": "upload"}, large).status_code == 413
    other = visitor.post("/build/run", {"file": "theirs.yaml", "do": "x" * 300_000})
    assert other.status_code == 413


def test_a_config_of_the_project_is_opened_and_its_secret_is_not_shown(visitor: Visitor) -> None:
    shown = visitor.get("/build/draft?file=theirs.yaml").text
    assert "sk-in-the-file" not in shown
    fields = fields_of(shown)
    assert (fields["embed.model"], fields["embed.api_key"]) == ("m", "")
    preview = html.unescape(pressed(visitor, fields, "check", **{"chunk.size": "100"}))
    assert "chunk: {name: sentence, size: 100}" in preview
    assert "# keep this name" in preview
    assert "sk-in-the-file" not in preview
    assert "sk-in-the-file" not in visitor.get("/build/config?file=theirs.yaml").text


@pytest.mark.parametrize(
    "path",
    [
        "/build/draft?file=../secret.yaml",
        "/build/draft?file=/etc/passwd",
        "/build/config?file=towers.yaml",
        "/build/config?file=",
        "/build/state?file=docs",
    ],
)
def test_no_other_file_is_opened(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 404


def test_what_is_no_form_is_refused(visitor: Visitor) -> None:
    assert visitor.post("/build/draft", {"action": "check"}).status_code == 400
    assert visitor.post("/build/run", {"file": "theirs.yaml", "do": "erase"}).status_code == 400
    assert visitor.post("/build/run", {"file": "../x.yaml", "do": "plan"}).status_code == 404


def test_another_page_cannot_build(visitor: Visitor) -> None:
    evil, site = "https://evil.example", "cross-site"
    saved = sent(visitor, {"action": "save"}, origin=evil, sec_fetch_site=site)
    run = visitor.post("/build/run", {"do": "plan"}, origin=evil, sec_fetch_site=site)
    assert (saved.status_code, run.status_code) == (403, 403)


def test_who_may_not_build_sees_nothing_of_it(towers: Towers) -> None:
    with application(towers, keys={"required": True}) as app:
        editor = Visitor(app)
        scopes = ["ask", "search", "feedback", "admin"]
        editor.sign_in(key=app.key("editor", role="editor", scopes=scopes))
        assert "/build" not in editor.get("/").text
        for path in ("/build", "/build/draft", "/build/config?file=theirs.yaml"):
            assert editor.get(path).status_code == 403
        assert sent(editor, {"action": "save"}).status_code == 403
        assert editor.post("/build/run", {"do": "build"}).status_code == 403


@pytest.mark.slow
def test_a_config_is_saved_and_planned_and_the_plan_has_its_price(
    visitor: Visitor, towers: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    files = [("files", ("a.md", b"# Lamps\n\nThe lamp is lit at nine."))]
    fields = fields_of(sent(visitor, {**draft(visitor, "lamps"), "action": "upload"}, files).text)
    fields |= {"embed.name": "costly", "embed.bill": "bill.jsonl", "action": "save"}
    moved = sent(visitor, fields)
    assert (moved.status_code, moved.headers["location"]) == (303, "/build/config?file=lamps.yaml")
    assert (towers.folder / "lamps.yaml").read_text() == (
        "flow: index\nknowledge_base: lamps\nsources:\n"
        "  - {name: files, path: uploads/lamps}\nembed: {name: costly, bill: bill.jsonl}\n"
    )
    assert "changed meanwhile" in sent(visitor, {**fields, "file": "lamps.yaml"}).text
    for _ in range(600):
        shown = visitor.get("/build/state?file=lamps.yaml").text
        if 'hx-trigger="every' not in shown:
            break
        time.sleep(0.1)
    assert re.search(r'<dt>New</dt><dd>\s*<data value="1"', shown)
    assert re.search(
        r'<dt>Price, at most</dt><dd>\s*<data value="[0-9.e-]+" data-show="usd"', shown
    )
    assert "a.md" in shown

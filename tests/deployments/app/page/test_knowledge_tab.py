"""The tab *Knowledge*: what it shows, to whom, and what it never names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.deployments.app.page.knowledge import number_of, together
from llmops.tasks.chat.knowledge import SearchResult
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge import quarantine, seen
from llmops.tasks.knowledge.quarantine import Failure
from tests.chat.apps import BASE, TEXTS, Towers, copied
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.pages import Visitor
from tests.workshop import Workshop

HOSTILE = '<img src=x onerror=alert(1)>"\u202e.txt'
EDITED = {**TEXTS, "pisa.txt": "The tower of Pisa leans by five degrees.", HOSTILE: "<script>"}


@pytest.fixture(scope="module")
def towers(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Towers:
    """Two versions, and something in quarantine."""
    found = copied(shelf, tmp_path_factory.mktemp("knowledge"))
    found.shop.build(EDITED)
    failure = Failure(
        source="memory",
        uri=HOSTILE,
        stage="parse",
        error="DocumentError",
        reason="<b>it is damaged</b>",
    )
    config = found.folder / "towers-index.yaml"
    config.write_text("flow: index\nknowledge_base: towers\nsources: [topics]\nembed: hash\n")
    quarantine.put(found.shop.handle, [failure], "stages")
    from llmops.tasks.knowledge.versions import remember_config

    remember_config(found.shop.handle, str(config))
    return found


@pytest.fixture(scope="module")
def opened(towers: Towers) -> Iterator[App]:
    with application(towers) as found:
        yield found


@pytest.fixture(scope="module")
def visitor(opened: App) -> Visitor:
    found = Visitor(opened)
    found.sign_in()
    return found


def test_versions_and_quarantine_are_shown(visitor: Visitor) -> None:
    shown = visitor.get(f"/knowledge/{BASE}").text
    assert re.findall(r">Version (\d)<", shown) == ["2", "1"]
    assert "The file is damaged, protected or too large" in shown
    assert "&lt;b&gt;it is damaged&lt;/b&gt;" in shown
    assert "<img" not in shown


def test_the_tab_begins_with_the_first_knowledge_base(visitor: Visitor) -> None:
    moved = visitor.get("/knowledge")
    assert (moved.status_code, moved.headers["location"]) == (303, f"/knowledge/{BASE}")


def test_a_search_shows_the_scores_of_each_mode(visitor: Visitor) -> None:
    part = visitor.get(f"/knowledge/{BASE}/search?q=tall%20tower", hx_request="true").text
    assert part.count('class="scores"') == part.count("<li>") >= 3
    assert all(mode in part for mode in ("Together", "Meaning", "Words"))
    assert "<mark>" in part
    assert "<html" not in part
    assert "<html" in visitor.get(f"/knowledge/{BASE}/search?q=tower").text
    hostile = visitor.get(f"/knowledge/{BASE}/search?q=<script>alert(1)</script>").text
    assert "<script>alert" not in hostile


def test_what_changed_is_shown_and_opens_line_by_line(visitor: Visitor) -> None:
    shown = visitor.get(f"/knowledge/{BASE}/versions/2").text
    assert "Added: 1" in shown
    assert "Changed: 1" in shown
    assert "<img" not in shown
    (address,) = set(
        re.findall(r'hx-get="([^"]*/documents/\w+\?with=1)"', shown[shown.index("Changed: 1") :])
    )
    lines = visitor.get(address, hx_request="true").text
    assert re.search(r'class="new"[^>]*>.*leans by five degrees', lines)
    assert visitor.get(address).text.count("<h1>") == 1
    assert "no earlier version" in visitor.get(f"/knowledge/{BASE}/versions/1").text


def test_documents_of_a_version_are_listed(visitor: Visitor) -> None:
    shown = visitor.get(f"/knowledge/{BASE}/versions/1/documents").text
    assert all(uri in shown for uri in TEXTS)
    found = visitor.get(f"/knowledge/{BASE}/versions/1/documents?text=pisa").text
    assert ("pisa.txt" in found, "eiffel.txt" in found) == (True, False)


@pytest.mark.parametrize(
    "path",
    [
        "/knowledge/other",
        "/knowledge/..%2f..%2fetc",
        f"/knowledge/{BASE}/versions/9",
        f"/knowledge/{BASE}/versions/9/documents",
        f"/knowledge/{BASE}/versions/2?with=7",
        f"/knowledge/{BASE}/versions/2?with=2",
        f"/knowledge/{BASE}/versions/2/documents/{'f' * 32}",
        "/knowledge/other/search?q=x",
    ],
)
def test_what_there_is_not_is_not_found(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 404


def test_another_try_wants_whoever_may_build(towers: Towers) -> None:
    with application(towers, keys={"required": True}) as app:
        viewer = Visitor(app)
        viewer.sign_in(key=app.key("viewer"))
        shown = viewer.get(f"/knowledge/{BASE}").text
        assert "Set aside" not in shown
        assert viewer.post(f"/knowledge/{BASE}/retry").status_code == 403
        assert viewer.get(f"/knowledge/{BASE}/retry").status_code == 403
        assert viewer.get("/build").status_code == 403


def test_an_item_that_is_not_there_is_not_tried(visitor: Visitor) -> None:
    assert visitor.post(f"/knowledge/{BASE}/retry", {"item": "nobody"}).status_code == 404


def test_labels_hold_in_everything_that_is_shown(shelf: Workshop, tmp_path: Path) -> None:
    """What the labels of a key do not open is named nowhere: not in a list, a comparison, a search,
    the quarantine, nor by whether it exists.
    """
    closed = copied(shelf, tmp_path)
    closed.shop.facts = MetadataSchema.model_validate(
        {"sources": {"memory": ["hr"]}, "fields": {"year": "integer"}}
    )
    closed.shop.build(EDITED)
    quarantine.put(
        closed.shop.handle,
        [Failure(source="memory", uri="secret.txt", stage="parse", error="E", reason="secret.txt")],
        "stages",
    )
    key = seen.page(closed.shop.handle, 2, ["hr"]).documents[0].doc_id
    names = [*TEXTS, "secret.txt", "onerror", "Eiffel", "Pisa"]
    paths = [
        f"/knowledge/{BASE}",
        f"/knowledge/{BASE}/search?q=tower",
        f"/knowledge/{BASE}/versions/2",
        f"/knowledge/{BASE}/versions/2?with=1",
        f"/knowledge/{BASE}/versions/1/documents",
        f"/knowledge/{BASE}/versions/2/documents?text=pisa",
        f"/knowledge/{BASE}/versions/2/documents/{key}?with=1",
    ]
    with application(closed, keys={"required": True}) as app:
        for labels, named in (([], False), (["other"], False), (["hr"], True)):
            who = Visitor(app)
            scopes = ["ask", "search", "feedback", "admin"]
            more = {"role": "operator", "scopes": scopes, "labels": labels}
            who.sign_in(key=app.key("-".join(["key", *labels]), **more))
            texts = [who.get(path).text for path in paths]
            found = {
                name
                for name in names
                for text in texts
                if name in text.replace("text=pisa", "").replace('value="pisa"', "")
            }
            assert bool(found) is named, found
            tried = who.post(f"/knowledge/{BASE}/retry", {"all": "yes"}).status_code
            assert (tried == 404) is not named


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("", None), ("-1", None), ("٣", None), ("9" * 30, None)]
)
def test_a_version_is_a_plain_number(text: str, number: int | None) -> None:
    assert number_of(text) == number


def test_passages_of_all_modes_stand_together() -> None:
    hit = {
        "uri": "a",
        "title": "a",
        "doc_id": "d",
        "ordinal": 0,
        "text": "tower",
        "start": 0,
        "end": 5,
        "page": None,
        "headings": (),
    }
    results = [
        SearchResult.model_validate(
            {
                "knowledge_base": "x",
                "version": 1,
                "mode": mode,
                "hits": [
                    {**hit, "chunk_id": chunk, "rank": n, "score": n / 10}
                    for n, chunk in enumerate(chunks, 1)
                ],
            }
        )
        for mode, chunks in (("hybrid", "ab"), ("vector", "ca"), ("text", "b"))
    ]
    found = together("tower", results)
    assert [each.hit.chunk_id for each in found] == ["a", "b", "c"]
    assert found[0].places == {"hybrid": (1, 0.1), "vector": (2, 0.2)}
    assert [part.hit for part in found[0].parts] == [True]

"""The page in the hands of somebody who means harm: what is others', forms that no page has sent,
and addresses that lead nowhere.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.access import keys
from llmops.tasks.review import items
from tests.chat.apps import BASE, TALL, Towers, copied
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.forms_sent import fields_of, sent
from tests.deployments.app.page.pages import Visitor
from tests.workshop import Workshop

LONG = "9" * 5_000
HR = """\
flow: index
knowledge_base: staff
sources: [{name: files, path: uploads/staff, labels: [hr]}]
"""
EVERYTHING = {"role": "operator", "scopes": ["ask", "search", "feedback", "admin"]}


@pytest.fixture(scope="module")
def visitor(app: App) -> Visitor:
    found = Visitor(app)
    found.sign_in("Mallory")
    return found


@pytest.fixture(scope="module")
def item(app: App) -> str:
    trace = app.ask(TALL, user="victim").json()["trace_id"]
    app.services.traces.enter(trace)
    return items.ask_a_person(app.towers.home, "guide", "", trace, "", "mine")


@pytest.fixture(scope="module")
def locked(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with application(
        copied(shelf, tmp_path_factory.mktemp("locked")), keys={"required": True}
    ) as found:
        yield found


@pytest.mark.parametrize(
    "path",
    [
        f"/knowledge/{BASE}/versions/99999999999999999999",
        f"/knowledge/{BASE}/versions/{LONG}",
        f"/knowledge/{BASE}/versions/1/documents?after=%00&text=%25_%00",
        f"/knowledge/{BASE}/versions/1/documents/%00?with=1",
        f"/knowledge/{BASE}/search?q=%F0%9F%98%80%ED%A0%80%00",
        f"/knowledge/{BASE}%00",
        "/knowledge/..%2f..",
        f"/review?from={LONG}",
        f"/review/list?from={LONG}&text=%25%00&state=x",
        "/review/%00",
        "/ask/c/%00",
        f"/ask/turns/tr-{'0' * 32}/passages/{LONG}",
        f"/compare/draft?side={LONG}",
        "/compare/draft?side=0&prompt=%00",
        "/compare/events?trial=%00",
        "/build/draft?kb=%00../../etc",
        "/build/draft?file=%00",
        "/build/config?file=..%2fbuild.yaml",
        "/static/x/..%2f..%2fbuild.py",
    ],
)
def test_no_address_breaks_a_page(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code < 500


@pytest.mark.parametrize(
    "fields",
    [
        {"sources.0.was": LONG},
        {"sources.0.was": "٣"},
        {"sources.0.name": "../../x"},
        {"sources.0.path": "a\0b"},
        {"sources.0.storage_options": "{a: .nan}"},
        {"sources.0.storage_options": "[" * 500},
        {"chunk.name": "_cutting"},
        {"chunk.size": LONG},
        {"chunk.size": "nan"},
        {"chunk.size": "1e999"},
        {"embed.name": "__init__"},
        {"knowledge_base": "a\0b"},
        {"golden.0.question": "q\0", "golden.0.uri": "u\n{}"},
        {"action": f"remove-sources.{LONG}"},
        {"action": "add-sources:../../etc/passwd\0"},
        {"action": "drop:../app.yaml"},
    ],
)
def test_no_form_breaks_the_draft(visitor: Visitor, fields: dict[str, str]) -> None:
    draft = fields_of(visitor.get("/build/draft?kb=guide").text)
    assert sent(visitor, {**draft, "action": "check", **fields}).status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"correction": "x" * 20_000},
        {"comment": "x" * 3_000},
        {f"relevant-{number}": f"u{number}" for number in range(150)},
    ],
)
def test_what_is_too_long_for_a_review_is_refused_as_such(
    visitor: Visitor, item: str, fields: dict[str, str]
) -> None:
    assert visitor.post(f"/review/{item}/draft", fields).status_code == 400
    assert visitor.post(f"/review/{item}", {"verdict": "bad", **fields}).status_code == 400


def test_a_draft_is_shown_to_nobody_else(app: App, visitor: Visitor, item: str) -> None:
    victim = Visitor(app)
    victim.sign_in("Victoria")
    victim.post(f"/review/{item}/draft", {"comment": "what I think\0", "reviewer": "Mallory"})
    assert "what I think" in victim.get(f"/review/{item}").text
    assert "what I think" not in visitor.get(f"/review/{item}").text
    assert app.get(f"/v1/review/{item}").json()["draft"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"origin": "http://127.0.0.1:9999", "sec_fetch_site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/review/next", "/build/offer", "/ask/c/conv-1/delete", f"/knowledge/{BASE}/retry"]
)
def test_a_page_of_another_site_changes_nothing(
    visitor: Visitor, path: str, headers: dict[str, str]
) -> None:
    assert visitor.post(path, {"file": "app.yaml"}, **headers).status_code == 403


def test_fields_of_a_form_raise_nobody(locked: App) -> None:
    viewer, reviewer = Visitor(locked), Visitor(locked)
    raised = {"role": "operator", "scopes": "admin", "labels": "hr", "adjudicates": "1"}
    key = locked.key("viewer", scopes=["ask", "search"])
    assert viewer.post("/sign-in", {"key": key, **raised}).status_code == 303
    reviewer.sign_in(key=locked.key("reviewer", role="reviewer"))
    for path in ("/review/next", "/build/run", "/build/offer", "/compare/run"):
        assert viewer.post(path, raised).status_code == 403, path
    assert viewer.post(f"/knowledge/{BASE}/retry", raised).status_code == 403
    assert viewer.get("/review/list").status_code == 403
    assert reviewer.post("/build/offer", {"file": "app.yaml"}).status_code == 403
    assert reviewer.post("/compare/save", {"save": "0"}).status_code == 403


def test_a_page_that_was_open_closes_with_its_key(locked: App) -> None:
    boss = Visitor(locked)
    key, presented = locked.made("boss", **EVERYTHING)
    boss.sign_in(key=presented)
    assert boss.get("/build").status_code == 200
    keys.revoke(locked.towers.home, key.id)
    for path in ("/build", "/review", "/ask/list", f"/knowledge/{BASE}", "/v1/review"):
        assert boss.get(path).status_code in (303, 401), path
    assert boss.post("/review/next").status_code in (303, 401)
    assert boss.post("/build/run", {"do": "build"}).status_code in (303, 401)


def test_names_of_uploads_are_for_those_who_may_see_the_documents(
    shelf: Workshop, tmp_path: Path
) -> None:
    towers: Towers = copied(shelf, tmp_path)
    (towers.folder / "staff.yaml").write_text(HR)
    folder = towers.folder / "uploads" / "staff"
    folder.mkdir(parents=True)
    (folder / "dismissals.md").write_text("secret")
    with application(towers, keys={"required": True}) as app:
        inside, outside = Visitor(app), Visitor(app)
        inside.sign_in(key=app.key("inside", labels=["hr"], **EVERYTHING))
        outside.sign_in(key=app.key("outside", **EVERYTHING))
        for path in ("/build/draft?file=staff.yaml", "/build/draft?kb=staff"):
            assert "dismissals" in inside.get(path).text
            assert "dismissals" not in outside.get(path).text
        fields = fields_of(outside.get("/build/draft?file=staff.yaml").text)
        told = sent(outside, {**fields, "action": "drop:dismissals.md"}).text
        assert "there is no such file" in re.sub(r"\s+", " ", told)
        assert (folder / "dismissals.md").exists()

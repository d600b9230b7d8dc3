"""Sources that somebody opened, noted from the page and over the API."""

from typing import Any

from sqlalchemy import select

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import clicks
from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.readers import Reader


def test_an_opened_source_is_noted_once_it_is_shown(towers: Towers) -> None:
    with application(towers) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, _, _ = reader.answered()
        path = f"/ask/turns/{trace}/passages/1"
        assert [reader.get(path).status_code for _ in range(2)] == [200, 200]
        assert reader.get(f"/ask/turns/{trace}/passages/99").status_code == 404
        rows = opened_sources(app)
        assert [(row.trace_id, row.version) for row in rows] == [(trace, 1)]
        assert len(rows[0].person) == 64
        citation = app.ask(TALL).json()
        own = {"trace_id": citation["trace_id"], "version": 1}
        said = {**own, "chunk_id": citation["citations"][0]["chunk_id"], "user": "Ben"}
        kept = [app.post("/v1/feedback/opened", said).json()["status"] for _ in range(2)]
        assert kept == ["recorded", "updated"]
        for wrong in ({"chunk_id": "../x"}, {"version": -1}, {"more": 1}):
            assert app.post("/v1/feedback/opened", {**said, **wrong}).status_code == 400
        unknown = {**said, "trace_id": f"tr-{'0' * 32}"}
        assert app.post("/v1/feedback/opened", unknown).status_code == 404
        theirs = app.key("theirs")
        assert app.post("/v1/feedback/opened", said, theirs).status_code == 404
        assert len(opened_sources(app)) == 2


def test_where_traces_keep_no_content_no_opened_source_is_noted(towers: Towers) -> None:
    with application(towers, traces={"content": False}) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, _, _ = reader.answered()
        assert reader.get(f"/ask/turns/{trace}/passages/1").status_code == 200
        assert opened_sources(app) == []


def opened_sources(app: App) -> list[Any]:
    with open_ledger(app.towers.home).read() as connection:
        return list(connection.execute(select(clicks).order_by(clicks.c.opened_at)))

"""The review queue over HTTP: who sees what, and what they may do with it."""

import csv
import io
import json
from typing import Any

import pytest

from llmops.tasks.review.export import MARK
from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import App, application

REVIEWS = {"scopes": ["ask", "feedback"], "role": "reviewer"}
EDITS = {"scopes": ["ask", "feedback", "admin"], "role": "editor"}


def asked(app: App, key: str = "", note: str = "") -> dict[str, str]:
    """An answer that somebody wants a person for."""
    trace = app.ask(key=key).json()["trace_id"]
    reply = app.post("/v1/review/ask", {"trace_id": trace, "note": note}, key)
    assert reply.status_code == 200, reply.text
    return {"trace_id": trace, "item": reply.json()["item"]}


def put(app: App, path: str, body: Any, key: str = "") -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return app.client.put(path, json=body, headers=headers)


def test_an_answer_goes_through_the_queue(towers: Towers) -> None:
    with application(towers) as app:
        made = asked(app, note="<b>why</b>")
        assert app.post("/v1/review/claim", {}).json()["error"]["param"] == "reviewer"
        item = app.post("/v1/review/claim", {"reviewer": "ann"}).json()["item"]
        assert (item["id"], item["note"], item["question"]) == (made["item"], "<b>why</b>", TALL)
        assert item["passages"]
        assert item["held_until"]
        assert app.post("/v1/review/claim", {"reviewer": "bob"}).json() == {"item": None}
        typed = {"reviewer": "ann", "draft": {"verdict": "bad", "correction": "33"}}
        assert (
            put(app, f"/v1/review/{item['id']}/draft", typed).json()["draft"]["correction"] == "33"
        )
        again = app.post("/v1/review/claim", {"reviewer": "ann"}).json()["item"]
        assert again["draft"]["correction"] == "33"
        released = app.post(f"/v1/review/{item['id']}/release", {"reviewer": "ann"}).json()
        assert released["held_until"] is None
        said = {"verdict": "bad", "correction": "=330", "relevant": [item["passages"][0]["uri"]]}
        done = app.post(f"/v1/review/{item['id']}", {**said, "reviewer": "ann"}).json()
        assert (done["state"], done["verdict"], done["draft"]) == ("done", "bad", None)
        unsure = {"verdict": "good", "correction": "=330", "reviewer": "bob"}
        refused = app.post(f"/v1/review/{item['id']}", unsure)
        told = "say bad, with the correction, or good, without it"
        assert (refused.status_code, told in refused.text) == (400, True)
        disputed = app.post(f"/v1/review/{item['id']}", {"verdict": "good", "reviewer": "bob"})
        assert disputed.json()["state"] == "disputed"
        found = app.get("/v1/review?state=disputed&text=330").json()
        assert [each["id"] for each in found["items"]] == [item["id"]]
        come = app.get("/v1/review/progress").json()
        assert (come["progress"]["disputed"], come["agreement"]["n"]) == (1, 1)
        exported = app.get("/v1/review?format=csv")
        assert exported.headers["content-type"].startswith("text/csv")
        rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix(MARK), newline="")))
        assert sorted(row["correction"] for row in rows) == ["", "'=330"]
        lines = app.get("/v1/review?format=jsonl").text.splitlines()
        assert {json.loads(line)["reviewer"] for line in lines} == {"guide/ann", "guide/bob"}


def test_only_who_may_review_comes_to_the_queue_and_only_editors_end_a_dispute(
    keyed: App,
) -> None:
    viewer = keyed.key("viewer")
    item = asked(keyed, viewer)["item"]
    for path, body in (("/claim", {}), (f"/{item}", {"verdict": "good"})):
        assert keyed.post(f"/v1/review{path}", body, viewer).status_code == 403
    assert keyed.get("/v1/review", viewer).status_code == 403
    assert keyed.get("/v1/review").status_code == 401
    one, editor = keyed.key("one", **REVIEWS), keyed.key("editor", **EDITS)
    ruling = {"verdict": "good", "adjudicates": True}
    assert keyed.post(f"/v1/review/{item}", ruling, one).status_code == 403
    assert keyed.post(f"/v1/review/{item}", ruling, editor).json()["verdict"] == "good"


def test_with_a_key_nobody_reviews_as_somebody_else(keyed: App) -> None:
    made, one = asked(keyed, keyed.key("asks")), keyed.key("two", **REVIEWS)
    for name in ("x", "y"):
        said = {"verdict": "good", "reviewer": name, "comment": name}
        reply = keyed.post(f"/v1/review/{made['item']}", said, one).json()
    assert [each["number"] for each in reply["reviews"]] == [2]


def test_nobody_sees_what_was_found_with_labels_that_they_do_not_hold(towers: Towers) -> None:
    with application(towers, keys={"required": True}) as app:
        staff = app.key("staff", labels=["staff"])
        item = asked(app, staff)["item"]
        inside = app.key("inside", labels=["staff", "more"], **REVIEWS)
        outside = app.key("outside", **EDITS)
        assert app.get("/v1/review", inside).json()["total"] == 1
        assert app.get("/v1/review", outside).json() == {"items": [], "total": 0}
        assert MARK in (csv_of := app.get("/v1/review?format=csv", outside).text)
        assert item not in csv_of
        assert app.post("/v1/review/claim", {}, outside).json() == {"item": None}
        paths = [f"/v1/review/{item}", "/v1/review/000000000000"]
        told = {app.get(path, outside).json()["error"]["message"] for path in paths}
        told |= {
            app.post(path, {"verdict": "good"}, outside).json()["error"]["message"]
            for path in paths
        }
        told |= {
            put(app, f"{path}/draft", {}, outside).json()["error"]["message"] for path in paths
        }
        assert len(told) == 1
        assert app.get(f"/v1/review/{item}", inside).json()["question"] == TALL


def test_what_others_said_is_hidden_until_one_has_said_something(towers: Towers) -> None:
    from llmops.tasks.review.items import NewItem, enqueue

    with application(towers, keys={"required": True}) as app:
        trace = app.ask(key=app.key("asks")).json()["trace_id"]
        app.services.traces.enter(trace)
        enqueue(towers.home, "guide", "", [NewItem(trace, ("random",), 0.5)], wanted=3)
        first, second = (app.key(name, **REVIEWS) for name in ("first", "second"))
        item = app.post("/v1/review/claim", {}, first).json()["item"]["id"]
        app.post(f"/v1/review/{item}", {"verdict": "bad", "comment": "psst"}, first)
        assert "psst" not in app.get(f"/v1/review/{item}", second).text
        assert "psst" not in app.get("/v1/review?format=jsonl", second).text
        assert "psst" not in app.post("/v1/review/claim", {}, second).text
        assert "psst" in app.post(f"/v1/review/{item}", {"verdict": "good"}, second).text
        assert "psst" in app.get(f"/v1/review/{item}", app.key("edits", **EDITS)).text


def test_a_person_is_asked_for_of_one_s_own_answers_alone(keyed: App) -> None:
    mine, other = keyed.key("mine"), keyed.key("other")
    trace = keyed.ask(key=mine).json()["trace_id"]
    refused = keyed.post("/v1/review/ask", {"trace_id": trace}, other)
    unknown = keyed.post("/v1/review/ask", {"trace_id": f"tr-{'0' * 32}"}, other)
    assert (refused.status_code, refused.json()["error"]["message"]) == (
        404,
        unknown.json()["error"]["message"],
    )


@pytest.mark.parametrize(
    "query", ["state=closed", "limit=0", "format=xml", "rating=fine", "offset=-1"]
)
def test_a_filter_that_is_none_is_said(app: App, query: str) -> None:
    assert app.get(f"/v1/review?{query}").status_code == 400

"""What people said of answers, and what they said at all: theirs, and nobody else's."""

import json
import time
from typing import Any

import pytest

from llmops.tasks.audit import log as audit
from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import open_ledger
from llmops.tasks.traces import index
from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import App, application

UNKNOWN = f"tr-{0:032x}"
EDITOR = {"scopes": ["ask", "admin"], "role": "editor"}


def rate(app: App, trace_id: str, key: str = "", **more: Any) -> tuple[int, Any]:
    response = app.post("/v1/feedback", {"trace_id": trace_id, "rating": "up", **more}, key)
    return response.status_code, response.json()


def settled(app: App, key: str, conversation: str, user: str = "", turns: int = 1) -> Any:
    """The conversation, once the ledger knows so many turns of it."""
    path = f"/v1/conversations/{conversation}?user={user}"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        response = app.get(path, key)
        if len(response.json().get("turns", ())) == turns:
            break
        time.sleep(0.05)
    return response


def test_an_answer_can_be_rated_at_once_and_again(app: App) -> None:
    trace = app.ask().json()["trace_id"]
    assert rate(app, trace, user="anna") == (200, {"trace_id": trace, "status": "recorded"})
    assert rate(app, trace, user="anna", rating="down", comment="no")[1]["status"] == "updated"
    better = {"user": "bo", "rating": "down", "correction": "It is 330 m."}
    assert rate(app, trace, **better)[1]["status"] == "recorded"
    assert rate(app, trace, user="anna", rating=None)[1]["status"] == "updated"


@pytest.mark.parametrize(
    "more",
    [
        {"rating": "sideways"},
        {"comment": "x" * 3_000},
        {"trace_id": "tr-1"},
        {"trace_id": "../../x"},
        {"colour": 1},
        {"correction": "It is 330 m."},  # beside `up`: which of the two is meant?
    ],
)
def test_what_is_no_feedback_is_refused(app: App, more: dict[str, Any]) -> None:
    body = {"trace_id": UNKNOWN, "rating": "up", **more}
    assert app.post("/v1/feedback", body).status_code == 400


def test_answers_of_other_keys_and_those_that_never_were_look_the_same(keyed: App) -> None:
    mine, other = keyed.key("rates"), keyed.key("rates-not")
    trace = keyed.ask(key=mine).json()["trace_id"]
    assert rate(keyed, trace, mine)[0] == 200
    (status, theirs), (same, never) = rate(keyed, trace, other), rate(keyed, UNKNOWN, other)
    assert status == same == 404
    for each in (theirs, never):
        each["error"].pop("request_id")
    assert theirs == never
    reviewer = keyed.key("reviews", role="reviewer")
    assert rate(keyed, trace, reviewer)[0] == 200


def test_a_conversation_is_read_by_who_had_it_and_by_nobody_else(keyed: App) -> None:
    mine, other = keyed.key("talks"), keyed.key("listens")
    named: dict[str, Any] = {"metadata": {"conversation_id": "talk-1"}}
    keyed.ask(key=mine, user="anna", **named)
    keyed.ask("When was Big Ben completed?", mine, user="anna", **named)
    turns = settled(keyed, mine, "talk-1", "anna", 2).json()["turns"]
    assert [turn["question"] for turn in turns] == [TALL, "When was Big Ben completed?"]
    assert "330" in turns[0]["answer"]
    never = keyed.get("/v1/conversations/talk-2?user=anna", mine)
    strangers = [
        keyed.get("/v1/conversations/talk-1?user=anna", other),
        keyed.get("/v1/conversations/talk-1?user=bo", mine),
        keyed.get("/v1/conversations/talk-1", mine),
        keyed.client.delete(
            "/v1/conversations/talk-1?user=anna", headers={"authorization": f"Bearer {other}"}
        ),
    ]
    for each in strangers:
        told = each.json()["error"] | {"request_id": ""}
        assert (each.status_code, told) == (404, never.json()["error"] | {"request_id": ""})


def test_a_conversation_is_deleted_by_who_had_it(keyed: App) -> None:
    key = keyed.key("forgets")
    keyed.ask(key=key, metadata={"conversation_id": "gone-1"})
    assert settled(keyed, key, "gone-1").status_code == 200
    headers = {"authorization": f"Bearer {key}"}
    deleted = keyed.client.delete("/v1/conversations/gone-1", headers=headers)
    assert deleted.json()["places"]["traces"] == 1
    assert keyed.get("/v1/conversations/gone-1", key).status_code == 404
    again = keyed.client.delete("/v1/conversations/gone-1", headers=headers)
    assert again.status_code == 404


def test_nobody_keeps_others_from_deleting_what_they_said(towers: Towers) -> None:
    with application(towers) as app:
        key = app.key("stranger")
        named: dict[str, Any] = {"user": "anna", "metadata": {"conversation_id": "shared"}}
        mine, other = (app.ask(key=each, **named).json()["trace_id"] for each in ("", key))
        for each in (mine, other):
            app.services.traces.enter(each)
        anna = pseudonym(open_ledger(towers.home), "guide/anna")
        gone = app.client.delete("/v1/conversations/shared?user=anna")
        assert gone.json()["places"]["traces"] == 1
        left = index.of_conversation(towers.home, "guide", "shared", anna)
        assert [row.id for row in left] == [other]


def test_a_user_is_forgotten_by_operators_alone(towers: Towers) -> None:
    with application(towers) as app:
        user, boss = app.key("user"), app.key("boss", scopes=["admin"], role="operator")
        app.ask("How tall is my Eiffel Tower in Gotham?", user="anna")
        deadline = time.monotonic() + 10
        spool = towers.home / "spool"
        while "Gotham" not in _texts(spool) and time.monotonic() < deadline:
            time.sleep(0.05)
        for key, status in (("", 401), (user, 403), (boss, 200)):
            headers = {"authorization": f"Bearer {key}"} if key else {}
            response = app.client.delete("/v1/users/anna", headers=headers)
            assert response.status_code == status
        assert response.json()["places"]["traces"] == 1
        assert "Gotham" not in _texts(spool)
    entries = audit.entries(towers.home, action="erase_person")
    assert len(entries) == 1


def _texts(spool: Any) -> str:
    return "".join(file.read_text() for file in spool.rglob("*.json"))


def test_editors_write_answers_that_everybody_gets(keyed: App) -> None:
    editor = keyed.key("editor", scopes=["ask", "admin"], role="editor")
    asks = keyed.key("asks-only-this", scopes=["ask"])
    body = {"question": "What is the password of the tower?", "answer": "There is none."}
    assert keyed.post("/v1/answers", body, asks).status_code == 403
    made = keyed.post("/v1/answers", body, editor).json()
    assert [each["id"] for each in keyed.get("/v1/answers", editor).json()["data"]] == [made["id"]]
    deadline = time.monotonic() + 10  # the application looks for new ones every few seconds
    while time.monotonic() < deadline:
        said = keyed.ask(body["question"], asks).json()
        if said["cached"] == "curated":
            break
        time.sleep(0.1)
    assert said["choices"][0]["message"]["content"] == "There is none."
    assert said["cached"] == "curated"
    headers = {"authorization": f"Bearer {editor}"}
    gone = keyed.client.delete(f"/v1/answers/{made['id']}", headers=headers)
    assert gone.json()["retired_at"]
    assert keyed.get("/v1/answers", editor).json() == {"data": []}
    assert keyed.client.delete("/v1/answers/" + "0" * 12, headers=headers).status_code == 404
    nowhere = {**body, "trace_id": f"tr-{'0' * 32}"}  # not asked for in MLflow, which is away
    assert keyed.post("/v1/answers", nowhere, editor).status_code == 404
    assert json.dumps([each.who for each in audit.entries(keyed.towers.home, action="curate")])


def test_a_user_of_any_name_can_be_forgotten(towers: Towers) -> None:
    with application(towers) as app:
        assert app.ask(user="team/anna").status_code == 200
        key = app.key("boss", scopes=["admin"], role="operator")
        headers = {"authorization": f"Bearer {key}"}
        for name in ("team%2Fanna", "nobody"):
            gone = app.client.delete(f"/v1/users/{name}", headers=headers)
            places = gone.json()["places"]
            assert (gone.status_code, places.get("people")) == (
                200,
                1 if name != "nobody" else None,
            )


def test_a_correction_goes_to_those_who_could_read_what_it_corrects(towers: Towers) -> None:
    with application(towers, keys={"required": True}, curated={"threshold": 1}) as app:
        staff, editor = app.key("staff", labels=["staff"]), app.key("ed", **EDITOR)
        trace = app.ask(key=staff).json()["trace_id"]
        body = {"question": TALL, "answer": "A secret.", "trace_id": trace}
        deadline = time.monotonic() + 10  # until the trace is kept
        while time.monotonic() < deadline:
            made = app.post("/v1/answers", body, editor)
            if made.status_code == 200:
                break
            time.sleep(0.1)
        assert made.json()["labels"] == ["staff"]
        for given in ([], ["boss"]):
            assert (
                app.post("/v1/answers", {**body, "labels": given}, editor).json()["labels"] == given
            )

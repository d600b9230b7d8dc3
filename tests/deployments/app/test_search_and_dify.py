"""`/v1/search`, and the same for Dify."""

from typing import Any

import pytest
from httpx2 import Response

from llmops.tasks.knowledge.reading import allowed, hits, searcher
from tests.chat.apps import BASE, TALL
from tests.deployments.app.apps import App

SETTING = {"top_k": 2, "score_threshold": 0.0}


def test_a_search_gives_what_the_command_gives(app: App) -> None:
    said = app.search(k=2).json()
    live = app.towers.shop.live
    seen = searcher(app.towers.home, live, allowed(live, "", ()))
    expected = hits(seen.search(TALL, 2, "hybrid"))
    trace = said.pop("trace_id")
    wanted = {"knowledge_base": BASE, "version": 1, "mode": "hybrid", "hits": expected}
    assert said == {**wanted, "warnings": []}
    assert trace.startswith("tr-")


def test_a_condition_narrows_it(app: App) -> None:
    said = app.search(where='uri = "pisa.txt"').json()
    assert {hit["uri"] for hit in said["hits"]} == {"pisa.txt"}


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"where": "colour = 1"}, 400, "invalid_condition"),
        ({"where": "uri ="}, 400, "invalid_condition"),
        ({"where": 'labels contains "hr"'}, 400, "invalid_condition"),
        ({"k": 0}, 400, "invalid_value"),
        ({"k": 1001}, 400, "invalid_value"),
        ({"mode": "magic"}, 400, "invalid_value"),
        ({"query": "  "}, 400, "invalid_value"),
        ({"knowledge_base": "other"}, 404, "knowledge_base_not_found"),
        ({"knowledge_base": "../../etc/passwd"}, 404, "knowledge_base_not_found"),
        ({"colour": 1}, 400, "invalid_value"),
    ],
)
def test_what_is_wrong_with_a_search_is_named(
    app: App, more: dict[str, Any], status: int, code: str
) -> None:
    response = app.search(**more)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_a_key_that_there_is_not_is_named_in_plain_words(app: App) -> None:
    error = app.search(colour=1).json()["error"]
    assert (error["message"], error["param"]) == ("unknown key 'colour'", "colour")


def retrieval(app: App, body: Any, authorization: str | None = "Bearer any") -> Response:
    headers = {"authorization": authorization} if authorization is not None else {}
    return app.client.post("/retrieval", json=body, headers=headers)


def asked(**more: Any) -> dict[str, Any]:
    return {"knowledge_id": BASE, "query": TALL, "retrieval_setting": SETTING, **more}


def test_dify_gets_records_as_documented(app: App) -> None:
    response = retrieval(app, asked())
    records = response.json()["records"]
    assert response.status_code == 200
    assert "330 metres" in records[0]["content"]
    assert records[0]["title"] == "eiffel.txt"
    assert isinstance(records[0]["metadata"], dict)
    assert records[0]["metadata"]["path"] == "eiffel.txt"
    assert all(0 <= record["score"] <= 1 for record in records)
    scores = [record["score"] for record in records]
    assert scores == sorted(scores, reverse=True)


def test_dify_s_threshold_and_number_are_kept(app: App) -> None:
    setting = {"top_k": 3, "score_threshold": 0.99}
    assert len(retrieval(app, asked(retrieval_setting=setting)).json()["records"]) == 1
    setting = {"top_k": 1, "score_threshold": 0.0}
    assert len(retrieval(app, asked(retrieval_setting=setting)).json()["records"]) == 1


def test_dify_s_conditions_reach_the_store(app: App) -> None:
    condition = {"name": "path", "comparison_operator": "end with", "value": "sa.txt"}
    body = asked(metadata_condition={"logical_operator": "and", "conditions": [condition]})
    records = retrieval(app, body).json()["records"]
    assert {record["title"] for record in records} == {"pisa.txt"}
    condition["value"] = "nothing ends so"
    assert retrieval(app, body).json() == {"records": []}


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic abc", "any", "Bearer a b"])
def test_dify_is_told_of_a_malformed_authorization(app: App, authorization: str | None) -> None:
    response = retrieval(app, asked(), authorization)
    assert (response.status_code, response.json()["error_code"]) == (401, 1001)


def test_dify_is_told_of_a_wrong_key(keyed: App) -> None:
    for key in ("any", "llmops_" + "x" * 43):
        response = retrieval(keyed, asked(), f"Bearer {key}")
        assert (response.status_code, response.json()["error_code"]) == (401, 1002)
    only = keyed.key("asks-only", scopes=["ask"])
    response = retrieval(keyed, asked(), f"Bearer {only}")
    assert (response.status_code, response.json()["error_code"]) == (403, 1002)
    good = keyed.key("dify", scopes=["search"])
    assert retrieval(keyed, asked(), f"Bearer {good}").status_code == 200


def test_dify_is_told_of_an_unknown_knowledge_base(app: App) -> None:
    response = retrieval(app, asked(knowledge_id="../other"))
    assert (response.status_code, response.json()["error_code"]) == (404, 2001)
    assert set(response.json()) == {"error_code", "error_msg"}


@pytest.mark.parametrize(
    "more",
    [
        {"query": ""},
        {"retrieval_setting": {"top_k": 0}},
        {"metadata_condition": {"conditions": [{"name": "x", "comparison_operator": "is"}]}},
        {"metadata_condition": {"conditions": [{"name": "x", "comparison_operator": "near"}]}},
    ],
)
def test_what_else_is_wrong_is_told_in_dify_s_shape(app: App, more: dict[str, Any]) -> None:
    response = retrieval(app, asked(**more))
    assert response.status_code == 400
    assert response.json()["error_code"] == 400


def test_a_body_without_its_key_or_its_type_says_which(app: App) -> None:
    told = app.client.post("/v1/search", json={"question": "tower"}).json()["error"]
    assert "query" in told["message"]
    untyped = app.client.post("/v1/search", content=b'{"query": "tower"}').json()["error"]
    assert "content-type: application/json" in untyped["message"]

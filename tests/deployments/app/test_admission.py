"""Who comes in: keys, what they are for, how often, and what they may spend."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.deployments.app.admission import wanted
from llmops.tasks.access import keys
from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import MANY, App, application
from tests.openai_server import Service

ASK = {"model": "guide", "messages": [{"role": "user", "content": TALL}]}
SEARCH = {"query": TALL}
OPENED = {"trace_id": f"tr-{0:032x}", "chunk_id": "a1", "version": 1}
FEEDBACK = {"trace_id": f"tr-{0:032x}", "rating": "up"}
RETRIEVE = {"knowledge_id": "towers", "query": TALL, "retrieval_setting": {"top_k": 1}}
CALLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ROUTES = [
    ("POST", "/v1/chat/completions", ASK, "ask"),
    ("POST", "/v1/search", SEARCH, "search"),
    ("POST", "/retrieval", RETRIEVE, "search"),
    ("POST", "/v1/feedback", FEEDBACK, "feedback"),
    ("POST", "/v1/feedback/opened", OPENED, "feedback"),
    ("GET", "/metrics", None, "admin"),
]
OTHERS = [
    ("GET", "/v1/models", None),
    ("GET", "/openapi.json", None),
    ("POST", "/mcp", CALLS),
    ("GET", "/nothing", None),
    ("GET", "/v1/chat/completions/../../metrics", None),
]


def send(app: App, method: str, path: str, body: Any, key: str = "") -> int:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return app.client.request(method, path, json=body, headers=headers).status_code


@pytest.mark.parametrize(("method", "path", "body", "scope"), ROUTES)
def test_without_a_key_nobody_comes_in(
    keyed: App, method: str, path: str, body: Any, scope: str
) -> None:
    assert send(keyed, method, path, body) == 401
    assert send(keyed, method, path, body, "sk-made-up") == 401
    assert send(keyed, method, path, body, "llmops_" + "a" * 43) == 401


@pytest.mark.parametrize(("method", "path", "body"), OTHERS)
def test_what_no_scope_is_named_for_wants_a_key_too(
    keyed: App, method: str, path: str, body: Any
) -> None:
    assert send(keyed, method, path, body) == 401


@pytest.mark.parametrize("path", ["/health", "/ready", "/sign-in"])
def test_whether_it_runs_is_no_secret(keyed: App, path: str) -> None:
    assert send(keyed, "GET", path, None) == 200


@pytest.mark.parametrize(("method", "path", "body", "scope"), ROUTES)
def test_a_key_is_good_for_its_scopes_alone(
    keyed: App, method: str, path: str, body: Any, scope: str
) -> None:
    others, name = (
        sorted({"ask", "search", "feedback"} - {scope}),
        path.strip("/").replace("/", "-"),
    )
    wrong = keyed.key(f"not-{name}", scopes=others)
    assert send(keyed, method, path, body, wrong) == 403
    role = "operator" if scope == "admin" else "viewer"
    right = keyed.key(f"only-{name}", scopes=[scope], role=role)
    assert send(keyed, method, path, body, right) in (200, 404)  # 404: of a trace that is not there


def test_a_refusal_says_what_is_wanted(keyed: App) -> None:
    response = keyed.post("/v1/search", SEARCH)
    assert response.headers["www-authenticate"] == "Bearer"
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("authentication_error", "missing_api_key")
    key = keyed.key("asks", scopes=["ask"])
    error = keyed.post("/v1/search", SEARCH, key).json()["error"]
    assert (error["type"], error["code"]) == ("permission_error", "insufficient_scope")


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer  ", "Basic eDp5", "bearer\tx", "Bearer é", "Bearer " + "x" * 600]
)
def test_what_is_no_bearer_token_is_no_key(keyed: App, given: str) -> None:
    headers = [(b"authorization", given.encode("latin-1"))]
    assert keyed.client.post("/v1/search", json=SEARCH, headers=headers).status_code == 401


def test_the_scheme_is_written_as_anybody_likes(keyed: App) -> None:
    key = keyed.key("scheme")
    headers = {"authorization": f"bEARER {key}"}
    assert keyed.client.post("/v1/search", json=SEARCH, headers=headers).status_code == 200


def test_a_revoked_key_ends_within_a_second(keyed: App) -> None:
    key = keyed.key("short-lived")
    assert keyed.search(key=key).status_code == 200
    keys.revoke(keyed.towers.home, "short-lived")
    keys.KNOWN._found.clear()  # another process has revoked it: what this one knows lasts a second
    assert keyed.search(key=key).status_code == 401


def test_where_no_key_is_wanted_any_token_passes_but_one_of_ours_has_to_be_valid(app: App) -> None:
    assert app.search(key="sk-whatever").status_code == 200
    assert app.search(key="llmops_" + "b" * 43).status_code == 401
    narrow = app.key("narrow", scopes=["ask"])
    assert app.search(key=narrow).status_code == 403


def test_too_many_requests_wait_and_are_told_how_long(towers: Towers) -> None:
    with application(towers, limits=MANY, keys={"required": True}) as app:
        key, other = app.key("slow", requests_per_minute=3), app.key("other")
        assert [app.search(key=key).status_code for _ in range(4)] == [200, 200, 200, 429]
        response = app.search(key=key)
        assert 1 <= int(response.headers["retry-after"]) <= 20
        assert response.json()["error"]["type"] == "rate_limit_error"
        assert app.search(key=other).status_code == 200  # nobody else waits for it


def test_the_config_limits_those_whose_key_does_not(towers: Towers) -> None:
    with application(towers, limits={"requests_per_minute": 2}) as app:
        assert [app.search().status_code for _ in range(3)] == [200, 200, 429]
        assert app.get("/health").status_code == 200


@pytest.fixture
def paid(towers: Towers, service: Service) -> Iterator[App]:
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    prices = {"price_in": 100.0, "price_out": 100.0}
    with application(towers, llm=llm | prices, keys={"required": True}) as app:
        yield app


def test_the_money_of_a_key_ends_and_the_reset_is_named(paid: App) -> None:
    poor, rich = paid.key("poor", usd_per_month=0.0001), paid.key("rich", usd_per_month=1000)
    response = paid.ask(key=poor)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (429, "budget_exceeded")
    assert "the next begins at 20" in error["message"]
    assert int(response.headers["retry-after"]) > 0
    assert response.headers["x-should-retry"] == "false"  # OpenAI's clients would try again
    assert paid.ask(key=poor, stream=True).status_code == 429
    assert paid.ask(key=rich).status_code == 200
    assert paid.search(key=poor).status_code == 200  # which costs nothing


def test_the_money_of_the_application_ends_too(towers: Towers, service: Service) -> None:
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    prices = {"price_in": 100.0, "price_out": 100.0}
    limits = {**MANY, "usd_per_month": 0.0001}
    with application(towers, llm=llm | prices, limits=limits) as app:
        assert app.ask().json()["error"]["code"] == "budget_exceeded"


def test_labels_of_a_key_open_documents_and_no_request_does(towers: Towers, tmp_path: Path) -> None:
    from llmops.tasks.filters.metadata import MetadataSchema

    towers.shop.facts = MetadataSchema.model_validate({"sources": {"memory": ["staff"]}})
    towers.shop.build({"eiffel.txt": "The Eiffel Tower is closed on Monday for staff training."})
    with application(towers, keys={"required": True}) as app:
        plain, staff = app.key("plain"), app.key("staff", labels=["staff"])
        assert app.search(key=plain).json()["hits"] == []
        assert len(app.search(key=staff).json()["hits"]) == 1
        assert "Monday" in app.ask("When is the Eiffel Tower closed?", staff).text
        assert "Monday" not in app.ask("When is the Eiffel Tower closed?", plain).text
        assert app.search(key=plain, labels=["staff"]).status_code == 400


def test_keys_are_in_no_log_and_no_trace(towers: Towers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with application(towers, keys={"required": True}) as app:
        key = app.key("quiet")
        assert app.ask(key=key).status_code == 200
        app.get(f"/v1/models?api_key={key}", key)
        app.search(key="llmops_" + "c" * 43)
        asked = app.ask(f"My key is {key}. How tall is the Eiffel Tower?", key).json()
        time.sleep(0.2)
    logged = "".join(
        each.getMessage() for each in caplog.records if not each.name.startswith("httpx")
    )
    assert key not in logged
    assert "c" * 43 not in logged
    spool = "".join(file.read_text() for file in (towers.home / "spool").rglob("*.json"))
    assert asked["trace_id"] in spool
    assert key not in spool
    assert json.dumps(key)[8:40] not in spool


@pytest.mark.parametrize(
    ("path", "need"),
    [
        ("/", "any"),
        ("/sign-in", "open"),
        ("/ask/c/x", "ask"),
        ("/health", "open"),
        ("/healthy", "any"),
        ("/v1/chat/completions", "ask"),
        ("/v1/chat", "any"),
        ("/v1/conversations/c1", "ask"),
        ("/v1/users/anna", "delete"),
        ("/metrics", "admin"),
        ("//metrics", "any"),
        ("", "any"),
    ],
)
def test_what_a_path_wants(path: str, need: str) -> None:
    assert wanted(path) == need

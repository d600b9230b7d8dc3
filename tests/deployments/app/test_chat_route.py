"""Chat completions: what OpenAI's clients send and get, and what is ours beside it."""

from typing import Any

import pytest

from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import App, application, events, text_of
from tests.openai_server import Answer, Service

MODEL = {"name": "openai", "model": "m", "price_in": 1.0, "price_out": 2.0, "retries": 0}


def test_an_answer_has_its_sources_its_trace_and_its_usage(app: App) -> None:
    response = app.ask()
    said = response.json()
    assert response.status_code == 200
    assert "330 metres" in said["choices"][0]["message"]["content"]
    assert said["object"] == "chat.completion"
    assert said["model"] == "guide"
    assert said["choices"][0]["finish_reason"] == "stop"
    first = said["citations"][0]
    assert (first["uri"], first["knowledge_base"], first["version"]) == ("eiffel.txt", "towers", 1)
    assert first["text"][first["start"] : first["end"]] or first["end"] > first["start"]
    usage = said["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
    assert said["trace_id"] == response.headers["x-trace-id"]
    assert said["trace_id"].startswith("tr-")


def test_a_stream_says_the_same_and_ends_with_what_is_ours(app: App) -> None:
    whole = app.ask().json()
    response = app.ask(stream=True)
    chunks = events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert text_of(chunks) == whole["choices"][0]["message"]["content"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    last = chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["citations"] == whole["citations"]
    assert last["trace_id"] == response.headers["x-trace-id"]
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}


def test_a_stream_tells_its_usage_where_that_is_wanted(app: App) -> None:
    chunks = events(app.ask(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_models_are_the_application_and_its_knowledge_bases(app: App, towers: Towers) -> None:
    assert [each["id"] for each in app.get("/v1/models").json()["data"]] == ["guide"]
    assert app.get("/v1/models/guide").json()["object"] == "model"
    gone = app.get("/v1/models/gpt-4o")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")
    with application(towers, knowledge_bases=["towers", "other"]) as two:
        names = [each["id"] for each in two.get("/v1/models").json()["data"]]
        assert names == ["guide", "guide/towers", "guide/other"]
        assert two.ask(model="guide/towers").json()["knowledge_base"] == "towers"
        never = two.ask(model="guide/other")
        assert (never.status_code, never.json()["error"]["code"]) == (503, "unavailable")
        told = "the knowledge base 'other' has no published version yet"
        assert told in never.json()["error"]["message"]
        assert str(towers.home) not in never.text


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"model": "gpt-4o"}, "model", "model_not_found"),
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"tools": [{"type": "function"}]}, "tools", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"temperature": 9}, "temperature", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "messages", "invalid_value"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages", "invalid_value"),
        ({"metadata": {"conversation_id": "../x"}}, "metadata.conversation_id", "invalid_value"),
        ({"knowledge_base": "secret"}, "knowledge_base", "knowledge_base_not_found"),
    ],
)
def test_what_cannot_be_done_is_refused_and_named(
    app: App, more: dict[str, Any], param: str, code: str
) -> None:
    response = app.ask(**more)
    error = response.json()["error"]
    assert response.status_code in (400, 404)
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert error["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "more",
    [
        {"logit_bias": {"1": 2}, "store": False, "service_tier": "auto", "unheard_of": 1},
        {"response_format": {"type": "text"}, "tools": [], "tool_choice": "none", "n": 1},
        {"max_completion_tokens": 50, "seed": 1, "stop": ["\n\n"], "top_p": 0.5},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": TALL}]}]},
        {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": TALL}]},
        {"metadata": {"anything": "else"}, "user": "anna"},
        {"stream": None, "temperature": None},
    ],
)
def test_what_clients_send_beside_is_taken(app: App, more: dict[str, Any]) -> None:
    assert app.ask(**more).status_code == 200


def test_a_conversation_keeps_its_name(app: App) -> None:
    first = app.ask().json()["conversation_id"]
    assert app.ask().json()["conversation_id"] != first
    assert app.ask(metadata={"conversation_id": "c1"}).json()["conversation_id"] == "c1"
    body = {"model": "guide", "messages": [{"role": "user", "content": TALL}]}
    named = app.post("/v1/chat/completions", body, x_conversation_id="c2")
    assert named.json()["conversation_id"] == "c2"
    assert app.post("/v1/chat/completions", body, x_conversation_id="a b").status_code == 400


def test_what_no_document_says_is_no_answer_and_says_why(app: App) -> None:
    said = app.ask("xylophone zebra").json()
    assert said["choices"][0]["finish_reason"] == "stop"


def test_a_model_that_fails_is_told_without_what_it_said(towers: Towers, service: Service) -> None:
    llm = {**MODEL, "base_url": service.base_url, "api_key": "sk-hidden-123"}
    with application(towers, llm=llm) as app:
        service.script = [Answer(401, b'{"error": {"message": "bad key sk-hidden-123"}}')]
        failed = app.ask()
        assert failed.status_code == 503
        assert "hidden" not in failed.text
        assert service.base_url not in failed.text


def test_a_stream_that_breaks_off_ends_with_its_error(towers: Towers, service: Service) -> None:
    llm = {**MODEL, "base_url": service.base_url, "api_key": "k"}
    piece = b'data: {"choices":[{"index":0,"delta":{"content":"It is"},"finish_reason":null}]}\n\n'
    with application(towers, llm=llm) as app:
        service.script = [Answer(200, piece, {}, "text/event-stream")]
        chunks = events(app.ask(stream=True))
    assert text_of(chunks).strip() == "It is"
    assert chunks[-1]["error"]["type"] == "server_error"


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-0123456789abcdefABCDEF0123", f"llmops_{'a1' * 21}x", "AKIAIOSFODNN7EXAMPLE"],
)
def test_a_secret_is_no_conversation_s_id(app: App, secret: str) -> None:
    said = app.ask(metadata={"conversation_id": secret})
    assert (said.status_code, said.json()["error"]["code"]) == (400, "invalid_conversation")
    assert secret not in said.text
    named = app.post(
        "/v1/chat/completions",
        {"model": "guide", "messages": [{"role": "user", "content": TALL}]},
        x_conversation_id=secret,
    )
    assert named.status_code == 400


@pytest.mark.parametrize(
    "plain",
    [
        *("c-17", "0c9ea1f0-7b1c-4d2e-9f5c-1c2a3b4d5e6f", "0c9ea1f07b1c4d2e9f5c1c2a3b4d5e6f"),
        *("thread_abc123DEF456ghi789JKL012", "01HZX3V8J9K2M4N6P8Q0R2S4T6", "a" * 64),
        *("user:anna:2026-11-29", "conv-1c2a3b4d5e6f7a8b9c0d1e2f"),
    ],
)
def test_ids_as_clients_make_them_up_are_taken(app: App, plain: str) -> None:
    said = app.ask(metadata={"conversation_id": plain}).json()
    assert said["conversation_id"] == plain

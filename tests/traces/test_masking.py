"""Secrets never reach a trace, and what cannot be looked through does not either."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from llmops.tasks.traces import masking
from llmops.tasks.traces.masking import SECRET, UNREADABLE, bounded, masked, masked_value
from tests.traces.made import PASSAGE, recorded, recorder

KEY_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" * 3
SECRETS = {
    "our own key": f"llmops_{'aB3-_' * 8}xyz",
    "openai": "sk-proj-0123456789abcdefABCDEF0123",
    "github": f"ghp_{'a1B2' * 9}",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1rwW1",
    "pem": f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n-----END RSA PRIVATE KEY-----",
    "half a pem": f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}",
    "basic": "authorization = Basic dXNlcjpwYXNzd29yZHM=",
    "bearer": "Authorization: Bearer abcdefgh12345678",
    "login": "postgresql://app:hunter2secret9@db/prod",
    "pair": "api_key=9f8e7d6c5b4a",
    "amazon's key": "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE",
    "azure": f"AccountKey={'aB3dE6gH' * 10}==",
    "cookie": "Cookie: session=c00k1e5ess10n",
    "telegram": f"123456789:AA{'F3dE6gH9jK2' * 3}",
    "json": '{"password": "Tr0ub4dor&3"}',
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_go_by_their_shape(name: str) -> None:
    text = SECRETS[name]
    value = masked_value(f"Why does this fail: {text} ?")
    assert SECRET in str(value)
    for part in (
        KEY_BODY,
        "hunter2secret9",
        "9f8e7d6c5b4a",
        "Tr0ub4dor",
        "abcdefgh12345678",
        "dXNlcjpw",
        "wJalrXUtnFEMI",
        "aB3dE6gH",
        "c00k1e5ess10n",
        "F3dE6gH9jK2",
    ):
        assert part not in str(value)
    assert str(value).startswith("Why does this fail: ")


KEYS = ("api_key", "apiKey", "X-Api-Key", "Authorization", "dbPassword", "client_secret")


@pytest.mark.parametrize("key", [*KEYS, "access_token", "cookie"])
def test_secrets_go_by_the_name_of_their_key(key: str) -> None:
    assert masked_value({key: "x", "deep": [{key: 12345}]}) == {
        key: SECRET,
        "deep": [{key: SECRET}],
    }


@pytest.mark.parametrize(
    "value",
    [
        {"max_tokens": 5, "gen_ai.usage.input_tokens": 3, "tokens": [1, 2]},
        {"key": "reset", "author": "Ann", "authors": ["Bob"], "secretary": "Eve"},
        "How do I reset my password? The token of my bank is lost.",
        "Basic authentication is described in chapter 3: see the bearer of news",
        {"token": None, "password": True},
    ],
)
def test_what_is_no_secret_stays(value: object) -> None:
    assert masked_value(value) == value


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no")


class BrokenList(list[object]):
    def __iter__(self) -> Iterator[object]:
        raise RuntimeError("no")


def test_it_fails_closed_for_one_value_alone() -> None:
    circle: list[object] = []
    circle.append(circle)
    value = masked_value({"a": Broken(), "b": BrokenList([1]), "c": "stays", "d": b"\x00\xff"})
    assert value == {"a": UNREADABLE, "b": UNREADABLE, "c": "stays", "d": UNREADABLE}
    assert UNREADABLE in json.dumps(masked_value(circle))
    assert masked_value({"n": float("nan"), "half": "\ud800"}) == {"n": "nan", "half": "?"}


def test_long_values_are_cut_and_say_so() -> None:
    text = masked_value("a b " * 20_000)
    assert isinstance(text, str)
    assert len(text) < masking.TEXT_LENGTH + 100
    assert text.endswith("[cut: it had 80,000 characters]")
    items = masked_value(list(range(5_000)))
    assert isinstance(items, list)
    assert items[-1] == "[cut: it had 5,000 items]"
    at_the_cut = "x" * (masking.TEXT_LENGTH - 10) + " " + SECRETS["github"]
    assert "ghp_" not in str(masked_value(at_the_cut))


def test_a_trace_too_large_keeps_question_and_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "MOST_BYTES", 20_000)
    made = recorder()
    for _ in range(5):
        with made.span("retrieve", "RETRIEVER", "x" * 9_000):
            pass
    trace = bounded(masked(made.finish("yes")))
    assert len(trace.model_dump_json()) < 25_000
    assert (trace.answer, trace.question) == ("yes", "How do I reset my password?")
    assert sum(span.outputs == masking.TOO_LARGE for span in trace.spans) == 4


def test_every_text_of_a_trace_is_masked() -> None:
    secret = SECRETS["openai"]
    made = recorder(f"My key {secret} fails")
    made.tags["note"] = secret
    with contextlib.suppress(ValueError), made.span("call", "TOOL", {"x": secret}) as span:
        span.outputs = [secret]
        span.attributes["gen_ai.input.messages"] = [{"content": secret}]
        raise ValueError(secret)
    assert secret not in masked(made.finish(f"Your key is {secret}")).model_dump_json()


def test_without_content_ids_numbers_and_versions_stay() -> None:
    trace = masked(recorded("my question", "my answer"), content=False)
    text = trace.model_dump_json()
    for said in ("my question", "my answer", PASSAGE, "How do I"):
        assert said not in text
    retrieve, generate = trace.spans[1:]
    assert retrieve.attributes["gen_ai.retrieval.documents"] == [{"id": "a1", "score": 0.75}]
    assert retrieve.attributes["gen_ai.data_source.id"] == "handbook@3"
    assert "gen_ai.retrieval.query.text" not in str(
        {key: value for key, value in retrieve.attributes.items() if value}
    )
    assert generate.attributes["gen_ai.usage.input_tokens"] == 120
    assert (trace.cost_usd, trace.tags["version"]) == (0.0025, "3")

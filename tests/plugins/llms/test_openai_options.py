"""Options of the OpenAI-compatible model, and what headers say about waiting."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.configs.reading import plugin_mistakes
from llmops.tasks.endpoints.trouble import duration, retry_after, waiting
from llmops.tasks.plugins import Plugin
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.llms import Llm, Message, Request
from llmops.tasks.plugins.llms.openai import OpenAILlm


def test_the_key_is_not_shown_and_changes_no_fingerprint() -> None:
    one, other = (
        OpenAILlm(model="small", api_key="sesame"),
        OpenAILlm(model="small", api_key="open", base_url="http://other/v1", timeout=3),
    )
    assert "sesame" not in repr(one) + one.model_dump_json()
    assert one.fingerprint() == other.fingerprint() != OpenAILlm(model="large").fingerprint()
    assert one.fingerprint() != OpenAILlm(model="small", temperature=0.5).fingerprint()
    changes: list[dict[str, Any]] = [
        {"max_tokens": 5},
        {"parameters": {"seed": 1}},
        {"json_mode": "object"},
        {"json_mode": "object_schema"},
        {"json_mode": "off"},
    ]
    assert (
        len(
            {
                one.fingerprint(),
                *(OpenAILlm(model="small", **change).fingerprint() for change in changes),
            }
        )
        == 6
    )
    same = OpenAILlm(
        model="small",
        price_in=1,
        requests_per_minute=5,
        tokens_per_minute=5,
        patience=5,
        retries=0,
        stream=True,
    )
    assert (
        one.fingerprint() == same.fingerprint() == "e31f7bc57db244bd"
    )  # replies that homes remember are found by it


def test_odd_options_are_said_without_the_key() -> None:
    odd: list[tuple[dict[str, Any], str]] = [
        ({"api_key": "ses ame-secret"}, "printable ASCII"),
        ({"api_key": "sesamé-secret"}, "printable ASCII"),
        ({"parameters": {"stream": True}}, "stream does not belong here"),
        ({"json_mode": "xml"}, "'schema', 'object', 'object_schema' or 'off'"),
    ]
    for options, says in odd:
        with pytest.raises(ValidationError, match=says) as caught:
            OpenAILlm(model="small", **options)
        assert "secret" not in str(caught.value)
    assert OpenAILlm(model="small", api_key=" sesame\n").key == "sesame"
    assert (
        OpenAILlm(model="small", json_mode=False).json_mode,
        OpenAILlm(model="small", json_mode=True).json_mode,
    ) == ("off", "schema")


def test_an_address_is_wanted() -> None:
    with pytest.raises(ValidationError, match="an address is wanted"):
        OpenAILlm(model="small", base_url="localhost:8000")


@pytest.mark.slow
@pytest.mark.parametrize(
    "base_url",
    [
        "https://me:sesame@host/v1",
        "https://sesame@host/v1",
        "https://me:ses/ame@host/v1",
        "https://me:ses?ame@host/v1",
        "https://host/v1?token=sesame",
        "https://host/v1#sesame",
    ],
)
@pytest.mark.parametrize(
    ("family", "options"),
    [
        (Llm, {"name": "openai"}),
        (Llm, {"name": "litellm"}),
        (Embedder, {"name": "openai", "dimensions": 384}),
    ],
)
def test_secrets_in_an_address_are_refused_and_not_repeated(
    family: type[Plugin], options: dict[str, Any], base_url: str
) -> None:
    if options["name"] == "litellm":
        pytest.importorskip("litellm")
    (mistake,) = plugin_mistakes({**options, "model": "small", "base_url": base_url}, family, "llm")
    assert (mistake.where, 'api_key: "${NAME}"' in mistake.hint) == ("llm.base_url", True)
    assert re.search(r"holds a (user or a password|query)", mistake.message)
    assert not re.search("ses.?ame", str(mistake))


@pytest.mark.parametrize(
    "base_url", ["http://[::1]:8000/v1/@team", "http://host:8000/a:b/@c", "http://host"]
)
def test_odd_addresses_without_secrets_are_taken(base_url: str) -> None:
    assert OpenAILlm(model="small", base_url=base_url).base_url == base_url


def test_a_label_keeps_models_of_one_name_apart() -> None:
    plain, one, other = (
        OpenAILlm(model="small", label=label) for label in (None, "gpu-1", "gpu-2")
    )
    assert len({plain.fingerprint(), one.fingerprint(), other.fingerprint()}) == 3
    assert "label" not in one.body(Request(messages=(Message(role="user", content="?"),)))
    with pytest.raises(ValidationError, match="at least 1 character"):
        OpenAILlm(model="small", label="")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("-1", 0),
        ("", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, 90),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1m30s"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "6ms",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "2.5s",
            },
            2.5,
        ),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_how_long_an_endpoint_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert waiting(headers) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("20ms", 0.02), ("6m0s", 360), ("1h2m3s", 3723), ("12", 12), ("later", None)],
)
def test_durations(value: str, seconds: float | None) -> None:
    assert duration(value) == (pytest.approx(seconds) if seconds is not None else None)

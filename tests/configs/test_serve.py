"""What the config of an application takes, and what it refuses."""

from pathlib import Path

import pytest

from llmops.configs import read_mapping
from llmops.configs.serve import PROMPT, ServeConfig
from llmops.tasks.chat.spec import GuardSettings
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins.llms.extractive.prompt import Rules, read_rules
from llmops.tasks.prompts.reading import read_prompt

APP = {"app": "helpdesk", "knowledge_bases": ["handbook"]}
UNKNOWN = {"name": "openai", "model": "our-own-model"}


def test_the_defaults_answer_offline_with_the_shipped_prompt() -> None:
    spec = read_mapping(APP, ServeConfig).app_spec(Path("home"))
    assert [each.name for each in spec.llms] == ["extractive"]
    assert spec.prompt == str(PROMPT)
    assert Path(spec.prompt).is_file()


def test_the_shipped_prompt_refuses_in_the_words_that_count_as_a_refusal() -> None:
    assert f'say "{GuardSettings().refusal}"' in PROMPT.read_text()


def test_the_shipped_prompt_makes_the_offline_model_cite_and_refuse() -> None:
    prompt = read_prompt(PROMPT)
    rules = read_rules(prompt.messages[0].content)
    assert rules == Rules(cite=True, unknown=GuardSettings().refusal)


def test_the_fingerprint_is_of_what_answers_depend_on() -> None:
    prints = {
        read_mapping({**APP, **more}, ServeConfig).app_spec(Path("home")).fingerprint
        for more in ({}, {"port": 9000}, {"keys": {"required": True}}, {"limits": {"seconds": 3}})
    }
    other = read_mapping({**APP, "retrieve": {"k": 7}}, ServeConfig).app_spec(Path("home"))
    assert len(prints) == 1
    assert other.fingerprint not in prints


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"knowledge_bases": []}, "at least 1"),
        ({"knowledge_bases": ["handbook", "handbook"]}, "handbook stands there twice"),
        ({"llm": "nobody"}, "nobody"),
        ({"hosts": ["https://portal.example.com"]}, "is no host's name"),
        ({"origins": ["portal.example.com"]}, "is no origin"),
        ({"origins": ["https://portal.example.com/"]}, "is no origin"),
        ({"traces": {"otlp": "collector:4318"}}, "traces.otlp"),
        ({"knowledge_bases": "handbook"}, "a list is wanted, as in [first, second]"),
        ({"guards": {"topics": ["politics"]}}, "keys with values are wanted"),
        ({"guards": {"topics": [{"pattern": "(war"}]}}, "this is no regular expression: missing )"),
        ({"limits": {"usd_per_month": 5}, "llm": UNKNOWN}, "the price of 'our-own-model'"),
        ({"limits": {"usd_per_month": 5}, "fallbacks": [UNKNOWN]}, "fallbacks[0]"),
        ({"limits": {"usd_per_month": 5}, "condense": {"llm": UNKNOWN}}, "condense.llm"),
    ],
)
def test_what_is_wrong_is_said(more: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping({**APP, **more}, ServeConfig)
    assert any(said in f"{each.where} {each.message}" for each in caught.value.mistakes())


def test_a_limit_in_dollars_goes_with_prices() -> None:
    priced = {**UNKNOWN, "price_in": 1.0, "price_out": 2.0}
    assert read_mapping({**APP, "limits": {"usd_per_month": 5}, "llm": priced}, ServeConfig)


def test_names_and_addresses_as_they_are_meant() -> None:
    more = {"hosts": ["portal.example.com"], "origins": ["http://localhost:3000"]}
    traces = {"otlp": "http://127.0.0.1:4318/v1/traces"}
    assert read_mapping({**APP, **more, "traces": traces}, ServeConfig)

"""The table of prices: shipped, edited, wrong."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmops.tasks.calls.prices import (
    SHIPPED,
    Price,
    cost_of,
    known_price,
    listed_price,
    price_of,
    read_prices,
    shipped_price,
)
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.llms.extractive import ExtractiveLlm
from llmops.tasks.plugins.llms.litellm import LiteLLMLlm
from llmops.tasks.plugins.llms.openai import OpenAILlm

TABLE = {"gpt-4o": Price(2.5, 10.0), "gpt-4o-mini": Price(0.15, 0.6), "own/model": Price(1.0, 2.0)}


def test_the_shipped_table_leaves_all_to_the_price_lists() -> None:
    assert read_prices(SHIPPED) == {}


def test_price_lists_agree_with_litellm_s_own_table() -> None:
    library = find_spec("litellm")
    if library is None or library.origin is None:
        pytest.skip("no litellm to compare with")
    table = Path(library.origin).parent / "model_prices_and_context_window_backup.json"
    known = json.loads(table.read_text())
    models = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3", "o4-mini", "gpt-5", "gpt-5-nano"]
    models += ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"]
    theirs = {
        name: [1e6 * known[name][key] for key in ("input_cost_per_token", "output_cost_per_token")]
        for name in models
    }
    ours = {name: listed_price(name) for name in models}
    assert {name: price and list(price[:2]) for name, price in ours.items()} == {
        name: pytest.approx(rates) for name, rates in theirs.items()
    }


@pytest.mark.parametrize(
    ("model", "provider", "address", "rates"),
    [
        ("gpt-4o", "", "https://api.openai.com/v1", (2.5, 10.0)),
        ("gpt-4o-2024-08-06", "openai", "", (2.5, 10.0)),
        ("gpt-4o", "", "https://proxy.example/v1", (2.5, 10.0)),
        ("anthropic/claude-haiku-4-5", "anthropic", "", (1.0, 5.0)),
        ("text-embedding-3-small", "", "https://api.openai.com/v1", (0.02, 0.0)),
        ("my-gpt-4o", "", "https://api.openai.com/v1", None),
        ("gpt-4o-audio", "", "", None),
        ("qwen2.5:7b", "", "http://127.0.0.1:11434/v1", None),
        ("", "", "", None),
    ],
)
def test_a_model_is_looked_up_where_it_is_asked(
    model: str, provider: str, address: str, rates: tuple[float, float] | None
) -> None:
    price = listed_price(model, provider, address)
    assert (price[:2] if price else None) == rates


def test_a_service_that_sells_another_s_model_has_its_own_price() -> None:
    reseller, maker = (
        listed_price("deepseek/deepseek-chat", "openrouter"),
        listed_price("deepseek-chat"),
    )
    assert reseller is not None
    assert maker is not None
    assert reseller != maker


def test_a_long_request_costs_the_rate_of_its_length() -> None:
    from genai_prices import Usage, calc_price

    price = price_of(LiteLLMLlm(model="gemini/gemini-2.5-pro"), {})
    assert price is not None
    for tokens_in in (1_000, 200_000, 200_001, 900_000):
        usage = Usage(input_tokens=tokens_in, output_tokens=500)
        theirs = calc_price(usage, "gemini-2.5-pro", provider_id="google").total_price
        assert cost_of(price, tokens_in, 500) == pytest.approx(float(theirs))
    assert price.cost(200_001, 0) > 1.9 * price.cost(200_000, 0)


def test_the_user_s_own_table_goes_before_the_price_lists() -> None:
    llm = OpenAILlm(model="gpt-4o-mini")
    assert price_of(llm, {}) == Price(0.15, 0.6)
    assert price_of(llm, {"gpt-4o-mini": Price(0.1, 0.2)}) == Price(0.1, 0.2)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o", Price(2.5, 10.0)),
        ("gpt-4o-2024-08-06", Price(2.5, 10.0)),
        ("gpt-4o-mini-2024-07-18", Price(0.15, 0.6)),
        ("openai/gpt-4o-mini", Price(0.15, 0.6)),
        ("azure/gpt-4o-20240806", Price(2.5, 10.0)),
        ("gpt-4o-latest", Price(2.5, 10.0)),
        ("own/model", Price(1.0, 2.0)),
        ("own/model@20250101", Price(1.0, 2.0)),
        ("gpt-4o-audio", None),
        ("gpt-4", None),
        ("my-gpt-4o", None),
        ("gpt-4o-mini-high", None),
        ("", None),
    ],
)
def test_a_name_stands_for_its_dated_forms_and_no_other(model: str, price: Price | None) -> None:
    assert known_price(model, TABLE) == price


def test_options_go_before_the_table() -> None:
    assert price_of(OpenAILlm(model="gpt-4o"), TABLE) == Price(2.5, 10.0)
    assert price_of(OpenAILlm(model="gpt-4o", price_in=1), TABLE) == Price(1.0, 10.0)
    assert price_of(OpenAILlm(model="unknown", price_in=1, price_out=2), TABLE) == Price(1.0, 2.0)
    assert price_of(OpenAILlm(model="unknown"), TABLE) is None
    assert price_of(ExtractiveLlm(), {"extractive": Price(9.0, 9.0)}) == Price(0.0, 0.0)


def test_what_a_reply_cost() -> None:
    def cost(llm: Llm) -> float:
        return cost_of(shipped_price(llm), 1_000_000, 2_000_000)

    assert cost(OpenAILlm(model="gpt-4o-mini")) == pytest.approx(0.15 + 2 * 0.6)
    assert cost(OpenAILlm(model="unknown")) == 0
    assert cost(OpenAILlm(model="unknown", price_in=3.0, price_out=0.0)) == 3
    assert cost(ExtractiveLlm()) == 0


def test_a_table_of_one_s_own_is_read_again_when_it_changes(tmp_path: Path) -> None:
    import os

    file = tmp_path / "prices.yaml"
    file.write_text("models: {m: {input: 1, output: 2}}")
    assert read_prices(file) == {"m": Price(1.0, 2.0)}
    file.write_text("models: {m: {input: 3, output: 4}}")
    os.utime(file, ns=(1, 1))
    assert read_prices(file) == {"m": Price(3.0, 4.0)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "models: {m: {input: -1, output: 2}}",
            r"prices.yaml: models.m.input: Input should be greater than .*US dollars per million",
        ),
        ("models: {m: {input: 1}}", "models.m.output: Field required"),
        ("models: {m: {input: 1, output: .inf}}", "finite"),
        ("models: {m: {input: 1, output: 2, cached: 1}}", "models.m.cached: Extra inputs"),
        ("{", "not valid YAML: expected .*, in line 1, column 2"),
        ("models: {m: {input: 1, input: 2}}", "the key 'input' stands here twice, in line 1"),
        ("", "prices.yaml: Input should be"),
        ("prices: {}", "models: Field required"),
    ],
)
def test_mistakes_in_a_table_are_said_with_their_place(
    tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_prices(file)


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    for path, says in {
        tmp_path / "none.yaml": "the table of prices cannot be read",
        tmp_path: "this is a folder, a table of prices is wanted",
    }.items():
        with pytest.raises(ConfigError, match=f"{path.name}: {says}"):
            read_prices(path)

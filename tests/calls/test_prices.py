"""The table of prices: shipped, edited, wrong."""

from pathlib import Path

import pytest

from llmops.tasks.calls.prices import (
    SHIPPED,
    cost_of,
    known_price,
    price_of,
    read_prices,
    shipped_price,
)
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.llms.extractive import ExtractiveLlm
from llmops.tasks.plugins.llms.openai import OpenAILlm

TABLE = {"gpt-4o": (2.5, 10.0), "gpt-4o-mini": (0.15, 0.6), "own/model": (1.0, 2.0)}


def test_the_shipped_table_is_read_and_says_when_and_where_from() -> None:
    prices = read_prices(SHIPPED)
    assert len(prices) >= 12
    assert prices["gpt-4o-mini"] == (0.15, 0.6)
    assert all(0 < low < high for low, high in prices.values())
    assert all(word in SHIPPED.read_text() for word in ("as_of: 20", "source: "))


def test_shipped_prices_agree_with_litellm_s_own_table() -> None:
    library = pytest.importorskip("importlib.util").find_spec("litellm")
    if library is None:
        pytest.skip("no litellm to compare with")
    import json

    known = json.loads(
        (Path(library.origin).parent / "model_prices_and_context_window_backup.json").read_text()
    )
    own = {name: known.get(name) or known.get(f"gemini/{name}") for name in read_prices(SHIPPED)}
    both = {name: entry for name, entry in own.items() if entry}
    assert len(both) >= 15
    assert {
        name: pytest.approx(
            (1e6 * entry["input_cost_per_token"], 1e6 * entry["output_cost_per_token"])
        )
        for name, entry in both.items()
    } == {name: read_prices(SHIPPED)[name] for name in both}


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o", (2.5, 10.0)),
        ("gpt-4o-2024-08-06", (2.5, 10.0)),
        ("gpt-4o-mini-2024-07-18", (0.15, 0.6)),
        ("openai/gpt-4o-mini", (0.15, 0.6)),
        ("azure/gpt-4o-20240806", (2.5, 10.0)),
        ("gpt-4o-latest", (2.5, 10.0)),
        ("own/model", (1.0, 2.0)),
        ("own/model@20250101", (1.0, 2.0)),
        ("gpt-4o-audio", None),
        ("gpt-4", None),
        ("my-gpt-4o", None),
        ("gpt-4o-mini-high", None),
        ("", None),
    ],
)
def test_a_name_stands_for_its_dated_forms_and_no_other(
    model: str, price: tuple[float, float] | None
) -> None:
    assert known_price(model, TABLE) == price


def test_options_go_before_the_table() -> None:
    assert price_of(OpenAILlm(model="gpt-4o"), TABLE) == (2.5, 10.0)
    assert price_of(OpenAILlm(model="gpt-4o", price_in=1), TABLE) == (1.0, 10.0)
    assert price_of(OpenAILlm(model="unknown", price_in=1, price_out=2), TABLE) == (1.0, 2.0)
    assert price_of(OpenAILlm(model="unknown"), TABLE) is None
    assert price_of(ExtractiveLlm(), {"extractive": (9.0, 9.0)}) == (0.0, 0.0)


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
    assert read_prices(file) == {"m": (1.0, 2.0)}
    file.write_text("models: {m: {input: 3, output: 4}}")
    os.utime(file, ns=(1, 1))
    assert read_prices(file) == {"m": (3.0, 4.0)}


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

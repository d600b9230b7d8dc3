"""What a million tokens cost, by model: a table in a YAML file that users may edit or replace."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.yaml_files import parsed, text_of

Price = tuple[float, float]
"""US dollars per million tokens: in, out."""
SHIPPED = Path(__file__).parents[2] / "configs" / "prices.yaml"
DATED = re.compile(r"[-@:](?:latest|\d{4}-?\d\d-?\d\d|\d{3,4}|v\d+(?::\d+)?)")
"""What a model's name may end with and still be the same model for the table:
gpt-4o-mini-2024-07-18, claude-sonnet-4@20250514.
"""


class ModelPrice(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)


class PriceTable(BaseModel):
    """`as_of`: when the prices were looked up."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    as_of: Any = None
    source: str = ""
    models: dict[str, ModelPrice]


def read_prices(path: Path) -> dict[str, Price]:
    """Prices by model: (input, output). Raises ConfigError with every mistake of the file."""
    try:
        return dict(_read(path, path.stat().st_mtime_ns))
    except OSError as error:
        raise ConfigError(
            [Mistake(f"the table of prices cannot be read: {error.strerror}", where=str(path))]
        ) from error


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> dict[str, Price]:
    try:
        table = PriceTable.model_validate(parsed(path, text_of(path, "a table of prices")))
    except ValidationError as error:
        hint = (
            "models: {gpt-4o-mini: {input: 0.15, output: 0.60}}, in US dollars per million tokens"
        )
        raise ConfigError(
            [
                Mistake(
                    one["msg"],
                    where=f"{path}: {'.'.join(map(str, one['loc']))}".rstrip(": "),
                    hint=hint,
                )
                for one in error.errors(include_url=False)
            ]
        ) from error
    return {name: (one.input, one.output) for name, one in table.models.items()}


def price_of(llm: Llm, prices: Mapping[str, Price]) -> Price | None:
    """By the model's options, else by the table; None where neither says it. A model that runs here
    costs nothing.
    """
    if llm.free:
        return (0.0, 0.0)
    found = known_price(llm.title, prices)
    if llm.price_in is None and llm.price_out is None:
        return found
    low, high = found or (0.0, 0.0)
    return (
        low if llm.price_in is None else llm.price_in,
        high if llm.price_out is None else llm.price_out,
    )


def shipped_price(llm: Llm) -> Price | None:
    """By the model's options, else by the table that comes with the project."""
    complete = llm.price_in is not None and llm.price_out is not None
    return price_of(llm, {} if complete else read_prices(SHIPPED))


def cost_of(price: Price | None, tokens_in: int, tokens_out: int) -> float:
    """US dollars; 0 where the price is not known."""
    return (tokens_in * price[0] + tokens_out * price[1]) / 1e6 if price else 0.0


def known_price(model: str, prices: Mapping[str, Price]) -> Price | None:
    """By the whole name, the name without its provider (openai/gpt-4o), or either without its date;
    the longest entry that fits.
    """
    for name in dict.fromkeys((model, model.rpartition("/")[2])):
        fits = [
            one
            for one in prices
            if name == one or (name.startswith(one) and DATED.fullmatch(name[len(one) :]))
        ]
        if fits:
            return prices[max(fits, key=len)]
    return None

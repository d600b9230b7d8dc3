"""What a million tokens cost: by the model's own options, else by a table in a YAML file of the
user's, else by the price lists that the library genai-prices carries; it fetches nothing.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.yaml_files import parsed, text_of

if TYPE_CHECKING:
    from genai_prices.types import TieredPrices

Rate: TypeAlias = "Decimal | TieredPrices | None"

SHIPPED = Path(__file__).parents[2] / "configs" / "prices.yaml"
DATED = re.compile(r"[-@:](?:latest|\d{4}-?\d\d-?\d\d|\d{3,4}|v\d+(?::\d+)?)")
"""What a model's name may end with and still be the same model for the table:
gpt-4o-mini-2024-07-18, claude-sonnet-4@20250514.
"""


class PriceTier(NamedTuple):
    """What all tokens of a request cost that has more than `start` tokens in."""

    start: int
    input: float
    output: float


class Price(NamedTuple):
    """US dollars per million tokens, in and out. `tiers`: of long requests, shortest first."""

    input: float
    output: float
    tiers: tuple[PriceTier, ...] = ()

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """US dollars of one request."""
        rate: Price | PriceTier = self
        for tier in self.tiers:
            if tokens_in > tier.start:
                rate = tier
        return (tokens_in * rate.input + tokens_out * rate.output) / 1e6


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
    return {name: Price(one.input, one.output) for name, one in table.models.items()}


def price_of(llm: Llm, prices: Mapping[str, Price]) -> Price | None:
    """By the model's options, else by the table, else by the price lists; None where none says it.
    A model that runs here costs nothing.
    """
    if llm.free:
        return Price(0.0, 0.0)
    if llm.price_in is not None and llm.price_out is not None:
        return Price(llm.price_in, llm.price_out)
    found = known_price(llm.title, prices) or listed_price(llm.title, llm.provider, llm.address)
    if llm.price_in is None and llm.price_out is None:
        return found
    known = found or Price(0.0, 0.0)
    return Price(
        known.input if llm.price_in is None else llm.price_in,
        known.output if llm.price_out is None else llm.price_out,
    )


def shipped_price(llm: Llm) -> Price | None:
    """By the model's options, else by what comes with the project."""
    return price_of(llm, read_prices(SHIPPED))


def cost_of(price: Price | None, tokens_in: int, tokens_out: int) -> float:
    """US dollars; 0 where the price is not known."""
    return price.cost(tokens_in, tokens_out) if price else 0.0


@lru_cache(maxsize=256)
def listed_price(model: str, provider: str = "", address: str = "") -> Price | None:
    """By the price list of the service that `provider` names, or that answers at `address`; where
    that is none that is known, such as a proxy, by the list of the model's maker.
    """
    own = model.removeprefix(f"{provider}/")
    names = [name for name in dict.fromkeys((own, model, model.rpartition("/")[2])) if name]
    places = [(provider, ""), ("", address), ("", "")] if provider else [("", address), ("", "")]
    prices = (_listed(name, *place) for place in places for name in names)
    return next((price for price in prices if price), None)


def _listed(model: str, provider: str, address: str) -> Price | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        snapshot = get_snapshot()
        _maker, entry = snapshot.find_provider_model(model, None, provider or None, address or None)
    except LookupError:
        return None
    rates = entry.get_prices(datetime.now(UTC))
    return _with_tiers(rates.input_mtok, rates.output_mtok)


def _with_tiers(low: Rate, high: Rate) -> Price | None:
    """None where a list has no price of tokens in; a model that gives none, such as an embedder,
    costs nothing for them.
    """
    if low is None:
        return None
    starts = {tier.start for each in (low, high) for tier in getattr(each, "tiers", ())}
    tiers = [PriceTier(each, _rate(low, each), _rate(high, each)) for each in sorted(starts)]
    return Price(_rate(low, 0), _rate(high, 0), tuple(tiers))


def _rate(rate: Rate, start: int) -> float:
    """US dollars per million tokens above a length."""
    if rate is None or isinstance(rate, Decimal):
        return float(rate or 0)
    return float([rate.base, *(each.price for each in rate.tiers if each.start <= start)][-1])


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

"""The config of a served application, which `llmops serve` runs: what it knows, how it answers, and
who may ask.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from llmops.configs.section import Files, FlowConfig, Section, Slots
from llmops.tasks.calls.prices import SHIPPED, Price, price_of, read_prices
from llmops.tasks.chat.spec import (
    AppSpec,
    CacheSettings,
    CompareSettings,
    CondenseSettings,
    CuratedSettings,
    GuardSettings,
    Name,
    SearchSettings,
)
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, llm_of
from llmops.tasks.plugins.rerankers import AskingReranker, Reranker
from llmops.tasks.prompts import SCHEME
from llmops.tasks.prompts.reading import read_prompt
from llmops.tasks.traces.settings import TraceSettings

PROMPT = Path(__file__).parent / "prompts" / "answer-from-passages.yaml"

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")


def host_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """The names as they are. Raises ValueError for what is none."""
    for each in value:
        if not HOST.fullmatch(each):
            raise ValueError(f"{each!r} is no host's name; write it as in portal.example.com")
    return value


class KeySettings(Section):
    """Whether whoever asks needs a key; always so at an address that other machines reach."""

    required: bool = False


class LimitSettings(Section):
    """Of one request and of one key. `seconds`: until an answer has to be there; `body_seconds`:
    until a request's body is; `usd_per_month`: of the whole application, None for no limit.
    """

    requests_per_minute: int = Field(default=120, ge=1)
    body_kb: int = Field(default=256, ge=1, le=16_384)
    seconds: float = Field(default=120, gt=0, le=3_600)
    body_seconds: float = Field(default=15, gt=0, le=600)
    concurrency: int = Field(default=64, ge=1, le=1_000)
    usd_per_month: float | None = Field(default=None, gt=0)


class BuildSettings(Section):
    """What may be built from the page. `folders`: beside the project's own, where sources may lie;
    `hosts`: servers and buckets that sources, models and stores may name beside their own defaults;
    `plugins`: those that run code by its import path, each allowed by name; `upload_mb`: of one
    upload; `files`: how many a folder of uploads may hold.
    """

    folders: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    upload_mb: int = Field(default=20, ge=1, le=1_000)
    files: int = Field(default=500, ge=1, le=100_000)

    @field_validator("hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return host_names(value)


class ServeConfig(FlowConfig):
    """The config of an application. Prompts in the registry and knowledge bases are looked up when
    it starts, and again whenever they change.
    """

    plugins: ClassVar[Slots] = {
        "llm": Llm,
        "fallbacks.*": Llm,
        "condense.llm": Llm,
        "compare.llms.*": Llm,
        "retrieve.rerank": Reranker,
    }
    files: ClassVar[Files] = {
        "prompt": read_prompt,
        "condense.prompt": read_prompt,
        "prices": read_prices,
    }
    elsewhere: ClassVar[tuple[str, ...]] = (SCHEME,)
    unrecorded: ClassVar[tuple[str, ...]] = (
        *("keys", "limits", "traces", "compare", "build"),
        *("hosts", "origins", "port"),
    )
    flow: Literal["serve"]
    app: Name
    knowledge_bases: tuple[Name, ...] = Field(min_length=1)
    prompt: str | None = None
    llm: Spec = Spec(name="extractive")
    fallbacks: tuple[Spec, ...] = ()
    retrieve: SearchSettings = SearchSettings()
    condense: CondenseSettings = CondenseSettings()
    guards: GuardSettings = GuardSettings()
    cache: CacheSettings = CacheSettings()
    curated: CuratedSettings = CuratedSettings()
    compare: CompareSettings = CompareSettings()
    keys: KeySettings = KeySettings()
    limits: LimitSettings = LimitSettings()
    traces: TraceSettings = TraceSettings()
    prices: Path | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    build: BuildSettings = BuildSettings()
    port: int = Field(default=8400, ge=1, le=65_535)

    @field_validator("knowledge_bases")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return value

    @field_validator("hosts")
    @classmethod
    def _are_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return host_names(value)

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not ORIGIN.fullmatch(each):
                raise ValueError(
                    f"{each!r} is no origin; write scheme and host, as in "
                    "https://portal.example.com, without a path"
                )
        return value

    def conflicts(self, where: str) -> list[Mistake]:
        """A limit in dollars, and a model whose price nobody knows."""
        if self.limits.usd_per_month is None:
            return []
        try:
            prices = read_prices(self.folder / self.prices if self.prices else SHIPPED)
        except ConfigError:
            return []
        return [
            Mistake(
                f"the price of {spec.options.get('model', spec.name)!r} is not known, so "
                "limits.usd_per_month cannot be kept",
                where=f"{where}: {place}",
                hint="give the model price_in and price_out, in US dollars per million tokens, or "
                "name a table with `prices`",
            )
            for place, spec in self._models()
            if price_of(llm_of(spec), prices) is None
        ] + self._rerank_conflict(where, prices)

    def _rerank_conflict(self, where: str, prices: Mapping[str, Price]) -> list[Mistake]:
        reranker = self.retrieve.rerank and self.retrieve.rerank.build(Reranker)
        if not isinstance(reranker, AskingReranker) or price_of(reranker.service(), prices):
            return []
        return [
            Mistake(
                "the price of the reranker is not known, so limits.usd_per_month cannot be kept",
                where=f"{where}: retrieve.rerank",
                hint="give an endpoint price_per_million or price_per_search, a language model "
                "price_in and price_out, in US dollars",
            )
        ]

    def _models(self) -> list[tuple[str, Spec]]:
        """Every model that may be asked, with its place in the config."""
        second = [("condense.llm", self.condense.llm)] if self.condense.llm else []
        others = [(f"fallbacks[{n}]", spec) for n, spec in enumerate(self.fallbacks)]
        tried = [(f"compare.llms[{n}]", spec) for n, spec in enumerate(self.compare.llms)]
        return [("llm", self.llm), *others, *second, *tried]

    def app_spec(self, home: Path) -> AppSpec:
        """What the chat needs of the config."""
        return AppSpec(
            app=self.app,
            home=home,
            folder=self.folder,
            knowledge_bases=self.knowledge_bases,
            prompt=self.prompt or str(PROMPT),
            llms=(self.llm, *self.fallbacks),
            retrieve=self.retrieve,
            condense=self.condense,
            guards=self.guards,
            cache=self.cache,
            curated=self.curated,
            compare=self.compare,
            prices=self.folder / self.prices if self.prices else SHIPPED,
            concurrency=self.limits.concurrency,
            fingerprint=self.recorded()["config_sha256"],
        )

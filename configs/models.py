"""One model per flow: what a config file may say. Unknown keys are mistakes."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from llmops.tasks.filters import Kind
from llmops.tasks.filters.metadata import Access, Facts, declarable
from llmops.tasks.knowledge.build import Fingerprints
from llmops.tasks.knowledge.session import stages
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.retrieval.gate import MetricRule
from llmops.tasks.schemas import sha256

DEFAULT_SUITE = Path(__file__).parent / "expectations" / "default.yaml"

FIELD = r"[0-9A-Za-z*?#/,-]+"
FIVE_FIELDS = re.compile(rf"{FIELD}(\s+{FIELD}){{4}}")
CRON_NAMES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A part of a config: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(Section):
    """The golden set that a candidate must pass before it goes live."""

    golden: Path
    k: int = Field(default=5, ge=1, le=1000)
    metrics: Mapping[Literal["recall", "ndcg", "mrr", "precision"], MetricRule] = {
        "recall": MetricRule(margin=0.02)
    }


class Limits(Section):
    """What a run may lose before it stops: see the guards in docs/knowledge.md."""

    max_delete_fraction: Share = 0.2
    failure_budget: Share = 0.05
    keep_versions: int = Field(default=10, ge=1, le=10_000)


class Parsing(Section):
    """The limits of one document: wall-clock seconds, megabytes of memory, characters of text."""

    seconds: float = Field(default=60, gt=0, le=3600)
    memory_mb: int = Field(default=1024, ge=128)
    max_chars: int = Field(default=10_000_000, ge=1)


class Schedule(Section):
    """When the flow runs by itself."""

    cron: str
    timezone: str = "UTC"

    @field_validator("cron")
    @classmethod
    def _comes_to_pass(cls, value: str) -> str:
        if value.strip() in CRON_NAMES:
            return value
        if not FIVE_FIELDS.fullmatch(value.strip()):
            raise ValueError(
                'five fields are wanted: minute, hour, day, month, weekday, as in "0 3 * * *"'
            )
        from cronsim import CronSim, CronSimError

        fields = ["*" if field == "?" else field for field in value.upper().split()]
        try:
            CronSim(" ".join(fields), datetime(2000, 1, 1))
            foreign = "day-of-week" if "L" in fields[4] else ""
            foreign = "day-of-month" if "W" in fields[2] else foreign
        except CronSimError as error:
            foreign = str(error).removeprefix("Bad ")
        if foreign:  # what Prefect's scheduler would refuse, or wait for in vain
            raise ValueError(
                f"the {foreign} never comes; allowed: minute 0-59, hour 0-23, day 1-31 or L, "
                "month 1-12, weekday 0-7 or SUN-SAT; a range goes upwards, as in 22-23,0-2"
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        from zoneinfo import available_timezones

        if value not in available_timezones():
            raise ValueError(
                "a name of the IANA time zone database is wanted, such as UTC or Europe/Berlin"
            )
        return value


class IndexConfig(Section):
    """The config of the `index` flow: sources to a published version of a knowledge base."""

    flow: Literal["index"]
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    sources: list[Spec] = Field(min_length=1)
    parse: Parsing = Parsing()
    clean: list[Spec] = [Spec(name="unicode"), Spec(name="whitespace")]
    expectations: Path | None = None
    chunk: Spec = Spec(name="sentence")
    embed: Spec = Spec(name="minilm")
    store: Spec = Spec(name="lancedb")
    gate: Gate | None = None
    fields: dict[str, Kind] = Field(default_factory=dict)
    access: Access = Access()
    limits: Limits = Limits()
    schedule: Schedule | None = None
    folder: Path = Field(
        default=Path(), description="of the config file; relative paths start here"
    )

    @field_validator("clean", "chunk", "embed", "store", mode="before")
    @classmethod
    def _none_is_default(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("may not be empty; leave the key out for its default")
        return value

    @model_validator(mode="after")
    def _sources_have_ids(self) -> "IndexConfig":
        ids = [spec.id for spec in self.sources]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(
                f"two sources are called {', '.join(twice)}: give each an id, as in "
                f"{{name: {twice[0]}, id: manuals, …}}"
            )
        return self

    def source(self, name: str) -> Spec:
        """The source of that id."""
        return next(spec for spec in self.sources if spec.id == name)

    @property
    def suite(self) -> Path:
        """The file of expectations: the user's, or the built-in one."""
        return self.folder / self.expectations if self.expectations else DEFAULT_SUITE

    @field_validator("fields")
    @classmethod
    def _declarable(cls, value: dict[str, Kind]) -> dict[str, Kind]:
        return declarable(value)

    def facts(self) -> Facts:
        """What is known of documents beside their text, and who may read them."""
        labels = {
            spec.id: tuple(spec.options["labels"])
            for spec in self.sources
            if spec.options.get("labels")
        }
        return Facts(fields=self.fields, access=self.access, sources=labels)

    def stages(self) -> Fingerprints:
        """Fingerprints of what a document goes through. Builds the plugins, loads no model."""
        cleaners = [spec.build(Cleaner) for spec in self.clean]
        return stages(
            cleaners,
            self.suite.read_text(encoding="utf-8"),
            self.chunk.build(Chunker),
            self.embed.build(Embedder),
            self.facts(),
        )

    def recorded(self) -> dict[str, Any]:
        """What a version remembers of its config: plugins in the short form, secrets as
        `${NAME}`.
        """
        plain = self.model_dump(mode="json", exclude={"folder"}, exclude_none=True)
        plain |= {name: getattr(self, name).short() for name in ("chunk", "embed", "store")}
        plain |= {
            name: [spec.short() for spec in getattr(self, name)] for name in ("sources", "clean")
        }
        plain["facts"] = self.facts().model_dump(mode="json")
        return {
            "config": plain | {"folder": str(self.folder)},
            "config_sha256": sha256(canonical(plain)),
        }

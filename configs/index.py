"""The config of the `index` flow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from llmops.configs.runners import Runner
from llmops.configs.section import (
    Files,
    FlowConfig,
    Schedule,
    Section,
    Slots,
    sources_have_ids,
)
from llmops.tasks.errors import Mistake, UsageError
from llmops.tasks.filters import Kind
from llmops.tasks.filters.metadata import Access, MetadataSchema, declarable
from llmops.tasks.models.references import refers
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.parsers import Comments, Ocr
from llmops.tasks.plugins.sources import Source
from llmops.tasks.plugins.stores import Store
from llmops.tasks.retrieval.gate import MetricRule
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.schemas import OneOrMore
from llmops.tasks.validation import read_suite

DEFAULT_SUITE = Path(__file__).parent / "expectations" / "default.yaml"

Share = Annotated[float, Field(ge=0, le=1)]


class Gate(Section):
    """The golden set that a candidate must pass before it goes live: a file, or several."""

    golden: OneOrMore
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
    """The limits of one document: wall-clock seconds, megabytes of memory, characters of text; how
    text in pictures is read, and what becomes of comments.
    """

    seconds: float = Field(default=60, gt=0, le=3600)
    memory_mb: int = Field(default=1024, ge=128)
    max_chars: int = Field(default=10_000_000, ge=1)
    ocr: Ocr = Ocr()
    comments: Comments = "drop"


class IndexConfig(FlowConfig):
    """The config of the `index` flow: sources to a published version of a knowledge base."""

    plugins: ClassVar[Slots] = {
        "chunk": Chunker,
        "embed": Embedder,
        "store": Store,
        "sources.*": Source,
        "clean.*": Cleaner,
    }
    files: ClassVar[Files] = {"expectations": read_suite, "gate.golden": read_golden}
    unrecorded: ClassVar[tuple[str, ...]] = ("runner",)
    outside: ClassVar[tuple[str, ...]] = ("sources.*",)

    flow: Literal["index"]
    knowledge_base: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    sources: list[Spec] = Field(min_length=1)
    parse: Parsing = Parsing()
    clean: list[Spec] = Field(default=[Spec(name="unicode"), Spec(name="whitespace")])
    expectations: Path | None = None
    chunk: Spec = Spec(name="sentence")
    embed: Spec = Spec(name="minilm")
    store: Spec = Spec(name="lancedb")
    gate: Gate | None = None
    fields: dict[str, Kind] = Field(default_factory=dict)
    access: Access = Access()
    limits: Limits = Limits()
    runner: Runner = Runner()
    schedule: Schedule | None = None

    @field_validator("clean", "chunk", "embed", "store", "runner", mode="before")
    @classmethod
    def _none_is_default(cls, value: object) -> object:
        if value is None:
            raise ValueError("may not be empty; leave the key out for its default")
        return value

    @model_validator(mode="after")
    def _sources_have_ids(self) -> "IndexConfig":
        sources_have_ids(self.sources)
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

    @property
    def metadata_schema(self) -> MetadataSchema:
        """What is known of documents beside their text, and who may read them."""
        labels = {
            spec.id: tuple(spec.options["labels"])
            for spec in self.sources
            if spec.options.get("labels")
        }
        return MetadataSchema(fields=self.fields, access=self.access, sources=labels)

    def derived(self) -> dict[str, object]:
        return {"facts": self.metadata_schema.model_dump(mode="json")}

    def conflicts(self, where: str) -> list[Mistake]:
        """A chunk that the embedder does not take in; of a trained one it is known at its start."""
        if refers(self.embed):
            return []
        size = self.chunk.build(Chunker).size
        try:
            embedder = self.embed.build(Embedder)
            embedder.check()
            limit = embedder.max_tokens
        except UsageError as error:  # of a model in a folder only its files tell
            return [Mistake(error.message, where=f"{where}: embed", hint=error.hint)]
        if size <= limit:
            return []
        return [
            Mistake(
                f"{size} tokens are more than {self.embed.name} takes in",
                where=f"{where}: chunk.size",
                hint=f"allowed: 8 to {limit}",
            )
        ]

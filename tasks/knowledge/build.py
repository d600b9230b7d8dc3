"""What the tasks of one build share, all of it references: safe to pass between tasks and
processes.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.calls.costs import Payer
from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.lake import Lake
from llmops.tasks.ledger import Ledger
from llmops.tasks.plugins import Spec, digest
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.parsers import ParseOptions, parser_fingerprint
from llmops.tasks.plugins.sources import Item
from llmops.tasks.plugins.stores import Store
from llmops.tasks.retrieval.gate import GateSpec
from llmops.tasks.schemas import Shard

LETTERS = "letters/1"
"""The revision of how documents are measured whose language the embedder does not read."""

PART_BYTES = 8 * 2**20
"""Of originals: what one task run may hold of them, and a killed one has to do again."""

Kind = Literal["new", "changed", "renamed", "reprocess"]


class DocumentFingerprints(NamedTuple):
    """The fingerprints of what one document went through: if they differ from those of the config,
    it has to go through it again.

    `text` covers its parser and the cleaners, `check` the expectations too, `chunk` chunker,
    embedder and metadata too.
    """

    text: str
    check: str
    chunk: str


class Fingerprints(BaseModel):
    """The fingerprints of a config's stages.

    `parse`: of all parsers; `clean`: of each cleaner; `check`: the text of the expectations;
    `chunk`: of chunker, embedder and metadata; `model`: of the embedder. `corpus`: what the
    sketches of each cleaner that compares documents depend on, in the order of the cleaners.
    `options`: what parsers read, and how. `letters`: the languages whose documents are measured by
    letters.
    """

    model_config = ConfigDict(frozen=True)
    parse: str
    clean: tuple[str, ...]
    check: str
    chunk: tuple[str, ...]
    model: str
    corpus: tuple[str, ...] = ()
    options: ParseOptions = ParseOptions()
    letters: tuple[str, ...] = ()

    def of(self, media_type: str, language: str | None = None) -> DocumentFingerprints:
        """Those of a document of that type, which covers the one parser that reads it, and of that
        language, which says how its chunks are measured.
        """
        letters = language if language in self.letters else None
        return _fingerprints_of(self, self.parser(media_type), letters)

    def parser(self, media_type: str) -> str:
        """That of the parser that reads documents of that type."""
        return parser_fingerprint(media_type, self.options)

    @property
    def all(self) -> str:
        """Those of a document that failed: another parser may read it."""
        return ".".join(self.after(self.parse))

    def after(self, parser: str) -> DocumentFingerprints:
        """Those of a document that this parser has read."""
        text = digest(parser, *self.clean)
        return DocumentFingerprints(text, digest(text, self.check), digest(text, *self.chunk))


@lru_cache(1024)
def _fingerprints_of(
    config: Fingerprints, parser: str, letters: str | None
) -> DocumentFingerprints:
    """Every live document is compared with these, and there are few parsers."""
    found = config.after(parser)
    return found._replace(chunk=digest(found.chunk, LETTERS)) if letters else found


class ParsingLimits(ParseOptions):
    """The limits of one document: wall-clock seconds, megabytes of memory, characters of text; and
    what is read of it.
    """

    seconds: float = 60
    memory_mb: int = 1024
    max_chars: int = 10_000_000


class Specs(BaseModel):
    """What a config asks of a build, named as there: plugins by name and options, the file of
    expectations, the gate, the folder that relative paths start from.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)
    sources: tuple[Spec, ...] = ()
    parse: ParsingLimits = ParsingLimits()
    clean: tuple[Spec, ...] = ()
    suite: Path | None = None
    chunk: Spec
    embed: Spec
    store: Spec
    metadata_schema: MetadataSchema = MetadataSchema()
    gate: GateSpec | None = None
    folder: Path = Path()

    def source(self, name: str) -> Spec:
        """The source of that id."""
        return next(spec for spec in self.sources if spec.id == name)

    def cleaners(self) -> list[Cleaner]:
        return [spec.build(Cleaner) for spec in self.clean]

    def chunker(self) -> Chunker:
        return self.chunk.build(Chunker)

    def embedder(self) -> Embedder:
        return self.embed.build(Embedder)

    def open_store(self) -> Store:
        return self.store.build(Store)


class Build(BaseModel):
    """One build of one knowledge base: where it works and towards which version.

    `collection` is where it stages; `fresh` when that is a new one beside the live one.
    """

    model_config = ConfigDict(frozen=True)
    handle: Handle
    version: int
    live: int | None
    collection: str
    fresh: bool
    specs: Specs
    fingerprints: Fingerprints
    began: datetime
    run_id: str = "local"
    full: bool = False

    @property
    def metadata_schema(self) -> MetadataSchema:
        return self.specs.metadata_schema

    @property
    def home(self) -> Path:
        return self.handle.home

    @property
    def kb(self) -> str:
        return self.handle.name

    @property
    def payer(self) -> Payer:
        """What it pays is noted for it."""
        return Payer("index", self.kb)

    @property
    def lake(self) -> Lake:
        return self.handle.lake

    @property
    def folder(self) -> str:
        """Where in the lake the tasks of this build leave what is of this build alone."""
        return f"runs/{self.kb}-{self.version}"

    @property
    def ledger(self) -> Ledger:
        return self.handle.ledger


class Todo(BaseModel):
    """One document to process. Without `item` (it could not be listed now) its last good text is
    taken from the lake.

    `content_hash` where the source knows it before fetching. `carried`: it must reach the new
    version also when its new content cannot be read, in its last good form, because the new version
    is built in another collection or of other chunks.
    """

    model_config = ConfigDict(frozen=True)
    doc_id: str
    source: str
    uri: str
    kind: Kind
    item: Item | None = None
    content_hash: str | None = None
    carried: bool = False


class Part(BaseModel):
    """A reference to a file of todos: what one task run works on. `path`: in the lake."""

    model_config = ConfigDict(frozen=True)
    number: int
    of: int
    source: str
    path: str
    rows: int

    def todos(self, lake: Lake) -> list[Todo]:
        return [Todo.model_validate(row) for row in json.loads(lake.read(self.path))]


class Batch(BaseModel):
    """A part on its way: its documents, later its chunks, and what the stages cost. `cleaned`:
    cleaners that it has passed.

    `computed`: embeddings of chunks that were paid; `weighed`: those of sentences, for a chunker
    that compares them. `left_out`: uri -> pages that text recognition did not read. `relabelled`:
    doc_id -> uri of those that are live under other access labels.
    """

    model_config = ConfigDict(frozen=True)
    part: Part
    documents: Shard
    chunks: Shard | None = None
    cleaned: int = 0
    computed: int = 0
    weighed: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    parsed: int = 0
    left_out: dict[str, int] = Field(default_factory=dict)
    relabelled: dict[str, str] = Field(default_factory=dict)


def write_parts(build: Build, todos: Sequence[Todo], largest: int, before: int = 0) -> list[Part]:
    """Cut the todos into files of at most `largest` and, by their listings, PART_BYTES, each of one
    source. `before`: parts that this build has already.
    """
    cuts = list(_cut(sorted(todos, key=lambda todo: (todo.source, todo.uri)), largest))
    parts = []
    for number, cut in enumerate(cuts, before + 1):
        path = f"{build.folder}/part-{number}.json"
        build.lake.write(path, json.dumps([todo.model_dump(mode="json") for todo in cut]).encode())
        parts.append(
            Part(
                number=number, of=before + len(cuts), source=cut[0].source, path=path, rows=len(cut)
            )
        )
    return parts


def _cut(todos: Sequence[Todo], largest: int) -> Iterator[list[Todo]]:
    cut: list[Todo] = []
    room = PART_BYTES
    for todo in todos:
        size = todo.item.size if todo.item else 0
        if cut and (len(cut) >= largest or size > room or cut[0].source != todo.source):
            yield cut
            cut, room = [], PART_BYTES
        cut.append(todo)
        room -= size
    if cut:
        yield cut

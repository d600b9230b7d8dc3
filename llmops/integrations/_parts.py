"""What the frameworks have in common: which knowledge base is meant, what is said of a passage, and
our chunkers and embedders by the names that configs use.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from llmops.configs.mistakes import explain
from llmops.knowledge_base import KnowledgeBase, Named
from llmops.results import Passage
from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.plugins import Plugin, Spec, find
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.embedders import Embedder

P = TypeVar("P", bound=Plugin)


def base_of(
    given: str | KnowledgeBase, home: str | Path | None, version: int | None
) -> KnowledgeBase:
    """The knowledge base of that name, or the one that is given. Raises UsageError for one that is
    given together with a home or a version.
    """
    if isinstance(given, str):
        return KnowledgeBase(given, home, version)
    if home is not None or version is not None:
        raise UsageError(
            f"got {given!r} with home={home!r} and version={version!r}; allowed: a name with them, "
            "or a KnowledgeBase alone"
        )
    return given


def described(passage: Passage) -> dict[str, object]:
    """The metadata of a passage as frameworks hold them: those of its document, and where it is
    from. What the document calls as we do is hidden.
    """
    return {
        **passage.metadata,
        "knowledge_base": passage.knowledge_base,
        "version": passage.version,
        "uri": passage.uri,
        "title": passage.title,
        "source": passage.source,
        "headings": " > ".join(passage.headings),
        "page": passage.page,
        "start": passage.start,
        "end": passage.end,
        "ordinal": passage.ordinal,
        "doc_id": passage.doc_id,
        "chunk_id": passage.chunk_id,
        "score": passage.score,
    }


def named(metadata: Mapping[str, object], name: str) -> str | None:
    """A text of some metadata; None where there is no text of that name."""
    value = metadata.get(name)
    return value if isinstance(value, str) else None


def embedder_named(embed: Named) -> Embedder:
    """The embedder that a config would name so. Raises ConfigError for wrong ones."""
    return _built("embed", embed, Embedder)


def vectors(embedder: Embedder, texts: Sequence[str]) -> list[list[float]]:
    """Of passages, of length 1."""
    made: list[list[float]] = embedder.embed(texts).tolist()
    return made


def question_vector(embedder: Embedder, text: str) -> list[float]:
    """Of a question."""
    vector: list[float] = embedder.embed_query([text])[0].tolist()
    return vector


def _built(key: str, given: Named, family: type[P]) -> P:
    spec = Spec.model_validate(given)
    try:
        return spec.build(family)
    except ValidationError as error:
        mistakes = explain(error, find(family.family, spec.name), key, raw=spec.options)
        raise ConfigError(mistakes) from error


def embed_of(base: KnowledgeBase) -> Named:
    """What the config of the live version says of its embedder."""
    live = Handle(home=base.home, name=base.name).version(base.version)
    embed: Mapping[str, object] = live.config["embed"]
    return embed


class Piece(NamedTuple):
    """A chunk of a text: `text` stands at `start` to `end`, in characters."""

    text: str
    start: int
    end: int
    headings: tuple[str, ...]
    page: int | None

    @property
    def place(self) -> dict[str, object]:
        """What metadata say of it; a page and headings only where there are some."""
        place: dict[str, object] = {"start": self.start, "end": self.end}
        place |= {"headings": " > ".join(self.headings)} if self.headings else {}
        return place | ({"page": self.page} if self.page is not None else {})


class Cutter:
    """A chunker with the embedder whose tokens it counts."""

    def __init__(self, chunk: Named, embed: Named) -> None:
        self.name = Spec.model_validate(chunk).name
        self._chunker = _built("chunk", chunk, Chunker)
        self._embedder = embedder_named(embed)

    def cut(self, text: str, markup: str, metadata: Mapping[str, object]) -> list[Piece]:
        """The chunks in their order. Of the metadata count `title` and `uri`, or what readers of
        the frameworks call them: the language of code follows from it.

        Raises UsageError for a chunker whose chunks are found by other texts than their own, which
        frameworks cannot do.
        """
        uris = (named(metadata, key) for key in ("uri", "file_name", "file_path", "source"))
        spans = self._chunker.split(
            text,
            markup=markup,
            title=named(metadata, "title"),
            tokenizer=self._embedder,
            uri=next(filter(None, uris), ""),
        )
        if any(span.search is not None for span in spans):
            raise UsageError(
                "the chunker makes chunks that are found by other texts than their own; allowed "
                "here: those that are found by their text, such as sentence, markdown, code",
                hint="build a knowledge base with it: llmops index",
            )
        return [
            Piece(text[each.start : each.end], each.start, each.end, each.headings, each.page)
            for each in spans
        ]

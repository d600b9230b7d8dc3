"""Our chunkers as a splitter, and our embedders for documents and for questions."""

from dataclasses import replace

from haystack import Document, component, default_to_dict

from llmops.integrations._parts import (
    Cutter,
    embed_of,
    embedder_named,
    question_vector,
    vectors,
)
from llmops.knowledge_base import KnowledgeBase, Named


@component
class Chunker:
    """A chunker by the name, or with the options, that configs use: `Chunker("markdown")`,
    `Chunker({"name": "sentence", "size": 300})`. `embed` is whose tokens are counted; `markup`
    (`markdown` or `plain`) says whether `#` lines are headings.

    The chunks have the metadata of their document, its id as `source_id`, their number as
    `split_id`, and where they stand: start, end, page, headings.
    """

    def __init__(
        self, chunk: Named = "sentence", embed: Named = "minilm", markup: str = "markdown"
    ) -> None:
        self.chunk, self.embed, self.markup = chunk, embed, markup
        self._cutter = Cutter(chunk, embed)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """The chunks of all documents, in their order; a document without text has none."""
        return {"documents": [piece for each in documents for piece in self._pieces(each)]}

    def to_dict(self) -> dict[str, object]:
        """For Haystack's pipelines as YAML."""
        return default_to_dict(self, chunk=self.chunk, embed=self.embed, markup=self.markup)

    def _pieces(self, document: Document) -> list[Document]:
        pieces = self._cutter.cut(document.content or "", self.markup, document.meta)
        of = {**document.meta, "source_id": document.id}
        return [
            Document(content=piece.text, meta={**of, "split_id": number, **piece.place})
            for number, piece in enumerate(pieces)
        ]


@component
class DocumentEmbedder:
    """An embedder by the name, or with the options, that configs use: `DocumentEmbedder("minilm")`.
    `DocumentEmbedder.of(base)` is that of a knowledge base's live version.
    """

    def __init__(self, embed: Named = "minilm") -> None:
        self.embed = embed
        self._embedder = embedder_named(embed)

    @classmethod
    def of(cls, base: KnowledgeBase) -> "DocumentEmbedder":
        return cls(embed_of(base))

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """The same documents, each with a vector of length 1."""
        made = vectors(self._embedder, [each.content or "" for each in documents])
        pairs = zip(documents, made, strict=True)
        return {"documents": [replace(each, embedding=vector) for each, vector in pairs]}

    def to_dict(self) -> dict[str, object]:
        """For Haystack's pipelines as YAML."""
        return default_to_dict(self, embed=self.embed)


@component
class TextEmbedder:
    """The same for a question, on the side that the model has for questions."""

    def __init__(self, embed: Named = "minilm") -> None:
        self.embed = embed
        self._embedder = embedder_named(embed)

    @classmethod
    def of(cls, base: KnowledgeBase) -> "TextEmbedder":
        return cls(embed_of(base))

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        """A vector of length 1."""
        return {"embedding": question_vector(self._embedder, text)}

    def to_dict(self) -> dict[str, object]:
        """For Haystack's pipelines as YAML."""
        return default_to_dict(self, embed=self.embed)

"""Our chunkers as node parsers, and our embedders as embeddings."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.callbacks import CallbackManager
from llama_index.core.node_parser import NodeParser
from llama_index.core.node_parser.node_utils import build_nodes_from_splits, default_id_func
from llama_index.core.schema import BaseNode, Document, MetadataMode, TextNode

from llmops.integrations._parts import (
    Cutter,
    embed_of,
    embedder_named,
    question_vector,
    vectors,
)
from llmops.knowledge_base import KnowledgeBase, Named
from llmops.tasks.plugins.embedders import Embedder


class Chunker(NodeParser):
    """A chunker by the name, or with the options, that configs use: `Chunker("markdown")`,
    `Chunker({"name": "sentence", "size": 300})`. `embed` is whose tokens are counted.

    Nodes know where they stand in their document, their page and the headings above them. `markup`
    (`markdown` or `plain`) says whether `#` lines are headings; None: they are for the chunker
    `markdown`, and in documents whose `mimetype`, or the end of whose `file_name`, says markdown.
    """

    chunk: Named = "sentence"
    embed: Named = "minilm"
    markup: str | None = None
    _cutter: Cutter = PrivateAttr()

    def __init__(
        self,
        chunk: Named = "sentence",
        embed: Named = "minilm",
        markup: str | None = None,
        include_metadata: bool = True,
        include_prev_next_rel: bool = True,
        callback_manager: CallbackManager | None = None,
        id_func: Callable[[int, BaseNode], str] | None = None,
    ) -> None:
        super().__init__(
            chunk=chunk,
            embed=embed,
            markup=markup,
            include_metadata=include_metadata,
            include_prev_next_rel=include_prev_next_rel,
            callback_manager=callback_manager or CallbackManager(),
            id_func=id_func or default_id_func,
        )
        self._cutter = Cutter(chunk, embed)

    @classmethod
    def class_name(cls) -> str:
        return "LlmopsChunker"

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: object
    ) -> list[BaseNode]:
        return [each for node in nodes for each in self._parsed(node)]

    def _parsed(self, node: BaseNode) -> list[BaseNode]:
        text = node.get_content(metadata_mode=MetadataMode.NONE)
        markup = self.markup or ("markdown" if self._cutter.name == "markdown" else _markup(node))
        pieces = self._cutter.cut(text, markup, node.metadata)
        texts = [piece.text for piece in pieces]
        made = build_nodes_from_splits(texts, node, id_func=self.id_func)
        for each, piece in zip(made, pieces, strict=True):
            each.start_char_idx, each.end_char_idx = piece.start, piece.end
            each.metadata = piece.place
        return list(made)

    def _postprocess_parsed_nodes(
        self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]
    ) -> list[BaseNode]:
        """The places stay as they are: LlamaIndex looks for the texts, and takes a repetition for
        the first of its kind.
        """
        places = [
            (node, node.start_char_idx, node.end_char_idx)
            for node in nodes
            if isinstance(node, TextNode)
        ]
        done = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, start, end in places:
            node.start_char_idx, node.end_char_idx = start, end
        return done


def _markup(node: BaseNode) -> str:
    kind = str(getattr(node, "mimetype", "") or "")
    name = str(node.metadata.get("file_name", "")).lower()
    return "markdown" if "markdown" in kind or name.endswith((".md", ".markdown")) else "plain"


class Embedding(BaseEmbedding):
    """An embedder by the name, or with the options, that configs use: `Embedding("minilm")`.
    `Embedding.of(base)` is that of a knowledge base's live version.
    """

    embed: Named = "minilm"
    _embedder: Embedder = PrivateAttr()

    def __init__(self, embed: Named = "minilm", **fields: Any) -> None:
        embedder = embedder_named(embed)
        fields.setdefault("model_name", embed if isinstance(embed, str) else str(embed["name"]))
        super().__init__(embed=embed, **fields)
        self._embedder = embedder

    @classmethod
    def of(cls, base: KnowledgeBase) -> "Embedding":
        return cls(embed_of(base))

    @classmethod
    def class_name(cls) -> str:
        return "LlmopsEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return question_vector(self._embedder, query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return vectors(self._embedder, [text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return vectors(self._embedder, texts)

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)

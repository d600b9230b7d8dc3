"""A model of LlamaIndex's that follows the meaning of texts."""

from llama_index.core.base.embeddings.base import BaseEmbedding

from llmops.tasks.plugins.embedders.hash import HashEmbedder


class Hashed(BaseEmbedding):
    """The hash embedder behind LlamaIndex's interface, three times as long; fails on a word."""

    fails: str = "POISON"
    api_key: str = ""

    def _get_text_embedding(self, text: str) -> list[float]:
        if self.fails in text:
            raise RuntimeError("rate limit")
        return [3 * float(value) for value in HashEmbedder().embed([text])[0]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

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


ASKING = "where is "


class TwoSided(Hashed):
    """Takes questions on one side alone, and all else on the other: a text on the wrong side is an
    error. A question lies where the passage of its words does.
    """

    fails: str = ASKING

    def _get_query_embedding(self, query: str) -> list[float]:
        if not query.startswith(ASKING):
            raise RuntimeError(f"{query!r} is no question")
        return self._get_text_embedding(query.removeprefix(ASKING))

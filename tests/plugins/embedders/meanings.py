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


MADE: list[str] = []
"""The keys of the models that were made as options of others."""


class Inner(Hashed):
    """One that is an option of another, and counts how often it is made."""

    def model_post_init(self, context: object) -> None:
        super().model_post_init(context)
        MADE.append(self.api_key)


class Outer(BaseEmbedding):
    """Embeds as `inner` does."""

    inner: Hashed

    def _get_text_embedding(self, text: str) -> list[float]:
        return self.inner.get_text_embedding(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.inner.get_query_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class Lacking(Hashed):
    """Imports what there is not, and only when it works; what it can do without is no matter."""

    def _get_text_embedding(self, text: str) -> list[float]:
        try:
            import no_such_accelerator  # type: ignore[import-not-found]  # noqa: F401
        except ImportError:
            self.fails = "POISON"
        try:
            import no_such_library  # type: ignore[import-not-found]  # noqa: F401
        except ImportError as error:
            raise ImportError("it needs no_such_library") from error
        return super()._get_text_embedding(text)

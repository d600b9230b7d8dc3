"""How near the answer is to the expected one, as an embedder sees it."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import model_validator

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.scorers import Sample, Score
from llmops.tasks.plugins.scorers._expected import ComparingScorer, field_of, texts_at, without
from llmops.tasks.texts.comparable import nfkc


class SimilarityScorer(ComparingScorer):
    """The cosine of the embeddings of the answer and of the expected one, from 0 (also for less) to
    1; the nearest of several counts.

    `embed` is an embedder as in a knowledge base's config; `minilm` knows English, and reads the
    first 254 tokens of a text. Near is not the same as right: texts that differ in a number or a
    `not` have nearly the same embedding (Reimers and Gurevych 2019, arXiv:1908.10084, for what such
    embeddings are made for). An empty text is near nothing but another one.
    """

    embed: Spec = Spec(name="minilm")

    @model_validator(mode="after")
    def _embedder(self) -> Self:
        self.embed.build(Embedder)
        return self

    def score(self, sample: Sample) -> Score:
        return self.score_all([sample])[0]

    def compare(self, given: str, wanted: Sequence[str]) -> Score:
        return self._nearest(given, wanted, self._vectors([given, *wanted]))

    def score_all(self, samples: Sequence[Sample]) -> list[Score]:
        """All texts are embedded at once, each different one once. Raises Unavailable when the
        embedder cannot be reached.
        """
        pairs = [
            (field_of(sample, self.read), texts_at(sample.case, self.answer)) for sample in samples
        ]
        vectors = self._vectors(
            [text for given, wanted in pairs if not wanted.lack for text in (given, *wanted.texts)]
        )
        return [
            without(sample.case, wanted.lack)
            if wanted.lack
            else self._nearest(given, wanted.texts, vectors)
            for sample, (given, wanted) in zip(samples, pairs, strict=True)
        ]

    def _vectors(
        self, texts: Sequence[str]
    ) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        """By the text in its normal form."""
        known = list(dict.fromkeys(form for text in texts if (form := _form(text))))
        rows = (
            np.asarray(self.embed.build(Embedder).embed(known), np.float64)
            if known
            else np.zeros((0, 0))
        )
        return dict(zip(known, rows, strict=True))

    def _nearest(
        self,
        given: str,
        wanted: Sequence[str],
        vectors: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]],
    ) -> Score:
        mine = _form(given)
        cosines = [
            float(vectors[mine] @ vectors[one]) if mine and one else float(mine == one)
            for one in map(_form, wanted)
        ]
        return Score(value=min(1.0, max(0.0, *cosines)))


def _form(text: str) -> str:
    """NFKC and single spaces, without what UTF-8 cannot hold."""
    return " ".join(nfkc(text).encode("utf-8", "replace").decode("utf-8").split())

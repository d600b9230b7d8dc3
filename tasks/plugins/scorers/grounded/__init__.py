"""Whether what the answer says stands in the passages."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.scorers import Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import field_of
from llmops.tasks.plugins.scorers._markers import without_markers
from llmops.tasks.plugins.scorers._refusals import refuses
from llmops.tasks.plugins.scorers.grounded.support import (
    ReadyPassages,
    covered,
    ground,
    texts_of,
    unknown,
)
from llmops.tasks.texts.comparable import nfkc, shown, words
from llmops.tasks.texts.sentences import bare, sentences

REASONS = 3


class GroundedScorer(Scorer):
    """The share of the answer's sentences that the passages support. The idea is that of FActScore
    (Min et al. 2023, arXiv:2305.14251), with sentences for its atomic facts and words for its
    model.

    A sentence is supported when three neighbouring sentences of a passage have at least `share` of
    its words (the first six letters of those with three or more, weighted by their length; pairs of
    characters in scripts without spaces), or, with `embed`, when its embedding has a cosine of at
    least `cosine` with that of one of the passages' sentences; and when the passages or the
    question have each number and name in it, since those are what models invent. In scripts without
    capitals names are not told apart.

    What it cannot see: that a sentence turns its source around (`not`, `before`, who did what to
    whom) with the same words. A good paraphrase in other words it takes for unsupported. Where that
    matters let a `judge` read the passages. The default of `share` was chosen on one half of the
    answers of CLAPNQ and measured on the other: docs/evaluation.md.

    A sentence without a word is left out. An answer that refuses has nothing to support, and no
    value; an empty one, and any without passages, is 0. Part: `words`, the mean share of the
    sentences' words. `read`: a field of a structured answer.
    """

    share: float = Field(default=0.6, gt=0, le=1)
    embed: Spec | None = None
    cosine: float = Field(default=0.7, gt=0, le=1)
    names: bool = True
    read: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _embedder(self) -> Self:
        if self.embed is not None:
            self.embed.build(Embedder)
        return self

    def score(self, sample: Sample) -> Score:
        answer = nfkc(without_markers(field_of(sample, self.read)))
        if not words(answer):
            return Score(value=0.0, reason="the answer is empty", parts={"words": 0.0})
        if refuses(answer):
            return Score(value=None, reason="the answer refuses: there is nothing to support")
        if not sample.passages:
            return Score(value=0.0, reason="no passages were given", parts={"words": 0.0})
        on = ground(texts_of([(passage.title, passage.text) for passage in sample.passages]))
        said = [one for sentence in sentences(answer) if words(one := bare(sentence))]
        shares = [covered(one, on) for one in said]
        doubts = self._doubts(said, shares, on, sample.question)
        wrong = [
            f"{doubt}: {shown(one)!r}" for one, doubt in zip(said, doubts, strict=True) if doubt
        ]
        more = [f"and {len(wrong) - REASONS} more"] if len(wrong) > REASONS else []
        mean = fmean([share for share in shares if share is not None] or [1.0])
        return Score(
            value=1 - len(wrong) / len(said),
            reason="; ".join(wrong[:REASONS] + more),
            parts={"words": mean},
        )

    def _doubts(
        self, said: Sequence[str], shares: Sequence[float | None], on: ReadyPassages, question: str
    ) -> list[str]:
        """Why each sentence is not supported; empty for one that is."""
        near = self._near(
            [
                one
                for one, share in zip(said, shares, strict=True)
                if share is not None and share < self.share
            ],
            on,
        )
        return [
            self._doubt(one, share, near.get(one, 0.0), on, question)
            for one, share in zip(said, shares, strict=True)
        ]

    def _doubt(
        self, sentence: str, share: float | None, near: float, on: ReadyPassages, question: str
    ) -> str:
        strange = unknown(sentence, on, question, names=self.names)
        if strange:
            return f"no passage has {', '.join(map(shown, strange[:3]))}"
        if share is None or share >= self.share or near >= self.cosine:
            return ""
        return f"{share:.0%} of its words are in a passage"

    def _near(self, said: Sequence[str], on: ReadyPassages) -> dict[str, float]:
        """The cosine of each sentence with the nearest of the passages."""
        if self.embed is None or not said or not on.pieces:
            return {}
        texts = list(dict.fromkeys([*said, *on.pieces]))
        rows: Any = dict(
            zip(
                texts,
                self.embed.build(Embedder).embed([_storable(text) for text in texts]),
                strict=True,
            )
        )
        pieces = np.asarray([rows[piece] for piece in on.pieces], np.float64)
        return {one: float((pieces @ np.asarray(rows[one], np.float64)).max()) for one in said}


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")

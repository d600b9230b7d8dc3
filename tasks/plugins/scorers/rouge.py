"""How far the answer says what the expected one says, in its words and their order."""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal

from pydantic import field_validator

from llmops.tasks.plugins.scorers import Score
from llmops.tasks.plugins.scorers._expected import ComparingScorer
from llmops.tasks.texts.comparable import words

Variant = Literal["rouge1", "rouge2", "rougeL"]
SHORT = 3
"""Words up to this length keep their endings, as in rouge_score."""


class RougeScorer(ComparingScorer):
    """ROUGE-1, ROUGE-2 and sentence-level ROUGE-L (Lin 2004, "ROUGE: a package for automatic
    evaluation of summaries"), as F-measures like those of the package rouge_score. `variant` is the
    value; all three are parts, each the best over the expected answers.

    Words are runs of letters and digits without regard to case; characters where a script has no
    spaces. `stem` names an algorithm of Snowball (`porter` as in rouge_score, `german`, `french`,
    …) for words of more than three letters. Where there is no word in both texts the value is 1
    (rouge_score says 0), and 0 where there is none in one of them.
    """

    variant: Variant = "rougeL"
    stem: str | None = None

    @field_validator("stem")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in (
            known := sorted(import_module("Stemmer").algorithms())
        ):
            raise ValueError(f"got {value!r}; allowed: {', '.join(known)}")
        return value

    def compare(self, given: str, wanted: Sequence[str]) -> Score:
        stemmer = import_module("Stemmer").Stemmer(self.stem) if self.stem else None
        mine = _tokens(given, stemmer)
        scores = [rouge(mine, _tokens(one, stemmer)) for one in wanted]
        best = {name: max(score[name] for score in scores) for name in scores[0]}
        return Score(value=best[self.variant], parts=best)


def rouge(given: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """The three F-measures of two lists of tokens."""
    if not given or not wanted:
        return dict.fromkeys(("rouge1", "rouge2", "rougeL"), float(given == wanted))
    longest = f_measure(common_subsequence(given, wanted), len(given), len(wanted))
    return {
        "rouge1": _grams(given, wanted, 1),
        "rouge2": _grams(given, wanted, 2),
        "rougeL": longest,
    }


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence, with one bit per token (Hyyrö 2004,
    Bit-parallel LCS-length computation revisited).
    """
    places: dict[str, int] = {}
    for number, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << number
    full = (1 << len(one)) - 1
    row = full
    for token in other:
        matched = row & places.get(token, 0)
        row = (row + matched | row - matched) & full
    return len(one) - row.bit_count()


def f_measure(same: int, given: int, wanted: int) -> float:
    """The harmonic mean of same/given and same/wanted; 0 where either has nothing to match."""
    return 2 * same / (given + wanted) if same else 0.0


def _grams(given: Sequence[str], wanted: Sequence[str], size: int) -> float:
    mine, theirs = (
        Counter(zip(*(tokens[start:] for start in range(size)), strict=False))
        for tokens in (given, wanted)
    )
    return f_measure((mine & theirs).total(), mine.total(), theirs.total())


def _tokens(text: str, stemmer: Any) -> list[str]:
    tokens = words(text)
    return (
        [str(stemmer.stemWord(word)) if len(word) > SHORT else word for word in tokens]
        if stemmer
        else tokens
    )

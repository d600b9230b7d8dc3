"""How many words the answer shares with the expected one."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from llmops.tasks.plugins.scorers import Score
from llmops.tasks.plugins.scorers._expected import ComparingScorer
from llmops.tasks.texts.comparable import pieces, squad


class TokenOverlap(NamedTuple):
    """Ordered by `f1`."""

    f1: float
    precision: float
    recall: float


class TokenF1Scorer(ComparingScorer):
    """The F1 of SQuAD's official evaluate-v1.1 (Rajpurkar et al. 2016, arXiv:1606.05250): the
    harmonic mean of precision and recall over the bag of words that is left without case,
    punctuation and `articles`; the best of several expected answers counts.

    Chinese, Japanese, Korean, Thai and other scripts without spaces count by character, as in CMRC
    2018 (Cui et al. 2019), JSQuAD (Kurihara et al. 2022) and KorQuAD (Lim et al. 2019); in mixed
    text the rest counts by word. Where nothing is left of both texts the value is 1, where nothing
    is left of one it is 0. Parts: `precision` and `recall` of the answer that counts.
    """

    articles: tuple[str, ...] = ("a", "an", "the")

    def compare(self, given: str, wanted: Sequence[str]) -> Score:
        mine = pieces(squad(given, self.articles))
        best = max(overlap(mine, pieces(squad(one, self.articles))) for one in wanted)
        return Score(value=best.f1, parts={"precision": best.precision, "recall": best.recall})


def overlap(given: Sequence[str], wanted: Sequence[str]) -> TokenOverlap:
    """Of two bags of tokens."""
    if not given or not wanted:
        return TokenOverlap(*[float(given == wanted)] * 3)
    return f_measure(sum((Counter(given) & Counter(wanted)).values()), len(given), len(wanted))


def f_measure(same: int, given: int, wanted: int) -> TokenOverlap:
    """From the number of matches among so many; 0 where nothing matches."""
    if not same:
        return TokenOverlap(0.0, 0.0, 0.0)
    precision, recall = same / given, same / wanted
    return TokenOverlap(2 * precision * recall / (precision + recall), precision, recall)

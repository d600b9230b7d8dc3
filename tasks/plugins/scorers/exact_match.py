"""Whether the answer is the expected one."""

from collections.abc import Sequence
from typing import Literal

from llmops.tasks.plugins.scorers import Score
from llmops.tasks.plugins.scorers._expected import ComparingScorer
from llmops.tasks.texts.comparable import nfkc, shown, squad


class ExactMatchScorer(ComparingScorer):
    """1 when the answer equals one of the expected ones, else 0.

    `normalise: squad` compares as SQuAD's official script does (Rajpurkar et al. 2016): lower case,
    no punctuation, no `articles`, single spaces; two texts of which nothing is left are equal.
    `unicode` compares what NFKC and single spaces make of them. `case`: whether capitals count.
    """

    normalise: Literal["squad", "unicode"] = "squad"
    articles: tuple[str, ...] = ("a", "an", "the")
    case: bool = False

    def compare(self, given: str, wanted: Sequence[str]) -> Score:
        same = self._form(given) in {self._form(one) for one in wanted}
        told = " or ".join(repr(shown(one)) for one in wanted[:3])
        return Score(
            value=float(same), reason="" if same else f"got {shown(given)!r}, wanted {told}"
        )

    def _form(self, text: str) -> str:
        if self.normalise == "squad":
            return squad(text, self.articles, self.case)
        text = " ".join(nfkc(text).split())
        return text if self.case else nfkc(text.casefold())

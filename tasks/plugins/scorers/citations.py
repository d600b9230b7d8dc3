"""Whether the answer quotes the documents that it should, and no others."""

from llmops.tasks.plugins.scorers import Case, Sample, Score, Scorer
from llmops.tasks.plugins.scorers._expected import (
    Reference,
    texts_at,
    unanswerable,
    value_at,
    without,
)
from llmops.tasks.plugins.scorers._markers import quoted
from llmops.tasks.texts.comparable import shown


class CitationsScorer(Scorer):
    """The F1 of the documents that the answer quotes against those of `uris`, a list in the case;
    parts `precision` and `recall`.

    A document is quoted by the number of one of its passages (`[1]`, `[2,3]`, `[1-3]`, as
    `{{passages}}` numbers them) or by its uri. A mark that leads to no passage, or to one without a
    uri, counts as a wrong document. Quoting none of several is 0; where none is expected (an empty
    list), quoting none is 1 and quoting any is 0. The idea is ALCE's (Gao et al. 2023,
    arXiv:2305.14627), which asks a model whether each quoted passage supports its sentence; here
    the case says which documents do.
    """

    uris: Reference = "expected.uris"

    def missing(self, case: Case) -> str | None:
        return None if unanswerable(case) else self._expected(case)[1]

    def score(self, sample: Sample) -> Score:
        wanted, lack = self._expected(sample.case)
        if lack:
            return without(sample.case, lack)
        got, astray = quoted(sample.answer, sample.passages, wanted)
        right, quotes = [uri for uri in wanted if uri in got], len(got) + len(astray)
        if not wanted:
            none = float(not quotes)
            return Score(
                value=none,
                reason=_reason(got, [], astray),
                parts={"precision": none, "recall": 1.0},
            )
        precision, recall = len(right) / quotes if quotes else 0.0, len(right) / len(wanted)
        wrong, lost = (
            [uri for uri in got if uri not in wanted],
            [uri for uri in wanted if uri not in got],
        )
        return Score(
            value=2 * len(right) / (quotes + len(wanted)),
            reason=_reason(wrong, lost, astray),
            parts={"precision": precision, "recall": recall},
        )

    def _expected(self, case: Case) -> tuple[tuple[str, ...], str | None]:
        """Each document once, or what the case lacks."""
        if value_at(case, self.uris) == []:
            return (), None
        found = texts_at(case, self.uris)
        return tuple(dict.fromkeys(found.texts)), found.lack


def _reason(wrong: list[str], lost: list[str], astray: list[str]) -> str:
    told = (("quotes wrongly", wrong), ("does not quote", lost), ("leads to no passage:", astray))
    return "; ".join(
        f"{what} {', '.join(shown(one) for one in which[:5])}" for what, which in told if which
    )

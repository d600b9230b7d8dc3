"""Measure retrieval on a golden set, one or several search modes at a time; every question's values
are kept.

Metrics are of one question, from a ranking of distinct documents, each with its best chunk's text.
A document is relevant when the question names its uri and, where quotes are given, its chunk
contains one of them (compared as `golden.normalise` says). All metrics lie in [0, 1]; an empty
ranking scores 0.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from math import log2
from statistics import fmean
from typing import Any, NotRequired

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from llmops.tasks import progress
from llmops.tasks.retrieval.golden import Question, normalise
from llmops.tasks.statistics.intervals import share_interval

METRICS = ("recall", "ndcg", "mrr", "precision", "hit")
Ranking = Sequence[tuple[str, str]]
Rank = Callable[[Sequence[str], int, Any], Sequence[Ranking]]
"""(questions, k, mode) → for every question, in order, its k best distinct documents: (uri, text of
the best chunk).
"""


class QuestionReport(TypedDict):
    """One question as `worst` lists it; `expected` and the others are uris. `live_got`: what the
    live version finds, where the two are compared.
    """

    id: str
    question: str
    expected: list[str]
    got: list[str]
    live_got: NotRequired[list[str]]


class Asked(BaseModel):
    """What a report needs of a question. `cluster`: questions with the same first relevant uri are
    not independent.
    """

    model_config = ConfigDict(frozen=True)
    id: str
    question: str
    expected: tuple[str, ...]
    cluster: str


class ModeResult(BaseModel):
    """One search mode: `values` per metric ("recall@5") and `got`, the uris found, both in the
    questions' order.
    """

    model_config = ConfigDict(frozen=True)
    values: dict[str, tuple[float, ...]]
    got: tuple[tuple[str, ...], ...]


class MeasuredValue(TypedDict):
    """A metric's mean over the questions, with its 95 % interval."""

    value: float
    interval: list[float]


class Measurement(BaseModel):
    """The results of all modes on the same questions. Frozen and serialisable: it travels between
    tasks as it is.
    """

    model_config = ConfigDict(frozen=True)
    k: int
    questions: tuple[Asked, ...]
    modes: dict[str, ModeResult]

    @property
    def first(self) -> ModeResult:
        """The mode that decides: the one that was named first."""
        return next(iter(self.modes.values()))

    def only(self, mode: str) -> "Measurement":
        """That mode alone."""
        return self.model_copy(update={"modes": {mode: self.modes[mode]}})

    def worst(self, count: int = 10) -> list[QuestionReport]:
        """The questions with the lowest nDCG in the first mode, worst first, ties by id; perfect
        ones never.
        """
        values = self.first.values[metric_name("ndcg", self.k)]
        order = sorted(range(len(values)), key=lambda i: (values[i], self.questions[i].id))
        return [self.report(i) for i in order if values[i] < 1][:count]

    def without(self, ids: Collection[str]) -> "Measurement":
        """The same without some of its questions."""
        kept = [i for i, asked in enumerate(self.questions) if asked.id not in ids]
        return Measurement(
            k=self.k,
            questions=tuple(self.questions[i] for i in kept),
            modes={
                mode: ModeResult(
                    values={
                        name: tuple(values[i] for i in kept)
                        for name, values in result.values.items()
                    },
                    got=tuple(result.got[i] for i in kept),
                )
                for mode, result in self.modes.items()
            },
        )

    def report(self, index: int) -> QuestionReport:
        """One question as `worst` lists it."""
        asked = self.questions[index]
        return {
            "id": asked.id,
            "question": asked.question,
            "expected": list(asked.expected),
            "got": list(self.first.got[index]),
        }

    def summarised(self) -> dict[str, MeasuredValue]:
        """The metrics of the mode that decides."""
        clusters = [asked.cluster for asked in self.questions]
        return {
            metric: {"value": fmean(values), "interval": list(share_interval(values, clusters))}
            for metric, values in self.first.values.items()
        }

    def to_json(self, worst: int = 10) -> dict[str, Any]:
        """The part of `kb measure --json` that is about questions: k, questions, modes and
        worst.
        """
        clusters = [asked.cluster for asked in self.questions]
        modes = {
            mode: {
                metric: {"value": fmean(values), "interval": list(share_interval(values, clusters))}
                for metric, values in result.values.items()
            }
            for mode, result in self.modes.items()
        }
        return {
            "k": self.k,
            "questions": len(self.questions),
            "modes": modes,
            "worst": self.worst(worst),
        }


def measure(questions: Sequence[Question], rank: Rank, k: int, modes: Sequence[str]) -> Measurement:
    """Ask all questions at once in every mode and score the answers. What `rank` raises is not
    caught.

    Raises ValueError without questions or modes, for k below 1, or when `rank` answers another
    number of questions.
    """
    if not questions or not modes or k < 1:
        raise ValueError(
            f"measuring needs a question, a mode and k ≥ 1; got {len(questions)}, "
            f"{len(modes)}, k={k}"
        )
    progress.expect("ask", len(questions) * len(modes), "questions")
    results = {mode: _one_mode(questions, rank, k, mode) for mode in modes}
    return Measurement(
        k=k, questions=tuple(_asked(question) for question in questions), modes=results
    )


def _asked(question: Question) -> Asked:
    uris = tuple(dict.fromkeys(item.uri for item in question.relevant))
    return Asked(id=question.id, question=question.question, expected=uris, cluster=uris[0])


def _one_mode(questions: Sequence[Question], rank: Rank, k: int, mode: str) -> ModeResult:
    rankings = rank([question.question for question in questions], k, mode)
    if len(rankings) != len(questions):
        raise ValueError(
            f"the search answered {len(rankings)} of {len(questions)} questions in mode {mode}"
        )
    scores = [
        score(question, ranking, k) for question, ranking in zip(questions, rankings, strict=True)
    ]
    values = {
        name: tuple(values[name] for values in scores)
        for name in (metric_name(metric, k) for metric in METRICS)
    }
    return ModeResult(
        values=values, got=tuple(tuple(uri for uri, _ in ranking[:k]) for ranking in rankings)
    )


def metric_name(metric: str, k: int) -> str:
    """`recall` at 5 is "recall@5"; precision is always measured at 1."""
    return "precision@1" if metric == "precision" else f"{metric}@{k}"


def score(question: Question, ranking: Ranking, k: int) -> dict[str, float]:
    """All metrics of one question by their full names, e.g. {"recall@5": 1.0, …}. Raises ValueError
    for k below 1.
    """
    if k < 1:
        raise ValueError(f"k counts documents and must be at least 1, got {k}")
    gains = judge(question, ranking)[:k]
    relevant = len({item.uri for item in question.relevant})
    values = {
        "recall": recall(gains, relevant),
        "ndcg": ndcg(gains, relevant, k),
        "mrr": reciprocal_rank(gains),
        "precision": float(bool(gains) and gains[0]),
        "hit": float(any(gains)),
    }
    return {metric_name(metric, k): value for metric, value in values.items()}


def judge(question: Question, ranking: Ranking) -> list[bool]:
    """For every rank, whether it is relevant. A uri that comes twice counts at its first relevant
    rank only.
    """
    wanted = _wanted(question)
    credited: set[str] = set()
    gains = []
    for uri, text in ranking:
        relevant = uri in wanted and uri not in credited and _contains(text, wanted[uri])
        credited |= {uri} if relevant else set()
        gains.append(relevant)
    return gains


def recall(gains: Sequence[bool], relevant: int) -> float:
    """Found over all relevant documents (trec_eval `recall`)."""
    return sum(gains) / relevant


def ndcg(gains: Sequence[bool], relevant: int, k: int) -> float:
    """Normalised discounted cumulated gain with binary gains: sum of gain / log2(rank + 1), over
    that of the ideal.

    The ideal ranking has min(relevant, k) documents at the top. Järvelin & Kekäläinen (2002),
    Cumulated gain-based evaluation of IR techniques, with the discount of trec_eval's `ndcg_cut`.
    """
    gained = sum(1 / log2(rank + 1) for rank, gain in enumerate(gains, 1) if gain)
    return gained / sum(1 / log2(rank + 1) for rank in range(1, min(relevant, k) + 1))


def reciprocal_rank(gains: Sequence[bool]) -> float:
    """1 / rank of the first relevant document, 0 without one (trec_eval `recip_rank`, cut at k)."""
    return next((1 / rank for rank, gain in enumerate(gains, 1) if gain), 0.0)


def _wanted(question: Question) -> Mapping[str, list[str]]:
    """Quotes by uri; an empty list where any chunk of the document will do."""
    wanted: dict[str, list[str]] = {}
    anywhere = {item.uri for item in question.relevant if item.quote is None}
    for item in question.relevant:
        quotes = wanted.setdefault(item.uri, [])
        if item.quote is not None and item.uri not in anywhere:
            quotes.append(normalise(item.quote))
    return wanted


def _contains(text: str, quotes: Sequence[str]) -> bool:
    if not quotes:
        return True
    chunk = normalise(text)
    return any(quote in chunk for quote in quotes)

"""What a trained ranking gains on documents that it was not trained on: cross-validation by groups,
of the hybrid search that would be served.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from llmops.tasks.plugins.trainers import (
    JudgedPairs,
    Step,
    TrainedModel,
    Trainer,
    TrainingData,
    TrainingRun,
    silent,
)
from llmops.tasks.plugins.trainers.retrieval.adapter import from_bytes, turned, whitening
from llmops.tasks.retrieval.golden import Question
from llmops.tasks.retrieval.groups import Groups, Mask, clean_marks, folds, linked
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.retrieval.judging import Answers, answers, judge, judged
from llmops.tasks.retrieval.weight import WEIGHTS, Judged, best_weight, quality
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array

Tell = Callable[[str], None]
SEED = 7


@dataclass(frozen=True)
class RankingProblem:
    """Judged questions on a frozen index, all of them of languages that the embedder knows.

    `searcher` ranks as is done without a trained ranking. `vectors` of shape (n, dimension),
    `answers` and `lists` in the order of `questions`; `groups`: questions that no split parts;
    `decides`: those that were judged, the others only train.
    """

    searcher: Searcher
    questions: tuple[Question, ...]
    vectors: Vectors
    answers: Answers
    lists: tuple[Judged, ...]
    groups: Groups
    decides: Mask

    def deciding(self) -> "RankingProblem":
        """The judged questions alone."""
        kept = list(map(int, np.flatnonzero(self.decides)))
        return replace(
            self,
            questions=tuple(self.questions[number] for number in kept),
            vectors=self.vectors[kept],
            answers=replace(self.answers, of=tuple(self.answers.of[number] for number in kept)),
            lists=tuple(self.lists[number] for number in kept),
            groups=self.groups[kept],
            decides=self.decides[kept],
        )

    @property
    def documents(self) -> list[set[str]]:
        """The uris that answer each question."""
        return [set(mine) for mine in self.answers.of]

    def pairs(self, chosen: Mask) -> JudgedPairs:
        """The chosen questions with the passages that answer them: of each document the one that
        is most like the question.
        """
        picked: list[tuple[int, int]] = []
        for row, number in enumerate(np.flatnonzero(chosen)):
            for rows in self.answers.of[number].values():
                near = self.answers.vectors[list(rows)] @ self.vectors[number]
                picked.append((row, rows[int(near.argmax())]))
        mine, passages = np.array(sorted(set(picked)), np.int64).reshape(-1, 2).T
        used, columns = np.unique(passages, return_inverse=True)
        return JudgedPairs(
            self.vectors[chosen], self.answers.vectors[used], np.stack([mine, columns], axis=1)
        )

    def with_vectors(self, vectors: Vectors, chosen: Mask) -> dict[int, Judged]:
        """The chosen questions, searched with other vectors."""
        reader = self.searcher.reader
        moved = {}
        for number in map(int, np.flatnonzero(chosen)):
            before = self.lists[number]
            lists = before.candidates._replace(near=self.searcher.near(vectors[number]))
            moved[number] = judge(reader, self.questions[number], lists, before.rule)
        return moved


def problem_of(
    searcher: Searcher, judged_questions: Sequence[Question], weak: Sequence[Question] = ()
) -> RankingProblem:
    """The questions that can be learnt from: a passage of the knowledge base answers them, and the
    embedder knows their language. There may be none. `weak`: those that train and do not decide.
    """
    weakly = {each.id for each in weak}
    every = (*judged_questions, *weak)
    known = [each for each in every if searcher.rule(each.question) > 0]
    there = answers(searcher.reader, known)
    kept = [number for number, mine in enumerate(there.of) if mine]
    mine = tuple(known[number] for number in kept)
    there = replace(there, of=tuple(there.of[number] for number in kept))
    texts = [question.question for question in mine]
    size = searcher.embedder.dimension
    vectors = searcher.embedder.embed_query(texts) if texts else np.zeros((0, size), np.float32)
    marks = clean_marks(texts, [set(each) for each in there.of], there.texts)
    groups = linked(marks) if marks else np.zeros(0, np.int64)
    decides = np.array([each.id not in weakly for each in mine], bool)
    lists = tuple(judged(searcher, mine, vectors))
    return RankingProblem(searcher, mine, vectors, there, lists, groups, decides)


@dataclass(frozen=True)
class HeldOut:
    """Each question as served by a ranking that has not seen its documents; arrays of shape (n,).
    `weight`: that of all questions together.
    """

    ndcg: Array
    first: Array
    weight: float

    def of(self, kept: Mask) -> "HeldOut":
        """Of some of the questions alone."""
        return HeldOut(self.ndcg[kept], self.first[kept], self.weight)


@dataclass(frozen=True)
class CrossFit:
    """`base`: as served without a trained ranking; `weighted`: with a fitted weight; `adapted`:
    with adapter and weight; `whitened`: the control, which knows the questions and no label;
    `known`: `adapted` where the split parts no question from its document, and `seen`: the
    questions whose documents were then trained on.
    """

    base: HeldOut
    weighted: HeldOut
    adapted: HeldOut | None = None
    whitened: HeldOut | None = None
    known: HeldOut | None = None
    seen: Mask = field(default_factory=lambda: np.zeros(0, bool))

    def of(self, kept: Mask) -> "CrossFit":
        """Of some of the questions alone."""
        return CrossFit(
            self.base.of(kept),
            self.weighted.of(kept),
            self.adapted and self.adapted.of(kept),
            self.whitened and self.whitened.of(kept),
            self.known and self.known.of(kept),
            self.seen[kept] if len(self.seen) else self.seen,
        )


def cross_fit(
    problem: RankingProblem, trainer: Trainer, count: int, *, adapts: bool, tell: Tell
) -> CrossFit:
    """Train on all folds but one and search with the questions of that one, for each of `count`
    folds.
    """
    parts, decides = folds(problem.groups, count), problem.decides
    base = served_at(problem.lists, problem.searcher.weight)
    weighted = fused_best(problem.lists, parts, decides)
    if not adapts:
        return CrossFit(base, weighted)
    tell(f"{len(parts)} trainings by groups of documents")
    adapted = fused_best(_moved(problem, parts, _trained(problem, trainer)), parts, decides)
    tell("the control without labels")
    control = _moved(problem, parts, lambda mask: _whitened(problem, mask))
    whitened = fused_best(control, parts, decides)
    tell(f"{count} trainings by questions, for documents that were seen")
    loose = folds(np.random.default_rng(SEED).permutation(len(problem.questions)), count)
    known = fused_best(_moved(problem, loose, _trained(problem, trainer)), loose, decides)
    return CrossFit(base, weighted, adapted, whitened, known, _seen(problem, loose))


def train_on(
    problem: RankingProblem, trainer: Trainer, chosen: Mask, step: Step
) -> tuple[bytes, Vectors]:
    """The adapter of the chosen questions: its file and its matrix."""
    with TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), step)
        made: TrainedModel = trainer.train(TrainingData("", pairs=problem.pairs(chosen)), run)
        content = (run.folder / made.files[0]).read_bytes()
    return content, from_bytes(content, problem.searcher.embedder.dimension)


def fused_best(lists: Sequence[Judged], parts: Sequence[Mask], decides: Mask) -> HeldOut:
    """Each fold at the weight that is best for those of the others that decide."""
    gains, tops = np.array([quality(each, WEIGHTS) for each in lists]).transpose(1, 0, 2)
    mine, top = np.empty(len(lists)), np.empty(len(lists))
    for fold in parts:
        others = ~fold & decides
        column = best_weight(gains[others if others.any() else ~fold])
        mine[fold], top[fold] = gains[fold, column], tops[fold, column]
    return HeldOut(mine, top, float(WEIGHTS[best_weight(gains[decides])]))


def served_at(lists: Sequence[Judged], weight: float | None) -> HeldOut:
    """Each question at a weight; None: by rule."""
    weights = [each.rule if weight is None else weight for each in lists]
    pairs = zip(lists, weights, strict=True)
    figures = np.array([quality(each, np.array([weight])) for each, weight in pairs])
    return HeldOut(figures[:, 0, 0], figures[:, 1, 0], weights[0])


def _moved(
    problem: RankingProblem, parts: Sequence[Mask], vectors_of: Callable[[Mask], Vectors]
) -> list[Judged]:
    """Every question, searched with what was learnt from the folds that it is not in."""
    moved: dict[int, Judged] = {}
    for fold in parts:
        moved |= problem.with_vectors(vectors_of(~fold), fold)
    return [moved[number] for number in range(len(problem.questions))]


def _trained(problem: RankingProblem, trainer: Trainer) -> Callable[[Mask], Vectors]:
    def vectors(chosen: Mask) -> Vectors:
        _, matrix = train_on(problem, trainer, chosen, silent)
        return turned(problem.vectors, matrix)

    return vectors


def _whitened(problem: RankingProblem, chosen: Mask) -> Vectors:
    matrix = whitening(problem.vectors[chosen]).astype(np.float32)
    return turned(problem.vectors, matrix)


def _seen(problem: RankingProblem, parts: Sequence[Mask]) -> Mask:
    seen = np.zeros(len(problem.questions), bool)
    documents = problem.documents
    for fold in parts:
        trained = set().union(*(documents[number] for number in np.flatnonzero(~fold)))
        for number in np.flatnonzero(fold):
            seen[number] = bool(documents[number] & trained)
    return seen

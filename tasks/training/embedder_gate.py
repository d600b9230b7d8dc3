"""May a trained embedder be served? By what the served search gains on documents that it was not
trained on, and where a second set shows no loss: an embedder forgets what it is not trained on.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.trainers.sentence_transformers import (
    SecondSet,
    SentenceTransformersTrainer,
)
from llmops.tasks.retrieval.gate import margin_finding
from llmops.tasks.retrieval.golden import Question, read_golden
from llmops.tasks.retrieval.groups import Mask
from llmops.tasks.retrieval.weight import LEAST
from llmops.tasks.schemas import OneOrMore, paths_of
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.comparison import compare
from llmops.tasks.statistics.paired import paired_difference
from llmops.tasks.training.crossfit import Tell
from llmops.tasks.training.embedder_search import (
    SearchedTwice,
    TrainedRows,
    live_version,
    searched_twice,
)
from llmops.tasks.training.gate import gain
from llmops.tasks.training.outcome import Gain, LostQuestion, Status

TINY = 1e-9
WORST = 10
NDCG, FIRST, VECTOR = 0, 1, 2


class EmbedderGate(BaseModel):
    """What was measured, and what follows from it. `served`: what the hybrid search gains on
    documents that were not trained on, `seen` on those that were, `vector`: the first by vectors
    alone; `first`: precision@1 before and after. `second`: on the second set. `judged`: questions
    that were given, `usable`: those that a passage answers, `unseen`: those that decide. `better`,
    `worse`, `same`: of these, and `lost` those that lose most. `test`, …: of the set that does not
    decide.
    """

    model_config = ConfigDict(frozen=True)
    status: Status
    reason: str
    knowledge_base: str
    version: int
    judged: int = 0
    usable: int = 0
    unseen: int = 0
    served: Gain | None = None
    vector: Gain | None = None
    seen: Gain | None = None
    first: tuple[float, float] | None = None
    second: Gain | None = None
    second_knowledge_base: str | None = None
    better: int = 0
    worse: int = 0
    same: int = 0
    lost: tuple[LostQuestion, ...] = ()
    test: Gain | None = None
    test_seen: Gain | None = None
    test_unseen: Gain | None = None
    warnings: tuple[str, ...] = ()

    def figures(self) -> dict[str, object]:
        """The numbers, without questions."""
        shown = self.model_dump(exclude={"lost", "warnings", "reason", "status", "first"})
        return {"gate": {name: each for name, each in shown.items() if each is not None}}


class CandidateEmbedder(NamedTuple):
    """What measures an embedder: where, which, trained on what; relative paths start at
    `folder`.
    """

    home: Path
    folder: Path
    trained: Embedder
    rows: TrainedRows
    tell: Tell

    def measured(self, name: str, files: OneOrMore) -> SearchedTwice:
        questions = self.golden(files)
        version = live_version(self.home, name)
        return searched_twice(self.home, version, questions, self.trained, self.rows, self.tell)

    def golden(self, files: OneOrMore) -> tuple[Question, ...]:
        return read_golden(*paths_of(self.folder, files)).questions


def decide_embedder(
    candidate: CandidateEmbedder, trainer: SentenceTransformersTrainer
) -> EmbedderGate:
    """Raises UsageError for a knowledge base that there is not, ConfigError for a broken golden
    set.
    """
    assert trainer.knowledge_base is not None
    assert trainer.questions is not None
    version = live_version(candidate.home, trainer.knowledge_base)
    ours = candidate.measured(trainer.knowledge_base, trainer.questions)
    status, reason = verdict(ours)
    gate = EmbedderGate(
        status=status,
        reason=reason,
        knowledge_base=trainer.knowledge_base,
        version=version.version,
        judged=ours.given,
        warnings=tuple(_warnings(trainer, ranked=version.ranking is not None)),
        **_figures(ours),
    )
    if trainer.second is not None:
        gate = _with_second(candidate, gate, trainer.second)
    if trainer.test is not None:
        gate = _with_test(candidate, gate, trainer.test)
    return gate


def verdict(ours: SearchedTwice) -> tuple[Status, str]:
    """By the questions about documents that were not trained on."""
    unseen = ~ours.seen
    count = int(unseen.sum())
    if count < LEAST:
        return "inconclusive", (
            f"{count} of {ours.given} judged questions are answered by the knowledge base and "
            f"about nothing that was trained on, and {LEAST} are the least: hold questions out of "
            "the data set by decontaminate.against"
        )
    tried = between(ours, unseen)
    assert tried is not None
    if tried.shown:
        return "promoted", f"it gained on documents not trained on: {tried.told()}"
    if tried.difference <= TINY:
        return "rejected", f"nothing is gained on documents not trained on: {tried.told()}"
    groups = list(map(int, ours.groups[unseen]))
    needed = compare(ours.after[unseen, NDCG], ours.before[unseen, NDCG], groups).cases_needed
    more = max(1, (needed or 0) - count)
    told = f"; about {more} more questions would tell" if needed else ""
    return "inconclusive", f"the gain may be chance: {tried.told()}{told}"


def between(ours: SearchedTwice, chosen: Mask, column: int = NDCG) -> Gain | None:
    """What the chosen questions gain; None for none."""
    if not chosen.any():
        return None
    groups = list(map(int, ours.groups[chosen]))
    return gain(ours.after[chosen, column], ours.before[chosen, column], groups)


def _with_second(
    candidate: CandidateEmbedder, gate: EmbedderGate, second: SecondSet
) -> EmbedderGate:
    """The second set only takes away: where it loses more than its margin, nothing is promoted."""
    theirs = candidate.measured(second.knowledge_base, second.questions)
    every = np.ones(len(theirs.questions), bool)
    told = {"second": between(theirs, every), "second_knowledge_base": second.knowledge_base}
    if gate.status != "promoted":
        return gate.model_copy(update=told)
    if not len(theirs.questions):
        said = f"no question of the second set is answered by {second.knowledge_base}"
        return gate.model_copy(update={**told, "status": "inconclusive", "reason": said})
    new, old = theirs.after[:, NDCG], theirs.before[:, NDCG]
    effect = paired_difference(new, old, list(map(int, theirs.groups)))
    found, facts = margin_finding(effect, [*new], [*old], second.margin)
    if found == "passed":
        reason = f"{gate.reason}; on {second.knowledge_base} it does not lose: {facts}"
        return gate.model_copy(update={**told, "reason": reason})
    reason = f"it loses on {second.knowledge_base}, which it was not trained on: {facts}"
    if found == "inconclusive":
        reason = f"on {second.knowledge_base}, which it was not trained on: {facts}"
    return gate.model_copy(update={**told, "status": found, "reason": reason})


def _with_test(candidate: CandidateEmbedder, gate: EmbedderGate, files: OneOrMore) -> EmbedderGate:
    theirs = candidate.measured(gate.knowledge_base, files)
    every = np.ones(len(theirs.questions), bool)
    masks = {"test": every, "test_seen": theirs.seen, "test_unseen": ~theirs.seen}
    return gate.model_copy(update={name: between(theirs, mask) for name, mask in masks.items()})


def _warnings(trainer: SentenceTransformersTrainer, *, ranked: bool) -> Sequence[str]:
    said = []
    if trainer.second is None:
        said.append(
            "no second set: nothing says what the embedder forgot of other subjects (train.second)"
        )
    if ranked:
        said.append(
            f"the live ranking of {trainer.knowledge_base} does not fit another embedder: train it "
            "again after the next build"
        )
    return said


def _figures(ours: SearchedTwice) -> dict[str, object]:
    unseen = ~ours.seen
    change = (ours.after - ours.before)[:, NDCG]
    mine = change[unseen]
    first = None
    if unseen.any():
        first = tuple(float(each[unseen, FIRST].mean()) for each in (ours.before, ours.after))
    return {
        "usable": len(ours.questions),
        "unseen": int(unseen.sum()),
        "served": between(ours, unseen),
        "vector": between(ours, unseen, VECTOR),
        "seen": between(ours, ours.seen),
        "first": first,
        "better": int((mine > TINY).sum()),
        "worse": int((mine < -TINY).sum()),
        "same": int((abs(mine) <= TINY).sum()),
        "lost": _lost(ours, np.where(unseen, change, 0.0)),
    }


def _lost(ours: SearchedTwice, change: Array) -> tuple[LostQuestion, ...]:
    order = sorted(range(len(change)), key=lambda n: (change[n], ours.questions[n].id))
    return tuple(
        LostQuestion(
            id=ours.questions[n].id,
            question=ours.questions[n].question,
            expected=sorted({item.uri for item in ours.questions[n].relevant}),
            got=[ours.top[n]],
            lost=round(-float(change[n]), 4),
        )
        for n in order[:WORST]
        if change[n] < -TINY
    )

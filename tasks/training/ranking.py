"""Training how a knowledge base ranks: from judged questions to a ranking that is kept, and is live
where the gate says so.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llmops.tasks.knowledge import rankings
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.knowledge.rankings import NewRanking
from llmops.tasks.knowledge.reading import unranked
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.plugins.trainers import Step, silent
from llmops.tasks.plugins.trainers.retrieval import RetrievalTrainer
from llmops.tasks.retrieval.golden import Question
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.retrieval.measure import Measurement, measure
from llmops.tasks.schemas import Vectors
from llmops.tasks.traces.trained import KEY, RankingNote
from llmops.tasks.training.against import Candidate, not_worse
from llmops.tasks.training.crossfit import (
    HeldOut,
    RankingProblem,
    Tell,
    cross_fit,
    problem_of,
    train_on,
)
from llmops.tasks.training.gate import Decided, decide, gain, too_few
from llmops.tasks.training.outcome import Gain, LabelCounts, RankingFigures, TrainOutcome
from llmops.tasks.training.spec import Labels, TrainSpec, held_out, labels_of

DEPTH = 10


class RankingModel(NamedTuple):
    """What was learnt. `content`: the adapter's file, None where the weight alone passed; `held`:
    as it ranks documents that it has not seen, None where nothing was learnt.
    """

    decided: Decided
    content: bytes | None
    adapter: Vectors | None
    held: HeldOut | None = None


def quiet(text: str) -> None:
    """Tells nobody."""


def planned(home: Path, spec: TrainSpec) -> TrainOutcome:
    """What a training would learn from. Nothing is trained, embedded or written."""
    trainer = spec.build()
    version = Handle(home=home, name=trainer.knowledge_base).published()
    labels, held = labels_of(home, spec), held_out(spec)
    searcher = unranked(home, version)
    foreign = sum(searcher.rule(each.question) == 0 for each in labels.questions)
    counts = LabelCounts(
        judged=len(labels.questions),
        sources=labels.sources | ({"test": len(held)} if held else {}),
        usable=len(labels.questions) - foreign,
        clicks=sum(searcher.rule(each.question) > 0 for each in labels.clicked),
        without_passage=0,
        other_language=foreign,
        groups=0,
    )
    few = too_few(counts.usable, counts.other_language)
    reason = few or f"{counts.usable} of {counts.judged} judged questions would be learnt from"
    return _outcome(spec, version, labels, counts).model_copy(
        update={"reason": reason, "live": version.ranking}
    )


def train_ranking(
    home: Path, spec: TrainSpec, tell: Tell = quiet, step: Step = silent, run_id: str | None = None
) -> tuple[TrainOutcome, bytes | None]:
    """Train, decide, keep, and make it live where it passes. Returns the outcome and the adapter's
    file, None where there is none. Raises UsageError for what cannot be trained on.
    """
    began, trainer = time.perf_counter(), spec.build()
    kb = Handle(home=home, name=trainer.knowledge_base)
    version, labels, held = kb.published(), labels_of(home, spec), held_out(spec)
    searcher = unranked(home, version)
    tell(f"{len(labels.questions)} judged questions are searched")
    problem = problem_of(searcher, labels.questions, labels.clicked)
    counts = _counts(problem, labels)
    outcome = _outcome(spec, version, labels, counts)
    few = too_few(counts.usable, counts.other_language)
    model = _unlearnt(few) if few else _learnt(problem, trainer, tell, step)
    model = _beside_live(kb, version.ranking, problem, model)
    if held:
        tell(f"{len(held)} questions of the test set are searched")
        model = _tested(problem, model, held)
    decided = model.decided
    told = outcome.model_copy(
        update={
            "status": decided.status,
            "reason": decided.reason,
            "figures": decided.figures,
            "learnt": _summed(decided),
            "prefect_run_id": run_id,
        }
    )
    kept = rankings.keep(
        kb, _new(searcher, told, problem, decided.weight), decided.status, model.content
    )
    before = version.ranking
    if decided.status == "promoted":
        before = rankings.promote(kb, kept.number, f"flow run {run_id}" if run_id else "trained")
    after = {
        "ranking": kept.number,
        "previous_ranking": before,
        "live": kept.number if decided.status == "promoted" else before,
        "model_sha256": kept.model_sha256,
        "seconds": round(time.perf_counter() - began, 2),
    }
    return told.model_copy(update=after), model.content


def _note(kb: str, questions: Sequence[Question]) -> RankingNote:
    """What it learnt from, so that an erasure finds it."""
    lineage = [each.lineage for each in questions if each.lineage]
    uris = {item.uri for each in questions for item in each.relevant}
    return RankingNote(
        traces=tuple(sorted({each.trace_id for each in lineage if each.trace_id})),
        people=tuple(sorted({who for each in lineage for who in each.reviewers})),
        documents=tuple(sorted(uri_hash(kb, uri) for uri in uris)),
    )


def _new(
    searcher: Searcher, told: TrainOutcome, problem: RankingProblem, weight: float | None
) -> NewRanking:
    note = _note(told.knowledge_base, problem.questions)
    return NewRanking(
        version=told.version,
        embedder=searcher.embedder.query_fingerprint(),
        dimension=searcher.embedder.dimension,
        weight=weight,
        dataset_sha256=told.dataset_sha256,
        decision={
            **told.model_dump(mode="json", include=DECISION),
            KEY: note.model_dump(mode="json"),
        },
        prefect_run_id=told.prefect_run_id,
    )


DECISION = {"status", "reason", "labels", "figures", "learnt"}


def _unlearnt(why: str) -> RankingModel:
    return RankingModel(Decided("inconclusive", why, None, False, RankingFigures()), None, None)


def _learnt(
    problem: RankingProblem, trainer: RetrievalTrainer, tell: Tell, step: Step
) -> RankingModel:
    fitted = cross_fit(problem, trainer, trainer.folds, adapts=trainer.adapter, tell=tell)
    mine = fitted.of(problem.decides)
    decided = decide(problem.deciding(), mine)
    if not decided.adapts:
        return RankingModel(decided, None, None, mine.weighted)
    tell("the adapter is trained on all questions")
    every = np.ones(len(problem.questions), bool)
    return RankingModel(decided, *train_on(problem, trainer, every, step), mine.adapted)


def _beside_live(
    kb: Handle, live: int | None, problem: RankingProblem, model: RankingModel
) -> RankingModel:
    """The same, unless it is worse than the ranking that is live."""
    decided = model.decided
    if live is None or decided.status != "promoted" or model.held is None:
        return model
    new = Candidate(model.held, decided.weight, model.adapter)
    decided = not_worse(kb, live, problem.deciding(), decided, new)
    if decided.status != "promoted":
        return RankingModel(decided, None, None)
    return model._replace(decided=decided)


def _tested(problem: RankingProblem, model: RankingModel, held: Sequence[Question]) -> RankingModel:
    """With the figures of the test set, as it is served before and after."""
    plain, decided = problem.searcher, model.decided
    weight = plain.weight if decided.weight is None else decided.weight
    vectors = plain.embedder.embed_query([each.question for each in held])
    before = after = _measured(plain, held, vectors)
    if decided.status == "promoted":
        searcher = replace(plain, weight=weight, adapter=model.adapter)
        after = _measured(searcher, held, vectors)
    pages = {uri.partition("#")[0] for mine in problem.documents for uri in mine}
    known = [
        any(uri.partition("#")[0] in pages for uri in each.expected) for each in after.questions
    ]
    figures = decided.figures.model_copy(
        update={
            "test": _between(before, after, [True] * len(known)),
            "test_first": tuple(
                float(np.mean(each.first.values["precision@1"])) for each in (before, after)
            ),
            "test_seen": _between(before, after, known),
            "test_unseen": _between(before, after, [not each for each in known]),
        }
    )
    return model._replace(decided=decided._replace(figures=figures))


def _measured(searcher: Searcher, questions: Sequence[Question], vectors: Vectors) -> Measurement:
    quoted = any(item.quote is not None for each in questions for item in each.relevant)

    def rank(texts: Sequence[str], k: int, _: str) -> list[list[tuple[str, str]]]:
        if quoted:
            return searcher.documents_many(texts, k, "hybrid", vectors)
        found = searcher.uris_many(texts, k, "hybrid", vectors)
        return [[(uri, "") for uri in uris] for uris in found]

    return measure(questions, rank, DEPTH, ["hybrid"])


def _between(before: Measurement, after: Measurement, kept: Sequence[bool]) -> Gain | None:
    if not any(kept):
        return None
    names = sorted({each.cluster.partition("#")[0] for each in after.questions})
    number = {name: place for place, name in enumerate(names)}
    mask = np.array(kept)
    new, old = (np.array(each.first.values[f"ndcg@{DEPTH}"]) for each in (after, before))
    groups = [number[each.cluster.partition("#")[0]] for each in after.questions]
    return gain(
        new[mask],
        old[mask],
        [group for group, is_kept in zip(groups, kept, strict=True) if is_kept],
    )


def _summed(decided: Decided) -> dict[str, float | bool]:
    weight = {} if decided.weight is None else {"weight": round(decided.weight, 4)}
    return {**weight, "adapter": decided.adapts}


def _counts(problem: RankingProblem, labels: Labels) -> LabelCounts:
    rule: Callable[[str], float] = problem.searcher.rule
    foreign = sum(rule(each.question) == 0 for each in labels.questions)
    usable = int(problem.decides.sum())
    return LabelCounts(
        judged=len(labels.questions),
        sources=labels.sources,
        usable=usable,
        clicks=len(problem.questions) - usable,
        without_passage=len(labels.questions) - foreign - usable,
        other_language=foreign,
        groups=len(set(map(int, problem.groups[problem.decides]))),
    )


def _outcome(
    spec: TrainSpec, version: Version, labels: Labels, counts: LabelCounts
) -> TrainOutcome:
    return TrainOutcome(
        name=spec.name,
        trainer=spec.trainer.name,
        knowledge_base=version.kb,
        version=version.version,
        status="planned",
        reason="",
        labels=counts,
        dataset_sha256=labels.sha256,
    )

"""A new ranking beside the one that is live: it may not be worse.

The live one has seen some of the same questions, so the two are compared on equal terms: on
documents that the live one never learnt from, where the new one is taken as it ranks what it has
not seen either; or, where these are too few, on those that both have learnt from.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.rankings import ranked, ranking_of
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.plugins.trainers.retrieval.adapter import turned
from llmops.tasks.retrieval.groups import Mask
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.retrieval.weight import LEAST
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.traces.trained import KEY, RankingNote
from llmops.tasks.training.crossfit import HeldOut, RankingProblem, served_at
from llmops.tasks.training.gate import TINY, Decided, gain
from llmops.tasks.training.outcome import Status


class Candidate(NamedTuple):
    """`held`: as it ranks documents that it has not seen; `weight`, `adapter`: of all questions."""

    held: HeldOut
    weight: float | None
    adapter: Vectors | None


def not_worse(
    kb: Handle, number: int, problem: RankingProblem, decided: Decided, new: Candidate
) -> Decided:
    """What was decided, unless the candidate is worse than the live ranking of that number.
    `problem`: of the questions that decide.
    """
    live = ranking_of(kb, number)
    plain = problem.searcher
    if live.refusal(plain.embedder):
        return decided
    before = ranked_as(problem, ranked(kb, number, plain))
    note = RankingNote.model_validate(live.decision.get(KEY) or {})
    learnt = _learnt(kb.name, problem, note)
    fresh = bool(note.documents) and int((~learnt).sum()) >= LEAST
    if fresh:
        kept, after = ~learnt, new.held.ndcg
    else:
        kept = learnt if learnt.any() else np.ones(len(learnt), bool)
        mine = replace(plain, adapter=new.adapter)
        after = ranked_as(problem, mine if new.weight is None else replace(mine, weight=new.weight))
    change = gain(after[kept], before[kept], [int(group) for group in problem.groups[kept]])
    where = "neither has seen" if fresh else "both have learnt from"
    figures = decided.figures.model_copy(
        update={
            "against_live": change,
            "against_better": int((after[kept] - before[kept] > TINY).sum()),
            "against_worse": int((after[kept] - before[kept] < -TINY).sum()),
        }
    )
    told = f"beside the live ranking {number}, on documents that {where}: {change.told()}"
    if change.difference >= -TINY:
        return decided._replace(figures=figures, reason=f"{decided.reason}; {told}")
    shown = change.interval[1] < 0
    reason = f"it is {'worse' if shown else 'probably worse'} {told}"
    status: Status = "rejected" if shown else "inconclusive"
    return Decided(status, reason, None, False, figures)


def ranked_as(problem: RankingProblem, searcher: Searcher) -> Array:
    """nDCG@10 of each question, as a searcher with a ranking serves it."""
    lists = problem.lists
    if searcher.adapter is not None:
        every = np.ones(len(lists), bool)
        moved = problem.with_vectors(turned(problem.vectors, searcher.adapter), every)
        lists = tuple(moved[place] for place in range(len(lists)))
    return served_at(lists, searcher.weight).ndcg


def _learnt(kb: str, problem: RankingProblem, note: RankingNote) -> Mask:
    """Questions of which the live one has learnt from a document."""
    known = set(note.documents)
    return np.array(
        [any(uri_hash(kb, uri) in known for uri in uris) for uris in problem.documents], bool
    )

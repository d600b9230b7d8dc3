"""Scores of the answers of a part: every scorer and judge of the run, and the metrics of the arms'
retrieval.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from llmops.tasks import progress
from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.errors import Damaged
from llmops.tasks.evaluation.judging import (
    BoundJudge,
    Documents,
    JudgePool,
    JudgeQuestion,
    bound_judges,
    marks,
)
from llmops.tasks.evaluation.results import Result, RunPart, read_results, writing
from llmops.tasks.evaluation.run import Arm, EvaluationRun, question
from llmops.tasks.plugins.scorers import Case, Judge, PairJudge, Sample, Score, Scorer, metric_of
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.retrieval.measure import metric_name
from llmops.tasks.retrieval.measure import score as measured

MEASURED = ("recall", "ndcg", "mrr")
FAMILY = "retrieval"
BLOCK = 200
"""Results that are in memory at a time, about: whole cases."""
Key = tuple[str, str, int]


def score_part(run: EvaluationRun, part: RunPart, cases: Sequence[Case]) -> RunPart:
    """The part with scores, as `scored-0001.parquet` in the run's folder. Results that are errored
    get none.

    An answer that could not be scored has a score without a value and a reason; `failed` where the
    scorer or judge is to blame, see judging.py. When the budget ends, what is not judged says so,
    and the part says why it stopped. Raises Unavailable when a judge's model cannot be reached:
    what was paid is remembered.
    """
    scoring = scoring_of(run, cases)
    file = run.folder / f"scored-{part.number:04}.parquet"
    spent, stopped = asyncio.run(_scored(scoring, part, file))
    return part.model_copy(
        update={"file": file, "spent": spent, "stopped": part.stopped or stopped}
    )


async def _scored(scoring: "Scoring", part: RunPart, file: Path) -> tuple[Spent, str | None]:
    run, spent, pool = scoring.run, part.spent, None
    async with AsyncExitStack() as stack:
        write = stack.enter_context(writing(file))
        budget = run.budget(part.spent)
        if scoring.judges:
            payer = Payer("evaluate", run.name)
            opening = Gateway(run.home, budget, run.concurrency, payer=payer)
            gateway = await stack.enter_async_context(opening)
            pool = JudgePool(gateway, scoring.judges, 2 * run.concurrency)
        every = blocks(read_results(part.file))
        for block in progress.each(every, "score", unit="answers", size=len):
            write(await scoring.scored(block, pool))
        spent = budget.spent
    return spent, pool.stopped if pool else None


def blocks(results: Iterable[Result]) -> Iterator[list[Result]]:
    """The results in their order, a case never parted, since pairs of answers are judged
    together.
    """
    block: list[Result] = []
    for _, same in groupby(results, key=lambda result: result.case_id):
        block += same
        if len(block) >= BLOCK:
            yield block
            block = []
    if block:
        yield block


def key_of(result: Result) -> Key:
    return result.case_id, result.arm, result.repeat


def scoring_of(run: EvaluationRun, cases: Sequence[Case]) -> "Scoring":
    """Of a run, for answers to these cases."""
    built = {metric_of(spec): spec.build(Scorer) for spec in run.scorers}
    return Scoring(
        run,
        {case.id: case for case in cases},
        {name: scorer for name, scorer in built.items() if not isinstance(scorer, Judge)},
        bound_judges(run.scorers, run.prices),
    )


class Scoring(NamedTuple):
    """What answers of a run are scored with, built once: the scorers that ask nobody, and the
    judges, by their metrics.
    """

    run: EvaluationRun
    cases: Mapping[str, Case]
    scorers: Mapping[str, Scorer]
    judges: Mapping[str, BoundJudge]

    async def scored(self, results: Sequence[Result], pool: JudgePool | None) -> list[Result]:
        """The results with their scores. Judges wait for their models while the other scorers
        compute.
        """
        samples = self.samples(results)
        asked = list(self.questions(results, samples))
        marked, judged = await asyncio.gather(
            asyncio.to_thread(self._marked, list(samples.values())),
            pool.scores([question for _, question in asked]) if pool else asyncio.sleep(0, []),
        )
        scores: dict[Key, dict[str, Score]] = {
            key: {metric: column[place] for metric, column in marked.items()}
            for place, key in enumerate(samples)
        }
        for (key, asked_of), score in zip(asked, judged, strict=True):
            scores[key][asked_of.metric] = score
        return [
            self._with_scores(result, scores[key_of(result)])
            if result.status == "answered"
            else result
            for result in results
        ]

    def samples(self, results: Sequence[Result]) -> dict[Key, Sample]:
        """The answered ones, as scorers and judges get them."""
        return {
            key_of(result): self._sample(result)
            for result in results
            if result.status == "answered"
        }

    def _sample(self, result: Result) -> Sample:
        case = self.cases.get(result.case_id)
        if case is None:
            raise Damaged(
                f"there is an answer to the case {result.case_id!r}, which this part does not have",
                hint="run the evaluation again: what was paid is remembered",
            )
        return Sample(
            case=case,
            answer=result.answer,
            question=question(case.inputs),
            parsed=result.parsed,
            output=self.run.arm(result.arm).prompt.prompt.output,
            passages=result.passages,
            latency_ms=result.latency_ms,
            cost_usd=result.cost_usd,
            tokens_in=result.tokens_in,
            tokens_out=result.tokens_out,
        )

    def questions(
        self, results: Sequence[Result], samples: Mapping[Key, Sample]
    ) -> Iterator[tuple[Key, JudgeQuestion]]:
        """What the judges are asked, case by case; judges of pairs about every candidate."""
        baseline = self.run.baseline
        for result in results:
            key, sample = key_of(result), samples.get(key_of(result))
            for metric, bound in self.judges.items() if sample else ():
                assert sample is not None
                shown = self._shown(result.arm, sample)
                if not isinstance(bound.judge, PairJudge):
                    yield key, JudgeQuestion(metric, sample, shown=shown)
                elif result.arm != baseline:
                    other = samples.get((result.case_id, baseline, result.repeat))
                    beside = self._shown(baseline, other) if other else []
                    yield key, JudgeQuestion(metric, sample, other, [*shown, *beside])

    def _shown(self, arm: str, sample: Sample) -> Documents:
        """Also where the judge sees no passages: answers quote them."""
        retrieve = self.run.arm(arm).retrieve
        return (
            [(retrieve.knowledge_base, one.doc_id) for one in sample.passages if one.doc_id]
            if retrieve
            else []
        )

    def _marked(self, samples: Sequence[Sample]) -> dict[str, list[Score]]:
        return {metric: marks(scorer, samples) for metric, scorer in self.scorers.items()}

    def _with_scores(self, result: Result, scores: Mapping[str, Score]) -> Result:
        """In the order of the config, those of retrieval last."""
        order = [metric for metric in map(metric_of, self.run.scorers) if metric in scores]
        retrieved = retrieval_scores(
            self.cases[result.case_id], self.run.arm(result.arm), result, self.run.arms
        )
        scored = {metric: scores[metric] for metric in order} | retrieved
        return result.model_copy(update={"scores": scored})


def retrieval_scores(case: Case, arm: Arm, result: Result, arms: Sequence[Arm]) -> dict[str, Score]:
    """`retrieval.recall@5`, `retrieval.ndcg@5` and `retrieval.mrr@5` of an arm that retrieves 5
    passages: distinct documents in the order of their best passages, against `expected.uris`. Empty
    for an arm that retrieves nothing and for a case that expects no document.

    Where arms retrieve different numbers, each is also measured at the smaller ones, so that all
    can be compared, and `retrieval.recall` is over all the passages that the prompt got.
    """
    wanted = _uris(case.expected.get("uris"))
    if arm.retrieve is None or not wanted:
        return {}
    golden = Question(
        id=case.id, question=case.id, relevant=tuple(Relevant(uri=uri) for uri in wanted)
    )
    ranking = list(dict.fromkeys((passage.uri, "") for passage in result.passages if passage.uri))
    cuts = sorted({other.retrieve.k for other in arms if other.retrieve})
    values = {
        metric_name(name, k): measured(golden, ranking, k)[metric_name(name, k)]
        for k in cuts
        if k <= arm.retrieve.k
        for name in MEASURED
    }
    if len(cuts) > 1:
        values["recall"] = values[metric_name("recall", arm.retrieve.k)]
    retrieved = {uri for uri, _ in ranking}
    reason = (
        f"{sum(uri in retrieved for uri in wanted)} of {len(wanted)} "
        f"expected documents among {len(ranking)}"
    )
    return {f"{FAMILY}.{name}": Score(value=value, reason=reason) for name, value in values.items()}


def _uris(given: object) -> list[str]:
    """Distinct uris, in order; a single one may stand as a text."""
    many = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return list(dict.fromkeys(uri for uri in many if isinstance(uri, str) and uri.strip()))

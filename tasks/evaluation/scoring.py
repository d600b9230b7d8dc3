"""Scores of the answers of a part: every scorer and judge of the trial, and the metrics of the
arms' retrieval.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.errors import Damaged
from llmops.tasks.evaluation.judging import BoundJudge, Documents, JudgePool, Question, bound_judges
from llmops.tasks.evaluation.marking import marks
from llmops.tasks.evaluation.ranking import retrieval_scores
from llmops.tasks.evaluation.results import read_results, writing
from llmops.tasks.evaluation.run import Part, Result, Trial, question
from llmops.tasks.plugins.scorers import Case, Judge, PairJudge, Sample, Score, Scorer, metric_of

BLOCK = 200
"""Results that are in memory at a time, about: whole cases."""
Key = tuple[str, str, int]
Write = Callable[[Sequence[Result]], None]


class Panel(NamedTuple):
    """The scorers of a trial, built once: those that ask nobody, and the judges. `pool` None:
    there are no judges.
    """

    trial: Trial
    cases: Mapping[str, Case]
    scorers: Mapping[str, Scorer]
    judges: Mapping[str, BoundJudge]
    pool: JudgePool | None = None


def score_part(trial: Trial, part: Part, cases: Sequence[Case]) -> Part:
    """The part with scores, as `scored-0001.parquet` in the trial's folder. Results that are
    errored get none.

    An answer that could not be scored has a score without a value and a reason; `failed` where the
    scorer or judge is to blame, see marking.py. When the budget ends, what is not judged says so,
    and the part says why it stopped. Raises Unavailable when a judge's model cannot be reached:
    what was paid is remembered.
    """
    built = {metric_of(spec): spec.build(Scorer) for spec in trial.scorers}
    panel = Panel(
        trial,
        {case.id: case for case in cases},
        {name: one for name, one in built.items() if not isinstance(one, Judge)},
        bound_judges(trial.scorers, trial.prices),
    )
    file = scored_file(trial, part.number)
    spent, stopped = asyncio.run(_scored(panel, part, file))
    return part.model_copy(
        update={"file": file, "spent": spent, "stopped": part.stopped or stopped}
    )


def scored_file(trial: Trial, number: int) -> Path:
    return trial.folder / f"scored-{number:04}.parquet"


async def _scored(panel: Panel, part: Part, file: Path) -> tuple[Spent, str | None]:
    async with AsyncExitStack() as stack:
        trial, gateway, pool = panel.trial, None, None
        if panel.judges:
            gateway = await stack.enter_async_context(
                Gateway(trial.home, trial.budget(part.spent), trial.concurrency)
            )
            pool = JudgePool(gateway, panel.judges, 2 * trial.concurrency)
        write = stack.enter_context(writing(file))
        for block in blocks(read_results(part.file)):
            write(await _block(panel._replace(pool=pool), block))
        return (gateway.spent, pool.stopped) if gateway and pool else (part.spent, None)


def blocks(results: Iterable[Result]) -> Iterator[list[Result]]:
    """The results in their order, a case never parted, since pairs of answers are judged
    together.
    """
    block: list[Result] = []
    for _, same in groupby(results, key=lambda one: one.case_id):
        block += same
        if len(block) >= BLOCK:
            yield block
            block = []
    if block:
        yield block


async def _block(panel: Panel, results: Sequence[Result]) -> list[Result]:
    """The results with their scores. Judges wait for their models while the other scorers
    compute.
    """
    samples = {key_of(one): _sample(panel, one) for one in results if one.status == "answered"}
    asked = list(_questions(panel, results, samples))
    marked, judged = await asyncio.gather(
        asyncio.to_thread(_marked, panel.scorers, list(samples.values())),
        panel.pool.scores([one for _, one in asked]) if panel.pool else _nobody(),
    )
    found = {
        key: {name: column[place] for name, column in marked.items()}
        for place, key in enumerate(samples)
    }
    for (key, one), score in zip(asked, judged, strict=True):
        found[key][one.metric] = score
    return [
        _with_scores(panel, one, found[key_of(one)]) if one.status == "answered" else one
        for one in results
    ]


def key_of(result: Result) -> Key:
    return result.case_id, result.arm, result.repeat


def _sample(panel: Panel, result: Result) -> Sample:
    case = panel.cases.get(result.case_id)
    if case is None:
        raise Damaged(
            f"there is an answer to the case {result.case_id!r}, which this part does not have",
            hint="run the evaluation again: what was paid is remembered",
        )
    same = result.model_dump(
        include={"answer", "parsed", "latency_ms", "cost_usd", "tokens_in", "tokens_out"}
    )
    output = panel.trial.arm(result.arm).prompt.prompt.output
    return Sample(
        case=case, question=question(case.inputs), passages=result.passages, output=output, **same
    )


def _questions(
    panel: Panel, results: Sequence[Result], samples: Mapping[Key, Sample]
) -> Iterator[tuple[Key, Question]]:
    """What the judges are asked, case by case; judges of pairs about every candidate."""
    for one in results:
        sample = samples.get(key_of(one))
        for metric, bound in panel.judges.items() if sample else ():
            assert sample is not None
            if not isinstance(bound.judge, PairJudge):
                yield (
                    key_of(one),
                    Question(metric, sample, shown=_shown(panel.trial, one.arm, sample)),
                )
            elif one.arm != panel.trial.baseline:
                baseline = samples.get((one.case_id, panel.trial.baseline, one.repeat))
                others = _shown(panel.trial, panel.trial.baseline, baseline) if baseline else []
                yield (
                    key_of(one),
                    Question(
                        metric, sample, baseline, [*_shown(panel.trial, one.arm, sample), *others]
                    ),
                )


def _shown(trial: Trial, arm: str, sample: Sample) -> Documents:
    """Also where the judge sees no passages: answers quote them."""
    retrieve = trial.arm(arm).retrieve
    return (
        [(retrieve.knowledge_base, one.doc_id) for one in sample.passages if one.doc_id]
        if retrieve
        else []
    )


def _marked(scorers: Mapping[str, Scorer], samples: Sequence[Sample]) -> dict[str, list[Score]]:
    return {name: marks(scorer, samples) for name, scorer in scorers.items()}


async def _nobody() -> list[Score]:
    return []


def _with_scores(panel: Panel, result: Result, scores: Mapping[str, Score]) -> Result:
    """In the order of the config, those of retrieval last."""
    order = [name for name in map(metric_of, panel.trial.scorers) if name in scores]
    retrieved = retrieval_scores(
        panel.cases[result.case_id], panel.trial.arm(result.arm), result, panel.trial.arms
    )
    return result.model_copy(update={"scores": {name: scores[name] for name in order} | retrieved})

"""Scorers and judges at work on answers, and what a broken one counts as.

A scorer may be anybody's code. One that raises for an answer has failed on that answer: its score
says so, counts among the failures of its metric, and above `max_error_rate` no decision rests on
it. It does not end the run: the other scorers' work would be lost for one odd answer. What no
answer is to blame for (a missing library, a model that is gone, memory) ends it.
"""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from traceback import extract_tb
from typing import NamedTuple

from llmops.tasks.calls.budget import BudgetReached
from llmops.tasks.calls.concurrency import run_bounded
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import DocumentError, LlmopsError
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.llms import Llm, Reply, Request, llm_of
from llmops.tasks.plugins.scorers import Judge, PairJudge, Sample, Score, Scorer, metric_of

GRAVE = (LlmopsError, MemoryError)
Documents = Sequence[tuple[str, str]]
"""(knowledge base, doc_id) of passages: whoever erases a document erases what a judge said of
it.
"""


def marks(scorer: Scorer, samples: Sequence[Sample]) -> list[Score]:
    """A score for each answer, in order, of a scorer that asks nobody. A case that lacks what the
    scorer needs has no value, and the reason says what.
    """
    lacks = [_lack(scorer, sample) for sample in samples]
    complete = [sample for sample, lack in zip(samples, lacks, strict=True) if lack is None]
    scores = iter(_all(scorer, complete))
    return [next(scores) if lack is None else lack for lack in lacks]


def _lack(scorer: Scorer, sample: Sample) -> Score | None:
    try:
        lack = scorer.missing(sample.case)
    except GRAVE:
        raise
    except Exception as error:  # noqa: BLE001 - see the module's first lines
        return broken(error)
    return None if lack is None else Score(value=None, reason=lack)


def _all(scorer: Scorer, samples: Sequence[Sample]) -> list[Score]:
    try:
        scores = scorer.score_all(samples) if samples else []
    except GRAVE:
        raise
    except (Exception, SystemExit):  # noqa: BLE001 - one by one the others keep their scores
        scores = []
    if len(scores) == len(samples):
        return [sound(score) for score in scores]
    return [_alone(scorer, sample) for sample in samples]


def _alone(scorer: Scorer, sample: Sample) -> Score:
    try:
        return sound(scorer.score(sample))
    except GRAVE:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - see the module's first lines
        return broken(error)


def broken(error: BaseException) -> Score:
    """What a scorer that raised, or wanted to end the process, has scored: nothing, and where it
    broke.
    """
    frames = extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    said = str(error).encode("utf-8", "replace").decode()[:300]
    return _failed(f"{type(error).__name__}: {said}{place}")


def sound(score: object) -> Score:
    """The score, if it is one: numbers that can be compared, or none."""
    if not isinstance(score, Score):
        return _failed(f"it gave {type(score).__name__}, a Score is wanted")
    numbers = {"value": score.value or 0.0, **score.parts}
    odd = [name for name, value in numbers.items() if not math.isfinite(value)]
    return _failed(f"{', '.join(odd)} is not a finite number") if odd else score


def _failed(why: str) -> Score:
    return Score(value=None, failed=True, reason=f"the scorer broke: {why}")


class BoundJudge(NamedTuple):
    """A judge, and the model that it asks at the prices of a run."""

    judge: Judge
    llm: Llm
    price: Price | None


class JudgeQuestion(NamedTuple):
    """What a judge is to judge: an answer, for a judge of pairs `against` the baseline's."""

    metric: str
    sample: Sample
    against: Sample | None = None
    shown: Documents = ()


def bound_judges(
    specs: Iterable[Spec], prices: Mapping[str, Price | None]
) -> dict[str, BoundJudge]:
    """The judges among scorers, by their metrics, each built once."""
    return {
        metric_of(spec): BoundJudge(
            judge, llm_of(Spec.model_validate(spec.options["llm"])), prices.get(metric_of(spec))
        )
        for spec in specs
        if isinstance(judge := spec.build(Scorer), Judge)
    }


class JudgePool:
    """Judges that share a gateway. `stopped`: why not all could be asked, once the budget has
    ended.
    """

    def __init__(self, gateway: Gateway, judges: Mapping[str, BoundJudge], width: int) -> None:
        self._gateway, self._judges, self._width = gateway, judges, width
        self.stopped: str | None = None

    async def scores(self, questions: Sequence[JudgeQuestion]) -> list[Score]:
        """A score for each question, in order. A judge whose reply cannot be had or used has
        failed; one that the budget does not let ask has not: what is remembered is judged all the
        same. Raises Unavailable when no request will succeed."""

        async def judged(numbered: tuple[int, JudgeQuestion]) -> tuple[int, Score]:
            return numbered[0], await self._score(numbered[1])

        scores, _ = await run_bounded(enumerate(questions), judged, self._width)
        return [score for _, score in sorted(scores, key=lambda pair: pair[0])]

    async def _score(self, question: JudgeQuestion) -> Score:
        judge, llm, price = self._judges[question.metric]

        async def reply(request: Request, repeat: int) -> Reply:
            shown = question.shown
            return (await self._gateway.ask(llm, price, request, repeat=repeat, shown=shown)).reply

        try:
            return sound(await judgement(judge, question, Asker(reply)))
        except DocumentError as error:
            return Score(value=None, failed=True, reason=f"the judge gave no reply: {error.reason}")
        except BudgetReached as error:
            self.stopped = error.reason
            return Score(value=None, reason=f"not judged: {error.reason}")
        except GRAVE:
            raise
        except Exception as error:  # noqa: BLE001 - a broken judge has failed on this answer
            return broken(error)


class Asker:
    """Asks for one judge about one answer. A request that is made again is meant to be answered
    anew: it is another repeat. `reply` is given a request, and how often it was made before.
    """

    def __init__(self, reply: Callable[[Request, int], Awaitable[Reply]]) -> None:
        self._reply = reply
        self._times: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Reply:
        text = canonical(request.model_dump(mode="json"))
        repeat, self._times[text] = self._times[text], self._times[text] + 1
        return await self._reply(request, repeat)


async def judgement(judge: Judge, question: JudgeQuestion, ask: Asker) -> Score:
    """What a judge says, as it says it. Raises what it raises."""
    if lack := judge.missing(question.sample.case):
        return Score(value=None, reason=lack)
    if not isinstance(judge, PairJudge):
        return await judge.judge(question.sample, ask)
    if question.against is None:
        return Score(value=None, reason="the baseline has no answer to this case")
    return await judge.compare(question.sample, question.against, ask)

"""Judges at work: every question they ask goes through the gateway, and what becomes of it is a
score.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from llmops.tasks.calls.budget import BudgetReached
from llmops.tasks.calls.concurrency import run_bounded
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import Price
from llmops.tasks.errors import DocumentError
from llmops.tasks.evaluation.marking import GRAVE, broken, sound
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.llms import Llm, Reply, Request, llm_of
from llmops.tasks.plugins.scorers import Judge, PairJudge, Sample, Score, Scorer, metric_of

Documents = Sequence[tuple[str, str]]
"""(knowledge base, doc_id) of passages: whoever erases a document erases what a judge said of
it.
"""


class BoundJudge(NamedTuple):
    """A judge, and the model that it asks at the prices of a run."""

    judge: Judge
    llm: Llm
    price: Price | None


class Question(NamedTuple):
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

    async def scores(self, questions: Sequence[Question]) -> list[Score]:
        """A score for each question, in order. A judge whose reply cannot be had or used has
        failed; one that the budget does not let ask has not: what is remembered is judged all the
        same. Raises Unavailable when no request will succeed."""

        async def one(numbered: tuple[int, Question]) -> tuple[int, Score]:
            return numbered[0], await self._score(numbered[1])

        found, _ = await run_bounded(enumerate(questions), one, self._width)
        return [score for _, score in sorted(found, key=lambda pair: pair[0])]

    async def _score(self, question: Question) -> Score:
        bound = self._judges[question.metric]
        try:
            return sound(
                await _judged(bound.judge, question, Asker(self._gateway, bound, question.shown))
            )
        except DocumentError as error:
            return Score(value=None, failed=True, reason=f"the judge gave no reply: {error.reason}")
        except BudgetReached as error:
            self.stopped = error.reason
            return Score(value=None, reason=f"not judged: {error.reason}")
        except GRAVE:
            raise
        except Exception as error:  # noqa: BLE001 - see marking.py: a broken judge has failed on this answer
            return broken(error)


class Asker:
    """Asks for one judge about one answer. A request that is made again is meant to be answered
    anew: it is another repeat.
    """

    def __init__(self, gateway: Gateway, bound: BoundJudge, shown: Documents) -> None:
        self._gateway, self._bound, self._shown = gateway, bound, shown
        self._times: Counter[str] = Counter()

    async def __call__(self, request: Request) -> Reply:
        text = canonical(request.model_dump(mode="json"))
        repeat, self._times[text] = self._times[text], self._times[text] + 1
        return (
            await self._gateway.ask(
                self._bound.llm, self._bound.price, request, repeat=repeat, shown=self._shown
            )
        ).reply


async def _judged(judge: Judge, question: Question, ask: Asker) -> Score:
    if lack := judge.missing(question.sample.case):
        return Score(value=None, reason=lack)
    if not isinstance(judge, PairJudge):
        return await judge.judge(question.sample, ask)
    if question.against is None:
        return Score(value=None, reason="the baseline has no answer to this case")
    return await judge.compare(question.sample, question.against, ask)

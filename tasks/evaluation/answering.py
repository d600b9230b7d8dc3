"""Answers of all arms to the cases of a part: case by case, so that whatever changes meanwhile
changes for all arms alike. The passages that they are given are searched in a pinned version of a
knowledge base, each question once, whatever arms share it.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple, NoReturn

from llmops.tasks import progress
from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.concurrency import MicroBatcher, run_bounded
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import Price
from llmops.tasks.calls.reranking import Rerankings
from llmops.tasks.errors import DocumentError, UsageError
from llmops.tasks.evaluation.cases import given_passages
from llmops.tasks.evaluation.results import Result, RunPart, write_results
from llmops.tasks.evaluation.run import Arm, EvaluationRun, Retrieval, question
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, searcher
from llmops.tasks.knowledge.reading import passages as passages_from
from llmops.tasks.knowledge.reranked import SEEN, reordered, rerankable
from llmops.tasks.plugins.llms import Llm, Reply, Request, llm_of
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.plugins.scorers import Case, Passage
from llmops.tasks.prompts import RETRIEVED
from llmops.tasks.prompts.rendering import numbered
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.schemas import Record
from llmops.tasks.texts.charset import mended
from llmops.tasks.texts.json_answers import unfenced

DEEPEST = 100
COLUMNS = tuple({*HIT_COLUMNS, *SEEN})
QUESTIONS = 64
"""How many are searched in one go, and how many of these at once."""


class ArmTurn(NamedTuple):
    """One arm's turn at one case."""

    case: Case
    arm: Arm
    repeat: int


def answer_part(run: EvaluationRun, number: int, cases: Sequence[Case], spent: Spent) -> RunPart:
    """The answers of all arms to these cases, as `answers-0001.parquet` in the run's folder.

    A call that fails is a result with the status errored. When the budget ends, the results so far
    are kept, and the part says why it stopped. Raises Unavailable when a model cannot be reached;
    what was paid until then is remembered, also after a kill.
    """
    results, stopped, paid = asyncio.run(_answered(run, cases, spent))
    places = {case.id: place for place, case in enumerate(cases)}
    arms = {arm.name: place for place, arm in enumerate(run.arms)}
    results.sort(key=lambda result: (places[result.case_id], arms[result.arm], result.repeat))
    file = run.folder / f"answers-{number:04}.parquet"
    write_results(file, results)
    counts = Counter(result.case_id for result in results)
    complete = sum(count == len(run.arms) * run.repeats for count in counts.values())
    return RunPart(number=number, file=file, cases=complete, spent=paid, stopped=stopped)


async def _answered(
    run: EvaluationRun, cases: Sequence[Case], spent: Spent
) -> tuple[list[Result], str | None, Spent]:
    async with Gateway(
        run.home, run.budget(spent), run.concurrency, payer=Payer("evaluate", run.name)
    ) as gateway:
        answerer = Answerer(
            gateway, Retriever(run.home, gateway), {arm.name: llm_of(arm.llm) for arm in run.arms}
        )
        # twice the places: while half of the cases wait for a model, the others are searched and
        # looked up
        try:
            with progress.stage("answer", unit="answers") as step:

                async def answer(turn: ArmTurn) -> Result:
                    result = await answerer.answer(turn)
                    step()
                    return result

                wanted = turns(run, cases)
                results, stopped = await run_bounded(wanted, answer, 2 * run.concurrency)
        finally:
            await answerer.retriever.close()
    return results, stopped, gateway.spent


def turns(run: EvaluationRun, cases: Sequence[Case]) -> Iterator[ArmTurn]:
    """Case by case and repeat by repeat all arms, in an order drawn for each by the case's id: no
    arm is always the first.
    """
    for case in cases:
        for repeat in range(run.repeats):
            yield from (
                ArmTurn(case, arm, repeat)
                for arm in Random(f"{case.id}/{repeat}").sample(run.arms, len(run.arms))
            )


class Search(NamedTuple):
    """A search; equal ones are made once."""

    settings: Retrieval
    question: str


class Retrieved(NamedTuple):
    """The passages of a search. `cost_usd`: of putting them into order, also where that is
    remembered.
    """

    passages: tuple[Passage, ...]
    cost_usd: float = 0.0


class Retriever:
    """Searches off the event loop, what is wanted at the same time in one go. Belongs to one event
    loop. `gateway`: what rerankers ask through.
    """

    def __init__(self, home: Path, gateway: Gateway) -> None:
        self._home, self._gateway = home, gateway
        self._searchers: dict[Retrieval, Searcher] = {}
        self._rerankings: dict[Price | None, Rerankings] = {}
        self._under_way: dict[Search, asyncio.Task[Retrieved]] = {}
        self._searches = MicroBatcher(self._search, QUESTIONS)

    async def passages(self, settings: Retrieval, question: str) -> Retrieved:
        """The k best passages, best first; none for an empty question.

        Raises UsageError when the version is gone, Unavailable when the store does not answer, and
        what a reranker raises that fails: an evaluation of it does without its time limit.
        """
        if not question.strip():
            return Retrieved(())
        search = Search(settings, question)
        if search not in self._under_way:
            self._under_way[search] = asyncio.create_task(self._retrieved(search))
        return await asyncio.shield(self._under_way[search])

    async def _retrieved(self, search: Search) -> Retrieved:
        rows = await self._searches.do(search)
        settings, cost = search.settings, 0.0
        if settings.rerank:
            seen = [rerankable(settings.knowledge_base, row) for row in rows]
            made = await self._asking(settings.rerank_price).scores(
                settings.rerank.build(Reranker), search.question, seen
            )
            rows, cost = reordered(rows, made), made.cost_usd
        best = passages_from(rows[: settings.k])
        return Retrieved(
            tuple(
                Passage.model_validate({name: str(hit[name]) for name in Passage.model_fields})
                for hit in best
            ),
            cost,
        )

    def _asking(self, price: Price | None) -> Rerankings:
        """One for all that share it: they know what each other is asking."""
        return self._rerankings.setdefault(price, Rerankings(self._gateway, lambda _: price))

    async def close(self) -> None:
        """Waits for the searches under way."""
        await self._searches.close()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _search(self, searches: Sequence[Search]) -> list[list[Record]]:
        results: dict[Search, list[Record]] = {}
        for settings in dict.fromkeys(search.settings for search in searches):
            mine = [search for search in searches if search.settings == settings]
            ranked = self._ranked(settings, [search.question for search in mine])
            results |= zip(mine, ranked, strict=True)
        return [results[search] for search in searches]

    def _ranked(self, settings: Retrieval, questions: Sequence[str]) -> list[list[Record]]:
        if settings not in self._searchers:
            self._searchers[settings] = self._open(settings)
        searcher = self._searchers[settings]
        reranker = settings.rerank.build(Reranker) if settings.rerank else None
        depth = max(settings.k, reranker.candidates) if reranker else settings.k
        return searcher.passages_many(questions, depth, settings.mode, columns=COLUMNS)

    def _open(self, settings: Retrieval) -> Searcher:
        version = Handle(home=self._home, name=settings.knowledge_base).version(settings.version)
        return searcher(
            self._home, version, where=allowed(version, settings.where, settings.labels)
        )


class Answerer(NamedTuple):
    """Answers one turn at a time. `llms`: by the name of the arm."""

    gateway: Gateway
    retriever: Retriever
    llms: Mapping[str, Llm]

    async def answer(self, turn: ArmTurn) -> Result:
        case, arm, repeat = turn
        passages: tuple[Passage, ...] = ()
        try:
            passages, searched = await passages_of(case, arm, self.retriever)
            request = requested(case, arm, passages)
            asked = await self.gateway.ask(
                self.llms[arm.name],
                arm.price,
                request,
                repeat=repeat,
                shown=_shown(arm, passages),
            )
        except UsageError as error:
            raise UsageError(
                error.message, where=f"case {case.id}, arm {arm.name}", hint=error.hint
            ) from error
        except DocumentError as error:
            return Result(
                case_id=case.id,
                arm=arm.name,
                repeat=repeat,
                passages=passages,
                status="errored",
                error=error.reason,
            )
        cost = asked.cost_usd + searched
        return answered(turn, passages, asked.reply, cost, cached=asked.cached)


def answered(
    turn: ArmTurn, passages: tuple[Passage, ...], reply: Reply, cost_usd: float, *, cached: bool
) -> Result:
    """A turn with the reply to it."""
    return Result(
        case_id=turn.case.id,
        arm=turn.arm.name,
        repeat=turn.repeat,
        passages=passages,
        answer=reply.text,
        parsed=None if turn.arm.prompt.prompt.output is None else parsed(reply.text),
        latency_ms=reply.latency_ms,
        asked_at=reply.asked_at,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        cost_usd=cost_usd,
        cached=cached,
        attempts=reply.attempts,
        finish=reply.finish,
    )


async def passages_of(case: Case, arm: Arm, retriever: Retriever) -> Retrieved:
    """What the arm retrieves, or what the case gives and the prompt shows."""
    if arm.retrieve:
        return await retriever.passages(arm.retrieve, question(case.inputs))
    return Retrieved(
        given_passages(case.inputs[RETRIEVED])
        if RETRIEVED in case.inputs and RETRIEVED in arm.prompt.prompt.names
        else ()
    )


def requested(case: Case, arm: Arm, passages: Sequence[Passage]) -> Request:
    """The prompt with the inputs that it names. Raises UsageError when they do not fit."""
    prompt = arm.prompt.prompt
    values = {name: case.inputs[name] for name in prompt.names if name in case.inputs}
    if RETRIEVED in prompt.names and (
        arm.retrieve or not isinstance(values.get(RETRIEVED, ""), str)
    ):
        values[RETRIEVED] = shown_passages(passages)
    return prompt.render(values)


def _shown(arm: Arm, passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """The documents of a knowledge base that stand in the messages."""
    if arm.retrieve is None or RETRIEVED not in arm.prompt.prompt.names:
        return []
    return [(arm.retrieve.knowledge_base, one.doc_id) for one in passages]


def shown_passages(passages: Sequence[Passage]) -> str:
    """Numbered blocks with an empty line between them: `[1] title`, and the text in the lines
    below.
    """
    return numbered((passage.title, passage.uri, passage.text) for passage in passages)


def parsed(text: str) -> object:
    """The JSON of an answer, which may stand in a fence of Markdown.

    None when it is none, when it is nested deeper than 100 levels, or holds NaN or Infinity.
    """
    try:
        content = json.loads(unfenced(text.strip()), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return _storable(content) if _depth_fits(content) else None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _depth_fits(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for outer in level
            if isinstance(outer, dict | list)
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return True
    return False


def _storable(value: object) -> object:
    """Halves of surrogate pairs, which escapes such as \\ud800 make and no file of UTF-8 takes, are
    replaced.
    """
    text = json.dumps(value, ensure_ascii=False)
    clean = mended(text)
    return value if text == clean else json.loads(clean)

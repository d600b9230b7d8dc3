"""Answers of all arms to the cases of a part: case by case, so that whatever changes meanwhile
changes for all arms alike. The passages that they are given are searched in a pinned version of a
knowledge base, each question once, whatever arms share it.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat as endless
from pathlib import Path
from random import Random
from typing import NamedTuple, NoReturn

from llmops.tasks import progress
from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.concurrency import MicroBatcher, run_bounded
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.errors import DocumentError, UsageError
from llmops.tasks.evaluation.cases import given_passages
from llmops.tasks.evaluation.results import Result, RunPart, write_results
from llmops.tasks.evaluation.run import Arm, EvaluationRun, Retrieval, question
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import HIT_COLUMNS, allowed, hits, searcher
from llmops.tasks.plugins.llms import Llm, Reply, Request, llm_of
from llmops.tasks.plugins.scorers import Case, Passage
from llmops.tasks.prompts import RETRIEVED
from llmops.tasks.prompts.rendering import numbered
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.schemas import Vectors
from llmops.tasks.texts.charset import mended
from llmops.tasks.texts.json_answers import unfenced

DEEPEST = 100
QUESTIONS, SEARCHES = 64, 4
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
            gateway, Retriever(run.home), {arm.name: llm_of(arm.llm) for arm in run.arms}
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


class Retriever:
    """Searches off the event loop, what is wanted at the same time in one go. Belongs to one event
    loop.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._searchers: dict[Retrieval, Searcher] = {}
        self._under_way: dict[Search, asyncio.Task[tuple[Passage, ...]]] = {}
        self._searches = MicroBatcher(self._search, QUESTIONS)

    async def passages(self, settings: Retrieval, question: str) -> tuple[Passage, ...]:
        """The k best passages, best first; none for an empty question.

        Raises UsageError when the version is gone, Unavailable when the store does not answer.
        """
        if not question.strip():
            return ()
        search = Search(settings, question)
        if search not in self._under_way:
            self._under_way[search] = asyncio.create_task(self._searches.do(search))
        return await asyncio.shield(self._under_way[search])

    async def close(self) -> None:
        """Waits for the searches under way."""
        await self._searches.close()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _search(self, searches: Sequence[Search]) -> list[tuple[Passage, ...]]:
        results: dict[Search, tuple[Passage, ...]] = {}
        for settings in dict.fromkeys(search.settings for search in searches):
            mine = [search for search in searches if search.settings == settings]
            ranked = self._ranked(settings, [search.question for search in mine])
            results |= zip(mine, ranked, strict=True)
        return [results[search] for search in searches]

    def _ranked(self, settings: Retrieval, questions: Sequence[str]) -> list[tuple[Passage, ...]]:
        if settings not in self._searchers:
            self._searchers[settings] = self._open(settings)
        searcher = self._searchers[settings]
        vectors: Iterable[Vectors | None] = (
            endless(None) if settings.mode == "text" else searcher.embedder.embed_query(questions)
        )

        def ranked(question: str, vector: Vectors | None) -> tuple[Passage, ...]:
            best = hits(searcher.search(question, settings.k, settings.mode, vector, HIT_COLUMNS))
            return tuple(
                Passage.model_validate({name: str(hit[name]) for name in Passage.model_fields})
                for hit in best
            )

        with ThreadPoolExecutor(SEARCHES) as pool:  # a search mostly waits for the store
            return list(pool.map(ranked, questions, vectors))

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
        try:
            passages = await passages_of(case, arm, self.retriever)
            request = requested(case, arm, passages)
        except UsageError as error:
            raise UsageError(
                error.message, where=f"case {case.id}, arm {arm.name}", hint=error.hint
            ) from error
        try:
            asked = await self.gateway.ask(
                self.llms[arm.name],
                arm.price,
                request,
                repeat=repeat,
                shown=_shown(arm, passages),
            )
        except DocumentError as error:
            return Result(
                case_id=case.id,
                arm=arm.name,
                repeat=repeat,
                passages=passages,
                status="errored",
                error=error.reason,
            )
        return answered(turn, passages, asked.reply, asked.cost_usd, cached=asked.cached)


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


async def passages_of(case: Case, arm: Arm, retriever: Retriever) -> tuple[Passage, ...]:
    """What the arm retrieves, or what the case gives and the prompt shows."""
    if arm.retrieve:
        return await retriever.passages(arm.retrieve, question(case.inputs))
    return (
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

"""Answers of all arms to the cases of a part: case by case, so that whatever changes meanwhile
changes for all arms alike.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from llmops.tasks.calls.budget import Spent
from llmops.tasks.calls.concurrency import run_bounded
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.errors import DocumentError, UsageError
from llmops.tasks.evaluation.parsing import parsed
from llmops.tasks.evaluation.passages import given_passages, shown_passages
from llmops.tasks.evaluation.results import write_results
from llmops.tasks.evaluation.retrieving import Retriever
from llmops.tasks.evaluation.run import Arm, Part, Result, Trial, question
from llmops.tasks.plugins.llms import Llm, Request, llm_of
from llmops.tasks.plugins.scorers import Case, Passage
from llmops.tasks.prompts import RETRIEVED


class Turn(NamedTuple):
    """One arm's turn at one case."""

    case: Case
    arm: Arm
    repeat: int


def answer_part(trial: Trial, number: int, cases: Sequence[Case], spent: Spent) -> Part:
    """The answers of all arms to these cases, as `answers-0001.parquet` in the trial's folder.

    A call that fails is a result with the status errored. When the budget ends, the results so far
    are kept, and the part says why it stopped. Raises Unavailable when a model cannot be reached;
    what was paid until then is remembered, also after a kill.
    """
    results, stopped, paid = asyncio.run(_answered(trial, cases, spent))
    places = {case.id: place for place, case in enumerate(cases)}
    arms = {arm.name: place for place, arm in enumerate(trial.arms)}
    results.sort(key=lambda one: (places[one.case_id], arms[one.arm], one.repeat))
    file = answers_file(trial, number)
    write_results(file, results)
    counts: dict[str, int] = {}
    for one in results:
        counts[one.case_id] = counts.get(one.case_id, 0) + 1
    whole = sum(count == len(trial.arms) * trial.repeats for count in counts.values())
    return Part(number=number, file=file, cases=whole, spent=paid, stopped=stopped)


def answers_file(trial: Trial, number: int) -> Path:
    return trial.folder / f"answers-{number:04}.parquet"


async def _answered(
    trial: Trial, cases: Sequence[Case], spent: Spent
) -> tuple[list[Result], str | None, Spent]:
    async with Gateway(trial.home, trial.budget(spent), trial.concurrency) as gateway:
        answerer = Answerer(
            gateway, Retriever(trial.home), {arm.name: llm_of(arm.llm) for arm in trial.arms}
        )
        # twice the places: while half of the cases wait for a model, the others are searched and
        # looked up
        try:
            results, stopped = await run_bounded(
                turns(trial, cases), answerer.answer, 2 * trial.concurrency
            )
        finally:
            await answerer.retriever.close()
    return results, stopped, gateway.spent


def turns(trial: Trial, cases: Sequence[Case]) -> Iterator[Turn]:
    """Case by case and repeat by repeat all arms, in an order drawn for each by the case's id: no
    arm is always the first.
    """
    for case in cases:
        for repeat in range(trial.repeats):
            yield from (
                Turn(case, arm, repeat)
                for arm in Random(f"{case.id}/{repeat}").sample(trial.arms, len(trial.arms))
            )


class Answerer(NamedTuple):
    """Answers one turn at a time. `llms`: by the name of the arm."""

    gateway: Gateway
    retriever: Retriever
    llms: Mapping[str, Llm]

    async def answer(self, turn: Turn) -> Result:
        case, arm, repeat = turn
        try:
            passages = await passages_of(case, arm, self.retriever)
            request = requested(case, arm, passages)
        except UsageError as error:
            raise UsageError(
                error.message, where=f"case {case.id}, arm {arm.name}", hint=error.hint
            ) from error
        start = Result(case_id=case.id, arm=arm.name, repeat=repeat, passages=passages)
        try:
            asked = await self.gateway.ask(
                self.llms[arm.name],
                arm.price,
                request,
                repeat=repeat,
                shown=_shown(arm, passages),
            )
        except DocumentError as error:
            return start.model_copy(update={"status": "errored", "error": error.reason})
        reply, wants_json = asked.reply, arm.prompt.prompt.output is not None
        return start.model_copy(
            update={
                "answer": reply.text,
                "parsed": parsed(reply.text) if wants_json else None,
                "latency_ms": reply.latency_ms,
                "asked_at": reply.asked_at,
                "tokens_in": reply.tokens_in,
                "tokens_out": reply.tokens_out,
                "cost_usd": asked.cost_usd,
                "cached": asked.cached,
                "attempts": reply.attempts,
                "finish": reply.finish,
            }
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

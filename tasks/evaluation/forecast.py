"""What an evaluation would ask, and what that would cost at most: passages are searched, remembered
calls looked up, nothing is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypedDict

from llmops.tasks.calls.budget import Budget, BudgetReached, most
from llmops.tasks.calls.cache import CallCache, Lookup, key_of
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.evaluation.answering import (
    ArmTurn,
    Retriever,
    Search,
    answered,
    passages_of,
    requested,
    turns,
)
from llmops.tasks.evaluation.judging import GRAVE, Asker, BoundJudge, JudgeQuestion, judgement
from llmops.tasks.evaluation.results import Result
from llmops.tasks.evaluation.run import EvaluationRun, question
from llmops.tasks.evaluation.scoring import scoring_of
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.llms import Reply, Request, llm_of
from llmops.tasks.plugins.scorers import Case, Judge, PairJudge, Passage

BYTES_PER_TOKEN = 4


class ForecastRow(TypedDict):
    """Of an arm, a judge or a reranker: calls that are to be paid, calls that are remembered,
    tokens in (by their bytes, about), and dollars at most; None: no price is known, or what the
    judge or the reranker will read.
    """

    name: str
    kind: Literal["arm", "judge", "reranker"]
    calls: int
    remembered: int
    tokens_in: int | None
    cost_usd: float | None


class ForecastBudget(TypedDict):
    usd: float | None
    calls: int | None


class Forecast(TypedDict):
    """What `llmops evaluate --plan` prints. `cases`: how many."""

    flow: str
    name: str
    status: str
    cases: int
    arms: list[str]
    calls: list[ForecastRow]
    budget: ForecastBudget


def forecast(run: EvaluationRun, cases: Sequence[Case]) -> Forecast:
    """Raises what a search raises."""
    return Forecast(
        flow="evaluate",
        name=run.name,
        status="planned",
        cases=len(cases),
        arms=[arm.name for arm in run.arms],
        calls=asyncio.run(_rows(run, cases)),
        budget={"usd": run.budget_usd, "calls": run.budget_calls},
    )


async def _rows(run: EvaluationRun, cases: Sequence[Case]) -> list[ForecastRow]:
    cache, nothing = CallCache(open_ledger(run.home)), Budget(calls=0)
    async with Gateway(run.home, nothing, payer=Payer("evaluate", run.name)) as gateway:
        retriever = Retriever(run.home, gateway)
        try:
            arms, answers = await _arm_rows(run, cases, cache, retriever)
            return [*arms, *await _judge_rows(run, cases, answers, cache)]
        finally:
            await retriever.close()
            await cache.close()


async def _arm_rows(
    run: EvaluationRun, cases: Sequence[Case], cache: CallCache, retriever: Retriever
) -> tuple[list[ForecastRow], list[Result]]:
    """The arms, and the answers that are remembered."""
    llms = {arm.name: llm_of(arm.llm) for arm in run.arms}
    counts = {name: Counter[str]() for name in llms}
    costs = dict.fromkeys(llms, 0.0)
    seen: set[str] = set()
    unpaid: dict[Search, str] = {}
    answers: list[Result] = []
    for turn in turns(run, cases):
        case, arm, repeat = turn
        passages = await _passages(turn, retriever, unpaid)
        request = requested(case, arm, passages)
        key = key_of(llms[arm.name].fingerprint(), request, repeat)
        reply = await cache.known(Lookup(key))
        if reply is not None:
            answers.append(answered(turn, passages, reply, 0.0, cached=True))
        known = key in seen or reply is not None
        seen.add(key)
        counts[arm.name].update(
            remembered=int(known), calls=int(not known), tokens=_tokens(request) * (not known)
        )
        costs[arm.name] += 0.0 if known else most(llms[arm.name], arm.price, request)
    rows = [
        ForecastRow(
            name=arm.name,
            kind="arm",
            calls=counts[arm.name]["calls"],
            remembered=counts[arm.name]["remembered"],
            tokens_in=counts[arm.name]["tokens"],
            cost_usd=None if arm.price is None else round(costs[arm.name], 6),
        )
        for arm in run.arms
    ]
    rerankers = Counter(unpaid.values())
    rows += [
        ForecastRow(
            name=name, kind="reranker", calls=calls, remembered=0, tokens_in=None, cost_usd=None
        )
        for name, calls in rerankers.items()
    ]
    return rows, answers


async def _passages(
    turn: ArmTurn, retriever: Retriever, unpaid: dict[Search, str]
) -> tuple[Passage, ...]:
    """Those that would be shown; in the plain order, where a reranker would have to be paid."""
    try:
        return (await passages_of(turn.case, turn.arm, retriever)).passages
    except BudgetReached:
        settings, asked = turn.arm.retrieve, question(turn.case.inputs)
        assert settings is not None
        assert settings.rerank is not None
        unpaid[Search(settings.model_copy(update={"k": 1}), asked)] = settings.rerank.name
        plain = settings.model_copy(update={"rerank": None})
        return (await retriever.passages(plain, asked)).passages


class NotRemembered(Exception):
    """A judge asks what it was never asked before."""


async def _judge_rows(
    run: EvaluationRun, cases: Sequence[Case], answers: Sequence[Result], cache: CallCache
) -> list[ForecastRow]:
    """What is remembered of a judgement can be told only where its answers are remembered too."""
    scoring = scoring_of(run, cases)
    calls, remembered = Counter[str](), Counter[str]()
    for metric, bound in scoring.judges.items():
        judged = len(run.candidates) if isinstance(bound.judge, PairJudge) else len(run.arms)
        complete = sum(bound.judge.missing(case) is None for case in cases)
        calls[metric] = _asked(bound.judge) * complete * run.repeats * judged
    for _, asked in scoring.questions(answers, scoring.samples(answers)):
        judge, metric = scoring.judges[asked.metric].judge, asked.metric
        unknown = isinstance(judge, PairJudge) and asked.against is None
        if unknown or judge.missing(asked.sample.case) is not None:
            continue
        known, complete_now = await _remembered(scoring.judges[metric], asked, cache)
        calls[metric] -= _asked(judge) if complete_now else min(known, _asked(judge) - 1)
        remembered[metric] += known
    return [
        ForecastRow(
            name=metric,
            kind="judge",
            calls=calls[metric],
            remembered=remembered[metric],
            tokens_in=None if calls[metric] else 0,
            cost_usd=None if calls[metric] else 0.0,
        )
        for metric in scoring.judges
    ]


def _asked(judge: Judge) -> int:
    """How often about one answer, when every reply can be used: a judge of pairs in both orders."""
    return 2 if isinstance(judge, PairJudge) else int(getattr(judge, "repeats", 1))


async def _remembered(
    bound: BoundJudge, question: JudgeQuestion, cache: CallCache
) -> tuple[int, bool]:
    """How many of a judgement's calls are remembered, and whether all are."""
    fingerprint, known = bound.llm.fingerprint(), 0

    async def recall(request: Request, repeat: int) -> Reply:
        nonlocal known
        reply = await cache.known(Lookup(key_of(fingerprint, request, repeat)))
        if reply is None:
            raise NotRemembered
        known += 1
        return reply

    try:
        await judgement(bound.judge, question, Asker(recall))
    except NotRemembered:
        return known, False
    except GRAVE:
        raise
    except Exception:  # noqa: BLE001 - a judge that breaks has asked all that it will ask
        return known, True
    return known, True


def _tokens(request: Request) -> int:
    size = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
    return size // BYTES_PER_TOKEN

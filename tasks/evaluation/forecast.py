"""What an evaluation would ask, and what that would cost at most: passages are searched, remembered
calls looked up, nothing is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Literal, TypedDict

from llmops.tasks.calls.budget import most
from llmops.tasks.calls.cache import CallCache, Lookup, key_of
from llmops.tasks.evaluation.answering import passages_of, requested, turns
from llmops.tasks.evaluation.retrieving import Retriever
from llmops.tasks.evaluation.run import EvaluationRun
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.llms import Request, llm_of
from llmops.tasks.plugins.scorers import Case, Judge, PairJudge, Scorer, metric_of

BYTES_PER_TOKEN = 4


class ForecastRow(TypedDict):
    """Of an arm or a judge: calls that are to be paid, calls that are remembered, tokens in (by
    their bytes, about), and dollars at most; None: no price is known, or what the judge will read.
    """

    name: str
    kind: Literal["arm", "judge"]
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
    judges = [
        _judge_row(run, scorer, metric_of(spec), len(cases))
        for spec in run.scorers
        if isinstance(scorer := spec.build(Scorer), Judge)
    ]
    return Forecast(
        flow="evaluate",
        name=run.name,
        status="planned",
        cases=len(cases),
        arms=[arm.name for arm in run.arms],
        calls=[*asyncio.run(_arm_rows(run, cases)), *judges],
        budget={"usd": run.budget_usd, "calls": run.budget_calls},
    )


async def _arm_rows(run: EvaluationRun, cases: Sequence[Case]) -> list[ForecastRow]:
    cache, retriever = CallCache(open_ledger(run.home)), Retriever(run.home)
    llms = {arm.name: llm_of(arm.llm) for arm in run.arms}
    counts = {name: Counter[str]() for name in llms}
    costs = dict.fromkeys(llms, 0.0)
    seen: set[str] = set()
    for case, arm, repeat in turns(run, cases):
        request = requested(case, arm, await passages_of(case, arm, retriever))
        key = key_of(llms[arm.name].fingerprint(), request, repeat)
        known = key in seen or await cache.known(Lookup(key)) is not None
        seen.add(key)
        counts[arm.name].update(
            remembered=int(known), calls=int(not known), tokens=_tokens(request) * (not known)
        )
        costs[arm.name] += 0.0 if known else most(llms[arm.name], arm.price, request)
    await retriever.close()
    await cache.close()
    return [
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


def _judge_row(run: EvaluationRun, judge: Judge, name: str, cases: int) -> ForecastRow:
    """A judge of pairs is asked twice, in both orders."""
    answers = 2 * len(run.candidates) if isinstance(judge, PairJudge) else len(run.arms)
    return ForecastRow(
        name=name,
        kind="judge",
        calls=cases * run.repeats * answers,
        remembered=0,
        tokens_in=None,
        cost_usd=None,
    )


def _tokens(request: Request) -> int:
    size = sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
    return size // BYTES_PER_TOKEN

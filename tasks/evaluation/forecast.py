"""What an evaluation would ask, and what that would cost at most: passages are searched, remembered
calls looked up, nothing is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from llmops.tasks.calls.budget import most
from llmops.tasks.calls.cache import CallCache, Lookup, key_of
from llmops.tasks.evaluation.answering import passages_of, requested, turns
from llmops.tasks.evaluation.retrieving import Retriever
from llmops.tasks.evaluation.run import Arm, Trial
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.llms import Request, llm_of
from llmops.tasks.plugins.scorers import Case, Judge, PairJudge, Scorer, metric_of

BYTES_PER_TOKEN = 4


def forecast(trial: Trial, cases: Sequence[Case]) -> dict[str, Any]:
    """`calls`: a row per arm and judge: calls that are to be paid, calls that are remembered,
    tokens in (by their bytes, about), and dollars at most; None: no price is known. What judges
    will read is not known yet: their rows have calls alone.

    Raises what a search raises.
    """
    arms = asyncio.run(_asked(trial, cases))
    judges = [
        (metric_of(spec), scorer)
        for spec in trial.scorers
        if isinstance(scorer := spec.build(Scorer), Judge)
    ]
    rows = [*arms, *(_judge(trial, judge, name, len(cases)) for name, judge in judges)]
    return {
        "flow": "evaluate",
        "name": trial.name,
        "status": "planned",
        "cases": len(cases),
        "arms": [arm.name for arm in trial.arms],
        "calls": rows,
        "budget": {"usd": trial.budget_usd, "calls": trial.budget_calls},
    }


async def _asked(trial: Trial, cases: Sequence[Case]) -> list[dict[str, Any]]:
    cache, retriever = CallCache(open_ledger(trial.home)), Retriever(trial.home)
    llms = {arm.name: llm_of(arm.llm) for arm in trial.arms}
    counts = {name: Counter[str]() for name in llms}
    costs = dict.fromkeys(llms, 0.0)
    seen: set[str] = set()
    for case, arm, repeat in turns(trial, cases):
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
    return [_row(arm, counts[arm.name], costs[arm.name]) for arm in trial.arms]


def _row(arm: Arm, counts: Counter[str], cost: float) -> dict[str, Any]:
    return {
        "name": arm.name,
        "kind": "arm",
        "calls": counts["calls"],
        "remembered": counts["remembered"],
        "tokens_in": counts["tokens"],
        "cost_usd": None if arm.price is None else round(cost, 6),
    }


def _judge(trial: Trial, judge: Judge, name: str, cases: int) -> dict[str, Any]:
    """A judge of pairs is asked twice, in both orders."""
    answers = 2 * len(trial.candidates) if isinstance(judge, PairJudge) else len(trial.arms)
    return {
        "name": name,
        "kind": "judge",
        "calls": cases * trial.repeats * answers,
        "remembered": 0,
        "tokens_in": None,
        "cost_usd": None,
    }


def _tokens(request: Request) -> int:
    return (
        sum(len(message.content.encode("utf-8", "replace")) for message in request.messages)
        // BYTES_PER_TOKEN
    )

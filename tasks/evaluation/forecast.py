"""What an evaluation would ask, and what that would cost at most: passages are searched, remembered
calls looked up, nothing is asked.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from llmops.tasks.calls.budget import most
from llmops.tasks.calls.cache import Asking, Memory, key_of
from llmops.tasks.calls.gateway import Desk
from llmops.tasks.evaluation.answering import Clerk, requested, turns
from llmops.tasks.evaluation.retrieving import Retriever
from llmops.tasks.evaluation.run import Arm, Spent, Trial
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.llms import Llm, Request
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
    memory, counts = (
        Memory(open_ledger(trial.home)),
        {arm.name: Counter[str]() for arm in trial.arms},
    )
    costs = dict.fromkeys(counts, 0.0)
    async with Desk(trial, Spent()) as desk:
        clerk, models = (
            Clerk(desk, Retriever(trial.home)),
            {arm.name: arm.llm.build(Llm) for arm in trial.arms},
        )
        seen: set[str] = set()
        for case, arm, repeat in turns(trial, cases):
            request = requested(case, arm, await clerk.passages(case, arm))
            key = key_of(models[arm.name].fingerprint(), request, repeat)
            known = key in seen or await memory.known(Asking(key)) is not None
            seen.add(key)
            counts[arm.name].update(
                remembered=int(known), calls=int(not known), tokens=_tokens(request) * (not known)
            )
            costs[arm.name] += 0.0 if known else most(models[arm.name], arm.price, request)
        await clerk.retriever.close()
    await memory.close()
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

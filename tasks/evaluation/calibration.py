"""Whether a judge may decide: how far it agrees with people, measured once and kept in the
ledger.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import Price, price_of, read_prices
from llmops.tasks.errors import BudgetExceeded, ConfigError, Mistake, UsageError
from llmops.tasks.evaluation.agreement import concordance, shortfall
from llmops.tasks.evaluation.arms import Wanted
from llmops.tasks.evaluation.judging import JudgePool, Question, bound_judges
from llmops.tasks.evaluation.labels import LabelSet, read_labels, sha256_of
from llmops.tasks.ledger import existing_ledger, now, open_ledger, upsert
from llmops.tasks.ledger.tables import calibrations
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm, llm_of
from llmops.tasks.plugins.scorers import Judge, Score, Scorer, metric_of

ASK = "compare it with people's labels: llmops evaluate CONFIG --calibrate"


class Checked(NamedTuple):
    """A judge with its labels. `file`: where they are."""

    spec: Spec
    judge: Judge
    file: Path
    labels: LabelSet

    @property
    def metric(self) -> str:
        return metric_of(self.spec)


def calibrate(home: Path, wanted: Wanted) -> dict[str, Any]:
    """Every judge of a config that has `labels` judges them and is compared with the people who
    wrote them: {"name", "judges", "spent", "reason"}, see `concordance`. A judge is `trusted` when
    it reaches its floor, or has none.

    The result is kept in the ledger, by what the judge's replies depend on and by what the labels
    say. Raises UsageError without such a judge, ConfigError with every mistake of the labels,
    BudgetExceeded when the budget ends before all are judged, Unavailable.
    """
    checked = _checked(wanted)
    columns, spent = asyncio.run(_judged(home, wanted, checked))
    found = {
        one.metric: concordance(one.judge, one.labels.rows, scores)
        for one, scores in zip(checked, columns, strict=True)
    }
    _save(home, checked, found)
    judges = {one.metric: _said(one.judge, found[one.metric]) for one in checked}
    doubts = [f"{name}: {one['reason']}" for name, one in judges.items() if not one["trusted"]]
    return {
        "name": wanted.name,
        "judges": judges,
        "spent": spent.model_dump(),
        "reason": "; ".join(doubts),
    }


def trust(home: Path, spec: Spec, folder: Path | None = None) -> str | None:
    """Why a judge may inform but not decide, as a clause; None for a scorer that is no judge, for a
    judge without a floor, and for one whose agreement with people is shown to reach it: see
    `shortfall`.

    `folder`: where the path of its labels starts; None: they are where they were when it was
    compared with them.
    """
    judge = spec.build(Scorer)
    if not isinstance(judge, Judge) or judge.floor is None:
        return None
    with existing_ledger(home).read() as connection:
        rows = connection.execute(
            select(calibrations)
            .where(calibrations.c.judge == judge.fingerprint())
            .order_by(calibrations.c.created_at.desc())
        ).all()
    name = metric_of(spec)
    if not rows:
        return f"the judge {name}, as it is now, has never been compared with people; {ASK}"
    places = (
        [folder / str(judge.labels)]
        if folder
        else [Path(row.result["file"]) for row in rows if row.result["labels"] == judge.labels]
    )
    current = sha256_of(places[0]) if places else ""
    if current is None:
        return f"the labels of the judge {name} cannot be read any more: {places[0]}"
    same = [row for row in rows if row.labels_sha256 == current]
    if not same:
        return f"the labels of the judge {name} have changed since it was compared with them; {ASK}"
    return shortfall(same[0].result, judge.floor)


def _checked(wanted: Wanted) -> list[Checked]:
    """The judges that have labels, with them. Raises UsageError without any, ConfigError with the
    mistakes of all.
    """
    found: list[Checked] = []
    mistakes: list[Mistake] = []
    for spec in wanted.scorers:
        judge = spec.build(Scorer)
        if not isinstance(judge, Judge) or judge.labels is None:
            continue
        file = (wanted.folder / judge.labels).absolute()
        try:
            found.append(Checked(spec, judge, file, read_labels(file, judge)))
        except ConfigError as error:
            mistakes += [
                Mistake(
                    one.message, where=f"labels of {metric_of(spec)}: {one.where}", hint=one.hint
                )
                for one in error.found
            ]
    if mistakes:
        raise ConfigError(mistakes)
    if not found:
        raise UsageError(
            "no judge of this config has labels to be compared with",
            where="scorers",
            hint="give the judge `labels: labels.jsonl` (see docs/evaluation.md) and a `floor`",
        )
    return found


def _prices(checked: Sequence[Checked], file: Path) -> Mapping[str, Price | None]:
    table = read_prices(file)
    models: dict[str, Llm] = {one.metric: llm_of(one.judge.llm) for one in checked}
    return {name: (0.0, 0.0) if llm.free else price_of(llm, table) for name, llm in models.items()}


async def _judged(
    home: Path, wanted: Wanted, checked: Sequence[Checked]
) -> tuple[list[list[Score]], Spent]:
    """The scores of every judge, in the order of its labels."""
    questions = [
        Question(one.metric, row.sample, row.other) for one in checked for row in one.labels.rows
    ]
    judges = bound_judges([one.spec for one in checked], _prices(checked, wanted.prices))
    budget = Budget(wanted.budget_usd, wanted.budget_calls)
    async with Gateway(home, budget, wanted.concurrency) as gateway:
        pool = JudgePool(gateway, judges, 2 * wanted.concurrency)
        scores = iter(await pool.scores(questions))
    if pool.stopped:
        raise BudgetExceeded(
            f"{pool.stopped}: not all labelled answers were judged, so nothing is concluded",
            hint="raise the budget and run again: what was paid is remembered",
        )
    return [[next(scores) for _ in one.labels.rows] for one in checked], budget.spent


def _said(judge: Judge, found: Mapping[str, Any]) -> dict[str, Any]:
    short = shortfall(found, judge.floor) if judge.floor is not None else None
    return {**found, "floor": judge.floor, "trusted": short is None, "reason": short or ""}


def _save(home: Path, checked: Sequence[Checked], found: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        {
            "judge": one.judge.fingerprint(),
            "labels_sha256": one.labels.sha256,
            "metric": one.metric,
            "created_at": now(),
            "result": {**found[one.metric], "labels": one.judge.labels, "file": str(one.file)},
        }
        for one in checked
    ]
    with open_ledger(home).write() as connection:
        upsert(connection, calibrations, rows)

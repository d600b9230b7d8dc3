"""Whether a judge may decide: how far it agrees with people, measured once and kept in the
ledger.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

from sqlalchemy import select

from llmops.tasks.calls.budget import Budget, Spent
from llmops.tasks.calls.costs import Payer
from llmops.tasks.calls.gateway import Gateway
from llmops.tasks.calls.prices import price_of, read_prices
from llmops.tasks.errors import BudgetExceeded, ConfigError, Mistake, UsageError
from llmops.tasks.evaluation.agreement import JudgeAgreement, judge_agreement, shortfall
from llmops.tasks.evaluation.judging import JudgePool, JudgeQuestion, bound_judges
from llmops.tasks.evaluation.labels import LabelSet, read_labels, sha256_of
from llmops.tasks.evaluation.run import EvaluationRun, EvaluationSpec
from llmops.tasks.ledger import existing_ledger, now, open_ledger, upsert
from llmops.tasks.ledger.tables import calibrations
from llmops.tasks.plugins import Spec, find
from llmops.tasks.plugins.llms import llm_of
from llmops.tasks.plugins.scorers import Judge, Score, Scorer, metric_of

ASK = "compare it with people's labels: llmops evaluate CONFIG --calibrate"


class CalibratedJudge(JudgeAgreement):
    """`trusted`: it reaches its floor, or has none; else `reason` says why not."""

    floor: float | None
    trusted: bool
    reason: str


class Calibration(TypedDict):
    """`judges`: by metric. `spent`: see `Spent`. `reason`: why some are not trusted, or empty."""

    name: str
    judges: dict[str, CalibratedJudge]
    spent: dict[str, float]
    reason: str


class LabelledJudge(NamedTuple):
    """A judge with its labels. `file`: where they are."""

    spec: Spec
    judge: Judge
    file: Path
    labels: LabelSet

    @property
    def metric(self) -> str:
        return metric_of(self.spec)


def calibrate(home: Path, evaluation: EvaluationSpec) -> Calibration:
    """Every judge of a config that has `labels` judges them and is compared with the people who
    wrote them.

    The result is kept in the ledger, by what the judge's replies depend on and by what the labels
    say. Raises UsageError without such a judge, ConfigError with every mistake of the labels,
    BudgetExceeded when the budget ends before all are judged, Unavailable.
    """
    labelled = _labelled(evaluation)
    columns, spent = asyncio.run(_judged(home, evaluation, labelled))
    agreements = {
        each.metric: judge_agreement(each.judge, each.labels.rows, scores)
        for each, scores in zip(labelled, columns, strict=True)
    }
    _save(home, labelled, agreements)
    judges: dict[str, CalibratedJudge] = {}
    for each in labelled:
        agreement, floor = agreements[each.metric], each.judge.floor
        short = None if floor is None else shortfall(agreement, floor)
        judges[each.metric] = CalibratedJudge(
            **agreement, floor=floor, trusted=short is None, reason=short or ""
        )
    doubts = [f"{name}: {judge['reason']}" for name, judge in judges.items() if judge["reason"]]
    return Calibration(
        name=evaluation.name, judges=judges, spent=spent.model_dump(), reason="; ".join(doubts)
    )


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


def untrusted_metrics(run: EvaluationRun) -> dict[str, str]:
    """Which metrics may inform but not decide, and why: those of judges that have not shown that
    they agree with people. The metrics of a judge's parts stand under `judge.part`.
    """
    judges = [spec for spec in run.scorers if issubclass(find("scorers", spec.name), Judge)]
    reasons = {metric_of(spec): trust(run.home, spec) for spec in judges}
    return {metric: why for metric, why in reasons.items() if why}


def _labelled(evaluation: EvaluationSpec) -> list[LabelledJudge]:
    """The judges that have labels, with them. Raises UsageError without any, ConfigError with the
    mistakes of all.
    """
    labelled: list[LabelledJudge] = []
    mistakes: list[Mistake] = []
    for spec in evaluation.scorers:
        judge = spec.build(Scorer)
        if not isinstance(judge, Judge) or judge.labels is None:
            continue
        file = (evaluation.folder / judge.labels).absolute()
        try:
            labelled.append(LabelledJudge(spec, judge, file, read_labels(file, judge)))
        except ConfigError as error:
            place = f"labels of {metric_of(spec)}"
            mistakes += [
                Mistake(mistake.message, where=f"{place}: {mistake.where}", hint=mistake.hint)
                for mistake in error.found
            ]
    if mistakes:
        raise ConfigError(mistakes)
    if not labelled:
        raise UsageError(
            "no judge of this config has labels to be compared with",
            where="scorers",
            hint="give the judge `labels: labels.jsonl` (see docs/scorers.md) and a `floor`",
        )
    return labelled


async def _judged(
    home: Path, evaluation: EvaluationSpec, labelled: Sequence[LabelledJudge]
) -> tuple[list[list[Score]], Spent]:
    """The scores of every judge, in the order of its labels."""
    table = read_prices(evaluation.prices)
    prices = {each.metric: price_of(llm_of(each.judge.llm), table) for each in labelled}
    judges = bound_judges([each.spec for each in labelled], prices)
    questions = [
        JudgeQuestion(each.metric, row.sample, row.other)
        for each in labelled
        for row in each.labels.rows
    ]
    budget = Budget(evaluation.budget_usd, evaluation.budget_calls)
    async with Gateway(
        home, budget, evaluation.concurrency, payer=Payer("evaluate", evaluation.name)
    ) as gateway:
        pool = JudgePool(gateway, judges, 2 * evaluation.concurrency)
        scores = iter(await pool.scores(questions))
    if pool.stopped:
        raise BudgetExceeded(
            f"{pool.stopped}: not all labelled answers were judged, so nothing is concluded",
            hint="raise the budget and run again: what was paid is remembered",
        )
    return [[next(scores) for _ in each.labels.rows] for each in labelled], budget.spent


def _save(
    home: Path, labelled: Sequence[LabelledJudge], agreements: dict[str, JudgeAgreement]
) -> None:
    rows = [
        {
            "judge": each.judge.fingerprint(),
            "labels_sha256": each.labels.sha256,
            "metric": each.metric,
            "created_at": now(),
            "result": {
                **agreements[each.metric],
                "labels": each.judge.labels,
                "file": str(each.file),
            },
        }
        for each in labelled
    ]
    with open_ledger(home).write() as connection:
        upsert(connection, calibrations, rows)

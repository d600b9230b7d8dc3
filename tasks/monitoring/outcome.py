"""What a scoring of live traces came to: the object that `llmops score --json` prints."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from llmops.tasks.ledger import existing_ledger, now
from llmops.tasks.ledger.application import live_scores, traces
from llmops.tasks.monitoring.live import LiveSpec, Scored
from llmops.tasks.statistics.intervals import mean_interval
from llmops.tasks.traces.applications import unasked


class LiveMetric(BaseModel):
    """A metric over the window: `scored` traces have a value, `unscored` have none (`reason` says
    why the first has not), `failed` are the scorer's own failures.
    """

    model_config = ConfigDict(frozen=True)
    value: float | None
    interval: tuple[float, float] | None
    scored: int
    unscored: int
    failed: int
    reason: str = ""


class LiveScores(BaseModel):
    """`chosen`: traces to score in this run; `traces`: those that were; `metrics`: over all scored
    traces of the last `days`, this run's included.
    """

    model_config = ConfigDict(frozen=True)
    flow: Literal["score"] = "score"
    app: str
    status: Literal["scored", "nothing_new", "incomplete"]
    chosen: int
    traces: int
    days: float
    metrics: dict[str, LiveMetric]
    calls: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    prefect_run_id: str | None = None
    mlflow_run_id: str | None = None
    links: dict[str, str] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)

    @property
    def name(self) -> str:
        return self.app

    @property
    def headline(self) -> str:
        if self.status == "nothing_new":
            return f"{self.app}: no new trace to score"
        values = ", ".join(
            f"{name} {metric.value:.3f}"
            for name, metric in self.metrics.items()
            if metric.value is not None
        )
        return f"{self.app}: {self.traces} of {self.chosen} traces scored: {values or 'no values'}"

    @property
    def failed(self) -> str | None:
        return None

    @property
    def completed(self) -> str:
        return "Incomplete" if self.status == "incomplete" else "Completed"

    def warned(self, *warnings: str) -> "LiveScores":
        return self.model_copy(update={"warnings": [*self.warnings, *warnings]})

    def linked(self, links: dict[str, str]) -> "LiveScores":
        return self.model_copy(update={"links": links})

    def public(self) -> Mapping[str, object]:
        """The JSON object."""
        return self.model_dump(mode="json")


def live_scores_of(
    home: Path, spec: LiveSpec, scored: Scored, run_id: str | None, seconds: float
) -> LiveScores:
    """The outcome, with what cannot be scored as a warning."""
    metrics = window(home, spec)
    never = [
        f"{name}: none of {metric.unscored} traces could be scored: {metric.reason}"
        for name, metric in metrics.items()
        if not metric.scored and metric.unscored
    ]
    broken = [
        f"{name}: the scorer failed on {metric.failed} traces: {metric.reason}"
        for name, metric in metrics.items()
        if metric.failed
    ]
    complete = scored.traces == scored.chosen and scored.stopped is None
    status: Literal["scored", "nothing_new", "incomplete"] = (
        "nothing_new" if not scored.chosen else "scored" if complete else "incomplete"
    )
    return LiveScores(
        app=spec.app,
        status=status,
        chosen=scored.chosen,
        traces=scored.traces,
        days=spec.days,
        metrics=metrics,
        calls=scored.spent.calls,
        cost_usd=scored.spent.cost_usd,
        seconds=seconds,
        prefect_run_id=run_id,
        warnings=[
            *_nobody_asked(home, spec),
            *never,
            *broken,
            *([scored.stopped] if scored.stopped else []),
        ],
    )


def _nobody_asked(home: Path, spec: LiveSpec) -> list[str]:
    told = unasked(home, spec.app)
    return [told] if told else []


def window(home: Path, spec: LiveSpec) -> dict[str, LiveMetric]:
    """Each metric over the scored traces that began within the last `days`; conversations are the
    units of its interval.
    """
    since = now() - timedelta(days=spec.days)
    query = (
        select(live_scores, traces.c.conversation)
        .join(traces, traces.c.id == live_scores.c.trace_id)
        .where(live_scores.c.app == spec.app, traces.c.began_at >= since)
        .order_by(live_scores.c.trace_id)
    )
    with existing_ledger(home).read() as connection:
        rows = connection.execute(query).all()
    return {
        name: _metric([row for row in rows if (row.metric, row.scorer) == (name, print_)])
        for name, print_ in spec.fingerprints().items()
    }


def _metric(rows: Sequence[object]) -> LiveMetric:
    valued = [row for row in rows if getattr(row, "value", None) is not None]
    values = [float(getattr(row, "value", 0.0)) for row in valued]
    units = [getattr(row, "conversation", "") or getattr(row, "trace_id", "") for row in valued]
    empty = [row for row in rows if getattr(row, "value", None) is None]
    failed = [row for row in empty if getattr(row, "failed", False)]
    first = (failed or empty)[:1]
    return LiveMetric(
        value=sum(values) / len(values) if values else None,
        interval=mean_interval(values, units) if values else None,
        scored=len(values),
        unscored=len(empty) - len(failed),
        failed=len(failed),
        reason=str(getattr(first[0], "reason", "")) if first else "",
    )

"""Rules of alerts, as a config writes them."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from llmops.configs.section import Section
from llmops.configs.spans import Span
from llmops.tasks.alerts.condition import Severity
from llmops.tasks.alerts.measures import MEASURES, SCORE, MeasureKind, measure_kind
from llmops.tasks.alerts.names import WATCHED
from llmops.tasks.alerts.ruling import AlertRule, ChangeRule
from llmops.tasks.errors import did_you_mean

WINDOWS = re.compile(r"(\d+)( windows?)?")
LEAST = 20
"""Exchanges that say something about a rate, a quantile or a mean."""
Deployment = Annotated[str, Field(pattern=r"^[a-z]+/[a-z0-9][a-z0-9-]{0,62}$")]
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(days=92)


def _windows(value: object) -> object:
    match = WINDOWS.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match[1]) if match else value


class ChangeSettings(Section):
    """`than`: how many windows before it a window is compared with; `false_alarms_per_year`: how
    many are expected at most where nothing changes.
    """

    than: Annotated[int, BeforeValidator(_windows)] = Field(default=4, ge=1, le=52)
    false_alarms_per_year: float = Field(default=0.1, gt=0, le=52)


class RuleSettings(Section):
    """What is wrong: a `metric` of an `app`, of a `knowledge_base` or of the home that is `above`
    or `below` a bound, or that `rises` or `falls`. `window`: over which it is taken; `sure`: an
    alert begins only where chance is excluded; `at_least`: exchanges, with fewer nothing is said;
    `after`: how long it has to be so. `run`, `pause`: a flow with a schedule, such as
    index/handbook, that Prefect runs once when the alert begins, or whose schedule it pauses.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    metric: str
    app: str | None = None
    knowledge_base: str | None = None
    window: Span | None = None
    above: float | None = Field(default=None, allow_inf_nan=False)
    below: float | None = Field(default=None, allow_inf_nan=False)
    rises: ChangeSettings | None = None
    falls: ChangeSettings | None = None
    sure: bool = True
    at_least: int | None = Field(default=None, ge=0)
    severity: Severity = "warning"
    after: Span = timedelta(0)
    run: Deployment | None = None
    pause: Deployment | None = None

    @model_validator(mode="after")
    def _fits(self) -> "RuleSettings":
        kind = measure_kind(self.metric)
        if self.name in WATCHED:
            raise ValueError(f"{self.name} is watched already; give the rule another name")
        if kind is None:
            hint = did_you_mean(self.metric, MEASURES)
            known = f"{', '.join(MEASURES)}, {SCORE}METRIC"
            raise ValueError(f"there is no metric {self.metric!r}; {hint} allowed: {known}")
        self._of(kind)
        self._judged(kind)
        self._lasts(kind)
        return self

    def _of(self, kind: MeasureKind) -> None:
        """Whose metric it is."""
        given = {name for name in ("app", "knowledge_base") if getattr(self, name)}
        wanted = {kind.of} - {"home"}
        if given != wanted:
            whose = f"wants the key {kind.of}" if wanted else "is one of the home"
            other = f"; take out {', '.join(sorted(given - wanted))}" if given - wanted else ""
            raise ValueError(f"{self.metric} {whose}{other}")

    def _judged(self, kind: MeasureKind) -> None:
        """What makes it wrong."""
        changes = [name for name in ("rises", "falls") if getattr(self, name)]
        bounds = [name for name in ("above", "below") if getattr(self, name) is not None]
        if self.metric.startswith("drift_"):
            if changes or bounds:
                raise ValueError(f"{self.metric} has a test of its own; take out the bound")
        elif self.metric == "new_topics":
            if changes or bounds not in ([], ["above"]):
                raise ValueError("new_topics takes `above` alone, 0 where it is not written")
        elif len(changes) + bool(bounds) != 1:
            raise ValueError("one is wanted: above or below a bound, or rises, or falls")
        elif changes and (kind.kind == "now" or self.metric == "requests"):
            raise ValueError(f"{self.metric} takes a bound: above, or below")
        for bound in (self.above, self.below):
            if kind.kind == "share" and bound is not None and not 0 <= bound <= 1:
                raise ValueError(f"{self.metric} lies between 0 and 1: 0.05 is 5 %")
        if self.above is not None and self.below is not None and self.below >= self.above:
            raise ValueError("below is less than above: values between the two are right")

    def _lasts(self, kind: MeasureKind) -> None:
        """Over which time."""
        if self.window is None:
            return
        if kind.kind in ("now", "monitored"):
            raise ValueError(f"{self.metric} has no window; take it out")
        if not SHORTEST <= self.window <= LONGEST:
            raise ValueError("a window of 5m to 92d is allowed")

    def rule(self) -> AlertRule:
        """As whoever looks needs it."""
        kind = measure_kind(self.metric)
        counted = kind is not None and kind.kind in ("share", "quantile", "mean")
        change = self.rises or self.falls
        usual = timedelta(days=7) if change else timedelta(hours=1)
        usually = LEAST if counted or change else 0
        return AlertRule(
            name=self.name,
            metric=self.metric,
            app=self.app or "",
            knowledge_base=self.knowledge_base or "",
            window=self.window or usual,
            above=self.above,
            below=self.below,
            change=ChangeRule(direction="rises" if self.rises else "falls", **change.model_dump())
            if change
            else None,
            sure=self.sure,
            at_least=usually if self.at_least is None else self.at_least,
            severity=self.severity,
            after=self.after,
        )


def _each_once(value: Sequence[RuleSettings]) -> Sequence[RuleSettings]:
    names = [each.name for each in value]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two rules are called {', '.join(twice)}")
    return value


Rules = Annotated[tuple[RuleSettings, ...], AfterValidator(_each_once)]

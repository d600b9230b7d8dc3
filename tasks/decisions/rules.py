"""The rule by which one arm takes the other's place, as a config gives it and a record keeps it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Rule(BaseModel):
    """`better`: promote when the interval of candidate minus baseline lies above `by`, reject when
    it lies below it. `not_worse`: promote when it lies above -`margin`, reject when it lies below.
    The differences are turned so that more is better.

    `not_worse`: further metrics that must not suffer by more than their margin, corrected by Holm.
    `cluster`: whether cases of one group count as one. `max_error_rate`: share of the calls of an
    arm that may fail before no decision is made. `stop_early`: look after every part with intervals
    that are valid at all looks, and stop when the answer is clear.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    metric: str
    rule: Literal["better", "not_worse"] = "better"
    by: float = Field(default=0.0, ge=0)
    margin: float | None = Field(default=None, gt=0)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    cluster: Literal["group", "none"] = "group"
    max_error_rate: float = Field(default=0.02, ge=0, le=1)
    not_worse: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    stop_early: bool = False

    @model_validator(mode="after")
    def _keys_belong_to_the_rule(self) -> "Rule":
        if self.rule == "not_worse" and self.margin is None:
            raise ValueError(
                "the rule not_worse needs `margin`: how much worse than the baseline is "
                "still accepted"
            )
        if self.rule == "better" and self.margin is not None:
            raise ValueError(
                "`margin` belongs to the rule not_worse; the least gain worth having is `by`"
            )
        if self.rule == "not_worse" and self.by:
            raise ValueError("`by` belongs to the rule better")
        return self

    @property
    def bar(self) -> float:
        """What candidate minus baseline is compared with."""
        return self.by if self.rule == "better" else -(self.margin or 0.0)

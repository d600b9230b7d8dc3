"""A decision: all that its record holds, written down once. It is made from evidence, kept as one
JSON object, verified, shown, reported and asked before an alias moves: all by this shape.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from llmops.tasks.decisions.evidence import Evidence, Metric, Pairs
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.errors import Damaged
from llmops.tasks.plugins import canonical
from llmops.tasks.schemas import sha256

FAMILY, NEWEST = "llmops.decision", 1
KIND = f"{FAMILY}/{NEWEST}"
LATER = ("sha256", "links", "record", "mlflow_run_id", "prefect_run_id", "promoted", "remarks")
"""What is added to a record after the decision, and not covered by its hash."""
NAMED = 5
Word = Literal["promote", "reject", "inconclusive"]
Interval = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]
Content = dict[str, Any]
"""A record, or a part of one, as JSON has it. Of one from elsewhere nothing is known."""


class Recorded(BaseModel):
    """A part of a record. What was never said is not written; a key that this release does not know
    is kept.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")

    @model_serializer(mode="wrap")
    def _as_said(self, write: SerializerFunctionWrapHandler) -> Content:
        written: Content = write(self)
        return {name: value for name, value in written.items() if name in self.model_fields_set}

    def content(self) -> Content:
        """As JSON has it; half of a surrogate pair in a text is kept."""
        return self.model_dump()


class Figures(Recorded):
    """What a comparison of a candidate with the baseline gives in one metric: `difference` is
    candidate - baseline, None where it is not known. Guards have a `margin`, and whether it `holds`
    or is `violated`; `adjusted_p`: after Holm, over guards or over tags.
    """

    difference: FiniteFloat | None
    interval: Interval | None
    p_value: FiniteFloat | None
    test: str = "none"
    n: int
    clusters: int = 0
    note: str = ""
    margin: FiniteFloat = 0.0
    adjusted_p: FiniteFloat | None = None
    holds: bool = False
    violated: bool = False

    @property
    def guards(self) -> bool:
        return "margin" in self.model_fields_set

    @property
    def unmoved(self) -> bool:
        """Whether no case differs: the interval then says how little that proves, which no picture
        needs.
        """
        return self.difference == 0 and self.note.startswith("no case differs")


class Measure(Recorded):
    """A metric of one arm: its mean over the `n` cases that have a value."""

    value: FiniteFloat
    interval: Interval
    n: int = 0
    higher_is_better: bool = True


class Percentiles(Recorded):
    """In milliseconds; None without any answer."""

    p50: FiniteFloat | None
    p95: FiniteFloat | None


class ArmNumbers(Recorded):
    """What an arm did. `scored`: answers with a value in the deciding metric; `judge_failures`: how
    often its scorer broke; `cached`: answers that were remembered, `calls` those that were not.
    """

    attempted: int
    answered: int
    scored: int = 0
    errored: int
    judge_failures: int = 0
    metrics: dict[str, Measure]
    tokens: int = 0
    cost_usd: FiniteFloat
    latency_ms: Percentiles
    calls: int
    cached: int


class PromptUsed(Recorded):
    """`sha256` is of what the prompt said; `version` None: it came from a file."""

    uri: str
    name: str = ""
    sha256: str = ""
    version: int | None = None
    alias: str | None = None


class RecordedArm(ArmNumbers):
    """What an arm did, and what it was. `trained`: the version of a trained model, as in
    models:/NAME/3.
    """

    prompt: PromptUsed
    llm: dict[str, Any] = Field(default_factory=dict)
    trained: str = ""
    retrieve: dict[str, Any] | None = None


class ArmComparison(Recorded):
    """One candidate against the baseline: by metric, and by tag in the deciding metric."""

    verdict: Word = "inconclusive"
    reason: str = ""
    adjusted_p: FiniteFloat | None = None
    metrics: dict[str, Figures]
    tags: dict[str, Figures]


class Sighting(Recorded):
    """The deciding metric at a look."""

    difference: FiniteFloat | None
    interval: Interval | None


class Look(Recorded):
    """What was there after so many cases, of a rule that may stop early."""

    cases: int
    comparisons: dict[str, Sighting] = Field(default_factory=dict)


class CaseCount(Recorded):
    total: int
    used: int


class BudgetGiven(Recorded):
    """None: no limit."""

    usd: FiniteFloat | None = None
    calls: int | None = None


class Spending(Recorded):
    """Of the whole run, judges included."""

    calls: int
    cached: int
    tokens: int = 0
    cost_usd: FiniteFloat


class AliasWanted(Recorded):
    """The alias that the winner is to have."""

    prompt: str
    alias: str


class AliasMoved(Recorded):
    """Where an alias is, and how it came there. `moved`: whether it went there just now."""

    prompt: str = ""
    alias: str = ""
    version: int
    previous_version: int | None = None
    kind: str = ""
    uri: str = ""
    decision: str | None = None
    decision_sha256: str | None = None
    who: str | None = None
    moved_at: str | None = None
    moved: bool = True


class RecordHeading(Recorded):
    """What a record is."""

    kind: str = KIND
    flow: str = "evaluate"
    id: str
    name: str
    sha256: str
    created_at: str = ""


class Verdict(Recorded):
    """All that follows from the evidence. `candidate`: the arm that it is about, the winner or the
    best one; the numbers beside it are of this one in the deciding metric.
    """

    verdict: Word
    reason: str
    hint: str | None = None
    candidate: str
    metric: str
    n: int = 0
    difference: FiniteFloat | None = None
    interval: Interval | None = None
    p_value: FiniteFloat | None = None
    test: str = "none"
    minimum_detectable_effect: FiniteFloat | None = None
    cases_needed: int | None = None
    status: Literal["decided", "failed"]
    arms: Mapping[str, ArmNumbers] = Field(min_length=2)
    comparisons: dict[str, ArmComparison]
    looks: list[Look]


def _whole(rule: object) -> object:
    """What is printed of a rule is said by the record, not by the defaults of this release."""
    lacking = [
        name for name in ("alpha", "not_worse") if isinstance(rule, Mapping) and name not in rule
    ]
    if lacking:
        raise ValueError(f"rule.{lacking[0]} is missing")
    return rule


class Decision(Verdict, RecordHeading):
    """The whole record. `pairs` and what stands around them are the evidence; `config` is the one
    that was run, `promoted` None: the alias should have moved, and did not.
    """

    arms: Mapping[str, RecordedArm] = Field(min_length=2)
    baseline: str
    rule: Annotated[Rule, BeforeValidator(_whole)]
    promote: AliasWanted | None
    metrics: dict[str, Metric]
    pairs: Pairs
    untrusted: dict[str, str]
    repeats: int = 1
    stopped: str | None = None
    dataset_sha256: str
    cases: CaseCount
    prompts: dict[str, str]
    config: dict[str, Any] = Field(default_factory=dict)
    config_sha256: str
    budget: BudgetGiven = Field(default_factory=BudgetGiven)
    spent: Spending
    seconds: FiniteFloat | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    warnings: list[str]
    remarks: list[str] = Field(default_factory=list)
    record: str | None = None
    mlflow_run_id: str | None = None
    prefect_run_id: str | None = None
    links: dict[str, str]
    promoted: AliasMoved | None = None

    @model_validator(mode="after")
    def _of_its_arms(self) -> "Decision":
        named = (self.candidate, self.baseline, *self.comparisons)
        if unknown := [name for name in named if name not in self.arms]:
            raise ValueError(f"there is no arm {unknown[0]!r}")
        if self.promoted and not self.promote:
            raise ValueError("promoted, but nothing was to be")
        try:
            self.evidence()
        except ValidationError as error:
            raise ValueError(first_of(error)) from error
        return self

    @property
    def stayed(self) -> bool:
        """Whether the alias should have moved, and did not."""
        return "promoted" in self.model_fields_set and self.promoted is None

    @property
    def sign(self) -> int:
        """1 where more of the deciding metric is better, else -1."""
        return self.sign_of(self.metric)

    def sign_of(self, metric: str) -> int:
        return self.metrics.get(metric, Metric()).sign

    def evidence(self) -> Evidence:
        """What the verdict was computed from. Raises ValidationError where its parts do not fit."""
        return Evidence(
            rule=self.rule,
            baseline=self.baseline,
            arms=tuple(self.arms),
            metrics=self.metrics,
            pairs=self.pairs,
            untrusted=self.untrusted,
            looks=tuple(look.cases for look in self.looks),
            total=self.cases.total,
            stopped=self.stopped or "",
        )

    def sealed(self) -> "Decision":
        """With the hash of what it says; the one it had before is not looked at."""
        return self.model_copy(update={"sha256": seal(self.content())})

    def remarked(self, remarks: Sequence[str]) -> "Decision":
        """With remarks on what happened after the decision."""
        return self.model_copy(update={"remarks": [*self.remarks, *remarks]})


def seal(content: Mapping[str, object]) -> str:
    """SHA-256 of a record's JSON with sorted keys, without what is added later."""
    return sha256(canonical({name: value for name, value in content.items() if name not in LATER}))


def read_decision(content: object, where: str) -> Decision:
    """The decision in the content of a record. Raises Damaged naming what is missing or wrong."""
    try:
        return Decision.model_validate(content)
    except ValidationError as error:
        raise Damaged(
            f"this decision record cannot be shown: {lacking(error) or first_of(error)}",
            where=where,
            hint="`llmops decision verify FILE` tells what does not stand",
        ) from error


def lacking(error: ValidationError) -> str:
    """`it lacks id, name and more`; empty where no key is missing."""
    missing = [
        ".".join(map(str, one["loc"]))
        for one in error.errors(include_url=False)
        if one["type"] == "missing"
    ]
    more = " and more" if len(missing) > NAMED else ""
    return f"it lacks {', '.join(missing[:NAMED])}{more}" if missing else ""


def first_of(error: Exception) -> str:
    """What an error says, the first of several."""
    if isinstance(error, ValidationError):
        wrong = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
    return f"{type(error).__name__}: {error}"

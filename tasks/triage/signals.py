"""Why somebody should look at an answer, by what the ledger knows of it. Pure."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from llmops.tasks.monitoring.live import in_sample

Reason = Literal["disagreement", "negative", "grounding", "refusal", "topic", "random"]
PRIORITY: dict[Reason, float] = {
    "disagreement": 90,
    "negative": 80,
    "grounding": 60,
    "refusal": 50,
    "topic": 40,
    "random": 10,
}
"""The most pressing first; a person who asked for it comes before all of them."""
CORRECTED = 5
"""A correction is worth more: somebody knows better already."""
SUPPORTED = 1.0
"""The score of an answer all of whose sentences are supported."""


class TriageRules(BaseModel):
    """Which answers are chosen. `grounding`: below which score, 0 for none; `random`: the share of
    the sample; `topics`: how many new ones a run, 0 for none; `most`: items that a run adds.
    """

    model_config = ConfigDict(frozen=True)
    negative: bool = True
    refusals: bool = True
    grounding: float = 0.5
    disagreements: bool = True
    random: float = 0.02
    topics: int = 5
    most: int = 100


class Seen(NamedTuple):
    """What is known of one answer. `up`, `down`: how many people said so; `grounded`: None where
    nobody has scored it; `alike`: of a new topic, how many questions it stands for, else 0.
    """

    trace_id: str
    refused: bool = False
    up: int = 0
    down: int = 0
    corrected: bool = False
    grounded: float | None = None
    alike: int = 0


class TriagedAnswer(NamedTuple):
    """An answer to look at. `reasons`: the most pressing first."""

    trace_id: str
    reasons: tuple[Reason, ...]
    priority: float


def chosen(seen: Iterable[Seen], rules: TriageRules) -> list[TriagedAnswer]:
    """Those with a reason, the most pressing first; of equals, in the order of their ids."""
    made = [one for each in seen if (one := _of(each, rules))]
    return sorted(made, key=lambda one: (-one.priority, one.trace_id))


def _of(seen: Seen, rules: TriageRules) -> TriagedAnswer | None:
    why = reasons(seen, rules)
    if not why:
        return None
    # an answer may be supported and still no answer: it presses no more than a mark down does
    surprising = "disagreement" not in why or seen.up
    first = PRIORITY[why[0]] if surprising else PRIORITY["negative"]
    more = CORRECTED if seen.corrected and "negative" in why else 0
    return TriagedAnswer(seen.trace_id, why, first + more + len(why) - 1)


def reasons(seen: Seen, rules: TriageRules) -> tuple[Reason, ...]:
    """All that apply, the most pressing first."""
    weak = seen.grounded is not None and seen.grounded < rules.grounding
    holds: dict[Reason, bool] = {
        "disagreement": rules.disagreements and _disagreement(seen, rules),
        "negative": rules.negative and seen.down > 0,
        "grounding": weak and not seen.refused,
        "refusal": rules.refusals and seen.refused,
        "topic": rules.topics > 0 and seen.alike > 0,
        "random": in_sample(seen.trace_id, rules.random),
    }
    return tuple(sorted((each for each in holds if holds[each]), key=lambda each: -PRIORITY[each]))


def _disagreement(seen: Seen, rules: TriageRules) -> bool:
    """People differ, or say the opposite of what the passages do."""
    if seen.up and seen.down:
        return True
    if seen.grounded is None or not rules.grounding:
        return False
    praised = seen.up > 0 and seen.grounded < rules.grounding
    return praised or (seen.down > 0 and seen.grounded >= SUPPORTED)

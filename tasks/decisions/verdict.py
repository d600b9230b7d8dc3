"""The verdict: a pure function of the evidence. The same evidence gives the same verdict, now and
when a record is verified.

The deciding metric of each candidate is compared with the baseline's on the same cases; the p
values of several candidates are corrected by Holm. A candidate is promoted when it is beyond the
bar of the rule and all guards hold, rejected when it is shown to be on the wrong side of the bar or
to violate a guard; else, and wherever nothing differs or spreads, it is inconclusive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from llmops.tasks.decisions import verdict_words as words
from llmops.tasks.decisions.evidence import Evidence, Metric
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.verdict_arms import arm, error_rate
from llmops.tasks.decisions.verdict_effects import Effect, Guard, effect, guards, watched
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import Part, Trial
from llmops.tasks.statistics.multiple import holm

Word = Literal["promote", "reject", "inconclusive"]
HINTS = {
    "promote": "the report shows each case; llmops decision verify computes the verdict again",
    "reject": "the baseline stays; the report lists the cases that lost most",
    "inconclusive": "nothing changes; add cases, or lower what is asked of the candidate",
    "cut": "raise the budget and run again: what was paid is remembered; decide.stop_early "
    "decides with fewer cases where it can",
    "apart": "ask all arms anew, so that their times are measured together: give every arm's llm "
    "the same new `label`, or use another "
    "LLMOPS_HOME",
    "errors": "look at the failed calls in the report and run again: what was paid is remembered; "
    "decide.max_error_rate is the limit",
}


@dataclass(frozen=True)
class Judged:
    """What is known of one candidate."""

    name: str
    verdict: Word
    reason: str
    main: Effect
    adjusted_p: float | None
    guards: tuple[Guard, ...]

    @property
    def gain(self) -> float:
        return self.main.gain

    @property
    def apart(self) -> bool:
        """Whether it is undecided by a metric that leaves out cases, since the arms were asked at
        different times.
        """
        open_ones = [self.main, *(one.effect for one in self.guards if not one.holds)]
        return self.verdict == "inconclusive" and any(one.apart for one in open_ones)


@dataclass(frozen=True)
class Verdict:
    """`candidate`: the arm that it is about, the winner or the best one. `numbers`: all that was
    computed, by the keys of a record. `failing`: arms of which too many calls failed."""

    verdict: Word
    reason: str
    hint: str
    candidate: str
    failing: tuple[str, ...]
    numbers: dict[str, Any]


def decide(evidence: Evidence) -> Verdict:
    """Raises nothing for evidence that is well-formed; without cases it is inconclusive."""
    judged = judge(evidence)
    chosen = chosen_of(judged)
    alone = len(judged) == 1
    verdict: Word = chosen.verdict
    failing = tuple(
        name for name in evidence.arms if error_rate(evidence, name) > evidence.rule.max_error_rate
    )
    reason = chosen.reason if alone else f"{chosen.name}: {chosen.reason}{_others(chosen, judged)}"
    lost = verdict == "inconclusive" and {evidence.baseline, chosen.name} & set(failing)
    hint = HINTS[
        "cut" if evidence.cut else "errors" if lost else "apart" if chosen.apart else verdict
    ]
    return Verdict(
        verdict,
        reason,
        hint,
        chosen.name,
        failing,
        {
            **_headline(chosen),
            "status": "failed" if lost else "decided",
            "arms": {name: arm(evidence, name) for name in evidence.arms},
            "comparisons": {one.name: _comparison(evidence, one) for one in judged},
            "looks": [_look(evidence, count) for count in evidence.looks],
        },
    )


def settled(
    trial: Trial,
    rule: Rule,
    parts: Sequence[Part],
    cases: CaseSet,
    untrusted: Mapping[str, str] | None = None,
) -> str | None:
    """Why the parts so far suffice: the verdict would be promote or reject. None: go on, or the
    rule does not look early.
    """
    from llmops.tasks.decisions.evidence_gather import gathered
    from llmops.tasks.evaluation.calibration import untrusted_metrics

    if not rule.stop_early or not parts:
        return None
    doubts = untrusted_metrics(trial) if untrusted is None else untrusted
    evidence = gathered(trial, rule, parts, cases, doubts)
    word = chosen_of(judge(evidence)).verdict
    return (
        None
        if word == "inconclusive"
        else f"the answer is clear after {len(evidence.pairs.cases):,} cases: {word}"
    )


def judge(evidence: Evidence) -> list[Judged]:
    """What the rule says of each candidate: all that a verdict needs."""
    rule, names = evidence.rule, evidence.candidates
    if rule.stop_early:
        mains = [
            watched(evidence, name, rule.metric, bar=rule.bar, alpha=rule.alpha / len(names))
            for name in names
        ]
        return [
            _judged(evidence, name, main, None) for name, main in zip(names, mains, strict=True)
        ]
    mains = [effect(evidence, name, rule.metric, bar=rule.bar) for name in names]
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in mains])
    return [
        _judged(evidence, name, main, p)
        for name, main, p in zip(names, mains, adjusted, strict=True)
    ]


def _judged(evidence: Evidence, name: str, main: Effect, adjusted: float | None) -> Judged:
    watching = tuple(guards(evidence, name))
    verdict, reason = _obstacle(evidence, name) or _weighed(evidence, main, adjusted, watching)
    return Judged(name, verdict, reason, main, None if main.p_value is None else adjusted, watching)


def _obstacle(evidence: Evidence, name: str) -> tuple[Word, str] | None:
    """What forbids any decision about a candidate, whatever the numbers."""
    limit = evidence.rule.max_error_rate
    if evidence.cut:
        used = f"{len(evidence.pairs.cases):,} of {evidence.total:,} cases"
        return (
            "inconclusive",
            f"the run ended early ({evidence.stopped or 'results are missing'}): {used} "
            f"were answered by every arm",
        )
    for one in (evidence.baseline, name):
        rate = error_rate(evidence, one)
        if rate > limit:
            return "inconclusive", (
                f"too many errors to decide: {words.percent(rate)} of the calls of {one} "
                f"failed or could not be "
                f"judged, {words.percent(limit)} is the limit"
            )
    for metric in (evidence.rule.metric, *evidence.rule.not_worse):
        for scorer, why in evidence.untrusted.items():
            if metric == scorer or metric.startswith(f"{scorer}."):
                return "inconclusive", f"{metric} may inform but not decide: {why}"
    return None


def _weighed(
    evidence: Evidence, main: Effect, adjusted: float | None, watching: Sequence[Guard]
) -> tuple[Word, str]:
    rule, kind = evidence.rule, evidence.metrics.get(main.metric, Metric())
    shown = (
        main.side if adjusted is None else (1 if main.gain > 0 else -1) * (adjusted < rule.alpha)
    )
    shown = 0 if main.same or main.n < 2 else shown
    odds = words.chance(main, adjusted, len(evidence.candidates))
    if shown < 0:
        return "reject", words.failed(main, kind, rule) + odds
    if broken := [one for one in watching if one.violated]:
        return "reject", "; ".join(_guarded(evidence, broken))
    if not shown:
        return "inconclusive", words.open_question(main, kind, rule.alpha)
    if unsure := [one for one in watching if not one.holds]:
        return (
            "inconclusive",
            f"{words.passed(main, kind, rule)}, but {'; '.join(_guarded(evidence, unsure))}",
        )
    return "promote", "; ".join(
        [words.passed(main, kind, rule) + odds, *_guarded(evidence, watching)]
    )


def _guarded(evidence: Evidence, watching: Sequence[Guard]) -> list[str]:
    return [words.guard(one, evidence.metrics.get(one.metric, Metric())) for one in watching]


def chosen_of(judged: Sequence[Judged]) -> Judged:
    """The passing candidate with the largest gain; else the best of those about which nothing is
    known; else the best of all.
    """
    for word in ("promote", "inconclusive", "reject"):
        if found := [one for one in judged if one.verdict == word]:
            return max(found, key=lambda one: one.gain)
    raise ValueError("there is no candidate")


def _others(chosen: Judged, judged: Sequence[Judged]) -> str:
    counts = {
        word: sum(one.verdict == word for one in judged if one is not chosen)
        for word in ("promote", "inconclusive", "reject")
    }
    said = {"promote": "would pass as well", "inconclusive": "undecided", "reject": "rejected"}
    return "; of the others " + ", ".join(
        f"{count} {said[word]}" for word, count in counts.items() if count
    )


def _headline(chosen: Judged) -> dict[str, Any]:
    main = chosen.main
    return {
        "verdict": chosen.verdict,
        "candidate": chosen.name,
        "metric": main.metric,
        "n": main.n,
        "difference": main.difference,
        "interval": main.figures()["interval"],
        "p_value": main.p_value,
        "test": main.test,
        "minimum_detectable_effect": main.minimum_detectable_effect,
        "cases_needed": main.cases_needed,
    }


def _comparison(evidence: Evidence, one: Judged) -> dict[str, Any]:
    """Metrics that neither decide nor guard are compared with 0, by themselves: they inform."""
    main = {one.main.metric: one.main.figures()}
    decided = main | {
        guard.metric: guard.figures() for guard in one.guards if guard.metric not in main
    }
    others = [
        metric
        for metric in evidence.metrics
        if metric not in decided and np.isfinite(evidence.column(one.name, metric)).any()
    ]
    compared = {metric: effect(evidence, one.name, metric) for metric in others}
    found = decided | {
        metric: other.figures() for metric, other in compared.items() if other.n or other.apart
    }
    return {
        "verdict": one.verdict,
        "reason": one.reason,
        "adjusted_p": one.adjusted_p,
        "metrics": found,
        "tags": _tags(evidence, one.name),
    }


def _tags(evidence: Evidence, candidate: str) -> dict[str, Any]:
    """The effect on the deciding metric by tag; each tag by itself, with p values corrected by Holm
    over the tags.
    """
    names = sorted({tag for tags in evidence.pairs.tags for tag in tags})
    found = {
        tag: effect(
            evidence,
            candidate,
            evidence.rule.metric,
            chosen=np.array([tag in tags for tags in evidence.pairs.tags]),
        )
        for tag in names
    }
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in found.values()])
    return {
        tag: {**one.figures(), "adjusted_p": p}
        for (tag, one), p in zip(found.items(), adjusted, strict=True)
    }


def _look(evidence: Evidence, count: int) -> dict[str, Any]:
    then, rule = evidence.first(count), evidence.rule
    found = {
        name: watched(
            then, name, rule.metric, bar=rule.bar, alpha=rule.alpha / len(evidence.candidates)
        )
        for name in evidence.candidates
    }
    return {
        "cases": count,
        "comparisons": {
            name: {"difference": one.difference, "interval": one.figures()["interval"]}
            for name, one in found.items()
        },
    }

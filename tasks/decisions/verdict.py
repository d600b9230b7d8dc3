"""The verdict: a pure function of the evidence. The same evidence gives the same verdict, now and
when a record is verified.

The deciding metric of each candidate is compared with the baseline's on the same cases; the p
values of several candidates are corrected by Holm. A candidate is promoted when it is beyond the
bar of the rule and all guards hold, rejected when it is shown to be on the wrong side of the bar or
to violate a guard; else, and wherever nothing differs or spreads, it is inconclusive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmops.tasks.decisions import words
from llmops.tasks.decisions.decision import (
    ArmComparison,
    ArmNumbers,
    Figures,
    Look,
    Measure,
    Percentiles,
    Sighting,
    Verdict,
    Word,
)
from llmops.tasks.decisions.effects import Effect, Guard, effect, guards, watched
from llmops.tasks.decisions.evidence import Evidence, Metric
from llmops.tasks.statistics.intervals import mean_interval, share_interval
from llmops.tasks.statistics.multiple import holm

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
class JudgedCandidate:
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


def decide(evidence: Evidence) -> Verdict:
    """Raises nothing for evidence that is well-formed; without cases it is inconclusive."""
    judged = judge(evidence)
    chosen = chosen_of(judged)
    main, others = chosen.main, _others(chosen, judged)
    lost = chosen.verdict == "inconclusive" and {evidence.baseline, chosen.name} & set(
        failing(evidence)
    )
    hint = "errors" if lost else "apart" if chosen.apart else chosen.verdict
    return Verdict(
        verdict=chosen.verdict,
        reason=f"{chosen.name}: {chosen.reason}{others}" if others else chosen.reason,
        hint=HINTS["cut" if evidence.cut else hint],
        candidate=chosen.name,
        metric=main.metric,
        n=main.n,
        difference=main.difference,
        interval=main.figures().interval,
        p_value=main.p_value,
        test=main.test,
        minimum_detectable_effect=main.minimum_detectable_effect,
        cases_needed=main.cases_needed,
        status="failed" if lost else "decided",
        arms={name: arm_numbers(evidence, name) for name in evidence.arms},
        comparisons={candidate.name: _comparison(evidence, candidate) for candidate in judged},
        looks=[_look(evidence, count) for count in evidence.looks],
    )


def failing(evidence: Evidence) -> tuple[str, ...]:
    """The arms of which too many calls failed."""
    limit = evidence.rule.max_error_rate
    return tuple(name for name in evidence.arms if error_rate(evidence, name) > limit)


def judge(evidence: Evidence) -> list[JudgedCandidate]:
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


def _judged(evidence: Evidence, name: str, main: Effect, adjusted: float | None) -> JudgedCandidate:
    watching = tuple(guards(evidence, name))
    verdict, reason = _obstacle(evidence, name) or _weighed(evidence, main, adjusted, watching)
    return JudgedCandidate(
        name, verdict, reason, main, None if main.p_value is None else adjusted, watching
    )


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


def chosen_of(judged: Sequence[JudgedCandidate]) -> JudgedCandidate:
    """The passing candidate with the largest gain; else the best of those about which nothing is
    known; else the best of all.
    """
    for word in ("promote", "inconclusive", "reject"):
        if found := [one for one in judged if one.verdict == word]:
            return max(found, key=lambda one: one.gain)
    raise ValueError("there is no candidate")


def _others(chosen: JudgedCandidate, judged: Sequence[JudgedCandidate]) -> str:
    counts = {
        word: sum(one.verdict == word for one in judged if one is not chosen)
        for word in ("promote", "inconclusive", "reject")
    }
    said = {"promote": "would pass as well", "inconclusive": "undecided", "reject": "rejected"}
    listed = ", ".join(f"{count} {said[word]}" for word, count in counts.items() if count)
    return f"; of the others {listed}" if listed else ""


def _comparison(evidence: Evidence, candidate: JudgedCandidate) -> ArmComparison:
    """Metrics that neither decide nor guard are compared with 0, by themselves: they inform."""
    main = {candidate.main.metric: candidate.main.figures()}
    decided = main | {
        guard.metric: guard.figures() for guard in candidate.guards if guard.metric not in main
    }
    others = [
        metric
        for metric in evidence.metrics
        if metric not in decided and np.isfinite(evidence.column(candidate.name, metric)).any()
    ]
    informing = {metric: effect(evidence, candidate.name, metric) for metric in others}
    compared = decided | {
        metric: other.figures() for metric, other in informing.items() if other.n or other.apart
    }
    return ArmComparison(
        verdict=candidate.verdict,
        reason=candidate.reason,
        adjusted_p=candidate.adjusted_p,
        metrics=compared,
        tags=_tags(evidence, candidate.name),
    )


def _tags(evidence: Evidence, candidate: str) -> dict[str, Figures]:
    """The effect on the deciding metric by tag; each tag by itself, with p values corrected by Holm
    over the tags.
    """
    effects = {
        tag: effect(
            evidence,
            candidate,
            evidence.rule.metric,
            chosen=np.array([tag in tags for tags in evidence.pairs.tags]),
        )
        for tag in sorted({tag for tags in evidence.pairs.tags for tag in tags})
    }
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in effects.values()])
    return {
        tag: one.figures(adjusted_p=p)
        for (tag, one), p in zip(effects.items(), adjusted, strict=True)
    }


def _look(evidence: Evidence, count: int) -> Look:
    then, rule = evidence.first(count), evidence.rule
    alpha = rule.alpha / len(evidence.candidates)
    seen = {
        name: watched(then, name, rule.metric, bar=rule.bar, alpha=alpha).figures()
        for name in evidence.candidates
    }
    return Look(
        cases=count,
        comparisons={
            name: Sighting(difference=one.difference, interval=one.interval)
            for name, one in seen.items()
        },
    )


def arm_numbers(evidence: Evidence, name: str) -> ArmNumbers:
    """What one arm did by itself. Means are over the cases that have a value; latencies over all
    answers.
    """
    calls, errors = evidence.pairs.calls[name], sum(evidence.pairs.errors[name])
    latencies = [one for case in calls.latency_ms for one in case]
    answered, cached = len(latencies), sum(calls.cached)
    p50, p95 = np.percentile(latencies, [50, 95]).tolist() if latencies else (None, None)
    return ArmNumbers(
        attempted=answered + errors,
        answered=answered,
        scored=_scored(evidence, name),
        errored=errors,
        judge_failures=judge_failures(evidence, name),
        metrics=_measures(evidence, name),
        tokens=sum(calls.tokens),
        cost_usd=sum(calls.cost_usd),
        latency_ms=Percentiles(p50=p50, p95=p95),
        calls=answered - cached,
        cached=cached,
    )


def _scored(evidence: Evidence, name: str) -> int:
    """A metric of pairs stands with the candidates alone: for the baseline it is the most that any
    of them has.
    """
    own = sum(evidence.pairs.calls[name].scored)
    pairwise = evidence.metrics.get(evidence.rule.metric, Metric()).pairwise
    if name != evidence.baseline or not pairwise:
        return own
    return max(
        (sum(evidence.pairs.calls[other].scored) for other in evidence.candidates), default=0
    )


def judge_failures(evidence: Evidence, name: str) -> int:
    """How often the scorer of the deciding metric broke on this arm: for a part such as
    `judge.tone` that is the judge.
    """
    found = evidence.pairs.judge_failures.get(name, {})
    metric = evidence.rule.metric
    return sum(
        sum(counts)
        for scorer, counts in found.items()
        if metric == scorer or metric.startswith(f"{scorer}.")
    )


def error_rate(evidence: Evidence, name: str) -> float:
    """The share of an arm's calls that failed, or whose answer the deciding judge could not score.
    0 without any call.
    """
    failed = sum(evidence.pairs.errors[name])
    attempted = failed + sum(len(one) for one in evidence.pairs.calls[name].latency_ms)
    return (failed + judge_failures(evidence, name)) / attempted if attempted else 0.0


def _measures(evidence: Evidence, name: str) -> dict[str, Measure]:
    """Every metric of the arm with its interval over clusters: shares by Wilson's interval, others
    by the bootstrap, which never leaves the range of what was seen.
    """
    measures = {}
    for metric in evidence.pairs.values[name]:
        kind, column = evidence.metrics[metric], evidence.column(name, metric)
        there = np.isfinite(column)
        labels = (
            None
            if evidence.labels is None
            else [evidence.labels[place] for place in np.flatnonzero(there)]
        )
        if there.any():
            interval = share_interval if kind.bounded or kind.pairwise else mean_interval
            ends = interval(column[there], labels, 1 - evidence.rule.alpha)
            measures[metric] = Measure(
                value=float(column[there].mean()),
                interval=[float(end) for end in ends],
                n=int(there.sum()),
                higher_is_better=kind.higher_is_better,
            )
    return measures

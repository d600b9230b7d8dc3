"""What each arm did by itself: counts, means with intervals, tokens, cost, latency."""

from typing import Any

import numpy as np

from llmops.tasks.decisions.evidence import Evidence, Metric
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.intervals import mean_interval, share_interval


def arm(evidence: Evidence, name: str) -> dict[str, Any]:
    """The numbers of one arm as the record has them. Means are over the cases that have a value;
    latencies over all answers.
    """
    calls, errors = evidence.pairs.calls[name], sum(evidence.pairs.errors[name])
    latencies = [one for case in calls.latency_ms for one in case]
    answered, cached = len(latencies), sum(calls.cached)
    return {
        "attempted": answered + errors,
        "answered": answered,
        "scored": _scored(evidence, name),
        "errored": errors,
        "judge_failures": judge_failures(evidence, name),
        "metrics": metrics(evidence, name),
        "tokens": sum(calls.tokens),
        "cost_usd": sum(calls.cost_usd),
        "latency_ms": {"p50": _percentile(latencies, 50), "p95": _percentile(latencies, 95)},
        "calls": answered - cached,
        "cached": cached,
    }


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


def metrics(evidence: Evidence, name: str) -> dict[str, dict[str, Any]]:
    """Every metric of the arm with its interval over clusters."""
    found = {}
    for metric in evidence.pairs.values[name]:
        column = evidence.column(name, metric)
        there = np.isfinite(column)
        labels = (
            None
            if evidence.labels is None
            else [evidence.labels[number] for number in np.flatnonzero(there)]
        )
        if there.any():
            kind, values = evidence.metrics[metric], column[there]
            found[metric] = {
                "value": float(values.mean()),
                "interval": _interval(values, labels, kind, evidence.rule.alpha),
                "n": int(there.sum()),
                "higher_is_better": kind.higher_is_better,
            }
    return found


def _interval(values: Array, labels: list[Any] | None, kind: Metric, alpha: float) -> list[float]:
    """Shares by Wilson's interval, others by the bootstrap, which never leaves the range of what
    was seen.
    """
    share = kind.bounded or kind.pairwise
    return [
        float(end)
        for end in (share_interval if share else mean_interval)(values, labels, 1 - alpha)
    ]


def _percentile(values: list[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if values else None

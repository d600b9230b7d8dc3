"""From the files of finished parts to evidence: streamed, so that texts are never all in memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from llmops.tasks.decisions.evidence import Calls, Evidence, Metric, Pairs
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.calibration import untrusted_metrics
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import Result, RunPart, read_results
from llmops.tasks.evaluation.run import EvaluationRun
from llmops.tasks.plugins import Spec, external, find
from llmops.tasks.plugins.scorers import PairJudge, Scorer, metric_of
from llmops.tasks.schemas import sha256

MEASURED = {
    "latency": Metric(higher_is_better=False, relative=True, timed=True, unit="ms"),
    "cost": Metric(higher_is_better=False, relative=True, unit="USD"),
}
"""What every answer has, also where no scorer is called so."""


@dataclass
class CaseTally:
    """What one arm did on one case, over its repeats."""

    attempted: int = 0
    errors: int = 0
    scored: int = 0
    tokens: int = 0
    cost: float = 0.0
    cached: int = 0
    latencies: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    broken: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, result: Result, deciding: str) -> None:
        self.attempted += 1
        if result.status == "errored":
            self.errors += 1
            return
        self.latencies.append(result.latency_ms)
        self.times.append(result.asked_at)
        self.tokens += result.tokens_in + result.tokens_out
        self.cost += result.cost_usd
        self.cached += result.cached
        found = {"latency": result.latency_ms, "cost": result.cost_usd}
        for name, score in result.scores.items():
            self.broken[name] += score.failed
            if score.value is not None:
                found |= {
                    name: score.value,
                    **{f"{name}.{part}": value for part, value in score.parts.items()},
                }
        self.scored += deciding in found
        for name, value in found.items():
            self.values[name].append(value)


def gathered(
    run: EvaluationRun,
    rule: Rule,
    parts: Sequence[RunPart],
    cases: CaseSet,
    untrusted: Mapping[str, str] | None = None,
    stopped: str = "",
) -> Evidence:
    """The evidence of the parts so far. A case counts when every arm was asked every repeat of it,
    which a used-up budget may prevent. `untrusted`: metrics that may not decide, and why; None:
    asks the calibrations of the home.
    """
    ordered = sorted(parts, key=lambda part: part.number)
    whole = _tallies(run, rule.metric, ordered)
    names = sorted(
        {name for arms in whole.values() for tally in arms.values() for name in tally.values}
        | set(MEASURED)
    )
    pairs = _pairs(run, whole, names, cases)
    # else it was settled with the last part
    cut = len(whole) < len(cases.cases) or any(part.stopped for part in parts)
    looks = [count for count in accumulate(part.cases for part in ordered) if count <= len(whole)]
    return Evidence(
        rule=rule,
        baseline=run.baseline,
        arms=tuple(arm.name for arm in run.arms),
        pairs=pairs,
        untrusted=dict(untrusted_metrics(run) if untrusted is None else untrusted),
        looks=tuple(looks) if rule.stop_early else (),
        total=len(cases.cases),
        stopped=stopped if cut else "",
        metrics={
            name: _metric(name, run.scorers, pairs)
            for name in dict.fromkeys([*names, rule.metric, *rule.not_worse])
        },
    )


Tallies = dict[str, dict[str, CaseTally]]
"""By case and arm."""


def _tallies(run: EvaluationRun, deciding: str, parts: Sequence[RunPart]) -> Tallies:
    """Of the cases of which every arm was asked every repeat."""
    tallies: Tallies = {}
    for part in parts:
        for result in read_results(part.file):
            if result.case_id not in tallies:
                tallies[result.case_id] = {arm.name: CaseTally() for arm in run.arms}
            tallies[result.case_id][result.arm].add(result, deciding)
    return {
        case: arms
        for case, arms in tallies.items()
        if all(tally.attempted == run.repeats for tally in arms.values())
    }


def _pairs(run: EvaluationRun, tallies: Tallies, names: Sequence[str], cases: CaseSet) -> Pairs:
    known, hashes = {case.id: case for case in cases.cases}, cases.hashes()
    by_arm = {arm.name: [arms[arm.name] for arms in tallies.values()] for arm in run.arms}
    return Pairs(
        cases=list(tallies),
        sha256=[hashes[case] for case in tallies],
        # by a name that tells nothing: groups are often uris of documents, which may have to be
        # erased one day
        groups=[
            None if (group := known[case].group) is None else sha256(group)[:12] for case in tallies
        ],
        tags=[list(known[case].tags) for case in tallies],
        values={arm: _values(column, names) for arm, column in by_arm.items()},
        errors={arm: [tally.errors for tally in column] for arm, column in by_arm.items()},
        judge_failures={arm: _failures(column) for arm, column in by_arm.items()},
        calls={arm: _calls(column) for arm, column in by_arm.items()},
    )


def _values(tallies: Sequence[CaseTally], names: Sequence[str]) -> dict[str, list[float | None]]:
    """By metric, a mean over repeats per case; a metric without any value for this arm is left
    out.
    """
    columns = {
        name: [
            sum(values) / len(values) if (values := tally.values.get(name)) else None
            for tally in tallies
        ]
        for name in names
    }
    return {
        name: column
        for name, column in columns.items()
        if any(value is not None for value in column)
    }


def _failures(tallies: Sequence[CaseTally]) -> dict[str, list[int]]:
    names = sorted({name for one in tallies for name, count in one.broken.items() if count})
    return {name: [one.broken.get(name, 0) for one in tallies] for name in names}


def _calls(tallies: Sequence[CaseTally]) -> Calls:
    return Calls(
        latency_ms=[one.latencies for one in tallies],
        scored=[one.scored for one in tallies],
        tokens=[one.tokens for one in tallies],
        cost_usd=[one.cost for one in tallies],
        cached=[one.cached for one in tallies],
        # on average; 0 where the time of a repeat is not known
        asked_at=[
            sum(tally.times) / len(tally.times) if tally.times and all(tally.times) else 0.0
            for tally in tallies
        ],
    )


def _metric(name: str, scorers: Sequence[Spec], pairs: Pairs) -> Metric:
    """What is known of a metric: from its scorer (a part `judge.tone` is of the scorer `judge`),
    and from its values.
    """
    owners = [
        spec
        for spec in scorers
        if name == metric_of(spec) or name.startswith(f"{metric_of(spec)}.")
    ]
    if not owners:
        return MEASURED.get(name) or Metric(bounded=_within(name, pairs))
    owner = max(owners, key=lambda spec: len(metric_of(spec)))
    kind = find("scorers", owner.name)
    if owner.name in MEASURED and owner.name not in external("scorers"):
        return MEASURED[owner.name]
    assert issubclass(kind, Scorer)
    own = kind.range_known and (
        owner.name not in external("scorers") or issubclass(kind, PairJudge)
    )  # of others' scorers the range is not known
    return Metric(
        higher_is_better=kind.higher_is_better,
        bounded=own and _within(name, pairs),
        pairwise=issubclass(kind, PairJudge) and name == metric_of(owner),
    )


def _within(name: str, pairs: Pairs) -> bool:
    return all(
        0 <= value <= 1
        for values in pairs.values.values()
        for value in values.get(name, ())
        if value is not None
    )

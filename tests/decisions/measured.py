"""Evaluations without models: the numbers that arms would have got, as evidence, and as the parts
that a run leaves.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.decision import Decision, seal
from llmops.tasks.decisions.evidence import Calls, Evidence, Metric, Pairs
from llmops.tasks.decisions.record import make_record, save
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.cases import CaseSet, hash_of
from llmops.tasks.evaluation.results import Result, RunPart, write_results
from llmops.tasks.evaluation.run import Arm, EvaluationRun
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.scorers import Case, Passage, Score
from llmops.tasks.prompts import MessageTemplate as Turn
from llmops.tasks.prompts import Prompt, Resolved
from llmops.tasks.schemas import sha256

NOW = 1.7e9
Column = Sequence[float | None]
Record = dict[str, Any]
KINDS = {
    "latency": Metric(higher_is_better=False, relative=True, timed=True, unit="ms"),
    "cost": Metric(higher_is_better=False, relative=True, unit="USD"),
    "preference": Metric(pairwise=True, bounded=True),
}
SCORERS = (Spec(name="token_f1"), Spec(name="latency"), Spec(name="cost"))


def calls(errors: Sequence[int], asked: Sequence[float]) -> Calls:
    """What the calls of an arm cost, case by case."""
    count = len(errors)
    return Calls(
        latency_ms=[[] if errors[case] else [100.0 + case] for case in range(count)],
        tokens=[10] * count,
        scored=[1 - errors[case] for case in range(count)],
        cost_usd=[0.001] * count,
        cached=[0] * count,
        asked_at=list(asked),
    )


def evidence(
    arms: Mapping[str, Mapping[str, Any]],
    rule: Mapping[str, Any] | Rule,
    *,
    groups: Sequence[str | None] | None = None,
    tags: Sequence[Sequence[str]] | None = None,
    errors: Mapping[str, Sequence[int]] | None = None,
    failures: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
    asked: Mapping[str, Sequence[float]] | None = None,
    **more: Any,
) -> Evidence:
    """`arms`: by arm and metric a value per case; the first arm is the baseline. `asked`: when, by
    arm; all at once where not given.
    """
    count = max(len(column) for values in arms.values() for column in values.values())
    wrong = {arm: list((errors or {}).get(arm, [0] * count)) for arm in arms}
    pairs = Pairs(
        cases=[f"c{number}" for number in range(count)],
        sha256=["0" * 16] * count,
        groups=list(groups or [None] * count),
        tags=[list(one) for one in tags] if tags else [[] for _ in range(count)],
        values={
            arm: {
                metric: [None if value is None else float(value) for value in column]
                for metric, column in values.items()
            }
            for arm, values in arms.items()
        },
        errors=wrong,
        judge_failures={
            arm: {name: list(one) for name, one in found.items()}
            for arm, found in (failures or {}).items()
        },
        calls={arm: calls(wrong[arm], (asked or {}).get(arm, [NOW] * count)) for arm in arms},
    )
    names = dict.fromkeys(metric for values in arms.values() for metric in values)
    return Evidence(
        rule=rule if isinstance(rule, Rule) else Rule(**rule),
        baseline=next(iter(arms)),
        arms=tuple(arms),
        pairs=pairs,
        metrics={name: KINDS.get(name, Metric(bounded=True)) for name in names},
        **more,
    )


def noisy(count: int, mean: float, spread: float = 0.15, seed: int = 0) -> list[float]:
    """Values in [0, 1] around a mean."""
    return [
        float(value)
        for value in np.clip(np.random.default_rng(seed).normal(mean, spread, count), 0, 1)
    ]


def plus(values: Sequence[float], gain: float, spread: float = 0.1, seed: int = 1) -> list[float]:
    """The same cases, better by about `gain`."""
    return [
        float(value)
        for value in np.clip(
            np.array(values) + np.random.default_rng(seed).normal(gain, spread, len(values)), 0, 1
        )
    ]


def case_set(count: int, groups: int = 0) -> CaseSet:
    cases = tuple(
        Case(
            id=f"c{number}",
            inputs={"question": f"What is {number}?"},
            expected={"answer": f"It is {number}."},
            group=f"g{number % groups}" if groups else None,
            tags=("even",) if number % 2 == 0 else ("odd", "all"),
        )
        for number in range(count)
    )
    return CaseSet(cases=cases, sha256=sha256("\n".join(map(hash_of, cases))))


def evaluation_run(
    home: Path, arms: Sequence[str] = ("baseline", "candidate"), **more: Any
) -> EvaluationRun:
    made = tuple(
        Arm(
            name=name,
            llm=Spec(name="openai", options={"model": "m", "api_key": "${KEY}"}),
            price=(1.0, 2.0),
            prompt=Resolved(
                uri=f"prompts/{name}.yaml",
                prompt=Prompt(
                    name="help", messages=(Turn(role="user", content=f"{name}: {{{{question}}}}"),)
                ),
            ),
        )
        for name in arms
    )
    return EvaluationRun(
        **{
            "home": home,
            "name": "helpdesk",
            "id": "helpdesk-1",
            "folder": home / "run",
            "baseline": arms[0],
            "arms": made,
            "scorers": SCORERS,
            **more,
        }
    )


def parts_of(
    run: EvaluationRun,
    cases: CaseSet,
    scores: Mapping[str, Sequence[float | None]],
    size: int = 50,
    **more: Any,
) -> list[RunPart]:
    """The parts that a run would leave, a file each. `scores`: token_f1 by arm and case; None: the
    call failed.
    """
    made = []
    for number, start in enumerate(range(0, len(cases.cases), size), 1):
        chosen = cases.cases[start : start + size]
        rows = [
            result(case, arm.name, scores[arm.name][start + place], repeat, **more)
            for place, case in enumerate(chosen)
            for arm in run.arms
            for repeat in range(run.repeats)
        ]
        path = run.folder / f"scored-{number:04}.parquet"
        write_results(path, rows)
        spent = Spent(calls=2 * (start + len(chosen)), tokens=20, cost_usd=0.5)
        made.append(RunPart(number=number, file=path, cases=len(chosen), spent=spent))
    return made


def result(case: Case, arm: str, value: float | None, repeat: int = 0, **more: Any) -> Result:
    if value is None:
        return Result(
            case_id=case.id,
            arm=arm,
            repeat=repeat,
            status="errored",
            error="429: too many requests",
        )
    number = int(case.id[1:])
    return Result(
        **{
            "case_id": case.id,
            "arm": arm,
            "repeat": repeat,
            "answer": f"{arm} says it is {number}.",
            "latency_ms": 100.0 + number % 7,
            "asked_at": NOW + number,
            "tokens_in": 20,
            "tokens_out": 5,
            "cost_usd": 0.0001,
            "passages": (Passage(text="It is so.", uri="a.md", title="A"),),
            "scores": {
                "token_f1": Score(value=value, reason="words in common", parts={"precision": value})
            },
            **more,
        }
    )


def settings(rule: Rule, **more: Any) -> dict[str, Any]:
    """What a flow hands to `make_record` beside the parts."""
    plain: dict[str, Any] = {
        "flow": "evaluate",
        "name": "helpdesk",
        "decide": rule.model_dump(mode="json"),
        **more,
    }
    return {
        "config": {**plain, "folder": "."},
        "config_sha256": sha256(canonical(plain)),
        "untrusted": {},
        "promote": plain.get("promote"),
    }


def recorded(*args: Any, **more: Any) -> Record:
    """A decision as JSON has it, in the way that a file brings it."""
    found: Record = json.loads(json.dumps(make_record(*args, **more).content()))
    return found


def typed(record: Record) -> Decision:
    """The decision in a record."""
    return Decision.model_validate(record)


def saved(home: Path, record: Record) -> Record:
    return save(home, typed(record)).content()


def sealed(record: Record) -> Record:
    """A record with the hash of its content, whatever that is."""
    return {**record, "sha256": seal(record)}

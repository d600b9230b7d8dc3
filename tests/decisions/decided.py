"""A decision over three arms, as a run would make it."""

from pathlib import Path
from typing import Any

from llmops.tasks.decisions.rules import Rule
from tests.decisions.measured import (
    Record,
    case_set,
    evaluation_run,
    noisy,
    parts_of,
    plus,
    recorded,
    settings,
)

CASES = case_set(90, groups=45)
BASE = noisy(90, 0.4)
RULE = Rule(metric="token_f1", not_worse={"latency": 0.2, "cost": 0.1})
SCORES = {"baseline": BASE, "candidate": plus(BASE, 0.15), "third": plus(BASE, -0.1)}


def decided(home: Path, rule: Rule = RULE, scores: Any = None, **more: Any) -> Record:
    run = evaluation_run(home, tuple(scores or SCORES), **more)
    return recorded(run, rule, parts_of(run, CASES, scores or SCORES), CASES, **settings(rule))


__all__ = ["BASE", "CASES", "RULE", "SCORES", "Record", "decided"]

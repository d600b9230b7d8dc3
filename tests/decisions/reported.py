"""Decisions with their results, to be shown; one of them holds texts of the worst kind."""

from pathlib import Path
from typing import Any

from llmops.tasks.calls.budget import Spent
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import Result, RunPart, read_results, write_results
from llmops.tasks.plugins.scorers import Case, Passage, Score
from tests.decisions.measured import (
    case_set,
    evaluation_run,
    noisy,
    parts_of,
    plus,
    recorded,
    result,
    settings,
)

RULE = Rule(metric="token_f1", not_worse={"latency": 0.2})
HOSTILE = (
    '</textarea></script><script>alert(1)</script><img src="http://evil/x.png" '
    "onerror=alert(1)> javascript:x "
    "\u202e\x00\x1b[31m\ud800 {{7*7}} {% raw %}"
)
LOADING = (
    "script",
    "style",
    "img",
    "iframe",
    "link",
    "object",
    "a",
    "base",
    "embed",
    "video",
    "audio",
    "meta",
)
Made = tuple[dict[str, Any], list[Result], CaseSet]


def made(
    home: Path,
    count: int = 60,
    arms: tuple[str, ...] = ("baseline", "candidate"),
    hostile: bool = False,
    **more: Any,
) -> Made:
    cases, run = case_set(count), evaluation_run(home, arms)
    base = noisy(count, 0.4)
    scores: dict[str, Any] = {
        arm: plus(base, 0.15 * place, seed=place + 1) if place else base
        for place, arm in enumerate(arms)
    }
    parts = parts_of(run, cases, scores, **more)
    if hostile:
        cases, parts = _hostile(run, cases)
    record = recorded(run, RULE, parts, cases, **settings(RULE))
    return record, [one for part in parts for one in read_results(part.file)], cases


def _hostile(run: Any, cases: CaseSet) -> tuple[CaseSet, list[RunPart]]:
    bad = Case(
        id=f"c0 {HOSTILE[:60]}",
        inputs={"question": HOSTILE},
        expected={"answer": HOSTILE},
        tags=(HOSTILE,),
    )
    rows = [result(case, arm.name, 0.2) for case in cases.cases[1:] for arm in run.arms]
    said, passage = (
        HOSTILE.replace("\ud800", ""),
        Passage(text=HOSTILE.replace("\ud800", ""), title="<b>", uri="javascript:alert(1)"),
    )
    rows += [
        Result(
            case_id=bad.id,
            arm=arm.name,
            answer=said + arm.name,
            latency_ms=5,
            passages=(passage,),
            scores={
                "token_f1": Score(
                    value=float(arm.name == "candidate"), reason="<script>because</script>"
                )
            },
        )
        for arm in run.arms
    ]
    path = run.folder / "hostile.parquet"
    write_results(path, rows)
    return CaseSet(cases=(bad, *cases.cases[1:]), sha256="0" * 64), [
        RunPart(number=1, file=path, cases=len(cases.cases), spent=Spent())
    ]

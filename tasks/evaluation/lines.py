"""What the steps of an evaluation have done, each as a line of a log."""

from collections.abc import Sequence

from llmops.tasks.calls.budget import Spent
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import EvaluationRun
from llmops.tasks.knowledge.lines import count


def prepared(run: EvaluationRun, cases: CaseSet, warnings: Sequence[str]) -> str:
    repeats = f", {run.repeats} times each" if run.repeats > 1 else ""
    told = (
        f"{count(len(cases.cases), 'case')}, {count(len(run.arms), 'arm')}, "
        f"{count(len(run.scorers), 'scorer')}{repeats}"
    )
    return "; ".join([told, *warnings])


def progressed(done: int, of: int, spent: Spent) -> str:
    """What is nothing is left out."""
    remembered = f" and {spent.cached:,} remembered" if spent.cached else ""
    cost = f", ${spent.cost_usd:.4f}" if spent.cost_usd else ""
    return f"{done:,} of {count(of, 'case')}, {count(spent.calls, 'call')}{remembered}{cost}"

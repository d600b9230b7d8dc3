"""The task that decides whether a candidate may go live."""

from collections.abc import Mapping
from pathlib import Path

from prefect import task

from llmops.tasks.knowledge import measuring
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store
from llmops.tasks.retrieval.gate import GateResult, MetricRule
from llmops.tasks.retrieval.golden import read_golden


@task
def gate(
    build: Build,
    store: Spec,
    embedder: Spec,
    snapshot: str,
    golden: Path,
    rules: Mapping[str, MetricRule],
    k: int,
) -> tuple[GateResult, float | None]:
    """Measure candidate and live version on the golden set. Returns the decision and the
    candidate's weight of the vectors.
    """
    questions = read_golden(golden).questions
    candidate = measuring.candidate_searcher(
        build, store.build(Store), embedder.build(Embedder), snapshot, questions
    )
    return measuring.gate(build, candidate, questions, rules, k), candidate.weight


@task(name="check golden set")
def check_golden(found: Plan, golden: Path) -> list[str]:
    """Find questions whose documents the candidate will not have. Returns warnings."""
    return measuring.unanswerable(found, read_golden(golden).questions)

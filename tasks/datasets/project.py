"""All that is made of people's word, in one go: files and curated answers follow the ledger."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets import curate
from llmops.tasks.datasets.cases import cases_of
from llmops.tasks.datasets.curate import CuratedCounts, Curating
from llmops.tasks.datasets.evidence import SettledAnswer, gathered
from llmops.tasks.datasets.files import Kind, ProjectedFile, WrittenFile, write
from llmops.tasks.datasets.golden import golden_of
from llmops.tasks.datasets.outdated import ask_again
from llmops.tasks.datasets.rows import rows_of, votes
from llmops.tasks.datasets.settled import open_reasons, settled
from llmops.tasks.datasets.words import Trust, words
from llmops.tasks.traces.index import deleted


class ProjectSpec(BaseModel):
    """Whose word counts, and what is made of it. `name`: of the flow, which curates; paths: None
    for what is not wanted. `outdated`: corrections whose support has left the documents are put to
    `reviewers` people again.
    """

    model_config = ConfigDict(frozen=True)
    app: str
    name: str
    queue: str
    trust: Trust
    golden: Path | None = None
    cases: Path | None = None
    rows: Path | None = None
    curated: bool = True
    outdated: bool = True
    reviewers: int = 1


class Projected(BaseModel):
    """`settled`: answers by the verdict on them; `by`: and by what settled it; `open`: those that
    are not settled, by why; `without_passages`: answers that are cases and no golden questions,
    since it is not known where they stand; `lost`: settled, but their traces are nowhere;
    `outdated`: corrections that were put to people again in this run.
    """

    model_config = ConfigDict(frozen=True)
    settled: dict[str, int] = Field(default_factory=dict)
    by: dict[str, int] = Field(default_factory=dict)
    open: dict[str, int] = Field(default_factory=dict)
    corrections: int = 0
    without_passages: int = 0
    lost: int = 0
    outdated: int = 0
    files: tuple[WrittenFile, ...] = ()
    curated: CuratedCounts | None = None


def project(home: Path, spec: ProjectSpec) -> Projected:
    """Bring files and curated answers to what people's word comes to now. Raises Unavailable where
    MLflow or a file cannot be reached: nothing is written then that is not whole.

    What is deleted while it runs is taken out again before it ends: a deletion marks first and
    looks at the files then.
    """
    outdated = _put_again(home, spec) if spec.outdated else 0
    while True:
        projected, used = _projected(home, spec)
        if not deleted(home, used):
            return projected.model_copy(update={"outdated": outdated})


def _put_again(home: Path, spec: ProjectSpec) -> int:
    """Corrections that may be wrong by now are open again before anything is made of them."""
    said = words(home, spec.app, spec.queue, spec.trust)
    done = settled(said.feedback, said.reviews)
    corrected = {trace_id: each for trace_id, each in done.items() if each.correction}
    evidence, _ = gathered(home, corrected)
    return len(ask_again(home, spec.app, spec.queue, spec.reviewers, evidence))


def _projected(home: Path, spec: ProjectSpec) -> tuple[Projected, set[str]]:
    """What was written, and of which traces."""
    said = words(home, spec.app, spec.queue, spec.trust)
    done = settled(said.feedback, said.reviews)
    evidence, lost = gathered(home, done)
    questions, without = golden_of(evidence)
    voted = votes(home, spec.app) if spec.rows else []
    rows: list[tuple[Kind, Path | None, Sequence[BaseModel]]] = [
        ("golden", spec.golden, questions),
        ("cases", spec.cases, cases_of(evidence)),
        ("rows", spec.rows, [*rows_of(evidence), *voted]),
    ]
    files = tuple(
        write(home, ProjectedFile(path=path, kind=kind, app=spec.app, queue=spec.queue), made)
        for kind, path, made in rows
        if path is not None
    )
    verdicts, bys = [each.verdict for each in done.values()], [each.by for each in done.values()]
    projected = Projected(
        settled={each: verdicts.count(each) for each in sorted(set(verdicts))},
        by={each: bys.count(each) for each in sorted(set(bys))},
        open=open_reasons(said.feedback, said.reviews, done),
        corrections=sum(bool(each.correction) for each in done.values()),
        without_passages=without,
        lost=lost,
        files=files,
        curated=_curated(home, spec, evidence) if spec.curated else None,
    )
    return projected, {*done, *(str(each.lineage["trace_id"]) for each in voted)}


def _curated(home: Path, spec: ProjectSpec, evidence: Sequence[SettledAnswer]) -> CuratedCounts:
    new, skipped = curate.wanted(evidence)
    counts = curate.follow(home, Curating(spec.app, spec.name), new)
    return counts.model_copy(update={"skipped": skipped})

"""Measuring versions: alone for `kb measure`, and a candidate against the live one for the gate."""

from collections.abc import Sequence
from pathlib import Path

from llmops.tasks.calls.costs import Payer
from llmops.tasks.errors import Blocked
from llmops.tasks.knowledge.build import Build
from llmops.tasks.knowledge.handle import Version
from llmops.tasks.knowledge.left_behind import left_behind
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.rankings import ranked
from llmops.tasks.knowledge.reading import collection_of, searcher
from llmops.tasks.knowledge.reranked import RerankedSearch
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.retrieval.gate import GateResult, GateSpec, decide
from llmops.tasks.retrieval.golden import GoldenSet, Question, read_golden
from llmops.tasks.retrieval.hybrid import Mode, Searcher
from llmops.tasks.retrieval.judging import judged
from llmops.tasks.retrieval.measure import Measurement, Rank, Ranking, measure
from llmops.tasks.retrieval.weight import fit_weight
from llmops.tasks.schemas import paths_of

MODES: tuple[Mode, ...] = ("hybrid",)


def measure_version(
    home: Path,
    version: Version,
    questions: Sequence[Question],
    k: int,
    modes: Sequence[str],
    rerank: Sequence[Spec] = (),
) -> Measurement:
    """A published version on a golden set, as its readers search it, and each mode again with each
    of the rerankers, as `hybrid + overlap`.
    """
    searches = searcher(home, version)
    ranks: dict[str, tuple[Rank, str]] = {mode: (searches.documents_many, mode) for mode in modes}
    for spec in rerank:
        reranker, payer = spec.build(Reranker), Payer("measure", version.kb)
        ordered = RerankedSearch(home, version.kb, searches, reranker, payer).documents_many
        ranks |= {reranked_mode(mode, spec): (ordered, mode) for mode in modes}

    def rank(asked: Sequence[str], depth: int, name: str) -> Sequence[Ranking]:
        way, mode = ranks[name]
        return way(asked, depth, mode)

    return measure(questions, rank, k, [*ranks])


def reranked_mode(mode: str, spec: Spec) -> str:
    """What a search mode is called whose best passages are reranked."""
    return f"{mode} + {spec.id}"


def unanswerable(build: Build, plan: Plan) -> list[str]:
    """One warning for all questions of the gate that name a document which the candidate will not
    have.

    Raises Blocked when that is so for every question: such a gate would measure nothing.
    """
    questions = _asked(build)[1].questions
    known, renamed = set(plan.uris), set(plan.renamed.values())
    lost = {
        item.uri: question.id
        for question in questions
        for item in question.relevant
        if item.uri not in known
    }
    if not lost:
        return []
    uri, asked = next(iter(lost.items()))
    example = f"{uri!r} (question {asked!r}{', renamed in this build' if uri in renamed else ''})"
    if not any(item.uri in known for question in questions for item in question.relevant):
        raise Blocked(
            f"no question of the golden set names a document of this knowledge base: it "
            f"has no {example}",
            hint=f"uris are as the sources give them, such as "
            f"{', '.join(plan.uris[:3]) or '(none)'}; correct the golden set",
        )
    return [
        f"the golden set names {len(lost)} {'document' if len(lost) == 1 else 'documents'} that "
        f"this build does not have, such as {example}"
    ]


def gate(build: Build, snapshot: str) -> tuple[GateResult, float | None]:
    """Candidate and live version on the same questions, as they are served. Returns the decision
    and the candidate's weight of the vectors, fitted on the golden set where that has enough to
    say; where a trained ranking is live, the candidate keeps it.
    """
    spec, golden = _asked(build)
    questions = golden.questions
    embedder = build.specs.embedder()
    store = build.specs.open_store()
    reader = store.open(build.collection, embedder.dimension, build.home).at(snapshot)
    fitted = fit_weight(judged(Searcher(reader=reader, embedder=embedder), questions))
    weight = None if fitted is None else fitted.weight
    live = build.handle.live()
    plain = Searcher(reader=reader, embedder=embedder, weight=weight)
    candidate = ranked(build.handle, live.ranking if live else None, plain)
    before = measure_version(build.home, live, questions, spec.k, MODES) if live else None
    after = measure(questions, candidate.documents_many, spec.k, MODES)
    gone: tuple[str, ...] = ()
    if live and before:
        served = collection_of(build.home, live).at(live.snapshot or "")
        gone = left_behind(questions, before, after, served, reader)
    if gone and len(gone) < len(questions):
        after, before = after.without(gone), before.without(gone) if before else None
    result = decide(after, before, spec.metrics)
    noted = {"golden_sha256": golden.sha256, "left_out": gone or None}
    return result.model_copy(update=noted), weight


def gate_of_live(build: Build) -> GateResult | None:
    """What the gate says of the live version itself, where nothing changes and this gate, its
    golden set or its rules, is not the one that let that version in. None where it is.
    """
    spec, golden = _asked(build)
    live = build.handle.live()
    if live is None or _let_in(live, spec, golden):
        return None
    found = measure_version(build.home, live, golden.questions, spec.k, MODES)
    result = decide(found, found, spec.metrics)
    reason = f"version {live.version}, which is live: {result.reason}"
    if result.opens:
        values = (f"{name} is {each.live:.3f}" for name, each in result.metrics.items())
        reason = f"version {live.version}, which is live, was measured: {', '.join(values)}"
    return result.model_copy(update={"golden_sha256": golden.sha256, "reason": reason})


def _let_in(live: Version, spec: GateSpec, golden: GoldenSet) -> bool:
    """Whether a version went live by this very gate."""
    asked = live.config.get("gate") or {}
    rules = {name: rule.model_dump(exclude_none=True) for name, rule in spec.metrics.items()}
    return (asked.get("k"), asked.get("metrics"), (live.gate or {}).get("golden_sha256")) == (
        *(spec.k, rules),
        golden.sha256,
    )


def _asked(build: Build) -> tuple[GateSpec, GoldenSet]:
    spec = build.specs.gate
    if spec is None:
        raise ValueError(f"the config of {build.kb!r} has no gate")
    return spec, read_golden(*paths_of(build.specs.folder, spec.golden))

"""A ranking is trained, and live only where it gains on documents that it was not trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from llmops.tasks.errors import Blocked, Damaged, UsageError
from llmops.tasks.knowledge import rankings
from llmops.tasks.knowledge.rankings import NewRanking
from llmops.tasks.knowledge.reading import embedder_of, searcher, unranked
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.maintenance.drop import drop
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers.retrieval.adapter import from_bytes, to_bytes
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.schemas import Vectors
from llmops.tasks.traces import deletion
from llmops.tasks.traces.published import told_of_document
from llmops.tasks.traces.trained import rankings_of_deleted
from llmops.tasks.training.against import Candidate, not_worse
from llmops.tasks.training.alone import one_at_a_time
from llmops.tasks.training.crossfit import cross_fit, problem_of, served_at
from llmops.tasks.training.gate import Decided, decide, too_few
from llmops.tasks.training.ranking import planned, quiet, train_ranking
from llmops.tasks.training.run import run_training
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.training.summary import training_markdown
from tests.datasets.made import answered
from tests.workshop import Workshop

WORDS = [
    f"{a}{b}" for a in ("bar", "kel", "mun", "sol", "tiv", "wex") for b in ("dor", "pim", "ras")
]
ASKED = {word: word[::-1] + "o" for word in WORDS}
"""People ask with other words than the documents have, and always with the same other words."""
DOCUMENTS = 110


def corpus() -> tuple[dict[str, str], list[list[str]]]:
    random = np.random.default_rng(11)
    said = [
        [str(word) for word in random.choice(WORDS, 4, replace=False)] for _ in range(DOCUMENTS)
    ]
    texts = {f"d{n:03}.txt": f"{' '.join(words)} n{n}" for n, words in enumerate(said)}
    return texts, said


def golden(path: Path, answers: list[int], said: list[list[str]]) -> Path:
    rows = [
        {
            "id": f"q{n}",
            "question": " ".join(ASKED[word] for word in words),
            "relevant": [{"uri": f"d{answer:03}.txt"}],
        }
        for n, (words, answer) in enumerate(zip(said, answers, strict=True))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("shop"), Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    texts, said = corpus()
    made.build(texts)
    golden(made.folder / "right.jsonl", list(range(DOCUMENTS)), said)
    shuffled = [int(n) for n in np.random.default_rng(1).permutation(DOCUMENTS)]
    golden(made.folder / "shuffled.jsonl", shuffled, said)
    golden(made.folder / "few.jsonl", list(range(20)), said[:20])
    return made


def spec(shop: Workshop, questions: str = "right.jsonl", **options: object) -> TrainSpec:
    given = {"knowledge_base": shop.kb, "questions": questions, **options}
    return TrainSpec(name="test", trainer=Spec(name="retrieval", options=given), folder=shop.folder)


def order(shop: Workshop, mode: str = "hybrid") -> list[list[tuple[str, float]]]:
    _, said = corpus()
    found = searcher(shop.home, shop.live)
    frames = [
        found.search(" ".join(ASKED[word] for word in words), 5, mode)  # type: ignore[arg-type]
        for words in said[:10]
    ]
    return [list(zip(frame["uri"], frame["score"], strict=True)) for frame in frames]


def test_a_ranking_that_gains_is_live_and_the_way_back_is_exact(shop: Workshop) -> None:
    before, vectors = order(shop), order(shop, "vector")
    steps: list[float] = []
    outcome, content = train_ranking(
        shop.home, spec(shop), step=lambda _, numbers: steps.append(numbers["loss"])
    )
    assert outcome.status == "promoted"
    assert outcome.figures.served is not None
    assert outcome.figures.served.difference > 0.2
    assert outcome.figures.seen is None  # each question has a document of its own
    assert outcome.figures.whitening is not None
    assert (outcome.ranking, outcome.live, outcome.learnt["adapter"]) == (1, 1, True)
    assert content
    assert steps[-1] < steps[0]
    assert order(shop) != before
    assert order(shop, "vector") == vectors  # what was not gated stays
    told = training_markdown(outcome)
    assert "What it was trained on" in told
    assert "110 questions from golden sets" in told
    assert "What got worse" in told
    assert rankings.overview(shop.handle)["ranking"] == 1
    assert rankings.rollback(shop.handle) == (None, 1)
    assert order(shop) == before
    assert rankings.rollback(shop.handle, 1) == (1, None)
    assert order(shop) != before
    assert rankings.rollback(shop.handle, 0) == (None, 1)


def test_shuffled_labels_and_too_few_are_not_served(shop: Workshop) -> None:
    before = order(shop)
    outcome, _ = train_ranking(shop.home, spec(shop, "shuffled.jsonl"))
    assert outcome.status in ("rejected", "inconclusive")
    assert outcome.live is None
    few, content = train_ranking(shop.home, spec(shop, "few.jsonl", test="right.jsonl"))
    assert few.figures.test is not None
    assert (few.figures.test.difference, few.figures.test.questions) == (0, 110)
    assert few.status == "inconclusive"
    assert "20 judged questions" in few.reason
    assert content is None
    assert order(shop) == before
    with pytest.raises(UsageError, match="can never go live"):
        rankings.rollback(shop.handle, few.ranking)


def test_a_candidate_may_not_be_worse_than_what_is_live(shop: Workshop) -> None:
    first, content = train_ranking(shop.home, spec(shop))
    again, _ = train_ranking(shop.home, spec(shop))
    assert (again.status, again.previous_ranking) == ("promoted", first.ranking)
    assert again.figures.against_live is not None
    assert again.figures.against_live.difference == 0
    assert "that both have learnt from" in again.reason
    searching = unranked(shop.home, shop.live)
    problem = problem_of(searching, read_golden(shop.folder / "right.jsonl").questions)
    plain = served_at(problem.lists, searching.weight)
    better = Decided("promoted", "it gains", None, True, again.figures)

    def beside(adapter: Vectors | None) -> Decided:
        new = Candidate(plain, None, adapter)
        return not_worse(shop.handle, again.ranking or 0, problem, better, new)

    worse = beside(None)
    assert (worse.status, worse.adapts) == ("rejected", False)
    assert "worse beside the live ranking" in worse.reason
    assert worse.figures.against_worse > worse.figures.against_better
    assert content is not None
    assert beside(from_bytes(content, searching.embedder.dimension)).status == "promoted"
    note = {"learnt_from": {"documents": [uri_hash(shop.kb, "elsewhere.txt")]}}
    row = rankings.ranking_of(shop.handle, again.ranking or 0)
    new = NewRanking.model_validate({**row.model_dump(), "decision": note})
    other = rankings.keep(shop.handle, new, "promoted", content)
    candidate = Candidate(plain, None, from_bytes(content, searching.embedder.dimension))
    held = not_worse(shop.handle, other.number, problem, better, candidate)
    assert "that neither has seen" in held.reason  # where the candidate is as plain as the search
    assert held.status == "rejected"
    rankings.rollback(shop.handle, 0)


def test_two_trainings_at_once_are_refused(shop: Workshop) -> None:
    with (
        one_at_a_time(shop.home / "trainings" / f".ranking-{shop.kb}"),
        pytest.raises(Blocked, match="another run"),
    ):
        run_training(shop.home, spec(shop, "few.jsonl"))


def test_clicks_train_and_decide_nothing(shop: Workshop) -> None:
    """Wrong ones, as many as there are judged ones: the gate's figures are of judged questions, and
    the weight follows from those.
    """
    right = read_golden(shop.folder / "right.jsonl").questions
    wrong = read_golden(shop.folder / "shuffled.jsonl").questions
    weak = [each.model_copy(update={"id": f"c{each.id}"}) for each in wrong[60:]]
    searching = unranked(shop.home, shop.live)
    problem = problem_of(searching, right[:60], weak)
    assert (len(problem.questions), int(problem.decides.sum())) == (110, 60)
    trainer = spec(shop).build()
    fitted = cross_fit(problem, trainer, 5, adapts=False, tell=quiet)
    alone = cross_fit(problem_of(searching, right[:60]), trainer, 5, adapts=False, tell=quiet)
    assert fitted.weighted.weight == alone.weighted.weight
    judged = problem.deciding()
    decided = decide(judged, fitted.of(problem.decides))
    assert decided.figures.served is not None
    assert decided.figures.served.questions == 60
    assert {each.id for each in judged.questions} == {each.id for each in right[:60]}
    few = problem_of(searching, right[:20], weak)
    assert "20 judged questions" in too_few(int(few.decides.sum()), 0)


def test_what_it_learnt_from_is_named_when_that_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    texts, said = corpus()
    made.build(dict(list(texts.items())[:30]))
    trace = answered(made.home, "Which boats?")
    path = golden(made.folder / "g.jsonl", list(range(20)), said[:20])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["lineage"] = {"trace_id": trace.id, "reviewers": ["p"]}
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    outcome, _ = train_ranking(made.home, spec(made, "g.jsonl"))
    name = f"ranking {outcome.ranking} of {made.kb}"
    worst = [{"id": f"feedback-{trace.id[3:]}", "question": "Mine?"}, {"id": "q1", "question": "x"}]
    told = {"figures": {"worst": worst}}
    reply = made.home / "builds" / "lessons" / "train" / "reply.json"
    reply.parent.mkdir(parents=True)
    reply.write_text(json.dumps({"training": told}))
    new = NewRanking(
        version=1, embedder="e", dimension=1, weight=0.5, dataset_sha256="d", decision=told
    )
    second = rankings.keep(made.handle, new, "rejected", None)
    assert rankings_of_deleted(made.home) == []
    other = {"d029.txt": uri_hash(made.kb, "d029.txt")}
    assert told_of_document(made.home, made.kb, other) == []
    remarks = deletion.delete_trace(made.home, trace.id).remarks
    (remark,) = [each for each in remarks if "rankings" in each]
    assert remark.endswith(name)
    assert "llmops train" in remark
    left = rankings.ranking_of(made.handle, second.number).decision
    assert [json.dumps(each).count("Mine?") for each in (left, reply.read_text())] == [0, 0]
    assert "q1" in json.dumps(left)
    (note,) = [each for each in erase(made.handle, "d003.txt")["notes"] if "rankings" in each]
    assert note.endswith(name)
    decision = json.dumps(dict(rankings.ranking_of(made.handle, outcome.ranking or 0).decision))
    assert "d003.txt" not in decision


def test_a_plan_writes_nothing(shop: Workshop) -> None:
    before = len(rankings.listed(shop.handle))
    outcome = planned(shop.home, spec(shop, test="few.jsonl"))
    assert (outcome.status, outcome.labels.judged) == ("planned", 110)
    assert outcome.labels.sources == {"golden sets": 110, "test": 20}
    assert outcome.reason == "110 of 110 judged questions would be learnt from"
    few = planned(shop.home, spec(shop, "few.jsonl"))
    assert few.status == "planned"
    assert "20 judged questions can be learnt from, and 50 are the least" in few.reason
    assert len(rankings.listed(shop.handle)) == before


def test_nothing_that_people_found_good_is_nothing_to_train_on(shop: Workshop) -> None:
    wanted = TrainSpec(
        name="test",
        trainer=Spec(name="retrieval", options={"knowledge_base": shop.kb, "feedback": "app"}),
        folder=shop.folder,
    )
    with pytest.raises(UsageError, match="nothing to train on"):
        train_ranking(shop.home, wanted)


@pytest.fixture
def kept(tmp_path: Path) -> Workshop:
    """A knowledge base of its own with a live ranking that no training has made."""
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    made.build({"a.txt": "Boats pass the lighthouse.", "b.txt": "Lamps and salt are the cargo."})
    model = embedder_of(made.live)
    new = NewRanking(
        version=1,
        embedder=model.fingerprint(),
        dimension=model.dimension,
        weight=0.8,
        dataset_sha256="0" * 64,
    )
    matrix = np.random.default_rng(1).normal(size=(384, 384)).astype(np.float32)
    number = rankings.keep(made.handle, new, "promoted", to_bytes(matrix)).number
    rankings.promote(made.handle, number)
    return made


def test_a_new_version_keeps_it_and_another_embedder_does_not(kept: Workshop) -> None:
    texts = {"a.txt": "Boats pass the lighthouse.", "c.txt": "Nobody counts the gulls."}
    assert kept.build(texts) == 2
    seen = searcher(kept.home, kept.live)
    assert (seen.weight, seen.adapter is not None) == (0.8, True)
    assert rankings.unfit(kept.handle) == []
    kept.embedder = Spec(name="costly", options={"bill": str(kept.bill)})
    assert kept.build(texts) == 3
    seen = searcher(kept.home, kept.live)
    assert (seen.weight, seen.adapter) == (None, None)
    assert "is not applied" in rankings.unfit(kept.handle)[0]
    [listed] = rankings.overview(kept.handle)["rankings"]
    assert listed["live"]
    assert not listed["applies"]
    assert "another embedder" in listed["note"]
    rankings.rollback(kept.handle, 0)
    with pytest.raises(UsageError, match="trained for another embedder"):
        rankings.promote(kept.handle, 1)


def test_a_damaged_file_is_told_and_never_searched_with(kept: Workshop) -> None:
    path = rankings.ranking_of(kept.handle, 1).model or ""
    file = kept.home / "lake" / path
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(Damaged, match="not what was written"):
        searcher(kept.home, kept.live)
    file.unlink()
    with pytest.raises(Damaged, match="is gone"):
        searcher(kept.home, kept.live)
    assert rankings.rollback(kept.handle) == (None, 1)
    assert searcher(kept.home, kept.live).adapter is None


def test_there_is_no_way_back_from_nothing(kept: Workshop) -> None:
    rankings.rollback(kept.handle)
    with pytest.raises(UsageError, match="nothing to go back from"):
        rankings.rollback(kept.handle)
    with pytest.raises(UsageError, match="has no ranking 9"):
        rankings.rollback(kept.handle, 9)


def test_a_drop_takes_it_along(kept: Workshop) -> None:
    with kept.handle.hold() as lease:
        drop(kept.handle, lease)
    assert not list((kept.home / "lake").rglob("*.safetensors"))
    assert rankings.listed(kept.handle) == []

"""Traces of evaluations in a real MLflow store: what a reviewer sees there, that nothing of
production's takes them for its own, and that what is erased or deleted leaves them.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmops.tasks.decisions.decision import Decision
from llmops.tasks.decisions.record import make_record, save
from llmops.tasks.decisions.rules import Rule
from llmops.tasks.decisions.traced import drawn, trace
from llmops.tasks.decisions.tracking import track
from llmops.tasks.errors import UsageError
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.results import Result, RunPart, read_results, write_results
from llmops.tasks.evaluation.run import EvaluationRun, Retrieval
from llmops.tasks.knowledge.suppressed import suppress
from llmops.tasks.ledger import open_ledger
from llmops.tasks.maintenance.erase_said import forget_in_mlflow
from llmops.tasks.maintenance.redaction import Redactor, redact_files
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.schemas import Lineage
from llmops.tasks.traces.deletion import delete_traces
from llmops.tasks.traces.index import enter, known_apps, row
from llmops.tasks.traces.reading import rated
from llmops.tasks.traces.trace import Trace
from llmops.tasks.tracking import prepare, tracking_uri
from llmops.tasks.tracking.store import opened
from llmops.tasks.tracking.stored import purge_runs, stored_runs
from llmops.tasks.tracking.traces import trace_store
from tests.decisions.measured import case_set, evaluation_run, noisy, parts_of, plus, settings
from tests.maintenance.haystack import SECRET, SENTENCE, URI, places

if TYPE_CHECKING:
    from mlflow.entities import Trace as MlflowTrace

COUNT = 6
KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ"
PRODUCTION = f"tr-{'ab' * 16}"
RULE = Rule(metric="token_f1")
Prepared = tuple[EvaluationRun, Decision, list[RunPart], CaseSet]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    prepare(tmp_path)
    return tmp_path


def quoting(result: Result) -> Result:
    """Case c1 was shown a secret document and quotes it; case c2 lets a key out."""
    if result.case_id == "c1":
        passages = (Passage(text=SECRET, uri=URI), Passage(text="A boat.", uri="d1.txt"))
        return result.model_copy(update={"answer": f"It says: {SENTENCE}", "passages": passages})
    if result.case_id == "c2":
        return result.model_copy(update={"answer": f"the key is {KEY}"})
    return result


def evaluated(home: Path, uri: str | None = None) -> Prepared:
    """An evaluation whose case c3 was made of a trace of production, recorded in MLflow."""
    made = case_set(COUNT)
    born = {"c3": Lineage(trace_id=PRODUCTION)}
    cases = [case.model_copy(update={"lineage": born.get(case.id)}) for case in made.cases]
    case_rows = made.model_copy(update={"cases": tuple(cases)})
    base = Retrieval(knowledge_base="shop", version=1, k=2, mode="hybrid")
    run = evaluation_run(home)
    run = run.model_copy(
        update={"arms": tuple(arm.model_copy(update={"retrieve": base}) for arm in run.arms)}
    )
    scores = {"baseline": noisy(COUNT, 0.5), "candidate": plus(noisy(COUNT, 0.5), 0.2)}
    parts = parts_of(run, case_rows, scores, size=4)
    for part in parts:
        write_results(part.file, [quoting(each) for each in list(read_results(part.file))])
    record = make_record(run, RULE, parts, case_rows, **settings(RULE))
    record = track(home, record, parts, case_rows, uri)
    save(home, record)
    return run, record, parts, case_rows


def written(home: Path, most: int = 100) -> Prepared:
    prepared = evaluated(home)
    run, record, parts, cases = prepared
    trace(home, record, run, parts, cases, most)
    return prepared


def shown(home: Path, record: Decision) -> "dict[tuple[str, str], MlflowTrace]":
    """The traces in the evaluation's experiment by case and arm."""
    with opened(home, tracking_uri(home)) as client:
        place = client.get_run(record.mlflow_run_id or "").info.experiment_id
        traces = client.search_traces(locations=[place], max_results=500)
    tags = {each.info.trace_id: each.info.tags for each in traces}
    return {
        (tags[each.info.trace_id]["llmops.case"], tags[each.info.trace_id]["llmops.arm"]): each
        for each in traces
    }


def records(home: Path, record: Decision) -> list[dict[str, Any]]:
    with opened(home, tracking_uri(home)) as client:
        place = client.get_run(record.mlflow_run_id or "").info.experiment_id
        (dataset,) = client.search_datasets([place])
        rows, _ = client._tracking_client.store._load_dataset_records(dataset.dataset_id)
        return [row.to_dict() for row in rows]


@pytest.mark.slow
def test_a_trace_says_what_an_arm_made_of_a_case(home: Path) -> None:
    _, record, _, cases = written(home)
    seen = shown(home, record)
    assert set(seen) == {(c.id, arm) for c in cases.cases for arm in ("baseline", "candidate")}
    one = seen["c1", "candidate"]
    root, passages, asked = one.data.spans
    assert root.inputs == {"question": "What is 1?"}
    assert SENTENCE in root.outputs
    assert [each["metadata"]["doc_uri"] for each in passages.outputs] == [URI, "d1.txt"]
    assert (passages.span_type, asked.span_type) == ("RETRIEVER", "CHAT_MODEL")
    said = {each.name: each for each in one.info.assessments}
    kept = record.pairs.values["candidate"]["token_f1"][record.pairs.cases.index("c1")]
    assert said["token_f1"].feedback is not None
    assert said["token_f1"].feedback.value == pytest.approx(kept)
    assert said["answer"].expectation is not None
    assert said["answer"].expectation.value == "It is 1."
    with opened(home, tracking_uri(home)) as client:
        arm = client.get_run(one.info.trace_metadata["mlflow.sourceRun"])
    assert arm.data.tags["arm"] == "candidate"
    assert {row["tags"]["llmops.case"] for row in records(home, record)} == {
        case.id for case in cases.cases
    }


@pytest.mark.slow
def test_traces_are_written_whole_with_their_tokens_and_cost(home: Path) -> None:
    """None is changed by itself afterwards; one statement marks all of them."""
    from sqlalchemy import Engine, event

    run, record, parts, cases = evaluated(home)
    changes: list[str] = []

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE trace_info"):
            changes.append(statement)

    event.listen(Engine, "before_cursor_execute", executed)
    try:
        trace(home, record, run, parts, cases, 100)
    finally:
        event.remove(Engine, "before_cursor_execute", executed)
    one = shown(home, record)["c1", "candidate"]
    root, _, asked = one.data.spans
    cost = json.loads(one.info.trace_metadata["mlflow.trace.cost"])
    assert len(changes) <= 1
    assert one.info.token_usage == asked.get_attribute("mlflow.chat.tokenUsage")
    assert cost == asked.get_attribute("mlflow.llm.cost")
    assert one.info.tags["mlflow.traceName"] == root.name
    assert not [name for name in root.attributes if name.startswith("mlflow.traceTag.")]


@pytest.mark.slow
def test_written_again_nothing_is_there_twice_and_no_secret_at_all(home: Path) -> None:
    run, record, parts, cases = written(home)
    before = shown(home, record)
    trace(home, record, run, parts, cases, 100)
    after = shown(home, record)
    assert {key: len(each.info.assessments) for key, each in after.items()} == {
        key: len(each.info.assessments) for key, each in before.items()
    }
    assert "[secret]" in str(after["c2", "baseline"].data.spans[0].outputs)
    assert [each for each in places(home / "mlflow", KEY) if "mlflow.db" in each] == []


@pytest.mark.slow
def test_nobody_takes_them_for_traces_of_an_application(home: Path) -> None:
    _, record, _, _ = written(home)
    mine = shown(home, record)["c1", "baseline"].info.trace_id
    assert (known_apps(home), row(home, mine)) == ([], None)
    with pytest.raises(UsageError, match="no trace that is known"):
        rated(home, mine)
    with trace_store(home) as store:
        assert store.read([mine]) == {}
        assert store.holding("Quixotic") == []


@pytest.mark.slow
def test_a_document_that_is_erased_leaves_them(home: Path) -> None:
    written(home)
    assert any("mlflow.db" in place for place in places(home, "zeppelin of Quixotic"))
    redact_files(home, Redactor([SECRET], URI), ("mlflow",))
    assert places(home / "mlflow", "zeppelin of Quixotic") == []
    assert places(home / "mlflow", URI) == []


@pytest.mark.slow
def test_a_document_that_is_erased_leaves_those_in_a_store_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other = tmp_path / "home", tmp_path / "elsewhere"
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", f"sqlite:///{other / 'mlflow.db'}")
    other.mkdir()
    _, record, _, _ = written(home)
    with opened(home, tracking_uri(home)) as client:  # somebody tidied up in the interface
        client.delete_experiment(client.get_run(record.mlflow_run_id or "").info.experiment_id)
    count, unreached, told = forget_in_mlflow(home, Redactor([SECRET], URI).quoted_in)
    assert (count, unreached) == (2, [])
    assert "results" in told[0]
    assert {case for case, _ in shown(home, record)} == {"c0", "c2", "c3", "c4", "c5"}
    assert [each for each in places(other, "zeppelin of Quixotic") if "mlflow.db" in each] == []


@pytest.mark.slow
def test_a_store_that_is_not_there_leaves_the_erasure_open(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(home)
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    count, unreached, _ = forget_in_mlflow(home, Redactor([SECRET], URI).quoted_in)
    assert count == 0
    assert "does not answer" in unreached[0]


@pytest.mark.slow
def test_what_was_erased_meanwhile_is_not_written(home: Path) -> None:
    run, record, parts, cases = evaluated(home)
    with open_ledger(home).write() as connection:
        suppress(connection, "shop", {URI: {}})
    count = trace(home, record, run, parts, cases, 100)
    assert count.traces == 2 * (COUNT - 1)
    assert "c1" not in {case for case, _ in shown(home, record)}


@pytest.mark.slow
def test_a_deleted_trace_of_production_takes_what_was_made_of_it(home: Path) -> None:
    enter(home, [Trace(id=PRODUCTION, app="help", began_ns=1, ended_ns=2)])
    run, record, parts, cases = written(home)
    assert ("c3", "baseline") in shown(home, record)
    assert delete_traces(home, [PRODUCTION]).ok
    assert "c3" not in {case for case, _ in shown(home, record)}
    assert "c3" not in {row["tags"]["llmops.case"] for row in records(home, record)}
    trace(home, record, run, parts, cases, 100)
    assert "c3" not in {case for case, _ in shown(home, record)}


def test_of_many_cases_some_are_drawn_whatever_their_order() -> None:
    many = case_set(50)
    turned = many.model_copy(update={"cases": many.cases[::-1]})
    assert set(drawn(many, 10)) == set(drawn(turned, 10))
    assert len(drawn(many, 10)) == 10
    assert list(drawn(many, 50)) == [case.id for case in many.cases]
    assert drawn(many, 0) == {}


@pytest.mark.slow
def test_the_traces_of_a_run_go_with_it(home: Path) -> None:
    _, record, _, _ = written(home)
    with opened(home, tracking_uri(home)) as client:
        place = client.get_run(record.mlflow_run_id or "").info.experiment_id
    runs = [each.id for each in stored_runs(home)]
    assert len(runs) == 3
    purge_runs(home, runs)
    with opened(home, tracking_uri(home)) as client:
        assert list(client.search_traces(locations=[place], max_results=500)) == []

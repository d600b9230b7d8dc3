"""The mapping of a build to MLflow's names and limits, checked with MLflow's own validators."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.tracking.build import BuildRecord, note, tags
from llmops.tasks.tracking.quality import flat
from llmops.tasks.tracking.records import charted, key, metrics, parameters, table
from llmops.tasks.tracking.store import described


def build(**outcome: Any) -> BuildRecord:
    return BuildRecord(
        knowledge_base="handbook", outcome=outcome, config={}, config_sha256="0" * 64
    )


def test_metric_names_stay_readable() -> None:
    assert [key(name) for name in ("recall@5", "gate/mrr@10/live", "a:b", "../etc", "//", "")] == [
        "recall_at_5",
        "gate/mrr_at_10/live",
        "a_b",
        "etc",
        "_",
        "_",
    ]


@settings(deadline=None)  # the first call imports MLflow
@given(st.text(max_size=400))
def test_mlflow_takes_every_key(name: str) -> None:
    from mlflow.utils import validation

    assert validation.validate_param_and_metric_name(key(name))  # type: ignore[no-untyped-call]
    assert not validation.path_not_unique(key(name))  # type: ignore[no-untyped-call]
    assert 0 < len(key(name)) <= validation.MAX_ENTITY_KEY_LENGTH


def test_numbers_of_the_outcome_become_metrics_and_intervals_two_of_them() -> None:
    gate = {
        "verdict": "passed",
        "metrics": {"recall@5": {"candidate": 0.9, "live": None, "interval": [-0.01, 0.03]}},
    }
    outcome = {
        "version": 3,
        "candidate": 4,
        "documents": {"new": 1},
        "seconds": 2.5,
        "ok": True,
        "gate": gate,
        "odd": float("nan"),
    }
    assert metrics(outcome) == {
        "documents/new": 1.0,
        "seconds": 2.5,
        "gate/recall_at_5/candidate": 0.9,
        "gate/recall_at_5/interval_low": -0.01,
        "gate/recall_at_5/interval_high": 0.03,
    }


def test_charts_begin_with_the_gate_and_what_was_measured() -> None:
    measured: dict[str, dict[str, object]] = {
        "ndcg@5": {"value": 0.8, "interval": [0.7, 0.9]},
        "mrr@5": {"value": None},
    }
    outcome = {
        "documents": {"new": 1},
        "chunks": {"total": 5},
        "embeddings": {"reused": 2},
        "gate": {"metrics": {"ndcg@5": {"live": 0.75}}},
        "cost_usd": 0.5,
    }
    numbers = {**flat(measured), **charted(metrics(outcome))}
    assert numbers == {
        "quality/ndcg_at_5": 0.8,
        "quality interval/ndcg_at_5_low": 0.7,
        "quality interval/ndcg_at_5_high": 0.9,
        "size/documents_new": 1.0,
        "size/chunks_total": 5.0,
        "size/embeddings_reused": 2.0,
        "gate/ndcg_at_5/live": 0.75,
        "cost_usd": 0.5,
    }
    # MLflow's order: sections by the alphabet, names without one last
    sections = sorted({name.rpartition("/")[0] for name in numbers if "/" in name})
    assert sections == ["gate/ndcg_at_5", "quality", "quality interval", "size"]


def test_the_description_of_a_build_says_what_the_gate_found_and_how_many_documents() -> None:
    gate = {"verdict": "passed", "reason": "ndcg@5 rises by 0.1 <b>"}
    said = note(build(status="published", gate=gate, documents={"total": 1200, "new": 0}))
    assert said.split("\n\n") == [
        "**published**",
        "Gate passed: ndcg@5 rises by 0.1 &lt;b&gt;",
        "Documents: 1,200 total",
    ]


def test_an_experiment_says_what_it_holds() -> None:
    assert "knowledge base handbook" in described("handbook")["mlflow.note.content"]
    looks, traces = described("shop monitor"), described("shop traces")
    assert (looks["llmops.about"], looks["llmops.holds"]) == ("shop", "monitor")
    assert "look of the monitor" in looks["mlflow.note.content"]
    assert "asked of the application shop" in traces["mlflow.note.content"]


def test_leaves_of_the_config_become_parameters() -> None:
    sources = [{"path": "./docs", "include": ["a", "b"]}]
    assert parameters(
        {"chunk": {"name": "sentence", "size": 200}, "sources": sources, "gate": None}
    ) == {
        "chunk.name": "sentence",
        "chunk.size": "200",
        "sources.0.path": "./docs",
        "sources.0.include": '["a", "b"]',
        "gate": "null",
    }
    assert len(parameters({"prompt": "x" * 7000})["prompt"]) == 6000


@pytest.mark.parametrize(
    ("outcome", "name", "succeeded"),
    [
        ({"status": "published", "version": 3}, "handbook v3", True),
        ({"status": "unchanged", "version": 3}, "handbook v3 unchanged", True),
        ({"status": "blocked", "version": 3, "candidate": 4}, "handbook v4 blocked", False),
        ({"status": "blocked", "version": None}, "handbook blocked", False),
        ({}, "handbook failed", False),
    ],
)
def test_the_run_is_named_after_what_became_of_it(
    outcome: dict[str, Any], name: str, succeeded: bool
) -> None:
    assert (build(**outcome).name, build(**outcome).succeeded) == (name, succeeded)


def test_tags_have_no_empty_values_and_keep_the_limit() -> None:
    found = tags(build(status="blocked", reason="y" * 9000, gate=None))
    assert (found["status"], len(found["reason"])) == ("blocked", 8000)
    assert {"prefect_run_id", "version", "verdict"}.isdisjoint(found)


def test_rows_become_a_table_with_a_value_in_each_cell() -> None:
    assert table(({"id": "q1", "got": ["a"]}, {"id": "q2", "score": 0.5})) == {
        "columns": ["id", "got", "score"],
        "data": [["q1", '["a"]', None], ["q2", None, 0.5]],
    }

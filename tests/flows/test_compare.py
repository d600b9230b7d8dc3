"""`llmops kb compare`: a grid and knowledge bases by name, through the command, with MLflow behind
it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.yaml_files import write_yaml
from tests.commandline import Office, llmops

pytestmark = pytest.mark.slow


def prepared(office: Office, **changes: Any) -> Path:
    """Ten documents, a golden set, a base config and a grid over it."""
    (office.folder / "docs").mkdir(exist_ok=True)
    for number in range(10):
        words = " ".join(f"word{number}x{n}" for n in range(60))
        (office.folder / "docs" / f"d{number}.md").write_text(
            f"# Chapter {number}\n\n{words}.\n\n{words[::-1]}.\n"
        )
    lines = [
        json.dumps(
            {"id": f"q{n}", "question": f"word{n}x3 word{n}x9", "relevant": [{"uri": f"d{n}.md"}]}
        )
        for n in range(10)
    ]
    (office.folder / "golden.jsonl").write_text("\n".join(lines))
    base = {
        "flow": "index",
        "knowledge_base": "base",
        "sources": [{"name": "files", "path": "docs"}],
        "embed": "hash",
    }
    (office.folder / "base.yaml").write_text(write_yaml(base))
    grid = {
        "flow": "compare",
        "name": "tries",
        "base": "base.yaml",
        "golden": "golden.jsonl",
        "k": 3,
        "grid": {"chunk": [{"name": "sentence", "size": 60}, {"name": "fixed", "size": 30}]},
    } | changes
    (office.folder / "grid.yaml").write_text(write_yaml(grid))
    return office.folder / "grid.yaml"


def test_a_grid_is_built_measured_recorded_and_cleared_away(office: Office) -> None:
    answer = llmops("kb", "compare", prepared(office), "--json")
    assert answer.code == 0, answer.err
    found = answer.data
    assert [arm["name"] for arm in found["arms"]] == ["sentence size=60", "fixed size=30"]
    assert found["arms"][0]["metrics"]["recall@3"]["value"] == 1.0
    assert found["arms"][1]["chunks"] > found["arms"][0]["chunks"]
    assert found["arms"][1]["difference"]["recall@3"]["value"] <= 0
    assert not [
        kb
        for kb in llmops("kb", "list", "--json").data["knowledge_bases"]
        if kb["name"].startswith("tries-")
    ]
    assert found["mlflow_run_id"]
    from llmops.tasks.tracking import tracking_uri
    from llmops.tasks.tracking.store import opened

    with opened(office.home, tracking_uri(office.home)) as client:
        names = [each.name for each in client.search_experiments()]
    assert "tries comparison" in names
    assert [name for name in names if name.startswith("tries-")] == []


def test_rerankers_are_arms_of_a_grid_and_of_a_single_base(office: Office) -> None:
    grid = prepared(office, rerank=["overlap"], grid={"chunk.size": [30, 60]})
    found = llmops("kb", "compare", grid, "--json").data
    names = [arm["name"] for arm in found["arms"]]
    assert names == ["size=30", "size=30 + overlap", "size=60", "size=60 + overlap"]
    assert found["arms"][1]["changes"]["rerank"] == {"name": "overlap"}
    assert llmops("index", office.folder / "base.yaml").code == 0
    golden = office.folder / "golden.jsonl"
    rerank = "{name: overlap, candidates: 3}"
    one = llmops("kb", "compare", "base", "--golden", golden, "--rerank", rerank, "--json").data
    assert [arm["name"] for arm in one["arms"]] == ["base", "base + overlap"]
    assert "ndcg@10" in one["arms"][1]["difference"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": {"chunk": [{"name": "sentence"}]}}, "2 to 50"),
        ({"grid": {"chunk": ["sentense", "fixed"]}}, "did you mean sentence"),
        ({"grid": {"sources": [[], []]}}, "grid"),
        ({"base": "absent.yaml"}, "no such file"),
        ({"k": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_grid_is_exit_2_before_anything_runs(
    office: Office, changes: dict[str, Any], message: str
) -> None:
    answer = llmops("kb", "compare", prepared(office, **changes), "--json")
    assert answer.code == 2
    assert message in json.dumps(answer.data)


@pytest.mark.parametrize(
    "words",
    [
        ["one", "--golden", "golden.jsonl"],
        ["one", "two"],
        ["one", "one", "--golden", "golden.jsonl"],
        ["absent-a", "absent-b", "--golden", "golden.jsonl"],
    ],
)
def test_wrong_requests_are_exit_2(office: Office, words: list[str]) -> None:
    golden = prepared(office).with_name("golden.jsonl")
    words = [str(golden) if word == "golden.jsonl" else word for word in words]
    assert llmops("kb", "compare", *words).code == 2

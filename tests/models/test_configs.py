"""Trained models in configs: a run works with the versions that are live when it begins."""

import json
from pathlib import Path

import pytest

from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.index import IndexConfig
from llmops.configs.reading import read_mapping
from llmops.configs.trained import with_models
from llmops.tasks.decisions.record import make_record
from llmops.tasks.errors import ConfigError
from llmops.tasks.evaluation.prepare import begin
from llmops.tasks.models.moving import promote
from tests.models.made import DECISION, made, trained
from tests.shelf import fresh_home

PROMPT = "name: p\nmessages: [{role: user, content: '{{question}}'}]\n"
LIVE = "models:/helpdesk@live"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = fresh_home(tmp_path)
    made(home, trained(home), trained(home, model="ft:2"))
    promote(home, "helpdesk", 2, DECISION, None)
    (tmp_path / "p.yaml").write_text(PROMPT)
    case = {"id": "1", "inputs": {"question": "Where?"}, "expected": {"answer": "There."}}
    (tmp_path / "cases.jsonl").write_text(json.dumps(case))
    return home


def arm(model: str) -> dict[str, object]:
    return {"prompt": "p.yaml", "llm": {"name": "openai", "model": model}}


def test_an_evaluation_records_the_version_that_it_asked(home: Path, tmp_path: Path) -> None:
    content = {
        "name": "models",
        "folder": str(tmp_path),
        "cases": "cases.jsonl",
        "arms": {"baseline": arm("models:/helpdesk/1"), "candidate": arm(LIVE)},
        "scorers": [
            "token_f1",
            {"name": "judge", "rubric": "Right?", "llm": {"name": "openai", "model": LIVE}},
        ],
        "decide": {"metric": "token_f1"},
    }
    config = read_mapping(content, EvaluateConfig)
    assert with_models(home, config) is config  # what it records is what was written
    run, cases, _ = begin(home, config.evaluation_spec(), None)
    told = [(each.llm.options["model"], each.trained) for each in run.arms]
    assert told == [("ft:1", "models:/helpdesk/1"), ("ft:2", "models:/helpdesk/2")]
    assert run.scorers[1].options["llm"]["model"] == "ft:2"
    facts = {**config.recorded(), "promote": None, "warnings": [], "stopped": None}
    decision = make_record(run, config.decide, [], cases, **facts)
    arms = decision.content()["arms"]
    assert arms["candidate"]["trained"] == "models:/helpdesk/2"


def test_an_index_run_embeds_with_the_version_that_is_live(home: Path, tmp_path: Path) -> None:
    embedder = {"name": "openai", "model": "e-1", "base_url": "http://here/v1"}
    made(home, trained(home, "words", spec=embedder, kind="embedder"))
    promote(home, "words", 1, DECISION, None)
    (tmp_path / "docs").mkdir()
    content = {
        "knowledge_base": "handbook",
        "folder": str(tmp_path),
        "sources": [{"name": "files", "path": "docs"}],
        "chunk": {"name": "sentence", "size": 100},
        "embed": {"name": "openai", "model": "models:/words@live", "dimensions": 64},
    }
    config = read_mapping(content, IndexConfig)
    followed = with_models(home, config)
    assert followed.embed.options["model"] == "e-1"
    assert followed.embed.options["base_url"] == "http://here/v1"
    assert with_models(home, followed) is followed
    small = content | {"embed": {**embedder, "model": "models:/words/1", "dimensions": 64}}
    small["embed"]["context"] = 50  # type: ignore[index]
    with pytest.raises(ConfigError, match="100 tokens are more than"):
        with_models(home, read_mapping(small, IndexConfig))

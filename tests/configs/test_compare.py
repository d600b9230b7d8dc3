"""A grid: what it varies, and every mistake of it and of its arms."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.configs import check_all, read
from llmops.configs.compare import CompareConfig, arms
from llmops.tasks.errors import ConfigError
from llmops.tasks.yaml_files import write_yaml
from tests.configs.test_read import write as write_index


def write(at: Path, /, **keys: Any) -> Path:
    write_index(at)
    question = {"id": "q", "question": "How?", "relevant": [{"uri": "a.md"}]}
    (at / "golden.jsonl").write_text(json.dumps(question))
    content = {
        "flow": "compare",
        "name": "sizes",
        "base": "kb.yaml",
        "golden": "golden.jsonl",
        "grid": {"chunk.size": [50, 100], "parse.seconds": [10, 20]},
    }
    file = at / "grid.yaml"
    file.write_text(write_yaml(content | keys))
    return file


def test_every_combination_is_an_arm_with_a_knowledge_base_of_its_own(tmp_path: Path) -> None:
    made = arms(read(write(tmp_path), CompareConfig))
    assert [arm.name for arm in made] == [
        "size=50, seconds=10",
        "size=50, seconds=20",
        "size=100, seconds=10",
        "size=100, seconds=20",
    ]
    assert len({arm.config.knowledge_base for arm in made}) == 4
    assert made[3].config.chunk.options == {"size": 100}
    assert check_all([tmp_path / "grid.yaml"]) == [str(tmp_path / "grid.yaml")]


@pytest.mark.parametrize(
    ("keys", "where", "says"),
    [
        ({"base": "gone.yaml"}, "grid.yaml: base", "no such file"),
        ({"golden": "gone.jsonl"}, "grid.yaml: golden", "no such file"),
        ({"golden": "kb.yaml"}, "kb.yaml:1", "not valid JSON"),
        ({"grid": {"chunk.size": [50]}}, "grid.yaml: grid", "has 1 combinations; allowed: 2 to 50"),
        ({"grid": {"gate": [1, 2]}}, "grid.yaml: grid", "pattern"),
        ({"grid": {"chunk.size": [50, 3]}}, "arm size=3: ", "greater than or equal to 8, got 3"),
        ({"flow": "index"}, "grid.yaml: flow", "got flow: 'index', wanted: compare"),
        ({"folder": "x"}, "grid.yaml: folder", "unknown key 'folder'"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    tmp_path: Path, keys: dict[str, Any], where: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path, **keys), CompareConfig)
    found = [str(one) for one in caught.value.found]
    assert any(where in one and says in one for one in found), found

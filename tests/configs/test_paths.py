"""Paths among the options of plugins start at the config's folder, wherever a command is run."""

from pathlib import Path
from typing import Any

import pytest

from llmops.configs import read
from llmops.configs.index import IndexConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.yaml_files import write_yaml
from tests.plugins.embedders.tiny import tiny_model


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model in it, seen from elsewhere."""
    folder = tmp_path / "project"
    tiny_model(folder / "mymodel")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def written(folder: Path, embed: dict[str, Any]) -> Path:
    source = {"name": "files", "path": "documents"}
    chunk = {"name": "sentence", "size": 8, "overlap": 0}
    content = {"flow": "index", "knowledge_base": "bells", "sources": [source], "chunk": chunk}
    (folder / "kb.yaml").write_text(write_yaml({**content, "embed": embed}))
    return folder / "kb.yaml"


@pytest.mark.parametrize("key", ["model", "path"])
def test_a_model_beside_the_config_is_found_from_anywhere(project: Path, key: str) -> None:
    config = read(written(project, {"name": "onnx", key: "mymodel"}), IndexConfig)
    assert config.embed.options == {key: str(project / "mymodel")}


def test_names_and_what_lies_in_the_current_folder_stay(project: Path) -> None:
    assert read(written(project, {"name": "onnx", "model": "minilm"}), IndexConfig).embed.options
    tiny_model(Path("here"))
    config = read(written(project, {"name": "onnx", "model": "here"}), IndexConfig)
    assert config.embed.options == {"model": "here"}


@pytest.mark.parametrize(
    ("embed", "said"),
    [
        ({"name": "onnx", "model": "nowhere"}, "there is no folder"),
        ({"name": "minilm", "weights": "nowhere"}, "nowhere holds no model.safetensors and no"),
    ],
)
def test_a_model_that_is_not_there_is_a_mistake_of_its_key(
    project: Path, embed: dict[str, Any], said: str
) -> None:
    file = written(project, embed)
    with pytest.raises(ConfigError, match=said) as caught:
        read(file, IndexConfig)
    assert [each.where for each in caught.value.found] == [f"{file}: embed"]
    assert "a relative one starts at the config's folder" in caught.value.found[0].hint

"""What is wrong with a training is told before anything runs."""

from pathlib import Path

import pytest

from llmops.configs.train import read_training
from llmops.tasks.errors import ConfigError
from llmops.tasks.yaml_files import write_yaml

GOOD = {"name": "retrieval", "knowledge_base": "kb", "questions": "golden.jsonl"}
LINE = '{"id": "q", "question": "Who?", "relevant": [{"uri": "a.md"}]}\n'


def config(folder: Path, train: object) -> Path:
    (folder / "golden.jsonl").write_text(LINE)
    (folder / "broken.jsonl").write_text("{}\n")
    path = folder / "train.yaml"
    path.write_text(write_yaml({"flow": "train", "name": "words", "train": train}))
    return path


def test_a_training_is_read_with_its_folder(tmp_path: Path) -> None:
    spec = read_training(config(tmp_path, GOOD)).train_spec()
    assert (spec.name, spec.folder, spec.trainer.name) == ("words", tmp_path, "retrieval")


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (GOOD | {"questions": "nowhere.jsonl"}, "train.questions: no such file"),
        (GOOD | {"questions": ["golden.jsonl", "broken.jsonl"]}, "broken.jsonl:1"),
        (GOOD | {"test": "nowhere.jsonl"}, "train.test: no such file"),
        (GOOD | {"name": "retreival"}, "did you mean retrieval"),
        (GOOD | {"fold": 5}, "fold"),
        ({"name": "retrieval", "knowledge_base": "kb"}, "nothing to learn from"),
        ("retrieval", "knowledge_base"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, train: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_training(config(tmp_path, train))


def test_another_flow_trains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "index.yaml"
    path.write_text("flow: index\nknowledge_base: kb\nsources: []\n")
    with pytest.raises(ConfigError, match="wanted: train"):
        read_training(path)

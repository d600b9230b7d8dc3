import json
from pathlib import Path

from llmops.deployments.plugin_package.templates.trainers import ExampleTrainer
from llmops.tasks.plugins.trainers import TrainingData, TrainingRun, silent


def test_what_it_makes_lies_in_the_folder_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"a": "Yes yes no"}\n', encoding="utf-8")
    data = TrainingData(sha256="0" * 64, files={"train": tmp_path / "train.jsonl"})
    model = ExampleTrainer(most=2).train(data, TrainingRun(tmp_path, silent))
    assert model.files == ("words.json",)
    assert len(json.loads((tmp_path / "words.json").read_text(encoding="utf-8"))) == 2
    assert model.figures["rows"] == 1

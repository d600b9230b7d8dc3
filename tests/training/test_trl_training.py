"""The trainer `trl` from a published data set to a config that decides, with a kill between."""

import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llmops.configs.reading import read_mapping
from llmops.configs.train import TrainConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import find
from llmops.tasks.training.models import planned_model, train_model
from llmops.tasks.training.spec import TrainSpec
from llmops.tasks.yaml_files import parsed
from tests.tiny_model import tiny_model
from tests.training.test_models import published

ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import sys; from pathlib import Path; from llmops.tasks.training.models import *\n"
    "train_model(Path(sys.argv[1]), TrainSpec.model_validate_json(sys.argv[2]))"
)


def spec(folder: Path, **options: Any) -> TrainSpec:
    train = {"name": "trl", "model": "base", "max_tokens": 64, **options}
    config = {"flow": "train", "name": "helpdesk", "train": train, "folder": str(folder)}
    return read_mapping(config, TrainConfig).train_spec()


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trl", None)  # as if it were not there
    find.cache_clear()
    with pytest.raises(ConfigError) as caught:
        read_mapping(
            {"flow": "train", "name": "helpdesk", "train": {"name": "trl", "model": "m"}},
            TrainConfig,
        )
    find.cache_clear()
    assert "pip install 'llmops-pipelines[trl]'" in caught.value.found[0].hint


@pytest.mark.slow
@pytest.mark.skipif(find_spec("trl") is None, reason="the extra trl is not installed")
@pytest.mark.filterwarnings("ignore")  # of torch, transformers, peft and trl
def test_a_training_that_was_killed_goes_on_and_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    published(home)
    tiny_model(tmp_path / "base")
    wanted = spec(tmp_path, epochs=12, batch_size=8, save_every=2, learning_rate=1e-3)
    planned = planned_model(home, wanted)
    assert not Path(planned.folder).exists()
    command = [sys.executable, "-c", PROGRAM, str(home), wanted.model_dump_json()]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 300
        while not any((Path(planned.folder) / "checkpoints").glob("checkpoint-*/trainer_state*")):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    steps: list[int] = []
    made = train_model(home, wanted, step=lambda number, metrics: steps.append(number))
    assert min(steps) > 2
    assert max(steps) == made.figures["steps"]
    assert made.folder == planned.folder
    assert made.status == "trained"
    assert made.figures["validation_loss"] < made.figures["validation_loss_before"]
    assert made.warnings == []
    text = Path(str(made.evaluation)).read_text(encoding="utf-8")
    config: Any = parsed(Path(str(made.evaluation)), text)
    assert config["arms"]["candidate"]["llm"] == {"name": "transformers", "model": made.model}
    assert config["arms"]["baseline"]["llm"]["model"] == str(tmp_path / "base")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("trl") is None, reason="the extra trl is not installed")
@pytest.mark.filterwarnings("ignore")
def test_rows_that_are_left_out_are_warnings_of_the_outcome(tmp_path: Path) -> None:
    home = tmp_path / "home"
    published(home)
    tiny_model(tmp_path / "base")
    made = train_model(home, spec(tmp_path, max_tokens=62, epochs=1))
    left = int(made.figures["train_rows"] - made.figures["train_rows_trained_on"])
    assert 0 < left < made.figures["train_rows"]
    assert made.warnings[0].startswith(f"train: {left} of")

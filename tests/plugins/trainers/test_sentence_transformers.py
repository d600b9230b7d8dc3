"""An embedder is trained: what it learns, what is left out, and that a kill changes nothing."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.trainers import DatasetTrainer, TrainedModel, TrainingData, TrainingRun
from llmops.tasks.plugins.trainers.sentence_transformers import EXTRA, SentenceTransformersTrainer
from llmops.tasks.plugins.trainers.sentence_transformers.rows import rows_of, texts_of
from tests.plugins.embedders.tiny import tiny_model

ROOT = Path(__file__).parents[3]
NEEDED = ("sentence_transformers", "datasets", "accelerate")
installed = all(find_spec(each) for each in NEEDED)
with_library = pytest.mark.skipif(not installed, reason=f"needs the extra: {EXTRA}")
SPOKEN = ["cab", "bed", "fed", "gag", "hid", "ice", "jab", "kid", "lab", "mad", "nab", "oak"]
Steps = list[tuple[int, dict[str, float]]]


def data_in(folder: Path, count: int = 24) -> TrainingData:
    """Triplets and pairs: each word is asked for by its first letter."""
    folder.mkdir()
    rows = [
        {
            "anchor": f"{SPOKEN[n % 12][0]} {n // 12}?",
            "positive": f"{SPOKEN[n % 12]} x {chr(97 + n // 12)}.",
            "negative": f"{SPOKEN[(n + 5) % 12]} z.",
        }
        for n in range(count)
    ]
    pairs = [{"anchor": f"pair {word}", "positive": f"{word} {word}"} for word in SPOKEN]
    for name, lines in {"train": rows, "train-pairs": pairs, "validation": rows[:4]}.items():
        text = "".join(json.dumps(each) + "\n" for each in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    files = {split: folder / f"{split}.jsonl" for split in ("train", "validation")}
    beside = {path.name: path for path in folder.iterdir()}
    return TrainingData("abc", files, None, "helpdesk-v1", "triplets", beside)


def trainer(base: Path, **options: object) -> DatasetTrainer:
    given = {"base": str(base), "batch_size": 8, "save_every": 2, "threads": 1, **options}
    return Spec(name="sentence_transformers", options=given).build(DatasetTrainer)


def train(made: DatasetTrainer, data: TrainingData, folder: Path, steps: Steps) -> TrainedModel:
    folder.mkdir(exist_ok=True)

    def step(number: int, metrics: Mapping[str, float]) -> None:
        steps.append((number, dict(metrics)))

    return made.train(data, TrainingRun(folder, step))


def bytes_of(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


@with_library
@pytest.mark.slow
def test_it_learns_and_its_file_is_what_is_served(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    base, steps = tiny_model(tmp_path / "base"), Steps()
    data = data_in(tmp_path / "data")
    made = trainer(base, epochs=6, learning_rate=0.003)
    model = train(made, data, tmp_path / "run", steps)
    losses = [numbers["loss"] for _, numbers in steps if "loss" in numbers]
    assert losses[-1] < losses[0]
    assert any("eval_loss" in numbers for _, numbers in steps)
    assert model.files[0] == "model/model.safetensors"
    assert model.model == str(tmp_path / "run" / "model")
    assert model.figures["rows_train"] == 36
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not list((tmp_path / "run" / "model").rglob("README.md"))
    embedder = Spec.model_validate(model.embed).build(Embedder)
    before = Spec(name="onnx", options={"model": str(base)}).build(Embedder)
    texts = [f"{word[0]} 0?" for word in SPOKEN] + [f"{word} x a." for word in SPOKEN]
    theirs = SentenceTransformer(model.model, device="cpu").encode(texts, normalize_embeddings=True)
    vectors = embedder.embed(texts)
    assert (vectors * theirs).sum(axis=1).min() >= 0.9999
    assert right(vectors) > right(before.embed(texts))
    told = len(steps)
    assert train(made, data, tmp_path / "run", steps) == model
    assert len(steps) == told  # nothing is trained again


def right(vectors: np.ndarray) -> float:
    """The share of questions whose own passage is the nearest."""
    count = len(vectors) // 2
    near = (vectors[:count] @ vectors[count:].T).argmax(axis=1)
    return float((near == np.arange(count)).mean())


@with_library
@pytest.mark.slow
def test_after_a_kill_the_same_model_comes_of_it(tmp_path: Path) -> None:
    base, data = tiny_model(tmp_path / "base"), data_in(tmp_path / "data")
    train(trainer(base), data, tmp_path / "whole", [])
    program = (
        "import os, sys; from pathlib import Path\n"
        "from tests.plugins.trainers.test_sentence_transformers import *\n"
        "folder = Path(sys.argv[1])\n"
        "files = {each: folder / f'data/{each}.jsonl' for each in ('train', 'validation')}\n"
        "beside = {path.name: path for path in (folder / 'data').iterdir()}\n"
        "data = TrainingData('abc', files, None, 'helpdesk-v1', 'triplets', beside)\n"
        "def step(number, metrics):\n"
        "    if number >= 5: os.kill(os.getpid(), 9)\n"
        "(folder / 'killed').mkdir()\n"
        "trainer(folder / 'base').train(data, TrainingRun(folder / 'killed', step))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert ended.returncode == -9
    checkpoints = tmp_path / "killed" / "checkpoints"
    assert (checkpoints / "checkpoint-4").is_dir()
    (checkpoints / "checkpoint-6").mkdir()  # as a kill leaves one that was not written to its end
    (checkpoints / "checkpoint-6" / "trainer_state.json").write_text('{"global_')
    steps = Steps()
    train(trainer(base), data, tmp_path / "killed", steps)
    assert steps[0][0] > 4
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    train(trainer(base, seed=8), data, tmp_path / "other", [])
    assert bytes_of(tmp_path / "other") != bytes_of(tmp_path / "whole")


@with_library
@pytest.mark.slow
def test_rows_that_are_too_long_are_counted(tmp_path: Path) -> None:
    base, data = tiny_model(tmp_path / "base"), data_in(tmp_path / "data")
    with (tmp_path / "data" / "train-pairs.jsonl").open("a") as file:
        file.write(json.dumps({"anchor": "long", "positive": "abcdef " * 20}) + "\n")
    model = train(trainer(base, epochs=1), data, tmp_path / "run", [])
    assert (model.figures["rows_train"], model.figures["too_long_train"]) == (36, 1)
    assert "1 train row has a text of more than 30 tokens and was left out" in model.warnings[0]
    cut = train(trainer(base, epochs=1, too_long="cut"), data, tmp_path / "cut", [])
    assert (cut.figures["rows_train"], cut.figures["too_long_train"]) == (37, 1)
    assert "was cut" in cut.warnings[0]
    with pytest.raises(UsageError, match="have a text of more than 30 tokens, the longest 120"):
        train(trainer(base, too_long="refuse"), data, tmp_path / "refused", [])
    with pytest.raises(UsageError, match="fewer than 2 rows that fit"):
        train(trainer(base, max_tokens=8), shortened(data), tmp_path / "none", [])


def shortened(data: TrainingData) -> TrainingData:
    """One row alone, and a long one."""
    path = data.files["train"]
    row = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | {"anchor": "long" * 9}) + "\n")
    return TrainingData("abc", {"train": path}, None, "helpdesk-v1", "triplets")


def test_the_policy_of_long_rows_is_of_whole_rows(tmp_path: Path) -> None:
    data = data_in(tmp_path / "data", 12)

    def count(texts: list[str]) -> list[int]:
        return [99 if "oak" in text else 3 for text in texts]

    kept = rows_of(data, "train", count, 98, "drop")  # type: ignore[arg-type]
    assert (kept.long, kept.total) == (3, 21)  # as answer, as negative, and a pair
    assert {name: len(rows) for name, rows in kept.kept.items()} == {"triplets": 10, "pairs": 11}


def test_lines_of_another_format_are_told(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"anchor": "a", "positive": "b"}\n{"messages": []}\n')
    with pytest.raises(UsageError, match=r"train\.jsonl:2: wanted the texts anchor, positive"):
        list(texts_of(path))


@with_library
def test_the_gate_needs_both_of_its_parts() -> None:
    for given in ({"knowledge_base": "handbook"}, {"questions": "g.jsonl"}, {"test": "g.jsonl"}):
        with pytest.raises(ValidationError, match="knowledge_base and questions"):
            trainer(Path("minilm"), **given)


@with_library
def test_what_decides_makes_no_other_model(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base")
    first = trainer(base).identity()
    gated = trainer(base, knowledge_base="handbook", questions="g.jsonl", save_every=9, threads=2)
    assert gated.identity() == first
    assert trainer(base, epochs=3).identity() != first
    other = tiny_model(tmp_path / "other", seed=2)
    assert trainer(other).identity() != first


def test_a_base_that_could_not_be_served_is_told_before_it_is_trained(tmp_path: Path) -> None:
    data = data_in(tmp_path / "data")
    base = tiny_model(tmp_path / "base", pooling="max")
    made = SentenceTransformersTrainer(base=str(base))
    with pytest.raises(UsageError, match="it is pooled by pooling_mode_max_tokens"):
        made.check(data)
    SentenceTransformersTrainer(base=str(tiny_model(tmp_path / "good"))).check(data)


@pytest.mark.skipif(installed, reason="the extra is installed")
def test_without_the_extra_what_to_install_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        trainer(Path("minilm"))
    assert caught.value.exit_code == 2
    assert EXTRA in caught.value.found[0].hint

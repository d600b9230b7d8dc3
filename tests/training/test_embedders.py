"""From a data set to an embedder that a knowledge base is served by, and back: training, gate,
registry, build.
"""

import json
import random
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import func, select

from llmops.configs.index import IndexConfig
from llmops.configs.reading import read_mapping
from llmops.configs.train import TrainConfig
from llmops.configs.trained import with_models
from llmops.tasks.errors import ConfigError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import embeddings
from llmops.tasks.models.moving import rollback
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.trainers.sentence_transformers import EXTRA
from llmops.tasks.training.model_summary import model_markdown
from llmops.tasks.training.models import planned_model
from llmops.tasks.training.run import run_model_training
from llmops.tasks.training.spec import TrainSpec
from tests.datasets.training.runs import built, line, spec_of
from tests.plugins.embedders.tiny import LETTERS, tiny_model
from tests.shelf import fresh_home
from tests.workshop import Workshop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("sentence_transformers") is None, reason=f"needs: {EXTRA}"),
]
REFERENCE = "models:/helpdesk@live"


def words(count: int = 70) -> list[str]:
    """Letters, all of them different."""
    dealt = random.Random(5)
    return ["".join(dealt.sample(LETTERS, 8)) for _ in range(count)]


def deaf(folder: Path) -> Path:
    """A model to which all letters are one."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    path = tiny_model(folder) / "model.safetensors"
    weights = load_file(path)
    name = "embeddings.word_embeddings.weight"
    save_file({**weights, name: np.zeros_like(weights[name])}, path)
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A knowledge base that a bad embedder serves, a data set, and people who ask in anagrams: full
    text knows none of them.
    """
    fresh_home(tmp_path)
    made = Workshop(tmp_path, Spec(name="lancedb"))
    built(spec_of(made.home, tmp_path, [line(n) for n in range(20)], export=["triplets"]))
    made.embedder = Spec(name="onnx", options={"model": str(deaf(tmp_path / "deaf"))})
    made.build(texts())
    rows = [
        {"id": word, "question": word[::-1], "relevant": [{"uri": f"{word}.txt"}]}
        for word in words()
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "golden.jsonl").write_text(text)
    return made


def texts() -> dict[str, str]:
    return {f"{word}.txt": word for word in words()}


def training(shop: Workshop, base: Path, **options: object) -> TrainSpec:
    given = {
        "name": "sentence_transformers",
        "base": str(base),
        "too_long": "cut",
        "epochs": 1,
        "learning_rate": 1e-6,
        "threads": 1,
        "knowledge_base": "shop",
        "questions": "golden.jsonl",
        **options,
    }
    config = {"flow": "train", "name": "helpdesk", "train": given, "folder": str(shop.folder)}
    return read_mapping(config, TrainConfig).train_spec()


def served(shop: Workshop) -> int:
    """The next build with what is live, and how many vectors it paid for."""
    content = {
        "flow": "index",
        "knowledge_base": "shop",
        "sources": [{"name": "files", "path": "."}],
        "chunk": {"name": "sentence", "size": 20},
        "embed": {"name": "onnx", "model": REFERENCE},
        "folder": str(shop.folder),
    }
    before = vectors(shop)
    shop.embedder = with_models(shop.home, read_mapping(content, IndexConfig)).embed
    shop.build(texts())
    return vectors(shop) - before


def vectors(shop: Workshop) -> int:
    with open_ledger(shop.home).read() as connection:
        return int(connection.execute(select(func.count()).select_from(embeddings)).scalar() or 0)


def test_a_better_embedder_is_served_by_the_next_build_and_rolled_back(shop: Workshop) -> None:
    base = tiny_model(shop.folder / "base")
    wanted = training(shop, base)
    made = run_model_training(shop.home, wanted)
    assert made.status == "promoted", made.reason
    assert made.registered == "models:/helpdesk/2"
    assert made.embedder_gate is not None
    assert made.embedder_gate.served is not None
    assert made.embedder_gate.served.difference > 0.3
    assert REFERENCE in made.reason
    decision = json.loads((Path(made.folder) / "gate.json").read_text())
    assert (decision["model"], decision["status"]) == ("models:/helpdesk/2", "promoted")
    told = model_markdown(made)
    assert "| documents not trained on: decides | 70 |" in told
    again = run_model_training(shop.home, wanted)
    assert (again.status, again.exit_code) == ("trained", 0)
    assert "is live already" in again.reason

    assert served(shop) == 0  # the gate has embedded every passage
    assert shop.live.version == 2
    assert shop.live.config["embed"]["model"] == made.model
    assert rollback(shop.home, "helpdesk")["version"] == 1
    assert served(shop) == 70  # the base was never used here
    assert shop.live.version == 3
    assert rollback(shop.home, "helpdesk", 2)["version"] == 2
    assert served(shop) == 0
    assert shop.live.version == 4
    other = run_model_training(shop.home, training(shop, base, epochs=2))
    assert other.status in ("rejected", "inconclusive")  # as good as what is live, not better
    assert other.exit_code in (3, 5)


def test_what_is_live_must_be_served_before_another_one_is_compared(shop: Workshop) -> None:
    base = tiny_model(shop.folder / "base")
    assert run_model_training(shop.home, training(shop, base)).status == "promoted"
    other = run_model_training(shop.home, training(shop, base, seed=3))
    assert other.status == "inconclusive"
    assert "models:/helpdesk/2 is live, and shop is served by another embedder" in other.reason


def test_without_a_gate_it_is_trained_alone(shop: Workshop) -> None:
    base = tiny_model(shop.folder / "base")
    made = run_model_training(shop.home, training(shop, base, knowledge_base=None, questions=None))
    assert (made.status, made.embedder_gate, made.exit_code) == ("trained", None, 0)
    assert made.embed == {"name": "onnx", "model": made.model}
    shutil.rmtree(shop.folder / "deaf")
    planned = planned_model(shop.home, training(shop, base))
    assert planned.dataset.rows["train"] > 10
    assert planned.folder == made.folder  # the gate makes no other model


def test_golden_sets_are_looked_at_before_anything_is_trained(shop: Workshop) -> None:
    with pytest.raises(ConfigError) as caught:
        training(
            shop,
            shop.folder / "base",
            test="none.jsonl",
            second={"knowledge_base": "other", "questions": "absent.jsonl"},
        )
    told = [str(each) for each in caught.value.found]
    assert any("train.test" in each and "none.jsonl" in each for each in told)
    assert any("train.second.questions" in each and "absent.jsonl" in each for each in told)

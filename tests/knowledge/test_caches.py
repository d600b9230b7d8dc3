"""What is paid for is remembered under the model that made it, and under no other."""

import shutil
from pathlib import Path

import pytest

from llmops.tasks.calls.costs import Payer
from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge.caches import EmbeddingPayer, known_embeddings
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.embedders.onnx import OnnxEmbedder
from tests.plugins.embedders.tiny import tiny_model


def test_a_model_that_changes_during_a_build_leaves_none_of_its_vectors(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model", seed=1)
    embedder = OnnxEmbedder(model=str(folder))
    before, ledger = embedder.fingerprint(), open_ledger(tmp_path / "home")
    paying = EmbeddingPayer(ledger, before, embedder, Payer())
    paying.pay({"one": "a bell"}, 2)
    shutil.rmtree(folder)
    tiny_model(folder, seed=2)
    with pytest.raises(Damaged, match="have changed since the build began"):
        paying.pay({"two": "a bell"}, 2)
    for model in (before, embedder.fingerprint()):
        assert "two" not in known_embeddings(ledger, model, ["one", "two"])
    assert "one" in known_embeddings(ledger, before, ["one"])

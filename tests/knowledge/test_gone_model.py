"""A version whose model lay in a folder says so where that is gone, or holds another model."""

import shutil
from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.plugins import Spec
from llmops.tasks.retrieval.modes import MODES
from tests.plugins.embedders.tiny import tiny_model
from tests.workshop import Workshop


def test_it_is_named_with_what_to_do(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    model = tiny_model(tmp_path / "mymodel")
    shop.embedder = Spec(name="onnx", options={"model": str(model)})
    shop.build({"a.txt": "the bell rings"})
    live = Handle(home=shop.home, name=shop.kb).published()
    shutil.rmtree(model)
    with pytest.raises(UsageError, match=f"version 1 of '{shop.kb}' cannot be opened") as caught:
        searcher(shop.home, live)
    assert str(model) in caught.value.message
    assert f"llmops kb rollback {shop.kb} --to VERSION" in caught.value.hint


def test_another_model_of_the_same_width_is_a_warning_of_each_search(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    model = tiny_model(tmp_path / "mymodel", seed=1)
    shop.embedder = Spec(name="onnx", options={"model": str(model)})
    shop.build({"a.txt": "the bell rings"})
    live = Handle(home=shop.home, name=shop.kb).published()
    assert searcher(shop.home, live).remarks("bell") == []
    shutil.rmtree(model)
    tiny_model(model, seed=2)
    seen = searcher(shop.home, live)
    for mode in MODES:
        told = seen.remarks("bell", mode)
        assert [f"the model in {model} is not the one that version 1" in each for each in told] == (
            [] if mode == "text" else [True]
        )

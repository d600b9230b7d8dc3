from pathlib import Path

from llmops.deployments.plugin_package.templates.stores import ExampleStore
from llmops.tasks.plugins.stores.lancedb import LanceDBStore


def test_collections_are_apart(tmp_path: Path) -> None:
    store = ExampleStore(prefix="mine")
    snapshot = store.open("handbook", 4, tmp_path).seal(1)
    assert store.open("handbook", 4, tmp_path).at(snapshot).count() == 0
    assert LanceDBStore().open("mine-handbook", 4, tmp_path).at(snapshot).count() == 0
    store.drop("handbook", tmp_path)

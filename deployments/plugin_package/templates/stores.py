"""A store that keeps its collections apart from those of others."""

from pathlib import Path
from types import MappingProxyType

from llmops.tasks.filters import Fields
from llmops.tasks.plugins.stores import StoreCollection
from llmops.tasks.plugins.stores.lancedb import LanceDBStore

NONE: Fields = MappingProxyType({})


class ExampleStore(LanceDBStore):
    """LanceDB under `prefix`. A store of another kind answers the verbs of `Store`,
    `StoreCollection` and `StoreReader`; tests/plugins/stores/test_contract.py says what they mean.
    """

    prefix: str = "example"

    def open(self, name: str, dimension: int, home: Path, fields: Fields = NONE) -> StoreCollection:
        return super().open(f"{self.prefix}-{name}", dimension, home, fields)

    def drop(self, name: str, home: Path) -> None:
        super().drop(f"{self.prefix}-{name}", home)

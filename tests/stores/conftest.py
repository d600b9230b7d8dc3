"""Every store that must keep the contract. A store joins by adding its spec to STORES."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.plugins import Spec
from tasks.stores import Collection, Store
from tests.stores.rows import DIMENSION

STORES = [Spec(name="lancedb")]


@pytest.fixture(params=STORES, ids=lambda spec: spec.name)
def store(request: pytest.FixtureRequest) -> Store:
    return request.param.build(Store)  # type: ignore[no-any-return]


@pytest.fixture
def collection(store: Store, tmp_path: Path) -> Iterator[Collection]:
    yield store.open("kb_test", DIMENSION, tmp_path)
    store.drop("kb_test", tmp_path)

"""Every store that must keep the contract. A store joins by adding its name to STORES."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.stores import Store, StoreCollection
from tests import weaviate
from tests.plugins.stores.rows import DIMENSION

STORES = ("lancedb", "weaviate")


@pytest.fixture(scope="session")
def weaviate_options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Where a Weaviate is; who asks is skipped where there is none."""
    with weaviate.serving(tmp_path_factory.mktemp("weaviate")) as options:
        yield options


@pytest.fixture(scope="session", params=STORES)
def spec(request: pytest.FixtureRequest) -> Spec:
    """Each store in turn, with exact scores."""
    exact = {"text_scores": "snapshot"}
    options = (
        request.getfixturevalue("weaviate_options") | exact if request.param == "weaviate" else {}
    )
    return Spec(name=request.param, options=options)


@pytest.fixture
def store(spec: Spec) -> Store:
    return spec.build(Store)


@pytest.fixture(scope="session")
def name() -> str:
    """A server may be shared with other processes."""
    return f"kb_test-{os.getpid()}"


@pytest.fixture
def collection(store: Store, name: str, tmp_path: Path) -> Iterator[StoreCollection]:
    yield store.open(name, DIMENSION, tmp_path)
    store.drop(name, tmp_path)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was not tested, also without -rs."""
    skipped = [
        one
        for one in terminalreporter.stats.get("skipped", [])
        if "no Weaviate" in str(one.longrepr)
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests of the Weaviate store were skipped: {weaviate.WANTED}"
        )

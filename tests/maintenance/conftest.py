"""A knowledge base per store that is at hand, for what verify, repair and gc do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.plugins import Spec, digest
from tests.workshop import STORES, Workshop


@pytest.fixture(params=STORES)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path, request.param, kb=f"shop-{digest(str(tmp_path))[:8]}")
    yield workshop
    workshop.drop()


@pytest.fixture
def lance_shop(tmp_path: Path) -> Workshop:
    """For what can only be done to files."""
    return Workshop(tmp_path, Spec(name="lancedb"))

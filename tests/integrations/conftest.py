"""A knowledge base that is built once, for tests that only read; one for each that publishes."""

from pathlib import Path

import pytest

from llmops.tasks.ledger import close_ledgers
from tests.library import ROWS, Library


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(tmp_path_factory.mktemp("library"))
    library.publish(ROWS)
    close_ledgers()
    return library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = Library(tmp_path)
    made.publish(ROWS)
    return made

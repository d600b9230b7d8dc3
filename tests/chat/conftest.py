"""A knowledge base that is built once, and copied for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.ledger import close_ledgers
from tests.chat.apps import Towers, built, copied
from tests.openai_server import Service, serving
from tests.workshop import Workshop


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = built(tmp_path_factory.mktemp("towers"))
    close_ledgers()  # all of it is in the file
    return shop


@pytest.fixture
def towers(shelf: Workshop, tmp_path: Path) -> Towers:
    return copied(shelf, tmp_path)


@pytest.fixture
def service() -> Iterator[Service]:
    """It cites the first passage, whatever it is asked."""
    with serving(lambda messages: "It is 330 metres tall [1].") as found:
        yield found

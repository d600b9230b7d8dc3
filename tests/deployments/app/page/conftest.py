"""An application with its page: without a port, and in front of a browser."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import browser
from tests.chat.apps import copied
from tests.deployments.app.apps import Listening, listening
from tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def served(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """On a port, without keys, answering offline."""
    with listening(copied(shelf, tmp_path_factory.mktemp("served"))) as found:
        yield found

"""Sites and services on this machine for the tests of sources."""

from collections.abc import Iterator

import pytest

from tests.plugins.sources import dify_server
from tests.plugins.sources.site import Site, running


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as one:
        yield one


@pytest.fixture
def other() -> Iterator[Site]:
    with running() as one:
        yield one


@pytest.fixture
def service() -> Iterator[dify_server.DifyServer]:
    with dify_server.running() as one:
        yield one

"""A knowledge base that is built once, and copied for tests that change something."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.ledger import close_ledgers
from tests.chat.apps import Towers, built, copied
from tests.deployments.app.apps import App, application
from tests.openai_server import Service, serving
from tests.workshop import Workshop


@pytest.fixture(scope="module", autouse=True)
def _traces_wait() -> Iterator[None]:
    """In the spool: nobody is at that address. So tests can read them, and no store is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMOPS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        yield


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    shop = built(tmp_path_factory.mktemp("towers"))
    close_ledgers()  # all of it is in the file
    return shop


@pytest.fixture
def towers(shelf: Workshop, tmp_path: Path) -> Towers:
    return copied(shelf, tmp_path)


@pytest.fixture(scope="module")
def app(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One for all tests of a module, without keys, answering offline."""
    with application(copied(shelf, tmp_path_factory.mktemp("app"))) as found:
        yield found


@pytest.fixture(scope="module")
def keyed(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The same, where everybody needs a key."""
    towers = copied(shelf, tmp_path_factory.mktemp("keyed"))
    with application(towers, keys={"required": True}) as found:
        yield found


@pytest.fixture
def service() -> Iterator[Service]:
    """A model that cites the first passage, whatever it is asked."""
    with serving(lambda messages: "It is 330 metres tall [1].") as found:
        yield found

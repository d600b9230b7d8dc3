"""A laboratory for the index flow: real Prefect, real stores, a folder of documents, and a bill of
what was embedded.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commandline import Office
from tests.laboratory import Laboratory, with_database
from tests.shelf import empty_store


@pytest.fixture(scope="session")
def prefect_server(
    tmp_path_factory: pytest.TempPathFactory, prefect_database: Path
) -> Iterator[Path]:
    """One background server for all flow tests of this process."""
    from llmops.flows import server
    from llmops.tasks.tracking import prepare

    home = with_database(tmp_path_factory.mktemp("prefect-home"), prefect_database)
    before = dict(os.environ)
    server.connect(home)
    (home / "mlflow").mkdir()
    shutil.copy(empty_store(), home / "mlflow" / "mlflow.db")
    prepare(home)
    yield home
    server.stop(home)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def lab(tmp_path: Path, prefect_server: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    from llmops.tasks.tracking import tracking_uri

    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", tracking_uri(prefect_server))
    return Laboratory(tmp_path)


@pytest.fixture
def office(tmp_path: Path, prefect_server: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("LLMOPS_HOME", str(prefect_server))
    return Office(tmp_path, prefect_server, f"kb-{abs(hash(tmp_path)):x}")

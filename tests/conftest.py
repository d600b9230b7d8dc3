"""What several test modules share: the folder of test plugins on the path, and homes that touch
nothing of the user's.
"""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests import forks

PLUGINS = Path(__file__).parent / "plugin_package"
sys.path.insert(0, str(PLUGINS))
if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # started in the background of a shell: commands under test would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile(
    "ci", derandomize=True, deadline=None
)  # a search for new failures is for developers' machines
settings.load_profile("ci" if "CI" in os.environ else "default")
SERVERS = ("PREFECT_", "MLFLOW_", "LLMOPS_MLFLOW_", "LLMOPS_OWN_")
for variable in [name for name in os.environ if name.upper().startswith(SERVERS)]:
    del os.environ[variable]  # what a developer has on a server of theirs is none of the tests'
os.environ["PREFECT_PROFILES_PATH"] = os.devnull


def pytest_collection(session: pytest.Session) -> None:
    gc.disable()  # thousands of tests and the libraries come to stay: looking at them frees nothing


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.set_threshold(5_000)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """Started by the first test that needs a process; ended here."""
    yield
    forks.end()


@pytest.fixture(scope="session", autouse=True)
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all workers of a session; helpers find it in the environment."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    os.environ["LLMOPS_TESTS_SHARED"] = str(shared)
    return shared


@pytest.fixture(scope="session")
def prefect_database(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Path:
    """Prefect's database as a new server leaves it. Its migrations are half of what a start costs,
    so one is made for all workers of a session, and homes start with a copy (`with_database`).
    """
    from llmops.flows import server

    shared = shared_folder / "prefect.db"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            home = tmp_path_factory.mktemp("prefect-database")
            server.ensure(home)
            server.stop(home)
            shutil.move(home / "prefect" / "prefect.db", shared)
    return shared


@pytest.fixture(autouse=True)
def _no_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that forget to say where state goes write into their own folder."""
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path / "home"))

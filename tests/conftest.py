"""What several test modules share: the folder of test plugins on the path, and homes that touch
nothing of the user's.
"""

import gc
import itertools
import os
import re
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
# NumPy's matrices are small here: a second thread of theirs waits in a loop that takes a whole core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # tests/test_processes.py alone has processes beside it

ALL_SLOW = re.compile(r"^pytestmark = pytest\.mark\.slow$", re.MULTILINE)
HOMES = itertools.count()
STRAY = Path("mlflow.db").absolute()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Of a module whose text says that `-m` takes none of its tests, nothing is imported."""
    asked = config.option.markexpr
    if not collection_path.name.startswith("test_") or asked not in ("slow", "not slow"):
        return None
    text = collection_path.read_text()
    nothing = ALL_SLOW.search(text) if asked == "not slow" else "slow" not in text
    return True if nothing else None


def pytest_configure(config: pytest.Config) -> None:
    """One nursery for all workers of slow tests, most of which need a process."""
    if config.option.markexpr == "slow" and getattr(config.option, "numprocesses", None):
        forks.share()


def pytest_unconfigure() -> None:
    forks.end()


def pytest_collection(session: pytest.Session) -> None:
    gc.disable()  # thousands of tests and the libraries come to stay: looking at them frees nothing


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.set_threshold(5_000)
    gc.enable()


@pytest.fixture(autouse=True)
def _no_stray_store() -> Iterator[None]:
    """MLflow makes `mlflow.db` where it stands for whoever asks it before a store is named, as its
    `EvaluationDataset.records` and `experiment_ids` do.
    """
    yield
    if STRAY.exists():
        STRAY.unlink()
        pytest.fail("this test, or one beside it, has asked MLflow's default store: mlflow.db")


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
    from tests.laboratory import MEMO

    shared = shared_folder / "prefect.db"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            home = tmp_path_factory.mktemp("prefect-database")
            server.ensure(home)
            server.stop(home)
            shutil.move(home / "prefect" / MEMO, shared.with_name(MEMO))
            shutil.move(home / "prefect" / "prefect.db", shared)
    return shared


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """One PostgreSQL server for all tests of a worker, which take a `fresh_database` or a
    `fresh_ledger` of it.
    """
    from tests.postgres import postgres_server

    with postgres_server() as url:
        yield url


@pytest.fixture(autouse=True)
def _no_home_of_the_user(
    request: pytest.FixtureRequest,
    shared_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tests that forget to say where state goes write into their own folder. Most need none: it is
    made only by those that write there.
    """
    if "tmp_path" in request.fixturenames:
        home = request.getfixturevalue("tmp_path") / "home"
    else:
        home = shared_folder / f"homes-{os.getpid()}" / str(next(HOMES))
    monkeypatch.setenv("LLMOPS_HOME", str(home))

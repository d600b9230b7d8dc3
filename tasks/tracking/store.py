"""Opening MLflow's store: what LLMOPS_MLFLOW_TRACKING_URI or MLFLOW_TRACKING_URI names, such as a
server or a SQLite file, or a SQLite file in the home.
"""

import contextlib
import logging
import os
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from llmops.tasks.empty_databases import UnusableCopy, copy_kept, keep_empty, newest_revision
from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.postponed import deferred_models, postpone_fastapi
from llmops.tasks.tracking.place import named_by, own_database, pages, place_of, without_login

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

REACH_SECONDS = 5.0
LOCK_SECONDS = 120.0
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Else the UI opens on a page of traces, and hides the runs."""
QUIET = {
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # its own patience is minutes long, and a record is not worth that
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}

logger = logging.getLogger(__name__)
IMPORTING = threading.Lock()
SETTING = threading.Lock()
_QUIETED: dict[str, int] = {}
"""name of a setting that we have made -> how many threads need it now."""


def tracking_uri(home: Path, given: str | None = None) -> str:
    """`given`, else what LLMOPS_MLFLOW_TRACKING_URI or MLFLOW_TRACKING_URI names, else the home's
    own SQLite store.
    """
    return given or place_of(home).uri


def check(home: Path) -> None:
    """Ask a store that the user names for what takes network, login and database: nothing may be
    paid for that could not be recorded. Raises Unavailable, naming the variable.
    """
    place = place_of(home)
    if not place.own:
        with opened(home, place.uri) as client:
            client.search_experiments(max_results=1)


def artifact_root(uri: str) -> str | None:
    """Beside a SQLite store, and absolute, so that clients and servers mean the same folder; None:
    the server decides.
    """
    database = sqlite_file(uri)
    return (database.parent / "artifacts").as_uri() if database else None


def sqlite_file(uri: str) -> Path | None:
    """Where a SQLite store lies or will lie; None: the store is no SQLite file."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


@contextlib.contextmanager
def opened(home: Path, uri: str) -> Iterator["MlflowClient"]:
    """A client of the store, which is made if it is a SQLite file and missing; connections are
    closed afterwards.

    Raises Unavailable when the store does not answer or take what is sent, LlmopsError when its
    folder cannot be written.
    """
    reach(uri)
    if uri == f"sqlite:///{own_database(home)}":
        prepare(home)
    elif database := sqlite_file(uri):
        _make(database)
    with _quiet():
        _import_mlflow()
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
        from requests.exceptions import RequestException

        client: MlflowClient | None = None
        try:
            client = MlflowClient(tracking_uri=uri)
            yield client
        except (MlflowException, RequestException, OSError) as error:
            raise _refused(uri, error) from error
        finally:
            # connections left to the garbage collector are reported as a leak
            if client is not None and hasattr(client._tracking_client.store, "engine"):
                client._tracking_client.store.engine.dispose()


def run_url(home: Path, run_id: str, uri: str | None = None) -> str:
    """Where a browser shows the run. Raises Unavailable when the store does not answer or knows no
    such run.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        experiment = client.get_run(run_id).info.experiment_id
    return f"{pages(uri)}/#/experiments/{experiment}/runs/{run_id}"


ABOUT = {
    "evaluation": "Evaluations called {name}: a run per decision, below it one per arm; its traces "
    "show every case.",
    "comparison": "Comparisons of knowledge bases: a run per comparison, below it one per arm.",
    "finetune": "Data sets of training rows made by {name}: a run per version.",
    "nightly": "Nights of {name}: a run per night, below it one per part.",
    "live": "How the application {name} does in production: one run, a step per scoring.",
    "monitor": "What the application {name} is like: one run, a step per look of the monitor.",
    "traces": "What was asked of the application {name}, and what it answered.",
    "feedback": "What came of people's feedback on {name}: one run, a step per run of the flow.",
    "training": "Models trained by {name}: a run per training.",
    "": "Builds of the knowledge base {name}, a run each; the run `all versions` charts its "
    "quality, with the version as step.",
}
"""What an experiment holds, by the last word of its name."""


def described(name: str) -> dict[str, str]:
    """The tags of an experiment: what it is about, and a description."""
    about, _, kind = name.rpartition(" ")
    if kind not in ABOUT or not about:
        about, kind = name, ""
    return {
        "llmops.about": about,
        "llmops.holds": kind or "builds",
        "mlflow.note.content": ABOUT[kind].format(name=about),
    }


def experiment_of(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    """The experiment's id; made when missing, brought back when somebody deleted it in the UI."""
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    location = f"{artifacts}/{name}" if artifacts else None
    if known is None:
        try:
            return str(client.create_experiment(name, location, tags=KIND | described(name)))
        except MlflowException as error:
            known = client.get_experiment_by_name(name)  # another process was quicker
            if known is None:
                raise error
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    for tag, value in described(name).items():
        if tag not in known.tags:  # one of an earlier release; what people wrote there stays
            client.set_experiment_tag(known.experiment_id, tag, value)
    return str(known.experiment_id)


def forget_experiment(home: Path, name: str, uri: str | None = None) -> None:
    """Take an experiment out of MLflow's list, with its runs: as deleting it there does, so that it
    can be brought back. Raises as `opened` does.
    """
    with opened(home, tracking_uri(home, uri)) as client:
        known = client.get_experiment_by_name(name)
        if known is not None and known.lifecycle_stage != "deleted":
            client.delete_experiment(known.experiment_id)


def prepare(home: Path) -> None:
    """Make the home's SQLite store if it is missing. Raises LlmopsError when the home cannot be
    written.
    """
    database = own_database(home)
    if "?" in str(database):
        raise LlmopsError(
            "MLflow opens no database whose path holds a question mark",
            where=str(home),
            hint="set LLMOPS_HOME to another folder",
        )
    _make(database)


def load(home: Path) -> None:
    """Do ahead what takes long at the first record: import MLflow, and make the home's own store if
    that is used and missing. Raises what the record would raise.
    """
    if place_of(home).own:
        prepare(home)
    with _quiet():
        _import_mlflow()


def _make(database: Path) -> None:
    """Make a SQLite store if it is missing: MLflow itself fails where two processes do so at once.
    A kill leaves none or all of it.
    """
    from filelock import FileLock

    artifacts = database.parent / "artifacts"
    try:
        artifacts.mkdir(parents=True, exist_ok=True)
        if not database.exists():
            with FileLock(database.parent / "open.lock", timeout=LOCK_SECONDS):
                _create(database, artifacts.as_uri())
    except OSError as error:
        raise LlmopsError(
            f"MLflow's folder cannot be written: {error.strerror or error}",
            where=str(database.parent),
            hint="set LLMOPS_HOME or LLMOPS_MLFLOW_TRACKING_URI: you must be able to write there",
        ) from error


def _create(database: Path, artifacts: str) -> None:
    """Build the tables aside and move the file into place: MLflow's hundred migrations are no
    transaction. They run once per machine and version of MLflow, without waiting for the disk after
    each of them, which takes 2 seconds instead of 6 to 12; other stores begin with a copy.
    """
    if database.exists():
        return
    with _quiet():
        _import_mlflow()
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        partial = database.with_suffix(".new")
        partial.unlink(missing_ok=True)
        name = _tables()
        copied = _copied(name, partial)
        event.listen(Engine, "connect", _hasten)
        try:
            store = SqlAlchemyStore(f"sqlite:///{partial}", artifacts)  # type: ignore[no-untyped-call]
        finally:
            event.remove(Engine, "connect", _hasten)
        store.engine.dispose()
        if not copied:
            _keep(name, partial)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(database)


def _tables() -> str:
    """What the tables of the installed MLflow are kept as."""
    import mlflow.store.db_migrations as migrations

    newest = newest_revision(Path(migrations.__path__[0]) / "versions")
    return f"mlflow-{version('mlflow')}-{newest}" if newest else ""


def _copied(name: str, database: Path) -> bool:
    try:
        return bool(name) and copy_kept(name, database)
    except UnusableCopy as error:
        logger.info("MLflow's tables are made anew: %s", error)
        return False


def _keep(name: str, database: Path) -> None:
    """The experiment that MLflow begins with lies in a folder of this home."""
    try:
        if name:
            keep_empty(name, database, without=["experiments"], rows_in=["workspaces"])
    except UnusableCopy as error:
        logger.info("other homes will make MLflow's tables anew: %s", error)


class Executing(Protocol):
    """A connection of the database's own driver."""

    def execute(self, statement: str, /) -> object: ...


def _hasten(connection: Executing, _: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def reach(uri: str, seconds: float = REACH_SECONDS) -> None:
    """Any answer of an HTTP server within the time will do, also a refusal: MLflow itself would
    wait for minutes. Other stores are not asked. Raises Unavailable, naming the variable.
    """
    if not uri.startswith(("http://", "https://")):
        return
    try:
        health = f"{without_login(uri).rstrip('/')}/health"
        urllib.request.urlopen(health, timeout=min(seconds, REACH_SECONDS)).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return  # somebody answers; MLflow has settings of its own for certificates
        raise Unavailable(
            f"MLflow does not answer at {without_login(uri)}: {reason}",
            where=named_by(uri),
            hint="start it, correct the address, or unset it to use the home's own store",
        ) from error


def _refused(uri: str, error: Exception) -> Unavailable:
    reason = (str(error).strip() or repr(error)).splitlines()[0].replace(uri, without_login(uri))
    if re.search(r"error code 40[13]|PERMISSION_DENIED|Permission denied", reason):
        return Unavailable(
            f"MLflow at {without_login(uri)} refuses us: {reason}",
            where=named_by(uri),
            hint="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN, to what the server wants; a token may have expired",
        )
    return Unavailable(
        f"MLflow did not take or give a record: {reason}",
        where=named_by(uri),
        hint="look at the store, and at the disk's free space; the next build is recorded anew",
    )


def _import_mlflow() -> None:
    """By one thread at a time: where two import its parts at once, it stays half imported for as
    long as the process lives. It has set the level of its log when it was first imported, maybe by
    one who did not want it quiet; each migration of a new store would be a line.
    """
    postpone_fastapi()
    with IMPORTING, deferred_models():
        import mlflow.tracing.client
        import mlflow.tracking  # noqa: F401

        logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """MLflow takes its settings from the environment alone, at every call. What the user has set
    stands. What we set stays until the last thread that needs it is done.
    """
    with SETTING:
        for name, value in QUIET.items():
            if name in _QUIETED or name not in os.environ:
                os.environ[name] = value
                _QUIETED[name] = _QUIETED.get(name, 0) + 1
        mine = tuple(_QUIETED)
    try:
        yield
    finally:
        with SETTING:
            for name in mine:
                _QUIETED[name] -= 1
                if not _QUIETED[name]:
                    del _QUIETED[name]
                    os.environ.pop(name, None)

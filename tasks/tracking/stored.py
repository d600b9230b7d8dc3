"""The runs in the home's own MLflow store, and how they go: as `mlflow gc` does it, one after the
other. The runs of a server are for its own `mlflow gc`, which sees what else needs them.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

from llmops.tasks.errors import Unavailable
from llmops.tasks.tracking.place import place_of
from llmops.tasks.tracking.store import artifact_root, opened, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

BUSY_SECONDS = 30.0
TRACES = 100
"""Traces that are removed at a time."""
SOURCE, PARENT, RECORDED, CONTENT = (
    "mlflow.source.name",
    "mlflow.parentRunId",
    "recorded_as",
    "content_sha256",
)
OURS = "llmops "
"""What the sources of our own runs begin with."""
RUNS = "SELECT run_uuid, start_time, end_time FROM runs"
TAGS = f"SELECT run_uuid, key, value FROM tags WHERE key IN ({', '.join('?' * 4)})"
REGISTERED = "SELECT run_id, source FROM model_versions"


class StoredRun(NamedTuple):
    """`at`: when it ended, or began where it did not. `parent`: the run above it; `recorded_as`: of
    a part of a night, the run of its flow; `content_sha256`: of the data set that it is of; ""
    where there is none. `ours`: a flow of ours made it; `registered`: a model or prompt is of it.
    """

    id: str
    at: datetime
    parent: str
    recorded_as: str
    content_sha256: str
    ours: bool
    registered: bool


def stored_runs(home: Path) -> list[StoredRun]:
    """All runs, also those that somebody has deleted in MLflow's pages, whose files are still
    there; none where MLflow is a server. Raises Unavailable.
    """
    database = sqlite_file(place_of(home).uri)
    if database is None or not database.exists():
        return []
    with _reading(database) as connection:
        runs = connection.execute(RUNS).fetchall()
        tags: dict[str, dict[str, str]] = {}
        for run, key, value in connection.execute(TAGS, (SOURCE, PARENT, RECORDED, CONTENT)):
            tags.setdefault(run, {})[key] = value or ""
        registered = {
            run or (source or "").removeprefix("runs:/").partition("/")[0]
            for run, source in connection.execute(REGISTERED)
        }
    return [
        _stored(run, max(began or 0, ended or 0), tags.get(run, {}), run in registered)
        for run, began, ended in runs
    ]


def _stored(run: str, at_ms: int, tags: Mapping[str, str], registered: bool) -> StoredRun:
    return StoredRun(
        id=run,
        at=datetime.fromtimestamp(at_ms / 1000, UTC),
        parent=tags.get(PARENT, ""),
        recorded_as=tags.get(RECORDED, ""),
        content_sha256=tags.get(CONTENT, ""),
        ours=tags.get(SOURCE, "").startswith(OURS),
        registered=registered,
    )


def purge_runs(home: Path, ids: Sequence[str]) -> int:
    """Remove runs for good, in this order: marked as deleted, then their files, then their rows. A
    run that a kill has left in between is as old as before, and goes the next time. Returns the
    bytes of the files. Raises Unavailable.
    """
    uri, freed = place_of(home).uri, 0
    if sqlite_file(uri) is None or not ids:
        return 0
    with opened(home, uri) as client:
        store = client._tracking_client.store
        for each in ids:
            _forget_traces(client, each)
            freed += _purge(uri, store, each)
    return freed


def _forget_traces(client: "MlflowClient", run_id: str) -> None:
    """Those of an evaluation's arm: they are of no use without it. Traces of production are of no
    run.
    """
    from mlflow.exceptions import MlflowException

    try:
        experiment = str(client.get_run(run_id).info.experiment_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return
        raise
    while found := client.search_traces(
        locations=[experiment], run_id=run_id, max_results=TRACES, include_spans=False
    ):
        client.delete_traces(experiment, trace_ids=[str(each.info.trace_id) for each in found])


def _purge(uri: str, store: "SqlAlchemyStore", run_id: str) -> int:
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        run = store.get_run(run_id)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return 0  # somebody else was quicker
        raise
    if run.info.lifecycle_stage != "deleted":
        store.delete_run(run_id)  # type: ignore[no-untyped-call]
    freed, folder = 0, _folder(run.info.artifact_uri)
    if folder is None or folder.is_dir():
        freed = sum(each.stat().st_size for each in _files(folder))
        repository = get_artifact_repository(run.info.artifact_uri)
        repository.delete_artifacts()  # type: ignore[no-untyped-call]
    store._hard_delete_run(run_id)  # type: ignore[no-untyped-call]
    _forget_inputs(store, run_id)
    if folder and run_id == folder.parent.name and folder.is_relative_to(_root(uri)):
        with contextlib.suppress(OSError):  # of other files in it nobody knows
            folder.parent.rmdir()
    return freed


def _forget_inputs(store: "SqlAlchemyStore", run_id: str) -> None:
    """What MLflow's own leaves: which data sets went in, and the data sets that went in nowhere
    else.
    """
    from mlflow.store.tracking.dbmodels.models import SqlDataset, SqlInput, SqlInputTag

    with store.ManagedSessionMaker(read_only=False) as session:
        mine = session.query(SqlInput).filter(
            SqlInput.destination_type == "RUN", SqlInput.destination_id == run_id
        )
        ids = [each.input_uuid for each in mine]
        session.query(SqlInputTag).filter(SqlInputTag.input_uuid.in_(ids)).delete(
            synchronize_session=False
        )
        mine.delete(synchronize_session=False)
        used = session.query(SqlInput.source_id)
        session.query(SqlDataset).filter(SqlDataset.dataset_uuid.not_in(used)).delete(
            synchronize_session=False
        )


def _folder(artifact_uri: str) -> Path | None:
    """Where a run's files lie on this machine; None: elsewhere."""
    parts = urlparse(artifact_uri)
    return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None


def _root(uri: str) -> Path:
    return Path(url2pathname(urlparse(artifact_root(uri) or "").path))


def _files(folder: Path | None) -> Iterator[Path]:
    return (each for each in folder.rglob("*") if each.is_file()) if folder else iter(())


@contextlib.contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
    with contextlib.closing(connection):
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.Error as error:
            raise Unavailable(
                f"MLflow's store {database} cannot be read: {error}",
                hint="end the process that uses it, or wait for it, and run this again",
            ) from error

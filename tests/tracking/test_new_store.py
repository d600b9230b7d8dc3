"""MLflow's store of a new home: its tables are copied from the first one of the machine."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from llmops.tasks.tracking.place import own_database
from llmops.tasks.tracking.store import opened, prepare, tracking_uri


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "llmops-pipelines"


def default_folder(home: Path) -> str:
    """Where a store keeps the files of its first experiment, and that it takes another one."""
    with opened(home, tracking_uri(home)) as client:
        assert client.create_experiment("more") == "1"
        location: str = client.get_experiment("0").artifact_location
        return location


def test_the_second_store_of_a_machine_is_a_copy_without_the_first_one_s_rows(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    prepare(first)
    (kept,) = cache.iterdir()
    assert str(first).encode() in own_database(first).read_bytes()
    assert str(first).encode() not in kept.read_bytes()
    prepare(second)
    for home in (first, second):
        assert default_folder(home) == (home / "mlflow" / "artifacts" / "0").as_uri()
    with closing(sqlite3.connect(own_database(second))) as database:
        assert database.execute("SELECT count(*) FROM workspaces").fetchone() == (1,)
        assert database.execute("PRAGMA quick_check").fetchone() == ("ok",)
    kept.write_bytes(kept.read_bytes()[:4096])
    prepare(third)
    assert default_folder(third) == (third / "mlflow" / "artifacts" / "0").as_uri()
    assert [file.stat().st_size > 100_000 for file in cache.iterdir()] == [True]


def test_a_store_is_made_where_there_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    prepare(tmp_path / "home")
    assert default_folder(tmp_path / "home")

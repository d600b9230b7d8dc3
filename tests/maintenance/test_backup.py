"""Backup and restore: another home with the same answers, nothing paid again, nothing believed
unchecked, whatever else goes on.
"""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert

from llmops.tasks.audit.log import entries
from llmops.tasks.audit.verify import verify as verify_audit
from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import close_ledgers, now, open_ledger
from llmops.tasks.ledger.tables import slots
from llmops.tasks.maintenance.backup import restoring, vault
from llmops.tasks.maintenance.backup.make import BackupMade, backup
from llmops.tasks.maintenance.backup.restoring import restore, verify
from llmops.tasks.maintenance.backup.sets import read_set
from llmops.tasks.maintenance.backup.vault import Vault
from llmops.tasks.maintenance.garbage import gc
from llmops.tasks.maintenance.repair import repair
from tests.postgres import fresh_database
from tests.sabotage import Killed, armed
from tests.workshop import EDITED, TEXTS, Workshop


@pytest.fixture
def shop(lance_shop: Workshop) -> Workshop:
    lance_shop.build(TEXTS)
    return lance_shop


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "vault")


@pytest.fixture
def other(shop: Workshop, tmp_path: Path) -> Workshop:
    """The same knowledge base in a home that is not there yet."""
    made = Workshop(tmp_path / "elsewhere", shop.store, kb=shop.kb)
    shutil.rmtree(made.home)
    made.bill = shop.bill
    return made


def objects(place: str) -> list[Path]:
    return sorted(path for path in Path(place, "objects").rglob("*") if path.is_file())


def test_a_home_that_burnt_down_goes_on_as_it_was(
    shop: Workshop, other: Workshop, place: str
) -> None:
    shop.build(EDITED)
    note = shop.home / "datasets" / "desk" / "v1" / "train.jsonl"
    note.parent.mkdir(parents=True)
    note.write_text("{}\n")
    rows, bill, before = shop.rows(), shop.paid(), entries(shop.home)
    made = backup(shop.home, place)
    assert (made.problems, made.knowledge_bases) == ((), {"shop": 2})
    shutil.rmtree(shop.home)
    told = restore(other.home, place)
    assert (told.id, told.files, told.bytes) == (made.id, made.files, made.bytes)
    assert other.rows() == rows
    assert other.sound()
    assert other.statuses() == {1: "published", 2: "published"}
    assert (other.home / "datasets" / "desk" / "v1" / "train.jsonl").read_text() == "{}\n"
    assert repair(other.handle)["embeddings"]["computed"] == 0
    assert other.build(EDITED | TEXTS) == 3
    assert other.paid() == bill
    log = entries(other.home)
    assert "restore" in [each.action for each in log[: -len(before)]]
    assert log[-len(before) :] == before
    assert verify_audit(other.home).ok


def test_what_is_there_already_is_not_written_again(shop: Workshop, place: str) -> None:
    first = backup(shop.home, place)
    assert first.new_files == len(objects(place)) > 0
    again = backup(shop.home, place)
    assert (again.files, again.new_bytes) == (first.files, 0)
    shop.build(EDITED)
    more = backup(shop.home, place)
    assert 0 < more.new_files < more.files
    assert not list(shop.home.glob(".backup-*"))


def test_only_so_many_are_kept_and_what_they_need(
    shop: Workshop, other: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[BackupMade] = []
    for texts in (TEXTS, EDITED, {"d1.txt": "Only the pier is left."}):
        shop.build(texts, keep=1)
        gc(shop.handle)
        made.append(backup(shop.home, place))
    before = len(objects(place))
    kept = backup(shop.home, place, keep=2)
    assert kept.removed == (made[0].id, made[1].id)
    assert len(objects(place)) == before  # another backup may be about to name them
    monkeypatch.setattr(vault, "UNUSED_SECONDS", 0.0)
    last = backup(shop.home, place, keep=1)
    assert Vault(place).ids() == [last.id]
    assert len(objects(place)) == len({file.sha256 for file in Vault(place).read().files}) < before
    restore(other.home, place)
    assert other.sound()


@pytest.mark.parametrize("what", ["changed", "shortened", "gone"])
def test_a_damaged_backup_is_refused_whole(
    shop: Workshop, other: Workshop, place: str, what: str
) -> None:
    backup(shop.home, place)
    assert verify(place) == []
    file = objects(place)[0]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    if what == "gone":
        file.unlink()
    else:
        file.write_bytes(content if what == "changed" else content[:-1])
    with pytest.raises(Damaged, match="the backup is damaged"):
        restore(other.home, place)
    assert [path.name for path in other.home.iterdir()] == [".restore.lock"]
    assert len(verify(place)) == 1


def test_a_set_that_says_something_else_is_refused(
    shop: Workshop, other: Workshop, place: str
) -> None:
    made = backup(shop.home, place)
    file = Path(place, "sets", f"{made.id}.json")
    file.write_text(file.read_text().replace('"path": "ledger.db"', '"path": "ledgers.db"'))
    with pytest.raises(Damaged, match="it does not say what was written"):
        restore(other.home, place)


def test_a_path_out_of_the_home_is_refused() -> None:
    from llmops.tasks.maintenance.backup.sets import BackupFile

    for path in ("../ledger.db", "/etc/passwd", "a/../../b", "", "a\\..\\b"):
        with pytest.raises(ValueError, match="inside the home"):
            BackupFile(path=path, sha256="0" * 64, bytes=1)


def test_a_newer_release_and_rubbish_are_told_apart() -> None:
    with pytest.raises(Damaged, match="newer version of llmops"):
        read_set(b'{"sha256": "x", "set": {"schema_version": 3}}', "there")
    for content in (b"", b"[]", b"\xff", b'{"set": 1}', b"[" * 10_000):
        with pytest.raises(Damaged, match="the backup is damaged"):
            read_set(content, "there")


def test_a_home_in_use_and_an_empty_vault_are_refused(
    shop: Workshop, other: Workshop, place: str
) -> None:
    with pytest.raises(UsageError, match="there is no backup at"):
        restore(other.home, place)
    made = backup(shop.home, place)
    rows = shop.rows()
    with pytest.raises(UsageError, match="is in use: it has"):
        restore(shop.home, place)
    assert shop.rows() == rows
    with pytest.raises(UsageError, match=f"known: {made.id}"):
        restore(other.home, place, "20200101T000000000Z-abcdef")
    with pytest.raises(UsageError, match="nothing to back up"):
        backup(other.home, place)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_restore_that_is_killed_is_begun_anew(
    shop: Workshop, other: Workshop, place: str, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Between any two of the moves into place."""
    backup(shop.home, place)
    with monkeypatch.context() as patched:
        armed(patched, "pathlib:Path.replace", "before", turn, Killed)
        with pytest.raises(Killed):
            restore(other.home, place)
    assert not (other.home / "ledger.db").exists()
    restore(other.home, place)
    assert other.sound()
    assert not (other.home / restoring.PARTIAL).exists()


def test_a_backup_that_is_killed_leaves_none(
    shop: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        armed(patched, "llmops.tasks.maintenance.backup.vault:Vault.write", "before", 1, Killed)
        with pytest.raises(Killed):
            backup(shop.home, place)
    assert Vault(place).ids() == []
    (shop.home / ".backup-999999999").mkdir()  # of a process that was killed
    backup(shop.home, place)
    assert not list(shop.home.glob(".backup-*"))


def test_who_held_what_is_forgotten(shop: Workshop, other: Workshop, place: str) -> None:
    with shop.handle.hold(), shop.ledger.write() as connection:
        connection.execute(
            insert(slots).values(
                flow="index",
                name="shop",
                run_id="r",
                began_at=now(),
                host="h",
                pid=1,
                process_started=1.0,
            )
        )
        backup(shop.home, place)
    restore(other.home, place)
    with other.ledger.read() as connection:
        assert connection.execute(slots.select()).all() == []
    assert other.build(EDITED) == 2


def test_what_was_damaged_before_is_told_and_kept(
    shop: Workshop, other: Workshop, place: str
) -> None:
    table = next((shop.home / "lancedb").glob("*.lance"))
    for path in (table / "data").iterdir():
        path.unlink()
    made = backup(shop.home, place)
    assert ["cannot be read from the store" in each for each in made.problems] == [True]
    restore(other.home, place)
    assert repair(other.handle)["embeddings"]["computed"] == 0
    assert other.sound()


def test_to_a_url_and_from_a_lake_elsewhere(
    lance_shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, place = lance_shop, f"memory://{tmp_path.name}"
    monkeypatch.setenv("LLMOPS_LAKE", f"memory://lake-{tmp_path.name}")
    shop.build(TEXTS)
    assert backup(shop.home, place).problems == ()
    other = Workshop(tmp_path / "elsewhere", shop.store, kb=shop.kb)
    shutil.rmtree(other.home)
    monkeypatch.setenv("LLMOPS_LAKE", f"memory://new-lake-{tmp_path.name}")
    restore(other.home, place)
    assert not (other.home / "lake").exists()
    assert other.sound()


def test_it_is_sound_while_builds_and_gc_go_on(shop: Workshop, place: str, tmp_path: Path) -> None:
    """Whatever moment it is: one version is live, whole, with all texts and vectors."""
    done, failed = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            number = 0
            while not done.is_set():
                number += 1
                shop.build(TEXTS | {"d0.txt": f"The boat {number} has left the harbour."}, keep=2)
                for path in (shop.home / "lake").rglob("*"):
                    os.utime(path, (time.time() - 7_200,) * 2)
                gc(shop.handle)
        except BaseException as error:
            failed.append(error)
            raise

    worker = threading.Thread(target=work)
    worker.start()
    made, deadline = list[BackupMade](), time.monotonic() + 60
    try:
        while len(made) < 4 or len({each.knowledge_bases["shop"] for each in made}) < 2:
            made.append(backup(shop.home, place))
            assert time.monotonic() < deadline
    finally:
        done.set()
        worker.join()
    assert not failed
    assert {each.problems for each in made} == {()}
    for number, each in enumerate(made):
        home = tmp_path / f"restored-{number}"
        restore(home, place, each.id)
        copy = Workshop(tmp_path, shop.store, kb=shop.kb)
        copy.home = home
        found = copy.verified(thorough=True)
        assert (found["ok"], found["version"]) == (True, each.knowledge_bases["shop"])


def test_mlflow_finds_its_files_again(shop: Workshop, other: Workshop, place: str) -> None:
    """The tables as MLflow makes them are a second's work: those that name files are enough."""
    root = shop.home / "mlflow"
    (root / "artifacts" / "7" / "r").mkdir(parents=True)
    (root / "artifacts" / "7" / "r" / "report.md").write_text("better")
    with closing(sqlite3.connect(root / "mlflow.db")) as store, store:
        store.execute("CREATE TABLE experiments (artifact_location TEXT)")
        store.execute("CREATE TABLE runs (artifact_uri TEXT)")
        uri = (root / "artifacts" / "7").resolve().as_uri()
        store.execute("INSERT INTO experiments VALUES (?)", (uri,))
        store.execute("INSERT INTO runs VALUES (?), ('s3://bucket/7')", (f"{uri}/r",))
    backup(shop.home, place)
    restore(other.home, place)
    with closing(sqlite3.connect(other.home / "mlflow" / "mlflow.db")) as store:
        found = [*store.execute("SELECT artifact_uri FROM runs ORDER BY 1")]
        (folder,) = store.execute("SELECT artifact_location FROM experiments").fetchone()
    there = (other.home / "mlflow" / "artifacts" / "7").resolve().as_uri()
    assert (folder, found) == (there, [(f"{there}/r",), ("s3://bucket/7",)])
    assert (other.home / "mlflow" / "artifacts" / "7" / "r" / "report.md").read_text() == "better"


@pytest.fixture
def databases(postgres: str) -> Iterator[tuple[str, str]]:
    yield fresh_database(postgres), fresh_database(postgres)
    close_ledgers()


def test_a_ledger_on_postgresql_comes_back_there(
    lance_shop: Workshop,
    tmp_path: Path,
    place: str,
    databases: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = databases
    monkeypatch.setenv("LLMOPS_LEDGER_URL", first)
    (lance_shop.home / "ledger.db").unlink()
    lance_shop.build(TEXTS)
    rows = lance_shop.rows()
    assert backup(lance_shop.home, place).problems == ()
    other = Workshop(tmp_path / "elsewhere", lance_shop.store, kb=lance_shop.kb)
    shutil.rmtree(other.home)
    with pytest.raises(UsageError, match="holds 1 knowledge bases already"):
        restore(other.home, place)
    monkeypatch.setenv("LLMOPS_LEDGER_URL", second)
    restore(other.home, place)
    assert not (other.home / "ledger.db").exists()
    assert (other.rows(), other.sound()) == (rows, True)
    assert verify_audit(other.home).ok
    monkeypatch.delenv("LLMOPS_LEDGER_URL")  # and into a file
    third = Handle(home=tmp_path / "third", name="shop")
    restore(third.home, place)
    assert third.published().version == 1
    assert open_ledger(third.home).where.endswith("ledger.db")

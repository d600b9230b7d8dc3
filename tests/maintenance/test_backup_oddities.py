"""What a backup meets that is out of the ordinary: places in the home, odd files, two at once, an
application that begins in the middle of a restore.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.ledger import close_ledgers, open_ledger
from llmops.tasks.maintenance.backup import restoring, vault
from llmops.tasks.maintenance.backup.ledgers import settle
from llmops.tasks.maintenance.backup.make import backup
from llmops.tasks.maintenance.backup.restoring import restore, verify
from llmops.tasks.maintenance.backup.sets import read_set
from llmops.tasks.maintenance.backup.vault import Vault
from tests.commandline import llmops
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
    return made


def test_a_place_in_the_home_or_in_its_lake_is_refused(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(shop.home)
    for place in (shop.home, shop.home / "backups", tmp_path / "link" / "backups"):
        with pytest.raises(UsageError, match="would lie inside what it copies"):
            backup(shop.home, str(place))
    monkeypatch.setenv("LLMOPS_LAKE", str(tmp_path / "lake"))
    with pytest.raises(UsageError, match="would lie inside what it copies"):
        backup(shop.home, str(tmp_path / "lake" / "backups"))
    with pytest.raises(UsageError, match="is empty"):
        backup(shop.home, "")


def test_what_cannot_be_held_is_left_out_and_said(
    shop: Workshop, other: Workshop, place: str, tmp_path: Path
) -> None:
    folder, away = shop.home / "datasets", tmp_path / "away"
    folder.mkdir()
    away.mkdir()
    (away / "rows.jsonl").write_text("{}")
    (folder / "loop").symlink_to("loop")
    (folder / "back\\slash").write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_text("x")
    os.mkfifo(folder / "pipe")
    (folder / "elsewhere").symlink_to(away)
    (away / "round").symlink_to(folder)
    (shop.home / "all").symlink_to(shop.home)
    (folder / ".hidden").write_text("x")
    (folder / "two\nlines").write_text("x")
    (shop.home / "moving").write_text("mine")
    made = backup(shop.home, place)
    for what in ("loop", "slash", "UTF-8", "pipe"):
        assert any(what in each for each in made.left_out)
    restore(other.home, place)
    got = other.home / "datasets"
    assert {each.name for each in got.iterdir()} == {"elsewhere", ".hidden", "two\nlines"}
    assert (got / "elsewhere" / "rows.jsonl").read_text() == "{}"
    assert (other.home / "moving").read_text() == "mine"
    assert other.sound()


def test_a_home_that_was_begun_meanwhile_is_not_overwritten(
    shop: Workshop, other: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(shop.home, place)

    def begun(path: Path) -> object:
        with open_ledger(other.home).read():
            return settle(path)

    monkeypatch.setattr(restoring, "settle", begun)
    with pytest.raises(UsageError, match="is in use: it has ledger"):
        restore(other.home, place)
    assert not (other.home / "lancedb").exists()


def test_a_ledger_is_not_put_beside_the_journal_of_another(
    shop: Workshop, other: Workshop, place: str
) -> None:
    backup(shop.home, place)
    other.home.mkdir()
    (other.home / "ledger.db-wal").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"is in use: it has ledger\.db-wal"):
        restore(other.home, place)


def test_a_restore_that_was_killed_as_it_ended_takes_nothing_back(
    shop: Workshop, other: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(shop.home, place)
    with monkeypatch.context() as patched:
        armed(patched, "pathlib:Path.unlink", "before", 1, Killed)
        with pytest.raises(Killed):
            restore(other.home, place)
    assert (other.home / restoring.PARTIAL).exists()
    other.bill = shop.bill
    other.build(EDITED)
    with pytest.raises(UsageError, match="is in use"):
        restore(other.home, place)
    assert other.sound()
    assert other.statuses() == {1: "published", 2: "published"}


def test_a_restore_into_postgresql_that_is_killed_is_begun_anew(
    shop: Workshop,
    other: Workshop,
    place: str,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backup(shop.home, place)
    monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_database(postgres))
    with monkeypatch.context() as patched:
        armed(patched, "pathlib:Path.replace", "before", 3, Killed)
        with pytest.raises(Killed):
            restore(other.home, place)
    restore(other.home, place)
    assert other.sound()
    close_ledgers()


def test_what_a_backup_counts_on_survives_the_keep_of_another(
    shop: Workshop, other: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that only old sets need, which another backup forgets while this one goes on."""
    backup(shop.home, place)
    shop.build(EDITED)
    for path in Path(place, "objects").rglob("*"):
        os.utime(path, (0, 0))
    away = shop.home.rename(shop.home.with_name("away"))
    little = Workshop(shop.home.parent, shop.store, kb="little")
    little.build({"a.txt": "Only the pier is left."})
    shutil.copy(away / "home.id", little.home)
    write = Vault.write

    def meanwhile(self: Vault, made: object) -> None:
        monkeypatch.setattr(Vault, "write", write)
        backup(little.home, place, keep=1)
        write(self, made)  # type: ignore[arg-type]

    monkeypatch.setattr(Vault, "write", meanwhile)
    close_ledgers()
    made = backup(away, place)
    assert verify(place, made.id) == []
    assert len(Vault(place).ids()) == 2
    monkeypatch.setattr(vault, "UNUSED_SECONDS", 0.0)
    close_ledgers()
    backup(little.home, place, keep=1)
    assert not list(Path(place, "gone").iterdir())


def test_files_of_a_backup_that_goes_on_are_not_tidied_away(shop: Workshop, place: str) -> None:
    """Whatever its process is called: containers that share a home have the same numbers."""
    from llmops.tasks.maintenance.backup.staging import staged

    with staged(shop.home) as first:
        assert backup(shop.home, place).problems == ()
        assert (first.folder / "ledger.db").is_file()
    assert not list(shop.home.glob(".backup-*"))


def test_backups_of_a_damaged_home_take_the_place_of_none(shop: Workshop, place: str) -> None:
    good = backup(shop.home, place)
    for path in next((shop.home / "lancedb").glob("*.lance/data")).iterdir():
        path.unlink()
    made = backup(shop.home, place, keep=1)
    assert (len(made.problems), made.removed) == (1, ())
    assert Vault(place).ids() == [good.id, made.id]


def test_a_damaged_set_stands_in_no_other_backups_way(
    shop: Workshop, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = backup(shop.home, place)
    bad = Path(place, "sets", "20200101T000000000Z-abcdef.json")
    bad.write_text("{}")
    rows = llmops("backup", place, "--list", "--json").data["backups"]
    assert [(row["id"], row["problems"]) for row in rows] == [(first.id, 0), (bad.stem, 1)]
    monkeypatch.setattr(vault, "UNUSED_SECONDS", 0.0)
    there = len([*Path(place, "objects").rglob("*")])
    made = backup(shop.home, place, keep=3)
    assert made.removed == ()
    assert len([*Path(place, "objects").rglob("*")]) >= there
    assert backup(shop.home, place, keep=2).removed == (bad.stem, first.id)


def test_a_set_of_what_is_no_home_is_refused(shop: Workshop, place: str) -> None:
    backup(shop.home, place)
    good = Vault(place).read()
    small = min(good.files, key=lambda file: file.bytes)
    odd = ("ledger.db", "ledger.db/x", "lake", "./x", ".moving", ".restore.lock", "a//b")
    sets = [(*good.files, small.model_copy(update={"path": path})) for path in odd]
    sets.append(tuple(file for file in good.files if file.path != "ledger.db"))
    for files in sets:
        written = good.model_copy(update={"files": files}).written()
        with pytest.raises(Damaged, match=r"is wanted|are wanted"):
            read_set(written, "there")


def test_a_database_that_cannot_be_copied_is_named(shop: Workshop, place: str) -> None:
    (shop.home / "mlflow").mkdir()
    (shop.home / "mlflow" / "mlflow.db").write_bytes(b"no database, but long enough" * 99)
    with pytest.raises(Damaged, match=r"mlflow\.db is damaged"):
        backup(shop.home, place)


def test_who_could_read_a_file_can_read_it_again_and_nobody_else(
    shop: Workshop, tmp_path: Path, place: str
) -> None:
    modes = {"notes/secret.txt": 0o600, "notes/run.sh": 0o750, "notes/open.txt": 0o644}
    (shop.home / "notes").mkdir()
    for name, mode in modes.items():
        (shop.home / name).write_text(f"{name}: the harbour's secret")
        (shop.home / name).chmod(mode)
    (shop.home / "ledger.db").chmod(0o600)
    backup(shop.home, place)
    inside = {
        path.stat().st_mode & 0o777
        for path in Path(place, "objects").rglob("*")
        if path.is_file() and path.read_bytes().startswith(b"notes/secret")
    }
    assert inside == {0o600}
    home = tmp_path / "elsewhere"
    restore(home, place)
    for name, mode in (modes | {"ledger.db": 0o600}).items():
        assert (home / name).stat().st_mode & 0o777 == mode, name


def test_what_a_link_leads_to_comes_back_and_not_the_link(
    shop: Workshop, tmp_path: Path, place: str
) -> None:
    away = tmp_path / "away"
    (away / "more").mkdir(parents=True)
    (away / "more" / "a.txt").write_text("elsewhere")
    (shop.home / "notes").symlink_to(away)
    backup(shop.home, place)
    restore(tmp_path / "elsewhere", place)
    back = tmp_path / "elsewhere" / "notes"
    assert (back.is_symlink(), (back / "more" / "a.txt").read_text()) == (False, "elsewhere")


def old(path: Path) -> None:
    """A set as release 0.2 wrote it: without modes, and without saying of which home it is."""
    told = json.loads(path.read_text())["set"]
    told |= {"schema_version": 1}
    del told["home_id"]
    for file in told["files"]:
        del file["mode"]
    content = json.dumps(told, sort_keys=True, ensure_ascii=False, indent=1).encode()
    whole = {"sha256": hashlib.sha256(content).hexdigest(), "set": told}
    path.write_text(json.dumps(whole, sort_keys=True, ensure_ascii=False, indent=1))


def test_two_homes_at_one_place_keep_each_their_own(
    shop: Workshop, tmp_path: Path, place: str
) -> None:
    little = Workshop(tmp_path / "little", shop.store, kb="little")
    little.build({"a.txt": "Only the pier is left."})
    first, second = backup(shop.home, place), backup(little.home, place)
    old(Path(place, "sets", f"{first.id}.json"))
    third = backup(shop.home, place)
    assert backup(little.home, place, keep=2).removed == ()
    last = backup(little.home, place, keep=1)
    assert last.removed[0] == second.id
    assert backup(shop.home, place, keep=2).removed == (first.id,)  # of the home that lay there
    assert {third.id, last.id} <= set(Vault(place).ids())
    with pytest.raises(UsageError, match="2 homes keep their backups"):
        restore(tmp_path / "back", place)
    assert restore(tmp_path / "back", place, last.id).knowledge_bases == {"little": 1}
    assert (tmp_path / "back" / "home.id").read_text() == (little.home / "home.id").read_text()


def test_a_set_of_an_earlier_release_is_restored(
    shop: Workshop, tmp_path: Path, place: str
) -> None:
    made = backup(shop.home, place)
    old(Path(place, "sets", f"{made.id}.json"))
    assert verify(place, made.id) == []
    assert restore(tmp_path / "back", place).id == made.id

"""The audit log on SQLite and on PostgreSQL: a chain that shows what was done to it, and people who
can be erased from it.
"""

import logging
import multiprocessing
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from llmops.tasks import ledger
from llmops.tasks.audit import head, people
from llmops.tasks.audit.actor import ACTOR, acting_as, actor
from llmops.tasks.audit.log import Entry, append, count, entries, record
from llmops.tasks.audit.verify import AuditCheck, verify
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import chain, open_ledger
from llmops.tasks.ledger.application import audit
from llmops.tasks.ledger.chain import Head
from llmops.tasks.ledger.tables import knowledge_bases, meta, moves
from tests.ledgers import with_ledger
from tests.postgres import fresh_ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def home(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("LLMOPS_LEDGER_URL", fresh_ledger(request.getfixturevalue("postgres")))
        yield tmp_path / "home"
    else:
        yield with_ledger(tmp_path / "home")
    ledger.close_ledgers()


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a log of five entries: the first one, and four moves of an alias."""
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    home = with_ledger(tmp_path / "home")
    for version in range(1, 5):
        record(home, moved(version))
    yield home
    ledger.close_ledgers()


def moved(version: int, who: str = "ann@desk") -> Entry:
    return Entry(
        action="alias",
        subject="prompt/handbook@champion",
        before=str(version - 1),
        after=str(version),
        reason="run-1",
        who=who,
    )


def test_entries_are_numbered_from_the_one_that_begins_the_log(home: Path) -> None:
    for version in (1, 2):
        record(home, moved(version))
    listed = entries(home)
    assert [(each.number, each.action, each.after) for each in listed] == [
        (3, "alias", "2"),
        (2, "alias", "1"),
        (1, "begun", ""),
    ]
    assert (listed[0].who, listed[2].who) == ("ann@desk", "")
    assert verify(home) == AuditCheck(
        ok=True, entries=3, head=f"3:{listed[0].hash}", wrong=0, problems=[], notes=[]
    )


def test_the_first_entry_says_what_was_live_before_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    with open_ledger(tmp_path).write() as connection:
        rows = [("b", 7), ("a", 2), ("never", None)]
        for name, live in rows:
            row = {"name": name, "live": live, "next_version": 9, "created_at": ledger.now()}
            connection.execute(insert(knowledge_bases).values(**row))
        connection.execute(delete(audit))
        connection.execute(delete(meta).where(meta.c.key == chain.HEAD))
        assert chain.begin(connection) is not None
        assert chain.begin(connection) is None
    (first,) = entries(tmp_path)
    assert (first.number, first.action, first.after) == (1, "begun", "a@2, b@7")
    ledger.close_ledgers()


def test_a_change_that_is_undone_leaves_no_entry(home: Path) -> None:
    record(home, moved(1))
    with pytest.raises(ZeroDivisionError):
        _append_and_fail(home)
    assert count(home) == 2
    assert verify(home).ok
    assert str(head.remembered(home)) == verify(home).head


def _append_and_fail(home: Path) -> None:
    with open_ledger(home).write() as connection:
        append(connection, moved(2))
        raise ZeroDivisionError


def test_entries_are_found_by_subject_and_action(local: Path) -> None:
    record(local, Entry(action="curate", subject="curated/a_b"))
    assert [each.action for each in entries(local, subject="curated/")] == ["curate"]
    assert entries(local, subject="aXb") == []  # "_" is no wildcard
    assert len(entries(local, action="alias", limit=3)) == 3
    assert entries(local, subject="handbook")[0].after == "4"


def test_text_that_a_database_does_not_take_is_sealed_as_it_is_kept(home: Path) -> None:
    record(home, Entry(action="curate", subject="curated/1", reason="a\0b € 😀", who="a\0b"))
    assert verify(home).ok
    assert entries(home)[0].reason == "a\ufffdb € 😀"


def test_asking_where_there_is_no_home_makes_none(tmp_path: Path) -> None:
    assert entries(tmp_path / "none") == []
    assert verify(tmp_path / "none").ok
    assert not (tmp_path / "none").exists()
    ledger.close_ledgers()


def forge(connection: Connection, number: int, **values: object) -> None:
    """Alter an entry and seal it again, as one would who knows how."""
    row = dict(connection.execute(select(audit).where(audit.c.number == number)).mappings().one())
    row |= values
    sealed = row | {"hash": chain.seal(row)}
    connection.execute(update(audit).where(audit.c.number == number).values(**sealed))


def cut(connection: Connection, after: int, *, told: bool = True) -> None:
    """Remove the newest entries; `told`: and the ledger's own word of them."""
    connection.execute(delete(audit).where(audit.c.number > after))
    if told:
        query = select(audit.c.number, audit.c.hash).where(audit.c.number == after)
        left = connection.execute(query).one()
        mine = meta.c.key == chain.HEAD
        connection.execute(update(meta).where(mine).values(value=f"{left.number}:{left.hash}"))


def insert_between(connection: Connection) -> None:
    """Move the entries from 3 on by one, and put another one there."""
    for number in (5, 4, 3):
        mine = audit.c.number == number
        connection.execute(update(audit).where(mine).values(number=number + 1))
    insert_at(connection, 3)


def insert_at(connection: Connection, number: int) -> None:
    row = dict(connection.execute(select(audit).where(audit.c.number == 2)).mappings().one())
    row |= {"number": number, "previous": row["hash"]}
    connection.execute(insert(audit).values(**(row | {"hash": chain.seal(row)})))


def rewrite(connection: Connection) -> None:
    """Alter entry 3, and seal all that follows anew, with the ledger's word of the last one."""
    forge(connection, 3, after="99")
    for number in (4, 5):
        query = select(audit.c.hash).where(audit.c.number == number - 1)
        forge(connection, number, previous=connection.scalar(query))
    query = select(audit.c.hash).where(audit.c.number == 5)
    said = f"5:{connection.scalar(query)}"
    connection.execute(update(meta).where(meta.c.key == chain.HEAD).values(value=said))


def set_column(number: int, **values: object) -> Callable[[Connection], None]:
    def damage(connection: Connection) -> None:
        connection.execute(update(audit).where(audit.c.number == number).values(**values))

    return damage


def remove(*numbers: int) -> Callable[[Connection], None]:
    def damage(connection: Connection) -> None:
        connection.execute(delete(audit).where(audit.c.number.in_(numbers)))

    return damage


def wipe(connection: Connection) -> None:
    connection.execute(delete(audit))
    connection.execute(delete(meta).where(meta.c.key == chain.HEAD))


def forget_head(connection: Connection) -> None:
    connection.execute(delete(meta).where(meta.c.key == chain.HEAD))


@pytest.mark.parametrize(
    ("damage", "number", "says"),
    [
        *(
            (set_column(3, **{column: "another"}), 3, "was altered")
            for column in ("at", "person", "action", "subject", "before", "after", "reason")
        ),
        (set_column(3, hash="0" * 64), 3, "was altered"),
        (set_column(3, previous="0" * 64), 3, "was altered"),
        (lambda connection: forge(connection, 3, after="99"), 4, "does not follow entry 3"),
        (remove(3), 3, "was removed"),
        (remove(2, 3), 2, "was removed, and all up to 3"),
        (remove(1), 1, "was removed"),
        (insert_between, 4, "was altered"),
        (lambda connection: insert_at(connection, 0), 0, "was inserted"),
        (lambda connection: insert_at(connection, 6), 6, "does not follow entry 5"),
        (lambda connection: cut(connection, 3, told=False), 4, "cut off"),
        (lambda connection: cut(connection, 3), 5, "audit.head remembers it; the log was cut off"),
        (rewrite, 5, "is another one than audit.head remembers"),
        (forget_head, 5, "own word of that was removed"),
        (wipe, 1, "every home has it"),
    ],
)
def test_whatever_is_done_to_the_log_is_found_and_named(
    local: Path, damage: Callable[[Connection], None], number: int, says: str
) -> None:
    assert verify(local).ok
    with open_ledger(local).write() as connection:
        damage(connection)
    check = verify(local)
    assert not check.ok
    assert (check.problems[0].number, says in check.problems[0].what) == (number, True), check


def test_an_entry_that_comes_after_a_cut_does_not_hide_it(local: Path) -> None:
    with open_ledger(local).write() as connection:
        cut(connection, 3, told=False)
    record(local, moved(5))
    assert verify(local).problems[0].what.startswith("was removed, and all up to 5")
    with open_ledger(local).write() as connection:
        wipe(connection)
    record(local, moved(6))
    assert "remembers" in verify(local).problems[0].what


def test_an_entry_put_behind_the_last_one_stops_no_change_and_is_found(local: Path) -> None:
    with open_ledger(local).write() as connection:
        insert_at(connection, 6)
    record(local, moved(5))
    assert [problem.number for problem in verify(local).problems] == [6, 7]


def test_without_the_file_a_head_that_was_noted_down_finds_a_cut(local: Path) -> None:
    noted = Head.parse(verify(local).head)
    assert verify(local, noted).ok
    head.file_of(local).unlink()
    with open_ledger(local).write() as connection:
        cut(connection, 3)
    check = verify(local)
    assert check.ok
    assert "audit.head is not there" in check.notes[0]
    assert "--expect remembers it" in verify(local, noted).problems[0].what


def test_a_file_that_cannot_be_written_fails_no_change(
    local: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head.file_of(local).unlink()
    head.file_of(local).mkdir()
    with caplog.at_level(logging.WARNING):
        record(local, moved(5))
    assert "the head of the audit log cannot be kept" in caplog.text
    assert count(local) == 6


def test_a_head_that_is_remembered_never_goes_back(local: Path) -> None:
    latest = head.remembered(local)
    head.keep(local, Head(2, "0" * 64))
    assert head.remembered(local) == latest


@pytest.mark.parametrize("text", ["", "3", "x:" + "0" * 64, "3:abc", "9" * 30 + ":" + "0" * 64])
def test_what_is_no_head_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no head of an audit log"):
        Head.parse(text)


def test_who_acts_is_the_user_or_whoever_the_application_acts_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, _, host = actor().partition("@")
    assert user
    assert host
    with acting_as("desk/bob"):
        assert Entry(action="drop", subject="kb/x").who == "desk/bob"
    assert actor() == f"{user}@{host}"
    monkeypatch.setenv(ACTOR, "f" * 64)
    assert actor() == "f" * 64


def test_a_person_has_one_pseudonym_that_says_nothing(home: Path) -> None:
    book = open_ledger(home)
    mine = people.pseudonym(book, "desk/ann")
    with book.write() as connection:
        assert people.pseudonym(connection, "desk/ann") == mine
        other = people.pseudonym(connection, "desk/bob")
        assert people.names(connection, [mine, other, "f" * 64]) == {
            mine: "desk/ann",
            other: "desk/bob",
        }
    assert len({mine, other}) == 2
    assert len(mine) == 64
    assert people.pseudonym(book, "") == ""
    assert people.pseudonym(book, mine) == mine
    with pytest.raises(UsageError, match="of 513 characters"):
        people.pseudonym(book, "a" * 513)
    assert people.pseudonym(book, "😀" * 512)


def test_an_erased_person_leaves_the_chain_whole_and_comes_back_as_another(home: Path) -> None:
    book = open_ledger(home)
    for version in (1, 2):
        record(home, moved(version, who="desk/ann"))
    before = entries(home)[0]
    with book.write() as connection:
        row = {"prompt": "p", "alias": "a", "to_version": 1, "kind": "first"}
        row |= {"id": "1", "who": "desk/ann", "moved_at": ledger.now()}
        connection.execute(insert(moves).values(**row))
    assert verify(home).ok
    with book.write() as connection:
        assert people.erase(connection, "desk/ann") == before.person
        assert people.erase(connection, "desk/ann") is None
    after = entries(home)[0]
    assert (after.person, after.who, after.hash) == (before.person, "", before.hash)
    assert verify(home).ok
    record(home, moved(3, who="desk/ann"))
    again = entries(home)[0]
    assert again.who == "desk/ann"
    assert again.person != before.person
    with book.read() as connection:
        assert connection.scalar(select(moves.c.who)) == before.person


@pytest.mark.slow
def test_two_processes_write_one_chain(home: Path) -> None:
    open_ledger(home)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(home, name, 40)) for name in ("ann", "bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    check = verify(home)
    assert (check.ok, check.entries) == (True, 81)
    assert str(head.remembered(home)) == check.head
    assert {each.who for each in entries(home, limit=80)} == {"ann", "bob"}


def _write(home: Path, name: str, times: int) -> None:
    for version in range(times):
        record(home, moved(version, who=name))


def test_whatever_moves_a_live_version_writes_an_entry() -> None:
    """In the sources: of a further place that does, another test may not know."""
    root = Path(__file__).parents[2] / "tasks"
    written = re.compile(r"(?:update|insert)\(knowledge_bases\)[^)]*\)?[^)]*\blive=", re.DOTALL)
    moving = {path for path in root.rglob("*.py") if written.search(path.read_text())}
    assert {path.name for path in moving} == {
        *("publish.py", "versions.py", "drop.py", "importing.py", "repair.py")
    }
    assert [path for path in moving if "append(connection, " not in path.read_text()] == []


def test_a_version_that_went_live_without_an_entry_is_found(home: Path) -> None:
    with open_ledger(home).write() as connection:
        row = {"name": "handbook", "live": 3, "next_version": 4, "created_at": ledger.now()}
        connection.execute(insert(knowledge_bases).values(**row))
        append(connection, Entry(action="publish", subject="kb/handbook", before="2", after="3"))
    assert verify(home).ok
    with open_ledger(home).write() as connection:
        connection.execute(update(knowledge_bases).values(live=2))
    (problem,) = verify(home).problems
    assert problem.number == 2
    assert problem.what.endswith("'handbook' is live at 2, and by the log at 3")

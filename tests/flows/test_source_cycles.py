"""A life of each source on the real flow: what is new, changed or gone is found, and nothing is
paid twice.
"""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.laboratory import Laboratory
from tests.plugins.sources.mails import mail, mbox
from tests.plugins.sources.repositories import Repository
from tests.postgres import fresh_database

pytestmark = pytest.mark.slow
MANY_MAY_GO = {"max_delete_fraction": 0.6}


def test_git_pays_for_what_a_commit_changed(lab: Laboratory, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.commit(
        {
            "a.md": "First sentence.\n",
            "docs/b.md": "Second sentence.\n",
            "docs/c.txt": "Third sentence.\n",
        }
    )
    sources = [{"name": "git", "repository": "repository", "history": True}]
    first = lab.build(sources=sources)
    paid = lab.paid()
    assert (first.status, first.documents["new"], lab.build(sources=sources).status) == (
        "published",
        3,
        "unchanged",
    )
    repository.commit({"a.md": "A changed sentence.\n", "docs/c.txt": None, "d.md": "A new one.\n"})
    second = lab.build(sources=sources, limits=MANY_MAY_GO)
    assert (second.documents["new"], second.documents["changed"], second.documents["retired"]) == (
        1,
        1,
        1,
    )
    assert lab.visible() == {"a.md", "d.md", "docs/b.md"}
    repository.git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert lab.build(sources=sources).status == "unchanged"
    assert lab.paid() == paid + 2
    assert lab.verified()


@pytest.mark.parametrize("updated", [None, "changed"])
def test_sql_pays_for_the_rows_that_changed(
    lab: Laboratory, postgres: str, updated: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_DB", url := fresh_database(postgres))
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    sources = [
        {
            "name": "sql",
            "url": "${LAB_DB}",
            "query": "SELECT * FROM pages",
            "key": "id",
            "text": "body",
            "metadata": ["year"],
            **({"updated": updated} if updated else {}),
        }
    ]
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE pages (id int, body text, year int, changed int)"))
        connection.execute(
            text(
                "INSERT INTO pages SELECT n, 'This is the page number ' || n || '.', 2020 + n, 1 "
                "FROM generate_series(1, 12) n"
            )
        )
        first = lab.build(sources=sources)
        paid = lab.paid()
        assert (first.documents["new"], lab.build(sources=sources).status) == (12, "unchanged")
        connection.execute(
            text("UPDATE pages SET body = 'Another text.', changed = 2 WHERE id = 3")
        )
        connection.execute(text("UPDATE pages SET year = 1999, changed = 2 WHERE id = 4"))
        connection.execute(text("DELETE FROM pages WHERE id = 5"))
        connection.execute(text("INSERT INTO pages VALUES (13, 'The thirteenth page.', 2000, 2)"))
        second = lab.build(sources=sources)
    engine.dispose()
    assert (second.documents["new"], second.documents["changed"], second.documents["retired"]) == (
        1,
        2,
        1,
    )
    assert lab.visible() == {str(n) for n in range(1, 14) if n != 5}
    assert lab.paid() == paid + 2
    assert lab.verified()


def test_reader_pays_for_what_changed_and_retires_only_on_the_users_word(lab: Laboratory) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        lab.write(name, f"The text of {name}.")
    source = {
        "name": "reader",
        "reader": "llama_index.core.SimpleDirectoryReader",
        "options": {"input_dir": "./documents"},
        "uri": "file_name",
        "metadata": ["file_type"],
    }
    first = lab.build(sources=[source])
    paid = lab.paid()
    again = lab.build(sources=[source])
    assert (first.documents["new"], again.status, lab.paid()) == (3, "unchanged", paid)
    assert any("complete: true" in warning for warning in again.warnings)
    lab.write("a.txt", "Quite another text.")
    lab.write("d.txt", "The fourth text.")
    (lab.documents / "c.txt").unlink()
    second = lab.build(sources=[source])
    assert (second.documents["new"], second.documents["changed"], second.documents["retired"]) == (
        1,
        1,
        0,
    )
    third = lab.build(sources=[{**source, "complete": True}], limits=MANY_MAY_GO)
    assert (third.documents["retired"], lab.visible()) == (1, {"a.txt", "b.txt", "d.txt"})
    assert lab.paid() == paid + 2
    assert lab.verified()


@pytest.mark.parametrize("by", ["message", "thread"])
def test_mail_pays_for_what_was_written_since(lab: Laboratory, tmp_path: Path, by: str) -> None:
    plan, other = (
        mail("1@x", "Plan", "When do we meet?"),
        mail("9@x", "Other", "Alone.", files={"notes.txt": b"Some notes of the day."}),
    )
    answer = mail(
        "2@x",
        "Re: Plan",
        "On Monday.\n\nOn 1 Jan 2024 Ann wrote:\n> When do we meet?\n",
        answers="1@x",
        date=2,
    )
    sources = [{"name": "mail", "path": "box", "by": by}]
    mbox(tmp_path / "box", plan, other)
    first, paid = lab.build(sources=sources), lab.paid()
    mbox(tmp_path / "box", plan.replace(b"From: ", b"Status: RO\nFrom: ", 1), other)
    assert (first.documents["new"], lab.build(sources=sources).status, lab.paid()) == (
        3,
        "unchanged",
        paid,
    )
    mbox(tmp_path / "box", plan, other, answer)
    lab.build(sources=sources)
    uris = {"1@x", "9@x", "9@x/notes.txt"}
    assert lab.visible() == (uris | {"2@x"} if by == "message" else uris)
    assert "> When" not in " ".join(lab.bills()[paid:])
    assert 0 < lab.paid() - paid <= 2
    mbox(tmp_path / "box", plan, answer)
    gone = lab.build(sources=sources, allow_deletes=True)
    assert (gone.documents["retired"], lab.visible() & uris) == (2, {"1@x"})
    assert lab.verified()

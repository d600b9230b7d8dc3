"""Sessions: what is kept of them, whose they are, and when they end."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from llmops.tasks.access import keys, sessions
from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.review import sessions as table


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def kept(home: Path) -> list[str]:
    with open_ledger(home).read() as connection:
        return [str(dict(row)) for row in connection.execute(select(table)).mappings()]


def test_a_session_acts_as_its_key_and_is_kept_as_a_hash(home: Path) -> None:
    key, presented = keys.create(home, "web", ["ask"], labels=["staff"])
    session, token = sessions.begin(home, key)
    assert sessions.read(home, token) == session
    assert session.key == key
    assert token not in str(kept(home))
    assert presented not in str(kept(home))


def test_a_session_ends_with_its_key(home: Path) -> None:
    key, _ = keys.create(home, "web", ["ask"])
    _, token = sessions.begin(home, key)
    keys.revoke(home, "web")
    assert sessions.read(home, token) is None


def test_a_session_ends_by_itself_and_is_swept_away(home: Path) -> None:
    _, token = sessions.begin(home, "Anna")
    with open_ledger(home).write() as connection:
        connection.execute(update(table).values(expires_at=now() - timedelta(seconds=1)))
    assert sessions.read(home, token) is None
    sessions.begin(home, "Bo")
    assert len(kept(home)) == 1


def test_signing_in_again_gives_a_new_token_and_ends_the_old_session(home: Path) -> None:
    _, old = sessions.begin(home, "Anna")
    _, new = sessions.begin(home, "Anna", before=old)
    assert old != new
    assert sessions.read(home, old) is None
    sessions.end(home, new)
    assert sessions.read(home, new) is None


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "' or 1=1 --", "\0" * 43, "é" * 43])
def test_what_is_no_token_opens_nothing(home: Path, token: str) -> None:
    sessions.begin(home, "Anna")
    assert sessions.read(home, token) is None


@pytest.mark.parametrize(
    ("given", "name"),
    [("Anna", "Anna"), ("  Bo \t Li ", "Bo Li"), ("علی‌رضا", "علی‌رضا"), ("x" * 80,) * 2],
)
def test_a_name_is_kept_as_it_is_written(home: Path, given: str, name: str) -> None:
    assert sessions.begin(home, given)[0].name == name


@pytest.mark.parametrize("given", ["", "  ", "x" * 81, "a\x1b[31m", "a\u202eb"])
def test_what_is_no_name_is_refused(home: Path, given: str) -> None:
    with pytest.raises(UsageError, match="a name of"):
        sessions.begin(home, given)

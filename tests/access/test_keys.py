"""Keys: what is kept of them, who has one, and when one ends."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from llmops.tasks import ledger
from llmops.tasks.access import keys
from llmops.tasks.access.keys import ApiKey, KnownKeys, create, listed, revoke, verify
from llmops.tasks.audit.log import entries
from llmops.tasks.audit.verify import verify as verify_log
from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import api_keys
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
    keys.KNOWN.forget()
    ledger.close_ledgers()


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def made(home: Path, name: str = "desk", **options: Any) -> tuple[ApiKey, str]:
    return create(home, name, options.pop("scopes", ["ask", "search"]), **options)


def test_a_key_is_shown_once_and_kept_as_a_hash(home: Path) -> None:
    key, presented = made(
        home, role="editor", labels=["staff"], usd_per_month=5.0, requests_per_minute=60
    )
    assert re.fullmatch(r"llmops_[A-Za-z0-9_-]{43}", presented)
    assert re.fullmatch(r"[0-9a-f]{12}", key.id)
    assert verify(home, presented) == key == listed(home)[0]
    assert (key.role, sorted(key.scopes), [*key.labels]) == ("editor", ["ask", "search"], ["staff"])
    assert (key.usd_per_month, key.requests_per_minute, key.revoked_at) == (5.0, 60, None)
    assert key.may("ask")
    assert not key.may("curate")
    with open_ledger(home).read() as connection:
        (row,) = connection.execute(select(api_keys)).mappings()
    assert presented.removeprefix("llmops_") not in str(dict(row))


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "llmops_",
        "llmops_" + "A" * 43,
        "llmops_" + "A" * 44,
        "sk-" + "A" * 43,
        "llmops_" + "ä" * 43,
        "llmops_" + "A" * 42 + "\n",
        "A" * 100_000,
    ],
)
def test_what_is_no_key_is_none(home: Path, presented: str) -> None:
    made(home)
    assert verify(home, presented) is None


def test_a_part_of_the_hash_is_not_enough(home: Path) -> None:
    key, presented = made(home)
    with open_ledger(home).write() as connection:
        connection.execute(api_keys.update().values(hash=key.id + "0" * 52))
    assert verify(home, presented) is None


def test_asking_for_a_key_where_there_is_no_home_makes_none(tmp_path: Path) -> None:
    assert verify(tmp_path / "none", "llmops_" + "A" * 43) is None
    assert listed(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_a_revoked_key_ends_within_a_second_elsewhere_and_at_once_here(home: Path) -> None:
    clock = Clock()
    elsewhere = KnownKeys(clock)  # of another process: nobody tells it
    _, presented = made(home)
    assert elsewhere.verify(home, presented)
    assert verify(home, presented)
    ended = revoke(home, "desk")
    assert ended.revoked_at is not None
    assert verify(home, presented) is None
    clock.seconds += 0.999
    assert elsewhere.verify(home, presented)
    clock.seconds += 0.001
    assert elsewhere.verify(home, presented) is None
    assert elsewhere._found == {}


def test_a_key_costs_one_query_a_second_and_what_is_none_is_not_remembered(home: Path) -> None:
    clock = Clock()
    known = KnownKeys(clock)
    _, presented = made(home)
    queries: list[str] = []
    engine = open_ledger(home)._engine
    event.listen(
        engine, "before_cursor_execute", lambda *given: queries.append(given[2]), named=False
    )
    for _ in range(10):
        known.verify(home, presented)
    assert len([query for query in queries if "api_keys" in query]) == 1
    for number in range(10):
        known.verify(home, f"llmops_{number:043d}")
    assert len([query for query in queries if "api_keys" in query]) == 11
    assert len(known._found) == 1


def test_names_are_unique_among_valid_keys(home: Path) -> None:
    first, _ = made(home)
    with pytest.raises(UsageError, match="a key 'desk' exists already") as caught:
        made(home)
    assert "llmops keys revoke desk" in caught.value.hint
    revoke(home, "desk")
    second, _ = made(home)
    assert first.id != second.id
    assert revoke(home, first.id).revoked_at is not None
    assert revoke(home, "desk").id == second.id  # the valid one of that name


def test_an_end_that_is_asked_for_again_changes_nothing(home: Path) -> None:
    made(home)
    ended = revoke(home, "desk")
    assert revoke(home, ended.id) == ended
    assert [each.action for each in entries(home)] == ["revoke_key", "create_key", "begun"]
    with pytest.raises(UsageError, match="no key is called 'dusk'"):
        revoke(home, "dusk")


def test_an_unknown_name_is_answered_with_a_like_one(home: Path) -> None:
    made(home)
    with pytest.raises(UsageError) as caught:
        revoke(home, "dask")
    assert caught.value.hint == "did you mean desk?"


@pytest.mark.parametrize(
    ("options", "where", "says"),
    [
        ({"name": ""}, "NAME", "got ''"),
        ({"name": "two words"}, "NAME", "letters, digits"),
        ({"name": "a" * 64}, "NAME", "at most 63"),
        ({"name": "0123456789ab"}, "NAME", "which an id has"),
        ({"labels": ["a b"]}, "labels", "without spaces"),
        ({"scopes": []}, "scopes", "at least one of ask"),
        ({"scopes": ["aks"]}, "scopes", "did you mean ask?"),
        ({"scopes": ["admin"]}, "scopes", "editor or operator"),
        ({"role": "root"}, "role", "viewer, reviewer, editor, operator"),
        ({"usd_per_month": -1.0}, "usd_per_month", "0 or more"),
        ({"usd_per_month": float("nan")}, "usd_per_month", "0 or more"),
        ({"requests_per_minute": 0}, "requests_per_minute", "1 or more"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path, options: dict[str, Any], where: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, **options)
    (mistake,) = caught.value.mistakes()
    assert mistake.where == where
    assert says in str(mistake)
    assert not (tmp_path / "ledger.db").exists()


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path, name="", scopes=["x"], role="y", requests_per_minute=0)
    assert [mistake.where for mistake in caught.value.mistakes()] == [
        "NAME",
        "scopes",
        "role",
        "requests_per_minute",
    ]


def test_the_audit_log_has_ids_and_no_names_of_keys(home: Path) -> None:
    key, _ = made(home, "anns-laptop", labels=["staff"], usd_per_month=2.5)
    revoke(home, "anns-laptop")
    ended, begun, _ = entries(home)
    assert begun.subject == ended.subject == f"key/{key.id}"
    assert (begun.before, begun.after, ended.before, ended.after) == ("", "active", "active", "")
    assert begun.reason == "role=viewer scopes=ask,search usd_per_month=2.5 labels=staff"
    assert "anns-laptop" not in str(entries(home))
    assert verify_log(home).ok

"""Who gets what: no item in too many hands, and nothing lost with a reviewer who dies."""

import multiprocessing
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import close_ledgers, open_ledger
from llmops.tasks.ledger.review import reviews
from llmops.tasks.review.items import Draft, ReviewItem, item
from llmops.tasks.review.leases import claim, release, renew, save_draft
from llmops.tasks.review.reviewing import Review, submit
from tests.postgres import fresh_database
from tests.review.claiming import type_and_die, work_off
from tests.review.made import APP, expire, queued, reviewer


def next_of(home: Path, who: str) -> ReviewItem:
    found = claim(home, APP, "", who)
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_processes_that_claim_at_once_get_different_items(
    tmp_path: Path,
    database: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if database == "postgres":
        url = fresh_database(request.getfixturevalue("postgres"))
        monkeypatch.setenv("LLMOPS_LEDGER_URL", url)
    queued(tmp_path, 12, wanted=2)
    people = [reviewer(tmp_path, name) for name in ("ann", "bob", "eve")]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [
        context.Process(target=work_off, args=(tmp_path, APP, who, results)) for who in people
    ]
    for process in processes:
        process.start()
    got = [results.get(timeout=400) for _ in processes]
    for process in processes:
        process.join(60)
    everything = [each for part in got for each in part]
    assert all(len(part) == len(set(part)) for part in got)
    assert all(everything.count(each) == 2 for each in everything)
    with open_ledger(tmp_path).read() as connection:
        assert connection.scalar(select(func.count()).select_from(reviews)) == 24
    close_ledgers()


def test_two_reviewers_have_different_items_in_hand_and_each_the_same_after_a_reload(
    tmp_path: Path,
) -> None:
    queued(tmp_path, 2)
    ann, bob = reviewer(tmp_path, "ann"), reviewer(tmp_path, "bob")
    first, second = next_of(tmp_path, ann), next_of(tmp_path, bob)
    assert first.id != second.id
    assert next_of(tmp_path, ann).id == first.id
    assert claim(tmp_path, APP, "", reviewer(tmp_path, "eve")) is None
    assert claim(tmp_path, "other", "", ann) is None


def test_where_two_are_wanted_nobody_is_asked_twice(tmp_path: Path) -> None:
    queued(tmp_path, 1, wanted=2)
    ann, bob, eve = (reviewer(tmp_path, name) for name in ("ann", "bob", "eve"))
    mine = next_of(tmp_path, ann)
    submit(tmp_path, APP, mine.id, ann, Review("good"))
    assert claim(tmp_path, APP, "", ann) is None
    assert next_of(tmp_path, bob).id == mine.id
    assert claim(tmp_path, APP, "", eve) is None


def test_one_who_dies_loses_nothing_and_holds_up_nobody(tmp_path: Path) -> None:
    queued(tmp_path)
    ann, bob = reviewer(tmp_path, "ann"), reviewer(tmp_path, "bob")
    mine = next_of(tmp_path, ann)
    typed = Draft(verdict="bad", correction="On the page of the door.", relevant=("a.md",))
    assert save_draft(tmp_path, mine.id, ann, typed).held_until is not None
    expire(tmp_path)
    assert next_of(tmp_path, bob).id == mine.id
    assert item(tmp_path, APP, mine.id, ann).draft == typed
    assert item(tmp_path, APP, mine.id, bob).draft is None
    assert renew(tmp_path, mine.id, ann).held_until is None
    assert save_draft(tmp_path, mine.id, ann, typed).held_until is None
    submit(tmp_path, APP, mine.id, bob, Review("good"))
    late = submit(tmp_path, APP, mine.id, ann, Review("bad", "On the page of the door."))
    assert late.state == "disputed"
    assert {each.reviewer for each in late.reviews} == {ann, bob}
    assert late.draft is None


@pytest.mark.slow
def test_a_draft_outlives_an_application_that_is_killed(tmp_path: Path) -> None:
    ann = reviewer(tmp_path, "ann")
    queued(tmp_path, 2)
    close_ledgers()
    words = (tmp_path, APP, ann, "by the red button")
    process = multiprocessing.get_context("spawn").Process(target=type_and_die, args=words)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    again = next_of(tmp_path, ann)
    assert again.draft == Draft(correction="by the red button")
    assert again.held_until is not None


def test_what_was_begun_comes_before_what_is_new(tmp_path: Path) -> None:
    queued(tmp_path, 3)
    ann = reviewer(tmp_path, "ann")
    first = next_of(tmp_path, ann)
    release(tmp_path, first.id, ann)
    second = next_of(tmp_path, ann)
    save_draft(tmp_path, second.id, ann, Draft(comment="let me see"))
    expire(tmp_path)
    assert next_of(tmp_path, ann).id == second.id


def test_what_is_put_back_comes_last_and_is_free_for_others(tmp_path: Path) -> None:
    queued(tmp_path, 3)
    ann, bob = reviewer(tmp_path, "ann"), reviewer(tmp_path, "bob")
    seen = []
    for _ in range(4):
        found = next_of(tmp_path, ann)
        seen.append(found.id)
        release(tmp_path, found.id, ann)
    assert len(set(seen)) == 3
    assert seen[3] == seen[0]
    assert next_of(tmp_path, bob).id == seen[0]


def test_what_is_kept_in_hand_is_not_given_to_others(tmp_path: Path) -> None:
    queued(tmp_path)
    ann = reviewer(tmp_path, "ann")
    mine = next_of(tmp_path, ann)
    expire(tmp_path)
    assert renew(tmp_path, mine.id, ann, minutes=5).held_until is not None
    assert claim(tmp_path, APP, "", reviewer(tmp_path, "bob")) is None


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda home, who: claim(home, APP, "", "0" * 64), "nobody's pseudonym"),
        (lambda home, who: claim(home, APP, "", who, minutes=0), "allowed: up to"),
        (lambda home, who: renew(home, "ffff", who), "no review item"),
        (lambda home, who: save_draft(home, "ffff", who, Draft()), "no review item"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path, work: Callable[[Path, str], object], message: str
) -> None:
    queued(tmp_path)
    with pytest.raises(UsageError, match=message):
        work(tmp_path, reviewer(tmp_path, "ann"))

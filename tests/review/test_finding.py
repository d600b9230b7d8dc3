"""Finding items, and what reviewers have come to."""

from pathlib import Path

import pytest

from llmops.tasks.access import keys
from llmops.tasks.review.agreement import agreement, progress
from llmops.tasks.review.finding import find
from llmops.tasks.review.items import NewItem, ask_a_person, enqueue
from llmops.tasks.review.leases import claim
from llmops.tasks.review.reviewing import Review, submit
from llmops.tasks.traces import index
from llmops.tasks.traces.feedback import Feedback, rate
from tests.review.made import APP, queued, reviewer
from tests.traces.made import recorded


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five items for two reviewers: good/good, good/bad, bad/bad and adjudicated, one, none."""
    home = tmp_path_factory.mktemp("reviewed")
    ids = queued(home, 5, wanted=2)
    rate(home, ids[3], "p", Feedback("down", "the DOOR is blue"))
    items = [ask_a_person(home, APP, "", each, "", "") for each in ids]
    ann, bob, eve = (reviewer(home, name) for name in ("ann", "bob", "eve"))
    for who, what, verdict, correction in (
        (ann, 0, "good", ""), (bob, 0, "good", ""),
        (ann, 1, "good", ""), (bob, 1, "bad", "a red window"),
        (ann, 2, "bad", "100% glass"), (bob, 2, "bad", ""),
        (ann, 3, "discard", ""),
    ):  # fmt: skip
        said = Review(verdict, correction, seconds=10)  # type: ignore[arg-type]
        submit(home, APP, items[what], who, said)
    submit(home, APP, items[2], eve, Review("good"), adjudicates=True)
    enqueue(home, APP, "", [NewItem(ids[4], ("low_grounding",), 0.1)])
    claim(home, APP, "", eve)
    return home


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"state": "open"}, [3, 4]),
        ({"state": "disputed"}, [1]),
        ({"verdict": "good"}, [0, 2]),
        ({"verdict": "bad"}, []),
        ({"reason": "low_grounding"}, [4]),
        ({"reason": "low"}, []),
        ({"reason": "%"}, []),
        ({"rating": "down"}, [3]),
        ({"rating": "up"}, []),
        ({"text": "door"}, [3]),
        ({"text": "WINDOW"}, [1]),
        ({"text": "0%"}, [2]),
        ({"queue": "other"}, []),
        ({"limit": 2}, [0, 1]),
        ({"limit": 2, "offset": 4}, [4]),
        ({"state": "done", "text": "glass"}, [2]),
    ],
)
def test_items_are_found_by_what_is_known_of_them(
    home: Path, wanted: dict[str, object], found: list[int]
) -> None:
    everything = [each.id for each in find(home, APP).items]
    part = find(home, APP, **wanted)  # type: ignore[arg-type]
    assert [everything.index(each.id) for each in part.items] == found
    assert part.total == (5 if "limit" in wanted else len(found))


def test_one_who_asks_for_what_they_said_gets_that(home: Path) -> None:
    mine = find(home, APP, reviewer=reviewer(home, "bob"))
    assert [each.state for each in mine.items] == ["done", "disputed", "done"]


def test_how_far_a_queue_has_come(home: Path) -> None:
    found = progress(home, APP)
    assert (found.total, found.open, found.done, found.disputed) == (5, 2, 2, 1)
    told = {
        each.name: (each.done, each.discarded, each.settled, each.agreed, each.in_hand)
        for each in found.reviewers
    }
    assert told == {
        "helpdesk/ann": (4, 1, 2, 1, 0),
        "helpdesk/bob": (3, 0, 2, 1, 0),
        "helpdesk/eve": (0, 0, 0, 0, 1),
    }
    assert [each.adjudicated for each in found.reviewers] == [0, 0, 1]
    assert [each.seconds for each in found.reviewers] == [10.0, 10.0, None]
    assert progress(home, APP, "other").reviewers == ()


def test_agreement_is_that_of_the_reviews_not_of_adjudications(home: Path) -> None:
    found = agreement(home, APP)
    assert (found.n, found.reviewers) == (3, 2)
    assert found.agreement == pytest.approx(2 / 3)
    # Krippendorff (2011): observed 2/6 of pairs differ, expected 18/30 of 6 labels, 3 of each
    assert found.alpha == pytest.approx(1 - (2 / 6) / (18 / 30))
    assert agreement(home, APP, "other").alpha is None


def test_who_holds_fewer_labels_than_were_asked_with_does_not_see_it(tmp_path: Path) -> None:
    staff, _ = keys.create(tmp_path, "staff", ["ask"], labels=["staff"])
    other, _ = keys.create(tmp_path, "plain", ["ask"])
    made = [recorded().model_copy(update={"key_id": each}) for each in (staff.id, other.id, "")]
    index.enter(tmp_path, made)
    enqueue(tmp_path, APP, "", [NewItem(each.id, ("random",), 0.5) for each in made])
    assert find(tmp_path, APP).total == 3
    assert find(tmp_path, APP, labels={"staff", "more"}).total == 3
    seen = {each.trace_id for each in find(tmp_path, APP, labels=()).items}
    assert seen == {made[1].id, made[2].id}
    ann, got = reviewer(tmp_path, "ann"), set()
    while mine := claim(tmp_path, APP, "", ann, labels=()):
        got.add(mine.trace_id)
        submit(tmp_path, APP, mine.id, ann, Review("good"))
    assert got == seen

"""What belongs together is on one side; what is parted is told."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.splitting import Shares, Side, leaks, split
from tests.datasets.training.rows import chat, many, message, pair

LONG = "The refund is on its way since monday and takes three to five days to arrive at your bank"


def sides(rows: list[Row]) -> dict[str, Side]:
    return dict(zip((row.id for row in rows), split(rows, Shares()), strict=True))


def test_groups_stay_whole_and_shares_are_met() -> None:
    rows = many(6000, groups=1500)
    found = split(rows, Shares(validation=0.1, test=0.2))
    of_group = defaultdict(set)
    for row, side in zip(rows, found, strict=True):
        of_group[row.group].add(side)
    assert {len(each) for each in of_group.values()} == {1}
    shares = {side: count / 6000 for side, count in Counter(found).items()}
    assert shares["validation"] == pytest.approx(0.1, abs=0.03)
    assert shares["test"] == pytest.approx(0.2, abs=0.03)
    assert leaks(zip(found, rows, strict=True)) == []


def test_rows_that_are_added_leave_the_others_where_they_are() -> None:
    rows = many(1000, groups=300)
    more = [row.model_copy(update={"id": f"new-{row.id}"}) for row in many(500, 9, groups=600)]
    before, after = sides(rows), sides([*more, *rows])
    assert {name: after[name] for name in before} == before


def test_another_seed_is_another_split() -> None:
    rows = many(300)
    assert split(rows, Shares(seed=1)) == split(rows, Shares(seed=1))
    assert split(rows, Shares(seed=1)) != split(rows, Shares(seed=2))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (chat("a", "b", id="1", group="g"), chat("c", "d", id="2", group="g"), "group"),
        (
            chat("a", "b", id="1", group="g", lineage={"conversation": "k"}),
            chat("c", "d", id="2", group="h", lineage={"conversation": "k"}),
            "conversation",
        ),
        (
            chat("Where is my parcel now?", "There.", "Thanks", "Good.", id="1", group="g"),
            chat("where is my PARCEL now", "There!", id="2", group="h"),
            "conversation",
        ),
        (
            chat("Where is my parcel?", LONG, id="1", group="g"),
            chat("And where is my parcel?", LONG, id="2", group="h"),
            "near_duplicate",
        ),
    ],
)
@pytest.mark.parametrize("prompts", [False, True])
def test_what_belongs_together_is_kept_together_and_told_when_parted(
    one: Row, other: Row, kind: str, prompts: bool
) -> None:
    check(one, other, kind, prompts)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (
            chat("Where is my parcel now?", "There.", "And when does it come?", "Soon.", id="1"),
            pair("where is my PARCEL now", "Here.", "Gone.", id="2", group="h"),
            "conversation",
        ),
        (
            chat(f"{LONG}?", "Yes.", id="1"),
            chat(f"So {LONG}", "No, not at all.", id="2", group="h"),
            "near_duplicate",
        ),
    ],
)
def test_rows_that_ask_the_same_are_kept_together_where_that_is_wanted(
    one: Row, other: Row, kind: str
) -> None:
    check(one, other, kind, prompts=True)
    assert leaks([("train", one), ("test", other)]) == []


def check(one: Row, other: Row, kind: str, prompts: bool) -> None:
    rows = [one, *many(40), other]
    for seed in range(12):
        found = split(rows, Shares(validation=0.3, test=0.3, seed=seed, prompts=prompts))
        assert found[0] == found[-1]
    parted: list[Side] = [*["train"] * 41, "test"]  # type: ignore[list-item]
    told = leaks(zip(parted, rows, strict=True), prompts=prompts)
    assert told[0].kind == kind
    for leak in told:
        sides = {(leak.one, leak.one_side), (leak.other, leak.other_side)}
        assert sides == {("1", "train"), ("2", "test")}
    assert "1 (train)" in str(told[0])


def test_small_talk_and_instructions_join_no_one() -> None:
    system = message("system", "Answer from the passages alone. " * 20)
    rows = [
        chat("Hi", f"Good day, what about {row.messages[0].content}", id=row.id, group=row.group)
        for row in many(60)
    ]
    rows = [each.model_copy(update={"messages": (system, *each.messages)}) for each in rows]
    shares = Shares(validation=0.3, test=0.3, prompts=True)
    assert len(set(split(rows, shares))) == 3
    halves: list[Side] = ["train" if place % 2 else "test" for place in range(60)]
    assert leaks(zip(halves, rows, strict=True), prompts=True) == []


def test_near_duplicates_are_joined_through_others() -> None:
    words = [f"word{n}" for n in range(200)]
    rows = [
        chat("?", " ".join(words[n * 4 : n * 4 + 100]), id=f"{n}", group=f"{n}") for n in range(20)
    ]
    assert len(set(split(rows, Shares(validation=0.3, test=0.3)))) == 1
    assert len(set(split(rows, Shares(validation=0.3, test=0.3, near=None)))) == 3


def test_every_side_with_a_share_gets_rows_from_three_clusters_on() -> None:
    for seed in range(20):
        rows = many(3, seed)
        assert sorted(split(rows, Shares(seed=seed))) == ["test", "train", "validation"]
        assert set(split(many(30, seed), Shares(test=0, seed=seed))) == {"train", "validation"}


def test_a_large_cluster_is_trained_on() -> None:
    rows = [*many(100), *(row.model_copy(update={"group": "all"}) for row in many(80, 2))]
    for seed in range(20):
        assert split(rows, Shares(seed=seed))[-1] == "train"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 99), st.floats(0.05, 0.4))
def test_no_split_leaks(groups: list[int], seed: int, share: float) -> None:
    chosen = many(40, 4)
    rows = [
        chosen[place % 5 if place % 3 == 0 else place].model_copy(
            update={"id": str(place), "group": f"{group}"}
        )
        for place, group in enumerate(groups)
    ]
    found = split(rows, Shares(validation=share, test=share, seed=seed))
    assert len(found) == len(rows)
    assert leaks(zip(found, rows, strict=True)) == []


def test_shares_must_leave_something_to_train_on() -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on"):
        Shares(validation=0.5, test=0.5)

"""Passages that are marked bad: who counts, and when it is more than chance."""

import random
from pathlib import Path

import pytest
from scipy.stats import fisher_exact

from llmops.tasks.monitoring.bad_passages import LEAST, bad_passages
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.plugins import Spec
from tests.monitoring.asked import exchange, passage, rated
from tests.workshop import TEXTS, Workshop


def week(bad: int, others: int = 60) -> list[Exchange]:
    """So many down that cite `bad`, and others of whom one in ten is down."""
    return [
        *(rated(number, "down", ["bad"]) for number in range(bad)),
        *(
            rated(100 + number, "up" if number % 10 else "down", [f"good{number % 8}"])
            for number in range(others)
        ),
    ]


def test_a_passage_whose_answers_are_down_is_told_with_its_numbers(tmp_path: Path) -> None:
    (one,) = bad_passages(tmp_path, [*week(6), exchange(1, passages=(passage("bad"),))]).passages
    assert (one.chunk_id, one.uri, one.rated, one.down, one.found) == ("bad", "bad.txt", 6, 6, 7)
    assert one.trace_ids == tuple(f"tr-{number:04d}" for number in range(6))
    assert one.state == "unknown"
    table = [[6, 0], [6, 54]]  # cites it or not, down or up
    assert one.p == pytest.approx(9 * fisher_exact(table, "greater").pvalue)  # of 9 passages


@pytest.mark.parametrize(
    ("exchanges", "note"),
    [
        ([exchange(1)], "nobody rated an answer, so nothing can be said of bad passages"),
        (
            [rated(number, "down", []) for number in range(9)],
            "9 answers were rated, and none of them names the passages that it rests on: nothing "
            "can be said of bad passages",
        ),
        (
            [rated(number, "down", [f"c{number // 2}"]) for number in range(9)],
            "9 people or conversations rated answers, at most 2 of them answers that cite the same "
            f"passage: at least {LEAST} are needed to tell",
        ),
    ],
)
def test_too_little_is_said_in_words(tmp_path: Path, exchanges: list[Exchange], note: str) -> None:
    found = bad_passages(tmp_path, exchanges)
    assert (found.passages, found.note) == ((), note)


def test_one_person_is_one_word_however_often_they_say_it(tmp_path: Path) -> None:
    angry = [rated(number, "down", ["bad"], person="p1") for number in range(50)]
    assert bad_passages(tmp_path, [*angry, *week(0)]).passages == ()
    several = [rated(number, "down", ["bad"], person=f"p{number % 6}") for number in range(50)]
    (one,) = bad_passages(tmp_path, [*several, *week(0)]).passages
    assert (one.rated, one.down) == (6, 6)


def test_what_is_found_and_not_cited_gets_no_blame(tmp_path: Path) -> None:
    assert "beside" not in [each.chunk_id for each in bad_passages(tmp_path, week(8)).passages]


def test_where_everybody_is_unhappy_no_passage_is_to_blame(tmp_path: Path) -> None:
    all_down = [rated(number, "down", [f"c{number % 5}"]) for number in range(50)]
    assert bad_passages(tmp_path, all_down).passages == ()


def test_by_chance_hardly_any_week_names_one(tmp_path: Path) -> None:
    """50 weeks of 200 ratings without a bad passage; 5 of 100 may name one at most."""
    chance, false = random.Random(1), 0
    asked = [rated(number, "up", [f"c{number % 25}"]) for number in range(200)]
    for _ in range(50):
        ratings = ["down" if chance.random() < 0.2 else "up" for _ in asked]
        found = [
            each.model_copy(update={"rating": rating})
            for each, rating in zip(asked, ratings, strict=True)
        ]
        false += bool(bad_passages(tmp_path, found).passages)
    assert false <= 8  # 2.5 expected at most; more than 8 in 1 of 1,000 cases


def test_what_became_of_the_passage_is_told(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.embedder = Spec(name="hash")
    shop.build(TEXTS)
    rows = {row["uri"]: row for row in shop.rows()}
    wanted = [rows["d0.txt"], rows["d1.txt"], rows["d2.txt"]]
    shop.build(
        {
            name: "A new text, of other words." if name == "d1.txt" else text
            for name, text in TEXTS.items()
            if name != "d2.txt"
        }
    )
    found = [
        rated(10 * place + number, "down", []).model_copy(
            update={
                "passages": (
                    passage(row["chunk_id"], doc_id=row["doc_id"], uri=row["uri"], cited=True),
                )
            }
        )
        for place, row in enumerate(wanted)
        for number in range(6)
    ]
    told = bad_passages(shop.home, [*found, *week(0)]).passages
    states = {each.uri: each.state for each in told}
    assert states == {"d0.txt": "live", "d1.txt": "changed", "d2.txt": "gone"}

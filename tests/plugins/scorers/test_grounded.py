"""What passages support, sentence by sentence."""

import json
import os
from pathlib import Path
from statistics import mean

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers.grounded import (
    GroundedScorer,
    covered,
    ground,
    names_in,
    numbers_in,
    unknown,
)
from tests.plugins.scorers.samples import sample

TOWER = [
    "The Eiffel Tower was built by Gustave Eiffel from 1887 to 1889. It is 330 metres tall "
    "and made of wrought iron.",
    "It is repainted every seven years, which takes 60 tonnes of paint.",
]


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        ("The tower is 330 metres tall.", 1.0, ""),
        ("It was built from 1887 to 1889 by Gustave Eiffel.", 1.0, ""),
        (
            "The tower is 324 metres tall.",
            0.0,
            "no passage has 324: 'The tower is 324 metres tall.'",
        ),
        (
            "It was built by Gustave Courbet in 1889.",
            0.0,
            "no passage has Courbet: 'It was built by Gustave Courbet in 1889.'",
        ),
        (
            "It is 330 metres tall. Penguins swim in cold water near icebergs.",
            0.5,
            "0% of its words are in a passage: 'Penguins swim in cold water near icebergs.'",
        ),
        ("It is repainted every 7 years [2].", 1.0, ""),
        ("- 330 metres tall\n- made of **wrought iron**", 1.0, ""),
        ("", 0.0, "the answer is empty"),
        ("!!!", 0.0, "the answer is empty"),
        (
            "The passages do not say who paid for it.",
            None,
            "the answer refuses: there is nothing to support",
        ),
    ],
)
def test_by_hand(answer: str, value: float | None, reason: str) -> None:
    score = GroundedScorer().score(sample(answer, passages=TOWER))
    assert (score.value, score.reason) == (value, reason)


def test_the_share_of_words_is_a_part() -> None:
    answers = ("The tower is 330 metres tall.", "Penguins swim.", "")
    assert [
        GroundedScorer().score(sample(answer, passages=TOWER)).parts["words"] for answer in answers
    ] == [1.0, 0.0, 0.0]


def test_what_the_question_names_is_not_invented() -> None:
    passages = ["The role is played by Jim Parsons since the first episode of the series."]
    said = "The role of Sheldon is played by Jim Parsons in the series."
    assert GroundedScorer().score(sample(said, passages=passages)).value == 0.0
    assert (
        GroundedScorer().score(sample(said, passages=passages, question="who plays sheldon")).value
        == 1.0
    )


@pytest.mark.parametrize(
    ("passage", "good", "bad"),
    [
        (
            "東京タワーは1958年に建てられた高さ333メートルの塔です。",
            "東京タワーの高さは333メートルです。",
            "東京タワーの高さは634メートルです。",
        ),
        ("这座桥建于1937年,全长2737米。", "这座桥全长2737米。", "熊猫喜欢吃竹子和苹果。"),
        (
            "Die Brücke wurde 1937 eröffnet und ist 2737 Meter lang.",
            "Die Brücke ist 2737 Meter lang.",
            "Der Hund frisst gerne Knochen.",
        ),
        (
            "این پل در سال ۱۹۳۷ ساخته شد و ۲۷۳۷ متر طول دارد.",
            "این پل 2737 متر طول دارد.",
            "این پل 1500 متر طول دارد.",
        ),
        (
            "Мост открыт в 1937 году, его длина 2737 метров.",
            "Длина моста 2737 метров.",
            "Собаки любят кости и мясо.",
        ),
    ],
)
def test_other_languages(passage: str, good: str, bad: str) -> None:
    assert [
        GroundedScorer().score(sample(answer, passages=[passage])).value for answer in (good, bad)
    ] == [1.0, 0.0]


def test_without_passages_nothing_is_supported() -> None:
    score = GroundedScorer().score(sample("The tower is 330 metres tall."))
    assert (score.value, score.reason) == (0.0, "no passages were given")


def test_an_embedder_may_see_what_words_do_not() -> None:
    one = sample("Painting takes place each seventh year, with sixty tonnes.", passages=TOWER)
    assert GroundedScorer().score(one).value == 0.0
    assert GroundedScorer(embed=Spec(name="hash"), cosine=0.05).score(one).value == 1.0
    invented = sample("Painting takes place each 9 years, with sixty tonnes.", passages=TOWER)
    assert GroundedScorer(embed=Spec(name="hash"), cosine=0.05).score(invented).value == 0.0


def test_numbers_and_names() -> None:
    assert numbers_in("1,000 and 1.000, 3.5; ۱۲ and 007") == ["1000", "1000", "35", "12", "7"]
    assert names_in("The painter Vincent van Gogh met Paul in Arles.") == [
        "Vincent",
        "Gogh",
        "Paul",
        "Arles",
    ]
    assert names_in("Das ist der Hund von Angela Merkel und nicht die Katze.") == [
        "Angela",
        "Merkel",
    ]
    assert names_in("THE WHOLE LINE IS LOUD HERE") == []
    on = ground(("It costs three euros in Moskau, says Roosevelt.",))
    assert unknown("It costs 3 euros in Moskaus centre, says Rosenfelt.", on, "") == ["Rosenfelt"]
    assert unknown("It costs 4 euros, says Rosenfelt.", on, "", names=False) == ["4"]


def test_a_sentence_is_supported_by_neighbours_not_by_the_whole_passage() -> None:
    filler = "Nothing of interest is told in this line here. " * 5
    apart = ground((f"Apples are round fruits. {filler} Violins have strings.",))
    near = ground(("Apples are round fruits. Violins have strings.",))
    assert covered("Apples have strings.", near) == 1.0
    assert covered("Apples have strings.", apart) == pytest.approx(10 / 16)
    assert covered("It is.", near) is None


def test_options() -> None:
    assert (
        GroundedScorer(share=0.9)
        .score(sample("The tower is about 330 metres tall, roughly.", passages=TOWER))
        .value
        == 0.0
    )
    with pytest.raises(ValidationError):
        GroundedScorer(share=1.5)


@pytest.mark.skipif(
    "LLMOPS_BENCH_DATA" not in os.environ,
    reason="LLMOPS_BENCH_DATA names the folder of public corpora",
)
def test_gold_answers_of_clapnq_are_grounded_in_their_own_passages_alone() -> None:
    lines = (
        Path(
            os.environ["LLMOPS_BENCH_DATA"], "clapnq/annotated_data/dev/clapnq_dev_answerable.jsonl"
        )
        .read_text("utf-8")
        .splitlines()
    )
    rows = [json.loads(line) for line in lines][1::2]  # the half by which `share` was not chosen
    own, others = list[float](), list[float]()
    for place, row in enumerate(rows):
        for passages, values in ((row["passages"], own), (rows[place - 1]["passages"], others)):
            samples = [
                sample(one["answer"], passages=[passages[0]["text"]], question=row["input"])
                for one in row["output"]
            ]
            values += [
                score.value
                for score in GroundedScorer().score_all(samples)
                if score.value is not None
            ]
    assert mean(own) > 0.9
    assert mean(others) < 0.01

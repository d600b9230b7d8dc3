"""Every format by the rules of its target."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.exporters import Exporter, ExportRecord, Unfit
from llmops.tasks.rows import Row
from tests.plugins.exporters import validators
from tests.plugins.exporters.rows import ODD, Shelf, pair, say, several, single, with_tools

RULES: dict[str, Callable[[Any], list[str]]] = {
    "openai_chat": validators.openai_chat,
    "openai_dpo": validators.openai_dpo,
    "trl_sft": validators.trl,
    "trl_dpo": validators.trl,
    "trl_kto": validators.trl,
    "alpaca": validators.alpaca,
    "triplets": validators.sentence_transformers,
}
ROWS = (single(), pair(), several(), with_tools(), single(score=None))


def exported(name: str, row: Row, **options: Any) -> list[ExportRecord]:
    exporter = Spec(name=name, options=options).build(Exporter)
    return list(exporter.records(row, Shelf(("a.md", "Some text of the shelf."))))


def unfit(name: str, row: Row, **options: Any) -> str:
    with pytest.raises(Unfit) as caught:
        exported(name, row, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", RULES)
def test_every_record_keeps_the_rules_of_its_target(name: str) -> None:
    made = 0
    for row in ROWS:
        try:
            records = exported(name, row)
        except Unfit:
            continue
        made += len(records)
        assert [RULES[name](each.content) for each in records] == [[]] * len(records)
    assert made


@pytest.mark.parametrize("row", ROWS)
def test_sharegpt_alternates_and_pairs_are_odd(row: Row) -> None:
    for record in exported("sharegpt", row):
        ranking = record.kind == "pairs"
        assert validators.llamafactory(record.content, ranking=ranking) == []


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", [*RULES, "sharegpt"])
def test_texts_survive_to_the_byte(name: str, text: str) -> None:
    """From the row to the line of the file and back."""
    row = pair(better=text) if "dpo" in name else single(text)
    line = json.dumps(exported(name, row)[0].content, ensure_ascii=False).encode()
    assert line.count(b"\n") == 0
    assert text in list(texts(json.loads(line)))


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [each for inner in value.values() for each in texts(inner)]
    if isinstance(value, list):
        return [each for inner in value for each in texts(inner)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", ["openai_chat", "trl_sft", "sharegpt", "alpaca", "triplets"])
def test_nobody_learns_an_answer_that_people_found_bad(name: str) -> None:
    assert unfit(name, single(score=0.2)) == "people found the answer bad"
    assert exported(name, single(score=0.2), least_score=0.1)


@pytest.mark.parametrize("name", ["openai_dpo", "trl_dpo"])
def test_a_preference_needs_two_answers(name: str) -> None:
    assert "no pair" in unfit(name, single())


def test_kto_has_both_sides_of_a_pair_and_what_people_rated() -> None:
    labels = [
        [each.content["label"] for each in exported("trl_kto", row)]
        for row in (pair(), single(score=1.0), single(score=0.0))
    ]
    assert labels == [[True, False], [True], [False]]
    assert "nobody said" in unfit("trl_kto", single(score=None))


def test_only_the_last_answer_is_learnt() -> None:
    [record] = exported("openai_chat", several())
    weights = [each.get("weight") for each in record.content["messages"]]  # type: ignore[attr-defined]
    assert weights == [None, 0, None, None]
    [record] = exported("openai_chat", several(), train_on="all")
    assert not any("weight" in each for each in record.content["messages"])  # type: ignore[attr-defined]
    [record] = exported("trl_sft", several())
    assert [each["content"] for each in record.content["completion"]] == ["2."]  # type: ignore[attr-defined]


def test_arguments_are_a_text_for_openai_and_an_object_for_templates() -> None:
    [openai], [trl] = exported("openai_chat", with_tools()), exported("trl_sft", with_tools())
    assert '"arguments": "{\\"city\\": \\"Köln\\"}"' in json.dumps(
        openai.content, ensure_ascii=False
    )
    assert '"arguments": {"city": "Köln"}' in json.dumps(trl.content, ensure_ascii=False)
    assert "calls tools" in unfit("alpaca", with_tools())


def test_what_llamafactory_would_drop_is_left_out() -> None:
    twice = several().model_copy(
        update={"messages": (say("user", "a"), say("user", "b"), say("assistant", "c"))}
    )
    assert "alternate" in unfit("sharegpt", twice)
    assert "alternate" in unfit("alpaca", twice)


def test_what_a_target_would_learn_beside_the_answer_is_told() -> None:
    for name, options in (
        ("sharegpt", {}),
        ("alpaca", {}),
        ("trl_sft", {"train_on": "all"}),
    ):
        exporter = Spec(name=name, options=options).build(Exporter)
        [record] = exporter.records(several(), Shelf())
        assert {risk.effect for risk in exporter.risks(record)} == {"trained"}, name


def test_the_files_beside_sharegpt_name_its_columns() -> None:
    exporter = Spec(name="sharegpt").build(Exporter)
    files = {("train", ""): "train.jsonl", ("train", "pairs"): "train-pairs.jsonl"}
    beside = exporter.beside("help-desk", files)
    info = json.loads(beside["dataset_info.json"])
    assert info["help_desk_train"]["columns"]["messages"] == "conversations"
    assert info["help_desk_pairs_train"]["ranking"] is True
    assert "field_messages: conversations" in beside["axolotl.yaml"]
    assert "train-pairs" not in beside["axolotl.yaml"]


def test_hard_negatives_are_neither_answers_nor_near_them() -> None:
    shelf = Shelf(
        ("own.md", "Another passage of the document that answers."),
        ("twin.md", "The desk helps everybody with every password."),
        ("hard.md", "Passwords expire after ninety days."),
        ("far.md", "Invoices are sent by mail."),
    )
    exporter = Spec(name="triplets", options={"knowledge_base": "kb", "negatives": 2}).build(
        Exporter
    )
    row = single("The desk helps with every password.", lineage={"uri": "own.md"})
    negatives = [each.content["negative"] for each in exporter.records(row, shelf)]
    assert negatives == ["Passwords expire after ninety days.", "Invoices are sent by mail."]


def test_a_question_without_a_negative_is_in_a_file_of_its_own() -> None:
    [record] = exported("triplets", single())
    assert (record.kind, list(record.content)) == ("pairs", ["anchor", "positive"])
    [record] = exported("triplets", pair())
    assert record.content["negative"] == "Nobody."


def test_a_service_that_takes_no_short_file_is_told_of() -> None:
    exporter = Spec(name="openai_chat").build(Exporter)
    assert "fewer than 10" in next(iter(exporter.warnings({("train", ""): 9})))
    assert list(exporter.warnings({("train", ""): 10})) == []


def test_a_side_without_a_labelled_answer_is_named_with_those_that_have_some() -> None:
    exporter = Spec(name="trl_kto").build(Exporter)
    (told,) = exporter.warnings({("test", ""): 2})
    assert told.startswith("there is no labelled answer in train (2 in test): ")
    assert next(iter(exporter.warnings({}))).startswith("there is no labelled answer in train: ")
    assert list(exporter.warnings({("train", ""): 1})) == []

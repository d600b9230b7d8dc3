"""Public question sets as cases: small ones made by hand in their layout, and the true ones where
they lie.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.corpora import clapnq, feedbackqa, write
from llmops.tasks.evaluation.cases import read_cases


def corpora() -> Path:
    if "LLMOPS_BENCH_DATA" not in os.environ:
        pytest.skip("LLMOPS_BENCH_DATA is not set: it names the folder of public corpora")
    return Path(os.environ["LLMOPS_BENCH_DATA"])


def lines(file: Path, rows: list[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def question(number: str, answers: list[str]) -> dict[str, Any]:
    return {
        "id": number,
        "input": f"question {number}",
        "passages": [{"title": "Page", "text": "Text .", "sentences": []}],
        "output": [{"answer": answer, "selected_sentences": [], "meta": {}} for answer in answers],
    }


def test_clapnq_keeps_every_different_answer_and_says_what_cannot_be_answered(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "clapnq" / "annotated_data" / "dev"
    lines(folder / "clapnq_dev_answerable.jsonl", [question("1", ["Yes.", "No.", "Yes.", " "])])
    lines(folder / "clapnq_dev_unanswerable.jsonl", [question("2", [""])])
    known, unknown = clapnq(tmp_path)
    assert known["expected"] == {"answer": ["Yes.", "No."], "uris": ["Page#1"]}
    assert known["inputs"] == {
        "question": "question 1",
        "passages": [{"uri": "Page#1", "title": "Page", "text": "Text ."}],
    }
    assert (unknown["expected"], unknown["tags"], unknown["group"]) == (
        {"answerable": False},
        ["unanswerable"],
        "Page",
    )
    assert [
        case.id for case in read_cases(write(tmp_path / "cases.jsonl", [known, unknown])).cases
    ] == ["1", "2"]


def test_feedbackqa_questions_of_one_passage_are_one_group(tmp_path: Path) -> None:
    passage = {
        "passage_id": 7,
        "reference": {
            "page_title": "Page",
            "section_headers": ["Part"],
            "section_content": "Text.",
        },
    }
    examples = [
        {"id": number, "question": f"question {number}", "passage_id": 7} for number in (0, 1)
    ]
    file = tmp_path / "feedbackqa" / "experiments" / "feedbackQA_data" / "WHO" / "test.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"examples": examples, "passages": [passage]}))
    documents, cases = feedbackqa(tmp_path)
    assert documents == [{"_id": "WHO/7", "title": "Page", "text": "Part\nText."}]
    assert {case["group"] for case in cases} == {"WHO/7"}
    assert cases[1] == {
        "id": "WHO/1",
        "inputs": {"question": "question 1"},
        "expected": {"answer": "Part\nText.", "uris": ["WHO/7"]},
        "group": "WHO/7",
        "tags": ["WHO"],
    }


def test_the_true_sets_are_read_whole(tmp_path: Path) -> None:
    data = corpora()
    known = read_cases(write(tmp_path / "clapnq.jsonl", clapnq(data))).cases
    assert (len(known), sum(case.expected.get("answerable") is False for case in known)) == (
        600,
        300,
    )
    documents, cases = feedbackqa(data)
    read_cases(write(tmp_path / "feedbackqa.jsonl", cases))
    assert (len(documents), len(cases)) == (2364, 1992)
    assert {case["expected"]["uris"][0] for case in cases} <= {
        document["_id"] for document in documents
    }

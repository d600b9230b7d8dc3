"""Public question sets as cases of an evaluation: CLAPNQ with its passages, FeedbackQA with a
knowledge base of its passages.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.retrieval import passage

Row = dict[str, Any]


def clapnq(data: Path) -> list[Row]:
    """300 questions with a passage that answers them and the answers of annotators, 300 with one
    that does not (Rosenthal et al. 2025).

    The passages are given, as in the paper's experiments on answering alone. Questions about one
    page are one group.
    """
    folder = data / "clapnq" / "annotated_data" / "dev"
    return [
        *_clapnq(folder / "clapnq_dev_answerable.jsonl"),
        *_clapnq(folder / "clapnq_dev_unanswerable.jsonl"),
    ]


def _clapnq(file: Path) -> Iterator[Row]:
    for line in file.read_text("utf-8").splitlines():
        one = json.loads(line)
        answers = list(
            dict.fromkeys(output["answer"] for output in one["output"] if output["answer"].strip())
        )
        passages = [
            {"uri": f"{page['title']}#{one['id']}", "title": page["title"], "text": page["text"]}
            for page in one["passages"]
        ]
        expected = (
            {"answer": answers, "uris": [page["uri"] for page in passages]}
            if answers
            else {"answerable": False}
        )
        yield {
            "id": one["id"],
            "inputs": {"question": one["input"], "passages": passages},
            "expected": expected,
            "group": one["passages"][0]["title"],
            "tags": ["answerable" if answers else "unanswerable"],
        }


def feedbackqa(data: Path) -> tuple[list[Row], list[Row]]:
    """(documents, cases) of the test questions in all four domains (Li et al. 2022). There are no
    short answers: what is expected is the text of the passage that annotators chose. Questions with
    the same passage are one group."""
    documents: list[Row] = []
    cases: list[Row] = []
    for file in sorted(
        (data / "feedbackqa" / "experiments" / "feedbackQA_data").glob("*/test.json")
    ):
        content, domain = json.loads(file.read_text("utf-8")), file.parent.name
        texts = {one["passage_id"]: passage(domain, one) for one in content["passages"]}
        documents += texts.values()
        for one in content["examples"]:
            uri = f"{domain}/{one['passage_id']}"
            cases.append(
                {
                    "id": f"{domain}/{one['id']}",
                    "inputs": {"question": one["question"]},
                    "expected": {"answer": texts[one["passage_id"]]["text"], "uris": [uri]},
                    "group": uri,
                    "tags": [domain],
                }
            )
    return documents, cases


def write(file: Path, rows: list[Row]) -> Path:
    """As JSON lines."""
    file.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    return file

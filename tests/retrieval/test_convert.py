"""BEIR folders and SQuAD files as golden sets."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.retrieval.convert import from_beir, from_squad
from llmops.tasks.retrieval.golden import write_golden

QUERIES = (
    '{"_id": "q1", "text": "One?"}\n{"_id": "q2", "text": "Two?"}\n{"_id": 3, "text": "Three?"}\n'
)
QRELS = 'query-id\tcorpus-id\tscore\nq2\td1\t1\nq2\td2\t2\nq2\td3\t0\n3\td"9\t1\nq1\td1\t0\n'


def _beir(folder: Path, queries: str = QUERIES, qrels: str = QRELS) -> Path:
    (folder / "qrels").mkdir()
    (folder / "queries.jsonl").write_text(queries)
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


def _squad(folder: Path, content: Any) -> Path:
    (folder / "squad.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / "squad.json"


def test_beir_keeps_judged_queries_in_file_order_with_the_best_document_first(
    tmp_path: Path,
) -> None:
    converted = from_beir(_beir(tmp_path), "test")
    assert [(q.id, [r.uri for r in q.relevant]) for q in converted.questions] == [
        ("q2", ["d2", "d1"]),
        ("3", ['d"9']),
    ]
    assert converted.left_out == 1


@pytest.mark.parametrize(
    ("queries", "qrels", "said"),
    [
        (
            QUERIES,
            "q2\td1\t1\n",
            "the columns query-id, corpus-id, score are missing; got q2, d1, 1",
        ),
        (
            QUERIES,
            "query-id\tcorpus-id\tscore\nq1\td1\tgood\n",
            "test.tsv:2: the score 'good' is not a number",
        ),
        (
            QUERIES,
            "query-id\tcorpus-id\tscore\nq1\td1\n",
            "test.tsv:2: the score None is not a number",
        ),
        (QUERIES, "query-id\tcorpus-id\tscore\nq9\td1\t1\n", "1 judged queries are missing: q9"),
        (
            QUERIES,
            "query-id\tcorpus-id\tscore\nq1\td1\t0\n",
            "no query has a document with a score above 0",
        ),
        ('{"_id": "q1"}\n{"_id": "q2", "text": ""}\nx\n', QRELS, "queries.jsonl:2"),
    ],
)
def test_broken_beir_folders_say_where_and_why(
    tmp_path: Path, queries: str, qrels: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        from_beir(_beir(tmp_path, queries, qrels), "test")
    assert said in str(caught.value)


def test_an_unknown_split_lists_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no split 'dev' \(splits there: test\)"):
        from_beir(_beir(tmp_path), "dev")
    with pytest.raises(ConfigError, match="a BEIR folder has"):
        from_beir(tmp_path / "none", "test")


def test_squad_takes_paragraphs_as_documents_and_leaves_out_the_unanswerable(
    tmp_path: Path,
) -> None:
    answers = [{"text": "first", "answer_start": 0}, {"text": "second", "answer_start": 9}]
    asked = [
        {"id": 1, "question": "A?", "answers": answers},
        {"id": "2", "question": "B?", "answers": [], "is_impossible": True},
    ]
    other = [{"id": "3", "question": "C?", "answers": answers[1:], "is_impossible": False}]
    paragraphs = [{"context": "c", "qas": asked}, {"context": "d", "id": "p7", "qas": other}]
    converted = from_squad(_squad(tmp_path, {"data": [{"title": "T", "paragraphs": paragraphs}]}))
    rows = [
        (question.id, question.relevant[0].uri, question.answer) for question in converted.questions
    ]
    assert rows == [("1", "T#0", "first"), ("3", "p7", "second")]
    assert converted.left_out == 1


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        {"data": {}},
        {"data": [1]},
        {"data": [{"title": "T"}]},
        {"data": [{"paragraphs": [{}]}]},
        {
            "data": [
                {"title": "T", "paragraphs": [{"qas": [{"id": 1, "answers": [{"text": "x"}]}]}]}
            ]
        },
    ],
)
def test_other_json_is_not_taken_for_squad(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ConfigError, match=r"squad\.json: .*paragraphs"):
        from_squad(_squad(tmp_path, content))


def test_a_missing_squad_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        from_squad(tmp_path / "none.json")


@pytest.mark.skipif(
    "LLMOPS_BENCH_DATA" not in os.environ, reason="set LLMOPS_BENCH_DATA to the benchmark data"
)
def test_public_benchmarks_convert_whole(tmp_path: Path) -> None:
    beir = Path(os.environ["LLMOPS_BENCH_DATA"]) / "beir"
    counts = {
        name: len(from_beir(beir / name, "test").questions)
        for name in ("scifact", "pquad-val-test", "xquad-zh")
    }
    assert counts["scifact"] == 300
    assert counts["pquad-val-test"] > 5_000
    assert write_golden(
        tmp_path / "g.jsonl", from_beir(beir / "pquad-val-test", "test").questions
    ).questions

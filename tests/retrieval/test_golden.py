"""Golden sets: reading, every mistake at once, writing, and judgements that no longer hold."""

from functools import partial
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.retrieval.golden import (
    GoldenSet,
    Question,
    Relevant,
    missing,
    normalise,
    read_golden,
    write_golden,
)
from llmops.tasks.schemas import sha256

SHIPPED = Path(__file__).parents[2] / "configs" / "golden" / "python-help.jsonl"
GOOD = '{"id": "a", "question": "Why?", "relevant": [{"uri": "x.md"}]}'


def _write(folder: Path, content: str | bytes) -> Path:
    file = folder / "golden.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def _mistakes(folder: Path, content: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_golden(_write(folder, content))
    return [str(mistake).replace(f"{folder}/", "") for mistake in caught.value.mistakes()]


def test_a_golden_set_is_read_in_order_with_the_hash_of_its_bytes(tmp_path: Path) -> None:
    second = '{"id": 7, "question": "ä?", "relevant": [{"uri": "y", "quote": "q"}]}'
    content = f"\ufeff{GOOD}\r\n\r\n{second}".encode()
    golden = read_golden(_write(tmp_path, content))
    assert golden.sha256 == sha256(content)
    assert [question.id for question in golden.questions] == ["a", "7"]
    assert golden.questions[1].relevant == (Relevant(uri="y", quote="q"),)
    assert golden.questions[0].answer is None


def test_every_broken_line_is_reported_at_once(tmp_path: Path) -> None:
    lines = [
        GOOD,
        "{",
        GOOD,
        '{"id": "b", "question": " ", "relevant": [{"uri": "x"}]}',
        '{"id": "c", "question": "q", "relevant": []}',
        '{"id": "d", "question": "q", "relevent": [{"uri": "x"}]}',
        '{"id": "e", "question": "q", "relevant": [{"url": "x"}]}',
        '["no object"]',
        '{"id": "f", "question": "q", "relevant": [{"uri": "x"}], "zzz": 1}',
        '{"id": "g", "question": "q", "relevant": ["x.md"]}',
    ]
    found = _mistakes(tmp_path, "\n".join(lines))
    text = "\n".join(found)
    assert [line.split(":")[1] for line in found] == [
        "2",
        "3",
        "4",
        "5",
        "6",
        "6",
        "7",
        "7",
        "8",
        "9",
        "10",
    ]
    assert "golden.jsonl:2: not valid JSON" in text
    assert "golden.jsonl:3: the id 'a' was used in line 1" in text
    assert "golden.jsonl:4: 'question' is empty" in text
    assert "golden.jsonl:5: 'relevant' is empty" in text
    assert (
        "unknown key 'relevent'; allowed: id, question, relevant, answer, tags, lineage (did you "
        "mean relevant?)" in text
    )
    assert "unknown key 'relevant.0.url'; allowed: uri, quote (did you mean uri?)" in text
    assert "unknown key 'zzz'" in text
    assert "relevant.0: an object in braces is wanted, got 'x.md'" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("\ufeff", "is empty"),
        (GOOD.encode() + b"\n\xff\xfe", "golden.jsonl:2: not UTF-8"),
    ],
)
def test_a_file_without_questions_or_not_in_utf8_says_so(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    assert said in _mistakes(tmp_path, content)[0]


def test_a_missing_file_and_a_folder_are_mistakes_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_golden(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_golden(tmp_path)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    quoted = (Relevant(uri="a b", quote="x\ny"),)
    questions = (
        Question(id="1", question="Wo?\u2028", relevant=quoted, answer="da", tags=("t",)),
        Question(id="2", question="何?", relevant=(Relevant(uri="a"), Relevant(uri="b"))),
    )
    written = write_golden(tmp_path / "deep" / "g.jsonl", questions)
    assert (
        read_golden(tmp_path / "deep" / "g.jsonl")
        == written
        == GoldenSet(questions, written.sha256)
    )


def test_nothing_is_written_without_questions_or_with_one_id_twice(tmp_path: Path) -> None:
    question = Question(id="1", question="q", relevant=(Relevant(uri="a"),))
    for questions, said in (([], "no questions"), ([question, question], "one id")):
        with pytest.raises(ConfigError, match=said):
            write_golden(tmp_path / "g.jsonl", questions)
    assert not (tmp_path / "g.jsonl").exists()


def test_judgements_that_no_longer_hold_are_found_and_each_text_is_loaded_once() -> None:
    loads: list[str] = []

    def text() -> str:
        loads.append("a.md")
        return "The cafe\u0301\n\n  opens at nine."

    relevant = (
        Relevant(uri="a.md", quote="caf\u00e9 opens"),
        Relevant(uri="a.md", quote="Opens at"),
        Relevant(uri="old/A.md"),
        Relevant(uri="gone.md", quote="x"),
        Relevant(uri="a.md"),
    )
    found = missing(
        GoldenSet((Question(id="q", question="?", relevant=relevant),), ""), {"a.md": text}
    )
    assert [(lost.uri, lost.quote, lost.why) for lost in found] == [
        ("a.md", "Opens at", "the document no longer contains the quote"),
        ("old/A.md", None, "no document has this uri; did you mean a.md?"),
        ("gone.md", "x", "no document has this uri"),
    ]
    assert loads == ["a.md"]


def test_texts_without_quotes_are_never_loaded() -> None:
    names = [str(i) for i in range(20_000)]
    golden = GoldenSet(
        tuple(Question(id=name, question="?", relevant=(Relevant(uri=name),)) for name in names), ""
    )

    def fail() -> str:
        raise AssertionError("loaded")

    assert missing(golden, dict.fromkeys(names, fail)) == []
    assert len(missing(golden, {})) == 20_000


def test_normalising_joins_white_space_and_composes() -> None:
    assert normalise(" a\u00a0\f\n b e\u0301 ") == "a b \u00e9"


def test_the_shipped_golden_set_holds_for_this_python() -> None:
    golden = read_golden(SHIPPED)
    assert len(golden.questions) >= 60
    assert missing(golden, {name: partial(str, text) for name, text in topics.items()}) == []
    assert len({item.uri for question in golden.questions for item in question.relevant}) > 60
    assert all(question.answer and question.tags for question in golden.questions)
    assert len({question.question.lower() for question in golden.questions}) == len(
        golden.questions
    )

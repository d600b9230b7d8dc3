"""Questions: from the columns of tables, and from a model."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, DocumentError, UsageError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker, Span
from llmops.tasks.plugins.chunkers.qa import QaChunker, read_questions
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.llms import Llm, Message
from llmops.tasks.plugins.parsers.table import TableParser

T = TypeVar("T")
CSV = (
    'Topic,Question,Answer\nfees,"Who pays: you; or me?","You; always: you."\nx,How?,\ny,,Only '
    "an answer\n"
)
SHEET = (
    "# FAQ\n\nIntro text.\n\n| Question | Answer |\n| --- | --- |\n| Why \\| how? | Because "
    "\\| so |\n| When? |  |\n\nAfter."
)
LLM = {"name": "openai", "model": "small", "base_url": "http://127.0.0.1:9/v1"}


def split(text: str, uri: str = "", markup: str = "plain", **options: Any) -> list[Span]:
    return list(
        QaChunker(**options).split(
            text, markup=markup, title="T", tokenizer=HashEmbedder(), uri=uri
        )
    )


def test_a_row_is_found_by_its_question() -> None:
    text = TableParser().parse(CSV.encode(), "text/csv").text
    first, second, third = split(text, "faq.csv")
    assert (first.search, text[first.start : first.end]) == (
        "Who pays: you; or me?",
        "Topic: fees; Question: Who pays: you; or me?; Answer: You; always: you.",
    )
    assert (second.search, text[second.start : second.end]) == ("How?", "Topic: x; Question: How?")
    assert (third.search, text[third.start : third.end]) == (
        None,
        "Topic: y; Answer: Only an answer",
    )


def test_the_answer_may_be_searched_and_given() -> None:
    text = TableParser().parse(CSV.encode(), "text/csv").text
    first, second, _ = split(text, "faq.csv", search="both", give="answer")
    assert (first.search, text[first.start : first.end]) == (
        "Who pays: you; or me?\nYou; always: you.",
        "You; always: you.",
    )
    assert (second.search, text[second.start : second.end]) == ("How?", "Topic: x; Question: How?")


def test_tables_in_markdown() -> None:
    before, why, when, after = split(SHEET, "faq.xlsx", "markdown", give="answer")
    assert SHEET[before.start : before.end].startswith("# FAQ")
    assert (why.search, SHEET[why.start : why.end], why.headings) == (
        "Why | how?",
        "Because \\| so",
        ("FAQ",),
    )
    assert (when.search, SHEET[when.start : when.end]) == ("When?", "| When? |  |")
    assert (SHEET[after.start : after.end], after.context) == ("After.", "T > FAQ")


def test_other_columns_can_be_named_and_a_table_without_them_is_refused() -> None:
    text = TableParser().parse(b"ask,say\nWhy?,So.\nHow?,Thus.\n", "text/csv").text
    assert [span.search for span in split(text, "a.csv", question="ask", answer="say")] == [
        "Why?",
        "How?",
    ]
    with pytest.raises(DocumentError, match="the table has no column 'question'; it has ask, say"):
        split(text, "a.csv")


def test_a_long_question_is_cut_to_what_the_embedder_reads() -> None:
    class Narrow(HashEmbedder):
        max_tokens = 10

    text = (
        TableParser()
        .parse(b"question,answer\n" + b"why " * 50 + b",So.\nHow?,Thus.\n", "text/csv")
        .text
    )
    first, _ = QaChunker().split(text, markup="plain", title=None, tokenizer=Narrow(), uri="a.csv")
    assert (first.tokens, first.search) == (10, " ".join(["why"] * 10))


class Asker(HashEmbedder):
    """Answers with two questions about the passage's first word, as a build would hand them
    over.
    """

    def ask(self, llm: Llm, messages: Sequence[Message], read: Callable[[str], T]) -> T:
        word = messages[1].content.partition("<passage>\n")[2].split()[0]
        return read(
            f'```json\n{{"questions": ["What is {word}?", "Why {word}?", "What is {word}?"]}}\n```'
        )


def test_each_passage_has_its_own_text_and_questions() -> None:
    text = "Alpha is first. " * 10 + "\n\n" + "Beta is second. " * 10
    spans = QaChunker(llm=Spec.model_validate(LLM), size=45, overlap=0).split(
        text, markup="plain", title="T", tokenizer=Asker()
    )
    assert [(text[span.start :].split()[0], span.search) for span in spans] == [
        ("Alpha", None),
        ("Alpha", "What is Alpha?"),
        ("Alpha", "Why Alpha?"),
        ("Beta", None),
        ("Beta", "What is Beta?"),
        ("Beta", "Why Beta?"),
    ]
    assert spans[0].context == "T"


def test_a_tokenizer_that_cannot_ask_is_said() -> None:
    with pytest.raises(
        UsageError, match="the chunker qa asks a model, which only a build pays for"
    ):
        split("Some text.", llm=Spec.model_validate(LLM))


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ("Sure!", "a JSON object"),
        ("{", "a JSON object"),
        ("", "a JSON object"),
        ('{"questions": "x"}', "a list of texts"),
        ('{"questions": [1]}', "a list of texts"),
        ('{"asked": ["x"]}', "a list of texts"),
        ('{"questions": []}', "is empty"),
        ('{"questions": [" "]}', "is empty"),
    ],
)
def test_replies_that_cannot_be_used(reply: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_questions(reply)


def test_the_model_is_checked_when_the_config_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for options, says in (
        ({"name": "openai"}, "llm.model: Field required"),
        ({"name": "opnai"}, "did you mean openai"),
        ({**LLM, "base_url": "host"}, "llm.base_url: an address is wanted"),
    ):
        with pytest.raises(ConfigError, match=says):
            Spec(name="qa", options={"llm": options}).build(Chunker)
    with pytest.raises(ValidationError, match="questions"):
        QaChunker(questions=0)


def test_the_key_changes_no_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    prints = []
    for key in ("one", "two"):
        monkeypatch.setenv("SOME_KEY", key)
        prints.append(
            Spec(name="qa", options={"llm": {**LLM, "api_key": "${SOME_KEY}"}})
            .build(Chunker)
            .fingerprint()
        )
    assert prints[0] == prints[1] != QaChunker().fingerprint()
    assert prints[0] != QaChunker(llm=Spec.model_validate({**LLM, "model": "large"})).fingerprint()

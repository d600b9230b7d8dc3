import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins.embedders import _words, minilm
from llmops.tasks.plugins.embedders._wordpiece import load_tokenizer, offsets
from llmops.tasks.plugins.embedders._words import WordStarts
from llmops.tasks.plugins.embedders.minilm import MiniLMEmbedder, weights_folder

MIXED = " \t\n\x0b\x0c\x1c\x85\u200b\u0301\ufffd\u2028\u3000\u00ad한글中文かなéİſ!.[SEP]’\x00aB9"
TEXTS = (
    "",
    "Unbelievable! re-tokenising 'e\u0301clair' (İstanbul), 日本語のテキスト。 한글 \ud800x\x85y",
    "deadbeef" * 40 + " " + "é" * 33 + " x" * 3 + " [SEP] \u200b \u0301 \x00\x7f",
)


class Counting:
    """A tokenizer that counts how often it is asked."""

    def __init__(self) -> None:
        self.tokenizer, self.asked = minilm._tokenizer(), 0

    def __getattr__(self, name: str) -> object:
        self.asked += name == "encode_batch"
        return getattr(self.tokenizer, name)


def expected(text: str) -> list[int]:
    return [start for start, _ in MiniLMEmbedder().token_offsets(text)]


@settings(deadline=None)
@given(st.text(st.one_of(st.characters(codec=None), st.sampled_from(MIXED)), max_size=80))
@example(TEXTS[0])
@example(TEXTS[1])
@example(TEXTS[2])
def test_tokens_begin_where_the_tokenizer_says(text: str) -> None:
    assert MiniLMEmbedder().token_starts(text).tolist() == expected(text)
    assert MiniLMEmbedder().count(text) == len(expected(text))


def test_a_word_is_read_once() -> None:
    tokenizer = Counting()
    words = WordStarts(tokenizer)  # type: ignore[arg-type]
    words.starts("Naïve café; naïveté")
    asked = tokenizer.asked
    text = "naïveté, café (Naïve)"
    assert words.starts(text).tolist() == expected(text)
    assert tokenizer.asked == asked == 1


def test_few_words_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_words, "MOST", 3)
    words = WordStarts(minilm._tokenizer())
    for text in ("one two three", "four five one", "x" * 200, "one six seven eight nine"):
        assert words.starts(text).tolist() == expected(text)
        assert len(words._known) <= 5


def test_terms_of_several_words_are_left_to_the_tokenizer() -> None:
    tokenizer = load_tokenizer((weights_folder() / "tokenizer.json").read_bytes())
    tokenizer.add_tokens(["knowledge base"])
    text = "a knowledge base, unbelievable"
    starts = WordStarts(tokenizer).starts(text).tolist()
    assert starts == [start for start, _ in offsets(tokenizer, text)]
    assert len(starts) < len(expected(text))

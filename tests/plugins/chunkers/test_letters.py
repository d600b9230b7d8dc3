"""Text that the embedder does not read is measured by its letters, all other text by its tokens."""

import re
from importlib.util import find_spec

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting.letters import size_of
from llmops.tasks.plugins.chunkers.markdown import MarkdownChunker
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders.minilm import PACKAGE, MiniLMEmbedder
from tests.plugins.chunkers import texts
from tests.plugins.chunkers.test_contract import CHUNKERS, FRAGMENTS, Kind, check_places

KOREAN = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. "
THAI = "มนุษย์ทั้งปวงเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ "
SCRIPTS = {
    "persian": (texts.varied(texts.PERSIAN, 40), 4.0),
    "hindi": (texts.varied(texts.HINDI, 40), 4.0),
    "chinese": (texts.varied(texts.CHINESE, 40), 1.4),
    "korean": (KOREAN * 80, 2.0),
    "thai": (THAI * 60, 4.0),
}
"""Texts, and how many of their letters carry as much as an English token."""

FULL = 0.4
"""How full chunks are of letters: signs and digits are tokens of their own. Counted by tokens it
would be 0.25 (alphabets) to 0.6 (Chinese)."""


class LetterByLetter:
    """Counts as the tokenizer of an English model does: parts of words, and of other scripts each
    letter. It has no vectors; the chunkers that need some are not tried with it.
    """

    languages: frozenset[str] = frozenset({"en"})
    max_tokens = 254
    pattern = re.compile(r"[!-~]{1,4}|\S")

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in self.pattern.finditer(text)]


class OfAllLanguages(LetterByLetter):
    languages = frozenset()


class WholeWords(LetterByLetter):
    """Of what stands between spaces in another script it makes a single token, as WordPiece does of
    what it does not know: in Thai of a whole sentence."""

    pattern = re.compile(r"[!-~]{1,4}|[^\s!-~]+")


class Multilingual(LetterByLetter):
    pattern = re.compile(r"\S{1,4}")


def split(text: str, tokenizer: Tokenizer, chunker: Chunker | None = None) -> list[Span]:
    made = chunker or SentenceChunker()
    return list(made.split(text, markup="plain", title="A title", tokenizer=tokenizer))


def counted(text: str, span: Span) -> int:
    return len(LetterByLetter().token_offsets(text[span.start : span.end]))


def letters(text: str) -> int:
    return sum(map(str.isalpha, text))


@pytest.mark.parametrize(
    ("script", "tokenizer"),
    [*((script, LetterByLetter()) for script in SCRIPTS), ("thai", WholeWords())],
)
def test_a_chunk_holds_as_much_text_as_in_english(script: str, tokenizer: Tokenizer) -> None:
    text, per_token = SCRIPTS[script]
    held = [letters(text[span.start : span.end]) for span in split(text, tokenizer)]
    assert 200 < max(held) <= 200 * per_token
    assert sum(held) / len(held) > FULL * 200 * per_token


def test_kana_carry_less_than_kanji() -> None:
    assert len(size_of("東京都庁舎" * 7, LetterByLetter())) == 25
    assert len(size_of("ひらがなの" * 6, LetterByLetter())) == 11


@pytest.mark.parametrize("tokenizer", [OfAllLanguages(), Multilingual()])
@pytest.mark.parametrize("script", SCRIPTS)
def test_tokens_count_where_the_embedder_or_its_tokenizer_knows_the_script(
    script: str, tokenizer: Tokenizer
) -> None:
    text = SCRIPTS[script][0]
    if script == "chinese" and isinstance(tokenizer, Multilingual):
        text = "".join(f"{part} " for part in re.findall("..?", text))
    assert size_of(text, tokenizer) == [start for start, _ in tokenizer.token_offsets(text)]
    assert all(span.tokens <= 200 for span in split(text, tokenizer))


@pytest.mark.parametrize(
    ("language", "read"), [("fa", True), ("ar", True), ("en", False), ("he", False)]
)
def test_a_script_is_read_by_embedders_of_a_language_that_is_written_in_it(
    language: str, read: bool
) -> None:
    class Declares(LetterByLetter):
        languages = frozenset({language})

    text = texts.PERSIAN
    assert (len(size_of(text, Declares())) == len(Declares().token_offsets(text))) == read


@pytest.mark.parametrize(
    "text",
    [
        "α-synuclein and β-amyloid were measured in 40 patients of the cohort. " * 40,
        "Die Größe ändert sich für Wörter mit Umlauten überhaupt nicht. " * 40,
        "The capital is called 北京, in English Beijing, and it has many parks. " * 40,
    ],
)
def test_other_letters_in_a_line_of_latin_ones_change_nothing(text: str) -> None:
    assert split(text, LetterByLetter()) == split(text, OfAllLanguages())


def test_what_the_embedder_reads_is_never_cut_off() -> None:
    persian = [texts.varied(texts.PERSIAN, 5).replace("\n\n", " ")] * 4
    english = "Read me, for the embedder knows what I say and finds me by my meaning. " * 3
    text = "\n\n".join(f"{one}\n\n{english}" for one in persian)
    for size in (60, 200, 254):
        spans = split(text, LetterByLetter(), SentenceChunker(size=size, overlap=size // 8))
        for span in spans:
            if "embedder" in text[span.start : span.end]:
                assert counted(text, span) <= LetterByLetter.max_tokens
    assert any(counted(text, span) > LetterByLetter.max_tokens for span in spans)


def test_the_title_stays_before_chunks_that_are_not_read() -> None:
    text = texts.varied(texts.PERSIAN, 20)
    long = [
        span
        for span in split(text, LetterByLetter())
        if counted(text, span) > LetterByLetter.max_tokens
    ]
    assert long
    assert {span.context for span in long} == {"A title"}
    assert {span.tokens for span in long} == {LetterByLetter.max_tokens}


@pytest.mark.parametrize("script", ["persian", "chinese", "korean"])
def test_an_edit_moves_the_chunks_around_it(script: str) -> None:
    text = SCRIPTS[script][0]
    before = {text[span.start : span.end] for span in split(text, LetterByLetter())}
    for place in range(0, len(text), len(text) // 7):
        at = text.find(" ", place) if script != "chinese" else place
        edited = f"{text[:at]} زبره {text[at:]}"
        after = {edited[span.start : span.end] for span in split(edited, LetterByLetter())}
        assert len(after - before) <= 4


@pytest.mark.skipif(find_spec("llama_index") is None, reason="llama-index-core is not installed")
def test_node_parsers_are_handed_the_same_sizes() -> None:
    from llmops.tasks.plugins.chunkers.node_parser import NodeParserChunker

    text, per_token = SCRIPTS["persian"]
    spans = split(text, LetterByLetter(), NodeParserChunker(parser="SentenceSplitter"))
    held = [letters(text[span.start : span.end]) for span in spans]
    assert max(held) <= 200 * per_token
    assert sum(held) / len(held) > FULL * 200 * per_token


MIXED = st.lists(
    st.one_of(
        FRAGMENTS,
        st.sampled_from(
            [texts.PERSIAN, texts.JAPANESE, KOREAN, THAI, "नि", "漢字", "English words. "]
        ),
    ),
    max_size=40,
).map("".join)
WITHOUT_VECTORS = [kind for kind in CHUNKERS if getattr(kind, "__name__", "") != "SemanticChunker"]


@pytest.mark.parametrize("chunker", WITHOUT_VECTORS)
@settings(max_examples=30, deadline=None)
@given(text=MIXED, size=st.integers(8, 300))
def test_any_mixture_keeps_its_text(chunker: Kind, text: str, size: int) -> None:
    made = chunker(size=size, overlap=size // 9)
    for tokenizer in (LetterByLetter(), WholeWords()):
        spans = made.split(text, markup="markdown", title="A title", tokenizer=tokenizer)
        check_places(text, spans, tokenizer)


@pytest.mark.slow
@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="no weights")
@pytest.mark.parametrize("script", ["persian", "hindi", "korean", "chinese"])
def test_minilm_does_not_know_these_scripts(script: str) -> None:
    text, per_token = SCRIPTS[script]
    spans = split(text, MiniLMEmbedder(), MarkdownChunker())
    held = [letters(text[span.start : span.end]) for span in spans]
    assert sum(held) / len(held) > FULL * 200 * per_token

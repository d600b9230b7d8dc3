"""Chunks stay what they are: a border that moves is embedded, and paid for, again."""

import json
from collections.abc import Iterator
from random import Random

import pytest

from llmops.tasks.hashing import sha256
from llmops.tasks.knowledge.splitting import chunk_rows
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.embedders import Embedder

WORDS = """the of and index retrieval unbelievable re-tokenised Élan naïve x1 e.g. Mr. approx. (cf.
colon: comma, semi; `code` *bold* 3.14 12. http://example.org/a?b=c#d deadbeefdeadbeefdeadbeef
دانش پایگاه، کتاب 日本語のテキスト 知識ベース。 한국어 поиск знаний สวัสดีครับ
👍🏿 e\u0301 a\u200bb"""
ENDS = (*[" "] * 12, ". ", "! ", ".\n", "\n", "\n- ", "\n\n", "\n\n## ", "\n1. ", "\f", "  ")
SHA256 = {
    ("sentence", "minilm"): "0c8483ffe95eb2ebd27af8582537d2051d5870684de9478b1238f8d6eb7cb126",
    ("markdown", "hash"): "e538c3ca67b939e3dbc10fc4e53eb5496913ce9e6cda6cfdb2f6fac64961be97",
    ("parent_child", "minilm"): "92fa46a140866e9348334917f79a61abdff05fcec9e71aaf2ba7220ce0041b9d",
    ("fixed", "hash"): "321831a68e26a05521fd9e0f63f82494af8efd3d6c26d39e347388a8a9a9d618",
}


def texts() -> Iterator[str]:
    """Words of several scripts, in some texts but a few again and again."""
    random, words = Random(7), WORDS.split()
    for number in range(12):
        known = random.sample(words, 3 if number % 4 == 3 else len(words))
        parts = (random.choice(known) + random.choice(ENDS) for _ in range(150 * number))
        yield "".join(parts) + known[0] * (number % 3) * 40


@pytest.mark.parametrize(("chunker", "embedder"), [*SHA256])
def test_the_same_texts_give_the_same_chunks(chunker: str, embedder: str) -> None:
    options = {"size": 40, "overlap": 9}
    cutter = Spec(name=chunker, options=options).build(Chunker)
    tokenizer = Spec(name=embedder).build(Embedder)
    rows = [
        chunk_rows(
            {"doc_id": "d", "text": text},
            cutter.split(text, markup="markdown", title="Title", tokenizer=tokenizer),
        )
        for text in texts()
    ]
    assert sha256(json.dumps(rows, sort_keys=True)) == SHA256[chunker, embedder]

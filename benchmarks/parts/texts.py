"""Texts that every Python carries: the language's own help topics, half a megabyte of English."""

import json
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

SEED = 7


def whole() -> list[str]:
    return [topics[name] for name in sorted(topics)]


def passages(count: int) -> list[str]:
    """Paragraphs of more than ten words, dealt at random; the same ones again where more are asked
    for than there are.
    """
    every = [" ".join(part.split()) for text in whole() for part in text.split("\n\n")]
    long = [part for part in every if len(part.split()) > 10]
    Random(SEED).shuffle(long)
    return [long[number % len(long)] for number in range(count)]


def written(texts: list[str], folder: Path) -> Path:
    file = folder / "texts.json"
    file.write_text(json.dumps(texts), encoding="utf-8")
    return file

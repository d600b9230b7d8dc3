"""Chunkers: `python -m benchmarks.contenders.split SYSTEM TEXTS TOKENIZER`. Asked for `split`, it
cuts all texts once. All count tokens with the same tokenizer, but LlamaIndex as `SentenceSplitter`
does by default (tiktoken's GPT-2), where it is asked so.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.contenders.worker import serve

SIZE, OVERLAP = 200, 20
FIRST = "A text of two sentences. It is cut before time is taken, so that all is loaded."
Split = Callable[[str], Sequence[object]]


def llmops(tokenizer: str) -> Split:
    del tokenizer  # minilm's own
    from llmops.tasks.plugins import Spec
    from llmops.tasks.plugins.chunkers import Chunker
    from llmops.tasks.plugins.embedders import Embedder

    options = {"size": SIZE, "overlap": OVERLAP}
    chunker = Spec(name="sentence", options=options).build(Chunker)
    embedder = Spec(name="minilm").build(Embedder)
    return partial(chunker.split, markup="plain", title=None, tokenizer=embedder)


def llamaindex(tokenizer: str) -> Split:
    from llama_index.core.node_parser import SentenceSplitter

    own: dict[str, Any] = {} if tokenizer == "default" else {"tokenizer": _encode(tokenizer)}
    splitter = SentenceSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, **own)
    return splitter.split_text


def langchain(tokenizer: str) -> Split:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    encode = _encode(tokenizer)
    return RecursiveCharacterTextSplitter(
        chunk_size=SIZE, chunk_overlap=OVERLAP, length_function=lambda text: len(encode(text))
    ).split_text


def chonkie(tokenizer: str) -> Split:
    from chonkie import SentenceChunker
    from tokenizers import Tokenizer

    split: Split = SentenceChunker(
        tokenizer=_unlimited(Tokenizer.from_file(tokenizer)),
        chunk_size=SIZE,
        chunk_overlap=OVERLAP,
    ).chunk
    return split


def _encode(tokenizer: str) -> Callable[[str], list[int]]:
    from tokenizers import Tokenizer

    loaded = _unlimited(Tokenizer.from_file(tokenizer))
    return lambda text: list(loaded.encode(text, add_special_tokens=False).ids)


def _unlimited(tokenizer: Any) -> Any:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


SYSTEMS = {"llmops": llmops, "llamaindex": llamaindex, "langchain": langchain, "chonkie": chonkie}


def main(system: str, file: str, tokenizer: str) -> None:
    texts = json.loads(Path(file).read_text(encoding="utf-8"))
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread, for all of them
    split = SYSTEMS[system](tokenizer)
    split(FIRST)

    def work() -> dict[str, float]:
        began = time.perf_counter()
        chunks = sum(len(split(text)) for text in texts)
        return {"seconds": time.perf_counter() - began, "chunks": chunks}

    serve({"split": work})


if __name__ == "__main__":
    main(*sys.argv[1:])

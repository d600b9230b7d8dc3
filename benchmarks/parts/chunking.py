"""Megabytes a second that chunkers cut, at equal settings."""

import tempfile
from pathlib import Path

from benchmarks.parts.ingestion import turned
from benchmarks.parts.texts import whole, written
from benchmarks.report.processes import Absent, worker
from benchmarks.report.records import Part, Record
from llmops.tasks.plugins.embedders.minilm import weights_folder

OURS = "llmops sentence"
PEERS = {
    "LlamaIndex SentenceSplitter": ("llamaindex", ""),
    "LlamaIndex, its default tokens": ("llamaindex", "default"),
    "LangChain RecursiveCharacter": ("langchain", ""),
    "Chonkie SentenceChunker": ("chonkie", ""),
}
MEASURE = "text cut"
ABOUT = """Python's own help topics ({megabytes:.2f} MB of English), 200 tokens with 20 of
overlap, in one thread. In each round each system cuts them once, in a process that has loaded what
it needs and has seen none of them, since ours remembers the tokens of words. Tokens are those of
all-MiniLM-L6-v2 for all (`tokenizers`); LlamaIndex also with the tokens that `SentenceSplitter`
counts by default. LangChain's `RecursiveCharacterTextSplitter` counts with `length_function`.
Ours keeps the offsets of each chunk and chooses borders by content, so that an edit moves only the
chunks around it. Chunks: {chunks}."""


def measure(*, quick: bool) -> Part:
    texts, rounds = whole(), 3 if quick else 7
    megabytes = sum(len(each.encode()) for each in texts) / 1e6
    tokenizer = str(weights_folder() / "tokenizer.json")
    skipped, pace = dict[str, str](), dict[str, list[float]]()
    chunks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = str(written(texts, Path(folder)))
        for number in range(rounds):
            for name in turned([OURS, *PEERS], number):
                if name in skipped:
                    continue
                try:
                    told = _round(name, file, tokenizer)
                except Absent as error:
                    skipped[name] = str(error)
                else:
                    chunks[name] = int(told["chunks"])
                    pace.setdefault(name, []).append(megabytes / told["seconds"])
    said = ", ".join(f"{count:,} {name}" for name, count in chunks.items())
    return Part(
        name="chunking",
        title="Chunking",
        about=ABOUT.format(megabytes=megabytes, chunks=said),
        command="python -m benchmarks chunking",
        records=[Record(MEASURE, name, "MB/s", pace[name], "more") for name in pace],
        skipped=skipped,
        plot=[MEASURE],
    )


def _round(name: str, file: str, tokenizer: str) -> dict[str, float]:
    """In a process of its own. Raises Absent."""
    system, tokens = PEERS.get(name, ("llmops", ""))
    given = [system, file, tokens or tokenizer]
    with worker("benchmarks.contenders.split", *given, peer=name != OURS) as one:
        return one.ask("split")

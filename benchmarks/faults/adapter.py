"""What a system has to bring to be measured, and what all systems share: the parser, the chunker
and the embedder. Needs nothing but the standard library.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.faults import inject

BILL, POISON, DIMENSION = Path("bill.jsonl"), "POISON", 32
CALL_SECONDS, TEXT_SECONDS = 0.02, 0.002


class Adapter(Protocol):
    """One system, set up as its own documentation recommends for safety. Subclass it in a module of
    its own, end the module with `ADAPTER = YourClass()`, and name the module after `--systems`.

    Every call is made in a process of its own, whose working folder is that of the cell: the
    documents are the files `docs/**/*.txt`, and everything that the system keeps has to lie in that
    folder too, under relative paths, since folders are copied.

    `title` names it in the table. `packages`: whose versions are told. `store`: the folder of its
    vectors. `state`: patterns of the files in which it keeps what it has done. `setup`: in a
    sentence, how it is set up and by which advice of its documentation. `loads`: libraries that
    its processes need and that survive a fork: they are imported once for all.
    """

    title: str
    packages: Sequence[str]
    store: str
    state: Sequence[str]
    setup: str
    loads: Sequence[str] = ()

    def run(self, per_chunk: int) -> None:
        """Bring the index up to date with `docs`, as a user would: one plain run.

        Reads files with `parse` below, cuts them with `split(text, per_chunk)`, embeds with
        `embed`, and calls `inject.at("store write")`, `inject.at("state write")` and
        `inject.at("delete")` where the system is about to do that (`inject.arm_lancedb()` does so
        for LanceDB; a state that cannot be reached counts as written when the store has been). The
        uri of a document is its path below `docs`. An error is whatever the system makes of one: an
        exception, or a process that ends with another code than 0.
        """
        ...

    def search(self) -> Iterable[tuple[str, str]]:
        """(uri, text) of all chunks that one search of the system can find now. It is called again
        and again in one process, while others write.
        """
        ...

    def start(self, folder: Path) -> Mapping[str, str]:
        """Start what all runs share, such as a server, and return environment variables that they
        get. Most systems need nothing.
        """
        del folder
        return {}

    def stop(self, folder: Path) -> None:
        """End what `start` has started."""
        del folder


def parse(file: Path) -> str:
    """The text of a file; a place of faults."""
    inject.at("parse")
    return file.read_text()


def split(text: str, per_chunk: int) -> list[str]:
    """So many paragraphs to a chunk: the number tells of which configuration a chunk is."""
    paragraphs = text.strip().split("\n\n")
    starts = range(0, len(paragraphs), per_chunk)
    return ["\n\n".join(paragraphs[start : start + per_chunk]) for start in starts]


def embed(texts: Sequence[str]) -> list[list[float]]:
    """A unit vector per text, the same on every machine. As a service would, it takes a while, it
    writes a bill (a line per text), and it refuses a whole call in which a text is poisoned.

    Raises ValueError for poison, and InjectedFault; then nothing was paid.
    """
    inject.at("embed")
    time.sleep(CALL_SECONDS + TEXT_SECONDS * len(texts))
    if poisoned := next((text for text in texts if POISON in text), None):
        raise ValueError(f"the text cannot be embedded: {poisoned[:40]}")
    with BILL.open("a") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
    return [vector(text) for text in texts]


def vector(text: str) -> list[float]:
    """From the text's hash, of length 1."""
    numbers = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]

"""Two systems in a few lines, for the fault-injection benchmark to be tried on: one makes every
mistake that it is to find, the other none that a crash could show.

Their store is one JSON file of rows, `{"uri", "text", "key"}`.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

from benchmarks.faults import inject
from benchmarks.faults.adapter import POISON, Adapter, embed, parse, split

DOCS, STORE, STATE = Path("docs"), Path("store"), Path("state.json")


class Row(TypedDict):
    """`key`: hash of the document's text and of the configuration."""

    uri: str
    text: str
    key: str


def rows() -> list[Row]:
    file = STORE / "rows.json"
    found: list[Row] = json.loads(file.read_text()) if file.exists() else []
    return found


def put(file: Path, content: object) -> None:
    """Whole, or not at all."""
    file.parent.mkdir(exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(file)


def documents() -> dict[str, str]:
    return {str(file.relative_to(DOCS)): parse(file) for file in sorted(DOCS.rglob("*.txt"))}


def key(text: str, per_chunk: int) -> str:
    return hashlib.sha256(f"{per_chunk} {text}".encode()).hexdigest()


class CarelessAdapter(Adapter):
    """Writes down that a document is done before it is, deletes its old text before the new one is
    there, forgets what it has paid for, passes over errors, and believes an empty folder.
    """

    title = "careless"
    packages = ()
    store = str(STORE)
    state = (str(STATE),)
    setup = "makes every mistake"

    def run(self, per_chunk: int) -> None:
        done: dict[str, str] = json.loads(STATE.read_text()) if STATE.exists() else {}
        there = documents()
        for uri in done.keys() - there.keys():
            self._delete(uri)
            del done[uri]
        for uri, text in there.items():
            if done.get(uri) != (made := key(text, per_chunk)):
                done[uri] = made
                inject.at("state write")
                put(STATE, done)
                self._delete(uri)
                self._add(uri, text, per_chunk, made)
        put(STATE, done)

    def _delete(self, uri: str) -> None:
        inject.at("delete")
        put(STORE / "rows.json", [row for row in rows() if row["uri"] != uri])

    def _add(self, uri: str, text: str, per_chunk: int, made: str) -> None:
        chunks = split(text, per_chunk)
        try:
            embed(chunks)
        except ValueError:
            return
        inject.at("store write")
        put(STORE / "rows.json", [*rows(), *({"uri": uri, "text": c, "key": made} for c in chunks)])

    def search(self) -> Iterable[tuple[str, str]]:
        return [(row["uri"], row["text"]) for row in rows()]


class CarefulAdapter(CarelessAdapter):
    """Everything anew in one file, which takes the place of the old one at once. What was paid for
    is written down as it is paid; a document that cannot be embedded keeps its old text.
    """

    title = "careful"
    setup = "one file, replaced whole"

    def run(self, per_chunk: int) -> None:
        paid = set(json.loads(STATE.read_text())) if STATE.exists() else set()
        made: list[Row] = []
        for uri, text in documents().items():
            chunks = split(text, per_chunk)
            if POISON in text:
                made += [row for row in rows() if row["uri"] == uri]
                continue
            for chunk in chunks:
                if chunk not in paid:
                    embed([chunk])
                    paid.add(chunk)
                    inject.at("state write")
                    put(STATE, sorted(paid))
            made += [{"uri": uri, "text": chunk, "key": ""} for chunk in chunks]
        inject.at("store write")
        put(STORE / "rows.json", made)


ADAPTER = CarelessAdapter()

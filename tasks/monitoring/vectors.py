"""Vectors of what people said, each made once: windows of one week are the reference windows of the
next eight.
"""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy as np
from pydantic import PrivateAttr

from llmops.tasks.calls.costs import CostEntry, Payer, book
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.embedders import Embed, Embedder
from llmops.tasks.schemas import Vectors

FILE = "vectors-{}.npz"
PER_CALL = 64
WRITTEN = 2_048
FLOW = "monitor"


class RememberedEmbedder(Embedder):
    """An embedder with a file of the vectors that it made before, by the hash of their text and,
    where questions have vectors of their own, of what these depend on.
    `with RememberedEmbedder.of(home, app, inner, folder) as embedder`: what is not asked for until
    the end is forgotten. What costs money is booked call by call, and written down every WRITTEN
    texts: a kill costs no more than those.

    The file is of one application, and goes with the deletion of any of its traces: vectors say
    something of the texts.
    """

    _inner: Embedder = PrivateAttr()
    _home: Path = PrivateAttr()
    _app: str = PrivateAttr()
    _file: Path = PrivateAttr()
    _known: dict[bytes, "np.ndarray[tuple[int], np.dtype[np.float32]]"] = PrivateAttr()
    _used: set[bytes] = PrivateAttr(default_factory=set)
    _cost: float = PrivateAttr(default=0.0)
    _unwritten: int = PrivateAttr(default=0)

    @classmethod
    def of(cls, home: Path, app: str, inner: Embedder, folder: Path) -> "RememberedEmbedder":
        """Its file lies in the folder."""
        made = cls()
        made._inner, made._home, made._app = inner, home, app
        made._file = folder / FILE.format(made._inner.fingerprint())
        made._known = _read(made._file)
        return made

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens

    @property
    def languages(self) -> frozenset[str]:
        return self._inner.languages

    @property
    def price(self) -> float:
        return self._inner.price

    @property
    def cost_usd(self) -> float:
        """What was paid until now, in US dollars."""
        return self._cost

    def fingerprint(self) -> str:
        return self._inner.fingerprint()

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        return self._inner.token_offsets(text)

    def query_fingerprint(self) -> str:
        return self._inner.query_fingerprint()

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._remembered(self._inner.embed, texts, "")

    def embed_query(self, texts: Sequence[str]) -> Vectors:
        side = self._inner.query_fingerprint()
        return self._remembered(
            self._inner.embed_query, texts, "" if side == self._inner.fingerprint() else side
        )

    def _remembered(self, embed: Embed, texts: Sequence[str], side: str) -> Vectors:
        keys = [_key(side + text) for text in texts]
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._known
        }
        self._used |= set(keys)
        waiting = list(missing)
        for start in range(0, len(waiting), PER_CALL):
            part = waiting[start : start + PER_CALL]
            vectors = embed([missing[key] for key in part])
            self._known |= dict(zip(part, vectors, strict=True))
            if self._inner.price:
                self._pay([missing[key] for key in part])
                self._unwritten += len(part)
                if self._unwritten >= WRITTEN:
                    self._write()
        if not keys:
            return np.empty((0, self.dimension), np.float32)
        return np.stack([self._known[key] for key in keys])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._known = {key: each for key, each in self._known.items() if key in self._used}
        self._write()

    def _pay(self, texts: Sequence[str]) -> None:
        tokens = sum(self._inner.count(text) for text in texts)
        cost = tokens * self._inner.price / 1e6
        name = str(getattr(self._inner, "model", type(self._inner).__name__))
        with open_ledger(self._home).write() as connection:
            book(connection, [CostEntry(Payer(FLOW, self._app), name, tokens, cost)])
        self._cost += cost

    def _write(self) -> None:
        """Whole or not at all; those of other embedders are of no use any more."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(f".{os.getpid()}.new")
        keys = np.frombuffer(b"".join(self._known), np.uint8).reshape(-1, sha256().digest_size)
        vectors = np.array(list(self._known.values()), np.float32).reshape(
            len(keys), self.dimension
        )
        with partial.open("wb") as file:
            np.savez(file, keys=keys, vectors=vectors)
        partial.replace(self._file)
        self._unwritten = 0
        for other in self._file.parent.glob(FILE.format("*")):
            if other != self._file:
                other.unlink(missing_ok=True)


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _read(file: Path) -> dict[bytes, "np.ndarray[tuple[int], np.dtype[np.float32]]"]:
    """Nothing where there is no file, or none that can be read: it is a memory, not a record."""
    try:
        with file.open("rb") as source, np.load(source) as content:
            keys, vectors = content["keys"], content["vectors"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}
    return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}

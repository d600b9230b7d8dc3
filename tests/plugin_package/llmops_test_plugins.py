"""Plugins as a third party would write them, with faults on demand. Found through entry points,
like any other.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.sources import Item, Problem, Raw, Source
from llmops.tasks.schemas import Vectors, sha256


class Costly(HashEmbedder):
    """The hash embedder, writing every text that it is paid for into `bill`; raises on texts with a
    word in `poison`.
    """

    bill: Path
    poison: str = "POISON"
    down: bool = False
    price: ClassVar[float] = 2.0
    texts_per_call: ClassVar[int] = 64

    def fingerprint(self) -> str:
        return "costly" + sha256(str(self.bill))[:10]

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self.down:
            raise Unavailable("the embedder does not answer", hint="wait")
        if any(self.poison in text for text in texts):
            raise ValueError("cannot embed poison")
        with self.bill.open("a") as file:
            file.writelines(json.dumps(text) + "\n" for text in texts)
        return super().embed(texts)


class Slow(Costly):
    """The same, but each call takes a while; its beginning is a line in `bill` with the suffix
    `.begun`.
    """

    seconds: float = 1.0

    def embed(self, texts: Sequence[str]) -> Vectors:
        with self.bill.with_suffix(".begun").open("a") as file:
            file.write(f"{len(texts)}\n")
        time.sleep(self.seconds)
        return super().embed(texts)


class Deadly(Costly):
    """The same, but the first process that is to embed while there is no file `dead` leaves one and
    is killed.
    """

    dead: Path

    def embed(self, texts: Sequence[str]) -> Vectors:
        with contextlib.suppress(FileExistsError):
            self.dead.touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(texts)


class Memory(Source):
    """Documents given in the config; `complete` says whether the listing is."""

    documents: dict[str, str] = Field(default_factory=dict)
    complete: bool = True

    def scan(self, found: Callable[[Item | Problem], None]) -> str:
        for uri, text in self.documents.items():
            found(Item(uri=uri, revision=sha256(text), size=len(text)))
        return "" if self.complete else "the server ended the listing early"

    def read(self, item: Item) -> Raw:
        return Raw(data=self.documents[item.uri].encode(), media_type="text/plain")

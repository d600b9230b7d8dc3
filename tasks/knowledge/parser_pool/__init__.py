"""Parsing that no document can stop: a few processes with limits, and plain text in our own."""

import threading
from queue import LifoQueue
from types import TracebackType

from llmops.tasks.errors import (
    DocumentError,
    TransientDocumentError,
    UnforeseenDocumentError,
    UnsupportedDocument,
)
from llmops.tasks.knowledge.parser_pool import process
from llmops.tasks.knowledge.parser_pool.frames import document
from llmops.tasks.plugins import parsers
from llmops.tasks.plugins.parsers import DEFAULTS, Parsed, ParseOptions

LIGHT_BYTES = 8 * 2**20
MOST_BYTES_PER_CHARACTER = 4


class ParserPool:
    """Parses documents from any number of threads; at most `workers` at a time in processes, which
    start when needed.

    Limits per document: `seconds` of time (and as many for each page whose text is recognised),
    `memory_mb` for the whole process, `max_chars` of text. `options`: what is read of them, and
    how.
    A document that passes one is refused with a reason; its process is replaced, no other document
    notices.
    """

    def __init__(
        self,
        *,
        workers: int = 2,
        seconds: float = 60.0,
        memory_mb: int = 1024,
        max_chars: int = 5_000_000,
        options: ParseOptions = DEFAULTS,
    ) -> None:
        self._options = options
        self._seconds, self._memory, self._most = seconds, memory_mb, max_chars
        self._slots: LifoQueue[process.Worker | None] = LifoQueue()
        self._workers, self._closed = workers, threading.Event()
        for _ in range(workers):
            self._slots.put(None)

    def __enter__(self) -> "ParserPool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def parse(self, data: bytes, uri: str, media_type: str = "") -> Parsed:
        """The text of a document. `media_type` only where the source knows better than the bytes.

        Raises DocumentError with a reason for a person, TransientDocumentError when it took too
        long, UnforeseenDocumentError when the parser crashed; ConfigError when a registered parser
        plugin cannot be loaded.
        """
        plain = parsers.plain_type(data, uri, media_type)
        if plain and len(data) > self._most * MOST_BYTES_PER_CHARACTER:
            raise self._too_long(f"more than {self._most:,}")
        parsed = (
            parsers.parse(data, uri, plain)
            if plain and len(data) <= LIGHT_BYTES
            else self._apart(data, uri, plain or media_type)
        )
        if len(parsed.text) > self._most:
            raise self._too_long(f"{len(parsed.text):,}")
        return parsed

    def close(self) -> None:
        """End all processes, once the documents in them are done."""
        if self._closed.is_set():
            return
        self._closed.set()
        for _ in range(self._workers):
            worker = self._slots.get()
            if worker is not None:
                worker.kill()

    def _too_long(self, characters: str) -> DocumentError:
        return DocumentError(
            f"the text has {characters} characters, allowed are {self._most:,}; raise "
            "`parse.max_chars` to take it, or split the file"
        )

    def _apart(self, data: bytes, uri: str, media_type: str) -> Parsed:
        # a plugin that cannot be loaded is the configuration's fault, not the document's
        parsers.parsers_by_type()
        if self._closed.is_set():
            raise RuntimeError("the pool of parsers is closed")
        worker = self._slots.get()
        usable = None
        try:
            worker = worker or process.Worker(self._memory)
            asked = {"uri": uri, "media_type": media_type, "options": self._options.model_dump()}
            head, body = worker.ask(asked, data, self._seconds, self._options.ocr.most_pages)
            usable = worker
        except (process.TimedOut, process.OutOfMemory, process.Died) as error:
            raise self._reason(error) from error
        finally:
            if worker is not None and usable is None:
                worker.kill()
            self._slots.put(usable)
        return _answered(head, body)

    def _reason(self, error: Exception) -> DocumentError:
        if isinstance(error, process.TimedOut):
            return TransientDocumentError(
                f"parsing took longer than {self._seconds:g} seconds and was stopped; raise "
                "`parse.seconds` if the document is worth it"
            )
        if isinstance(error, process.OutOfMemory):
            return DocumentError(
                f"parsing needed more than {self._memory:,} MB of memory and was stopped; raise "
                "`parse.memory_mb` if the document is worth it"
            )
        return UnforeseenDocumentError(f"the parser crashed on this document: {error}")


def _answered(head: dict[str, object], body: bytes) -> Parsed:
    if "refused" not in head:
        return document(head, body)
    kinds = {kind.__name__: kind for kind in (TransientDocumentError, UnsupportedDocument)}
    raise kinds.get(str(head.get("kind")), DocumentError)(str(head["refused"]))

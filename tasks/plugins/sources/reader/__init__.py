"""Documents of any LlamaIndex reader."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_validator

from llmops.tasks.errors import Blocked, TransientDocumentError, Unavailable, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._foreign import checked_objects, lacking, with_objects
from llmops.tasks.plugins.sources import Item, Problem, Raw, Report, Source, content_hash_of
from llmops.tasks.plugins.sources._local import too_large
from llmops.tasks.plugins.sources._plain import discreet, plain
from llmops.tasks.plugins.sources._spool import forget, keep, taken
from llmops.tasks.plugins.sources.reader.path import reader_class, refusal
from llmops.tasks.schemas import sha256

if TYPE_CHECKING:
    from llama_index.core.readers.base import BaseReader
    from llama_index.core.schema import Document

RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SECRET = re.compile("token|key|secret|passw|credential|auth|dsn|url|uri", re.I)
UNPROVEN = "a reader does not say whether it gave everything; set `complete: true` if it does"
NAMELESS = (
    "the reader names its documents at random, so they are named by content here, and an "
    "edit makes another document: "
    "name the key of their metadata that tells them apart, as in `uri: file_path`"
)
REFUSALS = (TypeError, ValueError, FileNotFoundError, NotADirectoryError)
"""What constructors raise for options that cannot be."""


class ReaderSource(Source):
    """What `reader`, the import path of a LlamaIndex reader, gives for `options` (of its
    constructor) and `load` (of its load_data).

    `uri` and `title` name keys of the documents' metadata; without `uri` the reader's own ids
    serve, unless they are random. `metadata` names the keys to keep, default all. A path in
    `options` that begins with ./ or ../ starts at the config's folder. The reader runs once per
    build. An object among the options is written `{path: package.module.Class, options: {…}}`, as
    in `file_extractor`. `complete: true` says that it gives all or fails: only then are documents
    retired.
    """

    requires: ClassVar[Mapping[str, str]] = {
        "llama_index": "pip install 'llmops-pipelines[llamaindex]'"
    }

    reader: str
    options: dict[str, Any] = Field(default_factory=dict, repr=False)
    load: dict[str, Any] = Field(default_factory=dict, repr=False)
    uri: str | None = Field(default=None, min_length=1)
    title: str | None = Field(default=None, min_length=1)
    metadata: list[str] | None = None
    media_type: str = "text/plain"
    """Of the texts that the reader gives."""
    complete: bool = False
    max_bytes: int = Field(default=100_000_000, gt=0)
    """A longer text is a problem, not an item."""
    _owner: str = PrivateAttr("")

    @field_validator("reader")
    @classmethod
    def _importable(cls, path: str) -> str:
        reader_class(path)
        return path

    @model_validator(mode="after")
    def _takes_the_options(self) -> "ReaderSource":
        kind = reader_class(self.reader)
        why = refusal(kind, self.options) or lacking(kind)
        if why:
            raise ValueError(f"options: {why}")
        checked_objects(self.options)
        checked_objects(self.load, "load")
        return self

    def at(self, folder: Path) -> "ReaderSource":
        return self.model_copy(
            update={"options": _settled(self.options, folder), "load": _settled(self.load, folder)}
        )

    def remembering(self, memory: Path) -> "ReaderSource":
        copy = self.model_copy()
        copy._owner = str(memory)
        return copy

    def check(self) -> None:
        """Raise UsageError when the reader refuses its options, Unavailable when it cannot be made
        for another reason.
        """
        try:
            self._made()
        except Blocked as error:
            raise UsageError(
                error.message,
                where="sources: reader: options",
                hint="relative paths that begin with ./ start at the config file's folder",
            ) from error

    def scan(self, report: Report) -> str:
        """Run the reader and report its documents. Raises Unavailable when it fails before the
        first one, Blocked when its options no longer serve (a folder gone)."""
        forget(self._keeper)
        made, count, at_random = self._made(), 0, False
        try:
            for uri, raw, named in self._named(made):
                count, at_random = count + 1, at_random or not named
                report(self._item(uri, raw))
        except (
            Exception
        ) as error:  # readers raise whatever their services do; the listing is then incomplete
            if not count:
                raise self._failed(error) from error
            return f"the reader failed after {count:,} documents: {self._told(error)}"
        if at_random:
            logging.getLogger(__name__).warning("%s: %s", self.reader, NAMELESS)
        return "" if self.complete else "; ".join([UNPROVEN, *([NAMELESS] if at_random else [])])

    def read(self, item: Item) -> Raw:
        """What the listing kept; where that is gone, the reader runs again. Raises
        TransientDocumentError.
        """
        kept = taken(self._keeper, item)
        if kept is not None:
            return kept
        try:
            for uri, raw, _ in self._named(self._made()):
                if uri == item.uri:
                    return raw
        except Exception as error:  # as above: it costs this document
            raise TransientDocumentError(f"the reader failed: {self._told(error)}") from error
        raise TransientDocumentError(
            "the reader gave this document when it was listed, but does not any more"
        )

    def content_hash(self, item: Item) -> str | None:
        return item.revision

    @property
    def _keeper(self) -> str:
        return self._owner or digest(self.model_dump_json())

    def _item(self, uri: str, raw: Raw) -> Item | Problem:
        if not raw.data.strip():
            return Problem(uri=uri, reason="the reader gave it without text")
        if len(raw.data) > self.max_bytes:
            return Problem(
                uri=uri,
                reason=too_large(len(raw.data), self.max_bytes).replace("the file", "the text"),
            )
        keep(self._keeper, uri, raw)
        return Item(uri=uri, revision=content_hash_of(raw), size=len(raw.data))

    def _named(self, made: "BaseReader") -> Iterator[tuple[str, Raw, bool]]:
        """uri, original, and whether the name is stable. Several documents of one name, as pages of
        a file, are numbered, unless they are equal: then the same uri comes twice."""
        often, known = Counter[str](), set[str]()
        for document in self._documents(made):
            raw = self._raw(document)
            name = self._name(document)
            stable, base = bool(name), name or f"text-{sha256(raw.data)[:16]}"
            same = f"{base}\x1f{content_hash_of(raw)}"
            often[base] += same not in known or not stable
            known.add(same)
            yield base if often[base] == 1 else f"{base}#{often[base]}", raw, stable

    def _documents(self, made: "BaseReader") -> Iterator["Document"]:
        from llama_index.core.readers.base import BaseReader

        lazy = getattr(type(made), "lazy_load_data", BaseReader.lazy_load_data)
        yield from (made.load_data if lazy is BaseReader.lazy_load_data else made.lazy_load_data)(
            **with_objects(self.load)
        )

    def _made(self) -> "BaseReader":
        """The reader itself. Raises Blocked when it refuses its options, Unavailable when it fails
        otherwise.
        """
        try:
            made: BaseReader = reader_class(self.reader)(**with_objects(self.options))
            return made
        except REFUSALS as error:
            raise Blocked(
                f"{self.reader} refuses its options: {self._told(error)}",
                hint="put back what they name, or change them",
            ) from error
        except Exception as error:  # a constructor may already connect
            raise self._failed(error) from error

    def _name(self, document: "Document") -> str:
        if self.uri not in (None, "doc_id", "id_"):
            value = document.metadata.get(self.uri)
            return "" if value is None else str(plain(value)).strip()
        own = str(plain(document.id_ or "")).strip()
        return "" if RANDOM.fullmatch(own) else own

    def _raw(self, document: "Document") -> Raw:
        kept = {
            str(key): plain(value)
            for key, value in document.metadata.items()
            if self.metadata is None or key in self.metadata
        }
        title = plain(str(document.metadata.get(self.title) or "").strip()) if self.title else ""
        return Raw(
            data=(document.text or "").encode("utf-8", "replace"),
            media_type=self.media_type,
            title=title or None,
            metadata=kept,
        )

    def _failed(self, error: Exception) -> Unavailable:
        return Unavailable(
            f"{self.reader} failed: {self._told(error)}",
            hint="try the reader by hand with the same options",
        )

    def _told(self, error: Exception) -> str:
        secrets = [*_secrets(self.options), *_secrets(self.load)]
        return discreet(
            f"{type(error).__name__}: {error}", [one for one in secrets if len(one) > 5]
        )


def _secrets(options: object) -> Iterator[str]:
    """Also those of the objects among the options."""
    if isinstance(options, Mapping):
        for key, value in options.items():
            if SECRET.search(str(key)) and not isinstance(value, Mapping | list):
                yield str(value)
            yield from _secrets(value)
    elif isinstance(options, list):
        for value in options:
            yield from _secrets(value)


def _settled(value: object, folder: Path) -> object:
    if isinstance(value, str):
        return (
            os.path.normpath(folder / value)
            if value in (".", "..") or value.startswith(("./", "../"))
            else value
        )
    if isinstance(value, Mapping):
        return {key: _settled(inner, folder) for key, inner in value.items()}
    return [_settled(inner, folder) for inner in value] if isinstance(value, list) else value

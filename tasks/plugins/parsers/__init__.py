"""From bytes to text. A parser is chosen by what the bytes are, not by what the file is called."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import DocumentError, UnsupportedDocument
from llmops.tasks.plugins import Plugin, canonical, digest, external, find, name_of, names
from llmops.tasks.plugins.parsers import _media_types as types

RELEASE_0_1 = {
    "captions": 1,
    "epub": 1,
    "html": 2,
    "mail": 2,
    "markdown": 1,
    "markup": 1,
    "notebook": 1,
    "office": 2,
    "pdf": 2,
    "table": 1,
    "text": 1,
    "xml": 1,
}
"""The revisions of the parsers that share one fingerprint: release 0.1 had but one for all of them,
and its texts stay parsed.
"""
SHARED = "63770b21e932e419"


class Parsed(BaseModel):
    """The text of one document.

    `markup` says whether `#` lines are headings. A form feed (`\\f`) stands between pages. `title`
    comes from the content, never from the file name, so that a rename changes nothing.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    markup: Literal["plain", "markdown"] = "plain"
    title: str | None = None
    media_type: str
    metadata: Mapping[str, Any] = Field(default_factory=dict)


class Ocr(BaseModel):
    """How text in pictures is read: whether at all, of how many pages of a document, how sure of
    its letters the recognition must be (mean of a page, 0 to 1), and what becomes of a document
    with a page that is none of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)
    enabled: bool = True
    most_pages: int = Field(default=200, ge=1, le=10_000)
    min_confidence: float = Field(default=0.6, ge=0, le=1)
    unread_pages: Literal["leave_out", "quarantine"] = "leave_out"

    def missing(self) -> str:
        """What is to be done before text in pictures can be read; "" where it can."""
        from llmops.tasks.plugins.parsers import _ocr

        if not self.enabled:
            return "text in pictures is read with `parse.ocr.enabled: true`, in files of their own"
        if _ocr.engine():
            return ""
        return (
            f"to read text in pictures, install the extra: {_ocr.INSTALL}; the next build then "
            "reads it"
        )

    def covered(self, fingerprint: str) -> str:
        """The fingerprint of a parser that reads text in pictures where it can."""
        from llmops.tasks.plugins.parsers import _ocr

        if not (self.enabled and _ocr.engine()):
            return digest(fingerprint, "")
        changed = self.model_dump(exclude_defaults=True)
        return digest(fingerprint, _ocr.engine(), *([canonical(changed)] if changed else []))


Comments = Literal["drop", "apart"]
"""What becomes of the comments in a document: left out, or kept apart from its text, below it."""


class ParseOptions(BaseModel):
    """What a config says of reading, beside the limits. Each option reaches the parsers that have a
    field of its name, and the fingerprints of those alone.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)
    ocr: Ocr = Ocr()
    comments: Comments = "drop"


DEFAULTS = ParseOptions()
PAGE_DONE: ContextVar[Callable[[], None]] = ContextVar("PAGE_DONE", default=lambda: None)
"""Called for each page whose text was recognised: it takes seconds, and a limit of time is one of a
page.
"""


def page_done() -> None:
    """Tell whoever waits that recognition goes on."""
    PAGE_DONE.get()()


class Parser(Plugin, ABC):
    """Reads the media types that `media_types` names (`type/subtype`, or `type/*`).

    `isolated` parsers run in a worker process with a time and a memory limit.
    """

    family: ClassVar[str] = "parsers"
    media_types: ClassVar[tuple[str, ...]]
    isolated: ClassVar[bool] = True

    @abstractmethod
    def parse(self, data: bytes, media_type: str) -> Parsed:
        """The text of a document. Raises DocumentError with a sentence that a person
        understands.
        """


def sniff(data: bytes, uri: str) -> str:
    """The media type of a document, by its content. The extension in `uri` only decides between
    text formats.

    What nobody reads has a type too (`application/octet-stream`, `application/x-empty`,
    `image/png`): `parser_for` says why not. Raises DocumentError for a container that is damaged or
    dangerous.
    """
    if not data.strip(b"\x00 \t\r\n") and not data.strip():
        return types.EMPTY
    from llmops.tasks.plugins.parsers import _containers

    shown = types.signature(data)
    if shown == types.ZIP:
        return _containers.zip_type(data)
    if shown == types.OLE:
        return _containers.ole_type(data)
    return shown or _text(data, uri)


def looks_like_text(data: bytes) -> bool:
    """Whether the first bytes show no container, so that `sniff` takes no risk and little time."""
    return not types.signature(data)


def plain_type(data: bytes, uri: str, media_type: str = "") -> str:
    """The media type of a document that is parsed without a process of its own; empty for others.
    `media_type` only where the source knows better than the bytes.
    """
    kind = media_type or (sniff(data, uri) if looks_like_text(data) else "")
    return kind if kind and not parser_for(kind).isolated else ""


def _text(data: bytes, uri: str) -> str:
    from llmops.tasks.texts.charset import decode

    try:
        text, _ = decode(data[:262_144] if len(data) > 262_144 else data)
    except DocumentError:
        return types.BINARY
    return types.text_type(text, uri)


@cache
def parsers_by_type() -> dict[str, type[Parser]]:
    """Every media type or pattern (`image/*`) with its parser; registered plugins come before
    built-in ones.

    Raises ConfigError when a registered parser cannot be loaded.
    """
    own = [name for name in names("parsers") if name not in external("parsers")]
    readers: dict[str, type[Parser]] = {}
    for name in [*own, *external("parsers")]:
        plugin = find("parsers", name)
        assert issubclass(plugin, Parser)
        families = tuple(kind[:-1] for kind in plugin.media_types if kind.endswith("/*"))
        if name in external("parsers") and families:
            readers = {k: v for k, v in readers.items() if not k.startswith(families)}
        readers |= dict.fromkeys(plugin.media_types, plugin)
    return readers


def parser_for(media_type: str, options: ParseOptions = DEFAULTS) -> Parser:
    """The parser of a media type. Raises DocumentError when there is none."""
    plugin = _reader(media_type)
    if plugin is None:
        raise types.unsupported(_bare(media_type))
    return _built(plugin, options)


def _built(plugin: type[Parser], options: ParseOptions) -> Parser:
    own = {name: value for name, value in options if name in plugin.model_fields}
    return plugin.model_validate(own)


def unreadable(data: bytes, uri: str) -> DocumentError | None:
    """Why no parser reads a document, as its first bytes show; None where one may. Looks into no
    container, so that it takes no risk.
    """
    kind = types.signature(data) or sniff(data, uri)
    if kind in (types.ZIP, types.OLE):
        return None
    try:
        parser_for(kind)
    except DocumentError as error:
        return error
    missing = Ocr().missing() if _bare(kind).startswith("image/") else ""
    return UnsupportedDocument(f"it is a picture; {missing}") if missing else None


def _bare(media_type: str) -> str:
    return media_type.split(";")[0].strip().lower()


def _reader(media_type: str) -> type[Parser] | None:
    bare = _bare(media_type)
    return parsers_by_type().get(bare) or parsers_by_type().get(f"{bare.split('/')[0]}/*")


@cache
def parser_fingerprint(media_type: str, options: ParseOptions = DEFAULTS) -> str:
    """What the text of a document of that type depends on; empty where nobody reads it. One parser
    more changes that of its types alone.
    """
    plugin = _reader(media_type)
    return _fingerprint(plugin, options) if plugin else ""


@cache
def parser_fingerprints(options: ParseOptions = DEFAULTS) -> frozenset[str]:
    """Those of every parser there is."""
    return frozenset(_fingerprint(plugin, options) for plugin in parsers_by_type().values())


def all_parsers(options: ParseOptions = DEFAULTS) -> str:
    """What a failure depends on, of which nobody may know the type: every parser there is."""
    kinds = sorted(parser_fingerprints(options))
    return SHARED if kinds == [SHARED] else digest(*kinds)


def _fingerprint(plugin: type[Parser], options: ParseOptions) -> str:
    name = name_of(plugin)
    own = name not in external("parsers") and RELEASE_0_1.get(name) == plugin.revision
    return SHARED if own else _built(plugin, options).fingerprint()


def parse(data: bytes, uri: str, media_type: str = "", options: ParseOptions = DEFAULTS) -> Parsed:
    """The text of a document, here and now. Raises DocumentError, also when there is no text in
    it.
    """
    kind = media_type or sniff(data, uri)
    parsed = parser_for(kind, options).parse(data, kind)
    if not parsed.text.strip():
        raise DocumentError(
            "there is no text in it; if it shows any, that is in pictures or in embedded files: "
            "recognise or export them first; else exclude the file from the source"
        )
    return parsed

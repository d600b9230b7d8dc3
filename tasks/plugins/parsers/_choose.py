"""From bytes to the parser that reads them."""

from functools import cache

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import digest, external, find, name_of, names
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers import _signatures as signatures
from llmops.tasks.plugins.parsers._containers import ole_type, zip_type
from llmops.tasks.plugins.parsers._texts import text_type
from llmops.tasks.texts.charset import decode

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


def sniff(data: bytes, uri: str) -> str:
    """The media type of a document, by its content. The extension in `uri` only decides between
    text formats.

    What nobody reads has a type too (`application/octet-stream`, `application/x-empty`,
    `image/png`): `parser_for` says why not. Raises DocumentError for a container that is damaged or
    dangerous.
    """
    if not data.strip(b"\x00 \t\r\n") and not data.strip():
        return signatures.EMPTY
    found = signatures.signature(data)
    if found == signatures.ZIP:
        return zip_type(data)
    return ole_type(data) if found == signatures.OLE else found or _text(data, uri)


def looks_like_text(data: bytes) -> bool:
    """Whether the first bytes show no container, so that `sniff` takes no risk and little time."""
    return not signatures.signature(data)


def _text(data: bytes, uri: str) -> str:
    try:
        text, _ = decode(data[:262_144] if len(data) > 262_144 else data)
    except DocumentError:
        return signatures.BINARY
    return text_type(text, uri)


@cache
def table() -> dict[str, type[Parser]]:
    """Every media type or pattern (`image/*`) with its parser; registered plugins come before
    built-in ones.

    Raises ConfigError when a registered parser cannot be loaded.
    """
    own = [name for name in names("parsers") if name not in external("parsers")]
    found: dict[str, type[Parser]] = {}
    for name in [*own, *external("parsers")]:
        plugin = find("parsers", name)
        assert issubclass(plugin, Parser)
        found |= dict.fromkeys(plugin.media_types, plugin)
    return found


def parser_for(media_type: str) -> Parser:
    """The parser of a media type. Raises DocumentError when there is none."""
    plugin = _reader(media_type)
    if plugin is None:
        raise signatures.unsupported(_bare(media_type))
    return plugin()


def _bare(media_type: str) -> str:
    return media_type.split(";")[0].strip().lower()


def _reader(media_type: str) -> type[Parser] | None:
    bare = _bare(media_type)
    return table().get(bare) or table().get(f"{bare.split('/')[0]}/*")


@cache
def parser_fingerprint(media_type: str) -> str:
    """What the text of a document of that type depends on; empty where nobody reads it. One parser
    more changes that of its types alone.
    """
    plugin = _reader(media_type)
    return _fingerprint(plugin) if plugin else ""


@cache
def parser_fingerprints() -> frozenset[str]:
    """Those of every parser there is."""
    return frozenset(_fingerprint(plugin) for plugin in table().values())


def all_parsers() -> str:
    """What a failure depends on, of which nobody may know the type: every parser there is."""
    kinds = sorted(parser_fingerprints())
    return SHARED if kinds == [SHARED] else digest(*kinds)


def _fingerprint(plugin: type[Parser]) -> str:
    name = name_of(plugin)
    own = name not in external("parsers") and RELEASE_0_1.get(name) == plugin.revision
    return SHARED if own else plugin().fingerprint()


def parse(data: bytes, uri: str, media_type: str = "") -> Parsed:
    """The text of a document, here and now. Raises DocumentError, also when there is no text in
    it.
    """
    kind = media_type or sniff(data, uri)
    parsed = parser_for(kind).parse(data, kind)
    if not parsed.text.strip():
        raise DocumentError("there is no text in it")
    return parsed

"""Where documents come from. A source lists what there is, cheaply, and fetches one item at a
time.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.errors import DocumentError
from llmops.tasks.hashing import sha256
from llmops.tasks.plugins import Plugin, canonical


class Item(BaseModel):
    """One document as a listing shows it.

    `uri` is its stable name, unique within the source, with `/`. `revision` is a cheap token that
    changes whenever the content may have changed (size and times, an ETag, a hash); empty means
    unknown: fetch and see. `locator` is what `fetch` needs to find it again.
    """

    model_config = ConfigDict(frozen=True)
    uri: str
    revision: str = ""
    size: int = 0
    locator: str = ""


class Raw(BaseModel):
    """The original of one document. `media_type` only where the source knows better than the
    bytes.
    """

    model_config = ConfigDict(frozen=True)
    data: bytes
    media_type: str = ""
    title: str | None = None
    metadata: Mapping[str, Any] = Field(default_factory=dict)


def content_hash_of(raw: Raw) -> str:
    """The SHA-256 that tells whether a document changed: of the bytes alone, or of bytes, title and
    metadata where the source gives any. Every source's `content_hash` gives the same value for the
    same original."""
    own = sha256(raw.data)
    return (
        sha256(f"{own}\x1f{canonical([raw.title, dict(raw.metadata)])}")
        if raw.title or raw.metadata
        else own
    )


class Problem(BaseModel):
    """A document that could be named but not listed: it goes to quarantine at stage `collect`."""

    model_config = ConfigDict(frozen=True)
    uri: str
    reason: str
    error: str = "DocumentError"
    retryable: bool = False


class KnownName(BaseModel):
    """What a source says of one name. `left_out`: why a listing does not have it, "" where the next
    one will.
    """

    model_config = ConfigDict(frozen=True)
    uri: str
    left_out: str = ""


class Listing(BaseModel):
    """All that a source has. `complete` is False when something may be missing: then nothing is
    retired.
    """

    items: list[Item] = Field(default_factory=list)
    problems: list[Problem] = Field(default_factory=list)
    complete: bool = True
    why_incomplete: str = ""


Report = Callable[[Item | Problem], None]
"""Takes each item and each problem of a listing, as it comes."""


class Source(Plugin, ABC):
    """A source asks its plugin for two verbs: `scan` and `read`.

    `id` tells two sources of the same kind apart and is part of every document's identity; default:
    the plugin's name. `labels`: a search must hold one of them to find a document of this source
    that names none itself; none: public.
    """

    family: ClassVar[str] = "sources"
    id: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    labels: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()

    @property
    def local(self) -> bool:
        """Whether reading a document takes the processor longer than anybody else, so that a build
        may do it in several processes at once.
        """
        return False

    def at(self, folder: Path) -> "Source":
        """The same source with its relative paths made absolute against the config's folder."""
        del folder
        return self

    def remembering(self, memory: Path) -> "Source":
        """The same source with a folder of its own that outlives the run: for what makes the next
        listing cheaper, and nothing else.

        It may be deleted at any time, and is when a document is erased.
        """
        del memory
        return self

    def check(self) -> None:
        """Raise UsageError when what the source names has never existed (a misspelt path); called
        before a build.
        """

    def known_as(self, name: str) -> "KnownName | None":
        """What the source knows of something that a person calls so: a path, a URL, a uri. None
        where it has none, or cannot tell without listing everything.
        """
        del name
        return None

    @abstractmethod
    def scan(self, report: Report) -> str:
        """Report every item or problem through `report`. Return "" when the listing is complete,
        else why it is not.

        Raises Unavailable when the source cannot be reached at all, Blocked when it has vanished (a
        folder gone).
        """

    @abstractmethod
    def read(self, item: Item) -> Raw:
        """The original of one item. Raises DocumentError (TransientDocumentError when a retry may
        help).
        """

    def content_hash(self, item: Item) -> str | None:
        """The SHA-256 of the original where that is cheap to have before fetching, else None."""
        del item
        return None

    def list(self) -> Listing:
        """Everything, with uris made unique: a second item of one uri is a problem, not an
        overwrite.
        """
        seen: dict[str, Item | Problem] = {}
        twice: list[Problem] = []

        def report(entry: Item | Problem) -> None:
            if entry.uri in seen:
                twice.append(
                    Problem(
                        uri=f"{entry.uri}#again-{len(twice) + 1}",
                        reason=f"the uri {entry.uri!r} appears twice; the first one is kept",
                    )
                )
            else:
                seen[entry.uri] = entry

        gap = self.scan(report)
        items = sorted((e for e in seen.values() if isinstance(e, Item)), key=lambda item: item.uri)
        problems = [e for e in seen.values() if isinstance(e, Problem)] + twice
        return Listing(items=items, problems=problems, complete=not gap, why_incomplete=gap)


def walk(source: Source) -> Iterator[tuple[Item, Raw | DocumentError]]:
    """Every item of a source with its original, or with why it could not be read."""
    for item in source.list().items:
        try:
            yield item, source.read(item)
        except DocumentError as error:
            yield item, error

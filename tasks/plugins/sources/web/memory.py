"""What a crawl remembers of every address, so that the next one asks for changes only. No text of
any page is in it.
"""

import contextlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import BaseModel, ConfigDict

FORM = 1
COLUMNS = (
    "url",
    "etag",
    "modified",
    "sha256",
    "size",
    "media_type",
    "links",
    "canonical",
    "likeness",
    "shown",
    "fetched",
)


class PageRecord(BaseModel):
    """An address as it was last answered. `sha256` of its bytes; "" for a page of a kind that the
    source does not take.
    """

    model_config = ConfigDict(frozen=True)
    url: str
    etag: str = ""
    modified: str = ""
    sha256: str = ""
    size: int = 0
    media_type: str = ""
    links: tuple[str, ...] = ()
    canonical: str = ""
    likeness: str = ""
    shown: bool = True
    fetched: str = ""

    @property
    def conditions(self) -> dict[str, str]:
        """Headers with which an unchanged page costs nothing."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in named.items() if value}


class CrawlMemory:
    """Records in a file, written as they come, so that a crawl that was killed goes on. `key`
    stands for the options that records depend on: a file of another key, or a damaged one, is begun
    anew."""

    def __init__(self, folder: Path | None, key: str = "") -> None:
        self._lock, self._key = threading.Lock(), zlib.crc32(f"{FORM} {key}".encode()) >> 1
        self._path = folder / "pages.db" if folder else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError:
            self._file.close()
            assert self._path is not None
            self._path.unlink()
            self._open()
        self.empty = not self._file.execute("SELECT count(*) FROM pages").fetchone()[0]

    def _open(self) -> None:
        self._file = sqlite3.connect(
            self._path or ":memory:", check_same_thread=False, isolation_level=None
        )
        if self._file.execute("PRAGMA user_version").fetchone()[0] != self._key:
            self._file.execute("DROP TABLE IF EXISTS pages")
            self._file.execute(f"PRAGMA user_version = {self._key}")
        self._file.execute("PRAGMA synchronous = OFF")
        self._file.execute(
            f"CREATE TABLE IF NOT EXISTS pages ({', '.join(COLUMNS)}, PRIMARY KEY (url)) "
            f"WITHOUT ROWID"
        )

    def __enter__(self) -> "CrawlMemory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def get(self, url: str) -> PageRecord | None:
        """What is known of an address."""
        with (
            self._lock,
            contextlib.suppress(sqlite3.DatabaseError),
        ):  # a damaged file makes a crawl dearer, not wrong
            row = self._file.execute("SELECT * FROM pages WHERE url = ?", [url]).fetchone()
            return _record(row) if row else None
        return None

    def put(self, record: PageRecord) -> None:
        """Remember an answer in place of the former one."""
        values = record.model_dump() | {"links": json.dumps(record.links)}
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            self._file.execute(
                f"REPLACE INTO pages VALUES ({', '.join('?' * len(COLUMNS))})",
                [values[name] for name in COLUMNS],
            )

    def forget(self, urls: Iterable[str]) -> None:
        """Drop addresses that are gone."""
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            self._file.executemany("DELETE FROM pages WHERE url = ?", [[url] for url in urls])

    def urls(self) -> list[str]:
        """All that are remembered."""
        with self._lock, contextlib.suppress(sqlite3.DatabaseError):
            return [row[0] for row in self._file.execute("SELECT url FROM pages ORDER BY url")]
        return []


def _record(row: tuple[Any, ...]) -> PageRecord:
    values = dict(zip(COLUMNS, row, strict=True))
    return PageRecord(**values | {"links": tuple(json.loads(values["links"]))})

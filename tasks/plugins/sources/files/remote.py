"""Files behind an fsspec URL: object stores, archives, servers."""

from collections.abc import Mapping
from typing import Any

import fsspec

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    TransientDocumentError,
    Unavailable,
    UsageError,
)
from llmops.tasks.plugins.sources import Item, Problem, Report
from llmops.tasks.plugins.sources._globs import Choice
from llmops.tasks.plugins.sources._local import too_large

CAN = "s3://, gs://, az://, sftp://, zip://, https:// can"
CHECK = "check the network and the credentials"
TOKENS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "checksum",
    "generation",
    "CRC",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "modified",
    "created",
    "date_time",
)
EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "sftp": "sftp",
    "ssh": "sftp",
    "http": "http",
    "https": "http",
}


def is_remote(path: str) -> bool:
    """Whether a path is an fsspec URL and no local path."""
    return "://" in path and not path.startswith("file://")


def filesystem(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The file system of a URL and the path in it. Raises UsageError for an unknown protocol or a
    missing library, Unavailable when it does not answer, Blocked when an archive that it lies in is
    gone."""
    protocol = url.split("://", 1)[0].split("::", 1)[0]
    try:
        files, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        extra = EXTRAS.get(protocol)
        how = f"install it: pip install 'llmops-pipelines[{extra}]'" if extra else str(error)
        raise UsageError(
            f"reading {protocol}:// needs a library that is not installed", hint=how
        ) from error
    except FileNotFoundError as error:
        raise Blocked(f"{url} is gone", hint="put it back, or change the source's path") from error
    except ValueError as error:
        raise UsageError(f"{url} cannot be read: {error}", hint=CAN) from error
    except OSError as error:
        raise Unavailable(f"{url} does not answer: {error}", hint=CHECK) from error
    files.invalidate_cache()
    return files, path.rstrip("/")


def exists(url: str, options: Mapping[str, Any]) -> bool:
    """Whether there is something at the URL. Raises Unavailable when nobody can tell."""
    try:
        files, path = filesystem(url, options)
        return bool(not path or files.exists(path))
    except Blocked:
        return False
    except OSError as error:
        raise Unavailable(f"{url} does not answer: {error}", hint=CHECK) from error


class RemoteWalk:
    """One listing behind a URL."""

    def __init__(
        self,
        url: str,
        options: Mapping[str, Any],
        choice: Choice,
        max_bytes: int,
        report: Report,
    ) -> None:
        self.url, self.choice, self.max_bytes, self.report = url, choice, max_bytes, report
        self.files, self.root = filesystem(url, options)
        self.gaps: list[str] = []

    def run(self) -> str:
        """Report every file; return "" or why the listing is not complete. Raises Blocked,
        Unavailable.
        """
        try:
            if self.root and not self.files.exists(self.root):
                raise Blocked(
                    f"{self.url} is gone", hint="put it back, or change the source's path"
                )
            if self.root and self.files.isfile(self.root):
                self._file(self.root.rsplit("/", 1)[-1], self.files.info(self.root))
                return ""
            for _, folders, files in self.files.walk(self.root, detail=True, on_error=self._gap):
                self._level(folders, files)
        except OSError as error:
            raise Unavailable(f"{self.url} could not be listed: {error}", hint=CHECK) from error
        return "; ".join(self.gaps[:3])

    def _level(self, folders: dict[str, Any], files: dict[str, Any]) -> None:
        for name in [
            name for name, info in folders.items() if not self.choice.enters(self._relative(info))
        ]:
            del folders[name]
        for info in files.values():
            path = self._relative(info)
            if path and self.choice.takes(path):
                self._file(path, info)

    def _relative(self, info: Mapping[str, Any]) -> str:
        return str(info["name"]).strip("/").removeprefix(self.root.strip("/")).strip("/")

    def _file(self, path: str, info: Mapping[str, Any]) -> None:
        size = int(info.get("size") or 0)
        if size > self.max_bytes:
            self.report(Problem(uri=path, reason=too_large(size, self.max_bytes)))
        else:
            self.report(
                Item(uri=path, revision=revision(info), size=size, locator=str(info["name"]))
            )

    def _gap(self, error: OSError) -> None:
        self.gaps.append(f"a folder could not be listed: {error}")


def revision(info: Mapping[str, Any]) -> str:
    """A token of what the store says about a file; "" when it says nothing that changes with the
    content.
    """
    known = [f"{name}={info[name]}" for name in TOKENS if info.get(name)]
    return " ".join([*known, f"size={info.get('size')}"]) if known else ""


def fetch(url: str, options: Mapping[str, Any], item: Item, max_bytes: int) -> bytes:
    """The bytes of one file. Raises DocumentError, TransientDocumentError."""
    try:
        files, _ = filesystem(url, options)
        data: bytes = files.cat_file(item.locator)
    except FileNotFoundError as error:
        raise TransientDocumentError(
            "the file was there when the source was listed, but is gone now"
        ) from error
    except (OSError, Unavailable, Blocked) as error:
        raise TransientDocumentError(f"the file could not be fetched: {error}") from error
    if len(data) > max_bytes:
        raise DocumentError(too_large(len(data), max_bytes))
    return data

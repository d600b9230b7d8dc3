"""The documents of a Dify knowledge base, through its service API: so that a team can move."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from pydantic import Field, PrivateAttr, field_validator

from llmops.tasks.errors import Blocked, DocumentError, TransientDocumentError, UsageError
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.sources import Item, Problem, Raw, Report, content_hash_of
from llmops.tasks.plugins.sources._http import HttpSource, as_document_error
from llmops.tasks.plugins.sources._http.client import Trouble
from llmops.tasks.plugins.sources._spool import SPOOL
from llmops.tasks.plugins.sources.dify.api import Api, media_type_of, metadata_of, text_of
from llmops.tasks.plugins.sources.web.page import told
from llmops.tasks.plugins.sources.web.urls import normal

SHOWN = (
    "name",
    "created_at",
    "word_count",
    "tokens",
    "doc_form",
    "data_source_info",
    "dataset_process_rule_id",
)
UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


class DifySource(HttpSource):
    """Every document of the knowledge base `dataset` (the id in its address) at `base_url`, which
    ends in /v1.

    A document's uri is its id in Dify, its title its name, its metadata Dify's, with the knowledge
    base's tags. Its text is that of its segments, in order, without what they overlap; with
    `original` it is the file that was uploaded, where there is one. Disabled documents and segments
    are left out unless `disabled`, archived documents unless `archived`. Dify's list does not show
    an edit that keeps a document's length. So every segment is read at each build; with `thorough:
    false` only those of documents whose entry in the list has changed.
    """

    base_url: str = "https://api.dify.ai/v1"
    dataset: str = Field(pattern=UUID)
    api_key: str = Field(min_length=1, repr=False)
    """Of the knowledge base API, as `${NAME}` of a variable."""
    original: bool = False
    disabled: bool = False
    archived: bool = False
    thorough: bool = True
    delay: float = Field(default=0.0, ge=0, le=600)
    _memory: Path | None = PrivateAttr(None)

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        address = normal(url)
        if address is None or "?" in address:
            raise ValueError(
                f"{url!r} is no address of a service API; it looks like https://dify.example.com/v1"
            )
        return address.rstrip("/")

    @field_validator("api_key")
    @classmethod
    def _sendable_key(cls, key: str) -> str:
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("the API key is one word of printable ASCII, as Dify shows it")
        return key

    def remembering(self, memory: Path) -> "DifySource":
        own = self.model_copy()
        own._memory = memory
        return own

    def check(self) -> None:
        """Raise UsageError when there is no such knowledge base, or the key does not open it;
        Unavailable when nobody answers.
        """
        with self._asking() as api:
            try:
                api.try_out()
            except Blocked as error:
                raise UsageError(error.message, where=error.where, hint=error.hint) from error

    def scan(self, report: Report) -> str:
        """Report every document. Raises UsageError, Unavailable; Blocked when the knowledge base is
        gone.

        Complete when as many documents were seen as every page announced.
        """
        SPOOL.forget(self._owner)
        with self._asking() as api:
            documents, gap = api.documents()
            tags = api.tags()
            for document in documents:
                if (self.disabled or document.get("enabled") is not False) and (
                    self.archived or not document.get("archived")
                ):
                    report(self._entry(api, document, tags))
        return gap

    def read(self, item: Item) -> Raw:
        """The document as it was listed, else as it is now. Raises DocumentError,
        TransientDocumentError.
        """
        kept = SPOOL.take(self._owner, item.revision)
        if kept:
            return self._raw(kept[0], kept[1], item)
        with self._asking() as api:
            data, media_type = self._uploaded(api, item) or self._text(
                api, item.uri, json.loads(item.locator)["title"]
            )
        return self._raw(data, media_type, item)

    def content_hash(self, item: Item) -> str | None:
        """The hash of what the listing has read, which is its revision; None where it has not."""
        return item.revision if json.loads(item.locator)["read"] else None

    @property
    def _owner(self) -> str:
        return str(self._memory or self.fingerprint())

    @contextmanager
    def _asking(self) -> Iterator[Api]:
        with self.client(allow_private=True) as client:
            yield Api(
                client,
                self.base_url,
                self.dataset,
                self.api_key,
                retries=self.retries,
                most_wait=self.max_wait,
                headers=self.headers,
            )

    def _entry(self, api: Api, document: Mapping[str, Any], tags: list[str]) -> Item | Problem:
        uri, status = str(document["id"]), document.get("indexing_status", "completed")
        if status == "error":
            return Problem(
                uri=uri,
                reason=f"Dify could not index it: "
                f"{str(document.get('error') or 'no reason given')[:300]}",
            )
        if status != "completed":
            return Problem(
                uri=uri,
                reason=f"Dify is not done with it: {status}",
                error="TransientDocumentError",
                retryable=True,
            )
        try:
            return self._item(api, uri, document, metadata_of(document, tags))
        except DocumentError as error:
            return Problem(
                uri=uri, reason=error.reason, error=type(error).__name__, retryable=error.retryable
            )

    def _item(
        self, api: Api, uri: str, document: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> Item:
        title, uploaded = (
            str(document.get("name") or ""),
            self.original and document.get("data_source_type") == "upload_file",
        )
        read = self.thorough and not uploaded
        file = (document.get("data_source_detail_dict") or {}).get("upload_file") or {}
        locator = canonical(
            {
                "title": title,
                "metadata": metadata,
                "read": read,
                "uploaded": uploaded,
                "kind": file.get("mime_type") or "",
            }
        )
        if not read:
            shown = canonical(
                [
                    {name: document.get(name) for name in SHOWN},
                    metadata,
                    self.original,
                    self.disabled,
                ]
            )
            return Item(
                uri=uri,
                revision=digest(shown),
                size=int(file.get("size") or document.get("word_count") or 0),
                locator=locator,
            )
        data, media_type = self._text(api, uri, title)
        item = Item(uri=uri, size=len(data), locator=locator)
        item = item.model_copy(
            update={"revision": content_hash_of(self._raw(data, media_type, item))}
        )
        SPOOL.put(self._owner, item.revision, data, media_type)
        return item

    def _raw(self, data: bytes, media_type: str, item: Item) -> Raw:
        known = json.loads(item.locator)
        return Raw(
            data=data,
            media_type=media_type,
            title=known["title"] or None,
            metadata=known["metadata"],
        )

    def _text(self, api: Api, uri: str, title: str) -> tuple[bytes, str]:
        text = text_of(api.segments(uri), disabled=self.disabled)
        if not text:
            raise DocumentError(
                "none of its segments is enabled" if not self.disabled else "it has no segments"
            )
        return text.encode("utf-8", "replace"), media_type_of(title)

    def _uploaded(self, api: Api, item: Item) -> tuple[bytes, str] | None:
        """The file that was uploaded, from wherever Dify keeps it; the key does not go there."""
        known = json.loads(item.locator)
        signed = api.original(item.uri) if known["uploaded"] else None
        if signed is None:
            return None
        try:
            with self.client(allow_private=True) as client:
                reply = client.get(urljoin(self.base_url, signed))
        except Trouble as trouble:
            raise as_document_error(trouble) from trouble
        if not reply.ok:
            raise TransientDocumentError(
                f"the uploaded file cannot be fetched: HTTP status {reply.status}"
            )
        return reply.body, told(known["kind"], reply.body)

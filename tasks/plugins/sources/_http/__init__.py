"""What every source over HTTP has: options for manners and addresses, and a client made of them."""

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from llmops.tasks.errors import DocumentError, TransientDocumentError
from llmops.tasks.plugins.sources import Source
from llmops.tasks.plugins.sources._http.client import HttpClient, Manners, Trouble

AGENT = "llmops-pipelines/1 (knowledge base indexer)"
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class HttpSource(Source, Manners):
    """A source behind HTTP. It never asks faster than `delay` allows, retries what may pass, and
    gives up on a dead host.

    Seconds: `delay` between two requests to one host, `timeout` for one step, `deadline` for a
    whole answer, `backoff` before the first of `retries` retries, `max_wait` for the longest pause
    that a server may ask for with Retry-After. An answer above `max_bytes` is refused. `headers`
    are sent along (`Authorization: "Bearer ${TOKEN}"`).
    """

    requires: ClassVar[Mapping[str, str]] = {
        "httpcore": "pip install httpx",
        "httpx": "pip install httpx",
    }

    user_agent: str = Field(default=AGENT, pattern=r"^[!-~][ -~]*$", max_length=300)
    """What the server is told that asks."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        """The value itself stays out of the message: it may be a secret."""
        for name, value in headers.items():
            if not TOKEN.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(
                    f"the header {name!r} cannot be sent; a name is a word, a value "
                    f"printable ASCII on one line"
                )
            if name.lower() in (
                "host",
                "content-length",
                "transfer-encoding",
                "accept-encoding",
                "user-agent",
            ):
                raise ValueError(
                    f"the header {name!r} is the client's own; the user agent has an "
                    f"option, `user_agent`"
                )
        return headers

    def client(self, *, allow_private: bool) -> HttpClient:
        """A client with these manners, to be closed. It sends the user agent; `headers` are for the
        caller to send where they belong.
        """
        return HttpClient(
            self, headers={"User-Agent": self.user_agent}, allow_private=allow_private
        )


def as_document_error(trouble: Trouble) -> DocumentError:
    """What a trouble means for the one document that was asked for."""
    return (
        TransientDocumentError(trouble.reason)
        if trouble.retryable
        else DocumentError(trouble.reason)
    )

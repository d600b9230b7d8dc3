"""The texts of what is live, each read when it is asked for."""

import functools
from collections.abc import Callable
from typing import Any

from sqlalchemy import Row

from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.lake import Lake
from llmops.tasks.schemas import Shard


def text_loaders(kb: Handle) -> dict[str, Callable[[], str]]:
    """uri -> loader of its text, for every live document."""
    rows = rows_at(kb, kb.published().version).values()
    return {row.uri: functools.partial(text_of, kb.lake, row) for row in rows}


def text_of(lake: Lake, row: Row[Any]) -> str:
    """The text of a document, by its row of the ledger. Raises Damaged where the lake has it no
    more.
    """
    shard = Shard(path=row.shard, rows=0, sha256=row.shard_sha256)
    return str(shard.table(lake, ["text"])["text"][row.shard_row].as_py())

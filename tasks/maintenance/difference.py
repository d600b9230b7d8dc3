"""A unified diff of the text of the documents that changed between two versions."""

import difflib
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from llmops.tasks.knowledge.versions import published
from llmops.tasks.knowledge.views import rows_at
from llmops.tasks.ledger import Ledger
from llmops.tasks.schemas import Shard


def text_diff(ledger: Ledger, lake: Path, kb: str, found: dict[str, Any]) -> str:
    """`found` is the object of `views.diff`. Added documents show as all new, retired ones as all
    gone.
    """
    wanted = {*found["added"], *found["changed"], *found["retired"]}
    before = _texts(
        lake,
        (rows_at(ledger, kb, found["from"]) if found["from"] is not None else {}).values(),
        wanted,
    )
    after = _texts(lake, rows_at(ledger, kb, found["to"]).values(), wanted)
    return "".join(
        _one(uri, before.get(uri, ""), after.get(uri, ""), found) for uri in sorted(wanted)
    )


def _texts(lake: Path, rows: Iterable[Any], wanted: set[str]) -> dict[str, str]:
    return {row.uri: _text(lake, row) for row in rows if row.uri in wanted}


def _text(lake: Path, row: Any) -> str:
    shard = Shard(path=row.shard, rows=0, sha256=row.shard_sha256)
    return str(shard.table(lake, ["text"])["text"][row.shard_row].as_py())


def _one(uri: str, before: str, after: str, found: dict[str, Any]) -> str:
    names = (f"{uri} (version {found['from']})", f"{uri} (version {found['to']})")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def text_loaders(ledger: Ledger, lake: Path, kb: str) -> dict[str, Callable[[], str]]:
    """uri -> loader of its text, for every live document."""
    rows = rows_at(ledger, kb, published(ledger, kb).version).values()
    return {row.uri: functools.partial(_text, lake, row) for row in rows}

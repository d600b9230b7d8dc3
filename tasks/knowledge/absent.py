"""Documents that somebody names, and a version does not have."""

from collections.abc import Mapping

from sqlalchemy import select

from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.ledger import live_at
from llmops.tasks.ledger.tables import documents

AT_ONCE = 500


def absent(kb: Handle, version: int, uris: list[str]) -> list[str]:
    """The uris that the version does not have, in their order."""
    there: set[str] = set()
    with kb.ledger.read() as connection:
        for start in range(0, len(uris), AT_ONCE):
            named = documents.c.uri.in_(uris[start : start + AT_ONCE])
            mine = (documents.c.kb == kb.name) & live_at(documents, version)
            there.update(connection.scalars(select(documents.c.uri).where(mine, named)))
    return [uri for uri in uris if uri not in there]


def absent_warning(kb: Handle, version: int, named: Mapping[str, str], who: str) -> list[str]:
    """One warning for all of them; none where all are there. `named`: uri -> what names it, such as
    `case 'c1'`; `who`: what they stand in.
    """
    gone = absent(kb, version, list(named))
    if not gone:
        return []
    documents_ = "1 document" if len(gone) == 1 else f"{len(gone)} documents"
    renamed = _names_now(kb, version, gone[0])
    now = f"; its text is now in {renamed[0]!r}" if renamed else ""
    return [
        f"{who} {documents_} that version {version} of {kb.name!r} does not have, such as "
        f"{gone[0]!r} ({named[gone[0]]}{now})"
    ]


def _names_now(kb: Handle, version: int, uri: str) -> list[str]:
    """The documents of the version whose content is what the document had last."""
    mine = documents.c.kb == kb.name
    last = (
        select(documents.c.content_hash)
        .where(mine, documents.c.uri == uri)
        .order_by(documents.c.valid_from.desc())
        .limit(1)
    )
    same = documents.c.content_hash == last.scalar_subquery()
    query = select(documents.c.uri).where(mine, live_at(documents, version), same)
    with kb.ledger.read() as connection:
        return list(connection.scalars(query.order_by(documents.c.uri)))

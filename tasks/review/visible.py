"""Which items somebody may see: an answer was found with the labels of whoever asked, so it is for
those alone who hold all of them.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, select, true

from llmops.tasks.ledger.application import api_keys
from llmops.tasks.ledger.review import review_items


def within(connection: Connection, labels: Collection[str] | None) -> ColumnElement[bool]:
    """Items whose questions were asked with no more labels than these, or without a key; None: all
    items. Keys keep their rows, and their labels, when they end.
    """
    if labels is None:
        return true()
    held = set(labels)
    keys = connection.execute(select(api_keys.c.id, api_keys.c.labels)).all()
    more = [row.id for row in keys if not held.issuperset(row.labels)]
    return review_items.c.key_id.not_in(more) if more else true()


def visible(connection: Connection, item_id: str, labels: Collection[str] | None) -> bool:
    """Whether whoever holds these labels may see an item."""
    mine = select(review_items.c.id).where(review_items.c.id == item_id, within(connection, labels))
    return connection.scalar(mine) is not None

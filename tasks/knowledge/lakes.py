"""Whose lake it is. What no row of a ledger names is garbage in its lake; so a lake outside of the
home, which several could name, belongs to the first ledger that builds into it.
"""

from sqlalchemy import insert, select

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.lake import VARIABLE
from llmops.tasks.ledger import now
from llmops.tasks.ledger.tables import meta
from llmops.tasks.schemas import sha256

MARK, KEY = "ledger.txt", "lake"


def claim(handle: Handle) -> None:
    """Make a lake that is nobody's ours. Raises UsageError where it is another ledger's."""
    lake = handle.lake
    if lake.where() == str(handle.home / "lake"):
        return
    mine = _name(handle)
    try:
        theirs = lake.read(MARK).decode()
    except FileNotFoundError:
        lake.write(MARK, mine.encode())
        theirs = lake.read(MARK).decode()
    if theirs != mine:
        raise UsageError(
            f"the lake {lake.where()} belongs to another ledger, whose shards this one would "
            "remove as garbage",
            where=VARIABLE,
            hint=f"give each ledger a prefix of its own; if that ledger is no more, remove "
            f"{lake.where(MARK)}",
        )


def _name(handle: Handle) -> str:
    """What tells this ledger from others, also when its server or its file gets another name."""
    mine = select(meta.c.value).where(meta.c.key == KEY)
    with handle.ledger.read() as connection:
        name = connection.scalar(mine)
    if name is not None:
        return str(name)
    with handle.ledger.write() as connection:
        name = connection.scalar(mine)
        if name is None:
            name = sha256(f"{handle.ledger.where}\x1f{now().isoformat()}")[:32]
            connection.execute(insert(meta).values(key=KEY, value=name))
        return str(name)

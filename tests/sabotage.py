"""What can happen to a knowledge base behind its back."""

import contextlib
import importlib
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from llmops.tasks.errors import Damaged
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.stores import Store, StoreCollection, rows_schema
from llmops.tasks.schemas import embedded_text, frame
from tests.workshop import Workshop

Rows = Sequence[Mapping[str, Any]]


class Killed(BaseException):
    """The process ends here: nothing that catches errors sees it."""


def staged(
    shop: Workshop, rows: Rows, number: int, gone: Sequence[str] = (), embedded: Rows = ()
) -> StoreCollection:
    """Write rows into the live collection, with the vectors of the texts of `embedded` (default:
    their own).
    """
    points = HashEmbedder().embed([embedded_text(row) for row in embedded or rows])
    collection = shop.collection()
    collection.stage(number, frame(rows, rows_schema(shop.facts.fields)), points, list(gone))
    return collection


def tampered(
    shop: Workshop, rows: Rows = (), gone: Sequence[str] = (), embedded: Rows = ()
) -> None:
    """Other rows in the published version itself."""
    number = shop.live.version
    shop.recorded(snapshot=staged(shop, rows, number, gone, embedded).seal(number))


def duplicated(shop: Workshop, chunk_ids: Sequence[str]) -> None:
    """Rows of the published version that stand there twice, as only somebody with the store's own
    client can do it.
    """
    if shop.store.name == "lancedb":
        table = lance(shop)
        table.add(table.search().where(_listed(chunk_ids)).to_arrow())
        shop.recorded(snapshot=shop.collection().seal(shop.live.version))
    else:
        raw = weaviate(shop)
        for one in _objects(raw, chunk_ids):
            raw.data.insert(one.properties, uuid=uuid4(), vector=one.vector["default"])


def deleted_by_hand(shop: Workshop, chunk_ids: Sequence[str]) -> None:
    """Rows deleted with the store's own client."""
    if shop.store.name == "lancedb":
        lance(shop).delete(_listed(chunk_ids))
    else:
        raw = weaviate(shop)
        for one in _objects(raw, chunk_ids):
            raw.data.delete_by_id(one.uuid)


def foreign_by_hand(shop: Workshop, number: int) -> None:
    """Objects of somebody else's, written with the store's own client."""
    if shop.store.name == "lancedb":
        table = lance(shop)
        some = table.search().limit(number).to_arrow().to_pylist()
        table.add([row | {"chunk_id": f"foreign{n}"} for n, row in enumerate(some)])
    else:
        raw = weaviate(shop)
        for n in range(number):
            raw.data.insert(
                {"chunk_id": f"foreign{n}", "text": "not ours"},
                uuid=uuid4(),
                vector=[1.0] * shop.model.dimension,
            )


def _listed(chunk_ids: Sequence[str]) -> str:
    return f"chunk_id IN ({', '.join(repr(key) for key in chunk_ids)})"


def lance(shop: Workshop) -> Any:
    """The live version's table, without us in between."""
    import lancedb

    return lancedb.connect(str(shop.home / "lancedb")).open_table(shop.live.collection)


def lance_folder(shop: Workshop) -> Path:
    return shop.home / "lancedb" / f"{shop.live.collection}.lance"


def weaviate(shop: Workshop) -> Any:
    """The live version's collection, without us in between."""
    from llmops.tasks.plugins.stores.weaviate import WeaviateStore
    from llmops.tasks.plugins.stores.weaviate.rows import class_name

    store = shop.store.build(Store)
    assert isinstance(store, WeaviateStore)
    return store._client().collections.use(class_name(shop.live.collection))


def _objects(raw: Any, chunk_ids: Sequence[str]) -> list[Any]:
    return [
        one for one in raw.iterator(include_vector=True) if one.properties["chunk_id"] in chunk_ids
    ]


def holds(shop: Workshop, collection: str, snapshot: str) -> bool:
    """Whether the store still has it."""
    try:
        return shop.open(collection).at(snapshot).count() > 0
    except Damaged:
        return False


def snapshot_of(shop: Workshop, number: int) -> str:
    return shop.handle.version(number).snapshot or ""


def backup(shop: Workshop) -> Path:
    """A copy of the ledger."""
    file = shop.folder / "backup.db"
    with (
        contextlib.closing(sqlite3.connect(shop.home / "ledger.db")) as here,
        contextlib.closing(sqlite3.connect(file)) as there,
    ):
        here.backup(there)
    return file


def restored(shop: Workshop, copy: Path) -> None:
    """Put a copy of the ledger in the place of the ledger, in a home that is moved so that nobody
    holds it open.
    """
    moved = shop.home.with_name(f"{shop.home.name}-restored")
    shutil.copytree(shop.home, moved, ignore=shutil.ignore_patterns("ledger.db*"))
    shutil.copy(copy, moved / "ledger.db")
    shop.home = moved


def armed(patched: Any, place: str, when: str, turn: int, error: type[BaseException]) -> None:
    """Make the n-th call of a function (`module:attribute.path`) raise, before it begins or after
    it has ended.
    """
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    patched.setattr(owner, name, _deadly(getattr(owner, name), when, turn, error))


def _deadly(
    original: Callable[..., Any], when: str, turn: int, error: type[BaseException]
) -> Callable[..., Any]:
    calls = iter(range(1, 1_000_000))

    def deadly(*args: Any, **options: Any) -> Any:
        mine = next(calls) == turn
        if mine and when == "before":
            raise error("ended here")
        result = original(*args, **options)
        if mine:
            raise error("ended here")
        return result

    return deadly

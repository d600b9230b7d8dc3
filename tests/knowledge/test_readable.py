"""Who may read a document as things stand now."""

from collections.abc import Collection
from pathlib import Path

import pytest

from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge.readable import readable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import documents
from llmops.tasks.plugins import Spec
from tests.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    return made


def build(shop: Workshop, labels: tuple[str, ...], **texts: str) -> None:
    shop.facts = MetadataSchema.model_validate({"access": {"default": labels}})
    shop.build({f"{name}.txt": text for name, text in texts.items()})


def may(shop: Workshop, labels: Collection[str], uri: str = "plan.txt") -> bool:
    query = documents.select().where(documents.c.uri == uri)
    with open_ledger(shop.home).read() as connection:
        row = connection.execute(query).first()
    return readable(shop.home, shop.kb, row.doc_id if row else "0" * 32, labels)


def test_a_document_is_read_by_whom_its_newest_labels_name(shop: Workshop) -> None:
    build(shop, (), plan="The plan is simple.", other="Another one.")
    assert may(shop, [])
    build(shop, ("board",), plan="The plan is simple.", other="Another one.")
    assert not may(shop, [])
    assert not may(shop, ["staff"])
    assert may(shop, ["board", "staff"])


def test_one_that_left_is_read_as_it_was_and_one_that_never_was_by_nobody(shop: Workshop) -> None:
    build(shop, ("board",), plan="The plan is simple.", other="Another one.")
    build(shop, ("board",), other="Another one.")
    assert may(shop, ["board"])
    assert not may(shop, [])
    assert not may(shop, ["board"], "never.txt")
    assert not readable(shop.home, "nothing", "0" * 32, ["board"])

"""A document that must reach a version in its last good form, because it cannot be read now."""

from pathlib import Path

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.parsers import Parsed
from tests.workshop import TEXTS, Plainly, Workshop


def unreadable(self: Plainly, data: bytes, uri: str, media_type: str = "") -> Parsed:
    if uri == "d1.txt":
        raise DocumentError("the parser of today does not read it")
    return Parsed(text=data.decode(), markup="plain", media_type="text/plain")


def test_it_stays_in_quarantine_also_where_its_file_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.build(TEXTS)
    shop.chunker = Spec(name="sentence", options={"size": 30, "overlap": 0})
    with monkeypatch.context() as patched:
        patched.setattr(Plainly, "parse", unreadable)
        shop.build(TEXTS, full=True)
    assert [each["uri"] for each in items(shop.ledger)] == ["d1.txt"]
    assert {row["uri"] for row in shop.rows()} == TEXTS.keys()
    assert shop.sound()
    shop.build(TEXTS)
    assert [each["uri"] for each in items(shop.ledger)] == ["d1.txt"]
    assert {row["uri"] for row in shop.rows()} == TEXTS.keys()
    shop.build(TEXTS, full=True)
    assert items(shop.ledger) == []
    assert shop.sound()

"""A home with an empty ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks import ledger
from tests.ledgers import with_ledger


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    yield with_ledger(tmp_path / "home")
    ledger.close_ledgers()

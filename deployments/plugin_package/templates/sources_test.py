from pathlib import Path

import pytest

from llmops.deployments.plugin_package.templates.sources import ExampleSource
from llmops.tasks.errors import UsageError


def test_each_line_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a header\nfirst\nsecond\n", encoding="utf-8")
    source = ExampleSource(path=Path("notes.txt"), skip=1).at(tmp_path)
    source.check()
    listing = source.list()
    assert [item.uri for item in listing.items] == ["line-2", "line-3"]
    assert listing.complete
    assert source.read(listing.items[0]).data == b"first"


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        ExampleSource(path=Path("none.txt")).at(tmp_path).check()

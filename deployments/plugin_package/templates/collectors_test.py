from pathlib import Path
from typing import cast

from llmops.deployments.plugin_package.templates.collectors import ExampleCollector
from llmops.tasks.plugins.collectors import CollectorContext, Skipped
from llmops.tasks.rows import Row

ASKS_NOBODY = cast(CollectorContext, None)


def test_each_line_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("question,answer\nWhy?,Because.\nHow?,\n", encoding="utf-8")
    collector = ExampleCollector(path=Path("faq.csv")).at(tmp_path)
    collector.check()
    row, skipped = collector.rows(ASKS_NOBODY, "")
    assert isinstance(row, Row)
    assert [message.content for message in row.messages] == ["Why?", "Because."]
    assert isinstance(skipped, Skipped)

"""Real documents, some broken on purpose: each is indexed, or in quarantine with a reason."""

import os
from pathlib import Path

import pytest

from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.ledger import open_ledger
from tests.laboratory import Laboratory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "LLMOPS_BENCH_DATA" not in os.environ,
        reason="LLMOPS_BENCH_DATA is not set: it names the folder of public corpora",
    ),
]


def test_every_file_of_the_docling_corpus_is_indexed_or_in_quarantine(lab: Laboratory) -> None:
    folder = Path(os.environ["LLMOPS_BENCH_DATA"]) / "docs-docling" / "tests" / "data"
    files = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "groundtruth" not in path.parts
    }
    outcome = lab.build(
        sources=[{"name": "files", "path": str(folder), "exclude": ["**/groundtruth/**"]}],
        limits={"failure_budget": 0.2},
    )
    failed = {item["uri"]: item["reason"] for item in items(open_ledger(lab.home), lab.kb)}
    assert outcome.status == "published"
    assert lab.visible() | failed.keys() == files
    assert lab.visible() & failed.keys() == set()
    assert len(lab.visible()) >= 245
    assert all(len(reason) > 15 for reason in failed.values())
    assert lab.verified()

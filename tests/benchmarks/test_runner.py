"""What the benchmark of the runner counts."""

import json
from pathlib import Path

from benchmarks.runner import under_way


def test_requests_under_way_are_those_that_came_within_one_answer(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(json.dumps({"at": at}) + "\n" for at in (0.0, 0.02, 0.04, 0.06, 0.5)))
    assert under_way(log, 0.05) == ((1 + 2 + 3 + 3 + 1) / 5, 3)

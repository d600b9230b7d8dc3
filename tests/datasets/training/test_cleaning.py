"""What becomes of rows that may not be trained on."""

from pathlib import Path

import pytest

from llmops.tasks.datasets.training.cleaning import without_places
from llmops.tasks.datasets.training.quarantine import RejectedRows, together
from llmops.tasks.datasets.training.row import Row
from llmops.tasks.datasets.training.shards import RowFiles, RowShard, write_shards
from llmops.tasks.errors import Damaged
from tests.datasets.training.runs import line, prepared, spec_of

SUITE = """
rows:
  - {type: expect_column_values_to_be_between, column: answer_characters, min_value: 20,
     about: the answer is short}
  - {type: expect_column_values_to_be_in_set, column: collector, value_set: [reviews],
     severity: warning, about: nobody reviewed it}
"""


def test_expectations_reject_or_remark(tmp_path: Path) -> None:
    (tmp_path / "rows.yaml").write_text(SUITE, encoding="utf-8")
    rows = [line(1), line(2), line(3, answer="Short one.")]
    steps = prepared(spec_of(tmp_path / "home", tmp_path, rows, expectations="rows.yaml"))
    assert steps.checked[0].rejected.reasons == {"expectation: the answer is short": 1}
    assert steps.remarks() == {"nobody reviewed it": 3}
    assert steps.clean.rows.rows == 2


def test_what_is_rejected_is_kept_with_its_reason(tmp_path: Path) -> None:
    rows = [line(1), {**line(2), "cut": True}, {"id": "no row"}]
    spec = spec_of(tmp_path / "home", tmp_path, rows)
    steps = prepared(spec)
    rejected = together(tmp_path / "rejected.jsonl", steps.rejections())
    assert rejected.rows == steps.counts().rejected == 2
    assert rejected.path is not None
    text = rejected.path.read_text(encoding="utf-8")
    assert "no row" in text
    assert "Answer 2" in text


def test_personal_data_are_replaced_in_both_answers(tmp_path: Path) -> None:
    mail = "ada.lovelace@example.org"
    sides = (
        {"role": "assistant", "content": f"{word} {mail}"} for word in ("Write to", "Do not ask")
    )
    better, worse = sides
    asked = [{"role": "user", "content": f"May I write to {mail}?"}]
    row = {"id": "r", "messages": asked, "chosen": [better], "rejected": [worse], "group": "g"}
    steps = prepared(spec_of(tmp_path / "home", tmp_path, [row], scrub="patterns"))
    [clean] = steps.clean.rows.read()
    assert mail not in clean.model_dump_json()
    assert steps.counts().scrubbed == 1
    assert clean.model_dump_json().count("<EMAIL_1>") == 3


@pytest.mark.parametrize("places", [[], [0], [4], [0, 1, 2], [3, 4, 9], list(range(10))])
def test_rows_are_left_out_by_their_places_over_all_shards(
    places: list[int], tmp_path: Path
) -> None:
    rows = [Row.model_validate(line(n)) for n in range(10)]
    files = RowFiles(shards=write_shards(tmp_path, "a", rows, most=3))
    assert [shard.rows for shard in files.shards] == [3, 3, 3, 1]
    left = without_places(files, "left", places)
    assert [row.id for row in left.read()] == [f"r{n}" for n in range(10) if n not in places]
    assert left.rows == 10 - len(places)


def test_a_shard_that_lost_lines_is_told(tmp_path: Path) -> None:
    [shard] = write_shards(tmp_path, "a", [Row.model_validate(line(n)) for n in range(3)])
    whole = shard.path.read_text(encoding="utf-8").splitlines(keepends=True)
    shard.path.write_text("".join(whole[:2]), encoding="utf-8")
    with pytest.raises(Damaged, match="2 rows instead of 3"):
        list(shard.read())
    with pytest.raises(Damaged, match="gone or damaged"):
        list(RowShard(path=tmp_path / "absent", rows=1).read())


def test_nothing_rejected_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "rejected.jsonl"
    assert together(path, [RejectedRows()]) == RejectedRows()
    assert not path.exists()

"""Files of results: what is written is read, and half a file is none."""

from pathlib import Path

import pytest

from llmops.tasks.errors import Damaged
from llmops.tasks.evaluation.results import BATCH, Result, read_results, write_results, writing
from llmops.tasks.plugins.scorers import Passage, Score


def full(number: int) -> Result:
    passage = Passage(text="t", uri="u", title="ti", doc_id="d", chunk_id="c")
    return Result(
        case_id=f"c{number}",
        arm="A · b",
        repeat=2,
        answer="«ß» 漢字\n\u2028\t",
        parsed={"a": [1, None, {"b": "ü"}]},
        latency_ms=1.5,
        passages=(passage,),
        tokens_in=3,
        tokens_out=4,
        cost_usd=1e-7,
        cached=True,
        attempts=2,
        scores={
            "judge": Score(value=0.25, reason="weil", parts={"tone": 1.0}),
            "gone": Score(value=None, reason="why", failed=True),
        },
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = [
        full(1),
        Result(case_id="c2", arm="B", status="errored", error="refused"),
        Result(case_id="c3", arm="B", parsed="text"),
    ]
    write_results(tmp_path / "new" / "file.parquet", found)
    assert list(read_results(tmp_path / "new" / "file.parquet")) == found


def test_some_at_a_time_is_as_all_at_once(tmp_path: Path) -> None:
    found = [full(number) for number in range(2 * BATCH + 3)]
    with writing(tmp_path / "file.parquet") as write:
        write(found[:1])
        write([])
        write(found[1:])
        assert not (tmp_path / "file.parquet").exists()
    assert list(read_results(tmp_path / "file.parquet")) == found


def test_no_results_are_a_file_without_rows(tmp_path: Path) -> None:
    write_results(tmp_path / "file.parquet", [])
    assert list(read_results(tmp_path / "file.parquet")) == []


def test_what_ends_with_an_error_leaves_the_file_before(tmp_path: Path) -> None:
    write_results(tmp_path / "file.parquet", [full(1)])
    with pytest.raises(AttributeError), writing(tmp_path / "file.parquet") as write:
        write([full(2), "no result"])  # type: ignore[list-item]
    assert list(read_results(tmp_path / "file.parquet")) == [full(1)]


def test_a_file_that_is_none_is_damage(tmp_path: Path) -> None:
    (tmp_path / "file.parquet").write_bytes(b"PAR1 not really")
    for file in (tmp_path / "file.parquet", tmp_path / "absent.parquet"):
        with pytest.raises(Damaged, match="run the evaluation again"):
            list(read_results(file))

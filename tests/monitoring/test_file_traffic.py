"""Exchanges from a file: read in the order of their times, every mistake told with its line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmops.tasks.errors import ConfigError
from llmops.tasks.monitoring.file_traffic import FileTraffic, checked_exchanges

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def written(folder: Path, *rows: object) -> Path:
    file = folder / "exchanges.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def row(key: str, hours: float = 0, **more: object) -> dict[str, object]:
    return {"id": key, "at": (MONDAY + timedelta(hours=hours)).isoformat(), **more}


def test_those_of_a_window_come_oldest_first_in_blocks(tmp_path: Path) -> None:
    rows = [row(str(number), hours=1200 - number) for number in range(1200)]
    file = written(tmp_path, *rows, "", row("early", -1), row("late", 1300))
    blocks = list(FileTraffic(file).exchanges(MONDAY, MONDAY + timedelta(hours=1300)))
    assert [len(block) for block in blocks] == [500, 500, 200]
    times = [each.at for block in blocks for each in block]
    assert times == sorted(times)
    assert list(FileTraffic(file).exchanges(MONDAY + timedelta(days=99), MONDAY)) == []


def test_an_application_of_ones_own_needs_few_keys(tmp_path: Path) -> None:
    passages = [{"uri": "a.md", "text": "A."}, {"chunk_id": "c", "doc_id": "d", "cited": True}]
    given = {"id": 7, "at": "2026-11-23T09:00:00", "status": "error", "passages": passages}
    file = written(tmp_path, "\ufeff" + json.dumps(given))
    ((found,),) = FileTraffic(file).exchanges(MONDAY, MONDAY + timedelta(days=1))
    assert (found.id, found.at, found.status) == ("7", MONDAY + timedelta(hours=9), "failed")
    assert (found.unit, found.tokens, found.rating) == ("7", 0, None)
    first, second = found.passages
    assert first.doc_id == "a.md"
    assert len(first.chunk_id) == 32
    assert (second.chunk_id, second.doc_id, second.cited) == ("c", "d", True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", r"exchanges.jsonl:2: no JSON: .*write an exchange a line"),
        ({"id": "1"}, "exchanges.jsonl:2: the key 'at' is missing"),
        (row("1", anwser="x"), r"exchanges.jsonl:2: anwser: unknown key \(did you mean answer\?"),
        (row("1", rating="bad"), "exchanges.jsonl:2: rating: Input should be 'up' or 'down'"),
        (row("1", passages=[{}]), "passages.0: .*needs a chunk_id, a text or a uri"),
        (row("1", passages=[{"url": "x"}]), r"passages.0.url: unknown key \(did you mean uri"),
        (row("0"), "the id '0' was used in line 1"),
        (row("1", latency_ms=float("nan")), "latency_ms: Input should be a finite number"),
        (row("1", scores={"a": float("inf")}), "scores.a: Input should be a finite number"),
        (row("1", tokens=10**30), "tokens: Input should be less than or equal to"),
        (row("1", tokens=-1), "tokens: Input should be greater than or equal to 0"),
        (row("1", cost_usd=1e308), "cost_usd: Input should be less than or equal to"),
        (row("1", version=10**30), "version: Input should be less than or equal to"),
        (row(""), "id: String should have at least 1 character"),
        (row("1", at="soon"), "exchanges.jsonl:2: at: Input should be a valid datetime"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, line: object, said: str) -> None:
    file = written(tmp_path, row("0"), line)
    with pytest.raises(ConfigError, match=said):
        checked_exchanges(file)
    with pytest.raises(ConfigError, match=said):
        list(FileTraffic(file).exchanges(MONDAY, MONDAY))


def test_a_mistake_of_megabytes_is_told_in_short(tmp_path: Path) -> None:
    long = "x" * 1_000_000
    with pytest.raises(ConfigError) as caught:
        checked_exchanges(written(tmp_path, row(long), row(long), row("1", **{long: 1})))
    assert len(caught.value.found) == 2
    assert len(str(caught.value)) < 2_000


def test_the_first_twenty_mistakes_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_exchanges(written(tmp_path, *["{}"] * 30))
    assert len(caught.value.found) == 20


def test_an_empty_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the file is empty"):
        checked_exchanges(written(tmp_path, " "))
    with pytest.raises(ConfigError, match="cannot be read"):
        checked_exchanges(tmp_path / "gone.jsonl")

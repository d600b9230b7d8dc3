"""The public page of figures, made of records alone."""

import json
from pathlib import Path

import pytest

from benchmarks.report.__main__ import PUBLISHED, README, render
from benchmarks.report.page import ahead, page, parts, section
from benchmarks.report.plots import plot
from benchmarks.report.processes import Absent, measured
from benchmarks.report.readme import BEGIN, END, filled, summary
from benchmarks.report.records import Part, Record, compared, read, write

STAGES = ("cold", "unchanged", "1 % edited")


def part(records: list[Record], **more: object) -> Part:
    plain = {"name": "ingestion", "title": "Ingestion", "about": "Files.", "command": "python …"}
    return Part(**plain | {"records": records, "date": "2026-11-30", "seconds": 7} | more)  # type: ignore[arg-type]


def ingestion() -> Part:
    records = [
        Record(f"{stage}: time", system, "s", rounds)
        for stage in STAGES
        for system, rounds in (("llmops index", [4, 6, 5]), ("Slow", [20, 10, 15]))
    ]
    return part(
        [*records, Record("cold: time", "Quick", "s", [2, 2, 2])],
        skipped={"Gone": "No module named 'gone'"},
        plot=["cold: time"],
        machine={"cores": "2", "load before": "0.1"},
        versions={"slow": "1.0", "gone": "absent"},
    )


def test_less_is_better_of_seconds_and_more_of_throughput() -> None:
    ours, peer = Record("a", "llmops", "s", [2]), Record("a", "Peer", "s", [6])
    result = compared([ours, peer])
    assert result is not None
    assert (result.times, result.said) == (3, "3.0× less than Peer")
    result = compared([Record("a", "llmops", "s", [6]), Record("a", "Peer", "s", [2])])
    assert result is not None
    assert (round(result.times, 2), result.said) == (0.33, "3.0× more than Peer")
    paces = [
        Record("b", "llmops", "MB/s", [6], "more"),
        Record("b", "Peer", "MB/s", [2], "more"),
        Record("b", "Other", "MB/s", [3], "more"),
    ]
    result = compared(paces)
    assert result is not None
    assert (result.times, result.said) == (2, "2.0× more than Other")
    result = compared([Record("b", "llmops", "MB/s", [1], "more"), paces[1]])
    assert result is not None
    assert (result.times, result.said) == (0.5, "2.0× less than Peer")


def test_rounds_that_overlap_are_said() -> None:
    result = compared([Record("a", "llmops", "s", [1, 2, 3]), Record("a", "Peer", "s", [3, 4, 5])])
    assert result is not None
    assert result.said == "2.0× less than Peer, ranges overlap"


def test_without_a_peer_there_is_nothing_to_compare() -> None:
    assert compared([Record("a", "llmops", "s", [1])]) is None
    assert compared([Record("a", "Peer", "s", [1])]) is None


def test_a_part_says_median_least_and_most_and_who_is_missing() -> None:
    text = section(ingestion())
    assert "| cold: time (s) | 5 (4–6) | 15 (10–20) | **2** (2–2) | 2.5× more than Quick |" in text
    assert "| unchanged: time (s) | **5** (4–6) | 15 (10–20) | – | 3.0× less than Slow |" in text
    assert "- **Gone** was not measured: No module named 'gone'." in text
    assert "3 rounds in 7 s; load before: 0.1" in text


def test_where_a_peer_is_ahead_is_said() -> None:
    said = ahead([ingestion()])
    assert "- Ingestion, cold: time: Quick 2 (2–2) s, ours 5 (4–6) (2.5× more than Quick)." in said
    assert "unchanged" not in said
    assert "Nowhere" in ahead([part([Record("a", "llmops", "s", [1])])])


def test_the_page_is_made_of_the_raw_figures_alone(tmp_path: Path) -> None:
    write(ingestion(), tmp_path)
    assert parts(tmp_path) == [ingestion()]
    (tmp_path / "raw" / "faults.json").write_text(
        json.dumps(
            {
                "systems": {
                    "gone": {"title": "gone", "clean": 0, "cells": 0, "absent": "not installed"},
                    "ours": {"title": "llmops", "clean": 60, "cells": 60, "absent": ""},
                }
            }
        )
    )
    text = render(tmp_path).read_text()
    assert text == page(tmp_path)
    assert "**Not installed**: gone." in text
    assert "| llmops | 60 | 60 |" in text
    assert "| gone | was not run: not installed | |" in text
    assert "figures of a quick run" not in text
    assert "](ingestion.svg)" in text
    assert (tmp_path / "ingestion.svg").read_text().count("<svg") == 1


def test_a_quick_run_says_so(tmp_path: Path) -> None:
    write(part([Record("a", "llmops", "s", [1])], quick=True), tmp_path)
    assert "figures of a quick run" in page(tmp_path)


def test_the_same_figures_make_the_same_plot(tmp_path: Path) -> None:
    file = plot(ingestion(), tmp_path)
    assert file is not None
    first = file.read_bytes()
    plot(ingestion(), tmp_path)
    assert file.read_bytes() == first
    assert plot(part([Record("a", "llmops", "s", [1])]), tmp_path) is None


def test_the_readme_gets_its_sentence_between_the_marks() -> None:
    text = filled(f"before\n{BEGIN}\nold\n{END}\nafter", [ingestion()])
    assert text.startswith(f"before\n{BEGIN}\n**Measured**")
    assert text.endswith(f"{END}\nafter")
    assert "old" not in text
    assert "nothing changed 5 s (Slow 15 s), 1 % edited 5 s (Slow 15 s), from nothing 5 s" in text
    assert "(Quick 2 s)" in text
    with pytest.raises(ValueError, match="the README has no"):
        filled("nothing here", [])


def test_what_is_published_is_what_the_raw_figures_say() -> None:
    assert (PUBLISHED / "index.md").read_text() == page(PUBLISHED)
    readme = README.read_text()
    assert readme == filled(readme, parts(PUBLISHED))
    assert bool(summary(parts(PUBLISHED))) == (PUBLISHED / "raw" / "ingestion.json").exists()


def test_raw_figures_hold_no_path_and_no_host_name() -> None:
    import platform

    for file in (PUBLISHED / "raw").glob("*.json"):
        text = file.read_text()
        assert not any(word in text for word in ("/tmp", "/home/", "/root", "/work", "/Users/"))
        assert f'"{platform.node()}"' not in text
        if file.stem != "faults":
            assert read(file).machine.keys() >= {"cores", "memory", "system", "Python"}


def test_a_command_without_its_library_is_absent_and_one_that_fails_an_error(
    tmp_path: Path,
) -> None:
    import sys

    with pytest.raises(Absent, match="No module named 'not_there'"):
        measured([sys.executable, "-c", "import not_there"], tmp_path)
    with pytest.raises(RuntimeError, match="ended with 3"):
        measured([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
    with pytest.raises(Absent, match=r"it ended with 1: ValueError: no … here$"):
        measured([sys.executable, "-c", "raise ValueError('no /a/b here')"], tmp_path, peer=True)
    used = measured([sys.executable, "-c", "print('{\"chunks\": 3}')"], tmp_path)
    assert used.told == {"chunks": 3}
    assert 0 < used.peak_mb < 40  # not that of this process

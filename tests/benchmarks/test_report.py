"""The public page of figures, made of records alone."""

import json
import re
import sys
from pathlib import Path

import pytest

import benchmarks.__main__
from benchmarks.report.__main__ import PUBLISHED, README, render
from benchmarks.report.page import ahead, page, parts, section
from benchmarks.report.plots import plot
from benchmarks.report.processes import Absent, measured
from benchmarks.report.readme import BEGIN, END, filled, summary
from benchmarks.report.records import Part, Record, compared, read, write
from benchmarks.report.unmeasured import FILE, note
from llmops.tasks.errors import UsageError

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
    said = ahead([ingestion()], {})
    assert "- Ingestion, cold: time: Quick 2 (2–2) s, ours 5 (4–6) (2.5× more than Quick)." in said
    assert "unchanged" not in said
    assert "Not measured, so not judged: Ingestion without Gone." in said
    alone = part([Record("a", "llmops", "s", [1])])
    assert ahead([alone], {}).endswith("\n\nNowhere in what was measured.\n")
    assert "so not judged: the part search." in ahead([alone], {"search": "has not been run"})


def test_a_part_that_fails_ends_no_other_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*, quick: bool) -> Part:
        raise KeyError(f"no /a/b here ({quick})")

    def absent(*, quick: bool) -> Part:
        raise Absent(f"No module named 'gone' ({quick})")

    def well(*, quick: bool) -> Part:
        return part([Record("a", "llmops", "s", [1])], name="startup", title="Start", quick=quick)

    parts_of = {"search": broken, "embedding": absent, "startup": well}
    monkeypatch.setattr(benchmarks.__main__, "PARTS", parts_of)
    order = ["benchmarks", *parts_of, "--quick", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", order)
    assert benchmarks.__main__.main() == 1
    told = capsys.readouterr().out
    assert "in broken" in told
    assert told.endswith("failed: search\n")
    text = (tmp_path / "index.md").read_text()
    assert "- **search** failed on 20" in text
    assert ": KeyError: 'no … here (True)'." in text
    assert re.search(r"- \*\*embedding\*\* skipped on .*: No module named 'gone' \(True\)\.", text)
    assert "- **serving** has not been run." in text
    assert "## Start" in text
    monkeypatch.setattr(benchmarks.__main__, "PARTS", {**parts_of, "search": well})
    monkeypatch.setattr(sys, "argv", ["benchmarks", "search", "--quick", "--out", str(tmp_path)])
    assert benchmarks.__main__.main() == 0
    assert "**search** failed" not in (tmp_path / "index.md").read_text()


def test_figures_of_before_are_kept_and_said_to_be_older(tmp_path: Path) -> None:
    write(ingestion(), tmp_path)
    note(tmp_path, "ingestion", RuntimeError("line\nthe last one."), failed=True)
    text = page(tmp_path)
    assert "the last one; its figures below are older." in text
    assert "## Ingestion" in text
    note(tmp_path, "quality", UsageError("DATA is not set", hint="it names beir/ and more/"))
    assert re.search(r"- \*\*quality\*\* skipped on [0-9-]+: DATA is not set\.\n", page(tmp_path))


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
        if file.name not in ("faults.json", FILE):
            assert read(file).machine.keys() >= {"cores", "memory", "system", "Python"}


def test_a_command_without_its_library_is_absent_and_one_that_fails_an_error(
    tmp_path: Path,
) -> None:
    with pytest.raises(Absent, match="No module named 'not_there'"):
        measured([sys.executable, "-c", "import not_there"], tmp_path)
    with pytest.raises(RuntimeError, match="ended with 3"):
        measured([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)
    with pytest.raises(Absent, match=r"it ended with 1: ValueError: no … here$"):
        measured([sys.executable, "-c", "raise ValueError('no /a/b here')"], tmp_path, peer=True)
    used = measured([sys.executable, "-c", "print('{\"chunks\": 3}')"], tmp_path)
    assert used.told == {"chunks": 3}
    assert 0 < used.peak_mb < 40  # not that of this process

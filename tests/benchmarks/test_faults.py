"""The fault-injection benchmark finds what it is to find, and nothing where nothing is wrong; of
our own system, the hardest cells are clean.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.faults import audit, inject
from benchmarks.faults.adapter import split
from benchmarks.faults.audit import Figures, Snapshot
from benchmarks.faults.cells import Cell, Result, Run, crashes, figures
from benchmarks.faults.corpus import OTHER_PER_CHUNK, PER_CHUNK, Change, scenario, update
from benchmarks.faults.plan import SCENARIOS, opened, results
from benchmarks.faults.table import BEGIN, END, absent, markdown, publish, raw_system
from tests.laboratory import with_database

SIZE = 24
ROOT = Path(__file__).parent.parent.parent
KILLED = [cell for cell in crashes() if cell.how == "kill"]
CLEAN = Figures(0, 0, 1, 0, 0, 0, 0)


def rows(texts: dict[str, str], per_chunk: int = PER_CHUNK) -> list[tuple[str, str]]:
    return [(uri, chunk) for uri, text in texts.items() for chunk in split(text, per_chunk)]


def judged(
    change: Change,
    *taken: Sequence[tuple[str, str]],
    codes: tuple[int, int] = (0, 0),
    output: str = "",
) -> Figures:
    """Of a cell in which a reader found this, the last but one after the first run, the last after
    the second.
    """
    seen = [Snapshot(number, each) for number, each in enumerate(taken)]
    ends = [(Run(code, output), snapshot) for code, snapshot in zip(codes, seen[-2:], strict=True)]
    return figures(change, seen, ends, 0)


def test_an_update_that_is_whole_at_once_is_clean() -> None:
    change = update(SIZE)
    assert judged(change, rows({**change.before}), *[rows({**change.right})] * 2) == CLEAN


def test_a_document_that_is_not_whole_is_lost_and_silence_is_counted() -> None:
    change = update(SIZE)
    right = rows({**change.right})
    victim = next(uri for uri in change.stays if change.right[uri] == change.before[uri])
    short = [row for row in right if row != next(each for each in right if each[0] == victim)]
    stays = len(change.stays)
    found = judged(change, short, short)
    assert found == Figures(1, 0, (stays - 1) / stays, 0, 0, 1, 2)
    assert judged(change, short, short, codes=(1, 1)).silent == 0
    assert judged(change, short, short, output=f"cannot read {victim}").silent == 0
    assert judged(change, short, right) == Figures(0, 0, (stays - 1) / stays, 0, 0, 1, 1)


def test_old_text_remains_and_doubles_are_stale() -> None:
    change = update(SIZE)
    right = rows({**change.right})
    edited = {uri for uri in change.stays if change.right[uri] != change.before[uri]}
    gone = change.before.keys() - change.right.keys()
    before = rows({**change.before})
    assert audit.held(before, change).stale == edited | gone
    assert audit.held(before, change).lost == change.right.keys() - change.before.keys()
    assert audit.held([*right, right[0]], change).stale == {right[0][0]}
    both = [*right, *(row for row in before if row[0] in edited and row not in right)]
    assert audit.held(both, change).stale == edited
    assert audit.mixed(both, change) == len(edited)
    assert audit.mixed(right, change) == 0


def test_chunks_of_two_configurations_at_once_are_a_mix() -> None:
    change = scenario("config changed", SIZE)
    new, old = rows({**change.right}, OTHER_PER_CHUNK), rows({**change.right})
    some = set(sorted(change.right)[:5])
    mix = [row for row in new if row[0] in some] + [row for row in old if row[0] not in some]
    assert [audit.mixed(each, change) for each in (new, old, mix)] == [0, 0, 5]
    assert audit.held(old, change).stale == change.right.keys()
    assert judged(change, old, new, new) == CLEAN


def test_texts_that_were_paid_before_are_counted() -> None:
    assert audit.paid_again(["a", "b"], ["c", "a", "c"]) == 2


def test_a_store_that_the_fault_took_counts_when_all_is_over() -> None:
    change = scenario("store lost", SIZE)
    everything = rows({**change.right})
    assert judged(change, [], everything, everything) == Figures(0, 0, None, 0, 0, 0, 0)
    assert judged(change, [], []).lost == SIZE


def test_a_fault_strikes_once_at_its_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inject, "_seen", Counter())
    inject.ORDER.write_text(json.dumps({"point": "embed", "how": "raise", "call": 2}))
    inject.at("embed")
    inject.at("parse")
    with pytest.raises(inject.InjectedFault, match="embed"):
        inject.at("embed")
    inject.at("embed")
    assert inject.CALLS.read_text().split() == ["embed", "parse", "embed", "embed"]


def measured(folder: Path, module: str, cells: Sequence[Cell]) -> dict[str, Figures | None]:
    with opened(module, folder, sys.executable) as system:
        done = results(system, folder / "cells", cells, SIZE, jobs=2)
    told(done)
    return {each.cell.title: each.figures for each in done}


def told(done: Sequence[Result]) -> None:
    """Shown where a test fails."""
    for each in done:
        sys.stdout.write(f"{each.cell.title}: {each.figures} {each.codes} {each.output}\n")


@pytest.mark.slow
def test_every_mistake_of_a_careless_system_is_found(tmp_path: Path) -> None:
    cells = [*KILLED, *(Cell(kind) for kind in SCENARIOS[1:])]
    found = measured(tmp_path, "tests.benchmarks.careless", cells)
    figures = {title: each for title, each in found.items() if each}
    assert [title for title, each in figures.items() if each.clean] == ["same text twice"]
    assert (figures["plain update"].least_share or 0) < 1
    assert figures["plain update"].paid_again > 0
    # its state said that it was done
    assert [figures[f"kill at {point}"].lost for point in ("embed", "store write")] == [1, 1]
    assert figures["kill at store write"].silent == 1
    assert figures["kill at delete"].stale == 1
    assert (figures["empty source"].wrong_deletions, figures["empty source"].silent) == (SIZE, 1)
    assert figures["partial source"].wrong_deletions == SIZE // 2
    assert (figures["store lost"].lost, figures["store lost"].silent) == (SIZE, 2)
    assert figures["config changed"].mixed > 1
    assert (figures["one poisoned document"].lost, figures["one poisoned document"].silent) == (
        1,
        2,
    )


@pytest.mark.slow
def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    cells = [*KILLED, *(Cell(kind) for kind in ("config changed", "one poisoned document"))]
    found = measured(tmp_path, "tests.benchmarks.careful", cells)
    absent = [title for title, each in found.items() if each is None]
    assert absent == ["kill at delete"]
    # what was paid when the process died, and not written down yet, is paid again
    assert found.pop("kill at state write") == Figures(0, 0, 1, 0, 1, 0, 0)
    assert {title: each for title, each in found.items() if each and not each.clean} == {}


@pytest.mark.slow
def test_our_own_hardest_cells_are_clean(tmp_path: Path, prefect_database: Path) -> None:
    with_database(tmp_path / "server", prefect_database)
    scenarios = ("empty source", "partial source", "config changed", "one poisoned document")
    cells = [
        Cell("plain update", "parse", "raise"),
        *(cell for cell in KILLED if cell.point in ("embed", "store write", "state write")),
        *(Cell(kind) for kind in scenarios),
    ]
    found = measured(tmp_path, "tests.benchmarks.thrifty", cells)
    assert found == dict.fromkeys(found, CLEAN)
    assert len(found) == 1 + len(cells)


def test_the_table_holds_what_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    page.write_text(f"# Faults\n\nBy hand.\n\n{BEGIN}\nold\n{END}\n\nMore by hand.\n")
    about = {"title": "Some", "setup": "As told", "versions": {"some": "1.0"}}
    done = [
        Result(Cell("plain update"), CLEAN),
        Result(Cell("plain update", "delete", "kill"), None),
        Result(Cell("store lost"), Figures(3, 0, None, 2, 0, 0, 2)),
    ]
    system = raw_system({**about, "store": "", "state": [], "loads": []}, done, "command", SIZE)  # type: ignore[typeddict-item]
    publish(tmp_path, {"some": system})
    publish(tmp_path, {"other": absent("other", "No module named 'other'", "command")})
    text = page.read_text()
    assert text.startswith("# Faults\n\nBy hand.\n")
    assert text.endswith("\n\nMore by hand.\n")
    assert "| Some | 1 | 2 |" in text
    assert "| other | not run: No module named 'other' | |" in text
    assert "| plain update | · | · | · | · | · | · | · | clean |" in text
    assert "| kill at delete | not offered | | | | | | | |" in text
    assert "| store lost | 3 | · | – | 2 | · | · | 2 |  |" in text


def test_the_published_table_is_that_of_the_published_figures() -> None:
    folder = ROOT / "docs" / "benchmarks"
    raw = json.loads((folder / "raw" / "faults.json").read_text())["systems"]
    page = (folder / "faults.md").read_text()
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == markdown([*raw.values()])
    assert raw["ours"]["cells"] == len(crashes()) + len(SCENARIOS)

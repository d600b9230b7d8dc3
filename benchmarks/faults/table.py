"""The raw figures, and the table that is made of them, between the markers of
docs/benchmarks/faults.md.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

import psutil

from benchmarks.faults.audit import Figures
from benchmarks.faults.cells import About, Result

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
COLUMNS = {
    "lost": "lost",
    "stale": "stale",
    "least_share": "least visible",
    "mixed": "mixed",
    "paid_again": "paid again",
    "wrong_deletions": "wrong deletions",
    "silent": "silent",
}
Value = int | float | None


class RawCell(TypedDict):
    """A cell in the raw figures. `figures` is null where the system has no such step."""

    cell: str
    call: int
    clean: bool | None
    figures: dict[str, Value] | None
    exit_codes: list[int]
    calls: dict[str, int]
    seconds: float


class RawSystem(TypedDict):
    """A system in the raw figures: `clean` of `cells` are clean. Without cells where it was absent,
    for which `absent` says why. What it printed stays out: it holds paths.
    """

    title: str
    setup: str
    versions: dict[str, str]
    absent: str
    command: str
    documents: int
    machine: dict[str, str | float | None]
    clean: int
    cells: int
    results: list[RawCell]


def raw_system(about: About, results: Sequence[Result], command: str, documents: int) -> RawSystem:
    figures = [each.figures for each in results if each.figures]
    return RawSystem(
        title=about["title"],
        setup=about["setup"],
        versions=about["versions"],
        absent="",
        command=command,
        documents=documents,
        machine=machine(),
        clean=sum(each.clean for each in figures),
        cells=len(figures),
        results=[raw_cell(each) for each in results],
    )


def absent(name: str, reason: str, command: str) -> RawSystem:
    return RawSystem(
        title=name,
        setup="",
        versions={},
        absent=reason,
        command=command,
        documents=0,
        machine=machine(),
        clean=0,
        cells=0,
        results=[],
    )


def raw_cell(result: Result) -> RawCell:
    return RawCell(
        cell=result.cell.title,
        call=result.cell.call,
        clean=result.figures.clean if result.figures else None,
        figures=asdict(result.figures) if result.figures else None,
        exit_codes=list(result.codes),
        calls=dict(result.calls),
        seconds=result.seconds,
    )


def machine() -> dict[str, str | float | None]:
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def shown(name: str, value: Value) -> str:
    """A figure; nought, and all that is visible, as a dot, so that the rest stands out."""
    if value is None:
        return "–"
    if name == "least_share":
        return "·" if value == 1 else f"{100 * value:.0f} %"
    return f"{value}" if value else "·"


def told(figures: Figures) -> list[str]:
    return [shown(name, getattr(figures, name)) for name in COLUMNS]


def row(cell: RawCell) -> str:
    if cell["figures"] is None:
        return f"| {cell['cell']} | not offered {'| ' * len(COLUMNS)}|"
    values = [shown(name, cell["figures"][name]) for name in COLUMNS]
    return f"| {' | '.join([cell['cell'], *values, 'clean' if cell['clean'] else ''])} |"


def markdown(systems: Sequence[RawSystem]) -> str:
    """Scores, the best first, then a table for each system."""
    order = sorted(systems, key=lambda each: (-each["clean"], each["title"]))
    lines = ["| system | clean cells | of |", "| --- | ---: | ---: |"]
    lines += [
        f"| {each['title']} | not run: {each['absent']} | |"
        if each["absent"]
        else f"| {each['title']} | {each['clean']} | {each['cells']} |"
        for each in order
    ]
    for each in order:
        if each["absent"]:
            continue
        versions = ", ".join(f"{name} {number}" for name, number in each["versions"].items())
        lines += ["", f"### {each['title']}", "", f"{each['setup']}.", ""]
        lines += [f"{each['documents']} documents; {versions}.", ""]
        lines += [f"| | {' | '.join(COLUMNS.values())} | |"]
        lines += [f"| --- {'| ---: ' * len(COLUMNS)}| --- |", *map(row, each["results"])]
    return "\n".join(lines)


def renewed(old: RawSystem, new: RawSystem) -> RawSystem:
    """Cells of a new measurement take the place of the same cells of an old one, of the same
    versions and size; else the new one stands alone.
    """
    if (old["versions"], old["documents"]) != (new["versions"], new["documents"]):
        return new
    cells = {each["cell"]: each for each in (*old["results"], *new["results"])}
    results = [*cells.values()]
    clean = sum(bool(each["clean"]) for each in results)
    offered = sum(each["figures"] is not None for each in results)
    return {**new, "results": results, "clean": clean, "cells": offered}


def publish(out: Path, measured: dict[str, RawSystem]) -> None:
    """Put what was measured into the raw figures, where all else stays as it is, and the table of
    all into the page, whose other text stays.
    """
    file, page = out / "raw" / "faults.json", out / "faults.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(file.read_text())["systems"] if file.exists() else {}
    systems: dict[str, RawSystem] = {**before}
    for name, system in measured.items():
        systems[name] = renewed(systems[name], system) if name in systems else system
    raw = json.dumps({"systems": systems}, indent=1, ensure_ascii=False)
    file.write_text(f"{raw}\n")
    text = page.read_text() if page.exists() else f"# Faults\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    table = markdown([*systems.values()])
    page.write_text(f"{head}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")

"""Files that were written from what people said of answers: rows of a trace, or of a reviewer, that
is gone leave them.
"""

import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from sqlalchemy import select, update

from llmops.tasks.errors import Unavailable
from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import people, traces
from llmops.tasks.ledger.review import written_files
from llmops.tasks.schemas import sha256
from llmops.tasks.traces.index import parts

PSEUDONYM = 64
"""Hexadecimal digits of one."""


def registered(home: Path) -> list[Path]:
    """The files that were written."""
    with open_ledger(home).read() as connection:
        return [Path(each) for each in connection.scalars(select(written_files.c.path))]


def clean(home: Path, path: Path) -> int:
    """Take the rows out whose trace was deleted, or whose reviewers are nobody any more. Returns
    how many. A file that its owner has removed is clean. Raises Unavailable for one that cannot be
    reached.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError as error:
        if path.parent.is_dir():
            return 0
        raise _unreached(path, error) from error
    except OSError as error:
        raise _unreached(path, error) from error
    found = [_lineage(line) for line in lines]
    lost = gone_traces(home, {trace for trace, _ in found if trace})
    nobody = gone_people(home, {who for _, reviewers in found for who in reviewers})
    kept = [
        line
        for line, (trace, reviewers) in zip(lines, found, strict=True)
        if trace not in lost and not nobody.intersection(reviewers)
    ]
    if len(kept) < len(lines):
        replace(home, path, kept)
    return len(lines) - len(kept)


def redact(home: Path, quotes: Callable[[str], bool]) -> tuple[int, list[str]]:
    """Take the rows out that quote something. Returns how many, and the files that could not be
    reached.
    """
    count, left = 0, list[str]()
    for path in registered(home):
        try:
            lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
            kept = [line for line in lines if not quotes(line.decode(errors="replace"))]
            if len(kept) < len(lines):
                replace(home, path, kept)
        except (OSError, Unavailable):
            left.append(str(path))
            continue
        count += len(lines) - len(kept)
    return count, left


def replace(home: Path, path: Path, lines: Sequence[bytes]) -> None:
    """Write these lines in place of the file's, at once or not at all."""
    content = b"".join(lines)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _unreached(path, error) from error
    values = {"sha256": sha256(content), "rows": len(lines), "written_at": now()}
    mine = written_files.c.path == str(path)
    with open_ledger(home).write() as connection:
        connection.execute(update(written_files).where(mine).values(**values))


def _lineage(line: bytes) -> tuple[str, tuple[str, ...]]:
    """The trace and the reviewers of a row; nothing for what is no row of ours."""
    try:
        row = json.loads(line)
    except ValueError:
        return "", ()
    lineage = row.get("lineage") if isinstance(row, dict) else None
    if not isinstance(lineage, dict):
        return "", ()
    reviewers = lineage.get("reviewers")
    known = reviewers if isinstance(reviewers, list) else []
    return str(lineage.get("trace_id", "")), tuple(map(str, known))


def gone_traces(home: Path, ids: Collection[str]) -> set[str]:
    """Those of the traces that were deleted."""
    with open_ledger(home).read() as connection:
        return {
            each
            for part in parts(ids)
            for each in connection.scalars(
                select(traces.c.id).where(traces.c.id.in_(part), traces.c.deleted_at.is_not(None))
            )
        }


def gone_people(home: Path, pseudonyms: Collection[str]) -> set[str]:
    """Those that lead to nobody: a pseudonym without a person."""
    asked = {each for each in pseudonyms if len(each) == PSEUDONYM}
    with open_ledger(home).read() as connection:
        known = {
            each
            for part in parts(asked)
            for each in connection.scalars(
                select(people.c.pseudonym).where(people.c.pseudonym.in_(part))
            )
        }
    return asked - known


def _unreached(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{error.strerror or error}",
        where=str(path),
        hint="make it reachable and delete again",
    )

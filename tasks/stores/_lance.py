"""What LanceDB's calls need around them: its errors as ours, conflicts tried again, a query's rows in a fixed order."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.errors import Damaged, Unavailable
from tasks.filters import Fields
from tasks.records import Vectors, from_arrow
from tasks.stores import rows_schema

CONFLICT = ("commit conflict", "concurrent", "retryable", "too many")
GONE = ("not found", "no longer exists", "does not exist", "no such file")
BROKEN = ("corrupt", "invalid user input: ", "decode", "checksum", "invalid magic", "end of file", "out of range")
REPAIR = "run `llmops index CONFIG`: it rebuilds what is lost, and pays for nothing again"
ATTEMPTS = 8
NEVER = timedelta(days=36_500)
MARGINS = [timedelta(milliseconds=2) * 10**power for power in range(5)]
ORDER = [("score", "descending"), ("uri", "ascending"), ("ordinal", "ascending"), ("chunk_id", "ascending")]

T = TypeVar("T")


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """LanceDB raises RuntimeError, ValueError and OSError for nearly everything: the message tells them apart.

    Raises Damaged for what is gone or unreadable, Unavailable for conflicts and for a store that does not answer.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        message = str(error).lower()
        if any(sign in message for sign in GONE):
            raise Damaged(f"{what} no longer exists: {_short(error)}", hint=REPAIR) from error
        if any(sign in message for sign in CONFLICT):
            raise Unavailable(f"{what} is written by somebody else: {_short(error)}", hint="try again later") from error
        if isinstance(error, ValueError) or any(sign in message for sign in BROKEN):
            raise Damaged(f"{what} cannot be read: {_short(error)}", hint=REPAIR) from error
        raise Unavailable(f"{what} did not answer: {_short(error)}", hint="check its uri, disk and network") from error


def _short(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


def retried(table: Any, what: str, write: Callable[[], T]) -> T:
    """The result of a write, tried again from the newest version when another commit came first.

    Raises Unavailable when it still conflicts after about five seconds.
    """
    for attempt in range(ATTEMPTS):
        try:
            with guarded(what):
                return write()
        except Unavailable as error:
            if attempt + 1 == ATTEMPTS or not any(sign in str(error.__cause__).lower() for sign in CONFLICT):
                raise
        time.sleep(0.02 * 2**attempt * (0.5 + random.random()))
        with guarded(what):
            table.checkout_latest()
    raise AssertionError("the last attempt returns or raises")


def prune(table: Any, what: str, oldest: datetime) -> None:
    """Remove the versions committed before `oldest` (local time, as Lance lists it).

    Lance takes an age and reads the clock itself, a little later: it refuses, harmlessly, when a tagged version has
    come to look too old by then. Hence the growing margins.
    """
    for margin in MARGINS:
        try:
            with guarded(what):
                age = datetime.now().astimezone() - oldest.astimezone()
                table.optimize(cleanup_older_than=max(age + margin, margin))
                return
        except Unavailable as error:
            if "tagged version" not in str(error) or margin == MARGINS[-1]:
                raise


def ranked(fetch: Callable[[int], Any], k: int) -> pd.DataFrame:
    """The k best rows of a query, ties in the order of uri and ordinal.

    `fetch(n)` gives n rows with a column `score`. Where the k-th score is shared by more rows than were fetched, more
    are fetched, so that the choice among equals never depends on how the rows lie on disk.
    """
    wanted = k + 16
    while True:
        table = fetch(wanted)
        scores = np.sort(table["score"].to_numpy())[::-1]
        if len(scores) < wanted or scores[-1] < scores[k - 1]:
            return from_arrow(table.sort_by(ORDER).slice(0, k))
        wanted *= 4


def packed(rows: pd.DataFrame, vectors: Vectors, schema: Any) -> Any:
    """Rows and vectors as one Arrow table. Raises ValueError for a wrong shape, and for vectors without a direction."""
    data = np.ascontiguousarray(vectors, dtype=np.float32)
    size = schema.field("vector").type.list_size
    if data.shape != (len(rows), size):
        raise ValueError(f"got vectors of shape {data.shape} for {len(rows)} rows; allowed: ({len(rows)}, {size})")
    if not np.isfinite(data).all() or not data.any(axis=1).all():
        wrong = np.flatnonzero(~(np.isfinite(data).all(axis=1) & data.any(axis=1)))
        raise ValueError(f"{len(wrong)} vectors hold NaN or infinity, or are zero, the first for chunk "
                         f"{rows['chunk_id'].iloc[wrong[0]]}; embed it again")
    plain = schema.remove(schema.get_field_index("vector"))
    table = pa.Table.from_pandas(rows[plain.names], schema=plain, preserve_index=False)
    column = pa.FixedSizeListArray.from_arrays(pa.array(data.ravel()), size)
    return table.append_column(schema.field("vector"), column).cast(schema)


def schema_of(dimension: int, fields: Fields) -> Any:
    """The rows and the vector."""
    return pa.schema([*rows_schema(fields), pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False)])

"""What the stores share: a query's rows in a fixed order, and the rows of a call checked before
anything is written.
"""

import re
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from llmops.tasks.filters import Fields
from llmops.tasks.plugins.stores import rows_schema
from llmops.tasks.schemas import Vectors

REPAIR = (
    "`llmops kb repair NAME` restores it, and so does the next `llmops index CONFIG`; nothing "
    "is paid for again"
)
ORDER = [
    ("score", "descending"),
    ("uri", "ascending"),
    ("ordinal", "ascending"),
    ("chunk_id", "ascending"),
]
SURROGATES = re.compile("[\ud800-\udfff]")
LARGEST = 2**53  # beyond it a store that keeps numbers as doubles rounds silently


def ranked(fetch: Callable[[int], pa.Table], k: int) -> pa.Table:
    """The k best rows of a query, ties in the order of uri and ordinal.

    `fetch(n)` gives the n best rows, or more, with a column `score`. Where the k-th score is shared
    by more rows than were fetched, more are fetched, so that the choice among equals never depends
    on how the rows lie on disk.
    """
    wanted = k + 16
    while True:
        table = fetch(wanted)
        scores = np.sort(table["score"].to_numpy())[::-1]
        if len(scores) < wanted or scores[-1] < scores[k - 1]:
            return best(table, k)
        wanted *= 4


def best(rows: pa.Table, k: int) -> pa.Table:
    """The k first by score, ties in the order of uri and ordinal."""
    return rows.sort_by(ORDER).slice(0, k)


def findable(terms: Iterable[str]) -> list[str]:
    """The terms that a row may hold: half of a surrogate pair is in none, and cannot be sent."""
    return [term for term in terms if term.isascii() or not SURROGATES.search(term)]


def checked(rows: pd.DataFrame, vectors: Vectors, size: int) -> Vectors:
    """The vectors, shape (len(rows), size). Raises ValueError for another shape, for vectors
    without a direction, for a chunk_id that comes twice, and for whole numbers beyond 2**53."""
    data = np.ascontiguousarray(vectors, dtype=np.float32)
    if data.shape != (len(rows), size):
        raise ValueError(
            f"got vectors of shape {data.shape} for {len(rows)} rows; allowed: "
            f"({len(rows)}, {size})"
        )
    if not np.isfinite(data).all() or not data.any(axis=1).all():
        wrong = np.flatnonzero(~(np.isfinite(data).all(axis=1) & data.any(axis=1)))
        raise ValueError(
            f"{len(wrong)} vectors hold NaN or infinity, or are zero, the first for chunk "
            f"{rows['chunk_id'].iloc[wrong[0]]}; embed it again"
        )
    if (twice := rows["chunk_id"].duplicated()).any():
        raise ValueError(
            f"the chunk {rows['chunk_id'][twice].iloc[0]} comes twice in one call; each "
            f"may come once"
        )
    for name in rows.select_dtypes("integer").columns:
        if (rows[name].abs() > LARGEST).any():
            raise ValueError(
                f"the column {name!r} holds a whole number beyond 2**53, which stores "
                f"round silently"
            )
    return data


def packed(rows: pd.DataFrame, vectors: Vectors, schema: pa.Schema) -> pa.Table:
    """Rows and vectors as one Arrow table. Raises ValueError as `checked` does."""
    size = schema.field("vector").type.list_size
    data = checked(rows, vectors, size)
    plain = schema.remove(schema.get_field_index("vector"))
    table = pa.Table.from_pandas(rows[plain.names], schema=plain, preserve_index=False)
    column = pa.FixedSizeListArray.from_arrays(pa.array(data.ravel()), size)
    return table.append_column(schema.field("vector"), column).cast(schema)


def schema_of(dimension: int, fields: Fields) -> pa.Schema:
    """The rows and the vector."""
    return pa.schema(
        [
            *rows_schema(fields),
            pa.field("vector", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )

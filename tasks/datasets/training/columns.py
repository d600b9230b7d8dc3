"""Records as columns of Parquet, with the types that readers expect."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llmops.tasks.plugins.exporters import ColumnType

BLOCK = 1_000
"""Records that are in memory at a time."""
TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
FUNCTION = pa.struct([("name", pa.string()), ("arguments", pa.string())])
CALLS = pa.list_(pa.struct([("id", pa.string()), ("type", pa.string()), ("function", FUNCTION)]))
PARTS: Mapping[str, pa.DataType] = {
    "role": pa.string(),
    "content": pa.string(),
    "name": pa.string(),
    "tool_calls": CALLS,
    "tool_call_id": pa.string(),
    "weight": pa.int64(),
}
"""Of a message. What no message of a file has is left out: chat templates look at what is there."""
Record = Mapping[str, object]


def write_parquet(
    path: Path,
    columns: Mapping[str, ColumnType],
    parts: set[str],
    records: Callable[[], Iterable[Record]],
) -> None:
    """Write records. `parts`: the keys of messages, and of records, that are in use."""
    message = pa.struct([(name, kind) for name, kind in PARTS.items() if name in parts])
    types: dict[ColumnType, pa.DataType] = {
        "text": pa.string(),
        "texts": pa.list_(pa.list_(pa.string())),
        "boolean": pa.bool_(),
        "json": pa.string(),
        "messages": pa.list_(message),
        "turns": pa.list_(TURN),
        "turn": TURN,
        "request": pa.struct(
            [
                ("messages", pa.list_(message)),
                *([("tools", pa.string())] if "tools" in parts else []),
            ]
        ),
    }
    used = {name: kind for name, kind in columns.items() if name in parts}
    schema = pa.schema([(name, types[kind]) for name, kind in used.items()])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        source = iter(records())
        while block := list(islice(source, BLOCK)):
            rows = [{name: _cell(each.get(name), used[name]) for name in used} for each in block]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def keys_of(content: object) -> Iterator[str]:
    """The keys of a record and of what is in it: what the columns have to hold."""
    if isinstance(content, dict | Mapping):
        for name, value in content.items():
            yield name
            if not isinstance(value, str):
                yield from keys_of(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from keys_of(value)


def _cell(value: object, kind: ColumnType) -> object:
    if value is None:
        return None
    if kind == "json":
        return _json(value)
    if kind == "messages":
        return [_message(each) for each in value]  # type: ignore[attr-defined]
    if kind == "request" and isinstance(value, Mapping):
        tools = {"tools": _json(value["tools"])} if "tools" in value else {}
        return {"messages": _cell(value["messages"], "messages"), **tools}
    return value


def _message(message: Mapping[str, object]) -> Mapping[str, object]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_call(each) for each in calls]}


def _call(call: Mapping[str, Mapping[str, object]]) -> Mapping[str, object]:
    """Arguments as JSON text: objects of many shapes are no column."""
    function = call["function"]
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else _json(arguments)
    return {**call, "function": {**function, "arguments": text}}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

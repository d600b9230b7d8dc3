"""What the library `datasets` makes of our files, where it is installed."""

import json
from pathlib import Path

import pytest

from tests.datasets.training.runs import built, line, pair_line, records, spec_of

ALL = ("openai_chat", "openai_dpo", "trl_sft", "trl_dpo", "trl_kto", "sharegpt", "triplets")
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"city": "Köln"}'}}


def test_every_file_loads_and_says_what_was_written(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the library datasets is not installed")
    tools = [
        {"role": "user", "content": "Is it wet in Cologne today?"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "dry"},
        {"role": "assistant", "content": "No, the sky over Cologne is clear."},
    ]
    function = {"type": "function", "function": {"name": "f", "parameters": {}}}
    rows = [*(line(n) for n in range(12)), *(pair_line(n) for n in range(20, 30))]
    rows.append({"id": "t", "messages": tools, "tools": [function], "group": "t"})
    spec = spec_of(tmp_path / "home", tmp_path, rows, export=list(ALL))
    _, published = built(spec)
    for file in published.manifest.files:
        path = str(published.folder / file.path)
        loaded = datasets.load_dataset(
            "json", data_files=path, split="train", cache_dir=str(tmp_path / "cache")
        )
        assert len(loaded) == file.rows, file.path
    said = json.dumps(records(published.folder, "trl_sft"), ensure_ascii=False)
    assert '"arguments": {"city": "Köln"}' in said

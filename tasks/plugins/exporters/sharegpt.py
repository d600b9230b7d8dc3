"""Conversations for LLaMA-Factory, with its `dataset_info.json`, and Axolotl, with its stanza."""

import json
from collections.abc import Iterator, Mapping, Sequence

from llmops.tasks.plugins.exporters import (
    ColumnType,
    ExportContext,
    Exporter,
    ExportRecord,
    Risk,
    Unfit,
)
from llmops.tasks.plugins.exporters._messages import arguments, spoken
from llmops.tasks.rows import Row, RowMessage
from llmops.tasks.yaml_files import write_yaml

PAIRS = "pairs"
ASKING, ANSWERING = ("human", "observation"), ("gpt", "function_call")
Turn = dict[str, str]


class SharegptExporter(Exporter):
    """Pairs are a file of their own. LLaMA-Factory drops a conversation that does not alternate,
    and says it in a log: here it is left out, and counted.
    """

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        return {
            "conversations": "turns",
            **({"chosen": "turn", "rejected": "turn"} if kind else {}),
            "system": "text",
            "tools": "text",
        }

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        del context
        system, turns = _parted(spoken(row, self.least_score))
        before = {"system": system} if system else {}
        tools = {"tools": json.dumps(list(row.tools), ensure_ascii=False)} if row.tools else {}
        yield ExportRecord({"conversations": turns, **before, **tools})
        if row.chosen is None or row.rejected is None:
            return
        better, worse = (_turns(each) for each in (row.chosen, row.rejected))
        if len(better) == len(worse) == 1:
            prompt = turns[: -len(better)]
            content = {"conversations": prompt, "chosen": better[0], "rejected": worse[0]}
            yield ExportRecord({**content, **before, **tools}, PAIRS)

    def risks(self, record: ExportRecord) -> Iterator[Risk]:
        turns = record.content["conversations"]
        if isinstance(turns, list) and len(turns) > 2 and not record.kind:
            yield Risk(
                "trained", "earlier answers are learnt, too: LLaMA-Factory has mask_history for it"
            )

    def beside(self, dataset: str, files: Mapping[tuple[str, str], str]) -> Mapping[str, str]:
        entries = {
            _entry(dataset, split, kind): {
                "file_name": name,
                "formatting": "sharegpt",
                **({"ranking": True} if kind else {}),
                "columns": {
                    "messages": "conversations",
                    "system": "system",
                    "tools": "tools",
                    **({"chosen": "chosen", "rejected": "rejected"} if kind else {}),
                },
            }
            for (split, kind), name in sorted(files.items())
        }
        info = json.dumps(entries, indent=2, ensure_ascii=False)
        return {"dataset_info.json": f"{info}\n", "axolotl.yaml": _axolotl(files)}


def _entry(dataset: str, split: str, kind: str) -> str:
    return "_".join(filter(None, [dataset.replace("-", "_"), kind, split]))


def _axolotl(files: Mapping[tuple[str, str], str]) -> str:
    """The part of Axolotl's configuration that names the files."""

    def of(split: str) -> list[dict[str, object]]:
        return [
            {
                "path": name,
                "ds_type": name.rpartition(".")[2].replace("jsonl", "json"),
                "type": "chat_template",
                "field_messages": "conversations",
                "field_system": "system",
                "message_property_mappings": {"role": "from", "content": "value"},
                "roles": {
                    "user": ["human"],
                    "assistant": ["gpt", "function_call"],
                    "tool": ["observation"],
                },
                "roles_to_train": ["assistant"],
            }
            for (side, kind), name in sorted(files.items())
            if side == split and not kind
        ]

    parts = {"datasets": of("train"), "test_datasets": of("validation")}
    return write_yaml({name: part for name, part in parts.items() if part})


def _parted(messages: Sequence[RowMessage]) -> tuple[str, list[Turn]]:
    """(system prompt, turns). Raises Unfit where they do not alternate, a person first."""
    heads = [each for each in messages if each.role in ("system", "developer")]
    if any(each.role in ("system", "developer") for each in messages[len(heads) :]):
        raise Unfit("instructions stand in the middle of it, and the format has them before it")
    turns = _turns(messages[len(heads) :])
    wrong = [
        number
        for number, turn in enumerate(turns)
        if turn["from"] not in (ANSWERING if number % 2 else ASKING)
    ]
    if wrong or len(turns) % 2:
        raise Unfit("question and answer do not alternate: LLaMA-Factory would drop it")
    return "\n\n".join(each.content or "" for each in heads), turns


def _turns(messages: Sequence[RowMessage]) -> list[Turn]:
    return [_turn(each) for each in messages]


def _turn(message: RowMessage) -> Turn:
    if message.role == "tool":
        return {"from": "observation", "value": message.content or ""}
    if message.role == "user":
        return {"from": "human", "value": message.content or ""}
    if not message.tool_calls:
        return {"from": "gpt", "value": message.content or ""}
    if message.content:
        raise Unfit("it says something beside a tool call, which the format cannot keep")
    calls = [
        {"name": each.function.name, "arguments": arguments(each.function.arguments)}
        for each in message.tool_calls
    ]
    value = calls[0] if len(calls) == 1 else calls
    return {"from": "function_call", "value": json.dumps(value, ensure_ascii=False)}

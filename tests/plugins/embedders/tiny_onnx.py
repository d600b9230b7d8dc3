"""A model of a few hundred bytes as fastembed reads one: a table of vectors, looked up by token."""

import json
from pathlib import Path

import numpy as np

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "boat", "one", "lighthouse", "query", "passage"]


def write_model(folder: Path) -> Path:
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    table = np.random.default_rng(7).normal(size=(len(WORDS), 8)).astype(np.float32)
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
        for name in ("input_ids", "attention_mask")
    )
    shape: list[str | int | None] = ["texts", "tokens", 8]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)
    node = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
    held = [numpy_helper.from_array(table, "table")]
    graph = helper.make_graph([node], "tiny", [ids, mask], [output], held)
    opsets = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(folder / "model.onnx"))
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    for name, content in {
        "config": {"pad_token_id": 0},
        "tokenizer_config": {"model_max_length": 64, "pad_token": "[PAD]"},
        "special_tokens_map": {"pad_token": "[PAD]", "unk_token": "[UNK]"},
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder

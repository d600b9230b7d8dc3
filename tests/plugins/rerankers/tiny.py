"""A cross-encoder of a few hundred bytes as an ONNX model: it counts, in the passage, the words
that it likes, and is the surer the more of them there are.
"""

from pathlib import Path
from typing import Any

import numpy as np

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "lamp", "harbour", "pier", "dull"]
LIKED = {"lamp": 2.0, "harbour": 1.0, "dull": -3.0}


def write_model(folder: Path, *, labels: int = 1, place: str = "model.onnx") -> Path:
    """`labels`: of its output; two are the chances of no and yes."""
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    file = folder / place
    file.parent.mkdir(parents=True, exist_ok=True)
    worth = np.array([LIKED.get(word, 0.0) for word in WORDS], np.float32).reshape(-1, 1)
    spread = np.ones((1, labels), np.float32)
    spread[0, :-1] = -1
    axes = np.array([1], np.int64)
    nodes = [
        helper.make_node("Gather", ["worth", "input_ids"], ["each"]),
        helper.make_node("Cast", ["token_type_ids"], ["second"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["second", "last"], ["mask"]),
        helper.make_node("Mul", ["each", "mask"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "axes"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["sum", "spread"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["pairs", "tokens"])
        for name in ("input_ids", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", labels])
    values: dict[str, np.ndarray[Any, Any]] = {
        "worth": worth,
        "spread": spread,
        "axes": axes,
        "last": np.array([-1], np.int64),
    }
    held = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save(made, str(file))
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder

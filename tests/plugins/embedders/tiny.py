"""A BERT of two layers with random weights, in the layout of sentence-transformers: made without
torch, in milliseconds.
"""

import json
from pathlib import Path

import numpy as np

LAYERS, HEADS = 2, 2
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{each}" for each in LETTERS), ".", "?"]
MODULES = [("0", "", "models.Transformer"), ("1", "1_Pooling", "models.Pooling")]


def tiny_model(
    folder: Path, *, width: int = 32, seed: int = 1, longest: int = 32, pooling: str = "mean"
) -> Path:
    """The folder, with weights that depend on the seed. Every letter is a token."""
    from safetensors.numpy import save_file

    (folder / "1_Pooling").mkdir(parents=True)
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 64,
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
        "vocab_size": len(VOCABULARY),
        "pad_token_id": 0,
    }
    modules = [
        {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.{kind}"}
        for name, path, kind in MODULES
    ]
    modes = {
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_max_tokens": pooling == "max",
    }
    write(folder / "config.json", config)
    write(folder / "modules.json", modules)
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **modes})
    write(folder / "sentence_bert_config.json", {"max_seq_length": longest})
    names = {f"{each.strip('[]').lower()}_token": each for each in SPECIAL}
    write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **names})
    tokenizer(folder / "tokenizer.json")
    save_file(weights(config, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import BertProcessing

    numbers = {word: number for number, word in enumerate(VOCABULARY)}
    made = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    made.normalizer = BertNormalizer()
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = BertProcessing(("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"]))
    made.add_special_tokens(list(SPECIAL))
    made.save(str(path))


def weights(config: dict[str, object], seed: int) -> dict[str, np.ndarray]:
    random, made = np.random.default_rng(seed), dict[str, np.ndarray]()
    width, inner = int(str(config["hidden_size"])), int(str(config["intermediate_size"]))

    def linear(name: str, rows: int, columns: int) -> None:
        made[f"{name}.weight"] = random.normal(0, 0.1, (rows, columns)).astype(np.float32)
        made[f"{name}.bias"] = random.normal(0, 0.1, rows).astype(np.float32)

    def norm(name: str) -> None:
        made[f"{name}.weight"] = np.ones(width, np.float32)
        made[f"{name}.bias"] = np.zeros(width, np.float32)

    rows = {"word": "vocab_size", "position": "max_position_embeddings"}
    for part, key in {**rows, "token_type": "type_vocab_size"}.items():
        size = int(str(config[key])), width
        name = f"embeddings.{part}_embeddings.weight"
        made[name] = random.normal(0, 1, size).astype(np.float32)
    norm("embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}."
        for part in ("query", "key", "value"):
            linear(f"{layer}attention.self.{part}", width, width)
        linear(f"{layer}attention.output.dense", width, width)
        norm(f"{layer}attention.output.LayerNorm")
        linear(f"{layer}intermediate.dense", inner, width)
        linear(f"{layer}output.dense", width, inner)
        norm(f"{layer}output.LayerNorm")
    return made

"""A cross-encoder: a small model that reads question and passage together, on this machine."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from llmops.tasks.errors import Unavailable, UsageError
from llmops.tasks.plugins import digest
from llmops.tasks.plugins._processors import processors
from llmops.tasks.plugins.rerankers import LocalReranker
from llmops.tasks.texts.charset import mended

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

ONNX = ("model.onnx", "onnx/model.onnx")
TOKENIZER = "tokenizer.json"
INSTALL = "pip install 'llmops-pipelines[sentence-transformers]'"
LOADING = Lock()


class CrossEncoderReranker(LocalReranker):
    """`model`: a folder with `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`, which runs
    in ONNX Runtime, one pair a run, one run per core; any other folder, and a name in the model
    hub, runs in sentence-transformers, if that is installed. `offline`: nothing is fetched.

    A score is the probability that the passage answers, of one label or of two. Nothing is read
    until it is needed. The fingerprint of an ONNX model is of its files' contents.
    """

    requires: ClassVar[Mapping[str, str]] = {"tokenizers": "pip install tokenizers"}
    paths: ClassVar[tuple[str, ...]] = ("model",)
    model: str = Field(min_length=1)
    max_tokens: int = Field(default=512, ge=8, le=32_768)
    """Of question and passage together; what is longer is cut."""
    offline: bool = False

    def fingerprint(self) -> str:
        facts = _facts(self.model)
        what = facts.sha256 if facts else (self.model,)
        return digest(f"{self.spelling()}/{self.revision}", *what, str(self.max_tokens))

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        facts = _facts(self.model)
        with LOADING:
            model: _Onnx | _Torch = (
                _onnx(facts, self.max_tokens)
                if facts
                else _torch(self.model, self.max_tokens, self.offline)
            )
        return model.scores(question, texts)


class _OnnxFacts(NamedTuple):
    folder: Path
    file: Path
    sha256: tuple[str, ...]


def _facts(model: str) -> _OnnxFacts | None:
    """None for what ONNX Runtime does not run: a name, or a folder of another kind. Raises
    UsageError for a model without a tokenizer.
    """
    folder = Path(model).expanduser().absolute()
    file = next((folder / name for name in ONNX if (folder / name).is_file()), None)
    if file is None:
        return None
    files = file, folder / TOKENIZER
    if not files[1].is_file():
        raise UsageError(
            f"{folder} has no {TOKENIZER}",
            hint="rerank.model is a folder with model.onnx and tokenizer.json",
        )
    seen = [each.stat() for each in files]
    marks = tuple(
        (str(each), stat.st_size, stat.st_mtime_ns) for each, stat in zip(files, seen, strict=True)
    )
    return _OnnxFacts(folder, file, _hashed(marks))


@cache
def _hashed(marks: tuple[tuple[str, int, int], ...]) -> tuple[str, ...]:
    """Read again only where a file has changed."""
    made = []
    for name, _, _ in marks:
        with Path(name).open("rb") as file:
            made.append(hashlib.file_digest(file, "sha256").hexdigest())
    return tuple(made)


class _Onnx(NamedTuple):
    session: Any
    tokenizer: "Tokenizer"
    inputs: tuple[str, ...]

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        asked = mended(question)  # tokenizers take no half of a surrogate pair
        encoded = self.tokenizer.encode_batch([(asked, mended(text)) for text in texts])
        workers = max(1, min(len(texts), processors()))
        with ThreadPoolExecutor(workers, "reranker") as pool:
            return list(pool.map(self._score, encoded))

    def _score(self, pair: "Encoding") -> float:
        given = {
            "input_ids": pair.ids,
            "attention_mask": pair.attention_mask,
            "token_type_ids": pair.type_ids,
        }
        feed = {name: np.array([given[name]], np.int64) for name in self.inputs}
        return probability(self.session.run(None, feed)[0][0])


@cache
def _onnx(facts: _OnnxFacts, longest: int) -> _Onnx:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(facts.file), options, providers=["CPUExecutionProvider"]
        )
        tokenizer = Tokenizer.from_file(str(facts.folder / TOKENIZER))
    except Exception as error:  # both libraries raise what they like
        raise Unavailable(
            f"the cross-encoder {facts.folder} cannot be loaded: {error}",
            hint="rerank.model is a folder with model.onnx and tokenizer.json",
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    inputs = tuple(each.name for each in session.get_inputs())
    if unknown := sorted({*inputs} - {"input_ids", "attention_mask", "token_type_ids"}):
        raise UsageError(
            f"the cross-encoder {facts.folder} wants {', '.join(unknown)}, which nothing gives it",
            hint="export it as a sequence classifier, as `optimum-cli export onnx` does",
        )
    return _Onnx(session, tokenizer, inputs)


def probability(logits: "np.ndarray[Any, Any]") -> float:
    """Of the one label; of two labels, of the second. Raises UsageError for more: such a model does
    not say which of them means that a passage answers.
    """
    values = np.asarray(logits, np.float64).reshape(-1)
    if len(values) > 2:
        raise UsageError(
            f"the cross-encoder gives {len(values)} labels, and one or two are wanted",
            hint="choose a reranker, such as cross-encoder/ms-marco-MiniLM-L6-v2",
        )
    logit = values[0] if len(values) == 1 else values[1] - values[0]
    return float(0.5 * (1 + np.tanh(logit / 2)))  # the logistic function, for any number


class _Torch(NamedTuple):
    model: Any

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        pairs = [(mended(question), mended(text)) for text in texts]
        logits = self.model.predict(pairs, show_progress_bar=False, activation_fn=_as_is)
        return [probability(row) for row in np.asarray(logits)]


def _as_is(logits: object) -> object:
    return logits


@cache
def _torch(model: str, longest: int, offline: bool) -> _Torch:
    if find_spec("sentence_transformers") is None:
        raise UsageError(
            f"{model} is no folder with {ONNX[0]} and {TOKENIZER}, and sentence-transformers, "
            "which runs others, is not installed",
            hint=f"install it: {INSTALL}",
        )
    from sentence_transformers import CrossEncoder

    try:
        return _Torch(CrossEncoder(model, max_length=longest, local_files_only=offline))
    except Exception as error:  # the hub, the files and torch raise what they like
        raise Unavailable(
            f"the cross-encoder {model} cannot be loaded: {error}",
            hint="a name in the model hub, or a folder as sentence-transformers saves it",
        ) from error

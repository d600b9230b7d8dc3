"""llama.cpp's library as the plugin uses it, with a model whose tokens are bytes. For tests of what
we do around it; whether the real one is like this, its own tests ask.
"""

import sys
from collections.abc import Iterator, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

END, BEGIN = 256, 257
RUNNING = "llmops.tasks.plugins.llms.llama_cpp.running"
TRAINED = 512


class FakeLlama:
    """`evaluated`: from which place on how many tokens were, each time. `made`: of the reply."""

    made: Sequence[int] = (*b"yes", END)

    def __init__(self, path: str, *, n_ctx: int, **options: object) -> None:
        self.model, self.ctx, self._n_ctx, self.options = path, self, n_ctx, options
        self.metadata = {"tokenizer.chat_template": "chat"}
        self.n_tokens, self.evaluated = 0, list[tuple[int, int]]()
        self.abort: Any = None
        self.seed = 0

    def n_ctx(self) -> int:
        return -(-self._n_ctx // 256) * 256

    def token_eos(self) -> int:
        return END

    def token_bos(self) -> int:
        return BEGIN

    def tokenize(self, text: bytes, *, add_bos: bool, special: bool) -> list[int]:
        assert (add_bos, special) == (False, True)
        return list(text)

    def detokenize(self, tokens: Sequence[int]) -> bytes:
        return bytes(tokens)

    def reset(self) -> None:
        self.n_tokens = 0

    def eval(self, tokens: Sequence[int]) -> None:
        if self.abort(None):
            raise RuntimeError("llama_decode returned 2")
        assert self.n_tokens + len(tokens) <= self._n_ctx
        self.evaluated.append((self.n_tokens, len(tokens)))
        self.n_tokens += len(tokens)

    def set_seed(self, seed: int) -> None:
        self.seed = seed

    def generate(self, tokens: Sequence[int], **options: object) -> Iterator[int]:
        assert len(tokens) == self.n_tokens
        if isinstance(options.get("top_p"), str):
            raise TypeError("top_p: a number is wanted")
        yield from self.made


class FakeFormatter:
    def __init__(self, *, template: str, eos_token: str, bos_token: str) -> None:
        self.said = (template, eos_token, bos_token)

    def __call__(self, *, messages: Sequence[dict[str, str]]) -> SimpleNamespace:
        if messages[-1]["role"] == "system":
            raise ValueError("a user has to speak last")
        return SimpleNamespace(prompt="".join(each["content"] for each in messages))


def installed(monkeypatch: pytest.MonkeyPatch) -> type[FakeLlama]:
    """In the place of the library, until the test ends."""

    class Llama(FakeLlama):
        pass

    def abort(llama: FakeLlama, callback: object, _data: object) -> None:
        llama.abort = callback

    library = {
        "Llama": Llama,
        "ggml_abort_callback": lambda callback=None: callback,
        "llama_set_abort_callback": abort,
        "llama_model_get_vocab": lambda model: model,
        "llama_model_n_ctx_train": lambda model: TRAINED,
        "llama_model_is_recurrent": lambda model: False,
        "llama_model_is_hybrid": lambda model: False,
        "llama_vocab_is_eog": lambda vocab, token: token == END,
        "llama_vocab_get_add_bos": lambda vocab: True,
        "llama_vocab_get_text": lambda vocab, token: b"<end>",
        "llama_sampler_init_grammar": lambda vocab, rules, root: None,
        "llama_sampler_free": lambda sampler: None,
    }
    grammar = SimpleNamespace(from_string=lambda rules: rules)
    parts: dict[str, dict[str, Any]] = {
        "llama_cpp": library,
        "llama_cpp.llama_chat_format": {"Jinja2ChatFormatter": FakeFormatter},
        "llama_cpp.llama_grammar": {
            "JSON_GBNF": "any",
            "LlamaGrammar": grammar,
            "json_schema_to_gbnf": lambda schema: schema,
        },
    }
    for name, values in parts.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    for name in (RUNNING, RUNNING.replace("running", "grammar")):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, name, None)  # undone afterwards, whatever was there
        del sys.modules[name]
    return Llama

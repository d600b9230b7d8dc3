"""A model of a GGUF file that is loaded, and how it answers."""

import codecs
import ctypes
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import llama_cpp
from jinja2 import TemplateError
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from llmops.tasks.errors import DocumentError, Unavailable
from llmops.tasks.plugins._processors import processors
from llmops.tasks.plugins.llms import Reply, Request
from llmops.tasks.plugins.llms._local import KEPT, Halt, Heard, Sampling, cut_at, plain
from llmops.tasks.plugins.llms.llama_cpp.grammar import grammar_of

if TYPE_CHECKING:
    from llama_cpp import LlamaGrammar

PIECE = 64
"""Tokens of a prompt that are evaluated at once: more are not quicker without a GPU, and an
interrupt waits for less."""
KNOWN = (
    *("top_p", "top_k", "min_p", "typical_p"),
    *("repeat_penalty", "frequency_penalty", "presence_penalty"),
)
ABORT = llama_cpp.ggml_abort_callback


class GgufModel:
    """`context`: tokens of prompt and reply that it takes at most; llama.cpp may round it up, which
    is of no use.
    """

    def __init__(self, llama: llama_cpp.Llama, context: int) -> None:
        self._llama, self._given = llama, min(context, llama.n_ctx())
        self._vocab = llama_cpp.llama_model_get_vocab(llama.model)
        self._trained = llama_cpp.llama_model_n_ctx_train(llama.model)
        self._template = Jinja2ChatFormatter(
            template=llama.metadata["tokenizer.chat_template"],
            eos_token=self._text(llama.token_eos()),
            bos_token=self._text(llama.token_bos()),
        )
        self._forgets = not (
            llama_cpp.llama_model_is_recurrent(llama.model)
            or llama_cpp.llama_model_is_hybrid(llama.model)
        )
        self._known: list[int] = []

    def answer(self, request: Request, sampling: Sampling, halt: Halt, heard: Heard) -> Reply:
        """Raises DocumentError for a prompt that is too long, parameters that are unknown, and a
        schema that is no grammar.
        """
        tokens, most = self._prompt(request), sampling.max_tokens
        room = self._room(len(tokens))
        if unknown := sorted(set(sampling.more) - {*KNOWN, "stop"}):
            raise DocumentError(
                f"parameters that llama.cpp does not know: {', '.join(unknown)}; "
                f"allowed: {', '.join(KNOWN)}, stop"
            )
        grammar = grammar_of(sampling.form, self._vocab) if sampling.form else None
        if not self._read(tokens, halt):
            return Reply(text="", tokens_in=len(tokens), finish="length")
        made = self._made(tokens, sampling, grammar)
        return self._written(made, len(tokens), min(most, room), sampling.stops, halt, heard)

    def _prompt(self, request: Request) -> list[int]:
        if request.tools:
            raise DocumentError("the model llama_cpp calls no tools: ask without them")
        messages = [plain(message) for message in request.messages]
        try:
            text = self._template(messages=messages).prompt
        except (ValueError, TypeError, KeyError, TemplateError) as error:
            raise DocumentError(
                f"the chat template refuses the messages: {error!s:.200}"
            ) from error
        encoded = text.encode("utf-8", "replace")
        tokens: list[int] = self._llama.tokenize(encoded, add_bos=False, special=True)
        first = self._llama.token_bos()
        wanted = llama_cpp.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [first]
        return [first, *tokens] if wanted else tokens

    def _room(self, size: int) -> int:
        """Tokens that are left for the reply, before anything is evaluated."""
        room: int = min(self._given, self._trained) - size
        if room > 0:
            return room
        more = (
            f"raise `context`: the model was trained for {self._trained:,}"
            if self._given < self._trained
            else "the model was trained for no more: give it less text"
        )
        raise DocumentError(
            f"the prompt has {size:,} tokens, and the context holds {size + room:,} with the "
            f"reply; {more}"
        )

    def _read(self, tokens: Sequence[int], halt: Halt) -> bool:
        """Evaluate the prompt; False where it was stopped. What begins like the prompt before is
        not evaluated again, in whole pieces: the same pieces give the same numbers, and so the same
        reply, whatever was asked before.
        """
        same = self._same(tokens) if self._forgets else 0
        self._llama.reset()
        self._llama.n_tokens, self._known = same, [*tokens[:same]]
        abort = ABORT(lambda _: halt())
        llama_cpp.llama_set_abort_callback(self._llama.ctx, abort, None)
        try:
            for start in range(same, len(tokens), PIECE):
                piece = tokens[start : start + PIECE]
                self._llama.eval(piece)
                self._known += piece if len(piece) == PIECE else ()
        except RuntimeError as error:
            if halt():
                return False
            raise DocumentError(f"llama.cpp cannot evaluate the prompt: {error!s:.200}") from error
        finally:
            llama_cpp.llama_set_abort_callback(self._llama.ctx, ABORT(), None)
        return not halt()

    def _same(self, tokens: Sequence[int]) -> int:
        """At least one token is left to evaluate: what follows is read from the last one."""
        most = min(len(self._known), (len(tokens) - 1) // PIECE * PIECE)
        for start in range(0, most, PIECE):
            if self._known[start : start + PIECE] != tokens[start : start + PIECE]:
                return start
        return most

    def _made(
        self, tokens: Sequence[int], sampling: Sampling, grammar: "LlamaGrammar | None"
    ) -> Iterator[int]:
        self._llama.set_seed(sampling.seed)
        more = {name: value for name, value in sampling.more.items() if name != "stop"}
        try:
            yield from self._llama.generate(
                tokens, temp=sampling.temperature, grammar=grammar, **more
            )
        except (TypeError, ctypes.ArgumentError) as error:
            raise DocumentError(f"llama.cpp refuses the parameters: {error!s:.200}") from error
        except RuntimeError as error:
            raise DocumentError(f"llama.cpp cannot go on: {error!s:.200}") from error

    def _written(
        self,
        made: Iterator[int],
        size: int,
        most: int,
        stops: list[str],
        halt: Halt,
        heard: Heard,
    ) -> Reply:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text, finish, count = "", "length", 0
        for count, token in enumerate(made, 1):
            if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                finish = "stop"
                break
            piece = decoder.decode(self._llama.detokenize([token]))
            text += piece
            if (before := cut_at(text, stops)) is not None:
                return Reply(text=before, tokens_in=size, tokens_out=count)
            if piece:
                heard(piece)
            if count == most or halt():
                break
        if rest := decoder.decode(b"", final=True):
            heard(rest)
        return Reply(text=text + rest, tokens_in=size, tokens_out=count, finish=finish)

    def _text(self, token: int) -> str:
        """Of a special token; "" where the model has none."""
        if token < 0:
            return ""
        return bytes(llama_cpp.llama_vocab_get_text(self._vocab, token)).decode("utf-8", "replace")


@lru_cache(maxsize=KEPT)
def opened(
    path: Path, context: int, threads: int | None, gpu_layers: int, contents: str
) -> GgufModel:
    """Loaded once for each content of the file. Raises Unavailable where it cannot be."""
    del contents
    _look(path)
    width = threads or max(1, processors() // 2)  # more than are free wait for each other
    try:
        llama = llama_cpp.Llama(
            str(path),
            n_ctx=context,
            n_batch=PIECE,
            n_threads=width,
            n_threads_batch=width,
            n_gpu_layers=gpu_layers,
            verbose=False,
        )
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        raise Unavailable(
            f"llama.cpp cannot load {path}: {error!s:.300}",
            hint="the file is damaged, of a kind that this version does not know (update "
            "llama-cpp-python), or memory is short: set a smaller `context`",
        ) from error
    if "tokenizer.chat_template" not in llama.metadata:
        raise Unavailable(
            f"the model {path} has no chat template", hint="take an instruct or chat version"
        )
    return GgufModel(llama, context)


def _look(path: Path) -> None:
    """The library says no more than that it failed."""
    hint = "`path` names a .gguf file; a relative path starts where the command is run"
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise Unavailable(
            f"the model {path} cannot be read: {error.strerror}", hint=hint
        ) from error
    if head != b"GGUF":
        raise Unavailable(f"{path} is no GGUF file: it begins with {head!r}", hint=hint)

"""A language model of a GGUF file, in the process: no service, no network, no GPU needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmops.tasks.plugins._model_folder import contents_of_file
from llmops.tasks.plugins.llms import Request
from llmops.tasks.plugins.llms._chat import JsonMode, response_format
from llmops.tasks.plugins.llms._local import LoadedLlm, LocalLlm, Sampling

INSTALL = "pip install 'llmops-pipelines[local]'"


class LlamaCppLlm(LocalLlm):
    """`path`: a GGUF file with a chat template; of a model in several files the first one.
    `context`: tokens of prompt and reply together, as far as the model was trained for as many.
    Greedy: `temperature` above 0 draws, by `seed`. `max_tokens`: of a reply; `parameters`: top_p,
    top_k, min_p, typical_p, repeat_penalty, frequency_penalty, presence_penalty, stop. `threads`:
    half of the processors, unless told. `gpu_layers`: layers on a GPU, where llama-cpp-python was
    built for one; -1: all.

    `json_mode`: how a reply is made to follow a schema: `schema` allows no other tokens, `object`
    allows any JSON object, `off` leaves it to the messages.

    Requests are answered one at a time, all local models of a process in one row; `timeout` counts
    from one's turn on. Replies are remembered by what the file holds, wherever it lies. A call
    costs nothing.
    """

    requires: ClassVar[Mapping[str, str]] = {"llama_cpp": INSTALL}
    paths: ClassVar[tuple[str, ...]] = ("path",)
    path: str = Field(min_length=1)
    context: int = Field(default=4096, ge=64)
    json_mode: JsonMode = "schema"
    gpu_layers: int = Field(default=-1, ge=-1)

    def contents(self) -> tuple[str, ...]:
        return contents_of_file(self._file), str(self.context), self.json_mode

    @property
    def title(self) -> str:
        """The label, else the file's name."""
        return self.label or self._file.stem

    def load(self) -> LoadedLlm:
        from llmops.tasks.plugins.llms.llama_cpp.running import opened

        return opened(
            self._file, self.context, self.threads, self.gpu_layers, contents_of_file(self._file)
        )

    def sampling(self, request: Request) -> Sampling:
        form = None if request.output is None else response_format(request.output, self.json_mode)
        return super().sampling(request)._replace(form=form)

    @property
    def _file(self) -> Path:
        return Path(self.path).expanduser()

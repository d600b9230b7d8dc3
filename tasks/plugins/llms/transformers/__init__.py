"""A language model of a local folder, in the process: no service, no network."""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from llmops.tasks.plugins._model_folder import contents_of
from llmops.tasks.plugins.llms._local import LoadedLlm, LocalLlm

INSTALL = "pip install 'llmops-pipelines[transformers]'"


class TransformersLlm(LocalLlm):
    """`model`: a folder as transformers saves it, with a chat template, or a name that is in the
    cache of the model hub; nothing is fetched. `adapter`: a folder of LoRA weights on top of it.
    Greedy: `temperature` above 0 draws, by `seed`. `max_tokens`: of a reply; `parameters`: more of
    what transformers calls a generation config, such as repetition_penalty. `threads`: of torch on
    the CPU.

    Requests are answered one at a time, all local models of a process in one row; `timeout` counts
    from one's turn on. A schema for the output is not enforced: say in the prompt what is wanted.
    Replies are remembered by what the folder holds, wherever it lies. A call costs nothing.
    """

    requires: ClassVar[Mapping[str, str]] = {"transformers": INSTALL, "torch": INSTALL}
    paths: ClassVar[tuple[str, ...]] = ("model", "adapter")
    model: str = Field(min_length=1)
    adapter: str | None = Field(default=None, min_length=1)

    def contents(self) -> tuple[str, ...]:
        adapter = contents_of(Path(self.adapter)) if self.adapter else ""
        return contents_of(Path(self.model)), adapter

    @property
    def title(self) -> str:
        """The label, else the end of the path: a training's folder and the model's in it."""
        return self.label or "/".join(Path(self.adapter or self.model).parts[-2:])

    def load(self) -> LoadedLlm:
        from llmops.tasks.plugins.llms.transformers.running import opened

        return opened(self.model, self.adapter, self.threads, self.contents())

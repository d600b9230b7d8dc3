"""A real language model, small enough for a test: SmolLM2-135M, where the package that carries it
and llama.cpp are installed. Nothing is fetched.
"""

from importlib.util import find_spec
from typing import Any

import pytest

from llmops.flows.demo.model import COMMANDS, LIBRARY, packaged
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.llms import Llm

NEEDS_MODEL = pytest.mark.skipif(
    find_spec(LIBRARY) is None or packaged() is None,
    reason=f"no llama.cpp or no model here: {COMMANDS}",
)


def smollm(**options: Any) -> Llm:
    """Its replies are short, and one thread asks for no more of a busy machine than it has."""
    given = {"path": str(packaged()), "max_tokens": 12, "context": 512, "threads": 1, **options}
    return Spec(name="llama_cpp", options=given).build(Llm)
